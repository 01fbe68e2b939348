"""Who holds a reservation, and whether it still runs.

An owner is one process's handle on a ledger's file, from its first reservation on. It is known by a random token,
and keeps a file beside the ledger (``team.db-owner-TOKEN``) locked as long as it lives: the kernel lets go of the
lock when the process ends, however it ends, and never before. So neither a process number that is used again nor
containers with numbers of their own can be mistaken for it. The lock is ``flock``'s, which belongs to the open file
and not to the process: another reader of the folder in this process does not end it, and a forked child gives up its
part at once.

::

    the file is locked                       alive
    the file is there, and not locked        dead
    no such file, no locks on this system    unknown

What is written in the file (process number, host, since when) is for people only.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
from collections.abc import Callable, Container
from pathlib import Path

from thinkcap.controller.ledger.values import Owner, OwnerState
from thinkcap.policies.errors import LedgerFailed

try:
    import fcntl
except ImportError:  # Windows: every owner is unknown
    fcntl = None  # type: ignore[assignment]

__all__ = ["Claim", "look", "sweep"]

_TOKEN = re.compile("[0-9a-f]{32}")
_LONGEST = 1000  # bytes that are read of what an owner says of itself


class Claim:
    """This process's own mark as an owner.

    Args:
        ledger: the ledger's file.
        at: the time, in seconds since 1970.

    Attributes:
        token: what its reservations are marked with.

    Raises:
        LedgerFailed: if its file cannot be made.
    """

    def __init__(self, ledger: Path, *, at: float) -> None:
        self.token = secrets.token_hex(16)
        self._path = _path(ledger, self.token)
        try:
            self._file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        except OSError as error:
            text = f"the ledger {ledger} cannot have a file made beside it ({error.strerror}): check its folder"
            raise LedgerFailed(text) from error
        if not _lock(self._file, shared=False):
            self.end()  # a file without a lock would be taken for a dead owner's
            return
        about = {"pid": os.getpid(), "host": socket.gethostname(), "since": at}
        with contextlib.suppress(OSError):
            os.write(self._file, json.dumps(about).encode())

    def end(self) -> None:
        """Nothing is held any more: leave no file behind."""
        self.drop()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def drop(self) -> None:
        """Let go of the lock in this process. What is held is a dead owner's then, unless a parent still holds on."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def look(ledger: Path, token: str | None, *, trust: bool = True) -> Owner:
    """What is known of the owner with this token.

    Args:
        ledger: the ledger's file.
        token: as an entry keeps it; None was written by a program that kept none.
        trust: whether a lock that is free is free on every machine: not on a network.
    """
    if token is None or not _TOKEN.fullmatch(token):
        return Owner("unknown")
    try:
        file = os.open(_path(ledger, token), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return Owner("unknown")
    try:
        is_free = _lock(file, shared=True)
        state: OwnerState = "alive" if is_free is False else "dead" if is_free and trust else "unknown"
        return Owner(state, *_read(file))
    finally:
        os.close(file)


def sweep(ledger: Path, holding: Callable[[], Container[str | None]], *, trust: bool = True) -> None:
    """Remove the files of owners that are dead and hold nothing. Only while the ledger is locked for writing."""
    before = _path(ledger, "").name
    with contextlib.suppress(OSError):
        with os.scandir(_real(ledger).parent) as files:
            found = [each.name.removeprefix(before) for each in files if each.name.startswith(before)]
        dead = [token for token in found if look(ledger, token, trust=trust).state == "dead"]
        held = holding() if dead else ()
        for token in dead:
            if token not in held:
                _path(ledger, token).unlink(missing_ok=True)


def _real(ledger: Path) -> Path:
    return Path(os.path.realpath(ledger))  # one ledger has one place for its owners, whatever links lead to it


def _path(ledger: Path, token: str) -> Path:
    real = _real(ledger)
    return real.with_name(f"{real.name}-owner-{token}")


def _lock(file: int, *, shared: bool) -> bool | None:
    """Lock an open file: False if another has it locked, None if there are no locks here."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _read(file: int) -> tuple[int | None, str | None, float | None]:
    """Process number, host, and since when; what a file says is data, so None for whatever cannot be meant."""
    try:
        about = json.loads(os.read(file, _LONGEST))
    except (OSError, ValueError, RecursionError):
        return None, None, None
    if not isinstance(about, dict):
        return None, None, None
    pid, host, since = about.get("pid"), about.get("host"), about.get("since")
    return (
        pid if type(pid) is int and 0 < pid < 2**63 else None,
        host if isinstance(host, str) and host.isprintable() else None,
        since if isinstance(since, float) and 0 < since < 1e12 else None,
    )
