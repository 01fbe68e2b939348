"""Money as an integer of nano-dollars (one billionth of a dollar).

One output token of a cheap model costs some 50 of them, so sums of them are exact where floats drift.
Dollars appear only at the edges: read with :func:`nano_usd`, shown with :func:`usd` and :func:`show_usd`.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal, InvalidOperation

from thinkcap.policies.errors import BadInput

__all__ = ["NANO", "Dollars", "nano_usd", "show_usd", "usd"]

NANO = 1_000_000_000
"""Nano-dollars in one dollar."""

Dollars = int | float | str | Decimal
"""How a caller may write an amount of dollars."""

_LARGEST = Decimal(10) ** 9  # a billion dollars: keeps every sum inside SQLite's 64-bit integers


def nano_usd(amount: Dollars, what: str = "the ceiling") -> int:
    """Read an amount of dollars, above zero, as nano-dollars.

    A float is read by its shortest decimal (``0.05`` means five cents exactly); anything finer than a
    nano-dollar is rounded down.

    Raises:
        BadInput: for a bool, text that is no number, NaN, infinity, zero, a negative or an absurd amount.
    """
    if isinstance(amount, bool) or not isinstance(amount, (int, float, str, Decimal)):
        raise BadInput(f"{what} must be a number of dollars such as 0.05, not {amount!r}")
    try:
        dollars = Decimal(repr(amount)) if isinstance(amount, float) else Decimal(amount)
    except InvalidOperation:
        raise BadInput(f"{what} must be a number of dollars such as 0.05, not {amount!r}") from None
    if not dollars.is_finite():
        raise BadInput(f"{what} must be a finite number of dollars, not {amount!r}")
    if dollars <= 0:
        raise BadInput(f"{what} must be above zero dollars, not {amount!r}")
    if dollars > _LARGEST:
        raise BadInput(f"{what} must be at most {_LARGEST:,} dollars, not {amount!r}")
    nano = int((dollars * NANO).to_integral_value(rounding=ROUND_DOWN))
    if nano == 0:
        raise BadInput(f"{what} must be at least a nano-dollar (0.000000001), not {amount!r}")
    return nano


def usd(nano: int) -> Decimal:
    """Nano-dollars as exact dollars."""
    return Decimal(nano).scaleb(-9)


def show_usd(nano: int) -> str:
    """Nano-dollars for people: ``$1.25``, ``$0.0042``, ``$0.00000012``: three digits that count, at least cents."""
    dollars = usd(nano)
    if dollars == 0:
        return "$0"
    places = max(2, 2 - dollars.adjusted())
    text = f"{dollars:.{min(places, 9)}f}"
    whole, _, cents = text.partition(".")
    cents = cents[:2] + cents[2:].rstrip("0")
    return f"${whole}.{cents}"
