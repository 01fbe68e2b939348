"""What a provider would bill: one line a request, in tokens and, given prices, in nano-dollars."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, TypeAlias

__all__ = ["Bill", "Book", "Ending", "Rates"]

Ending: TypeAlias = Literal["itself", "cut", "left", "failed"]
"""How a billed call ended: by itself, cut at its output cap, left by its client, or in an answer that failed."""

Dollars: TypeAlias = "str | int | float | Fraction"


@dataclass(frozen=True, slots=True)
class Bill:
    """What one request costs, in tokens: all choices together, reasoning included in output, cached in input.

    Two bills are equal if they cost the same: how the call ended is not compared.
    """

    path: str
    model: str
    input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cached_tokens: int
    cache_write_tokens: int = 0
    service_tier: str | None = None
    ended: Ending = field(default="itself", compare=False)
    number: int = field(default=0, compare=False)  # of the request, in the order of arrival, from 1
    choices: int = field(default=1, compare=False)
    cap: int | None = field(default=None, compare=False)  # output tokens of one choice that the request allowed

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    @property
    def above_cap(self) -> int:
        """Output tokens billed although the request's cap forbade them: the provider's fault, not the caller's."""
        return 0 if self.cap is None else max(0, self.output_tokens - self.cap * self.choices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The prices of one model, in dollars a million tokens; a float is read by its shortest decimal.

    Attributes:
        input: of input that was neither read from the cache nor written to it.
        output: of output, hidden reasoning included.
        cached: of input read from the cache; None: as input.
        cache_write: of input written to the cache; None: as input.
        long_above: input tokens above which the whole request is billed at the long rates; None: never.
        long_input: as input, of a long request; cached input keeps its share of it.
        long_output: as output, of a long request.
        tiers: by service tier, what all rates are multiplied with.
    """

    input: Dollars
    output: Dollars
    cached: Dollars | None = None
    cache_write: Dollars | None = None
    long_above: int | None = None
    long_input: Dollars | None = None
    long_output: Dollars | None = None
    tiers: Mapping[str, Dollars] = field(default_factory=dict)

    def nusd(self, bill: Bill) -> int:
        """What a bill comes to in nano-dollars, rounded up."""
        plain, written = _exact(self.input), _exact(self.output)
        cached = plain if self.cached is None else _exact(self.cached)
        cache_write = plain if self.cache_write is None else _exact(self.cache_write)
        stretched = Fraction(1)
        if self.long_above is not None and bill.input_tokens > self.long_above:
            stretched = (plain if self.long_input is None else _exact(self.long_input)) / plain
            written = written if self.long_output is None else _exact(self.long_output)
        rest = bill.input_tokens - bill.cached_tokens - bill.cache_write_tokens
        read = rest * plain + bill.cached_tokens * cached + bill.cache_write_tokens * cache_write
        times = _exact(self.tiers.get(bill.service_tier or "", 1))
        return math.ceil((read * stretched + bill.output_tokens * written) * times * 1000)


def _exact(amount: Dollars) -> Fraction:
    return Fraction(str(amount)) if isinstance(amount, float) else Fraction(amount)


class Book:
    """All that was billed, in the order in which it was booked.

    Args:
        rates: by model, its prices; a model without any can be billed in tokens only.
    """

    def __init__(self, rates: Mapping[str, Rates] | None = None) -> None:
        self.bills: list[Bill] = []
        self.rates = dict(rates or {})
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Bill]:
        return iter(self.bills)

    def __len__(self) -> int:
        return len(self.bills)

    def enter(self, bill: Bill) -> int:
        """Book a bill; returns its place, for :meth:`correct`."""
        with self._lock:
            self.bills.append(bill)
            return len(self.bills) - 1

    def correct(self, place: int, bill: Bill) -> None:
        """Put another bill in a place: of a stream that was left before all of it was generated."""
        with self._lock:
            self.bills[place] = bill

    def ended(self, *endings: Ending) -> list[Bill]:
        """The bills of calls that ended in one of these ways; all, if none is named."""
        return [bill for bill in self.bills if not endings or bill.ended in endings]

    def tokens(self, *endings: Ending) -> int:
        """Input and output tokens of those calls."""
        return sum(bill.tokens for bill in self.ended(*endings))

    def nusd(self, *endings: Ending) -> int:
        """Nano-dollars of those calls.

        Raises:
            ValueError: if a billed model has no price: unknown is never free.
        """
        return sum(self.price(bill) for bill in self.ended(*endings))

    def price(self, bill: Bill) -> int:
        """Nano-dollars of one bill.

        Raises:
            ValueError: if its model has no price.
        """
        if bill.model not in self.rates:
            raise ValueError(f"the oracle has no price for {bill.model!r}: pass rates={{{bill.model!r}: Rates(...)}}")
        return self.rates[bill.model].nusd(bill)
