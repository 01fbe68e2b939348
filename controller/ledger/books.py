"""What a ledger is, and all of its behaviour but the storing.

A store (:mod:`memory`, :mod:`sqlite`) says how one transaction begins and ends and how rows are read and written;
:class:`Books` does the rest, so that two ledgers cannot differ in what they admit.
"""

from __future__ import annotations

import abc
import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger import machine
from thinkcap.controller.ledger.values import Amount, Balance, Charge, Entry, Level, Purpose, Statement
from thinkcap.policies.errors import BadInput, LedgerFailed

__all__ = ["Books", "Ledger", "Rows", "refuse_reentry"]

_NOTHING_SAID = Purpose()


class Ledger(Protocol):
    """Accounts in a tree, named by paths (``"research/summarise"``), and what was reserved and charged on them.

    Every method is one atomic step, safe to call from any thread. ``at`` is the time in seconds since 1970; a
    ledger has no clock of its own. For each account and each thing that its ceiling limits, at every instant:
    ``ceiling + overrun = spent + reserved + free``, where overrun is zero unless a provider billed above its cap.
    """

    def open(self, path: str, ceiling: Ceiling | None, *, at: float) -> tuple[Level, ...]:
        """Create an account, or go on with the one of this path and what it spent: itself, then its ancestors.

        Raises:
            BadInput: if it was opened with another ceiling, its parent is missing, or a root has no ceiling.
        """
        ...

    def reserve(self, path: str, amount: Amount, purpose: Purpose = ..., *, at: float) -> str:
        """Hold an amount on an account and all its ancestors, or on none; returns the ticket.

        Raises:
            CeilingReached: if it does not fit on one of them.
            BadInput: if there is no such account, or the amount cannot be meant.
        """
        ...

    def settle(self, ticket: str, charge: Charge, *, at: float) -> Entry:
        """Charge a call and free the rest of its reservation. Settling again returns the first entry, unchanged.

        Raises:
            BadInput: if there is no such ticket, or it was released.
        """
        ...

    def release(self, ticket: str, *, at: float) -> Entry:
        """Give a reservation back because nothing was billed. Releasing again returns the first entry, unchanged.

        Raises:
            BadInput: if there is no such ticket, or it was settled.
        """
        ...

    def entry(self, ticket: str) -> Entry:
        """The entry of a ticket.

        Raises:
            BadInput: if there is no such ticket.
        """
        ...

    def levels(self, path: str) -> tuple[Level, ...]:
        """An account and its ancestors, up to the root, as of one instant.

        Raises:
            BadInput: if there is no such account.
        """
        ...

    def balance(self, path: str) -> Balance:
        """An account's money, output tokens and calls.

        Raises:
            BadInput: if there is no such account.
        """
        ...

    def entries(self, path: str) -> tuple[Entry, ...]:
        """The entries of an account and its descendants, oldest first.

        Raises:
            BadInput: if there is no such account.
        """
        ...

    def statement(self, path: str) -> Statement:
        """An account and its entries as of one instant.

        Raises:
            BadInput: if there is no such account.
        """
        ...


class Rows(Protocol):
    """What a store offers within one transaction."""

    def levels(self, paths: Sequence[str]) -> tuple[Level, ...]:
        """Those accounts that exist, in the order asked for."""
        ...

    def entry(self, ticket: str) -> Entry | None:
        """The entry of a ticket, if there is one."""
        ...

    def entries_below(self, path: str) -> Iterable[Entry]:
        """The entries of an account and its descendants, oldest first."""
        ...

    def add_level(self, level: Level) -> None:
        """Store a new account."""
        ...

    def put_sums(self, levels: Sequence[Level]) -> None:
        """Store what accounts have spent and reserved."""
        ...

    def add_entry(self, entry: Entry) -> str:
        """Store a new entry under the next ticket; returns the ticket."""
        ...

    def put_entry(self, entry: Entry) -> None:
        """Store what became of an entry."""
        ...


class Books(abc.ABC):
    """A :class:`Ledger` over a store. A subclass offers the transaction."""

    @abc.abstractmethod
    def _rows(self, *, write: bool) -> AbstractContextManager[Rows]:
        """One transaction: what was written is kept as a whole if the block ends, and not at all if it raises."""

    def open(self, path: str, ceiling: Ceiling | None, *, at: float) -> tuple[Level, ...]:
        """See :meth:`Ledger.open`."""
        if ceiling is not None and type(ceiling) is not Ceiling:
            raise BadInput(f"a ledger's account takes a Ceiling or None, not {ceiling!r}")
        paths = machine.lineage(path)
        with self._rows(write=True) as rows:
            found = rows.levels(paths)
            level = machine.opened(found, path, ceiling, at)
            if level in found:
                return found
            rows.add_level(level)
            return (level, *found)

    def reserve(self, path: str, amount: Amount, purpose: Purpose = _NOTHING_SAID, *, at: float) -> str:
        """See :meth:`Ledger.reserve`."""
        paths = machine.lineage(path)
        if type(amount) is not Amount:
            raise BadInput(f"reserve takes an Amount in nano-dollars such as Amount(nusd=1000), not {amount!r}")
        with self._rows(write=True) as rows:
            rows.put_sums(machine.admit(_all(rows.levels(paths), paths), amount))
            return rows.add_entry(Entry("", path, purpose, amount, at))

    def settle(self, ticket: str, charge: Charge, *, at: float) -> Entry:
        """See :meth:`Ledger.settle`."""
        with self._rows(write=True) as rows:
            entry = _one(rows.entry(ticket), ticket)
            if entry.status == "settled":
                return entry
            if entry.status == "released":
                raise BadInput(f"ticket {ticket!r} was released: what may be billed must not be released before")
            levels, done = machine.settled(rows.levels(machine.lineage(entry.account)), entry, charge, at)
            rows.put_sums(levels)
            rows.put_entry(done)
            return done

    def release(self, ticket: str, *, at: float) -> Entry:
        """See :meth:`Ledger.release`."""
        with self._rows(write=True) as rows:
            entry = _one(rows.entry(ticket), ticket)
            if entry.status == "released":
                return entry
            if entry.status == "settled":
                raise BadInput(f"ticket {ticket!r} was settled: what was billed cannot be released")
            levels, done = machine.released(rows.levels(machine.lineage(entry.account)), entry, at)
            rows.put_sums(levels)
            rows.put_entry(done)
            return done

    def entry(self, ticket: str) -> Entry:
        """See :meth:`Ledger.entry`."""
        with self._rows(write=False) as rows:
            return _one(rows.entry(ticket), ticket)

    def levels(self, path: str) -> tuple[Level, ...]:
        """See :meth:`Ledger.levels`."""
        paths = machine.lineage(path)
        with self._rows(write=False) as rows:
            return _all(rows.levels(paths), paths)

    def balance(self, path: str) -> Balance:
        """See :meth:`Ledger.balance`."""
        return self.levels(path)[0].balance

    def entries(self, path: str) -> tuple[Entry, ...]:
        """See :meth:`Ledger.entries`."""
        return self.statement(path).entries

    def statement(self, path: str) -> Statement:
        """See :meth:`Ledger.statement`."""
        paths = machine.lineage(path)
        with self._rows(write=False) as rows:
            return Statement(_all(rows.levels(paths), paths)[0], tuple(rows.entries_below(path)))


def refuse_reentry(lock: threading.Lock, mine: bool) -> None:
    """Tell a thread that is inside the ledger already, instead of letting it wait for itself.

    Only a signal handler or a finalizer can come back so: it must leave a note and settle later.

    Raises:
        LedgerFailed: if the lock is held by the caller itself.
    """
    if mine and lock.locked():
        raise LedgerFailed("a finalizer or signal handler entered the ledger that its own thread is in: settle later")


def _all(levels: tuple[Level, ...], paths: Sequence[str]) -> tuple[Level, ...]:
    if len(levels) != len(paths):
        raise BadInput(f"there is no account {paths[0]!r} in this ledger: open it first")
    return levels


def _one(entry: Entry | None, ticket: str) -> Entry:
    if entry is None:
        raise BadInput(f"there is no ticket {ticket!r} in this ledger: settle where it was reserved")
    return entry
