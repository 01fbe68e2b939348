"""A ledger in an SQLite file: for several processes, and for accounts that outlive them.

The file is in write-ahead mode with ``synchronous=NORMAL``: a killed process loses nothing, its reservations stay
counted, and a power cut may lose the last commits. It belongs on a local disk.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thinkcap.controller.ledger.books import Books, refuse_reentry
from thinkcap.controller.ledger.rows import TableRows
from thinkcap.controller.ledger.schema import APPLICATION, TABLES, VERSION
from thinkcap.policies.errors import BadInput, LedgerFailed

__all__ = ["SqliteLedger"]

_OLDEST_SQLITE = (3, 37, 0)  # the first with STRICT tables
_PAUSE_S = 0.01

_ADVICE = (  # the beginning of SQLite's name of an error, and what to do about it
    ("SQLITE_NOTADB", "is not a ledger: give another file, or a new name"),
    ("SQLITE_CORRUPT", "is damaged: restore it from a copy, or give a new name"),
    ("SQLITE_READONLY", "cannot be written: make it and its folder writable, or give another file"),
    ("SQLITE_CANTOPEN", "cannot be opened: its folder must exist and be writable"),
    ("SQLITE_BUSY", "stayed locked by another process: end it, or try again"),
    ("SQLITE_LOCKED", "stayed locked by another process: end it, or try again"),
    ("SQLITE_FULL", "cannot grow: free some disk space"),
    ("SQLITE_CONSTRAINT", "holds figures that do not add up, so another program changed it: restore it from a copy"),
    ("SQLITE_IOERR", "cannot be read or written: check the disk, and keep the file on a local one"),
)


class SqliteLedger(Books):
    """A :class:`~thinkcap.controller.ledger.books.Ledger` in a file, shared by threads and processes.

    It has one connection and one lock in each process. A forked process opens a connection of its own. The file is
    created readable and writable by its owner only.

    Args:
        path: the file. It is created if it does not exist; its folder must exist.
        busy_s: seconds to wait for another process's transaction (each takes well under a millisecond).

    Raises:
        LedgerFailed: if the file cannot be opened, is no ledger, or was written by a newer program. Every method
            raises it if the disk fails, and then has changed nothing.
    """

    def __init__(self, path: str | os.PathLike[str], *, busy_s: float = 10.0) -> None:
        text: object = os.fspath(path)
        if not isinstance(text, str) or not text or text.startswith((":", "file:")):
            raise BadInput(f"a ledger's file must be a path such as 'team.db', not {text!r}")
        if not 0 < busy_s <= 3600:
            raise BadInput(f"busy_s must be seconds above 0, at most 3600, not {busy_s!r}")
        self.path = Path(text).absolute()  # a later change of the working directory must not change the file
        self._busy_s = busy_s
        self._homes: dict[int, _Home] = {}
        _follow_forks(self)
        _create(self.path)
        with self._rows(write=False):
            pass  # a file that cannot be used is told here, not at the first call

    def close(self) -> None:
        """Close this process's connection. The next use opens one again."""
        home = self._home()
        with home.lock:
            home.disconnect()

    def __del__(self) -> None:
        home = getattr(self, "_homes", {}).get(os.getpid())
        if home is not None:  # never another process's: closing that here would touch its locks
            home.disconnect()

    def _home(self) -> _Home:
        """This process's lock and connection; setdefault is one step, so two threads get the same one."""
        process = os.getpid()
        return self._homes.get(process) or self._homes.setdefault(process, _Home())

    @contextmanager
    def _rows(self, *, write: bool) -> Iterator[TableRows]:
        home = self._home()
        me = threading.get_ident()
        refuse_reentry(home.lock, home.owner == me)
        with home.lock:
            home.owner = me
            try:
                connection = home.connection or home.connect(self.path, self._busy_s)
                with _transaction(connection, "BEGIN IMMEDIATE" if write else "BEGIN"):
                    yield TableRows(connection)
            except sqlite3.Error as error:
                raise _failure(self.path, error) from error
            finally:
                home.owner = None


class _Home:
    """One process's way to the file."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.owner: int | None = None
        self.connection: sqlite3.Connection | None = None

    def connect(self, path: Path, busy_s: float) -> sqlite3.Connection:
        self.connection = _connect(path, busy_s)
        return self.connection

    def disconnect(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()


def _follow_forks(ledger: SqliteLedger) -> None:
    """Close the connection for the moment of a fork.

    SQLite keeps account, within a process, of the locks it holds on a file; a child would inherit the account but
    not the locks. So there must be no connection to inherit. Each side opens its own again when it needs one.
    """
    known = weakref.ref(ledger)
    waiting: list[_Home] = []

    def before() -> None:
        alive = known()
        home = None if alive is None else alive._homes.get(os.getpid())
        if home is not None and not (home.owner == threading.get_ident() and home.lock.locked()):
            home.lock.acquire()
            home.disconnect()
            waiting.append(home)

    def after() -> None:
        while waiting:
            waiting.pop().lock.release()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=before, after_in_parent=after, after_in_child=after)


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    if connection.in_transaction:  # an interrupt cut the last one off before it could roll back
        connection.execute("ROLLBACK")
    try:
        connection.execute(begin)
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _create(path: Path) -> None:
    """Make an empty file that only its owner can read, unless there is a file; SQLite's two others follow it."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        text = f"the ledger {path} cannot be created ({error.strerror}): its folder must exist and be writable"
        raise LedgerFailed(text) from error


def _connect(path: Path, busy_s: float) -> sqlite3.Connection:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise LedgerFailed(
            f"the ledger {path} needs SQLite 3.37 or newer, this Python has {sqlite3.sqlite_version}: "
            "use a newer Python, or an account without a file"
        )
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=busy_s, isolation_level=None, check_same_thread=False
    )
    try:
        empty = _is_empty(connection, path)
        _write_ahead(connection, path, busy_s)
        if empty:
            _make_tables(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_empty(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the tables are still to be made.

    Raises:
        LedgerFailed: if the file is another program's, or a newer thinkcap's.
    """
    with _transaction(connection, "BEGIN"):
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application == APPLICATION and version > VERSION:
        raise LedgerFailed(
            f"the ledger {path} was written by a newer thinkcap (file version {version}): upgrade thinkcap"
        )
    if application == APPLICATION and version == VERSION:
        return False
    if application or version or tables:
        raise LedgerFailed(f"the ledger {path} is another program's database: give another file, or a new name")
    return True


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
    connection.execute("PRAGMA synchronous = NORMAL")


def _make_tables(connection: sqlite3.Connection) -> None:
    with _transaction(connection, "BEGIN IMMEDIATE"):
        if connection.execute("PRAGMA user_version").fetchone()[0]:
            return  # another process was faster
        for statement in TABLES:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _failure(path: Path, error: sqlite3.Error) -> LedgerFailed:
    name = getattr(error, "sqlite_errorname", "")
    advice = next(
        (advice for begin, advice in _ADVICE if name.startswith(begin)), "failed: check the file and its disk"
    )
    return LedgerFailed(f"the ledger {path} {advice} ({error})")
