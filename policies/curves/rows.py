"""Equal rows counted once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thinkcap.policies.curves.quadrature import Array

__all__ = ["Rows", "distinct_rows"]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The distinct rows of whole numbers, and which questions have each.

    Attributes:
        values: the distinct rows.  (rows, columns)
        place: each question's row; -1 for a question that was left out.  (questions,)
    """

    values: NDArray[np.int64]
    place: NDArray[np.int64]

    def weigh(self, weights: Array) -> Array:
        """Sum the questions' weights over their rows.  (..., questions) -> (..., rows)"""
        used = self.place >= 0
        member = np.zeros((int(used.sum()), len(self.values)))
        member[np.arange(len(member)), self.place[used]] = 1
        total: Array = weights[..., used] @ member
        return total


def distinct_rows(columns: NDArray[np.int64], used: NDArray[np.bool_]) -> Rows:
    """Find them among the questions that are used.  (questions, columns), (questions,)"""
    values, inverse = np.unique(columns[used], axis=0, return_inverse=True)
    place = np.full(len(columns), -1, dtype=np.int64)
    place[used] = inverse.ravel()
    return Rows(values, place)
