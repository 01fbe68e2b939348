"""A ledger in this process's memory: for one program, its threads and its tasks."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from thinkcap.controller.ledger.books import Books, refuse_reentry
from thinkcap.controller.ledger.machine import lineage, number_of
from thinkcap.controller.ledger.values import Entry, Level
from thinkcap.policies.errors import BadInput

__all__ = ["MemoryLedger"]


class MemoryLedger(Books):
    """A :class:`~thinkcap.controller.ledger.books.Ledger` in memory.

    It lasts as long as the process. A process forked from this one has only a copy, through which both would spend
    the same money, so there it raises :class:`BadInput`: share a file instead.
    """

    def __init__(self) -> None:
        self._stored: dict[str | int, Level | Entry] = {}  # accounts by path, entries by number
        self._below: dict[str, list[int]] = {}  # numbers of the entries of each account and its descendants, rising
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._owner: int | None = None  # the thread that holds the lock
        self._process = os.getpid()

    @contextmanager
    def _rows(self, *, write: bool) -> Iterator[_Rows]:
        if os.getpid() != self._process:  # before the lock: it may have been held at the fork
            raise BadInput("an account in memory cannot be used in a forked process: share one with ledger='FILE.db'")
        me = threading.get_ident()
        refuse_reentry(self._lock, self._owner == me)
        with self._lock:
            self._owner = me
            try:
                rows = _Rows(self._stored, self._below, self._numbers)
                yield rows
                if write:
                    rows.index()  # first: a number without its entry is passed over
                    self._stored.update(rows.changed)  # one step: an interrupt finds all of it done or nothing
            finally:
                self._owner = None


class _Rows:
    def __init__(
        self, stored: dict[str | int, Level | Entry], below: dict[str, list[int]], numbers: Iterator[int]
    ) -> None:
        self._stored = stored
        self._below = below
        self._numbers = numbers
        self.changed: dict[str | int, Level | Entry] = {}
        self._added: list[tuple[int, str]] = []

    def index(self) -> None:
        """Note under which accounts the new entries stand."""
        for number, account in self._added:
            for path in lineage(account):
                self._below.setdefault(path, []).append(number)

    def levels(self, paths: Sequence[str]) -> tuple[Level, ...]:
        found = [self._stored.get(path) for path in paths]
        return tuple(level for level in found if isinstance(level, Level))

    def entry(self, ticket: str) -> Entry | None:
        found = self._stored.get(number_of(ticket))
        return found if isinstance(found, Entry) else None

    def entries_below(self, path: str) -> Iterable[Entry]:
        found = (self._stored.get(number) for number in self._below.get(path, ()))
        return [entry for entry in found if isinstance(entry, Entry)]

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
