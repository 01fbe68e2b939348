"""What each class of policy added: the same cross-fitting with the classes up to it, compared at equal cost.

Costs are spread evenly in logarithm from the cheapest single call to the dearest of what the whole menu came to. At
each, neighbours in cost are mixed; what is more than the dearest of a menu stays unspent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.comparison import Field
from thinkcap.evals.crossfit import Crossfit, Menu
from thinkcap.evals.ours import ours_of
from thinkcap.evals.results import Replay
from thinkcap.evals.statistics import Interval

__all__ = ["Added", "ablated", "up_to"]

Floats = NDArray[np.float64]

_COSTS = 25


@dataclass(frozen=True, slots=True)
class Added:
    """The menu up to one class.

    Attributes:
        name: what the class adds.
        accuracy: mean over the costs, 0 to 1.
        gain: how much more than up to the class before, in the mean over the costs; None for the first.
        usd: the costs.
        at: accuracy at each of them.
        dearest_usd: what the dearest of it came to.
    """

    name: str
    accuracy: Interval
    gain: Interval | None
    usd: tuple[float, ...]
    at: tuple[float, ...]
    dearest_usd: float


def up_to(menu: Menu, level: int) -> Menu:
    """The menu without the classes beyond one."""
    kept = np.flatnonzero(menu.levels <= level)
    return Menu(menu.levels[kept], menu.figures[:, kept])


def ablated(
    found: Sequence[tuple[str, Crossfit]],
    like: Replay,
    *,
    replicates: int = 2000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Added, ...]:
    """What each class added.

    Args:
        found: the name of each class, and the cross-fitting of the menu up to it; the whole menu last.
        like: a replay of the same questions; the cheapest single call.
        replicates, seed: of the samples of questions.
        progress: told of classes done and of all.
    """
    paths = [ours_of(like, each) for _, each in found]
    field = Field([each for path in paths for each in path], replicates=replicates, seed=seed)
    starts = np.cumsum([0, *map(len, paths)])
    least = float(like.usd.mean())
    dearest = [max(float(each.usd.mean()) for each in path) for path in paths]
    costs = np.geomspace(max(least, 1e-12), max(dearest[-1], least, 1e-12), _COSTS)
    added: list[Added] = []
    before: tuple[float, Floats] | None = None
    for place, (name, _) in enumerate(found):
        mine = slice(starts[place], starts[place + 1])
        at = _path(field.usd[mine].mean(axis=1), field.accuracy[mine].mean(axis=1), costs)
        samples = np.array(
            [
                _path(field.costs[mine, sample], field.accuracies[mine, sample], costs).mean()
                for sample in range(replicates)
            ]
        )
        mean = float(at.mean())
        gain = None
        if before is not None:
            gain = field.resamples.interval(mean - before[0], samples - before[1])
        accuracy = field.resamples.interval(mean, samples)
        added.append(Added(name, accuracy, gain, tuple(costs.tolist()), tuple(at.tolist()), dearest[place]))
        before = mean, samples
        if progress is not None:
            progress(place + 1, len(found))
    return tuple(added)


def _path(costs: Floats, rights: Floats, at: Floats) -> Floats:
    order = np.argsort(costs, kind="stable")
    return np.asarray(np.interp(at, costs[order], rights[order]), dtype=np.float64)
