"""One difficulty shared by all arms: failing at one says something about the others, and not more than it should.

A question's difficulty is ``b ~ Normal(0, 1)``. At each arm its chance of being right is a quantile of the arm's own
distribution: that of ``-(loading b + sqrt(1 - loading^2) e)``, with an ``e`` of its own for each arm and question (a
one-factor Gaussian copula; Vasicek 2002). So every arm keeps its distribution exactly, given b the arms are
independent, and the loading says how much of an arm's luck is the question's: 1 for an arm that ranks questions
just as the shared difficulty does, 0 for one that has nothing in common with the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from thinkcap.policies.curves.grid import CHANCES
from thinkcap.policies.curves.quadrature import DIFFICULTIES, Array, normal_cdf, normal_quantile
from thinkcap.policies.curves.rightness import binomial

__all__ = ["Belief", "coupling", "fit_loadings", "residual_correlation"]

_LOADINGS = (0.0, 0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.87, 0.92, 0.95, 0.98)
_ALL = 0.99  # from here on the own part is narrower than a cell of the difficulties, and is left out
_SWEEPS = 4
_FITTING = 30  # rounds in which the coupling is made to keep both distributions


def coupling(chances: Array, loading: float) -> Array:
    """How likely each chance of being right is at each difficulty.

    Args:
        chances: the arm's distribution over :data:`CHANCES`.  (chances,)
        loading: from 0 to 1.

    Returns:
        Rows sum to 1, and their mean over difficulties is the arm's distribution.  (difficulties, chances)
    """
    nodes, weights, below = DIFFICULTIES
    upto = np.concatenate(([0.0], np.cumsum(chances)))
    upto[-1] = 1.0
    if loading >= _ALL:
        low = np.maximum((1 - below[1:])[:, None], upto[:-1])
        high = np.minimum((1 - below[:-1])[:, None], upto[1:])
        shared = np.maximum(high - low, 0) / weights[:, None]
        rows: Array = shared / shared.sum(axis=1, keepdims=True)
        return rows
    edges = normal_quantile(upto)
    found = np.diff(normal_cdf((edges + loading * nodes[:, None]) / np.sqrt(1 - loading**2)), axis=1)
    found = np.maximum(found, 0)
    for _ in range(_FITTING):
        total = weights @ found
        found *= np.divide(chances, total, out=np.zeros_like(total), where=total > 0)
        found /= found.sum(axis=1, keepdims=True)
    return found


def fit_loadings(
    right: NDArray[np.int64], made: NDArray[np.int64], distributions: Sequence[Array]
) -> tuple[list[float], Array, float]:
    """The loadings that make the counts of all arms together most likely, one arm at a time until none changes.

    Args:
        right, made: (arms, questions)
        distributions: each arm's over :data:`CHANCES`.

    Returns:
        The loadings; the chance of each question's counts at each difficulty, up to a factor a question
            (questions, difficulties); and the log-likelihood.
    """
    weights = DIFFICULTIES[1]
    if len(distributions) == 1:
        alone = _likelihood(right[0], made[0], coupling(distributions[0], 1.0))
        return [1.0], alone, float(np.log(alone @ weights).sum())
    tables = [
        np.stack([_likelihood(right[arm], made[arm], coupling(chances, loading)) for loading in _LOADINGS])
        for arm, chances in enumerate(distributions)
    ]  # of (loadings, questions, difficulties)
    chosen = [_LOADINGS.index(0.87)] * len(tables)
    logs = sum(np.log(table[place]) for table, place in zip(tables, chosen, strict=True))
    for _ in range(_SWEEPS):
        before = list(chosen)
        for arm, table in enumerate(tables):
            others = logs - np.log(table[chosen[arm]])
            others -= others.max(axis=1, keepdims=True)
            told = np.log(np.einsum("qd,lqd,d->lq", np.exp(others), table, weights)).sum(axis=1)
            chosen[arm] = int(np.argmax(told))
            logs = others + np.log(table[chosen[arm]])
        if chosen == before:
            break
    largest = logs.max(axis=1, keepdims=True)
    joint: Array = np.exp(logs - largest)
    return [_LOADINGS[place] for place in chosen], joint, float((np.log(joint @ weights) + largest[:, 0]).sum())


def _likelihood(right: NDArray[np.int64], made: NDArray[np.int64], rows: Array) -> Array:
    """The chance of each question's counts at each difficulty.  (questions, difficulties)"""
    pairs, place = np.unique(np.stack([right, made], axis=1), axis=0, return_inverse=True)
    each = np.maximum(binomial(pairs[:, 0], pairs[:, 1], CHANCES) @ rows.T, 1e-300)
    found: Array = each[place.ravel()]
    return found


def residual_correlation(
    right: NDArray[np.int64], made: NDArray[np.int64], couplings: Sequence[Array], seed: int
) -> float:
    """How much more two arms have in common than the shared difficulty explains: near 0 where it explains all.

    The correlation of what is left of two arms' rates once the difficulty is estimated, less the same of data made by
    the fitted curve itself (what is left of an estimate is correlated even where the curve is true). Of all pairs the
    largest is returned; 0 for one arm.
    """
    if len(couplings) == 1:
        return 0.0
    recorded = _left(right, made, couplings)
    draws = np.random.default_rng(seed)
    expected = np.mean([_left(_make(made, couplings, draws), made, couplings) for _ in range(5)], axis=0)
    excess = (recorded - expected)[np.triu_indices(len(couplings), 1)]
    return float(excess[np.argmax(np.abs(excess))])


def _left(right: NDArray[np.int64], made: NDArray[np.int64], couplings: Sequence[Array]) -> Array:
    """The correlations of what is left.  (arms, arms)"""
    each = [_likelihood(right[arm], made[arm], rows) for arm, rows in enumerate(couplings)]
    weighted = np.prod([one / one.max(axis=1, keepdims=True) for one in each], axis=0) * DIFFICULTIES[1]
    posterior = weighted / weighted.sum(axis=1, keepdims=True)
    seen = made > 0
    rates = right / np.maximum(made, 1)
    left = np.where(seen, rates - np.stack([posterior @ (rows @ CHANCES) for rows in couplings]), 0)
    left = np.where(seen, left - left.sum(axis=1, keepdims=True) / np.maximum(seen.sum(axis=1, keepdims=True), 1), 0)
    scale = np.sqrt(np.maximum((left**2) @ seen.T, 1e-12))  # over the questions that both were asked
    found: Array = (left @ left.T) / (scale * scale.T)
    return found


def _make(made: NDArray[np.int64], couplings: Sequence[Array], draws: np.random.Generator) -> NDArray[np.int64]:
    """Counts of right ones as the curve would have them.  (arms, questions)"""
    questions = made.shape[1]
    inside: Array = DIFFICULTIES[2][1:-1]
    difficulty = inside.searchsorted(draws.random((questions,)))
    found = np.empty_like(made)
    for arm, rows in enumerate(couplings):
        upto = np.take(np.cumsum(rows, axis=1), difficulty, axis=0)  # (questions, chances)
        place = (upto < draws.random((questions,))[:, None]).sum(axis=1)
        found[arm] = draws.binomial(made[arm], CHANCES[np.minimum(place, len(CHANCES) - 1)])
    return found


class Belief:
    """What attempts so far say of a question's difficulty, from tables that are made once.

    Counts may be given for any of the arms: ``{"gpt-5-mini": (1, 3)}`` is one right of three. It is a few products of
    48 numbers: some microseconds.
    """

    def __init__(self, couplings: Mapping[str, Array]) -> None:
        self._couplings = dict(couplings)
        self._mean = {label: rows @ CHANCES for label, rows in couplings.items()}
        self._seen: dict[tuple[str, int, int], Array] = {}

    def posterior(self, counts: Mapping[str, tuple[int, int]]) -> Array:
        """The weight of each difficulty (sum 1), easiest first.  (difficulties,)"""
        weight = DIFFICULTIES[1]
        for label, (right, made) in counts.items():
            weight = weight * self._chance(label, right, made)
        found: Array = weight / weight.sum()
        return found

    def difficulty(self, counts: Mapping[str, tuple[int, int]]) -> float:
        """The question's expected difficulty, in standard deviations from the mean question."""
        return float(self.posterior(counts) @ DIFFICULTIES[0])

    def next_right(self, label: str, counts: Mapping[str, tuple[int, int]]) -> float:
        """The chance that one more attempt with an arm is right.

        Raises:
            KeyError: for an arm the curve does not have.
        """
        posterior = self.posterior(counts)
        if label not in counts:
            return float(posterior @ self._mean[label])
        right, made = counts[label]
        # C(n, c) is in both tables: a success more has C(n + 1, c + 1) ways, of which (c + 1) / (n + 1) end with it
        share = (right + 1) / (made + 1)
        again = self._chance(label, right + 1, made + 1) / self._chance(label, right, made)
        return float(posterior @ again) * share

    def _chance(self, label: str, right: int, made: int) -> Array:
        key = (label, right, made)
        found = self._seen.get(key)
        if found is None:
            found = np.maximum(self._couplings[label] @ binomial(right, made, CHANCES), 1e-300)
            self._seen[key] = found
        return found
