"""The user's handle on an account: what it may spend, what it has spent, and its children."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.later import catch_up
from thinkcap.controller.ledger import receipt as receipts
from thinkcap.controller.ledger.ledger import Ledger
from thinkcap.controller.ledger.machine import check_name, free_of_all
from thinkcap.controller.ledger.memory import MemoryLedger
from thinkcap.controller.ledger.sqlite import SqliteLedger
from thinkcap.controller.ledger.values import Amount, Balance, Charge, Entry, Level, Limits, Purpose
from thinkcap.controller.waiting import freed
from thinkcap.policies.errors import BadInput, CeilingReached
from thinkcap.policies.money import Dollars, usd
from thinkcap.policies.values import Reason

__all__ = ["Account"]

Clock = Callable[[], float]

_NOTHING_SAID = Purpose()
_ALL_OF_IT = Charge()


class Account:
    """Money under a ceiling that cannot be passed.

    ::

        account = Account(0.50)                                     # dollars, in memory
        account = Account(Ceiling(usd=0.50, seconds=60), name="research", ledger="team.db")
        with account.child("summarise", 0.05) as task: ...          # spends its parent's money

    An account in a file goes on with what it spent when it is opened again by its name, in this process or another;
    the seconds of its ceiling count from when it was first opened. Any thread may use it.

    Used as a context manager it is closed at the end: it, and the children made from this handle, then reserve
    nothing more; what was reserved before can still be settled, and stays counted until it is.

    Args:
        ceiling: dollars, or a :class:`Ceiling`.
        name: its name in the ledger; ``"parent/child"`` opens a child whose parent is in the ledger already.
        ledger: a file to share between processes, or a ledger; by default a fresh one in memory.
        clock: seconds that never go back: measures how far the deadline is away.
        wall: seconds since 1970: the time written in entries, and when an account in a file was opened.

    Raises:
        BadInput: if an argument is not usable, or the account was opened with another ceiling before.
        LedgerFailed: if the file cannot be used.
    """

    def __init__(
        self,
        ceiling: Ceiling | Dollars,
        *,
        name: str = "account",
        ledger: str | os.PathLike[str] | Ledger | None = None,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> None:
        own: SqliteLedger | None = None
        if ledger is None:
            ledger = MemoryLedger()
        elif isinstance(ledger, (str, os.PathLike)):
            ledger = own = SqliteLedger(ledger)
        self._own = own
        self._attach(name, Ceiling.of(ceiling), ledger, clock, wall, parent=None)

    def _attach(
        self, path: str, ceiling: Ceiling | None, ledger: Ledger, clock: Clock, wall: Clock, *, parent: Account | None
    ) -> None:
        self._path, self._ceiling, self._ledger, self._clock, self._wall = path, ceiling, ledger, clock, wall
        self._parent = parent
        self._children: weakref.WeakValueDictionary[str, Account] = weakref.WeakValueDictionary()
        self._lock = threading.Lock()
        self._is_closed = False
        now = wall()
        self._set_deadline(ledger.open(path, ceiling, at=now), now)

    def _set_deadline(self, levels: tuple[Level, ...], now: float) -> None:
        parent = self._parent
        deadlines = _deadlines(levels if parent is None else levels[:1], self._clock(), now)
        if parent is not None and parent._deadline is not None:
            deadlines.append(parent._deadline)
        self._deadline: float | None = min(deadlines, default=None)

    def __repr__(self) -> str:
        return f"Account({self._path!r}, ceiling={self._ceiling})"

    # What it holds

    @property
    def name(self) -> str:
        """Its path in the ledger: its own name after its ancestors', ``"research/summarise"``."""
        return self._path

    @property
    def ceiling(self) -> Ceiling | None:
        """Its own ceiling; None if only its ancestors' apply."""
        return self._ceiling

    @property
    def ledger(self) -> Ledger:
        """The ledger it is written in."""
        return self._caught_up

    @property
    def spent(self) -> Decimal:
        """Dollars charged so far, its children's included."""
        return usd(self.balance.money.spent)

    @property
    def reserved(self) -> Decimal:
        """Dollars held at this moment by calls that are not settled."""
        return usd(self.balance.money.reserved)

    @property
    def free(self) -> Decimal | None:
        """Dollars left under its own ceiling; None without one in dollars.

        Its ancestors may have less: :attr:`available` says what a call could really take.
        """
        free = self.balance.money.free
        return None if free is None else usd(free)

    @property
    def balance(self) -> Balance:
        """Its figures as integers: money in nano-dollars, output tokens, calls."""
        return self._caught_up.balance(self._path)

    @property
    def available(self) -> Limits:
        """The most that could be reserved at this moment, in nano-dollars, output tokens and calls.

        Each is the least that it or one of its ancestors has free; None where none of them limits it.
        """
        return free_of_all(self._caught_up.levels(self._path))

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the nearest deadline, its own or an ancestor's; None without one, 0 once it is over."""
        return None if self._deadline is None else max(0.0, self._deadline - self._clock())

    @property
    def closed(self) -> Reason | None:
        """Why no call could be made at this moment, whatever it costs; None if one could.

        The deadline is over, or no output token or no call is left, here or on an ancestor. (What is reserved
        may come back.) Money is not asked after: how much is enough depends on the call.
        """
        if self.seconds_left == 0:
            return Reason.DEADLINE
        free = self.available
        return Reason.CEILING if free.calls == 0 or free.output_tokens == 0 else None

    # What is done with it

    def reserve(self, amount: Amount, purpose: Purpose = _NOTHING_SAID) -> str:
        """Hold the most that a call may take, before sending it; returns the ticket to settle or release.

        Raises:
            CeilingReached: if it does not fit on this account or an ancestor, or the deadline is over.
            BadInput: if the account was closed, or the amount cannot be meant.
            LedgerFailed: if the file cannot be written; nothing is held then.
        """
        if self._is_closed or self._parent is not None:
            self._refuse_closed()
        if self._deadline is not None and self.seconds_left == 0:
            text = f"account {self._path!r}: its seconds are over: open another account, or allow more seconds"
            money = self.balance.money
            figures = {"ceiling": money.ceiling, "spent": money.spent, "reserved": money.reserved}
            raise CeilingReached(text, free=self.available.nusd, account=self._path, **figures)
        catch_up()
        return self._ledger.reserve(self._path, amount, purpose, at=self._wall())

    def settle(self, ticket: str, charge: Charge = _ALL_OF_IT) -> Entry:
        """Charge what a call came to; without a charge, all that was reserved. Settling again changes nothing.

        Raises:
            BadInput: if there is no such ticket, or it was released.
            LedgerFailed: if the file cannot be written; the reservation stays counted then.
        """
        entry = self._ledger.settle(ticket, charge, at=self._wall())
        freed(self._ledger)
        return entry

    def release(self, ticket: str) -> Entry:
        """Give a reservation back: only where it is sure that nothing was billed. Releasing again changes nothing.

        Raises:
            BadInput: if there is no such ticket, or it was settled.
            LedgerFailed: if the file cannot be written; the reservation stays counted then.
        """
        entry = self._ledger.release(ticket, at=self._wall())
        freed(self._ledger)
        return entry

    def child(self, name: str, ceiling: Ceiling | Dollars | None = None) -> Account:
        """An account that draws on this one: all it reserves is reserved here too, so it can never outspend it.

        A child opened before under this name goes on with what it spent. Two handles of one name at once would be
        two tasks that take each other's money by mistake, so the first must be closed (or forgotten) before.

        Args:
            name: its own name, without a slash.
            ceiling: dollars or a :class:`Ceiling`; None for no other limits than this account's.

        Raises:
            BadInput: if the name is not usable or still open, this account was closed, or the child was opened with
                another ceiling before.
        """
        check_name(name)
        self._refuse_closed()
        limits = None if ceiling is None else Ceiling.of(ceiling)
        with self._lock:
            before = self._children.get(name)
            if before is not None and not before._is_closed:
                raise BadInput(f"account {before._path!r} is still open here: close it first, or take another name")
            child = Account.__new__(Account)
            child._own = None
            child._attach(f"{self._path}/{name}", limits, self._ledger, self._clock, self._wall, parent=self)
            self._children[name] = child
        return child

    def raise_to(self, ceiling: Ceiling | Dollars) -> None:
        """Give it another ceiling, for all who share it; whoever opens it from now on gives this one.

        It may be lower, too, but never below what is spent and reserved. All its limits are replaced. The others'
        figures change at once; its seconds count for handles opened afterwards, and for this one.

        Args:
            ceiling: dollars, or a :class:`Ceiling`.

        Raises:
            BadInput: if the ceiling is not usable, or below what is spent and reserved.
            LedgerFailed: if the file cannot be written; nothing is changed then.
        """
        self._ceiling = self._caught_up.raise_to(self._path, Ceiling.of(ceiling)).ceiling
        self._set_deadline(self._ledger.levels(self._path), self._wall())
        freed(self._ledger)

    def reconcile(self) -> tuple[Entry, ...]:
        """Charge in full what processes that ended have left reserved, here and below; returns those entries.

        Nothing is given back, because it may have been billed. What a running process holds is left alone, and so is
        what is held by one of which that cannot be told.

        Raises:
            LedgerFailed: if the file cannot be written; nothing is charged then.
        """
        return self._caught_up.reconcile(self._path, at=self._wall())

    def entries(self) -> tuple[Entry, ...]:
        """Its entries and its descendants', oldest first."""
        return self._caught_up.entries(self._path)

    def receipt(self) -> dict[str, Any]:
        """Where the money went, ready for JSON; money is exact text in dollars."""
        return receipts.receipt(self._caught_up.statement(self._path))

    # How it ends

    def close(self) -> None:
        """Reserve nothing more through this handle and the children made from it. What is open can be settled."""
        self._is_closed = True
        if self._own is not None:
            self._own.close()  # settling what is still open connects again

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _caught_up(self) -> Ledger:
        """The ledger, once it holds what was left for later: the charge of a stream that was dropped unread."""
        catch_up()
        return self._ledger

    def _refuse_closed(self) -> None:
        handle: Account | None = self
        while handle is not None:
            if handle._is_closed:
                raise BadInput(f"account {handle._path!r} was closed: reserve before that, or open it again")
            handle = handle._parent


def _deadlines(levels: Iterable[Level], clock: float, wall: float) -> list[float]:
    """When the ceilings' seconds are over, by the clock that never goes back.

    The wall clock only says how long ago an account was opened; if it was set back since, that is taken as no time.
    """
    return [
        clock + level.ceiling.seconds - max(0.0, wall - level.opened_at)
        for level in levels
        if level.ceiling is not None and level.ceiling.seconds is not None
    ]
