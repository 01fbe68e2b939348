"""Sums in place of integrals: over a Beta distribution, and over the standard normal.

:func:`beta_nodes` is the Gauss-Jacobi rule (Golub and Welsch 1969): ``count`` nodes integrate every polynomial of
degree up to ``2 count - 1`` exactly, and what is asked of a chance p (the binomial chance of a count, a miss in k
attempts) is a polynomial in p.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "DIFFICULTIES",
    "Array",
    "beta_nodes",
    "log_choose",
    "normal_cdf",
    "normal_quantile",
    "t_factor",
    "t_quantile",
]

Array = NDArray[np.float64]

_NORMAL = NormalDist()


def beta_nodes(a: float, b: float, count: int) -> tuple[Array, Array]:
    """Nodes in (0, 1), ascending, and their weights (sum 1) for the mean of a function under Beta(a, b)."""
    alpha, beta = b - 1, a - 1  # of Jacobi's weight (1 - t)^alpha (1 + t)^beta on [-1, 1]
    n = np.arange(1, count)
    total = 2 * n + alpha + beta
    middle = np.empty(count)
    middle[0] = (beta - alpha) / (alpha + beta + 2)
    middle[1:] = (beta**2 - alpha**2) / (total * (total + 2))
    # the factor (n + alpha + beta) / (total - 1) is 1 at n = 1, where both may vanish
    ratio = np.ones(count - 1)
    ratio[1:] = (n[1:] + alpha + beta) / (total[1:] - 1)
    side = np.sqrt(4 * n * (n + alpha) * (n + beta) * ratio / (total**2 * (total + 1)))
    values, vectors = np.linalg.eigh(np.diag(middle) + np.diag(side, 1) + np.diag(side, -1))
    weights = vectors[0] ** 2
    return np.clip((1 + values) / 2, 0, 1), weights / weights.sum()


def normal_cdf(z: ArrayLike) -> Array:
    """The standard normal distribution function."""
    values = np.asarray(z, dtype=np.float64)
    return np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in values.ravel().tolist()]).reshape(values.shape)


def normal_quantile(p: ArrayLike) -> Array:
    """Its inverse; minus and plus infinity at 0 and 1."""
    values = np.asarray(p, dtype=np.float64)
    return np.array([_quantile(x) for x in values.ravel().tolist()]).reshape(values.shape)


def _quantile(p: float) -> float:
    if p <= 0:
        return -math.inf
    return math.inf if p >= 1 else _NORMAL.inv_cdf(p)


def t_factor(level: float, freedom: int) -> float:
    """Student's two-sided factor for an interval, from the normal one (Cornish and Fisher's expansion).

    Within 1 % from 5 degrees of freedom; 1.96 for a level of 0.95 and many.
    """
    z = _NORMAL.inv_cdf((1 + level) / 2)
    v = max(freedom, 3)
    return z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)


@lru_cache(maxsize=256)
def t_quantile(share: float, freedom: float) -> float:
    """The quantile of Student's t for a share from 0.5, below 1, to five digits for 2 to 200 degrees of freedom.

    With ``t = sqrt(freedom) tan x`` its density is that of ``cos(x) ** (freedom - 1)``, which is summed by the
    trapezoidal rule.
    """
    angles = np.linspace(0, math.pi / 2, 200_001)
    density = np.cos(angles) ** (freedom - 1)
    density[-1] = 0.0 if freedom > 1 else 1.0
    below = np.concatenate(([0.0], np.cumsum(density[1:] + density[:-1])))
    return math.sqrt(freedom) * math.tan(float(np.interp(2 * share - 1, below / below[-1], angles)))


@lru_cache(maxsize=4096)
def log_choose(n: int, k: int) -> float:
    """The logarithm of the number of ways to take k of n."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _difficulties() -> tuple[Array, Array, Array]:
    edges = np.concatenate(([-np.inf], np.linspace(-3.1, 3.1, 47), [np.inf]))
    below = normal_cdf(edges)
    weights = np.diff(below)
    density = np.exp(-(edges**2) / 2) / math.sqrt(2 * math.pi)  # 0 at the infinite ends
    return -np.diff(density) / weights, weights, below


DIFFICULTIES: tuple[Array, Array, Array] = _difficulties()
"""The standard normal in 48 cells: the mean of each, its weight, and the 49 edges' distribution function."""
