"""Opening a ledger's file: creating it, telling it from other files, bringing it up to date."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thinkcap.controller.ledger.schema import APPLICATION, TABLES, UPGRADES, VERSION
from thinkcap.policies.errors import LedgerFailed

__all__ = ["connect", "create"]

_OLDEST_SQLITE = (3, 37, 0)  # the first with STRICT tables
_PAUSE_S = 0.01
_PAGE_BYTES = 1024
"""A commit writes whole pages, a few rows of them new: with small ones it takes two thirds of the time."""
_CHECKPOINT_PAGES = 4000


def create(path: Path) -> None:
    """Make an empty file that only its owner can read, unless there is a file; SQLite's two others follow it."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        text = f"the ledger {path} cannot be created ({error.strerror}): its folder must exist and be writable"
        raise LedgerFailed(text) from error


def connect(path: Path, busy_s: float, *, new: bool, durable: bool) -> sqlite3.Connection:
    """A connection to a ledger's file, up to date.

    Args:
        path: the file, which exists.
        busy_s: seconds to wait for another process.
        new: whether an empty file may become a ledger.
        durable: whether every commit waits for the disk.

    Raises:
        LedgerFailed: if it is no ledger, or a newer program's.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise LedgerFailed(
            f"the ledger {path} needs SQLite 3.37 or newer, this Python has {sqlite3.sqlite_version}: "
            "use a newer Python, or an account without a file"
        )
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=busy_s, isolation_level=None, check_same_thread=False
    )
    try:
        version = _version(connection, path)
        if version == 0 and not new:
            raise LedgerFailed(f"the ledger {path} is not a ledger: it holds nothing, so give another file")
        if version == 0:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # of a file that has no page yet
        _write_ahead(connection, path, busy_s)
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        if version < VERSION:
            _bring_up_to_date(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the file; 0 if the tables are still to be made.

    Raises:
        LedgerFailed: if the file is another program's, or a newer thinkcap's.
    """
    with _transaction(connection, "BEGIN"):
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application == APPLICATION and version > VERSION:
        raise LedgerFailed(
            f"the ledger {path} was written by a newer thinkcap (file version {version}): upgrade thinkcap"
        )
    if application == APPLICATION and version > 0:
        return version
    if application or version or tables:
        raise LedgerFailed(f"the ledger {path} is another program's database: give another file, or a new name")
    return 0


def _write_ahead(connection: sqlite3.Connection, path: Path, busy_s: float) -> None:
    """Switch to write-ahead mode; here SQLite does not always wait for other processes by itself."""
    for left in range(int(busy_s / _PAUSE_S), -1, -1):
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            break
        except sqlite3.OperationalError as error:
            if left == 0 or not error.sqlite_errorname.startswith("SQLITE_BUSY"):
                raise
            time.sleep(_PAUSE_S)
    if mode != "wal":
        raise LedgerFailed(f"the ledger {path} is on a disk without shared memory: keep it on a local one")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Make the tables, or change those of an older version; all of it or nothing, and only once among processes."""
    with _transaction(connection, "BEGIN IMMEDIATE"):
        version = connection.execute("PRAGMA user_version").fetchone()[0]  # another may have been faster
        steps = TABLES if version == 0 else [step for old in range(version, VERSION) for step in UPGRADES[old]]
        if version < VERSION:
            for step in steps:
                connection.execute(step)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
