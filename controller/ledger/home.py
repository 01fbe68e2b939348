"""One process's way to a ledger's file: its lock, its connection, and its mark as an owner of reservations."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from thinkcap.controller.ledger.opening import connect
from thinkcap.controller.ledger.owners import Claim
from thinkcap.controller.ledger.rows import TableRows
from thinkcap.controller.ledger.turn import new_lock

__all__ = ["Home"]


class Home:
    """The :class:`~thinkcap.controller.ledger.turn.Store` of a file.

    Attributes:
        lock: held for every transaction.
        connection: None until it is needed, and after closing.
        claim: None until something is reserved.
        new: whether the tables may still be made. Later a file that vanished and is begun anew would forget what
            was spent.
        forking: the lock is held for a fork.
    """

    def __init__(self, path: Path, busy_s: float, *, durable: bool) -> None:
        self._path, self._busy_s, self._durable = path, busy_s, durable
        self.lock = new_lock()
        self.connection: sqlite3.Connection | None = None
        self.claim: Claim | None = None
        self.new = False
        self.forking = False

    def begin(self, *, write: bool) -> TableRows:
        """Begin a transaction, over a connection that is made if there is none."""
        connection = self.connection
        if connection is None:
            self.connection = connection = connect(self._path, self._busy_s, new=self.new, durable=self._durable)
            self.new = False
        elif connection.in_transaction:  # the last one could not even be rolled back
            connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        return TableRows(connection)

    def commit(self) -> None:
        """Keep what was written."""
        if self.connection is not None:
            self.connection.execute("COMMIT")

    def undo(self) -> None:
        """Keep nothing of what was not committed."""
        if self.connection is not None and self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def disconnect(self) -> None:
        """Close the connection."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def holding(self) -> set[str | None]:
        """The owners that hold something, within a transaction."""
        return {entry.owner for entry in TableRows(self.connection).open_entries()} if self.connection else set()

    def give_up_claim(self) -> None:
        """Stop being an owner, unless something is still held or that cannot be told."""
        if self.claim is not None and self.connection is not None:
            with contextlib.suppress(sqlite3.Error):
                if not TableRows(self.connection).holds(self.claim.token):
                    self.claim.end()
                    self.claim = None

    def drop_claim(self) -> None:
        """Leave what is held to whoever reconciles, or to the parent of this forked process."""
        claim, self.claim = self.claim, None
        if claim is not None:
            claim.drop()
