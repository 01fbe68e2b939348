"""What a request can come to, and with which output caps it is content."""

from __future__ import annotations

from dataclasses import dataclass

from thinkcap.controller.ledger import Amount, Limits
from thinkcap.controller.price import MOST_TOKENS, Price
from thinkcap.policies.values import Api

__all__ = ["Demand", "Quote"]


@dataclass(slots=True)
class Quote:
    """What a request can come to.

    Nobody writes to it. It is not frozen because a frozen dataclass takes several times as long to fill, in every call.

    Attributes:
        model: the model asked for.
        api: which API it goes to.
        price: its rates.
        prompt: upper bound on the prompt, in tokens.
        n: choices asked for.
        asked: output cap the request names; None if it names none.
        key: identifies the prompt, and where it is sent, among those of this process.
        fees: nano-dollars that may be billed beside the tokens, as the caller bounds them.
        is_bounded: the caller's bound is part of it.
        is_whole: half an answer to it is none (see :func:`is_whole`).
    """

    model: str
    api: Api
    price: Price
    prompt: int
    n: int
    asked: int | None
    key: int
    fees: int = 0
    is_bounded: bool = False
    is_whole: bool = False

    def worst(self, cap: int) -> int:
        """The most the call can cost at this output cap, in nano-dollars."""
        return self.price.worst(input_tokens=self.prompt, output_tokens=cap, n=self.n) + self.fees

    def most(self, free: Limits) -> int:
        """The largest output cap that fits into what is free."""
        most = MOST_TOKENS
        if free.nusd is not None:
            most = self.price.affordable_output(free.nusd - self.fees, input_tokens=self.prompt, n=self.n)
        if free.output_tokens is not None:
            most = min(most, free.output_tokens // self.n)
        return 0 if free.calls == 0 else most


@dataclass(slots=True)
class Demand:
    """What a request is to be admitted with.

    Attributes:
        quote: what it can come to.
        wanted: the largest output cap it would take.
        exact: the smallest output cap it takes; None for one at which its answer is likely to finish.
    """

    quote: Quote
    wanted: int
    exact: int | None

    def amount(self, cap: int) -> Amount:
        """What is reserved at this output cap."""
        return Amount(self.quote.worst(cap), cap * self.quote.n, 1)
