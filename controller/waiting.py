"""Waiting for money: calls that do not fit stand in line, first come first served, until another call settles.

There is one line for each ledger in a process. A place in it holds up those behind it only on the accounts that are
short for it, so who waits on a child's own ceiling is not in the way of its siblings. Whoever settles wakes those at
the front; each that leaves, served or not, wakes the next. What other processes settle is seen by looking again.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from thinkcap.controller.ledger import machine
from thinkcap.controller.ledger.ledger import Ledger
from thinkcap.controller.ledger.memory import MemoryLedger
from thinkcap.controller.ledger.values import Amount, Level, Tally
from thinkcap.policies.errors import CeilingReached

__all__ = ["Line", "Place", "freed", "line_of", "stand"]

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
        short: those of the accounts that did not have enough when it last looked; all of them before.
    """

    paths: frozenset[str]
    wake: Callable[[], object]
    clear: Callable[[], object]
    short: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.short = self.paths


class Line:
    """Those who wait for money in one ledger, in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may settle inside it
        self._places: list[Place] = []

    def __len__(self) -> int:
        return len(self._places)

    def join(self, place: Place) -> None:
        """Take the last place."""
        with self._lock:
            _busy.add(self)
            self._places.append(place)

    def leave(self, place: Place) -> None:
        """Give the place up, and let those behind it look."""
        with self._lock:
            self._places.remove(place)
            if not self._places:
                _busy.discard(self)
        self.wake()

    def note(self, place: Place, short: frozenset[str]) -> None:
        """Say where a place is short; those it no longer holds up look again."""
        if short != place.short:
            place.short = short
            self.wake(but=place)

    def is_behind(self, place: Place) -> bool:
        """Whether one who came before waits for money of the same account."""
        with self._lock:
            before = self._places[: self._places.index(place)]
        return any(place.paths & earlier.short for earlier in before)

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
    needs: Callable[[Sequence[Level], bool], Amount],
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
        needs: what the call waits for, by the accounts as they are, and by whether there is time left to wait.
        serve: reserves that, or more; raises :class:`CeilingReached` if it does not fit after all.
        look: the account and its ancestors, as of one instant.
        seconds: how long to wait at most.
    """
    line = line_of(ledger)
    again = _CATCH_UP_S if isinstance(ledger, MemoryLedger) else _LOOK_AGAIN_S
    end = time.monotonic() + seconds
    line.join(place)
    try:
        while True:
            place.clear()
            levels = look()
            left = end - time.monotonic()
            amount = needs(levels, left > 0)
            line.note(place, _short(levels, amount, held=True))
            if _short(levels, amount, held=False):
                machine.admit(levels, amount)  # raises: no settlement can help
            behind = line.is_behind(place)
            if not place.short and not behind:
                try:
                    return serve(amount)
                except CeilingReached:  # another was faster, or the account's seconds are over
                    if left <= 0:
                        raise
            elif left <= 0:
                raise _too_late(levels, amount, seconds, len(line))
            yield max(0.0, left if behind else min(left, again))
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
