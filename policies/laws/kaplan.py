"""Kaplan et al. 2020: loss as a power law of parameters, data and compute."""

from __future__ import annotations

from typing import NamedTuple

from thinkcap.policies.laws.law import Constant, Law, Source
from thinkcap.policies.laws.units import above_zero

__all__ = [
    "LAW",
    "PF_DAY",
    "QUOTED",
    "Allocation",
    "growth",
    "joint_loss",
    "loss_from_compute",
    "loss_from_params",
    "loss_from_tokens",
    "optimum",
]

PF_DAY = 8.64e19
"""FLOP in a petaFLOP/s-day: 1e15 x 86,400."""

_ALPHA_N, _N_C = 0.076, 8.8e13
_ALPHA_D, _D_C = 0.095, 5.4e13
_ALPHA_C, _C_C = 0.050, 3.1e8
_JOINT_ALPHA_N, _JOINT_ALPHA_D, _JOINT_N_C, _JOINT_D_C = 0.076, 0.103, 6.4e13, 1.8e13
_N_EXPONENT, _N_SCALE = 0.73, 1.3e9
_D_EXPONENT, _D_SCALE = 0.27, 2e10


class Allocation(NamedTuple):
    """How a budget is divided.

    Attributes:
        params: parameters, or the factor on them.
        tokens: training tokens, or the factor on them.
    """

    params: float
    tokens: float


QUOTED = Allocation(5.5, 1.8)
"""What Hoffmann et al. 2022 (sec. 1) say Kaplan et al. advise for ten times the compute."""


def loss_from_params(params: float) -> float:
    """Loss in nats per token of a model trained to convergence on enough data: (8.8e13 / N)^0.076 (eq. 1.1).

    Args:
        params: parameters without embeddings.
    """
    return float((_N_C / above_zero(params, "the parameters")) ** _ALPHA_N)


def loss_from_tokens(tokens: float) -> float:
    """Loss in nats per token of a large model on so many tokens, stopped early: (5.4e13 / D)^0.095 (eq. 1.2)."""
    return float((_D_C / above_zero(tokens, "the tokens")) ** _ALPHA_D)


def loss_from_compute(flops: float) -> float:
    """Loss in nats per token at the best use of so much compute: (3.1e8 PF-days / C)^0.050 (eq. 1.3).

    Args:
        flops: FLOP, at batches well below the critical size (the paper's C_min).
    """
    return float((_C_C / (above_zero(flops, "the compute") / PF_DAY)) ** _ALPHA_C)


def joint_loss(params: float, tokens: float) -> float:
    """Loss in nats per token where both are limited: [(N_c/N)^(a_N/a_D) + D_c/D]^a_D (eq. 1.5, table 2).

    Its four constants were fitted together and differ from those of the single laws.

    Args:
        params: parameters without embeddings.
        tokens: training tokens.
    """
    size = (_JOINT_N_C / above_zero(params, "the parameters")) ** (_JOINT_ALPHA_N / _JOINT_ALPHA_D)
    return float((size + _JOINT_D_C / above_zero(tokens, "the tokens")) ** _JOINT_ALPHA_D)


def optimum(flops: float) -> Allocation:
    """Parameters and tokens for so much compute: 1.3e9 C^0.73 and 2e10 C^0.27, C in PF-days (table 6)."""
    days = above_zero(flops, "the compute") / PF_DAY
    return Allocation(_N_SCALE * days**_N_EXPONENT, _D_SCALE * days**_D_EXPONENT)


def growth(factor: float) -> Allocation:
    """By what the model and its data should grow when compute grows by a factor: factor^0.73 and factor^0.27."""
    above_zero(factor, "the factor on compute")
    return Allocation(factor**_N_EXPONENT, factor**_D_EXPONENT)


_PAPER, _URL = "Kaplan et al. 2020, Scaling Laws for Neural Language Models", "https://arxiv.org/abs/2001.08361"

LAW = Law(
    name="kaplan",
    summary="Loss falls as a power law of parameters, data and compute; more compute should go mostly to a larger "
    "model.",
    formula=(
        "L(N) = (N_c / N)^a_N",
        "L(D) = (D_c / D)^a_D",
        "L(C) = (C_c / C)^a_C",
        "L(N, D) = [(N_c / N)^(a_N / a_D) + D_c / D]^a_D, with constants of its own",
        "best N = k_N C^p_N, best D = k_D C^p_D",
    ),
    units=("L: nats per token", "N: parameters without embeddings", "D: tokens", "C: PF-days (8.64e19 FLOP)"),
    constants=(
        Constant("a_N", _ALPHA_N, set="single"),
        Constant("N_c", _N_C, "parameters", set="single"),
        Constant("a_D", _ALPHA_D, set="single"),
        Constant("D_c", _D_C, "tokens", set="single"),
        Constant("a_C", _ALPHA_C, set="single"),
        Constant("C_c", _C_C, "PF-days", set="single"),
        Constant("a_N", _JOINT_ALPHA_N, set="joint"),
        Constant("a_D", _JOINT_ALPHA_D, set="joint"),
        Constant("N_c", _JOINT_N_C, "parameters", set="joint"),
        Constant("D_c", _JOINT_D_C, "tokens", set="joint"),
        Constant("p_N", _N_EXPONENT, set="best"),
        Constant("k_N", _N_SCALE, "parameters", set="best"),
        Constant("p_D", _D_EXPONENT, set="best"),
        Constant("k_D", _D_SCALE, "tokens", set="best"),
    ),
    domain="768 to 1.5e9 parameters, 2.2e7 to 2.3e10 tokens of WebText2, a tokeniser of its own: losses do not compare "
    "with those of other laws.",
    sources=(
        Source(_PAPER, "eq. 1.1 to 1.3 and 1.5, tables 2 and 6", _URL),
        Source(
            "Hoffmann et al. 2022, Training Compute-Optimal Large Language Models",
            "sec. 1",
            "https://arxiv.org/abs/2203.15556",
        ),
    ),
    notes=(
        "Ten times the compute is often quoted as a 5.5 times larger model on 1.8 times the data (5.5 x 1.8 = 9.9): "
        "that is Hoffmann et al.'s rendering, with exponents 0.74 and 0.26; the paper's own 0.73 and 0.27 give 5.4 and"
        " 1.9.",
        "No errors of the constants were published. Chinchilla found its schedule of learning rates to be the reason "
        "it asks for too little data.",
    ),
)
