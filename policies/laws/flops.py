"""How many floating-point operations training and answering take."""

from __future__ import annotations

from thinkcap.policies.laws.law import Constant, Law, Source
from thinkcap.policies.laws.units import above_zero

__all__ = ["INFERENCE", "LAW", "TRAINING", "inference_flops", "training_flops"]

TRAINING = 6.0
"""FLOP per parameter and training token: 2 forward, 4 backward."""

INFERENCE = 2.0
"""FLOP per parameter and token read or written."""


def training_flops(params: float, tokens: float) -> float:
    """FLOP to train a model: 6 N D.

    Args:
        params: parameters (of a mixture of experts, those active per token).
        tokens: training tokens, counted as often as they are seen.
    """
    return TRAINING * above_zero(params, "the parameters") * above_zero(tokens, "the training tokens")


def inference_flops(params: float, tokens: float) -> float:
    """FLOP to read or write tokens: 2 N each.

    Args:
        params: parameters (of a mixture of experts, those active per token).
        tokens: input and output tokens together.
    """
    return INFERENCE * above_zero(params, "the parameters") * above_zero(tokens, "the tokens")


LAW = Law(
    name="flops",
    summary="Training takes 6 FLOP per parameter and token, answering takes 2.",
    formula=("training = 6 N D", "answering = 2 N per token"),
    units=("N: parameters (active ones, of a mixture of experts)", "D: training tokens", "result: FLOP"),
    constants=(
        Constant("training", TRAINING, "FLOP/parameter/token"),
        Constant("answering", INFERENCE, "FLOP/parameter/token"),
    ),
    domain="Dense transformers. Attention over the context is left out: per token it is one part in 12 of the rest "
    "where the context is as long as the model is wide, and as much as the rest where it is 12 times as long.",
    sources=(
        Source(
            "Kaplan et al. 2020, Scaling Laws for Neural Language Models",
            "sec. 2.1 and table 1",
            "https://arxiv.org/abs/2001.08361",
        ),
        Source("Sardana et al. 2023, Beyond Chinchilla-Optimal", "sec. 2, eq. 3", "https://arxiv.org/abs/2401.00448"),
    ),
    notes=("Prices of an API do not follow 2 N: take its prices for money, and FLOP for hardware of one's own.",),
)
