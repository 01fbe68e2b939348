"""All of a ledger's behaviour but the storing.

A store (:mod:`memory`, :mod:`sqlite`) says how a transaction begins and ends, how rows are read and written, and who
holds what; :class:`Books` does the rest, so that two ledgers cannot differ in what they admit.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger import machine
from thinkcap.controller.ledger.turn import Store, in_turn
from thinkcap.controller.ledger.values import (
    Amount,
    Balance,
    Charge,
    Entry,
    Hold,
    Level,
    Owner,
    Purpose,
    Statement,
    Survey,
)
from thinkcap.policies.errors import BadInput

__all__ = ["NOTHING_SAID", "Books", "Rows"]

Result = TypeVar("Result")

NOTHING_SAID = Purpose()
_LEFT_BEHIND = Charge(note="its process ended: charged in full")


class Rows(Protocol):
    """What a store offers within one transaction."""

    def levels(self, paths: Sequence[str]) -> tuple[Level, ...]:
        """Those accounts that exist, in the order asked for."""
        ...

    def entry(self, ticket: str) -> Entry | None:
        """The entry of a ticket, if there is one."""
        ...

    def of_response(self, response: str) -> Entry | None:
        """The latest entry of an answer's id, if there is one."""
        ...

    def entries_below(self, path: str) -> Iterable[Entry]:
        """The entries of an account and its descendants, oldest first."""
        ...

    def all_levels(self) -> Iterable[Level]:
        """All accounts, in any order."""
        ...

    def open_entries(self) -> Iterable[Entry]:
        """All entries that are reserved, oldest first."""
        ...

    def put_level(self, level: Level) -> None:
        """Store an account's ceiling."""
        ...

    def add_level(self, level: Level) -> None:
        """Store a new account."""
        ...

    def put_sums(self, levels: Sequence[Level]) -> None:
        """Store what accounts have spent and reserved."""
        ...

    def add_entry(self, account: str, purpose: Purpose, reserved: Amount, at: float, owner: str | None) -> str:
        """Store a new reservation under the next ticket; returns the ticket."""
        ...

    def put_entry(self, entry: Entry) -> None:
        """Store what became of an entry."""
        ...


class Books(abc.ABC):
    """A :class:`~thinkcap.controller.ledger.ledger.Ledger` over a store."""

    @abc.abstractmethod
    def _store(self) -> Store[Rows]:
        """Where this process makes its transactions."""

    @abc.abstractmethod
    def _claim(self, *, at: float) -> str | None:
        """The token that this process's reservations are marked with. Asked within a transaction that writes."""

    @abc.abstractmethod
    def _look(self, token: str | None) -> Owner:
        """Who is behind a token, and whether it still runs."""

    def _tidy(self, holding: Callable[[], set[str | None]]) -> None:  # noqa: B027 - a store may have nothing to tidy
        """Forget the owners that are dead and hold nothing. Asked within a transaction that writes."""

    def _do(self, step: Callable[[Rows], Result], *, write: bool = True) -> Result:
        return in_turn(self._store(), step, write=write)

    def open(self, path: str, ceiling: Ceiling | None, *, at: float) -> tuple[Level, ...]:
        """See :meth:`Ledger.open`."""
        if ceiling is not None and type(ceiling) is not Ceiling:
            raise BadInput(f"a ledger's account takes a Ceiling or None, not {ceiling!r}")
        paths = machine.lineage(path)

        def step(rows: Rows) -> tuple[Level, ...]:
            found = rows.levels(paths)
            level = machine.opened(found, path, ceiling, at)
            if level in found:
                return found
            rows.add_level(level)
            return (level, *found)

        return self._do(step)

    def reserve(self, path: str, amount: Amount, purpose: Purpose = NOTHING_SAID, *, at: float) -> str:
        """See :meth:`Ledger.reserve`."""
        paths = machine.lineage(path)
        if type(amount) is not Amount:
            raise BadInput(f"reserve takes an Amount in nano-dollars such as Amount(nusd=1000), not {amount!r}")

        def step(rows: Rows) -> str:
            rows.put_sums(machine.admit(_all(rows.levels(paths), paths), amount))
            return rows.add_entry(path, purpose, amount, at, self._claim(at=at))

        return self._do(step)

    def settle(self, ticket: str, charge: Charge, *, at: float) -> Entry:
        """See :meth:`Ledger.settle`."""
        return self._do(lambda rows: _settle(rows, _one(rows.entry(ticket), ticket), charge, at))

    def release(self, ticket: str, *, at: float) -> Entry:
        """See :meth:`Ledger.release`."""
        return self._do(lambda rows: _release(rows, _one(rows.entry(ticket), ticket), at))

    def note_response(self, ticket: str, response: str) -> Entry:
        """See :meth:`Ledger.note_response`."""

        def step(rows: Rows) -> Entry:
            entry = _one(rows.entry(ticket), ticket)._replace(response=response)
            rows.put_entry(entry)
            return entry

        return self._do(step)

    def of_response(self, response: str) -> Entry | None:
        """See :meth:`Ledger.of_response`."""
        return self._do(lambda rows: rows.of_response(response), write=False)

    def entry(self, ticket: str) -> Entry:
        """See :meth:`Ledger.entry`."""
        return self._do(lambda rows: _one(rows.entry(ticket), ticket), write=False)

    def levels(self, path: str) -> tuple[Level, ...]:
        """See :meth:`Ledger.levels`."""
        paths = machine.lineage(path)
        return self._do(lambda rows: _all(rows.levels(paths), paths), write=False)

    def balance(self, path: str) -> Balance:
        """See :meth:`Ledger.balance`."""
        return self.levels(path)[0].balance

    def entries(self, path: str) -> tuple[Entry, ...]:
        """See :meth:`Ledger.entries`."""
        return self.statement(path).entries

    def statement(self, path: str) -> Statement:
        """See :meth:`Ledger.statement`."""
        paths = machine.lineage(path)

        def step(rows: Rows) -> Statement:
            return Statement(_all(rows.levels(paths), paths)[0], tuple(rows.entries_below(path)))

        return self._do(step, write=False)

    def survey(self) -> Survey:
        """See :meth:`Ledger.survey`."""

        def step(rows: Rows) -> Survey:
            levels = sorted(rows.all_levels(), key=lambda level: level.path.split("/"))
            held = tuple(rows.open_entries())
            owners = self._owners(held)
            return Survey(tuple(levels), tuple(Hold(entry, owners[entry.owner]) for entry in held))

        return self._do(step, write=False)

    def raise_to(self, path: str, ceiling: Ceiling) -> Level:
        """See :meth:`Ledger.raise_to`."""
        paths = machine.lineage(path)
        if type(ceiling) is not Ceiling:
            raise BadInput(f"a ledger's account is raised to a Ceiling, not {ceiling!r}")

        def step(rows: Rows) -> Level:
            after = machine.raised(_all(rows.levels(paths), paths)[0], ceiling)
            rows.put_level(after)
            return after

        return self._do(step)

    def reconcile(self, path: str | None = None, *, at: float, unknown: bool = False) -> tuple[Entry, ...]:
        """See :meth:`Ledger.reconcile`."""
        gone = ("dead", "unknown") if unknown else ("dead",)
        paths = () if path is None else machine.lineage(path)

        def step(rows: Rows) -> tuple[Entry, ...]:
            _all(rows.levels(paths), paths)
            held = tuple(rows.open_entries())
            owners = self._owners(held)
            left = [entry for entry in held if owners[entry.owner].state in gone and _is_below(entry, path)]
            done = tuple(_settle(rows, entry, _LEFT_BEHIND, at) for entry in left)
            self._tidy(lambda: {entry.owner for entry in held if entry not in left})
            return done

        return self._do(step)

    def _owners(self, held: Iterable[Entry]) -> dict[str | None, Owner]:
        return {token: self._look(token) for token in {entry.owner for entry in held}}


def _settle(rows: Rows, entry: Entry, charge: Charge, at: float) -> Entry:
    if entry.status == "released":
        raise BadInput(f"ticket {entry.id!r} was released: what may be billed must not be released before")
    become = machine.settled
    if entry.status == "settled":
        if not machine.is_dearer(entry, charge):
            return entry
        become = machine.corrected
    levels, done = become(rows.levels(machine.lineage(entry.account)), entry, charge, at)
    rows.put_sums(levels)
    rows.put_entry(done)
    return done


def _release(rows: Rows, entry: Entry, at: float) -> Entry:
    if entry.status == "released":
        return entry
    if entry.status == "settled":
        raise BadInput(f"ticket {entry.id!r} was settled: what was billed cannot be released")
    levels, done = machine.released(rows.levels(machine.lineage(entry.account)), entry, at)
    rows.put_sums(levels)
    rows.put_entry(done)
    return done


def _is_below(entry: Entry, path: str | None) -> bool:
    return path is None or path in machine.lineage(entry.account)


def _all(levels: tuple[Level, ...], paths: Sequence[str]) -> tuple[Level, ...]:
    if len(levels) != len(paths):
        raise BadInput(f"there is no account {paths[0]!r} in this ledger: open it first")
    return levels


def _one(entry: Entry | None, ticket: str) -> Entry:
    if entry is None:
        raise BadInput(f"there is no ticket {ticket!r} in this ledger: settle where it was reserved")
    return entry
