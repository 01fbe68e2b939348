"""The upper concave hull of policies as points of accuracy against mean cost.

The *Pareto set* is what no other policy beats in both. The *hull* is its upper concave part: between two of its
neighbours lies whatever a coin that chooses one of them for each question comes to (random mixing), so every point on
it can be had.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["hull", "pareto"]


def pareto(cost: Sequence[float], right: Sequence[float]) -> tuple[int, ...]:
    """The policies that no other beats: as cheap and more accurate, or as accurate and cheaper.

    Of several with equal figures the first is kept.

    Args:
        cost: mean cost of each.
        right: mean accuracy of each.

    Returns:
        Their places, from the cheapest to the dearest.
    """
    kept: list[int] = []
    for place in sorted(range(len(cost)), key=lambda place: (cost[place], -right[place], place)):
        if not kept or right[place] > right[kept[-1]]:
            kept.append(place)
    return tuple(kept)


def hull(cost: Sequence[float], right: Sequence[float]) -> tuple[int, ...]:
    """The corners of the upper concave hull of the Pareto set, from the cheapest to the dearest.

    Args:
        cost: mean cost of each.
        right: mean accuracy of each.
    """
    kept: list[int] = []
    for place in pareto(cost, right):
        while len(kept) > 1 and _is_below(kept[-2], kept[-1], place, cost, right):
            kept.pop()
        kept.append(place)
    return tuple(kept)


def _is_below(first: int, middle: int, last: int, cost: Sequence[float], right: Sequence[float]) -> bool:
    """The middle point is on or below the line between the others."""
    rise = (right[last] - right[first]) * (cost[middle] - cost[first])
    return (right[middle] - right[first]) * (cost[last] - cost[first]) <= rise
