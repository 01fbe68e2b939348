"""A ledger in this process's memory: for one program, its threads and its tasks."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Sequence
from typing import Any

from thinkcap.controller.ledger.books import NOTHING_SAID, Books, Rows
from thinkcap.controller.ledger.machine import admit, lineage, number_of, settled
from thinkcap.controller.ledger.processes import this_process
from thinkcap.controller.ledger.turn import Store, new_lock
from thinkcap.controller.ledger.values import Amount, Charge, Entry, Level, Owner, Purpose
from thinkcap.policies.errors import BadInput

__all__ = ["MemoryLedger"]


class MemoryLedger(Books):
    """A :class:`~thinkcap.controller.ledger.ledger.Ledger` in memory.

    It lasts as long as the process. A process forked from this one has only a copy, through which both would spend
    the same money, so there it raises :class:`BadInput`: share a file instead.
    """

    def __init__(self) -> None:
        self._memory = _Memory()
        self._process = this_process()

    def _store(self) -> Store[Rows]:
        if this_process() != self._process:  # before the lock: it may have been held at the fork
            raise BadInput("an account in memory cannot be used in a forked process: share one with ledger='FILE.db'")
        return self._memory

    # The two steps that every call takes are written out for the usual case, with nothing called that need not be:
    # between two calls over a network none of this is in the processor's caches, and a function costs a microsecond.
    # All else, and all that is wrong, is left to the same steps in Books.

    def reserve(self, path: str, amount: Amount, purpose: Purpose = NOTHING_SAID, *, at: float) -> str:
        """See :meth:`Ledger.reserve`."""
        memory, paths = self._memory, lineage(path)
        lock, stored = memory.lock, memory.stored
        is_inside = lock._is_owned
        if path not in stored or type(amount) is not Amount or is_inside() or this_process() != self._process:
            return super().reserve(path, amount, purpose, at=at)
        try:
            try:
                lock.acquire()
                changed: dict[str | int, Any] = {
                    level.path: level for level in admit([stored[one] for one in paths], amount)
                }
                number = memory.number(paths)
                ticket = str(number)
                changed[number] = Entry(ticket, path, purpose, amount, at)
                stored.update(changed)
                lock.release()
                return ticket
            except BaseException:
                if is_inside():
                    lock.release()
                raise
        finally:  # an interrupt can strike where the except begins, see in_turn
            if is_inside():
                lock.release()

    def settle(self, ticket: str, charge: Charge, *, at: float) -> Entry:
        """See :meth:`Ledger.settle`."""
        memory, number = self._memory, number_of(ticket)
        lock, stored = memory.lock, memory.stored
        is_inside = lock._is_owned
        if is_inside() or this_process() != self._process:
            return super().settle(ticket, charge, at=at)
        try:
            try:
                lock.acquire()
                entry: Entry | None = stored.get(number)
                if entry is not None and entry.status == "reserved":
                    paths = lineage(entry.account)
                    levels, done = settled([stored[one] for one in paths], entry, charge, at)
                    changed: dict[str | int, Any] = {level.path: level for level in levels}
                    changed[number] = done
                    if done.response is not None:
                        memory.responses[done.response] = number
                    stored.update(changed)
                    lock.release()
                    return done
                lock.release()
            except BaseException:
                if is_inside():
                    lock.release()
                raise
        finally:
            if is_inside():
                lock.release()
        return super().settle(ticket, charge, at=at)

    def _claim(self, *, at: float) -> None:  # noqa: ARG002 - nobody else can hold anything here
        return None

    def _look(self, token: str | None) -> Owner:  # noqa: ARG002 - whoever asks is the one who holds
        return Owner("alive", os.getpid())


class _Memory:
    """The store, and the rows of the one transaction that is under way."""

    def __init__(self) -> None:
        self.lock = new_lock()
        self.stored: dict[str | int, Any] = {}  # accounts by path, entries by number
        self._changed: dict[str | int, Any] = {}  # by the transaction under way
        self._below: dict[str, list[int]] = {}  # numbers of the entries of each account and its descendants, rising
        self.responses: dict[str, int] = {}  # numbers of entries by the provider's id of the answer
        self._numbers = itertools.count(1)

    def begin(self, *, write: bool) -> _Memory:  # noqa: ARG002 - whoever writes nothing changes nothing
        self._changed = {}
        return self

    def commit(self) -> None:
        self.stored.update(self._changed)  # one step: an interrupt finds all of it done or nothing

    def undo(self) -> None:
        self._changed = {}

    def levels(self, paths: Sequence[str]) -> tuple[Level, ...]:
        found = []
        for path in paths:
            level = self._changed.get(path) or self.stored.get(path)
            if level is not None:
                found.append(level)
        return tuple(found)

    def entry(self, ticket: str) -> Entry | None:
        return self.stored.get(number_of(ticket))

    def of_response(self, response: str) -> Entry | None:
        found: Entry | None = self.stored.get(self.responses.get(response, 0))
        return None if found is None or found.response != response else found

    def entries_below(self, path: str) -> Iterable[Entry]:
        return [self.stored[number] for number in self._below.get(path, ()) if number in self.stored]

    def all_levels(self) -> Iterable[Level]:
        return [row for row in self.stored.values() if isinstance(row, Level)]

    def open_entries(self) -> Iterable[Entry]:
        return [row for row in self.stored.values() if isinstance(row, Entry) and row.status == "reserved"]

    def put_level(self, level: Level) -> None:
        self._changed[level.path] = level

    def add_level(self, level: Level) -> None:
        self._changed[level.path] = level

    def put_sums(self, levels: Sequence[Level]) -> None:
        for level in levels:
            self._changed[level.path] = level

    def add_entry(self, account: str, purpose: Purpose, reserved: Amount, at: float, owner: str | None) -> str:
        number = self.number(lineage(account))
        self._changed[number] = Entry(str(number), account, purpose, reserved, at, owner=owner)
        return str(number)

    def number(self, paths: Sequence[str]) -> int:
        """The next entry's, of an account and its ancestors; one whose entry is not kept after all is passed over."""
        number = next(self._numbers)
        for path in paths:
            self._below.setdefault(path, []).append(number)
        return number

    def put_entry(self, entry: Entry) -> None:
        number = int(entry.id)
        self._changed[number] = entry
        if entry.response is not None:
            self.responses[entry.response] = number
