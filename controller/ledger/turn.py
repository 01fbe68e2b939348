"""One thread's turn at a ledger: a lock that is let go whatever interrupts, and wherever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from thinkcap.policies.errors import LedgerFailed

__all__ = ["Store", "in_turn", "is_mine", "new_lock"]

Row = TypeVar("Row", covariant=True)
Rows = TypeVar("Rows")
Result = TypeVar("Result")


class Store(Protocol[Row]):
    """Where a transaction is made.

    Attributes:
        lock: held for every transaction; from :func:`new_lock`.
    """

    lock: Any

    def begin(self, *, write: bool) -> Row:
        """Begin a transaction."""
        ...

    def commit(self) -> None:
        """Keep what was written."""
        ...

    def undo(self) -> None:
        """Keep nothing of what was not committed."""
        ...


def in_turn(store: Store[Rows], step: Callable[[Rows], Result], *, write: bool) -> Result:
    """One transaction: what the step writes is kept as a whole if it returns, and not at all if it raises.

    An interrupt can strike between any two steps of Python, also where an ``except`` begins: then the ``finally``
    around it still lets the lock go.

    Raises:
        LedgerFailed: if the thread is inside the ledger already. Only a signal handler or a finalizer can come back
            so: it must leave a note and settle later.
    """
    lock = store.lock
    is_inside = lock._is_owned
    if is_inside():
        raise LedgerFailed("a finalizer or signal handler entered the ledger that its own thread is in: settle later")
    try:
        try:
            lock.acquire()
            result = step(store.begin(write=write))
            store.commit()
            lock.release()
            return result
        except BaseException:
            _undo(store)
            raise
    finally:
        if is_inside():
            _undo(store)


def _undo(store: Store[Any]) -> None:
    """Keep nothing that was not committed, and let the next one in."""
    if is_mine(store.lock):
        try:
            store.undo()
        finally:
            store.lock.release()


def is_mine(lock: Any) -> bool:
    """Whether this thread holds a ``threading.RLock``; only that kind knows, from the instant it is taken."""
    return bool(lock._is_owned())


def new_lock() -> Any:
    """The kind of lock that a turn takes."""
    return threading.RLock()
