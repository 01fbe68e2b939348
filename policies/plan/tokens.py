"""Points whose work is tokens, and the two ways to pay for tokens: by the token, and by the hour of hardware."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from thinkcap.policies.laws.units import above_zero, read_duration
from thinkcap.policies.plan.option import Option, Step

__all__ = ["MONTH_S", "Hardware", "Paid", "Rates", "TokenStep", "tokens_option"]

MONTH_S = read_duration("1 month")
"""Seconds in a month: a twelfth of 365.25 days."""

_HOUR_S = 3_600.0


@dataclass(frozen=True, slots=True)
class TokenStep:
    """One measured point: an accuracy and the tokens it took.

    Attributes:
        output_tokens: tokens one question takes to write, hidden reasoning and all attempts included.
        accuracy: share of questions answered right, 0 to 1.
        input_tokens: tokens it takes to read, over all attempts; 0 where prompts are not counted.
        seconds, questions, low, high, name: as :class:`Step` has them.
    """

    output_tokens: float
    accuracy: float
    input_tokens: float = 0.0
    seconds: float | None = None
    questions: int | None = None
    low: float | None = None
    high: float | None = None
    name: str = ""


class Paid(Protocol):
    """How tokens are paid."""

    @property
    def usd_per_work(self) -> float:
        """Dollars for one unit of work."""
        ...

    @property
    def least_usd(self) -> float:
        """Dollars a month that are paid even where nothing is asked."""
        ...

    def work(self, input_tokens: float, output_tokens: float) -> float:
        """The work of so many tokens."""
        ...


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices by the token: dollars = (read x input + written x output) / 1e6. Work is dollars.

    Attributes:
        input_usd_per_million: dollars per million tokens read.
        output_usd_per_million: dollars per million tokens written.
    """

    input_usd_per_million: float
    output_usd_per_million: float

    def __post_init__(self) -> None:
        above_zero(self.input_usd_per_million, "the input price")
        above_zero(self.output_usd_per_million, "the output price")

    @property
    def usd_per_work(self) -> float:
        """Work is dollars."""
        return 1.0

    @property
    def least_usd(self) -> float:
        """Nothing is paid where nothing is asked."""
        return 0.0

    def work(self, input_tokens: float, output_tokens: float) -> float:
        """Dollars of so many tokens."""
        return (input_tokens * self.input_usd_per_million + output_tokens * self.output_usd_per_million) / 1e6


@dataclass(frozen=True, slots=True)
class Hardware:
    """Hardware by the hour. Work is seconds of one set of it: read / prefill speed + written / writing speed.

    One set is always on; what is asked beyond its capacity is paid as more sets, by the part that is used.

    Attributes:
        gpu_usd_per_hour: dollars per GPU and hour.
        tokens_per_s: tokens a second that one set writes, over all requests in flight.
        gpus: GPUs of one set.
        prefill_tokens_per_s: tokens a second that it reads; None reads as slowly as it writes.
        utilisation: share of its hours in which there is work for it, since demand has peaks; above 0, at most 1.
    """

    gpu_usd_per_hour: float
    tokens_per_s: float
    gpus: float = 1.0
    prefill_tokens_per_s: float | None = None
    utilisation: float = 1.0

    def __post_init__(self) -> None:
        above_zero(self.gpu_usd_per_hour, "the price of a GPU hour")
        above_zero(self.gpus, "the number of GPUs")
        above_zero(self.tokens_per_s, "the tokens a second")
        above_zero(self.prefill_tokens_per_s or self.tokens_per_s, "the tokens a second of the prefill")
        above_zero(self.utilisation, "the utilisation")

    @property
    def usd_per_work(self) -> float:
        """Dollars for one busy second of one set; the idle ones that come with it are paid too."""
        return self.gpu_usd_per_hour * self.gpus / _HOUR_S / self.utilisation

    @property
    def least_usd(self) -> float:
        """Dollars of a month of one set."""
        return self.gpu_usd_per_hour * self.gpus / _HOUR_S * MONTH_S

    def work(self, input_tokens: float, output_tokens: float) -> float:
        """Seconds of one set that so many tokens take."""
        return input_tokens / (self.prefill_tokens_per_s or self.tokens_per_s) + output_tokens / self.tokens_per_s


def tokens_option(
    name: str,
    steps: Sequence[TokenStep],
    paid: Paid,
    *,
    request_tokens_per_s: float | None = None,
    fixed_usd: float = 0.0,
    fitted: bool = False,
    evidence: str = "",
    notes: tuple[str, ...] = (),
) -> Option:
    """An option whose points are tokens.

    Args:
        name: what it is called.
        steps: its measured points, at least one.
        paid: by the token, or by the hour.
        request_tokens_per_s: tokens a second that one request writes. Then a question takes as long as its output, one
            token and one attempt after another; without it, the seconds of the points count.
        fixed_usd: dollars a month on top, such as the training paid off.
        fitted, evidence, notes: as :class:`Option` has them.
    """
    if request_tokens_per_s is not None:
        above_zero(request_tokens_per_s, "the tokens a second of one request")
    return Option(
        name,
        tuple(
            Step(
                paid.work(step.input_tokens, step.output_tokens),
                step.accuracy,
                step.seconds if request_tokens_per_s is None else step.output_tokens / request_tokens_per_s,
                step.questions,
                step.low,
                step.high,
                step.name,
            )
            for step in steps
        ),
        paid.usd_per_work,
        fixed_usd,
        paid.least_usd,
        fitted,
        evidence,
        notes,
    )
