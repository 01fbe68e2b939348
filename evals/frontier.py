"""Policies as points of accuracy against cost: which of them are worth having, and what lies between them.

The *Pareto set* is what no other policy beats in both. The *hull* is its upper concave part: between two of its
neighbours lies whatever a coin that chooses one of them for each question comes to (random mixing), so every point on
it can be had. Below the cheapest policy there is nothing; above the dearest, money buys nothing more.
"""

from __future__ import annotations

from math import inf, log, nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thinkcap.policies import hull as corners
from thinkcap.policies.errors import BadInput

__all__ = ["accuracy_at", "aiq", "hull", "log_area", "pareto", "usd_at"]

Floats = NDArray[np.float64]


def pareto(usd: ArrayLike, accuracy: ArrayLike) -> tuple[int, ...]:
    """The policies that no other beats: as cheap and more accurate, or as accurate and cheaper.

    Of several with equal figures the first is kept.

    Args:
        usd: mean cost of each.  (policies,)
        accuracy: mean accuracy of each.  (policies,)

    Returns:
        Their places, from the cheapest to the dearest.
    """
    cost, right = _points(usd, accuracy)
    return corners.pareto(cost.tolist(), right.tolist())


def hull(usd: ArrayLike, accuracy: ArrayLike) -> tuple[int, ...]:
    """The corners of the upper concave hull of the Pareto set.

    Args:
        usd: mean cost of each.  (policies,)
        accuracy: mean accuracy of each.  (policies,)

    Returns:
        Their places, from the cheapest to the dearest.
    """
    cost, right = _points(usd, accuracy)
    return corners.hull(cost.tolist(), right.tolist())


def accuracy_at(usd: ArrayLike, accuracy: ArrayLike, budget: float) -> float:
    """The accuracy that mixing neighbours on the hull comes to at a mean cost; NaN below the cheapest policy."""
    cost, right = _corners(usd, accuracy)
    return nan if budget < cost[0] else float(np.interp(budget, cost, right))


def usd_at(usd: ArrayLike, accuracy: ArrayLike, target: float) -> float:
    """The mean cost at which mixing reaches an accuracy; infinite above the best policy's."""
    cost, right = _corners(usd, accuracy)
    return inf if target > right[-1] else float(np.interp(target, right, cost))


def aiq(usd: ArrayLike, accuracy: ArrayLike, low: float, high: float) -> float:
    """Average accuracy of the hull over a range of mean costs (RouterBench's AIQ; Hu et al. 2024, 2403.12031, sec. 3).

    The range is the caller's, the same for all that are compared. Each hull is continued at the accuracy of its dearest
    policy; where it begins above ``low``, it counts as nothing up to there.

    Args:
        usd, accuracy: mean figures of each policy.  (policies,)
        low, high: the range, in dollars a question.

    Raises:
        BadInput: if the range is empty.
    """
    _check_range(low, high, least=0)
    return _area(usd, accuracy, low, high, lambda a, b, start, end: a * (end - start) + b * (end**2 - start**2) / 2) / (
        high - low
    )


def log_area(usd: ArrayLike, accuracy: ArrayLike, low: float, high: float) -> float:
    """The same average over the logarithm of the cost, where every factor of cost counts alike.

    Raises:
        BadInput: if the range is empty, or does not begin above zero.
    """
    _check_range(low, high, least=None)
    return _area(usd, accuracy, low, high, lambda a, b, start, end: a * log(end / start) + b * (end - start)) / log(
        high / low
    )


def _area(usd: ArrayLike, accuracy: ArrayLike, low: float, high: float, piece: object) -> float:
    """The integral of the hull, piece by piece; on each the accuracy is ``a + b * cost``."""
    cost, right = _corners(usd, accuracy)
    total = 0.0
    ends = [*cost[1:].tolist(), inf]
    for place, (start, end) in enumerate(zip(cost.tolist(), ends, strict=True)):
        first, last = max(start, low), min(end, high)
        if first < last:
            flat = place == len(cost) - 1
            slope = 0.0 if flat else float((right[place + 1] - right[place]) / (cost[place + 1] - cost[place]))
            total += piece(float(right[place]) - slope * start, slope, first, last)  # type: ignore[operator]
    return total


def _check_range(low: float, high: float, *, least: float | None) -> None:
    if not (low < high < inf) or (low <= 0 if least is None else low < least):
        raise BadInput(f"a range of costs must rise and be positive, not {low!r} to {high!r}")


def _corners(usd: ArrayLike, accuracy: ArrayLike) -> tuple[Floats, Floats]:
    cost, right = _points(usd, accuracy)
    places = list(hull(cost, right))
    return cost[places], right[places]


def _points(usd: ArrayLike, accuracy: ArrayLike) -> tuple[Floats, Floats]:
    cost, right = np.asarray(usd, dtype=np.float64), np.asarray(accuracy, dtype=np.float64)
    if cost.ndim != 1 or cost.shape != right.shape or not len(cost):
        raise BadInput("a frontier needs one cost and one accuracy a policy, and at least one policy")
    if not (np.isfinite(cost).all() and np.isfinite(right).all()):
        raise BadInput("a frontier needs finite figures: leave out policies that have none")
    return cost, right
