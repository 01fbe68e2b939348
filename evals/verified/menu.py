"""Chains to choose from, fitted on some questions, in nested classes.

===== ==========================================================================================
class what it adds
===== ==========================================================================================
0     one call at one arm
1     one arm until it passes
2     the cheapest arms, cheapest first, until one passes
3     arms by chance per dollar, as if a failure said nothing of the question
4     arms by chance per dollar on the questions that the chain leaves open
===== ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.crossfit import Menu
from thinkcap.evals.verified.orders import by_cost, by_index
from thinkcap.evals.verified.tries import Draws, walked

__all__ = ["CLASSES", "NAMES", "Steps", "chains"]

NAMES = (
    "one call at one arm",
    "one arm until it passes",
    "the cheapest arms, cheapest first",
    "by chance per dollar, as if failures said nothing",
    "by chance per dollar on what is still open",
)
CLASSES = len(NAMES)

Steps = tuple[int, ...]
"""A chain: the arm of each attempt, by its place."""

_ALL_TO = 24
_GROWTH = 1.1


def chains(draws: Sequence[Draws], seen: NDArray[np.int64]) -> tuple[list[Steps], Menu]:
    """The chains fitted on these questions, and what each comes to at every question.

    Args:
        draws: the arms.
        seen: places of the questions to learn from.
    """
    found: list[Steps] = []
    levels: list[int] = []
    figures: list[NDArray[np.float64]] = []
    known: set[Steps] = set()
    for level, order in _orders(draws, seen):
        walk = walked(draws, order)
        for length in _lengths(len(order)):
            if order[:length] not in known:
                known.add(order[:length])
                found.append(order[:length])
                levels.append(level)
                at = length - 1
                figures.append(np.array([walk.accuracy[at], walk.usd[at], walk.tokens[at], walk.attempts[at]]))
    return found, Menu(np.array(levels, dtype=np.int64), np.stack(figures, axis=1))


def _orders(draws: Sequence[Draws], seen: NDArray[np.int64]) -> Iterator[tuple[int, Steps]]:
    for arm in range(len(draws)):
        yield 0, (arm,)
    for arm, each in enumerate(draws):
        yield 1, (arm,) * each.most
    yield 2, by_cost(draws, seen)
    yield 3, by_index(draws, seen, correlated=False)
    yield 4, by_index(draws, seen, correlated=True)


def _lengths(most: int) -> list[int]:
    """Where a chain may end: at every attempt, and in longer ones at every tenth part more."""
    found = list(range(1, min(most, _ALL_TO) + 1))
    while found[-1] < most:
        found.append(min(most, int(np.ceil(found[-1] * _GROWTH))))
    return found
