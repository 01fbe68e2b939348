"""What to record next: where further attempts, or further questions, would narrow the intervals most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thinkcap.policies.curves.arm import ArmCurve
from thinkcap.policies.curves.counts import Counts
from thinkcap.policies.curves.quadrature import Array
from thinkcap.policies.rules import leader_probability

__all__ = ["Advice", "advise"]

_NAMED = 5
_NARROW = 0.01


@dataclass(frozen=True, slots=True)
class Advice:
    """Where the recording is thinnest, for one arm.

    Attributes:
        arm: its label.
        half_width: of the 95 % interval of its accuracy (of its votes' plateau, where votes have a meaning).
        by_questions: share of that which comes from having so few questions; the rest from so few attempts at each.
        questions: those at which further attempts say most, the first most of all.
        text: the same as a sentence.
    """

    arm: str
    half_width: float
    by_questions: float
    questions: tuple[str, ...]
    text: str


def advise(counts: Counts, curves: tuple[ArmCurve, ...]) -> tuple[Advice, ...]:
    """One piece of advice an arm, the widest interval first."""
    found = [_for_arm(counts, place, curve) for place, curve in enumerate(curves)]
    return tuple(sorted(found, key=lambda advice: -advice.half_width))


def _for_arm(counts: Counts, arm: int, curve: ArmCurve) -> Advice:
    interval = curve.limit("vote") if curve.votes else curve.interval("verified", 1)
    half_width = (interval.high - interval.low) / 2
    unsure = _unsure(counts, arm, curve)
    asked = counts.made[arm] > 0
    settled = max(interval.mean * (1 - interval.mean), 1e-9)
    by_questions = float(1 - min(unsure[asked].mean() / settled, 1.0))
    order = [int(place) for place in np.argsort(-unsure, kind="stable")[:_NAMED] if unsure[place] > 0.01]
    names = tuple(counts.questions[place] for place in order)
    return Advice(
        curve.arm.label, half_width, by_questions, names, _say(curve, half_width, by_questions, int(asked.sum()), names)
    )


def _unsure(counts: Counts, arm: int, curve: ArmCurve) -> Array:
    """The variance of what is asked of each question, given its attempts.  (questions,)"""
    made = counts.made[arm]
    if curve.votes:
        pairs = zip(counts.right_votes[arm].tolist(), counts.top[arm].tolist(), strict=True)
        ahead = np.array([leader_probability(right, wrong) for right, wrong in pairs])
        return np.where((made > 0) & counts.votes, ahead * (1 - ahead), 0)
    size = curve.rightness.a + curve.rightness.b
    mean = (counts.right[arm] + curve.rightness.a) / (made + size)
    return np.where(made > 0, mean * (1 - mean) / (made + size + 1), 0)


def _say(curve: ArmCurve, half_width: float, by_questions: float, asked: int, names: tuple[str, ...]) -> str:
    what = "plateau of votes" if curve.votes else "accuracy of one attempt"
    text = f"{curve.arm.label}: its {what} is known to +-{100 * half_width:.1f} points"
    if half_width <= _NARROW:
        return f"{text}, which is narrow"
    if by_questions >= 0.5 or not names:
        return f"{text}, for want of questions: {4 * asked:,} instead of {asked:,} would halve that"
    return f"{text}, for want of attempts: most of all at {', '.join(names)}"
