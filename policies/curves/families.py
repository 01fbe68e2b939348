"""Fitting how rightness varies over questions, and choosing among the families by what they say of unseen questions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thinkcap.policies.curves.estimate import Estimate, Prior, estimate
from thinkcap.policies.curves.quadrature import Array
from thinkcap.policies.curves.rightness import FAMILIES, Family, Rightness
from thinkcap.policies.curves.rows import Rows, distinct_rows

__all__ = ["Fitted", "fit_families"]

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


def fit_families(
    right: NDArray[np.int64], made: NDArray[np.int64], unit: NDArray[np.int64], resampled: Array, seed: int
) -> list[Fitted]:
    """Fit every family to one arm's counts; the best by held-out likelihood comes first.

    One attempt a question tells only their mean, so without repeats the beta family stands alone.

    Args:
        right, made: right ones and attempts.  (questions,)
        unit: questions with the same code are held out together.  (questions,)
        resampled: weights of the questions in each resampled set.  (draws, questions)
        seed: of the folds.
    """
    rows = distinct_rows(np.stack([right, made], axis=1), made > 0)
    fold = np.random.default_rng(seed).permutation(int(unit.max()) + 1)[unit] % _FOLDS
    parts = np.stack([rows.weigh((fold == number).astype(np.float64)) for number in range(_FOLDS)])  # (folds, rows)
    families = FAMILIES if (made > 1).any() else FAMILIES[:1]
    fits = [_fit(family, rows, parts, resampled) for family in families]
    return sorted(fits, key=lambda fit: -fit.held_out)


def _fit(family: Family, rows: Rows, parts: Array, resampled: Array) -> Fitted:
    c, n = rows.values.T

    def chances(vector: Array) -> Array:
        return np.log(np.maximum(Rightness.read(family, vector.tolist()).chance(c, n), 1e-300))

    every = parts.sum(axis=0)
    fitted = estimate(chances, every, _PRIORS[family], rows.weigh(resampled))
    # each fold starts from the whole's estimate, which is near its own
    near = Prior(_PRIORS[family].mean, _PRIORS[family].deviation)
    told = sum(float(part @ chances(estimate(chances, every - part, near).vector)) for part in parts if part.any())
    return Fitted(family, fitted, told / float(every.sum()))
