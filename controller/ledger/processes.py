"""Which process this is, and what a ledger does while it forks."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol

__all__ = ["Forking", "follow_forks", "this_process"]


class Forking(Protocol):
    """What must not be inherited as it is by a forked process."""

    def before_fork(self) -> None:
        """Come to rest."""
        ...

    def after_fork(self, *, child: bool) -> None:
        """Go on, in the process that forked or in its child."""
        ...


_process = (os.getpid(), 0)
_followers: weakref.WeakSet[Forking] = weakref.WeakSet()
_resting: list[Forking] = []
_gate = threading.RLock()  # held over a fork, so that none starts to follow in the middle of it


def this_process() -> tuple[int, int]:
    """Equal only within one process: how often its line was forked is part of it, since numbers are used again.

    Kept from the fork on, since asking the system in every call takes longer than all else that is done with it.
    """
    return _process


def follow_forks(follower: Forking) -> None:
    """Tell this one of every fork, as long as it lives."""
    with _gate:
        _followers.add(follower)


def _before() -> None:
    _gate.acquire()
    for follower in list(_followers):
        _resting.append(follower)
        follower.before_fork()


def _after(*, child: bool) -> None:
    while _resting:
        _resting.pop().after_fork(child=child)
    _gate.release()


def _after_in_parent() -> None:
    _after(child=False)


def _after_in_child() -> None:
    global _process
    _process = (os.getpid(), _process[1] + 1)
    _after(child=True)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
