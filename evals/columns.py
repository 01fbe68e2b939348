"""A recording's columns, checked as they are read: a value that cannot be meant is refused with its rows named."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.reading import Table
from thinkcap.policies.errors import BadRecording

__all__ = ["Columns", "any_inside", "codes", "count_of"]

_MOST_USD = 1e9
_MOST_TOKENS = 2**53


class Columns:
    """The selected rows of a table, column by column; a bad value is refused with its rows named."""

    def __init__(self, table: Table, rows: Sequence[int]) -> None:
        self.table = table
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def values(self, name: str) -> list[Any]:
        """The column as it is; nulls if the file does not have it."""
        column = self.table.columns.get(name)
        return [None] * len(self.rows) if column is None else [column[row] for row in self.rows]

    def refuse(self, bad: Iterable[int], what: str) -> None:
        """Raise BadRecording that names these rows, if there are any."""
        rows = [self.rows[i] for i in bad]
        if rows:
            raise BadRecording(f"{self.table.path}: {what} in {self.table.where(rows)}")

    def check(self, name: str, fine: Callable[[Any], bool], meant: str) -> list[Any]:
        """The column, null or as meant; else refused."""
        values = self.values(name)
        bad = [i for i, value in enumerate(values) if value is not None and not fine(value)]
        self.refuse(bad, f"{name} must be {meant}, not {values[bad[0]]!r}," if bad else "")
        return values

    def text(self, name: str) -> list[str | None]:
        """Text; None where null."""
        return self.check(name, lambda value: isinstance(value, str), "text or null")

    def flag(self, name: str) -> NDArray[np.int8]:
        """1 for true, 0 for false, -1 where null."""
        values = self.check(name, lambda value: isinstance(value, bool), "true, false or null")
        return np.array([-1 if value is None else int(value) for value in values], dtype=np.int8)

    def count(self, name: str, least: int = 0) -> NDArray[np.int64]:
        """Whole numbers; -1 where null."""

        def whole(value: Any) -> bool:
            return _is_number(value) and least <= value <= _MOST_TOKENS and value == int(value)

        values = self.check(name, whole, f"a whole number of at least {least}")
        return np.array([-1 if value is None else int(value) for value in values], dtype=np.int64)

    def amount(self, name: str) -> NDArray[np.float64]:
        """Numbers of at least 0; NaN where null."""
        values = self.check(name, lambda v: _is_number(v) and 0 <= v <= _MOST_USD, "a number of at least 0")
        return np.array([math.nan if value is None else float(value) for value in values], dtype=np.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def codes(keys: Sequence[Any]) -> tuple[list[Any], NDArray[np.int32]]:
    """Distinct keys in order of appearance, and each key's place among them."""
    places: dict[Any, int] = {}
    found = np.array([places.setdefault(key, len(places)) for key in keys], dtype=np.int32)
    return list(places), found


def any_inside(flags: NDArray[np.bool_], within: NDArray[np.int32]) -> NDArray[np.bool_]:
    """For each code, whether any of its rows is flagged.  (codes,)"""
    return np.bincount(within, weights=flags).astype(np.bool_)


def count_of(which: NDArray[np.bool_]) -> str:
    """How many attempts are flagged, for a note."""
    count = int(np.count_nonzero(which))
    return f"{count:,} attempt{'s' if count > 1 else ''}"
