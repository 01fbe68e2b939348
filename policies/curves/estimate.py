"""Maximum likelihood on counts, with draws that say how well the questions settle it.

Equal rows are counted once and weighted, so a fit's cost does not grow with the number of questions. A weak normal
prior on the unbounded numbers keeps a fit finite where the likelihood is flat (an arm that is always right).

The draws are a bootstrap over questions in one Newton step: with weights ``w`` in place of 1 the estimate moves by
``H^-1 sum (w - 1) s``, where ``s`` is a question's score and ``H`` the curvature at the maximum. They hold where the
family is wrong too (their covariance is the sandwich of White 1982), and one set of weights serves every arm, so
that arms asked the same questions move together.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from thinkcap.policies.curves.quadrature import Array
from thinkcap.policies.errors import BadInput

__all__ = ["Estimate", "Prior", "estimate", "scipy_part"]


@dataclass(frozen=True, slots=True)
class Prior:
    """A weak normal prior: its mean, where the search starts too, and its standard deviation.  (parameters,)"""

    mean: Array
    deviation: Array


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A maximum and how sure it is.

    Attributes:
        vector: the estimate.  (parameters,)
        draws: the same under resampled questions.  (draws, parameters)
        log_likelihood: of the data, without the prior.
        converged: the search ended at a maximum.
    """

    vector: Array
    draws: Array
    log_likelihood: float
    converged: bool


def estimate(
    chances: Callable[[Array], Array], weights: Array, prior: Prior, resampled: Array | None = None
) -> Estimate:
    """Maximise the weighted sum of log chances, plus the prior.

    Args:
        chances: the logarithm of each distinct row's chance, from the parameters.  (parameters,) -> (rows,)
        weights: how often each row occurs.  (rows,)
        prior: of the parameters.
        resampled: the weights in each resampled set of questions; None draws nothing.  (draws, rows)

    Raises:
        BadInput: if scipy is not installed.
    """

    def loss(vector: Array) -> float:
        away = (vector - prior.mean) / prior.deviation
        return float(-weights @ chances(vector) + 0.5 * away @ away)

    found = scipy_part("optimize").minimize(loss, prior.mean, method="BFGS", options={"gtol": 1e-4, "maxiter": 200})
    vector = np.asarray(found.x, dtype=np.float64)
    scale = max(1.0, float(weights.sum()))
    # BFGS also reports "precision loss" at a good maximum: the gradient decides
    converged = bool(np.all(np.isfinite(vector)) and np.max(np.abs(found.jac)) < 2e-4 * scale)
    draws = np.tile(vector, (0 if resampled is None else len(resampled), 1))
    if resampled is not None:
        scores = _slopes(chances, vector)  # (rows, parameters)
        curvature = _curvature(loss, vector)
        draws = vector + (resampled - weights) @ scores @ np.linalg.inv(curvature)
    return Estimate(vector, draws, float(weights @ chances(vector)), converged)


def scipy_part(name: str) -> Any:
    """A module of scipy, which fitting needs and using a curve does not.

    Raises:
        BadInput: if it is not installed.
    """
    try:
        return importlib.import_module(f"scipy.{name}")
    except ImportError:
        raise BadInput("fitting a curve needs scipy: pip install 'thinkcap[evals]'") from None


def _slopes(chances: Callable[[Array], Array], vector: Array, step: float = 1e-4) -> Array:
    shifts = np.eye(len(vector)) * step
    return np.stack([(chances(vector + d) - chances(vector - d)) / (2 * step) for d in shifts], axis=1)


def _curvature(loss: Callable[[Array], float], vector: Array, step: float = 3e-3) -> Array:
    """The loss's second derivatives, made safely invertible."""
    size = len(vector)
    shifts = np.eye(size) * step
    second = np.empty((size, size))
    for i in range(size):
        for j in range(i + 1):
            ends = [loss(vector + a * shifts[i] + b * shifts[j]) for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
            second[i, j] = second[j, i] = (ends[0] - ends[1] - ends[2] + ends[3]) / (4 * step**2)
    values, vectors = np.linalg.eigh(second)
    curved: Array = (vectors * np.maximum(values, 0.05)) @ vectors.T
    return curved
