"""One request between its reservation and its charge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from thinkcap.controller.account import Account
from thinkcap.controller.events import Teller
from thinkcap.controller.kept import id_of, is_running
from thinkcap.controller.ledger import Charge, Entry
from thinkcap.controller.pricing import PriceBook
from thinkcap.controller.quote import Quote
from thinkcap.controller.seen import Seen
from thinkcap.controller.usage import Pieces, pieces_of, read_usage, usage_of_all
from thinkcap.policies.money import show_usd
from thinkcap.policies.values import Usage

__all__ = ["Ticket", "Till", "named"]


class Till(Protocol):
    """Where a ticket is charged: see :class:`~thinkcap.controller.meter.Meter`."""

    account: Account
    prices: PriceBook
    base_url: str | None
    seen: Seen
    on_entry: Callable[[Entry], None] | None
    teller: Teller | None
    mark: str


class Ticket:
    """One request that is reserved and not yet charged. Only the first of its endings counts.

    Attributes:
        cap: the output cap of one choice, in tokens.
        n: choices asked for.
    """

    __slots__ = ("_claims", "_meter", "_quote", "_ticket", "cap", "n")

    def __init__(self, meter: Till, ticket: str, quote: Quote, cap: int) -> None:
        self.cap = cap
        self.n = quote.n
        self._meter = meter
        self._ticket = ticket
        self._quote = quote
        self._claims = [ticket]  # whoever takes it out ends the ticket: one step, and no lock to wait for

    @property
    def key(self) -> str:
        """Tells this request from every other, as an idempotency key: a ticket is sent once."""
        return f"thinkcap-{self._meter.mark}-{self._ticket}"

    @property
    def open(self) -> bool:
        """Whether it is still to be charged or released."""
        return bool(self._claims)

    def settle(self, response: Any, *, pieces: Sequence[Pieces] = (), words: int = 0) -> None:
        """Charge what the provider says it used; the whole reservation if it does not say.

        Args:
            response: a whole answer, or the part of a stream that tells its usage.
            pieces: what was received of each choice of a stream; a whole answer shows it by itself.
            words: as :meth:`bounded` takes them.
        """
        if not self._claims:
            return
        answer = id_of(response) if self._quote.api == "responses" else None
        if answer is not None and is_running(response):
            self._end(lambda: self._meter.account.ledger.note_response(self._ticket, answer))
            return
        reported = read_usage(response)
        if reported is None:
            self.bounded("the provider reported no usage that can be true", words=words)
            return
        meter, quote = self._meter, self._quote
        seen = pieces or (pieces_of(response) if self.n > 1 else ())
        usage = usage_of_all(reported, seen, self.cap)
        answered = named(response, "model")
        price, dearer = meter.prices.settle_price(
            quote.price, answered, meter.base_url, service_tier=named(response, "service_tier")
        )
        if usage.input_tokens <= quote.prompt:
            one = -(-usage.output_tokens // self.n)  # of one choice: the usage counts them together
            cut = one >= self.cap
            tokens = min(one, self.cap)
            meter.seen.learn(quote.model, quote.key, input_tokens=usage.input_tokens, output_tokens=tokens, cut=cut)
        is_counted = usage is not reported and usage != reported
        note = None
        if dearer or quote.fees or is_counted:
            note = _note(answered if dearer else None, quote.fees, len(seen) if is_counted else None)
        self._charge(
            Charge(
                price.cost(usage) + quote.fees,
                usage=usage,
                provenance="counted" if is_counted else "provider",
                price_source=price.label,
                note=note,
                response=answer,
            )
        )

    def bounded(self, why: str, *, words: int = 0) -> None:
        """Charge the whole reservation: it may have been billed, and nobody says how much.

        Args:
            why: one line for people.
            words: words that were received. Each is at least a token; more of them than were reserved are charged
                as counted, because the provider did not keep to the cap it was given.
        """
        if words <= self.cap * self.n:
            self._charge(Charge(note=why))
            return
        prompt = self._quote.prompt
        nusd = self._quote.price.worst(input_tokens=prompt, output_tokens=words) + self._quote.fees
        self._charge(Charge(nusd, usage=Usage(prompt, words), provenance="counted", note=why))

    def release(self) -> None:
        """Give the reservation back: this was surely not billed."""
        entry = self._end(lambda: self._meter.account.release(self._ticket))
        if entry is not None and self._meter.teller is not None:
            self._meter.teller.entry("released", entry, entry.reserved_nusd)

    def tell_reserved(self, teller: Teller) -> None:
        """Tell that it may be sent, and whether with a lower cap than it asked for."""
        entry = self._meter.account.ledger.entry(self._ticket)
        teller.entry("reserved", entry, entry.reserved_nusd)
        if entry.cap_asked is not None and self.cap < entry.cap_asked:
            teller.entry("clamped", entry, entry.reserved_nusd)

    def _charge(self, charge: Charge) -> None:
        meter = self._meter
        entry = self._end(lambda: meter.account.settle(self._ticket, charge))
        if entry is not None and meter.on_entry is not None:
            meter.on_entry(entry)
        if entry is not None and meter.teller is not None:
            meter.teller.settled(entry, lambda: meter.account.balance.money)

    def _end(self, end: Callable[[], Entry]) -> Entry | None:
        """End it, unless that was done; what fails (a full disk, an interrupt) can be tried again."""
        try:
            claim = self._claims.pop()
        except IndexError:
            return None
        try:
            return end()
        except BaseException:
            self._claims.append(claim)
            raise


def _note(dearer: str | None, fees: int, choices: int | None) -> str:
    """What is to be said of a charge beside its figures."""
    notes = [f"settled at the dearer price of {dearer}"] if dearer else []
    if fees:
        notes.append(f"with fees of up to {show_usd(fees)}, as bounded")
    if choices is not None:
        notes.append(f"the provider reported one choice of {choices}")
    return "; ".join(notes)


def named(response: Any, name: str) -> str | None:
    """A text field of an answer, whether an SDK object or its JSON; None if it is no text."""
    value = response.get(name) if isinstance(response, dict) else getattr(response, name, None)
    return value if isinstance(value, str) else None
