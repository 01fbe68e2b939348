"""Thinking for hours, days, weeks: what so much output costs, and what ends it first: the ceiling or the plateau."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from thinkcap.policies.laws.law import Constant, Law
from thinkcap.policies.laws.o3 import HIGH, LOW, Point, readings
from thinkcap.policies.laws.o3 import LAW as O3
from thinkcap.policies.laws.units import above_zero, share

__all__ = ["LAW", "Ends", "Long", "think"]

Ends = Literal["the time", "the ceiling", "the plateau", "not known"]
"""What ends the thinking first; "not known" where the readings of the curve disagree."""


@dataclass(frozen=True, slots=True)
class Long:
    """What thinking for so long comes to, for one task.

    Attributes:
        tokens: output tokens written in the time.
        usd: what they cost.
        ceiling_tokens: tokens the ceiling pays for; None without one.
        plateau_tokens: tokens that bring the accuracy close to the plateau, by each reading of the curve.
        ends: what is reached first.
    """

    tokens: float
    usd: float
    ceiling_tokens: float | None
    plateau_tokens: dict[str, float]
    ends: Ends


def think(
    seconds: float,
    tokens_per_s: float,
    usd_per_million: float,
    *,
    ceiling_usd: float | None = None,
    low: Point = LOW,
    high: Point = HIGH,
    plateau: float = 1.0,
    close: float = 0.01,
) -> Long:
    """What thinking for so long costs, and what ends it first.

    Args:
        seconds: how long, one token after another.
        tokens_per_s: output tokens a second.
        usd_per_million: dollars per million output tokens.
        ceiling_usd: dollars the task may cost; None for no ceiling.
        low: a measured point of the curve.
        high: a measured point with more tokens.
        plateau: accuracy that no amount of thinking passes.
        close: how near the plateau counts as reached, in accuracy.

    Raises:
        BadInput: if a number is not above zero, or the plateau does not lie above the points.
    """
    tokens = above_zero(seconds, "the time") * above_zero(tokens_per_s, "the tokens a second")
    price = above_zero(usd_per_million, "the price") / 1e6
    afforded = None if ceiling_usd is None else above_zero(ceiling_usd, "the ceiling") / price
    target = plateau - share(close, "how close counts as reached")
    flat = {curve.name: curve.tokens(target) for curve in readings(low, high, plateau)}
    ends = {_first(tokens, afforded, each) for each in flat.values()}
    return Long(tokens, tokens * price, afforded, flat, ends.pop() if len(ends) == 1 else "not known")


def _first(tokens: float, afforded: float | None, flat: float) -> Ends:
    limits: list[tuple[float, Ends]] = [(tokens, "the time"), (flat, "the plateau")]
    if afforded is not None:
        limits.append((afforded, "the ceiling"))
    return min(limits)[1]


LAW = Law(
    name="hours",
    summary="A week of thinking in one stream is some 60 million tokens; the ceiling or the time ends it long before a "
    "plateau that two points can vouch for.",
    formula=(
        "tokens = seconds x tokens per second",
        "cost = tokens x price / 1e6",
        "ends first: the least of these tokens, the ceiling's, and those that bring accuracy close to the plateau",
    ),
    units=(
        "time: one token after another",
        "price: dollars per million output tokens",
        "close: in accuracy, 0.01 by default",
    ),
    constants=(
        Constant("o3's price", 1e6 * 20.12 / 330_000, "$/million tokens"),
        Constant("o3's pace, high", HIGH.tokens / (13.8 * 60), "tokens/second"),
    ),
    domain="The curve is o3's on ARC-AGI-1 unless points are given, and far beyond them: the three readings of it are "
    "compared, and where they disagree the answer is: not known.",
    sources=O3.sources,
    notes=(
        "57 million tokens in 13.8 minutes are 69 thousand a second: samples in parallel. One after another at 100 a "
        "second they would take 158 hours.",
    ),
)
