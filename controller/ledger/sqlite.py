"""A ledger in an SQLite file: for several processes, and for accounts that outlive them.

The file is in write-ahead mode with ``synchronous=NORMAL``: a killed process loses nothing, its reservations stay
counted, and a power cut may lose the last commits unless ``durable=True``. It belongs on a local disk.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from thinkcap.controller.ledger.books import Books, Rows
from thinkcap.controller.ledger.disks import network_type
from thinkcap.controller.ledger.home import Home
from thinkcap.controller.ledger.opening import create
from thinkcap.controller.ledger.owners import Claim, look, sweep
from thinkcap.controller.ledger.processes import follow_forks, this_process
from thinkcap.controller.ledger.turn import is_mine
from thinkcap.controller.ledger.values import Owner
from thinkcap.policies.errors import BadInput, LedgerFailed

__all__ = ["SqliteLedger"]

Result = TypeVar("Result")

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
    """A :class:`~thinkcap.controller.ledger.ledger.Ledger` in a file, shared by threads and processes.

    It has one connection and one lock in each process. A forked process opens a connection of its own and reserves
    under a mark of its own. The file, and those that SQLite and the owners keep beside it, are created readable and
    writable by their owner only.

    What this handle reserves is its process's to settle as long as the handle lives; a process that ends, or drops
    the handle, leaves it to :meth:`reconcile`.

    Args:
        path: the file. It is created if it does not exist; its folder must exist.
        busy_s: seconds to wait for another process's transaction (each takes well under a millisecond).
        new: whether the file may be created; otherwise a file that is missing or empty is an error.
        durable: every commit waits for the disk (``synchronous=FULL``), so that not even a power cut loses one.
        network: use the file even on a network file system. Only sure if one machine uses it at a time; whether the
            owner of a reservation still runs cannot be told there.

    Raises:
        LedgerFailed: if the file cannot be opened, is no ledger, was written by a newer program, or lies on a network
            file system. Every method raises it if the disk fails, and then has changed nothing.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        busy_s: float = 10.0,
        new: bool = True,
        durable: bool = False,
        network: bool = False,
    ) -> None:
        text: object = os.fspath(path)
        if not isinstance(text, str) or not text or text.startswith((":", "file:")) or "\0" in text:
            raise BadInput(f"a ledger's file must be a path such as 'team.db', not {text!r}")
        if not 0 < busy_s <= 3600:
            raise BadInput(f"busy_s must be seconds above 0, at most 3600, not {busy_s!r}")
        self.path = Path(text).absolute()  # a later change of the working directory must not change the file
        self._busy_s, self._durable = busy_s, durable
        self._homes: dict[tuple[int, int], Home] = {}
        kind = network_type(self.path)
        if kind is not None and not network:
            raise LedgerFailed(
                f"the ledger {self.path} is on a network file system ({kind}), where locks may not hold: "
                "keep it on a local disk, or open it with network=True if only one machine uses it at a time"
            )
        self._trust = kind is None
        if new:
            create(self.path)
        elif not self.path.exists():
            raise LedgerFailed(f"there is no ledger {self.path}: give the file that accounts were opened with")
        self._home().new = new
        follow_forks(self)
        self._do(lambda _: None, write=False)  # a file that cannot be used is told here, not at the first call

    def close(self) -> None:
        """Close this process's connection. The next use opens one again."""
        home = self._home()
        if not is_mine(home.lock):  # a signal handler inside the ledger: closing must wait for another time
            with home.lock:
                home.give_up_claim()
                home.disconnect()

    def __del__(self) -> None:
        home = getattr(self, "_homes", {}).get(this_process())
        if home is not None:  # never another process's: closing that here would touch its locks
            home.disconnect()
            home.drop_claim()

    def before_fork(self) -> None:
        """Close the connection for the moment of a fork.

        SQLite keeps account, within a process, of the locks it holds on a file; a child would inherit the account
        but not the locks. So there must be no connection to inherit. Each side opens its own when it needs one.
        """
        home = self._homes.get(this_process())
        if home is not None and not is_mine(home.lock):
            home.lock.acquire()
            home.disconnect()
            home.forking = True

    def after_fork(self, *, child: bool) -> None:
        """Go on; in the child without what the parent has reserved, which stays the parent's."""
        for home in self._homes.values():
            if child:
                home.drop_claim()
            if home.forking:
                home.forking = False
                home.lock.release()

    def _home(self) -> Home:
        """This process's lock and connection; setdefault is one step, so two threads get the same one."""
        process = this_process()
        return self._homes.get(process) or self._homes.setdefault(
            process, Home(self.path, self._busy_s, durable=self._durable)
        )

    def _store(self) -> Home:
        return self._home()

    def _do(self, step: Callable[[Rows], Result], *, write: bool = True) -> Result:
        try:
            return super()._do(step, write=write)
        except sqlite3.Error as error:
            raise _failure(self.path, error) from error
        except OverflowError as error:
            raise LedgerFailed(f"the ledger {self.path} cannot hold sums above nine billion dollars") from error

    def _claim(self, *, at: float) -> str:
        home = self._home()
        if home.claim is None:
            self._tidy(home.holding)
            home.claim = Claim(self.path, at=at)
        return home.claim.token

    def _look(self, token: str | None) -> Owner:
        return look(self.path, token, trust=self._trust)

    def _tidy(self, holding: Callable[[], set[str | None]]) -> None:
        sweep(self.path, holding, trust=self._trust)


def _failure(path: Path, error: sqlite3.Error) -> LedgerFailed:
    name = getattr(error, "sqlite_errorname", "")
    advice = next(
        (advice for begin, advice in _ADVICE if name.startswith(begin)), "failed: check the file and its disk"
    )
    return LedgerFailed(f"the ledger {path} {advice} ({error})")
