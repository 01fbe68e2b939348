"""Waiting for money: calls that do not fit stand in line, first come first served, until another call settles.

There is one line for each ledger in a process. A place in it holds up those behind it only on the accounts that are
short for it, so who waits on a child's own ceiling is not in the way of its siblings. Whoever settles wakes those at
the front; each that leaves, served or not, wakes the next. What other processes settle is seen by looking again.
"""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from thinkcap.controller.ledger import machine
from thinkcap.controller.ledger.ledger import Ledger
from thinkcap.controller.ledger.memory import MemoryLedger
from thinkcap.controller.ledger.values import Amount, Level, Tally
from thinkcap.policies.errors import CeilingReached

__all__ = ["Line", "Needs", "Place", "freed", "line_of", "stand"]

Served = TypeVar("Served")

_LOOK_AGAIN_S = 0.05  # at a file: another process may have settled
_CATCH_UP_S = 1.0  # in memory: a stream dropped unread is charged when its account is next looked at


@dataclass(eq=False)
class Place:
    """One who waits.

    Attributes:
        paths: the accounts that are to pay.
        wake: called, from any thread, when it is worth looking again.
        clear: called before looking, so that no wake-up is lost.
        end: when its patience ends, by ``time.monotonic``.
        short: those of the accounts that did not have enough when it last looked; all of them before.
    """

    paths: frozenset[str]
    wake: Callable[[], object]
    clear: Callable[[], object]
    end: float = math.inf
    short: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.short = self.paths


class Needs(NamedTuple):
    """What a call waits for.

    Attributes:
        least: what it takes at least.
        rather: what it would rather have, and holds out for as long as that is fair to those behind it.
        is_rest: what it takes is all that will be left once nothing is in flight: it holds up nobody for that.
    """

    least: Amount
    rather: Amount
    is_rest: bool = False


class Line:
    """Those who wait for money in one ledger, in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may settle inside it
        self._places: list[Place] = []

    def __len__(self) -> int:
        return len(self._places)

    def join(self, place: Place) -> None:
        """Take the last place. Those at the front look again: they may hold out for less long now."""
        with self._lock:
            self._places.append(place)
            _busy.add(self)
        self.wake(but=place)

    def leave(self, place: Place) -> None:
        """Give the place up, and let those behind it look."""
        with self._lock:
            if place in self._places:
                self._places.remove(place)
            if not self._places:
                _busy.discard(self)
        self.wake()

    def note(self, place: Place, short: frozenset[str]) -> None:
        """Say where a place is short; those it no longer holds up look again."""
        if short != place.short:
            place.short = short
            self.wake(but=place)

    def ahead(self, place: Place) -> frozenset[str]:
        """Those of its accounts for whose money somebody who came before waits."""
        with self._lock:
            before = self._places[: self._places.index(place)]
        return place.paths & frozenset().union(*(earlier.short for earlier in before))

    def share(self, place: Place, now: float) -> float:
        """The seconds for which a place may fairly hold up those behind it.

        Half of what the least patient of them and it has left is shared among them and it; the other half is left for
        taking less, one after the other.
        """
        with self._lock:
            behind = self._places[self._places.index(place) :]
            ends = [each.end for each in behind if each is place or each.paths & place.paths]
        return (min(ends) - now) / (2 * len(ends))

    def wake(self, *, but: Place | None = None) -> None:
        """Have those look again whom nobody before them holds up."""
        with self._lock:
            taken: frozenset[str] = frozenset()
            for place in self._places:
                if place is not but and not place.paths & taken:
                    place.wake()
                taken |= place.short


_busy: set[Line] = set()
"""The lines in which somebody waits: mostly none."""

_lines: weakref.WeakKeyDictionary[Ledger, Line] = weakref.WeakKeyDictionary()
_lines_lock = threading.Lock()


def line_of(ledger: Ledger) -> Line:
    """The line of a ledger in this process."""
    line = _lines.get(ledger)
    if line is None:
        with _lines_lock:
            line = _lines.setdefault(ledger, Line())
    return line


def freed(ledger: Ledger) -> None:
    """Say that money came back, or may have."""
    line = _lines.get(ledger) if _busy else None
    if line is not None and len(line):
        line.wake()


def _forget() -> None:  # pragma: no cover - runs in a child, where coverage does not count
    """In a forked process nobody waits, whoever did at the fork."""
    global _lines_lock
    _lines_lock = threading.Lock()
    _lines.clear()
    _busy.clear()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_forget)


def stand(
    ledger: Ledger,
    place: Place,
    needs: Callable[[Sequence[Level]], Needs],
    serve: Callable[[Amount], Served],
    *,
    look: Callable[[], Sequence[Level]],
    seconds: float,
) -> Generator[float, None, Served]:
    """Stand in line until a call is served. It yields the seconds to sleep at most, unless its place is woken before.

    Where no settlement can help, since more than the ceiling leaves beside what is spent is needed, it does not wait.
    Closing the generator gives the place up.

    Args:
        ledger: where the accounts are.
        place: a new place.
        needs: what the call waits for, by the accounts as they are.
        serve: reserves at least so much; raises :class:`CeilingReached` if that does not fit after all.
        look: the account and its ancestors, as of one instant.
        seconds: how long to wait at most.
    """
    line = line_of(ledger)
    again = _CATCH_UP_S if isinstance(ledger, MemoryLedger) else _LOOK_AGAIN_S
    end = place.end = time.monotonic() + seconds
    since: float | None = None  # when it could have been served, and held out for more
    try:
        line.join(place)
        while True:
            place.clear()
            levels = look()
            need, now = needs(levels), time.monotonic()
            left = sleep = end - now
            if _short(levels, need.least, held=False):
                machine.admit(levels, need.least)  # raises: no settlement can help
            short, ahead = _short(levels, need.least, held=True), line.ahead(place)
            if short or ahead:
                since = None
            else:
                since = now if since is None else since
                for_more = since + line.share(place, since) - now
                if for_more > 0:
                    short, sleep = _short(levels, need.rather, held=True), min(left, for_more)
            if not short and not ahead:
                try:
                    return serve(need.least)
                except CeilingReached:  # another was faster, or the account's seconds are over
                    if left <= 0:
                        raise
            elif left <= 0:
                raise _too_late(levels, need.least, seconds, len(line))
            line.note(place, frozenset() if need.is_rest else short | ahead)
            yield max(0.0, left if ahead else min(sleep, again))
    finally:
        line.leave(place)


def _short(levels: Sequence[Level], amount: Amount, *, held: bool) -> frozenset[str]:
    """The accounts that do not have this amount free; without what is held, those that never can have it again."""

    def lacks(tally: Tally, more: int) -> bool:
        used = tally.spent + (tally.reserved if held else 0)
        return tally.ceiling is not None and more > 0 and used + more > tally.ceiling

    return frozenset(
        level.path
        for level in levels
        if lacks(level.balance.money, amount.nusd)
        or lacks(level.balance.output_tokens, amount.output_tokens)
        or lacks(level.balance.calls, amount.calls)
    )


def _too_late(levels: Sequence[Level], amount: Amount, seconds: float, waiting: int) -> CeilingReached:
    """The error of one who waited in vain."""
    money = levels[0].balance.money
    error = CeilingReached(
        f"account {levels[0].path!r}: others came first",
        needed=amount.nusd,
        free=money.free,
        account=levels[0].path,
        ceiling=money.ceiling,
        spent=money.spent,
        reserved=money.reserved,
    )
    try:
        machine.admit(levels, amount)
    except CeilingReached as short:
        error = short
    late = CeilingReached(
        f"{error}; it waited {seconds:g} s, {waiting} in line, for calls in flight to settle "
        "(a stream that is left open holds its reservation until it is read or closed)"
    )
    vars(late).update(vars(error))
    return late
