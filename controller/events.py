"""What happens to the calls of a governed client, told to one hook as frozen values."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, TypeAlias

from thinkcap.controller.ledger.values import Entry, Tally

__all__ = ["Event", "EventKind", "OnEvent", "Teller"]

EventKind = Literal["reserved", "clamped", "settled", "released", "refused", "overrun", "threshold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to a call, or to its account.

    Attributes:
        kind: ``"reserved"`` (it may be sent), ``"clamped"`` (with a lower cap than it asked for), ``"settled"``,
            ``"released"`` (it was surely not billed), ``"refused"`` (the ceiling leaves too little), ``"overrun"``
            (the provider billed above its reservation) or ``"threshold"`` (so much of the ceiling is spent).
        account: the name of the account that pays.
        nusd: nano-dollars reserved, charged, given back, needed, billed above the reservation, or spent in all.
        model: the model asked for; None where it is about the account.
        ticket: the call's id in the ledger; None where nothing was reserved.
        cap_asked: the output cap the caller named; None if none.
        cap_sent: the output cap sent, in tokens; None where nothing was.
        share: of a threshold, the part of the ceiling that is spent.
        note: one line for people.
    """

    kind: EventKind
    account: str
    nusd: int
    model: str | None = None
    ticket: str | None = None
    cap_asked: int | None = None
    cap_sent: int | None = None
    share: float | None = None
    note: str | None = None


OnEvent: TypeAlias = Callable[[Event], object]


class Teller:
    """Tells a hook. What the hook raises becomes a warning: it is never the call's fault.

    Args:
        hook: what is told, in the thread or the task of the call, after the ledger holds what it is told of.
        threshold: the part of the account's own ceiling whose spending is told of, once.
    """

    def __init__(self, hook: OnEvent, threshold: float) -> None:
        self._hook = hook
        self._threshold = threshold
        self._open = [threshold]  # whoever takes it out tells of it: one step

    def tell(self, event: Event) -> None:
        """Tell of one event."""
        try:
            self._hook(event)
        except Exception as error:
            text = f"on_event raised {type(error).__name__} on {event.kind!r} of account {event.account!r}: {error}"
            warnings.warn(text, RuntimeWarning, stacklevel=2)

    def entry(self, kind: EventKind, entry: Entry, nusd: int) -> None:
        """Tell of what became of an entry."""
        self.tell(
            Event(
                kind=kind,
                account=entry.account,
                nusd=nusd,
                model=entry.model,
                ticket=entry.id,
                cap_asked=entry.cap_asked,
                cap_sent=entry.cap_sent,
                note=entry.note,
            )
        )

    def settled(self, entry: Entry, money: Callable[[], Tally]) -> None:
        """Tell of a charge, of what it is over its reservation, and of the threshold if it passed that."""
        self.entry("settled", entry, entry.charged_nusd)
        if entry.overrun_nusd:
            self.entry("overrun", entry, entry.overrun_nusd)
        tally = money() if self._open else None
        if tally is None or not tally.ceiling or tally.spent < self._threshold * tally.ceiling:
            return
        with suppress(IndexError):  # another thread told of it
            self._open.pop()
            self.tell(
                Event(kind="threshold", account=entry.account, nusd=tally.spent, share=tally.spent / tally.ceiling)
            )
