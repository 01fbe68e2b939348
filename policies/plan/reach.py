"""What it takes an option to reach an accuracy: only what was measured, and mixtures of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from thinkcap.policies.hull import hull
from thinkcap.policies.laws.units import share
from thinkcap.policies.plan.option import Option, Step

__all__ = ["Effort", "reach"]


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


def reach(option: Option, accuracy: float, *, max_seconds: float | None = None) -> Effort | None:
    """The cheapest effort that reaches an accuracy, or None where none that was measured does.

    Between two steps some questions are answered at one and the rest at the other: what that costs and scores is
    known, where a curve between them would be assumed.

    Args:
        option: a way to answer.
        accuracy: what is wanted, between 0 and 1.
        max_seconds: the longest a question may take; steps known to take longer are left out.
    """
    share(accuracy)
    steps = [
        step for step in option.steps if max_seconds is None or step.seconds is None or step.seconds <= max_seconds
    ]
    corners = [steps[place] for place in hull([step.work for step in steps], [step.accuracy for step in steps])]
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
