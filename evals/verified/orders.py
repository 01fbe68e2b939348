"""In which order to buy attempts until one passes, and what the order knows of how hard the open questions are.

The rule is the index rule of searching for the cheapest success: next comes the attempt with the highest chance to pass
per dollar it is expected to cost. With chances that do not depend on what failed before it is the best order
there is (Weitzman 1979: boxes that hold the prize or nothing). Where questions differ in difficulty the chance is taken
on those that are still open, and the order is the greedy one of min-sum set cover (Feige, Lovasz and Tetali 2004). The
next attempt is bought while it is worth its price: all chains of an order are its beginnings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.verified.tries import Draws

__all__ = ["by_cost", "by_index"]

Floats = NDArray[np.float64]

_LIKE = 20.0
"""Questions that the belief before counts for, when chances are estimated on the questions that are still open."""
_FREE = 1e-12


def by_cost(draws: Sequence[Draws], seen: NDArray[np.int64]) -> tuple[int, ...]:
    """Every arm once, from the cheapest mean attempt to the dearest."""
    cost = [float(each.usd[0, seen].mean()) for each in draws]
    return tuple(sorted(range(len(draws)), key=cost.__getitem__))


def by_index(draws: Sequence[Draws], seen: NDArray[np.int64], *, correlated: bool) -> tuple[int, ...]:
    """Every attempt of every arm, by its chance to pass per dollar.

    Args:
        draws: the arms.
        seen: the questions to learn from.
        correlated: estimate chance and cost on the questions that the chain so far leaves open: they are harder, and
            harder for some arms than for others. Few are left, so the estimates are drawn towards what the arm does on
            all questions, with the chance made smaller by as much as that of all arms together is on the open ones. If
            False, an arm is as likely to pass as on all questions, whatever failed before.
    """
    right = np.array([1 - each.fails[1, seen] for each in draws])  # of the next attempt, if open  (arms, seen)
    usd = np.array([each.usd[0, seen] for each in draws])
    all_right, all_usd = right.mean(axis=1), usd.mean(axis=1)  # (arms,)
    used, most = np.zeros(len(draws), dtype=np.int64), np.array([each.most for each in draws])
    open_ = np.ones(len(seen))
    steps: list[int] = []
    while (left := np.flatnonzero(used < most)).size:
        chance, cost = all_right[left], all_usd[left]
        if correlated:
            still = float(open_.sum())
            passes = right[left] @ open_
            harder = passes.sum() / max(still * chance.sum(), _FREE)
            chance = (passes + _LIKE * harder * chance) / (still + _LIKE)
            cost = (usd[left] @ open_ + _LIKE * cost) / (still + _LIKE)
        arm = int(left[int((chance / np.maximum(cost, _FREE)).argmax())])
        steps.append(arm)
        used[arm] += 1
        open_ *= 1 - right[arm]
        if used[arm] < most[arm]:
            before, after = draws[arm].fails[used[arm] : used[arm] + 2, seen]
            right[arm] = 1 - np.divide(after, before, out=np.ones(len(seen)), where=before > 0)
            usd[arm] = draws[arm].usd[used[arm], seen]
    return tuple(steps)
