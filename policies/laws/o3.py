"""Test-time compute of o3 on ARC-AGI-1: two published points, the line between them, and how little is known beyond.

Two points fix a slope, not a shape. Three readings pass through both: a straight line in log tokens, a power law of
the error, and a line in the log-odds. Inside they agree; outside their spread is what is not known.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from thinkcap.policies.errors import BadInput
from thinkcap.policies.laws.law import Constant, Law, Source
from thinkcap.policies.laws.units import above_zero, share

__all__ = ["HIGH", "LAW", "LOW", "Point", "Reading", "accuracy_at", "points_per_decade", "readings", "tokens_for"]

_FAR = 300.0  # decades, or log-odds, from which on a float overflows
_BEYOND = 2.0  # how far outside the points a reading is trusted, as a factor of tokens


@dataclass(frozen=True, slots=True)
class Point:
    """An accuracy, and what it took.

    Attributes:
        tokens: output tokens per task.
        accuracy: share of tasks solved, between 0 and 1.
        minutes: minutes per task; None if not published.
        samples: attempts per task; None if not published.
        usd: dollars per task; None if not published.
    """

    tokens: float
    accuracy: float
    minutes: float | None = None
    samples: int | None = None
    usd: float | None = None

    def __post_init__(self) -> None:
        above_zero(self.tokens, "the tokens of a point")
        share(self.accuracy, "the accuracy of a point")


LOW = Point(330_000, 0.757, 1.3, 6, 20.12)
"""o3 at low compute: 33 million tokens and $2,012 for 100 tasks."""

HIGH = Point(57_000_000, 0.875, 13.8, 1024)
"""o3 at high compute: 5.7 billion tokens for 100 tasks; its price was not published."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One curve through two points.

    Attributes:
        name: its shape.
        slope: of the transformed accuracy, per decade of tokens.
        offset: of the transformed accuracy, at one token.
        transform: accuracy to the scale on which the curve is straight.
        back: and back.
        plateau: the accuracy it cannot pass.
    """

    name: str
    slope: float
    offset: float
    transform: Callable[[float], float]
    back: Callable[[float], float]
    plateau: float

    def accuracy(self, tokens: float) -> float:
        """Accuracy at so many tokens per task; never above the plateau, nor below 0."""
        value = self.offset + self.slope * math.log10(above_zero(tokens, "the tokens"))
        return min(max(self.back(min(max(value, -_FAR), _FAR)), 0.0), self.plateau)

    def tokens(self, accuracy: float) -> float:
        """Tokens per task for an accuracy; infinity at the plateau, and above 1e300."""
        if accuracy >= self.plateau or self.slope == 0:
            return math.inf
        decades = (self.transform(accuracy) - self.offset) / self.slope
        return math.inf if decades > _FAR else float(10**decades)


def points_per_decade(low: Point = LOW, high: Point = HIGH) -> float:
    """Percentage points of accuracy for each ten times of tokens."""
    _ordered(low, high)
    return 100 * (high.accuracy - low.accuracy) / math.log10(high.tokens / low.tokens)


def readings(low: Point = LOW, high: Point = HIGH, plateau: float = 1.0) -> tuple[Reading, ...]:
    """Three curves through two points: straight, power law of the error, log-odds.

    Args:
        low: the point with fewer tokens.
        high: the point with more tokens and a higher accuracy.
        plateau: accuracy that no amount of thinking passes, above that of the high point and at most 1.

    Raises:
        BadInput: if the points are not in order, or the plateau does not lie above them.
    """
    _ordered(low, high)
    if not high.accuracy < plateau <= 1:
        raise BadInput(f"the plateau must lie above {high.accuracy} (measured) and at most at 1, not {plateau!r}")
    shapes: tuple[tuple[str, Callable[[float], float], Callable[[float], float]], ...] = (
        ("straight line", lambda accuracy: accuracy, lambda value: value),
        (
            "power law of the error",
            lambda accuracy: -math.log10(plateau - accuracy),
            lambda value: plateau - 10**-value,
        ),
        (
            "line in the log-odds",
            lambda accuracy: math.log(accuracy / (plateau - accuracy)),
            lambda value: plateau / (1 + math.exp(-value)),
        ),
    )
    return tuple(_through(low, high, name, transform, back, plateau) for name, transform, back in shapes)


def tokens_for(
    accuracy: float, low: Point = LOW, high: Point = HIGH, *, plateau: float = 1.0, extrapolate: bool = False
) -> dict[str, float]:
    """Tokens per task that an accuracy takes, by each reading.

    Args:
        accuracy: what is wanted, between 0 and 1.
        low: the point with fewer tokens.
        high: the point with more tokens.
        plateau: accuracy that no amount of thinking passes.
        extrapolate: answer also more than twice beyond the points.

    Raises:
        BadInput: if the accuracy is at or above the plateau, or needs more than twice the tokens of the high point
            (or less than half those of the low one) by any reading and extrapolation was not asked for.
    """
    curves = readings(low, high, plateau)
    share(accuracy)
    if not accuracy < plateau:
        raise BadInput(f"an accuracy of {accuracy:g} is not below the plateau of {plateau:g}: no thinking reaches it")
    found = {curve.name: curve.tokens(accuracy) for curve in curves}
    if not (extrapolate or all(_within(tokens, low, high) for tokens in found.values())):
        raise BadInput(
            f"an accuracy of {accuracy:g} lies beyond what was measured ({_span(low, high)}): it takes "
            f"{min(found.values()):.2g} to {max(found.values()):.2g} by the curve assumed; extrapolate to see them"
        )
    return found


def accuracy_at(
    tokens: float, low: Point = LOW, high: Point = HIGH, *, plateau: float = 1.0, extrapolate: bool = False
) -> dict[str, float]:
    """Accuracy at so many tokens per task, by each reading.

    Args:
        tokens: output tokens per task.
        low: the point with fewer tokens.
        high: the point with more tokens.
        plateau: accuracy that no amount of thinking passes.
        extrapolate: answer also more than twice beyond the points.

    Raises:
        BadInput: if the tokens lie more than twice beyond the points and extrapolation was not asked for.
    """
    if not (extrapolate or _within(above_zero(tokens, "the tokens"), low, high)):
        raise BadInput(
            f"{tokens:.3g} tokens lie beyond what was measured ({_span(low, high)}): extrapolate to see them"
        )
    return {curve.name: curve.accuracy(tokens) for curve in readings(low, high, plateau)}


def _within(tokens: float, low: Point, high: Point) -> bool:
    return low.tokens / _BEYOND <= tokens <= _BEYOND * high.tokens


def _span(low: Point, high: Point) -> str:
    return f"{low.tokens:.3g} to {high.tokens:.3g} tokens"


def _ordered(low: Point, high: Point) -> None:
    if not (low.tokens < high.tokens and low.accuracy < high.accuracy):
        raise BadInput("the high point must have more tokens and a higher accuracy than the low one")


def _through(
    low: Point,
    high: Point,
    name: str,
    transform: Callable[[float], float],
    back: Callable[[float], float],
    plateau: float,
) -> Reading:
    first, second = math.log10(low.tokens), math.log10(high.tokens)
    slope = (transform(high.accuracy) - transform(low.accuracy)) / (second - first)
    return Reading(name, slope, transform(low.accuracy) - slope * first, transform, back, plateau)


LAW = Law(
    name="o3",
    summary="172 times the tokens took o3 from 75.7 to 87.5 % on ARC-AGI-1: 5.3 points for each ten times.",
    formula=(
        "points per decade = 100 (high - low) / log10(tokens high / tokens low)",
        "readings: accuracy, log10(plateau - accuracy) or log(accuracy / (plateau - accuracy)), linear in "
        "log10(tokens)",
    ),
    units=(
        "tokens: output tokens per task",
        "accuracy: 0 to 1",
        "plateau: what no thinking passes; 1 unless one is given",
    ),
    constants=(
        Constant("tokens", LOW.tokens, "tokens/task", set="low"),
        Constant("accuracy", LOW.accuracy, set="low"),
        Constant("time", 1.3, "minutes/task", set="low"),
        Constant("samples", 6, "samples/task", set="low"),
        Constant("price", 20.12, "$/task", set="low"),
        Constant("tokens", HIGH.tokens, "tokens/task", set="high"),
        Constant("accuracy", HIGH.accuracy, set="high"),
        Constant("time", 13.8, "minutes/task", set="high"),
        Constant("samples", 1024, "samples/task", set="high"),
    ),
    domain="100 semi-private tasks of ARC-AGI-1, December 2024; between the two points. One standard error of an "
    "accuracy on 100 tasks is 3 to 4 points.",
    sources=(
        Source(
            "ARC Prize Foundation 2024, OpenAI o3 Breakthrough High Score on ARC-AGI-Pub",
            "table of results",
            "https://arcprize.org/blog/oai-o3-pub-breakthrough",
        ),
    ),
    notes=(
        "The extra tokens were almost all more samples: 1,024 / 6 = 171 times the samples, 55 thousand tokens each in "
        "both.",
        "Checked in November 2026 against the page: scores, samples, tokens, minutes, and that high's price is not "
        "given.",
        "Every curve flattens. Two points cannot say where, so beyond twice the measured tokens an answer is refused "
        "unless asked for, and then is the spread of three readings.",
    ),
)
