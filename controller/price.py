"""What one token costs, and the arithmetic between tokens and money.

Rates are integers of **pico-dollars per token** (a trillionth of a dollar): $0.25 per million tokens is
250,000 of them, so no rate in use is rounded. Amounts leave this module as nano-dollars, rounded up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from thinkcap.policies.errors import BadInput
from thinkcap.policies.money import Dollars
from thinkcap.policies.values import Usage

__all__ = ["MOST_TOKENS", "OVERRIDE", "Price", "Tier", "dearest", "pico_per_token", "read_price"]

MOST_TOKENS = 2**31 - 1
"""The largest output cap ever named: what is affordable where output costs nothing."""

OVERRIDE = "override"
"""The source of a price that the caller gave."""

_PICO_PER_NANO = 1_000
_DEAREST_PER_MTOK = Decimal(1_000_000)  # a dollar a token: above it, somebody mixed up the units
PICO_PER_MTOK_DOLLAR = 1_000_000


def pico_per_token(per_mtok: Dollars, what: str = "the price") -> int:
    """Read dollars per million tokens as pico-dollars per token; anything finer is rounded up.

    A float is read by its shortest decimal. Zero is a price (a model of one's own); unknown is not zero.

    Raises:
        BadInput: for a bool, text that is no number, NaN, infinity, a negative or an absurd amount.
    """
    if isinstance(per_mtok, bool) or not isinstance(per_mtok, (int, float, str, Decimal)):
        raise BadInput(f"{what} must be dollars per million tokens such as 0.25, not {per_mtok!r}")
    try:
        dollars = Decimal(repr(per_mtok)) if isinstance(per_mtok, float) else Decimal(per_mtok)
    except InvalidOperation:
        raise BadInput(f"{what} must be dollars per million tokens such as 0.25, not {per_mtok!r}") from None
    if not dollars.is_finite() or dollars < 0:
        raise BadInput(f"{what} must be zero or more dollars per million tokens, not {per_mtok!r}")
    if dollars > _DEAREST_PER_MTOK:
        raise BadInput(f"{what} must be at most {_DEAREST_PER_MTOK:,} dollars per million tokens, not {per_mtok!r}")
    if 0 < dollars * PICO_PER_MTOK_DOLLAR < 1:
        return 1
    return math.ceil(Fraction(dollars) * PICO_PER_MTOK_DOLLAR)


@dataclass(frozen=True, slots=True)
class Tier:
    """The rates of **all** tokens of a request once its prompt is longer than ``start`` tokens.

    Attributes:
        start: the longest prompt, in tokens, that still pays the rates below this tier.
        input, output, cache_read, cache_write: pico-dollars per token, as in :class:`Price`.
        dearest_input: the most that one token of the prompt can cost, in pico-dollars (computed).
    """

    start: int
    input: int
    output: int
    cache_read: int
    cache_write: int
    dearest_input: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "dearest_input", max(self.input, self.cache_read, self.cache_write))


@dataclass(frozen=True, slots=True)
class Price:
    """What the tokens of one model cost. All rates are pico-dollars per token.

    Attributes:
        input: a token of the prompt.
        output: a generated token, hidden reasoning included.
        cache_read: a prompt token read from the provider's cache.
        cache_write: a prompt token written to it.
        tiers: dearer (or cheaper) rates for long prompts, by rising ``start``.
        model: the model's name in the table it was found in.
        provider: whose list it is; "" for a price of the caller's own.
        source: where it comes from, with its version: ``"genai-prices 0.2.3"`` or ``"override"``.
        date: the day for which it was looked up, as an ISO date (UTC); "" if it holds on any day.
        assumed: the host is unknown, and this is the list price of the model's maker.
        base: the rates below every tier (computed).
        label: where it comes from, with its date, as it is kept beside what it priced (computed).
    """

    input: int
    output: int
    cache_read: int
    cache_write: int
    tiers: tuple[Tier, ...] = ()
    model: str = ""
    provider: str = ""
    source: str = OVERRIDE
    date: str = ""
    assumed: bool = False
    base: Tier = field(init=False, repr=False, compare=False)
    label: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        base = Tier(0, self.input, self.output, self.cache_read, self.cache_write)
        object.__setattr__(self, "base", base)
        assumed = ", assumed" if self.assumed else ""
        object.__setattr__(self, "label", f"{self.source} of {self.date}{assumed}" if self.date else self.source)
        starts = [tier.start for tier in self.tiers]
        if starts != sorted(set(starts)) or (starts and starts[0] < 0):
            raise BadInput(f"the tiers of a price must have rising starts from 0, not {starts}")
        for rates in (self.base, *self.tiers):
            if min(rates.input, rates.output, rates.cache_read, rates.cache_write) < 0:
                raise BadInput("a price's rates must be zero or more pico-dollars per token")

    @classmethod
    def per_mtok(
        cls,
        *,
        input: Dollars,  # noqa: A002 - the word of every price list
        output: Dollars,
        cache_read: Dollars | None = None,
        cache_write: Dollars | None = None,
    ) -> Price:
        """A price in dollars per million tokens, as price lists give it: ``Price.per_mtok(input="0.25", output="2")``.

        Cached and cache-written tokens cost what ``input`` costs unless given.

        Raises:
            BadInput: for anything that is no amount of dollars of zero or more.
        """
        plain = pico_per_token(input, "the input price")
        return cls(
            input=plain,
            output=pico_per_token(output, "the output price"),
            cache_read=plain if cache_read is None else pico_per_token(cache_read, "the cache-read price"),
            cache_write=plain if cache_write is None else pico_per_token(cache_write, "the cache-write price"),
        )

    @property
    def usd_per_mtok(self) -> tuple[float, float]:
        """Dollars that a million input tokens and a million output tokens cost, of prompts of any usual length."""
        return self.input / PICO_PER_MTOK_DOLLAR, self.output / PICO_PER_MTOK_DOLLAR

    def rates(self, input_tokens: int) -> Tier:
        """The rates of a request whose prompt has exactly so many tokens."""
        for tier in reversed(self.tiers):
            if input_tokens > tier.start:
                return tier
        return self.base

    def worst(self, *, input_tokens: int, output_tokens: int, n: int = 1) -> int:
        """The most one call can cost, in nano-dollars, rounded up.

        Args:
            input_tokens: an upper bound on the tokens of the prompt (paid once, whatever ``n`` is).
            output_tokens: the cap on the output of one choice, hidden reasoning included.
            n: choices asked for in the one call.
        """
        reach = self._within_reach(input_tokens) if self.tiers else self.base
        return -(-(input_tokens * reach.dearest_input + output_tokens * n * reach.output) // _PICO_PER_NANO)

    def affordable_output(self, free_nusd: int, *, input_tokens: int, n: int = 1) -> int:
        """The largest output cap whose worst case fits into the free money; the exact inverse of :meth:`worst`.

        Args:
            free_nusd: nano-dollars that may be reserved.
            input_tokens: an upper bound on the tokens of the prompt.
            n: choices asked for in the one call, each with the cap.

        Returns:
            Tokens from 0 (not even the prompt fits, or nothing beyond it) to :data:`MOST_TOKENS`.
        """
        reach = self._within_reach(input_tokens)
        left = free_nusd * _PICO_PER_NANO - input_tokens * reach.dearest_input
        if left < 0:
            return 0
        each = n * reach.output
        return MOST_TOKENS if each == 0 else min(MOST_TOKENS, left // each)

    def cost(self, usage: Usage) -> int:
        """What these tokens cost, in nano-dollars, rounded up.

        Cached and cache-written tokens are parts of the input. A report that cannot be meant is read as the
        dearer of what it could mean: a negative count as none; cached and written tokens that exceed the input
        as tokens *beside* it; reasoning that exceeds the output as tokens *beside* that.
        """
        plain, read, written = _prompt_parts(usage)
        rates = self.rates(plain + read + written)
        prompt = plain * rates.input + read * rates.cache_read + written * rates.cache_write
        return -(-(prompt + _output_tokens(usage) * rates.output) // _PICO_PER_NANO)

    def _within_reach(self, input_tokens: int) -> Tier:
        """The dearest rates that a prompt of at most so many tokens can come to pay."""
        reach = self.base
        for tier in self.tiers:
            if tier.start < input_tokens:
                reach = _dearer(reach, tier)
        return reach


def dearest(prices: Sequence[Price]) -> Price:
    """The price that is, rate by rate and at every prompt length, at least each of these.

    Its other fields are the first one's.
    """
    first = prices[0]
    starts = sorted({tier.start for price in prices for tier in price.tiers})
    base = _dearest_rates([price.base for price in prices], 0)
    return replace(
        first,
        input=base.input,
        output=base.output,
        cache_read=base.cache_read,
        cache_write=base.cache_write,
        tiers=tuple(_dearest_rates([price.rates(start + 1) for price in prices], start) for start in starts),
    )


def read_price(text: str) -> tuple[str, Price]:
    """Read ``MODEL=IN/OUT``, in dollars per million tokens, as a model's name and its price.

    Raises:
        BadInput: if the text has another form, or an amount is none.
    """
    model, equals, amounts = text.rpartition("=")
    dollars_in, slash, dollars_out = amounts.partition("/")
    if not (model.strip() and equals and slash):
        raise BadInput(
            f"a price is written MODEL=IN/OUT in dollars per million tokens (gpt-5-mini=0.25/2), not {text!r}"
        )
    return model.strip(), Price.per_mtok(input=dollars_in, output=dollars_out)


def _dearer(one: Tier, other: Tier) -> Tier:
    return _dearest_rates([one, other], other.start)


def _dearest_rates(rates: Sequence[Tier], start: int) -> Tier:
    return Tier(
        start,
        input=max(rate.input for rate in rates),
        output=max(rate.output for rate in rates),
        cache_read=max(rate.cache_read for rate in rates),
        cache_write=max(rate.cache_write for rate in rates),
    )


def _prompt_parts(usage: Usage) -> tuple[int, int, int]:
    """Prompt tokens that are plain, read from the cache, and written to it: no token twice."""
    total, read, written = usage.input_tokens, usage.cached_tokens or 0, usage.cache_write_tokens or 0
    if total < 0 or read < 0 or written < 0:
        total, read, written = max(0, total), max(0, read), max(0, written)
    if read + written > total:
        return total, read, written
    return total - read - written, read, written


def _output_tokens(usage: Usage) -> int:
    output, reasoning = max(0, usage.output_tokens), usage.reasoning_tokens or 0
    return output if reasoning <= output else output + reasoning
