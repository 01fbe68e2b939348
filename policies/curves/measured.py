"""Figures of the recording itself, which a curve keeps for comparison."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from thinkcap.policies.curves.arm import How, Measured, around
from thinkcap.policies.curves.counts import Counts
from thinkcap.policies.curves.quadrature import Array, log_choose

__all__ = ["measure", "mode_right"]

_SOME = (1, 2, 3, 5, 8, 12, 20, 40, 80, 160, 320)


def measure(counts: Counts, arm: int, votes: bool, resampled: Array) -> tuple[Measured, ...]:
    """One attempt, coverage at up to as many attempts as every question has, and the vote of all of them.

    Args:
        counts: the attempts.
        arm: which.
        votes: whether its votes have a meaning.
        resampled: weights of the questions in each resampled set.  (draws, questions)
    """
    made, right = counts.made[arm], counts.right[arm]
    asked = made > 0
    fewest = int(made[asked].min())
    found = [
        _figure(counts, "verified", k, _coverage(right, made, k), asked, resampled)
        for k in sorted({*(k for k in _SOME if k < fewest), fewest})
    ]
    if votes and fewest > 1:
        voting = asked & counts.votes
        found.append(_figure(counts, "vote", fewest, mode_right(counts, arm), voting, resampled))
    return tuple(found)


def mode_right(counts: Counts, arm: int) -> Array:
    """1 where the most frequent answer is right, 0 where it is not, half where it is a tie.  (questions,)"""
    right, wrong = counts.right_votes[arm], counts.top[arm]
    found: Array = np.where(right > wrong, 1.0, np.where((right == wrong) & (right > 0), 0.5, 0.0))
    return found


def _coverage(right: NDArray[np.int64], made: NDArray[np.int64], k: int) -> Array:
    """``1 - C(n - c, k) / C(n, k)``: exact without drawing (Chen et al. 2021, 2107.03374, section 2.1)."""
    return np.array(
        [
            1.0 if n - c < k else 1 - np.exp(log_choose(n - c, k) - log_choose(n, k))
            for c, n in zip(right.tolist(), made.tolist(), strict=True)
        ]
    )


def _figure(
    counts: Counts, how: How, attempts: int, values: Array, used: NDArray[np.bool_], resampled: Array
) -> Measured:
    weights = resampled[:, used]
    drawn = (weights @ values[used]) / np.maximum(weights.sum(axis=1), 1e-9)
    return Measured(how, attempts, around(float(values[used].mean()), drawn, counts.groups(used)))
