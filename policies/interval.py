"""A figure and where it may lie."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Interval"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and where it may lie, in the unit of the values.

    Attributes:
        mean: the mean of the values themselves.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    mean: float
    low: float
    high: float
