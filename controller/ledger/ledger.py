"""What a ledger is."""

from __future__ import annotations

from typing import Protocol

from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger.values import Amount, Balance, Charge, Entry, Level, Purpose, Statement, Survey

__all__ = ["Ledger"]


class Ledger(Protocol):
    """Accounts in a tree, named by paths (``"research/summarise"``), and what was reserved and charged on them.

    Every method is one atomic step, safe to call from any thread. ``at`` is the time in seconds since 1970; a
    ledger has no clock of its own. For each account and each thing that its ceiling limits, at every instant:
    ``ceiling + overrun = spent + reserved + free``, where overrun is zero unless a provider billed above its cap.
    """

    def open(self, path: str, ceiling: Ceiling | None, *, at: float) -> tuple[Level, ...]:
        """Create an account, or go on with the one of this path and what it spent: itself, then its ancestors.

        Raises:
            BadInput: if it was opened with another ceiling, its parent is missing, or a root has no ceiling.
        """
        ...

    def reserve(self, path: str, amount: Amount, purpose: Purpose = ..., *, at: float) -> str:
        """Hold an amount on an account and all its ancestors, or on none; returns the ticket.

        Raises:
            CeilingReached: if it does not fit on one of them.
            BadInput: if there is no such account, or the amount cannot be meant.
        """
        ...

    def settle(self, ticket: str, charge: Charge, *, at: float) -> Entry:
        """Charge a call and free the rest of its reservation. Settling again returns the first entry, unchanged.

        One thing changes it: if it was settled at a bound, without knowing what the call took, and the provider
        turns out to have billed more than the bound, then that is charged.

        Raises:
            BadInput: if there is no such ticket, or it was released.
        """
        ...

    def release(self, ticket: str, *, at: float) -> Entry:
        """Give a reservation back because nothing was billed. Releasing again returns the first entry, unchanged.

        Raises:
            BadInput: if there is no such ticket, or it was settled.
        """
        ...

    def note_response(self, ticket: str, response: str) -> Entry:
        """Note under which id the provider keeps the answer to a call, which may still be running.

        Raises:
            BadInput: if there is no such ticket.
        """
        ...

    def of_response(self, response: str) -> Entry | None:
        """The entry of the call whose answer the provider keeps under this id; the latest if there are several."""
        ...

    def entry(self, ticket: str) -> Entry:
        """The entry of a ticket.

        Raises:
            BadInput: if there is no such ticket.
        """
        ...

    def levels(self, path: str) -> tuple[Level, ...]:
        """An account and its ancestors, up to the root, as of one instant.

        Raises:
            BadInput: if there is no such account.
        """
        ...

    def balance(self, path: str) -> Balance:
        """An account's money, output tokens and calls.

        Raises:
            BadInput: if there is no such account.
        """
        ...

    def entries(self, path: str) -> tuple[Entry, ...]:
        """The entries of an account and its descendants, oldest first.

        Raises:
            BadInput: if there is no such account.
        """
        ...

    def statement(self, path: str) -> Statement:
        """An account and its entries as of one instant.

        Raises:
            BadInput: if there is no such account.
        """
        ...

    def survey(self) -> Survey:
        """All accounts, and all open reservations with who holds them, as of one instant."""
        ...

    def raise_to(self, path: str, ceiling: Ceiling) -> Level:
        """Give an account another ceiling, once and for all who share it; it may be lower, but not below what is used.

        Raises:
            BadInput: if it is below what is spent and reserved, or there is no such account.
        """
        ...

    def reconcile(self, path: str | None = None, *, at: float, unknown: bool = False) -> tuple[Entry, ...]:
        """Charge, in full, what processes that ended have left reserved; what a living one holds is left alone.

        Nothing is given back, because it may have been billed.

        Args:
            path: only on this account and its descendants; None for the whole ledger.
            at: the time, in seconds since 1970.
            unknown: charge also what is held by processes of which it cannot be told whether they run.

        Returns:
            The entries that were charged.

        Raises:
            BadInput: if there is no such account.
        """
        ...
