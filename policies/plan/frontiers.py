"""At which accuracies two options cost the same: where their frontiers cross."""

from __future__ import annotations

from itertools import pairwise

from thinkcap.policies.plan.option import Option
from thinkcap.policies.plan.reach import reach
from thinkcap.policies.plan.total import total_of

__all__ = ["same_accuracies"]

_STEPS = 400  # accuracies between which a crossing is looked for
_CLOSE = 1e-9


def same_accuracies(one: Option, other: Option, demand: float, max_seconds: float | None = None) -> tuple[float, ...]:
    """Accuracies at which two options cost the same at a demand, ascending.

    Found by halving between neighbours of a grid of 1/400 at which the cheaper one changes; where one takes over at a
    jump (a point of its own begins), that place counts too.

    Args:
        one, other: ways to answer.
        demand: questions a month.
        max_seconds: the longest a question may take.
    """

    def gap(accuracy: float) -> float | None:
        efforts = [reach(option, accuracy, max_seconds=max_seconds) for option in (one, other)]
        if efforts[0] is None or efforts[1] is None:
            return None
        return total_of(one, efforts[0].work).usd(demand) - total_of(other, efforts[1].work).usd(demand)

    seen = [(step / _STEPS, gap(step / _STEPS)) for step in range(1, _STEPS)]
    found = []
    for (low, before), (high, after) in pairwise(seen):
        if before is not None and after is not None and before * after < 0:
            while high - low > _CLOSE:
                middle = (low + high) / 2
                low, high = (low, middle) if (gap(middle) or 0.0) * before <= 0 else (middle, high)
            found.append((low + high) / 2)
    return tuple(found)
