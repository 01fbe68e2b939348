"""What a finalizer may not do itself is done before an account is next looked at, or when the program ends.

Garbage is collected anywhere: in the middle of a ledger's transaction, in a thread that holds its lock. Code that
may run there (a finalizer, and whatever the closing of an abandoned generator calls) must not wait for a lock and
must not raise. It leaves its work here, which does neither.
"""

from __future__ import annotations

import atexit
import functools
import gc
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from thinkcap.policies.errors import LedgerFailed

__all__ = ["at_exit", "catch_up", "collecting", "leave", "watch_collections"]

_left: deque[Callable[[], object]] = deque()  # its append and popleft are one step each, and take no lock
_collecting: set[int] = set()  # the threads that are inside a garbage collection


def leave(work: Callable[[], object]) -> None:
    """Keep work for later. It may be done twice, so it must know when it was done."""
    _left.append(work)


def catch_up() -> None:
    """Do what was left; what the disk refuses stays for the next time. Inside a garbage collection it does nothing."""
    if not _left:  # as nearly always
        return
    for _ in range(0 if collecting() else len(_left)):
        try:
            work = _left.popleft()
        except IndexError:  # another thread was faster
            return
        try:
            work()
        except LedgerFailed:
            leave(work)
        except BaseException:
            leave(work)
            raise


def collecting() -> bool:
    """Whether this thread is inside a garbage collection, where only :func:`leave` is safe."""
    return threading.get_ident() in _collecting


@functools.cache
def watch_collections() -> None:
    """From now on know when garbage is collected."""
    callbacks: list[Any] = getattr(gc, "callbacks", [])  # PyPy has none, and calls no finalizer inside other code
    callbacks.append(_note_collection)


def _note_collection(phase: str, info: object) -> None:  # noqa: ARG001 - as gc calls it
    (_collecting.add if phase == "start" else _collecting.discard)(threading.get_ident())


@functools.cache
def at_exit(work: Callable[[], object]) -> None:
    """Do this once when the program ends, and then what was left."""
    atexit.register(catch_up)
    atexit.register(work)  # the last one registered is the first one called
