"""A ledger in this process's memory: for one program, its threads and its tasks."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Sequence

from thinkcap.controller.ledger.books import Books, Rows
from thinkcap.controller.ledger.machine import lineage, number_of
from thinkcap.controller.ledger.processes import this_process
from thinkcap.controller.ledger.turn import Turn, new_lock
from thinkcap.controller.ledger.values import Entry, Level, Owner
from thinkcap.policies.errors import BadInput

__all__ = ["MemoryLedger"]


class MemoryLedger(Books):
    """A :class:`~thinkcap.controller.ledger.ledger.Ledger` in memory.

    It lasts as long as the process. A process forked from this one has only a copy, through which both would spend
    the same money, so there it raises :class:`BadInput`: share a file instead.
    """

    def __init__(self) -> None:
        self._store = _Store()
        self._lock = new_lock()
        self._process = this_process()

    def _rows(self, *, write: bool) -> Turn[Rows]:
        if this_process() != self._process:  # before the lock: it may have been held at the fork
            raise BadInput("an account in memory cannot be used in a forked process: share one with ledger='FILE.db'")
        return Turn(self._store, self._lock, write=write)

    def _claim(self, *, at: float) -> None:  # noqa: ARG002 - nobody else can hold anything here
        return None

    def _look(self, token: str | None) -> Owner:  # noqa: ARG002 - whoever asks is the one who holds
        return Owner("alive", os.getpid())


class _Store:
    def __init__(self) -> None:
        self.stored: dict[str | int, Level | Entry] = {}  # accounts by path, entries by number
        self.below: dict[str, list[int]] = {}  # numbers of the entries of each account and its descendants, rising
        self.numbers = itertools.count(1)
        self.responses: dict[str, int] = {}  # numbers of entries by the provider's id of the answer
        self._rows: _Rows | None = None

    def begin(self, *, write: bool) -> _Rows:  # noqa: ARG002 - whoever writes nothing changes nothing
        self._rows = rows = _Rows(self)
        return rows

    def commit(self) -> None:
        if self._rows is not None:
            self._rows.index()  # first: a number without its entry is passed over
            self.stored.update(self._rows.changed)  # one step: an interrupt finds all of it done or nothing

    def end(self) -> None:
        self._rows = None


class _Rows:
    def __init__(self, store: _Store) -> None:
        self._stored = store.stored
        self._below = store.below
        self._responses = store.responses
        self._numbers = store.numbers
        self.changed: dict[str | int, Level | Entry] = {}
        self._added: list[tuple[int, str]] = []

    def index(self) -> None:
        """Note under which accounts the new entries stand, and of which answers they are."""
        for number, account in self._added:
            for path in lineage(account):
                self._below.setdefault(path, []).append(number)
        for row in self.changed.values():
            if isinstance(row, Entry) and row.response is not None:
                self._responses[row.response] = int(row.id)

    def levels(self, paths: Sequence[str]) -> tuple[Level, ...]:
        found = [self.changed.get(path) or self._stored.get(path) for path in paths]
        return tuple(level for level in found if isinstance(level, Level))

    def entry(self, ticket: str) -> Entry | None:
        found = self._stored.get(number_of(ticket))
        return found if isinstance(found, Entry) else None

    def of_response(self, response: str) -> Entry | None:
        found = self._stored.get(self._responses.get(response, 0))
        return found if isinstance(found, Entry) else None

    def entries_below(self, path: str) -> Iterable[Entry]:
        found = (self._stored.get(number) for number in self._below.get(path, ()))
        return [entry for entry in found if isinstance(entry, Entry)]

    def all_levels(self) -> Iterable[Level]:
        return [row for row in self._stored.values() if isinstance(row, Level)]

    def open_entries(self) -> Iterable[Entry]:
        return [row for row in self._stored.values() if isinstance(row, Entry) and row.status == "reserved"]

    def put_level(self, level: Level) -> None:
        self.changed[level.path] = level

    def add_level(self, level: Level) -> None:
        self.changed[level.path] = level

    def put_sums(self, levels: Sequence[Level]) -> None:
        self.changed.update((level.path, level) for level in levels)

    def add_entry(self, entry: Entry) -> str:
        number = next(self._numbers)
        ticket = str(number)
        self.changed[number] = entry.under(ticket)
        self._added.append((number, entry.account))
        return ticket

    def put_entry(self, entry: Entry) -> None:
        self.changed[int(entry.id)] = entry
