"""How the chance of one right attempt varies over questions.

==========  ==========================================================  ===========================================
family      chance p that one attempt at a random question is right      plain reading
==========  ==========================================================  ===========================================
beta        ``p ~ Beta(a, b)``                                           every question may be got right in the end
scaled      ``p = scale x``, ``x ~ Beta(a, b)``                          no question is ever certain
inflated    0 with chance ``zero``, 1 with chance ``one``, else Beta     some are hopeless, some cannot go wrong
==========  ==========================================================  ===========================================

Coverage (at least one of k attempts right) is ``1 - E(1 - p)^k``; for the beta family that is
``1 - B(a, b + k) / B(a, b)`` (Schaeffer et al. 2025, 2502.17578). The scaled family is theirs too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from thinkcap.policies.curves.quadrature import Array, beta_nodes, log_choose

__all__ = ["FAMILIES", "Family", "Rightness", "binomial"]

Family = Literal["beta", "scaled", "inflated"]

FAMILIES: tuple[Family, ...] = get_args(Family)

_MOST_NODES = 200
"""Exact up to 399 attempts a question, and close beyond."""


@dataclass(frozen=True, slots=True)
class Rightness:
    """The distribution over questions of the chance that one attempt is right.

    Attributes:
        family: see the table at the top of this module.
        a, b: of the Beta distribution; above 0.
        scale: the largest chance; above 0, at most 1 (1 but for the scaled family).
        zero, one: shares of questions that are never and always right (0 but for the inflated family).
    """

    family: Family
    a: float
    b: float
    scale: float = 1.0
    zero: float = 0.0
    one: float = 0.0

    @classmethod
    def read(cls, family: Family, vector: Sequence[float]) -> Rightness:
        """From numbers without bounds: log-odds of the Beta's mean, log of a + b, then the family's own.

        The scaled family adds the log-odds of its scale, the inflated one the logs of ``zero`` and ``one`` over
        the rest.
        """
        mean, size = _share(vector[0]), math.exp(min(max(vector[1], -12.0), 12.0))
        a, b = mean * size, (1 - mean) * size
        if family == "scaled":
            return cls(family, a, b, scale=_share(vector[2]))
        if family == "inflated":
            zero, one = math.exp(min(vector[2], 30.0)), math.exp(min(vector[3], 30.0))
            return cls(family, a, b, zero=zero / (1 + zero + one), one=one / (1 + zero + one))
        return cls(family, a, b)

    @property
    def mean(self) -> float:
        """Accuracy of one attempt."""
        return self.one + (1 - self.zero - self.one) * self.scale * self.a / (self.a + self.b)

    @property
    def solvable(self) -> float:
        """The share of questions that are got right at least once, however many attempts that takes."""
        return 1 - self.zero

    def nodes(self, count: int) -> tuple[Array, Array]:
        """Chances, ascending, and their weights (sum 1): exact for what ``2 count - 1`` attempts come to."""
        p, weights = beta_nodes(self.a, self.b, count)
        p = p * self.scale
        if self.zero or self.one:
            p = np.concatenate(([0.0], p, [1.0]))
            rest = 1 - self.zero - self.one
            weights = np.concatenate(([self.zero], rest * weights, [self.one]))
        return p, weights

    def coverage(self, attempts: ArrayLike) -> Array:
        """The chance that at least one of so many attempts at a random question is right."""
        k = np.asarray(attempts, dtype=np.float64)
        if self.family == "scaled":
            # beyond what is exact the integrand is a bump at 0, which more nodes follow closely
            p, weights = self.nodes(min(max(32, int(k.max()) // 2 + 1), _MOST_NODES))
            return 1 - np.exp(np.log1p(-p) * k[..., None]) @ weights
        a, b = self.a, self.b
        fixed = math.lgamma(a + b) - math.lgamma(b)
        miss = np.array([math.exp(math.lgamma(b + n) - math.lgamma(a + b + n) + fixed) for n in k.ravel().tolist()])
        return 1 - self.zero - (1 - self.zero - self.one) * miss.reshape(k.shape)

    def chance(self, right: ArrayLike, made: ArrayLike) -> Array:
        """The chance of exactly so many right ones among so many attempts at a random question."""
        c, n = np.asarray(right, dtype=np.int64), np.asarray(made, dtype=np.int64)
        if self.family == "scaled":
            p, weights = self.nodes(min(max(24, int(n.max(initial=0)) // 2 + 1), _MOST_NODES))
            return binomial(c, n, p) @ weights
        pairs = zip(n.ravel().tolist(), c.ravel().tolist(), strict=True)
        fixed = _log_beta(self.a, self.b)
        logs = [log_choose(*pair) + _log_beta(self.a + pair[1], self.b + pair[0] - pair[1]) - fixed for pair in pairs]
        mixed = (1 - self.zero - self.one) * np.exp(np.array(logs).reshape(n.shape))
        return np.asarray(mixed + self.zero * (c == 0) + self.one * (c == n))


def binomial(right: ArrayLike, made: ArrayLike, p: Array) -> Array:
    """The binomial chance of so many right ones at each chance p.  (..., len(p))"""
    c, n = np.asarray(right, dtype=np.int64), np.asarray(made, dtype=np.int64)
    pairs = zip(n.ravel().tolist(), c.ravel().tolist(), strict=True)
    ways = np.array([log_choose(*pair) for pair in pairs]).reshape(n.shape)
    inside = np.clip(p, 1e-300, 1 - 1e-16)
    hit, miss = np.log(inside), np.log1p(-inside)
    hit = np.where(p <= 0, -1e9, hit)  # one right attempt rules a chance of 0 out, and 0 x -1e9 is 0
    miss = np.where(p >= 1, -1e9, miss)
    chance: Array = np.exp(ways[..., None] + c[..., None] * hit + (n - c)[..., None] * miss)
    return chance


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _share(log_odds: float) -> float:
    return 1 / (1 + math.exp(-min(max(log_odds, -30.0), 30.0)))
