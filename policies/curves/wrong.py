"""The shape of wrong answers, and what a vote makes of it.

A question's wrong answers form a random partition after Ewens (1972) with a concentration t: the next wrong answer
repeats an earlier one in proportion to that one's votes, and is a new one with chance ``t / (t + wrong so far)``. Small
t: one wrong answer draws nearly all of them, and beats the right one where that is rarer. Large t: wrong answers
scatter, and the right one wins with few votes. How t varies over questions is fitted; see
:mod:`thinkcap.policies.curves.mass`.

Everything here is exact. With ``c_m(x)`` the coefficient of z^m in ``exp(t sum over i < x of z^i / i)``, the chance
that m wrong answers leave none with x votes or more is ``c_m(x) / c_m(infinity)`` (the cycle index of the Ewens
distribution; Arratia, Barbour and Tavare 2003, section 2.1).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from thinkcap.policies.curves.cutting import kept
from thinkcap.policies.curves.grid import CHANCES, CROWDING
from thinkcap.policies.curves.quadrature import Array
from thinkcap.policies.curves.rightness import binomial

__all__ = ["limit_table", "top_chance", "top_share", "vote_table", "win_table"]

_MANY = 400
"""Wrong answers at which shares are as good as those of infinitely many."""


def top_chance(votes: NDArray[np.int64], top: NDArray[np.int64]) -> Array:
    """The chance that the most frequent of so many wrong answers has so many votes; 1 for no wrong answers.

    Of more than 400 wrong answers only the share of the most frequent counts, as if it were that of 400.

    Args:
        votes, top: wrong answers, and votes of the most frequent among them.  (rows,)

    Returns:
        One number for each value of :data:`CROWDING`.  (rows, crowding)
    """
    many = votes > _MANY
    top = np.where(many, np.maximum(np.rint(top * (_MANY / np.maximum(votes, 1))), 1), top).astype(np.int64)
    votes = np.where(many, _MANY, votes)
    below = _coefficients(int(votes.max(initial=0)))  # (crowding, x, m)
    found: Array = ((below[:, top + 1, votes] - below[:, top, votes] * (votes > 0)) / below[:, -1, votes]).T
    return np.clip(found, 1e-300, 1)


@lru_cache(maxsize=32)
def win_table(attempts: int) -> Array:
    """The chance that x right votes win against m wrong ones; a tie of j answers counts 1/j.

    Returns:
        For each crowding, x and m up to ``attempts``.  (crowding, attempts + 1, attempts + 1)
    """
    below = _coefficients(attempts)  # (crowding, x, m)
    size = attempts + 1
    every = below[:, size]
    wins = np.zeros((len(CROWDING), size, size))
    for x in range(1, size):
        for ties in range(attempts // x + 1):
            share = np.exp(ties * np.log(CROWDING / x) - math.lgamma(ties + 1)) / (1 + ties)
            wins[:, x, ties * x :] += share[:, None] * below[:, x, : size - ties * x] / every[:, ties * x :]
    return wins


@lru_cache(maxsize=256)
def vote_table(attempts: int, silent: float, finish: float = 1.0, lean: float = 0.0) -> Array:
    """The chance that a vote over so many attempts is right, at each chance of being right and each crowding.

    Args:
        attempts: how many are made, at least 1.
        silent: share of the attempts that are not right which bring no answer at all.
        finish, lean: who is cut before its answer (:func:`thinkcap.policies.curves.cutting.kept`).

    Returns:
        (chances, crowding)
    """
    wins = win_table(attempts)
    right_kept, wrong_kept = kept(finish, lean)
    right = CHANCES * right_kept
    voting = right + (1 - CHANCES) * (1 - silent) * wrong_kept
    among = np.divide(right, voting, out=np.zeros_like(right), where=voting > 0)
    voters = binomial(np.arange(attempts + 1), np.full(attempts + 1, attempts), voting)  # (voters, chances)
    found = np.zeros((len(CHANCES), len(CROWDING)))
    for n in range(1, attempts + 1):
        if voters[n].max() > 1e-12:
            x = np.arange(n + 1)
            chance = binomial(x, np.full(n + 1, n), among)  # (x, chances)
            found += voters[n][:, None] * (chance.T @ wins[:, x, n - x].T)
    return found


@lru_cache(maxsize=64)
def limit_table(silent: float) -> Array:
    """The same for endlessly many attempts: the right answer is the most frequent one.  (chances, crowding)"""
    shares = np.arange(_MANY + 1) / _MANY
    found = np.empty((len(CHANCES), len(CROWDING)))
    wrong = (1 - CHANCES) * (1 - silent)
    needed = np.divide(CHANCES, wrong, out=np.ones_like(wrong), where=wrong > 0)
    for place, largest in enumerate(_largest()):
        found[:, place] = np.interp(np.minimum(needed, 1), shares, largest)
    found[needed >= 1] = 1
    return found


@lru_cache(maxsize=1)
def top_share() -> Array:
    """The expected share of the most frequent wrong answer among all wrong ones.  (crowding,)"""
    return np.asarray(1 - _largest()[:, :-1].mean(axis=1), dtype=np.float64)


@lru_cache(maxsize=1)
def _largest() -> Array:
    """The chance that the largest share is below each multiple of 1/400.  (crowding, 401)"""
    below = _coefficients(_MANY)
    return np.asarray(below[:, :-1, _MANY] / below[:, -1:, _MANY])


def _coefficients(most: int) -> Array:
    """``c_m(x)`` for x and m from 0: by ``m c_m = t (c_(m-1) + ... + c_(m-x+1))``.  (crowding, most + 2, most + 1)"""
    size = most + 2
    found = np.zeros((len(CROWDING), size, most + 1))
    found[:, :, 0] = 1
    sums = np.zeros((len(CROWDING), size, most + 2))  # of the coefficients before each m
    sums[:, :, 1] = 1
    x = np.arange(size)
    for m in range(1, most + 1):
        first = np.maximum(m - x + 1, 0)
        recent = sums[:, :, m] - np.take_along_axis(sums, np.broadcast_to(first, sums.shape[:2])[..., None], 2)[..., 0]
        found[:, :, m] = np.where(x > 1, CROWDING[:, None] * recent / m, 0)
        sums[:, :, m + 1] = sums[:, :, m] + found[:, :, m]
    return found
