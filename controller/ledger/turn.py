"""One thread's turn at a ledger: a lock that is let go whatever interrupts, and wherever."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from thinkcap.policies.errors import LedgerFailed

__all__ = ["Store", "Turn", "is_mine", "new_lock"]

Row = TypeVar("Row", covariant=True)


class Store(Protocol[Row]):
    """Where a transaction is made."""

    def begin(self, *, write: bool) -> Row:
        """Begin a transaction."""
        ...

    def commit(self) -> None:
        """Keep what was written."""
        ...

    def end(self) -> None:
        """Keep nothing of what was not committed."""
        ...


class Turn(Generic[Row]):
    """One transaction: what was written is kept as a whole if the block ends, and not at all if it raises.

    An interrupt can strike between any two steps of Python, also where a ``with`` block begins and ends. So who uses
    a turn calls :meth:`end` afterwards in any case; it does nothing if the block ended as it should.

    Raises:
        LedgerFailed: if the thread is inside the ledger already. Only a signal handler or a finalizer can come back
            so: it must leave a note and settle later.
    """

    def __init__(self, store: Store[Row], lock: Any, *, write: bool) -> None:
        self._store, self._lock, self._write = store, lock, write
        self._came = False

    def __enter__(self) -> Row:
        if is_mine(self._lock):
            raise LedgerFailed(
                "a finalizer or signal handler entered the ledger that its own thread is in: settle later"
            )
        self._came = True
        try:
            self._lock.acquire()
            return self._store.begin(write=self._write)
        except BaseException:
            self.end()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._store.commit()
        finally:
            self.end()

    def end(self) -> None:
        """Undo what was not committed, and let the next one in."""
        if not self._came or not is_mine(self._lock):
            return
        try:
            self._store.end()
        finally:
            self._came = False
            self._lock.release()


def is_mine(lock: Any) -> bool:
    """Whether this thread holds a ``threading.RLock``; only that kind knows, from the instant it is taken."""
    return bool(lock._is_owned())


def new_lock() -> Any:
    """The kind of lock that a turn takes."""
    return threading.RLock()
