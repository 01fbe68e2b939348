"""A way to answer: what was measured of it, and what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from thinkcap.policies.errors import BadInput
from thinkcap.policies.laws.units import above_zero

__all__ = ["End", "Option", "Step"]

End = Literal["low", "high"]
"""An end of a 95 % interval."""

_Z = 1.96  # 95 % of a normal distribution


@dataclass(frozen=True, slots=True)
class Step:
    """One measured point of an option: an accuracy and what it took.

    Attributes:
        work: what one question takes, as the option counts: in dollars, or in seconds of its hardware.
        accuracy: share of questions answered right, 0 to 1.
        seconds: what one question takes in time; None where it is not known.
        questions: how many questions the accuracy was measured on; None where it is not known.
        low, high: 95 % interval of the accuracy; None where it follows from the questions, or is not known.
        name: what it is, such as an effort or a policy in words; "" for none.
    """

    work: float
    accuracy: float
    seconds: float | None = None
    questions: int | None = None
    low: float | None = None
    high: float | None = None
    name: str = ""

    def __post_init__(self) -> None:
        above_zero(self.work, "what a question takes")
        for value in (self.accuracy, self.low, self.high):
            if value is not None and not 0 <= value <= 1:
                raise BadInput(f"the accuracy of a point must lie between 0 and 1, not {value!r}")
        for number, what in ((self.seconds, "the seconds of a point"), (self.questions, "the questions of a point")):
            if number is not None:
                above_zero(number, what)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """95 % interval of the accuracy: as given, else Wilson's (1927) for so many questions; None where unknown."""
        if self.low is not None and self.high is not None:
            return self.low, self.high
        if self.questions is None:
            return None
        n, p, square = self.questions, self.accuracy, _Z**2
        middle = p + square / (2 * n)
        reach = _Z * math.sqrt(p * (1 - p) / n + square / (4 * n**2))
        return max((middle - reach) / (1 + square / n), 0.0), min((middle + reach) / (1 + square / n), 1.0)

    def at(self, end: End) -> Step:
        """The same with its accuracy at an end of the interval; itself where that is not known."""
        if self.bounds is None:
            return self
        return replace(self, accuracy=self.bounds[0] if end == "low" else self.bounds[1])


@dataclass(frozen=True, slots=True)
class Option:
    """A way to answer.

    Attributes:
        name: what it is called.
        steps: its measured points, at least one.
        usd_per_work: dollars for one unit of work: 1 where work is counted in dollars.
        fixed_usd: dollars a month whatever is asked, on top.
        least_usd: dollars a month that are paid for work even where less is asked: machines that are always on.
        fitted: its points are the policies of a fitted curve, so its best accuracy is that curve's asymptote.
        evidence: what its accuracies were measured on; "" for its own. Options of the same evidence err together.
        notes: what to know of it, a line each.
    """

    name: str
    steps: tuple[Step, ...]
    usd_per_work: float = 1.0
    fixed_usd: float = 0.0
    least_usd: float = 0.0
    fitted: bool = False
    evidence: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.steps:
            raise BadInput(f"option {self.name!r} has no points: give at least one")
        above_zero(self.usd_per_work, f"the price of {self.name!r}")
        for value in (self.fixed_usd, self.least_usd):
            if not 0 <= value < math.inf:
                raise BadInput(f"dollars a month of {self.name!r} must be a number of at least 0, not {value!r}")

    @property
    def best(self) -> Step:
        """The point of the highest accuracy."""
        return max(self.steps, key=lambda step: step.accuracy)

    @property
    def known(self) -> bool:
        """The interval of some point is known."""
        return any(step.bounds is not None for step in self.steps)

    def at_price(self, factor: float) -> Option:
        """The same with the price of its work, always-on machines included, multiplied; fixed dollars stay."""
        return replace(self, usd_per_work=factor * self.usd_per_work, least_usd=factor * self.least_usd)

    def at(self, end: End) -> Option:
        """The same with every point at an end of its interval."""
        return replace(self, steps=tuple(step.at(end) for step in self.steps))
