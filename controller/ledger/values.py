"""What a ledger takes and gives. Money is in nano-dollars; None means "not known" or "not limited".

What is made anew in every call (amounts, charges, accounts, entries) are named tuples: a frozen dataclass takes half a
microsecond a field to make where nothing of it is in the processor's caches, as between two calls over a network.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Literal, NamedTuple, Self

from thinkcap.controller.ceiling import Ceiling
from thinkcap.policies.errors import BadInput
from thinkcap.policies.values import Api, Usage

__all__ = [
    "Amount",
    "Balance",
    "Charge",
    "Entry",
    "Hold",
    "Level",
    "Limits",
    "Owner",
    "OwnerState",
    "Provenance",
    "Purpose",
    "Statement",
    "Survey",
    "Tally",
]

Provenance = Literal["provider", "counted", "bounded"]
"""Where a charge comes from: the provider's usage, our own count of what was received, or the reservation."""

Status = Literal["reserved", "settled", "released"]

OwnerState = Literal["alive", "dead", "unknown"]
"""Whether the process that reserved still runs; unknown where that cannot be told for sure."""

_LONGEST_TEXT = 500  # characters of a model's name or a note; providers choose some of them
_new = tuple.__new__  # of a named tuple without its own: a call less, in what is made several times a call
_MOST = 10**15  # of one call: a million dollars; thousands of such still fit SQLite's 64-bit integers


class Amount(NamedTuple):
    """What one call takes at most, or what many took together.

    Attributes:
        nusd: nano-dollars.
        output_tokens: tokens generated, including hidden reasoning, of all ``n`` choices.
        calls: billed calls.
    """

    nusd: int = 0
    output_tokens: int = 0
    calls: int = 0

    def __add__(self, other: Amount) -> Amount:  # type: ignore[override]
        nusd, tokens, calls = other
        return _new(Amount, (self[0] + nusd, self[1] + tokens, self[2] + calls))

    def __sub__(self, other: Amount) -> Amount:
        nusd, tokens, calls = other
        return _new(Amount, (self[0] - nusd, self[1] - tokens, self[2] - calls))

    def check(self) -> Amount:
        """Itself, if it can be meant as the amount of one reservation or charge.

        Raises:
            BadInput: if a part is no whole number, is negative, or is absurd (above 10**15).
        """
        nusd, tokens, calls = self
        are_whole = type(nusd) is type(tokens) is type(calls) is int
        if not (are_whole and 0 <= nusd <= _MOST and 0 <= tokens <= _MOST and 0 <= calls <= _MOST):
            raise _no_count(self, ("nusd", "output_tokens", "calls"))
        return self


def _is_count(count: object) -> bool:
    """Whether it is a whole number from 0 to 10**15."""
    return type(count) is int and 0 <= count <= _MOST


def _no_count(counts: Iterable[object], names: Iterable[str]) -> BadInput:
    """The error that names the first that is none."""
    count, what = next((count, what) for count, what in zip(counts, names, strict=True) if not _is_count(count))
    return BadInput(f"{what} must be a whole number from 0 to 10**15, not {count!r}")


def _check_usage(usage: Usage) -> None:
    """Refuse tokens that cannot be meant: what comes from a provider is data."""
    read, written = usage.input_tokens, usage.output_tokens
    parts = (usage.reasoning_tokens or 0, usage.cached_tokens or 0, usage.cache_write_tokens or 0)
    hidden, cached, cache_write = parts
    are_whole = type(read) is type(written) is type(hidden) is type(cached) is type(cache_write) is int
    if not (
        are_whole
        and (0 <= read <= _MOST and 0 <= written <= _MOST)
        and (0 <= hidden <= _MOST and 0 <= cached <= _MOST and 0 <= cache_write <= _MOST)
    ):
        names = ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "cache_write_tokens")
        raise _no_count((read, written, *parts), names)


class Limits(NamedTuple):
    """One figure for each thing a ceiling limits; None where it is not limited."""

    nusd: int | None = None
    output_tokens: int | None = None
    calls: int | None = None

    @classmethod
    def of(cls, ceiling: Ceiling | None) -> Limits:
        """A ceiling's limits (its seconds are the account's business)."""
        return _UNLIMITED if ceiling is None else cls(ceiling.nano, ceiling.output_tokens, ceiling.calls)


_UNLIMITED = Limits()


@dataclass(frozen=True, slots=True)
class Tally:
    """One account's figures for one thing: nano-dollars, output tokens or calls.

    ``ceiling + overrun = spent + reserved + free`` at every instant, and none is negative.

    Attributes:
        ceiling: the limit; None if the account itself does not limit it.
        spent: charged by settled calls, of this account and its descendants.
        reserved: held by calls that are not settled yet.
        free: what is left; None without a limit.
        overrun: by how much spent and reserved pass the limit: only ever because a provider billed above the
            cap that it was given.
    """

    ceiling: int | None
    spent: int
    reserved: int

    @property
    def free(self) -> int | None:
        """What is left; None without a limit."""
        return None if self.ceiling is None else max(0, self.ceiling - self.spent - self.reserved)

    @property
    def overrun(self) -> int:
        """By how much spent and reserved pass the limit."""
        return 0 if self.ceiling is None else max(0, self.spent + self.reserved - self.ceiling)


@dataclass(frozen=True, slots=True)
class Balance:
    """One account's figures: ``money`` (nano-dollars), ``output_tokens`` and ``calls``."""

    money: Tally
    output_tokens: Tally
    calls: Tally


class Level(NamedTuple):
    """One account as the ledger holds it.

    Attributes:
        path: its name, after those of its ancestors: ``"research/summarise"``.
        ceiling: its own limits; None if only its ancestors' apply.
        opened_at: when it was first opened, in seconds since 1970.
        spent: charged so far, descendants included.
        reserved: held at this moment, descendants included.
    """

    path: str
    ceiling: Ceiling | None
    opened_at: float
    spent: Amount = Amount()
    reserved: Amount = Amount()

    def now(self, spent: Amount, reserved: Amount) -> Level:
        """The same account with other sums."""
        return _new(Level, (*self[:3], spent, reserved))

    @property
    def balance(self) -> Balance:
        """Its figures."""
        limits, spent, reserved = Limits.of(self.ceiling), self.spent, self.reserved
        return Balance(
            money=Tally(limits.nusd, spent.nusd, reserved.nusd),
            output_tokens=Tally(limits.output_tokens, spent.output_tokens, reserved.output_tokens),
            calls=Tally(limits.calls, spent.calls, reserved.calls),
        )


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a reservation is for: kept beside it, never read by the arithmetic.

    Texts are kept as one printable line of at most 500 characters, since some of them come from a provider; caps
    above 10**15 as that.

    Attributes:
        model: the model asked for.
        api: ``"chat"`` or ``"responses"``; None if it is no call of either.
        cap_asked: the output cap the caller asked for, in tokens; None if there was none.
        cap_sent: the output cap that was sent, in tokens.
        price_source: where the price comes from, with its date.
        note: one line for people.
    """

    model: str | None = None
    api: Api | None = None
    _: KW_ONLY
    cap_asked: int | None = None
    cap_sent: int | None = None
    price_source: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        if not (_is_line(self.model) and _is_line(self.price_source) and _is_line(self.note)):
            for what in ("model", "price_source", "note"):
                text = getattr(self, what)
                object.__setattr__(self, what, None if text is None else _one_line(text))
        if (self.cap_asked or 0) > _MOST or (self.cap_sent or 0) > _MOST:
            for what in ("cap_asked", "cap_sent"):
                cap = getattr(self, what)
                object.__setattr__(self, what, None if cap is None else min(cap, _MOST))


def _is_line(text: str | None) -> bool:
    return text is None or (text.isascii() and text.isprintable() and len(text) <= _LONGEST_TEXT)


def _one_line(text: str) -> str:
    """A text as any store can keep it and any terminal show it."""
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return shown if len(shown) <= _LONGEST_TEXT else f"{shown[: _LONGEST_TEXT - 1]}\N{HORIZONTAL ELLIPSIS}"


class _Charge(NamedTuple):
    nusd: int | None
    usage: Usage | None
    provenance: Provenance
    price_source: str | None
    note: str | None
    response: str | None


class Charge(_Charge):
    """What a call came to.

    ``Charge()`` says that nothing is known, so the whole reservation is charged: what an aborted stream, a
    time-out or a crash comes to.

    Attributes:
        nusd: nano-dollars billed; None charges what was reserved.
        usage: the call's tokens; None charges the output tokens that were reserved.
        provenance: where the figures come from.
        price_source: where the price comes from, if not from where the reservation's did.
        note: one line for people, such as ``"dearer model answered: gpt-5"``.
        response: the provider's id of the answer, where it keeps it.

    Raises:
        BadInput: for figures that cannot be meant.
    """

    __slots__ = ()

    def __new__(  # noqa: D102 - the class says it
        cls,
        nusd: int | None = None,
        usage: Usage | None = None,
        provenance: Provenance = "bounded",
        price_source: str | None = None,
        note: str | None = None,
        response: str | None = None,
    ) -> Self:
        if provenance not in ("provider", "counted", "bounded"):
            raise BadInput(f"a charge's provenance is 'provider', 'counted' or 'bounded', not {provenance!r}")
        if nusd is None and provenance != "bounded":
            raise BadInput(f"a charge with provenance {provenance!r} needs nusd, the nano-dollars billed")
        if nusd is not None and not _is_count(nusd):
            raise _no_count((nusd,), ("nusd",))
        if usage is not None:
            _check_usage(usage)
        return tuple.__new__(cls, (nusd, usage, provenance, price_source, note, response))


class Entry(NamedTuple):
    """One line of the ledger: a reservation and what became of it.

    Attributes:
        id: the ticket that :meth:`Ledger.reserve` returned.
        account: the path of the account it was reserved on.
        purpose: what for: model, api, caps, price source and note.
        reserved: what was held; it stays here after settling.
        started_at: when it was reserved, in seconds since 1970.
        status: ``"reserved"``, ``"settled"`` or ``"released"``.
        charged: what was charged; None until it is settled.
        usage: the call's tokens; None if not known.
        provenance: where the charge comes from; None until it is settled.
        settled_at: when it was settled or released, in seconds since 1970.
        owner: the token of the process that reserved it; None in memory, and from programs that kept none.
        response: the provider's id of the answer, where it keeps it; None where it does not, or it is not known.
    """

    id: str
    account: str
    purpose: Purpose
    reserved: Amount
    started_at: float
    status: Status = "reserved"
    charged: Amount | None = None
    usage: Usage | None = None
    provenance: Provenance | None = None
    settled_at: float | None = None
    owner: str | None = None
    response: str | None = None

    @property
    def model(self) -> str | None:
        """The model asked for."""
        return self.purpose.model

    @property
    def api(self) -> Api | None:
        """``"chat"`` or ``"responses"``."""
        return self.purpose.api

    @property
    def cap_asked(self) -> int | None:
        """The output cap the caller asked for, in tokens."""
        return self.purpose.cap_asked

    @property
    def cap_sent(self) -> int | None:
        """The output cap that was sent, in tokens."""
        return self.purpose.cap_sent

    @property
    def price_source(self) -> str | None:
        """Where the price comes from, with its date."""
        return self.purpose.price_source

    @property
    def note(self) -> str | None:
        """One line for people."""
        return self.purpose.note

    @property
    def reserved_nusd(self) -> int:
        """Nano-dollars held for it."""
        return self.reserved.nusd

    @property
    def charged_nusd(self) -> int:
        """Nano-dollars charged: nothing as long as it is not settled."""
        return 0 if self.charged is None else self.charged.nusd

    @property
    def overrun_nusd(self) -> int:
        """Nano-dollars charged above what was reserved: the provider billed above its cap."""
        return 0 if self.charged is None else max(0, self.charged.nusd - self.reserved.nusd)


@dataclass(frozen=True, slots=True)
class Statement:
    """An account and its entries (descendants' included, oldest first), both as of one instant."""

    level: Level
    entries: tuple[Entry, ...]

    @property
    def spent(self) -> Amount:
        """The sum of the settled entries: equal to the account's spent."""
        return total(entry.charged for entry in self.entries if entry.charged is not None)

    @property
    def reserved(self) -> Amount:
        """The sum of the open reservations: equal to the account's reserved."""
        return total(entry.reserved for entry in self.entries if entry.status == "reserved")


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a reservation: one process's handle on the ledger.

    Attributes:
        state: whether it still runs. The rest is for people, and None where not known.
        pid: its process number.
        host: the machine or container it runs in.
        since: when it first reserved, in seconds since 1970.
    """

    state: OwnerState
    pid: int | None = None
    host: str | None = None
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """An open reservation and who holds it."""

    entry: Entry
    owner: Owner


@dataclass(frozen=True, slots=True)
class Survey:
    """A whole ledger as of one instant: its accounts, each after its parent, and what is held, oldest first."""

    levels: tuple[Level, ...]
    holds: tuple[Hold, ...]


def total(amounts: Iterable[Amount]) -> Amount:
    """The sum of some amounts."""
    return sum(amounts, start=Amount())
