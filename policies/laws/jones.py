"""Jones 2021: compute at training buys off compute at test time, at a fixed rate."""

from __future__ import annotations

import math

from thinkcap.policies.errors import BadInput
from thinkcap.policies.laws.law import Constant, Law, Source
from thinkcap.policies.laws.units import above_zero

__all__ = ["EXCHANGE", "LAW", "compute_at_test"]

EXCHANGE = 15.0
"""Factor of test-time compute that ten times the training compute does away with."""

_ELO_PER_DECADE = 500.0
_FIGURE_SLOPE = 1.2


def compute_at_test(now: float, training_factor: float, floor: float = 0.0) -> float:
    """Test-time compute that gives the same strength after training changed by a factor.

    now / 15^log10(factor), which is now / factor^1.18; never below the floor.

    Args:
        now: test-time compute today, in any unit.
        training_factor: by what training compute is multiplied; below 1 for less.
        floor: test-time compute of a single evaluation, in the same unit; 0 where it is not known.

    Raises:
        BadInput: if a number is not above zero, or the floor lies above today's compute.
    """
    above_zero(now, "the test-time compute")
    above_zero(training_factor, "the factor on training")
    if not 0 <= floor <= now:
        raise BadInput(f"the floor must lie between 0 and today's test-time compute, not {floor!r}")
    return float(max(floor, now * EXCHANGE ** -math.log10(training_factor)))


LAW = Law(
    name="jones",
    summary="For each ten times of training compute about 15 times of test-time compute can be left out, down to one "
    "node.",
    formula=(
        "test' = test / 15^log10(k) = test / k^1.18, for k times the training compute",
        "fitted in fig. 9: log10(test) = -1.2 log10(train) + 0.004 Elo + 29",
    ),
    units=("test, train: FLOP", "Elo: 0 is perfect play"),
    constants=(
        Constant("exchange", EXCHANGE, "x per decade of training"),
        Constant("slope in fig. 9", _FIGURE_SLOPE),
        Constant("Elo in fig. 9", 0.004, "1/Elo"),
        Constant("offset in fig. 9", 29.0),
        Constant("gain", _ELO_PER_DECADE, "Elo per decade of compute"),
    ),
    domain="AlphaZero agents on the board game Hex, 9 x 9, trees of 1 to 512 nodes; not measured on language models.",
    sources=(
        Source(
            "Jones 2021, Scaling Scaling Laws with Board Games",
            "sec. IV-C and fig. 9",
            "https://arxiv.org/abs/2104.03113",
        ),
    ),
    notes=(
        "The text says about 15 times, which is 10^1.18; the slope of fig. 9, rounded to 1.2, would be 15.8 times.",
        "Checked in November 2026: 500 Elo per decade, in a quotation, and the form of fig. 9, in the author's code "
        "(least squares of log10(test) on log10(train) and Elo, 9 x 9). Not checked again: the three coefficients of "
        "fig. 9.",
        "One snapshot's strength is sigmoid in test-time compute (fig. 8): the exchange holds on the rising part only.",
    ),
)
