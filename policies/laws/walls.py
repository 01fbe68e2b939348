"""Walls and floors: the loss nothing removes, what the next decade of compute buys, and what data there are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from thinkcap.policies.laws.chinchilla import BESIROGLU, Fit, Run
from thinkcap.policies.laws.flops import TRAINING, training_flops
from thinkcap.policies.laws.law import Constant, Law, Source
from thinkcap.policies.laws.units import above_zero

__all__ = [
    "GEMINI_ULTRA",
    "INDEXED_WEB",
    "LARGEST_SET",
    "LAW",
    "LLAMA_3_405B",
    "Decade",
    "cap_binds_at",
    "capped",
    "compute_for_reducible",
    "decades_to",
    "next_decade",
]

LARGEST_SET = 18e12
"""Tokens of the largest training set known in 2024."""

INDEXED_WEB = 510e12
"""Tokens of text on the indexed web, without duplicates; 95 % interval 130e12 to 2,100e12."""

LLAMA_3_405B = training_flops(405e9, 15.6e12)
"""FLOP of training: 6 x 405e9 x 15.6e12 = 3.8e25, as Meta reports."""

GEMINI_ULTRA = 5e25
"""FLOP of training, Epoch AI's estimate from limited evidence."""


@dataclass(frozen=True, slots=True)
class Decade:
    """What ten times the compute buys, on the compute-optimal frontier.

    Attributes:
        now: loss at the compute given, in nats per token.
        then: loss at ten times as much.
        floor: the irreducible loss.
    """

    now: float
    then: float
    floor: float

    @property
    def kept(self) -> float:
        """Share of the reducible loss that is still there after the decade."""
        return (self.then - self.floor) / (self.now - self.floor)


def next_decade(flops: float, fit: Fit = BESIROGLU) -> Decade:
    """What ten times the compute buys.

    Args:
        flops: training compute today, in FLOP.
        fit: the constants of the loss.
    """
    return Decade(_best_loss(flops, fit), _best_loss(10 * flops, fit), fit.e)


def decades_to(share: float, fit: Fit = BESIROGLU) -> float:
    """Decades of compute until the reducible loss is a given share of today's: -log10(share) / x, from anywhere.

    It falls as C^-x with x = alpha beta / (alpha + beta).
    """
    return -math.log10(above_zero(share, "the share")) / fit.decade_exponent


def compute_for_reducible(loss: float, fit: Fit = BESIROGLU) -> float:
    """FLOP at which the reducible loss of the best run has fallen to so many nats per token."""
    return fit.optimum_at_loss(fit.e + above_zero(loss, "the reducible loss")).flops


def cap_binds_at(tokens: float, fit: Fit = BESIROGLU) -> float:
    """FLOP from which on the best run would need more tokens than there are."""
    data_part = fit.data_part(tokens)
    size_part = fit.beta / fit.alpha * data_part
    return training_flops((fit.a / size_part) ** (1 / fit.alpha), tokens)


def capped(flops: float, tokens: float, fit: Fit = BESIROGLU) -> Run:
    """The run of least loss for so much compute where only so many tokens exist, each seen once.

    Args:
        flops: training compute in FLOP.
        tokens: tokens that exist.
        fit: the constants of the loss.
    """
    best = fit.optimum(flops)
    if best.tokens <= above_zero(tokens, "the tokens there are"):
        return best
    return Run(flops / (TRAINING * tokens), tokens)


def _best_loss(flops: float, fit: Fit) -> float:
    best = fit.optimum(flops)
    return fit.loss(best.params, best.tokens)


LAW = Law(
    name="walls",
    summary="Loss has a floor; above it each ten times of compute leaves two thirds; and text is finite.",
    formula=(
        "L(C) - E falls as C^-x, x = alpha beta / (alpha + beta), on the compute-optimal frontier",
        "one decade leaves 10^-x of it; a tenth is left after 1 / x decades",
        "with data capped at D: N = C / (6 D) as soon as the best D is larger",
    ),
    units=("L, E: nats per token", "C: FLOP", "D: tokens, each seen once"),
    constants=(
        Constant("largest set", LARGEST_SET, "tokens"),
        Constant("indexed web", INDEXED_WEB, "tokens"),
        Constant("Llama 3 405B", LLAMA_3_405B, "FLOP"),
        Constant("Gemini Ultra", GEMINI_ULTRA, "FLOP"),
        *BESIROGLU.constants,
    ),
    domain="An extrapolation of Chinchilla's law far beyond the 1.3e22 FLOP it was fitted on; the floor is of that "
    "data and tokeniser.",
    sources=(
        Source(
            "Besiroglu et al. 2024, Chinchilla Scaling: A replication attempt",
            "constants",
            "https://arxiv.org/abs/2404.10102",
        ),
        Source(
            "Villalobos et al. 2024, Will we run out of data?",
            "table 1: indexed web",
            "https://arxiv.org/abs/2211.04325",
        ),
        Source(
            "Sevilla et al. 2024, Can AI scaling continue through 2030?",
            "section on data: largest set",
            "https://epoch.ai/blog/can-ai-scaling-continue-through-2030",
        ),
        Source(
            "Llama Team 2024, The Llama 3 Herd of Models",
            "sec. 1: 405B, 15.6T tokens, 3.8e25 FLOP",
            "https://arxiv.org/abs/2407.21783",
        ),
        Source("Epoch AI, data on models", "Gemini 1.0 Ultra: 5e25 FLOP, estimated", "https://epoch.ai/data"),
    ),
    notes=(
        "The question is not whether it flattens but when: the floor is never reached, each decade buys two thirds of "
        "what the last one bought.",
        "Text can be seen up to 4 times at next to no loss (Muennighoff et al. 2023, "
        "https://arxiv.org/abs/2305.16264), so a cap on tokens is not a wall in itself.",
    ),
)
