"""The comparison as a picture, beside the published case it is a small copy of."""

from __future__ import annotations

from thinkcap.demo.compare import Comparison
from thinkcap.evals import Panel, Point, picture
from thinkcap.policies.curves import Curve
from thinkcap.policies.curves import Point as OnCurve
from thinkcap.policies.laws.o3 import HIGH, LOW

__all__ = ["draw"]

_CURVE = "the fitted curve, with its 95 % interval"


def draw(found: Comparison, curve: Curve) -> str:
    """Accuracy against cost, ours on the curve it was chosen from, and o3's, as the text of an SVG file."""
    points = []
    for name, side in found.sides.items():
        accuracy = side.interval
        points.append(Point(name, 1000 * float(side.usd.mean()), accuracy.mean, accuracy.low, accuracy.high))
    how = f"asked live, seed {found.seed}" if found.live else "the shipped recording, replayed"
    ours = Panel(
        f"{found.model}: what more thinking buys",
        "dollars per 1,000 questions (log)",
        points,
        note=f"{found.questions} questions, {how}; 95 % intervals",
        show_cost=_dollars,
        line=[_on_curve(point) for point in curve.points],
    )
    theirs = Panel(
        "o3 on ARC-AGI-1, as published",
        "tokens per task (log)",
        [Point("o3 low", LOW.tokens, LOW.accuracy), Point("o3 high", HIGH.tokens, HIGH.accuracy)],
        note="172 times the compute for 12 points (ARC Prize, 2024)",
        show_cost=_count,
    )
    return picture([ours, theirs])


def _on_curve(point: OnCurve) -> Point:
    right = point.expected.accuracy
    return Point(_CURVE, 1000 * point.expected.usd.mean, right.mean, right.low, right.high)


def _dollars(cost: float) -> str:
    return f"${cost:g}"


def _count(tokens: float) -> str:
    return f"{tokens / 1e6:g}M"
