"""A way to answer: what was measured of it, and what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from thinkcap.policies.errors import BadInput
from thinkcap.policies.laws.units import above_zero, read_duration, share

__all__ = ["MONTH_S", "Option", "Step", "hosted"]

MONTH_S = read_duration("1 month")
"""Seconds in a month: a twelfth of 365.25 days."""


@dataclass(frozen=True, slots=True)
class Step:
    """One measured point of an option: an accuracy and what it took.

    Attributes:
        work: what one question takes, in tokens or in dollars, as the option counts.
        accuracy: share of questions answered right, between 0 and 1.
        seconds: what one question takes in time; None where it is not known.
        questions: how many questions the accuracy was measured on; None where it is not known.
    """

    work: float
    accuracy: float
    seconds: float | None = None
    questions: int | None = None

    def __post_init__(self) -> None:
        above_zero(self.work, "what a question takes")
        share(self.accuracy)
        for value, what in ((self.seconds, "the seconds of a point"), (self.questions, "the questions of a point")):
            if value is not None:
                above_zero(value, what)

    @property
    def error(self) -> float | None:
        """Standard error of the accuracy: sqrt(p (1 - p) / n); None where n is not known."""
        if self.questions is None:
            return None
        return math.sqrt(self.accuracy * (1 - self.accuracy) / self.questions)


@dataclass(frozen=True, slots=True)
class Option:
    """A way to answer.

    Attributes:
        name: what it is called.
        steps: its measured points, at least one.
        usd_per_work: dollars for one unit of work: 1 where work is counted in dollars.
        fixed_usd: dollars a month whatever is asked, on top.
        least_usd: dollars a month that are paid for work even where less is asked: machines that are always on.
    """

    name: str
    steps: tuple[Step, ...]
    usd_per_work: float = 1.0
    fixed_usd: float = 0.0
    least_usd: float = 0.0

    def __post_init__(self) -> None:
        if not self.steps:
            raise BadInput(f"option {self.name!r} has no points: give at least one")
        above_zero(self.usd_per_work, f"the price of {self.name!r}")
        for value in (self.fixed_usd, self.least_usd):
            if not 0 <= value < math.inf:
                raise BadInput(f"dollars a month of {self.name!r} must be a number of at least 0, not {value!r}")


def hosted(
    name: str,
    steps: tuple[Step, ...],
    gpu_usd_per_hour: float,
    tokens_per_s: float,
    *,
    gpus: float = 1,
    fixed_usd: float = 0.0,
) -> Option:
    """An option on hardware of one's own, whose work is tokens.

    One set of GPUs is always on; what is asked beyond its capacity is paid as more sets, by the part that is used.

    Args:
        name: what it is called.
        steps: its measured points, work in tokens.
        gpu_usd_per_hour: dollars per GPU and hour.
        tokens_per_s: tokens a second of one set, over all requests in flight.
        gpus: GPUs of one set.
        fixed_usd: dollars a month on top, such as the training paid off.
    """
    hourly = above_zero(gpu_usd_per_hour, "the price of a GPU hour") * above_zero(gpus, "the number of GPUs")
    monthly = hourly * MONTH_S / read_duration("1 hour")
    capacity = above_zero(tokens_per_s, "the tokens a second") * MONTH_S
    return Option(name, steps, monthly / capacity, fixed_usd, monthly)
