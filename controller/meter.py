"""Charging one request: bounded, reserved, sent with a cap, settled. No SDK: bodies in, figures out.

The governed client asks :meth:`Meter.admit` before it sends and tells the returned :class:`Ticket` what came
back. Every path ends in exactly one of :meth:`Ticket.settle`, :meth:`Ticket.bounded` and :meth:`Ticket.release`.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import queue
import uuid
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self, cast

from thinkcap.controller.account import Account
from thinkcap.controller.bound import Bound
from thinkcap.controller.bounds import (
    PER_REQUEST,
    cached_encoding,
    check_sendable,
    choices,
    output_cap,
    plain_bound,
    prompt_bound,
)
from thinkcap.controller.events import Event, Teller
from thinkcap.controller.exceeding import Exceeded, OnExceeded, is_whole, smaller_cap
from thinkcap.controller.kept import id_of, is_running, tokens_of
from thinkcap.controller.ledger import Amount, Charge, Entry, Level, Purpose
from thinkcap.controller.ledger.machine import free_of_all, lineage
from thinkcap.controller.plain import plain
from thinkcap.controller.price import Price
from thinkcap.controller.pricing import PriceBook
from thinkcap.controller.quote import Demand, Quote
from thinkcap.controller.refusals import refuse_unbounded
from thinkcap.controller.seen import LEAST_OUTPUT_TOKENS, Seen
from thinkcap.controller.sharing import fair_share
from thinkcap.controller.ticket import Ticket, named
from thinkcap.controller.usage import read_usage
from thinkcap.controller.waiting import Needs, Place, line_of, stand
from thinkcap.policies.errors import CeilingReached, NotGoverned, UnknownPrice
from thinkcap.policies.money import show_usd
from thinkcap.policies.values import Api

if TYPE_CHECKING:
    from tiktoken import Encoding

__all__ = ["DEFAULT_OUTPUT_TOKENS", "Meter", "too_small"]

DEFAULT_OUTPUT_TOKENS = 4096
"""Output cap of a call that names none."""

_TRIES = 8


class Meter:
    """Charges the requests of one client to one account.

    Args:
        account: who pays.
        prices: what tokens cost.
        base_url: where the client sends, which decides whose prices hold.
        seen: what earlier calls taught.
        on_entry: told of each call once it is charged.
        default_output_tokens: output cap of a call that names none.
        least_output_tokens: a call is not cut below this cap; None takes what the model's answers were seen to need.
        shares: a call that names no cap takes at most a fair share of what is free (see :func:`fair_share`); None
            lets it take all of it.
        wait_s: seconds that a call which does not fit waits for others to settle; None refuses it at once.
        teller: told of what happens to each call.
        on_exceeded: what becomes of a call whose cap does not fit; None cuts it unless half an answer would be none.
        bound: the caller's own, for calls that nothing else bounds.
    """

    def __init__(
        self,
        account: Account,
        prices: PriceBook,
        base_url: str | None,
        *,
        seen: Seen | None = None,
        on_entry: Callable[[Entry], None] | None = None,
        default_output_tokens: int = DEFAULT_OUTPUT_TOKENS,
        least_output_tokens: int | None = None,
        shares: int | None = None,
        wait_s: float | None = None,
        teller: Teller | None = None,
        on_exceeded: OnExceeded | None = "clamp",
        bound: Bound | None = None,
    ) -> None:
        self.account = account
        self.prices = prices
        self.base_url = base_url
        self.seen = seen or Seen()
        self.on_entry = on_entry
        self.default_output_tokens = default_output_tokens
        self.least_output_tokens = least_output_tokens
        self.shares = shares
        self.wait_s = wait_s
        self.teller = teller
        self.on_exceeded = on_exceeded
        self.bound = bound
        self.mark = uuid.uuid4().hex

    def at(self, base_url: str | None) -> Self:
        """The same meter for a client that sends elsewhere."""
        other = copy.copy(self)
        other.base_url = base_url
        return other

    def quote(self, body: Mapping[str, Any], api: Api) -> Quote:
        """What a request can come to.

        Raises:
            NotGoverned: if it holds something whose cost cannot be bounded.
            UnknownPrice: if the model has no known price.
            BadInput: if it cannot be sent.
        """
        model = str(body.get("model"))
        price = self.prices.lookup(model, self.base_url)
        encoding, short = cached_encoding(model), plain(body, api)
        if short is None:
            return self._walked(body, api, model, price, encoding)
        key = hash((self.base_url, api, short.text))
        prompt = plain_bound(short) if encoding is None else prompt_bound(body, api=api, encoding=encoding)
        return Quote(model, api, price, self._counted(model, key, prompt), short.n, short.cap, key)

    def _walked(self, body: Mapping[str, Any], api: Api, model: str, price: Price, encoding: Encoding | None) -> Quote:
        """What a request can come to that is more than plain text and plain settings."""
        n, asked = choices(body), output_cap(body, api)
        key = hash((self.base_url, api, _prompt_text(body)))
        check_sendable(body)
        before = self._tokens_before(body)
        rest = body if before is None else {name: body[name] for name in body if name != "previous_response_id"}
        is_bounded = refuse_unbounded(rest, bounded=self.bound is not None)
        prompt = prompt_bound(rest, api=api, encoding=encoding, bounded=is_bounded) + (before or 0)
        quote = Quote(model, api, price, prompt, n, asked, key, is_whole=is_whole(body))
        if self.bound is None or not is_bounded:
            return self.sharpen(quote)
        if body.get("background"):
            raise NotGoverned("a background response that only a Bound covers cannot be governed: wait for its answer")
        extra, fees = self.bound.input_tokens, self.bound.fees_nusd
        return replace(quote, prompt=prompt + extra, fees=fees, is_bounded=True)

    def _tokens_before(self, body: Mapping[str, Any]) -> int | None:
        """What the response that a request goes on from came to, its own prompt included; None if that is not known."""
        previous = body.get("previous_response_id")
        tokens = tokens_of(self.account.ledger.of_response(previous)) if isinstance(previous, str) else None
        return None if tokens is None else tokens + PER_REQUEST

    def sharpen(self, quote: Quote) -> Quote:
        """The same quote, with the prompt as the provider counted it in an earlier call, where that is less."""
        if quote.is_bounded:
            return quote
        return replace(quote, prompt=self._counted(quote.model, quote.key, quote.prompt))

    def _counted(self, model: str, key: int, prompt: int) -> int:
        """The bound on a prompt, or what the provider counted for it before, where that is less.

        What a provider writes around a prompt may change from call to call (a date, a hint): it keeps its allowance.
        """
        counted = self.seen.prompt(model, key)
        return prompt if counted is None else min(prompt, counted + PER_REQUEST)

    def least(self, quote: Quote, wanted: int) -> int:
        """The smallest output cap at which such a call is likely to finish."""
        return min(self.least_output_tokens or self.seen.enough(quote.model), wanted)

    def useful(self, quote: Quote) -> int:
        """The output cap below which no call is kept for others' sake: a few short answers do not lower it."""
        least = self.least_output_tokens or max(self.seen.enough(quote.model), LEAST_OUTPUT_TOKENS)
        return min(least, self.default_output_tokens)

    def _fitting(self, demand: Demand) -> int:
        """The largest output cap that its account and ancestors can pay for now; at least the least it takes."""
        quote, levels = demand.quote, self.account.ledger.levels(self.account.name)
        most = quote.most(free_of_all(levels))
        if quote.asked is None and self.shares is not None:
            most = min(most, max(quote.most(fair_share(levels, self.shares)), self.useful(quote)))
        return max(min(demand.wanted, most), self._least(demand))

    def _least(self, demand: Demand) -> int:
        return self.least(demand.quote, demand.wanted) if demand.exact is None else demand.exact

    def admit(self, body: Mapping[str, Any], api: Api) -> Ticket:
        """Reserve the worst case of a request, at the largest output cap that fits; waits for it where that is allowed.

        Raises:
            CeilingReached: if not even the smallest useful cap fits; nothing is reserved then.
            NotGoverned, UnknownPrice: as :meth:`quote`.
        """
        demand = self._demand(body, api)
        try:
            ticket = self._reserve(demand) if self.wait_s is None else self._wait(demand)
        except CeilingReached as reached:
            self._refused(demand, reached, body)
            raise
        return self._tell_reserved(ticket)

    async def admit_async(self, body: Mapping[str, Any], api: Api) -> Ticket:
        """The same for a task: while it waits, the event loop goes on."""
        demand = self._demand(body, api)
        try:
            ticket = await self._wait_async(demand)
        except CeilingReached as reached:
            self._refused(demand, reached, body)
            raise
        return self._tell_reserved(ticket)

    def settle_kept(self, response: Any) -> None:
        """Charge a background response that has ended, once, whichever process asked for it; one that runs stays held.

        Args:
            response: as the provider tells it when it is retrieved or cancelled.
        """
        answer = id_of(response)
        entry = None if answer is None or is_running(response) else self.account.ledger.of_response(answer)
        if entry is None or entry.status != "reserved":
            return
        usage = read_usage(response)
        if usage is None:
            self._charged(entry.id, Charge(note="it ended without telling its usage: it may have been billed"))
            return
        try:
            asked = self.prices.lookup(entry.model or "", self.base_url)
        except UnknownPrice as error:
            warnings.warn(f"response {answer} stays reserved: {error}", stacklevel=2)
            return
        price, _ = self.prices.settle_price(
            asked, named(response, "model"), self.base_url, service_tier=named(response, "service_tier")
        )
        charge = Charge(price.cost(usage), usage=usage, provenance="provider", price_source=price.label)
        self._charged(entry.id, charge)

    def _charged(self, ticket: str, charge: Charge) -> None:
        entry = self.account.settle(ticket, charge)
        if self.on_entry is not None:
            self.on_entry(entry)
        if self.teller is not None:
            self.teller.settled(entry, lambda: self.account.balance.money)

    def _wait(self, demand: Demand) -> Ticket:
        ticket = self._at_once(demand)
        if ticket is not None:
            return ticket
        woken: queue.SimpleQueue[None] = queue.SimpleQueue()  # a signal handler may wake its own thread
        standing = self._stand(demand, partial(woken.put, None), partial(_drain, woken))
        try:
            while True:
                seconds = next(standing)
                with suppress(queue.Empty):
                    woken.get(timeout=seconds)
        except StopIteration as served:
            return cast("Ticket", served.value)
        finally:
            standing.close()

    async def _wait_async(self, demand: Demand) -> Ticket:
        ticket = self._at_once(demand)
        if ticket is not None:
            return ticket
        woken, loop = asyncio.Event(), asyncio.get_running_loop()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop was closed, and nobody waits
                loop.call_soon_threadsafe(woken.set)

        standing = self._stand(demand, wake, woken.clear)
        try:
            while True:
                seconds = next(standing)
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await woken.wait()
        except StopIteration as served:
            return cast("Ticket", served.value)
        finally:
            standing.close()

    def _tell_reserved(self, ticket: Ticket) -> Ticket:
        if self.teller is not None:
            try:
                ticket.tell_reserved(self.teller)
            except BaseException:  # an interrupt, or warnings that are errors: it will not be sent
                ticket.release()
                raise
        return ticket

    def _refused(self, demand: Demand, reached: CeilingReached, body: Mapping[str, Any]) -> None:
        """Tell of it, and of the way out where the call could have been cut."""
        quote, least = demand.quote, self._least(demand)
        messages = body.get("messages" if quote.api == "chat" else "input")
        reached.messages = tuple(messages) if isinstance(messages, list) else (messages,)
        if self.on_exceeded is None and quote.asked == least and self.least(quote, least) < least:
            reached.add_note(
                "a call with tools or structured output is not cut below the cap it names: "
                "lower that, or allow it with govern(..., on_exceeded='clamp')"
            )
        if self.teller is not None:
            account = self.account.name
            needed = demand.amount(least).nusd
            self.teller.tell(
                Event(
                    kind="refused",
                    account=account,
                    nusd=needed,
                    model=quote.model,
                    cap_asked=quote.asked,
                    note=str(reached),
                )
            )

    def _demand(self, body: Mapping[str, Any], api: Api) -> Demand:
        quote = self.quote(body, api)
        wanted = quote.asked or self.default_output_tokens
        if self.on_exceeded == "clamp" or (self.on_exceeded is None and not quote.is_whole):
            return Demand(quote, wanted, None)
        demand = Demand(quote, wanted, quote.asked or self.useful(quote))
        return self._smaller(demand, self.on_exceeded) if callable(self.on_exceeded) else demand

    def _smaller(self, demand: Demand, ask: Callable[[Exceeded], int | None]) -> Demand:
        """The demand with the caller's own smaller cap, if it does not fit."""
        quote, asked = demand.quote, self._least(demand)
        free = self.account.available
        most = quote.most(free)
        if asked <= most:
            return demand
        cap = smaller_cap(ask(Exceeded(quote.model, asked, quote.worst(asked), free.nusd, most)), asked)
        return demand if cap == asked else Demand(quote, cap, cap)

    def _at_once(self, demand: Demand) -> Ticket | None:
        """Its ticket, if nobody waits and it fits."""
        if len(line_of(self.account.ledger)):
            return None
        try:
            return self._reserve(replace(demand, exact=self._ample(demand)))
        except CeilingReached:
            return None

    def _ample(self, demand: Demand) -> int:
        """The cap that a call would rather wait for than have less."""
        quote = demand.quote
        if demand.exact is not None or quote.asked is None:
            return self._least(demand)
        ample = self.seen.ample(quote.model)
        return demand.wanted if ample is None else min(demand.wanted, max(ample, self._least(demand)))

    def _needs(self, demand: Demand, levels: Sequence[Level]) -> Needs:
        """What a call in line waits for, as things are.

        What calls in flight may give back is worth waiting for. Where they cannot, all that there will be is what
        they leave, and that is taken if the answer is likelier than not to finish under it.
        """
        quote, least = demand.quote, self._least(demand)
        if demand.exact is not None or quote.asked is None:
            return Needs(demand.amount(least), demand.amount(least))
        hoped = quote.most(free_of_all([level.now(level.spent, Amount()) for level in levels]))
        if least <= hoped:
            return Needs(demand.amount(least), demand.amount(min(self._ample(demand), hoped)))
        even = min(self.least_output_tokens or self.seen.enough(quote.model, 5), least)
        rest = demand.amount(max(even, hoped))
        return Needs(rest, rest, is_rest=True)

    def _stand(
        self, demand: Demand, wake: Callable[[], object], clear: Callable[[], object]
    ) -> Generator[float, None, Ticket]:
        account, left = self.account, self.account.seconds_left
        seconds = self.wait_s or 0.0
        return stand(
            account.ledger,
            Place(frozenset(lineage(account.name)), wake, clear),
            partial(self._needs, demand),
            lambda amount: self._reserve(replace(demand, exact=amount.output_tokens // demand.quote.n)),
            look=lambda: account.ledger.levels(account.name),
            seconds=seconds if left is None else min(seconds, left),
        )

    def _reserve(self, demand: Demand) -> Ticket:
        """Reserve at the largest output cap that fits now; what is free is looked at only where that may matter."""
        quote = demand.quote
        is_shared = quote.asked is None and self.shares is not None
        cap = self._fitting(demand) if is_shared else demand.wanted
        tries = 1
        while True:
            purpose = _purpose(quote.model, quote.api, quote.asked, cap, quote.price.label)
            try:
                return Ticket(self, self.account.reserve(demand.amount(cap), purpose), quote, cap)
            except CeilingReached:  # or another caller took what was free between the look and the reservation
                if cap == self._least(demand) or tries == _TRIES:
                    raise
                cap = self._fitting(demand)
                tries += 1


def _drain(woken: queue.SimpleQueue[None]) -> None:
    with suppress(queue.Empty):
        while True:
            woken.get_nowait()


def too_small(quotes: Mapping[str, tuple[Quote, int]], account: Account) -> CeilingReached:
    """The error for a ceiling that pays for no arm at all: it says how much the cheapest needs.

    Args:
        quotes: by arm, its quote and the smallest cap at which it is likely to finish.
        account: who was to pay.
    """
    free, money = account.available, account.balance.money
    arm, need = min(((arm, quote.worst(cap)) for arm, (quote, cap) in quotes.items()), key=lambda pair: pair[1])
    if free.nusd is not None and need > free.nusd:
        lack = f"{arm} needs up to {show_usd(need)} and {show_usd(free.nusd)} is free"
    elif free.calls == 0:
        lack = "no calls are free"
    else:
        quote, cap = quotes[arm]
        lack = f"{arm} needs {cap * quote.n:,} output tokens and {free.output_tokens or 0:,} are free"
    return CeilingReached(
        f"the ceiling is too small for even the cheapest arm: {lack}; "
        "raise the ceiling or lower the arm's max_output_tokens",
        needed=need,
        free=free.nusd,
        account=account.name,
        ceiling=money.ceiling,
        spent=money.spent,
        reserved=money.reserved,
    )


@functools.lru_cache(maxsize=256)
def _purpose(model: str, api: Api, asked: int | None, cap: int, price_source: str) -> Purpose:
    """One for many calls: those of a loop differ in their prompts alone."""
    return Purpose(model, api, cap_asked=asked, cap_sent=cap, price_source=price_source)


_BESIDE_THE_PROMPT = frozenset(
    (
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "n",
        "seed",
        "stop",
        "store",
        "temperature",
        "timeout",
        "top_p",
        "user",
    )
)


def _prompt_text(body: Mapping[str, Any]) -> str:
    """All of a request that may decide how long its prompt is, as one text: any key that is not known not to."""
    return repr(sorted((key, repr(value)) for key, value in body.items() if key not in _BESIDE_THE_PROMPT))
