"""In what unit a report shows money: dollars a question, or a thousand of them where one costs less than a cent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, log10

__all__ = ["Unit", "money", "unit_of"]


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of cost.

    Attributes:
        questions: how many questions an amount is for.
    """

    questions: int

    @property
    def name(self) -> str:
        """As it stands after a dollar sign."""
        return "question" if self.questions == 1 else f"{self.questions:,} questions"

    @property
    def said(self) -> str:
        """As it stands after an amount, in a sentence."""
        return "a question" if self.questions == 1 else f"for {self.questions:,} questions"

    def of(self, usd: float) -> float:
        """Dollars a question in this unit."""
        return usd * self.questions

    def show(self, usd: float) -> str:
        """Dollars a question, written in this unit."""
        return money(self.of(usd))


def unit_of(usd: Iterable[float]) -> Unit:
    """The unit in which the dearest of these reads well."""
    return Unit(1 if max(usd, default=0.0) >= 0.01 else 1000)


def money(usd: float) -> str:
    """Dollars in three digits that tell: ``$0``, ``$0.0042``, ``$1.25``, ``$41``."""
    if usd <= 0:
        return "$0"
    places = max(0, 2 - floor(log10(usd)))
    text = f"{usd:,.{min(places, 12)}f}"
    return "$" + (text.rstrip("0").rstrip(".") if "." in text else text)
