"""Sardana et al. 2023: the model that is cheapest to train and to serve, at a given quality and demand."""

from __future__ import annotations

import math
from dataclasses import dataclass

from thinkcap.policies.errors import BadInput
from thinkcap.policies.laws.chinchilla import BESIROGLU, SARDANA, Fit, Run
from thinkcap.policies.laws.flops import INFERENCE, inference_flops
from thinkcap.policies.laws.law import Law, Source

__all__ = ["LAW", "Served", "cheapest", "served"]

_STEPS = 200  # halvings: far below the precision of a float


@dataclass(frozen=True, slots=True)
class Served:
    """A run, and what training and serving it take.

    Attributes:
        run: parameters and training tokens.
        training: FLOP of training.
        inference: FLOP of inference.
    """

    run: Run
    training: float
    inference: float

    @property
    def total(self) -> float:
        """FLOP in all."""
        return self.training + self.inference


def served(run: Run, inference_tokens: float) -> Served:
    """A run with its demand: 6 N D + 2 N D_inf.

    Args:
        run: parameters and training tokens.
        inference_tokens: input and output tokens over the model's life; 0 for none.

    Raises:
        BadInput: if the tokens are below zero.
    """
    _demand(inference_tokens)
    return Served(run, run.flops, inference_flops(run.params, inference_tokens) if inference_tokens else 0.0)


def cheapest(loss: float, inference_tokens: float, fit: Fit = BESIROGLU) -> Served:
    """The run of least training and inference compute among those that reach a loss (eq. 2 and 3).

    Along the runs of equal loss let t be the share of the reducible loss that data cause. At the best t

        beta t (1 + D_inf / (3 D)) = alpha (1 - t)

    whose left side grows with t and whose right side falls, so it is found by halving. Without demand t is
    alpha / (alpha + beta): Chinchilla's.

    Args:
        loss: the quality to be reached, in nats per token.
        inference_tokens: input and output tokens over the model's life; 0 for none.
        fit: the constants of the loss.

    Raises:
        BadInput: if the loss cannot be reached or the tokens are below zero.
    """
    _demand(inference_tokens)
    low, high = math.log(1e-12), math.log(fit.alpha / (fit.alpha + fit.beta))
    for _ in range(_STEPS if inference_tokens else 0):
        middle = (low + high) / 2
        share = math.exp(middle)
        weight = 1 + INFERENCE / 6 * inference_tokens / fit.run_at_loss(loss, share).tokens
        low, high = (low, middle) if fit.beta * share * weight > fit.alpha * (1 - share) else (middle, high)
    return served(fit.run_at_loss(loss, math.exp(high)), inference_tokens)


def _demand(tokens: float) -> None:
    if isinstance(tokens, bool) or not math.isfinite(tokens) or tokens < 0:
        raise BadInput(f"the inference tokens must be a number of at least 0, not {tokens!r}")


LAW = Law(
    name="sardana",
    summary="Who serves many tokens should train a smaller model on more tokens than Chinchilla says.",
    formula=(
        "least 6 N D + 2 N D_inf, given L(N, D) = E + A / N^alpha + B / D^beta = the quality",
        "at the best: beta t (1 + D_inf / (3 D)) = alpha (1 - t), t the share of L - E that data cause",
    ),
    units=("N: parameters", "D: training tokens", "D_inf: input and output tokens over the model's life", "cost: FLOP"),
    constants=SARDANA.constants,
    domain="As Chinchilla's law; demand is taken to be known and not to depend on the model's size. The same paper "
    "finds that fits at usual ratios overestimate what more tokens bring beyond some 100 a parameter (sec. 5).",
    sources=(
        Source(
            "Sardana et al. 2023, Beyond Chinchilla-Optimal",
            "sec. 2, eq. 1 to 3, app. A",
            "https://arxiv.org/abs/2401.00448",
        ),
    ),
    notes=(
        "A 13B model's quality at 2e12 inference tokens: 7B saving 17 % with the paper's constants, 6.1B saving 29 % "
        "with the corrected ones, 8.0B saving 10 % with the rounded ones of 2022. The spread is the honest answer.",
    ),
)
