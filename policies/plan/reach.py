"""What it takes an option to reach an accuracy: only what was measured, and mixtures of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from thinkcap.policies.laws.units import share
from thinkcap.policies.plan.option import Option, Step

__all__ = ["Effort", "interval", "reach"]

_Z = 1.96  # 95 % of a normal distribution


@dataclass(frozen=True, slots=True)
class Effort:
    """What one question takes on average to reach an accuracy.

    Attributes:
        work: in the option's unit.
        seconds: the longest a question takes; None where it is not known.
        mix: the measured steps that are mixed, one or two.
        dearer: share of questions answered by the second of them.
    """

    work: float
    seconds: float | None
    mix: tuple[Step, ...]
    dearer: float = 0.0


def reach(option: Option, accuracy: float, *, max_seconds: float | None = None, errors: float = 0.0) -> Effort | None:
    """The cheapest effort that reaches an accuracy, or None where none that was measured does.

    Between two steps some questions are answered at one and the rest at the other: what that costs and scores is
    known, where a curve between them would be assumed.

    Args:
        option: a way to answer.
        accuracy: what is wanted, between 0 and 1.
        max_seconds: the longest a question may take; steps known to take longer are left out.
        errors: by how many standard errors each step is taken to be better (or, below 0, worse) than measured;
            steps of unknown error stay as they are.
    """
    share(accuracy)
    steps = [
        replace(step, accuracy=min(max(step.accuracy + errors * (step.error or 0.0), 1e-9), 1 - 1e-9))
        for step in option.steps
        if max_seconds is None or step.seconds is None or step.seconds <= max_seconds
    ]
    corners = _hull(steps)
    if not corners or accuracy > corners[-1].accuracy:
        return None
    if accuracy <= corners[0].accuracy:
        return Effort(corners[0].work, corners[0].seconds, (corners[0],))
    low, high = next(pair for pair in pairwise(corners) if accuracy <= pair[1].accuracy)
    dearer = (accuracy - low.accuracy) / (high.accuracy - low.accuracy)
    if dearer == 1:
        return Effort(high.work, high.seconds, (high,))
    seconds = None if low.seconds is None or high.seconds is None else max(low.seconds, high.seconds)
    return Effort(low.work + dearer * (high.work - low.work), seconds, (low, high), dearer)


def interval(option: Option, accuracy: float, *, max_seconds: float | None = None) -> tuple[float | None, float | None]:
    """Work with every step 1.96 standard errors better, and worse, than measured; None where it is then not reached."""
    better, worse = (reach(option, accuracy, max_seconds=max_seconds, errors=sign * _Z) for sign in (1, -1))
    return (None if better is None else better.work), (None if worse is None else worse.work)


def _hull(steps: Sequence[Step]) -> list[Step]:
    """The upper concave hull: the steps no mixture of others beats, by rising work and accuracy."""
    corners: list[Step] = []
    for step in sorted(steps, key=lambda step: (step.work, -step.accuracy)):
        if corners and step.accuracy <= corners[-1].accuracy:
            continue
        while len(corners) > 1 and _slope(corners[-2], corners[-1]) <= _slope(corners[-1], step):
            corners.pop()
        corners.append(step)
    return corners


def _slope(low: Step, high: Step) -> float:
    return (high.accuracy - low.accuracy) / (high.work - low.work)
