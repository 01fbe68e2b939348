"""Fitting how rightness varies over questions, and choosing among the families by what they say of unseen questions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thinkcap.policies.curves.estimate import Estimate, Prior, estimate
from thinkcap.policies.curves.quadrature import Array
from thinkcap.policies.curves.rightness import FAMILIES, Family, Rightness
from thinkcap.policies.curves.rows import Rows, distinct_rows

__all__ = ["Families", "Fitted", "fit_families"]

_PRIORS: dict[Family, Prior] = {
    "beta": Prior(np.array([0.0, 1.0]), np.array([3.0, 3.0])),
    "scaled": Prior(np.array([0.0, 1.0, 3.0]), np.array([3.0, 3.0, 2.0])),
    "inflated": Prior(np.array([0.0, 1.0, -3.0, -3.0]), np.array([3.0, 3.0, 2.0, 2.0])),
}
"""On the log-odds of the mean, the log of a + b, then the log-odds of the scale, or the logs of zero and one over the
rest."""

_FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """One family, fitted.

    Attributes:
        family: which.
        estimate: its unbounded numbers (:meth:`Rightness.read`).
        held_out: mean log chance of an unseen question's counts, each fold's questions told by the others.
    """

    family: Family
    estimate: Estimate
    held_out: float


@dataclass(frozen=True, slots=True, eq=False)
class Families:
    """One arm's families.

    Attributes:
        fits: the best by held-out likelihood first.
        winner: place in ``fits`` of the family that is best in each resampled set of questions, so that intervals
            know of the choice too.  (draws,)
    """

    fits: tuple[Fitted, ...]
    winner: NDArray[np.int64]


def fit_families(
    right: NDArray[np.int64], made: NDArray[np.int64], unit: NDArray[np.int64], resampled: Array, seed: int
) -> Families:
    """Fit every family to one arm's counts.

    One attempt a question tells only their mean, so without repeats the beta family stands alone.

    Args:
        right, made: right ones and attempts.  (questions,)
        unit: questions with the same code are held out together.  (questions,)
        resampled: weights of the questions in each resampled set.  (draws, questions)
        seed: of the folds.
    """
    rows = distinct_rows(np.stack([right, made], axis=1), made > 0)
    fold = np.random.default_rng(seed).permutation(int(unit.max()) + 1)[unit] % _FOLDS
    parts = [fold == number for number in range(_FOLDS)]
    families = FAMILIES if (made > 1).any() else FAMILIES[:1]
    found = [_fit(family, rows, parts, resampled) for family in families]
    order = sorted(range(len(found)), key=lambda place: -found[place][0].held_out)
    told = np.stack([found[place][1] for place in order])  # (families, questions)
    return Families(tuple(found[place][0] for place in order), np.argmax(resampled @ told.T, axis=1))


def _fit(family: Family, rows: Rows, parts: list[NDArray[np.bool_]], resampled: Array) -> tuple[Fitted, Array]:
    """One family, and the log chance of each question's counts as told by the other folds.  (questions,)"""
    c, n = rows.values.T
    prior = _PRIORS[family]

    def chances(vector: Array) -> Array:
        return np.log(np.maximum(Rightness.read(family, vector.tolist()).chance(c, n), 1e-300))

    used = rows.place >= 0
    fitted = estimate(chances, rows.weigh(used.astype(np.float64)), prior, rows.weigh(resampled))
    told = np.zeros(len(used))
    for part in parts:
        if (part & used).any():
            others = estimate(chances, rows.weigh((~part).astype(np.float64)), prior)
            told[part & used] = chances(others.vector)[rows.place[part & used]]
    return Fitted(family, fitted, float(told[used].mean())), told
