"""Snell et al. 2024: a larger model, or more inference from a small one, at equal compute."""

from __future__ import annotations

from thinkcap.policies.errors import BadInput
from thinkcap.policies.laws.flops import INFERENCE, TRAINING
from thinkcap.policies.laws.law import Constant, Law, Source
from thinkcap.policies.laws.units import above_zero

__all__ = ["LAW", "RATIOS", "SIZE_RATIO", "inference_multiplier"]

SIZE_RATIO = 14.0
"""How much larger the larger model of the paper is, about."""

RATIOS = (0.16, 0.79, 22.0)
"""R = inference tokens / pretraining tokens, as compared in the paper."""


def inference_multiplier(size_ratio: float, ratio: float) -> float:
    """How many times its inference a small model may spend until a larger one costs the same in all.

    X + T Y = M (X + Y) with X = 6 N D_pre and Y = 2 N D_inf gives T = M + 3 (M - 1) / R.

    Args:
        size_ratio: M, parameters of the larger model over those of the small one, at least 1.
        ratio: R, inference tokens over pretraining tokens.

    Raises:
        BadInput: if the larger model is smaller, or R is not above zero.
    """
    if not above_zero(size_ratio, "the ratio of sizes") >= 1:
        raise BadInput(f"the ratio of sizes is larger over smaller, so at least 1, not {size_ratio!r}")
    above_zero(ratio, "the ratio of inference to pretraining tokens")
    return size_ratio + TRAINING / INFERENCE * (size_ratio - 1) / ratio


LAW = Law(
    name="snell",
    summary="At equal compute a small model may think T times as much as a model M times larger; where that wins "
    "depends on difficulty and demand.",
    formula=("T = M + 3 (M - 1) / R", "from 6 N D_pre + T 2 N D_inf = M (6 N D_pre + 2 N D_inf)"),
    units=("M: ratio of parameters", "R: inference tokens / pretraining tokens", "T: times the inference tokens"),
    constants=(
        Constant("M", SIZE_RATIO),
        *(Constant("R", ratio) for ratio in RATIOS),
    ),
    domain="PaLM 2-S* on MATH, revisions and search against a verifier. Pretraining tokens are the same for both "
    "sizes, so the larger model is not compute-optimal.",
    sources=(
        Source(
            "Snell et al. 2024, Scaling LLM Test-Time Compute Optimally can be More Effective than Scaling Model "
            "Parameters",
            "sec. 7 and fig. 9",
            "https://arxiv.org/abs/2408.03314",
        ),
    ),
    notes=(
        "Published finding: thinking wins on easy and medium questions or where R is far below 1; the larger model "
        "wins on the hardest questions or where R is far above 1.",
    ),
)
