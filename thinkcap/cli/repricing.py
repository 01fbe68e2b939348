"""An old recording at other prices: those of a day, or the caller's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from thinkcap.cli.options import read_prices
from thinkcap.policies import Arm, BadInput, Usage

if TYPE_CHECKING:
    from thinkcap.evals import Recording

__all__ = ["repriced"]


def repriced(recording: Recording, day: str, own: Sequence[str] | None) -> Recording:
    """The recording at the list prices of a day.

    Args:
        recording: what was recorded.
        day: an ISO date, or ``today``.
        own: prices of the caller's own, as ``MODEL=IN/OUT``; they hold whatever the day.

    Raises:
        BadInput: if the day is none.
        UnknownPrice: for a model that the list does not know.
    """
    from thinkcap.controller.pricing import PriceBook

    try:
        on = datetime.now(UTC).date() if day == "today" else date.fromisoformat(day)
    except ValueError:
        raise BadInput(f"--reprice takes a day such as 2026-11-01, or today, not {day!r}") from None
    book = PriceBook(read_prices(own), today=lambda: on)

    def cost_of(arm: Arm) -> Callable[[Usage], int]:
        return book.lookup(arm.model).cost

    return recording.repriced(cost_of, f"priced anew, as of {on.isoformat()}", price_date=on.isoformat())
