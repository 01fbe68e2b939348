"""Reading and writing the tables of a ledger's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from thinkcap.controller.ledger.machine import number_of
from thinkcap.controller.ledger.schema import (
    entry_of,
    level_of,
    level_row,
    limits_row,
    outcome_row,
    reservation_row,
    sums_row,
)
from thinkcap.controller.ledger.values import Amount, Entry, Level, Purpose

__all__ = ["TableRows"]

_SUMS = "spent_nusd, spent_output_tokens, spent_calls, reserved_nusd, reserved_output_tokens, reserved_calls"
_LEVEL = f"path, opened_at, ceiling_nusd, ceiling_output_tokens, ceiling_calls, ceiling_seconds, {_SUMS}"
_ENTRY = (
    "number, account, model, api, cap_asked, cap_sent, price_source, note, reserved_nusd, reserved_output_tokens, "
    "reserved_calls, started_at, status, charged_nusd, charged_output_tokens, charged_calls, input_tokens, "
    "output_tokens, reasoning_tokens, cached_tokens, cache_write_tokens, provenance, settled_at, owner, response"
)
_PUT_SUMS = (
    "UPDATE account SET spent_nusd = ?, spent_output_tokens = ?, spent_calls = ?, "
    "reserved_nusd = ?, reserved_output_tokens = ?, reserved_calls = ? WHERE path = ?"
)
_PUT_LIMITS = (
    "UPDATE account SET ceiling_nusd = ?, ceiling_output_tokens = ?, ceiling_calls = ?, ceiling_seconds = ? "
    "WHERE path = ?"
)
_ADD_LEVEL = f"INSERT INTO account ({_LEVEL}) VALUES ({', '.join('?' * 12)})"  # noqa: S608 - constants only
_ADD_ENTRY = (
    "INSERT INTO entry (account, model, api, cap_asked, cap_sent, price_source, note, reserved_nusd, "
    "reserved_output_tokens, reserved_calls, started_at, status, owner) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT_OUTCOME = (
    "UPDATE entry SET status = ?, price_source = ?, note = ?, charged_nusd = ?, charged_output_tokens = ?, "
    "charged_calls = ?, input_tokens = ?, output_tokens = ?, reasoning_tokens = ?, cached_tokens = ?, "
    "cache_write_tokens = ?, provenance = ?, settled_at = ?, response = ? WHERE number = ?"
)


class TableRows:
    """:class:`~thinkcap.controller.ledger.books.Rows` of an open transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute, self._executemany = connection.execute, connection.executemany

    def levels(self, paths: Sequence[str]) -> tuple[Level, ...]:
        """Those accounts that exist, in the order asked for."""
        marks = ", ".join("?" * len(paths))
        found = self._execute(f"SELECT {_LEVEL} FROM account WHERE path IN ({marks})", paths)  # noqa: S608 - marks only
        levels = {row[0]: level_of(row) for row in found}
        return tuple(levels[path] for path in paths if path in levels)

    def entry(self, ticket: str) -> Entry | None:
        """The entry of a ticket, if there is one."""
        row = self._execute(f"SELECT {_ENTRY} FROM entry WHERE number = ?", (number_of(ticket),)).fetchone()  # noqa: S608
        return None if row is None else entry_of(row)

    def of_response(self, response: str) -> Entry | None:
        """The latest entry of an answer's id, if there is one."""
        found = self._execute(
            f"SELECT {_ENTRY} FROM entry WHERE response = ? ORDER BY number DESC LIMIT 1",  # noqa: S608 - constants only
            (response,),
        )
        row = found.fetchone()
        return None if row is None else entry_of(row)

    def entries_below(self, path: str) -> Iterable[Entry]:
        """The entries of an account and its descendants, oldest first."""
        # '0' is the character after '/': what lies between is every path that begins with "path/"
        below = "account = ? OR (account > ? AND account < ?)"
        found = self._execute(
            f"SELECT {_ENTRY} FROM entry WHERE {below} ORDER BY number",  # noqa: S608 - constants only
            (path, f"{path}/", f"{path}0"),
        )
        return map(entry_of, found)

    def all_levels(self) -> Iterable[Level]:
        """All accounts."""
        return map(level_of, self._execute(f"SELECT {_LEVEL} FROM account"))  # noqa: S608 - constants only

    def open_entries(self) -> Iterable[Entry]:
        """All entries that are reserved, oldest first."""
        found = self._execute(f"SELECT {_ENTRY} FROM entry WHERE status = 'reserved' ORDER BY number")  # noqa: S608
        return map(entry_of, found)

    def holds(self, owner: str) -> bool:
        """Whether anything is reserved by this owner."""
        found = self._execute("SELECT 1 FROM entry WHERE status = 'reserved' AND owner = ? LIMIT 1", (owner,))
        return found.fetchone() is not None

    def put_level(self, level: Level) -> None:
        """Store an account's ceiling."""
        self._execute(_PUT_LIMITS, (*limits_row(level), level.path))

    def add_level(self, level: Level) -> None:
        """Store a new account."""
        self._execute(_ADD_LEVEL, level_row(level))

    def put_sums(self, levels: Sequence[Level]) -> None:
        """Store what accounts have spent and reserved."""
        self._executemany(_PUT_SUMS, map(sums_row, levels))

    def add_entry(self, account: str, purpose: Purpose, reserved: Amount, at: float, owner: str | None) -> str:
        """Store a new reservation; returns its ticket, the row's number."""
        return str(self._execute(_ADD_ENTRY, reservation_row(account, purpose, reserved, at, owner)).lastrowid)

    def put_entry(self, entry: Entry) -> None:
        """Store what became of an entry."""
        self._execute(_PUT_OUTCOME, (*outcome_row(entry), number_of(entry.id)))
