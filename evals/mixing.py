"""Meeting a mean budget on questions held back: what curve.policy(mean_usd=) does, measured by cross-fitting.

In each fold the menu's policies lie somewhere by accuracy and cost on the questions that choose. Any mean budget
between the cheapest and the dearest on their concave hull is met there by mixing two neighbours. Choosing at a price
instead jumps from one corner to the next, at a price that differs from fold to fold: the folds then jump by their luck,
which costs accuracy where the hull is nearly straight.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.crossfit import Crossfit, Menu, dealt
from thinkcap.policies.hull import hull

__all__ = ["budgets_between", "crossfit_mixed", "mixed"]

Floats = NDArray[np.float64]

_BUDGETS = 80
_BELOW = 0.8  # so that every fold takes its cheapest there
_LEAST = 1e-9  # dollars


def mixed(accuracy: Floats, usd: Floats, budgets: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """For each budget the two neighbours on the hull that meet it, the first one's share, and the price there.

    Args:
        accuracy, usd: means of the candidates.  (candidates,) each
        budgets: rising.  (budgets,)

    Returns:
        Their places (2, budgets); the share of the first (budgets,), 1 below the cheapest and beyond the dearest; and
        the dollars that one more right answer costs there (budgets,), 0 at the cheapest, infinite beyond the dearest.
    """
    corners = np.array(hull(usd.tolist(), accuracy.tolist()), dtype=np.int64)
    cost, right = usd[corners], accuracy[corners]
    after = np.searchsorted(cost, budgets)  # the corner that is at least as dear
    low, high = np.clip(after - 1, 0, None), np.clip(after, None, len(corners) - 1)
    gap = cost[high] - cost[low]
    share = np.divide(cost[high] - budgets, gap, out=np.ones(len(budgets)), where=gap > 0)
    rise = right[high] - right[low]
    price = np.divide(gap, rise, out=np.where(after == 0, 0.0, np.inf), where=rise > 0)
    return np.stack([corners[low], corners[high]]), share, price


def budgets_between(usd: Floats) -> Floats:
    """Mean budgets from below the cheapest policy to the dearest, evenly in logarithm.

    Args:
        usd: of each policy at each question.  (policies, questions)
    """
    means = np.maximum(usd.mean(axis=1), _LEAST)
    return np.geomspace(_BELOW * means.min(), means.max(), _BUDGETS)


def crossfit_mixed(
    menu_of: Callable[[NDArray[np.int64]], Menu],
    questions: int,
    budgets: Floats,
    worths: Floats,
    *,
    classes: int,
    folds: int = 5,
    repeats: int = 20,
    seed: int = 0,
    taken: NDArray[np.int64] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Crossfit:
    """Mix on all folds but one to meet each budget, measure on that one, and so on round.

    Args:
        menu_of, questions, classes, folds, repeats, seed, progress: as
            :func:`thinkcap.evals.crossfit.crossfit_fitted` takes them.
        budgets: mean dollars a question, rising.
        taken: places of the candidates that may be mixed in each fold, such as those chosen at some price by the same
            dealing; None for all.  (folds, any)
        worths: the prices between which a budget's own price, the median over folds, is shown.

    Returns:
        One point a budget, at its own price.

    Raises:
        BadInput: if there are fewer questions than folds, or options outside their range.
    """
    means = np.zeros((4, len(budgets), questions))
    counted = np.zeros((len(budgets), classes))
    optimism = np.zeros((2, len(budgets)))
    found: list[Floats] = []
    first: NDArray[np.int64] = np.zeros(questions, dtype=np.int64)
    every = np.arange(len(budgets))
    for done, (seen, held) in enumerate(dealt(questions, folds=folds, repeats=repeats, seed=seed)):
        if done < folds:
            first[held] = done
        menu = menu_of(seen)
        on_seen = menu.figures[:2, :, seen].mean(axis=2)  # (2, candidates)
        may = np.arange(len(menu.levels)) if taken is None else np.unique(taken[done])
        places, share, price = mixed(on_seen[0][may], on_seen[1][may], budgets)
        places = may[places]
        found.append(price)
        for place, part in zip(places, (share, 1 - share), strict=True):
            here = menu.figures[:, place][:, :, held]  # (4, budgets, held)
            means[:, :, held] += part[:, None] * here
            np.add.at(counted, (every, menu.levels[place]), part)
            optimism += part * (on_seen[:, place] - here[:2].mean(axis=2))
        if progress is not None and (done + 1) % folds == 0:
            progress((done + 1) // folds, repeats)
    right, spent, written, asked = means / repeats
    shown = np.clip(np.median(found, axis=0), worths[0], worths[-1])
    none = np.empty((0, 0), dtype=np.int64)
    return Crossfit(shown, right, spent, written, asked, first, counted, optimism / (folds * repeats), none)
