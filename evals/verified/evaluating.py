"""Evaluating with a perfect verifier: chains fitted and chosen by cross-fitting, beside baselines and the oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.ablation import Added, ablated, up_to
from thinkcap.evals.crossfit import Crossfit, Menu, crossfit_fitted, prices
from thinkcap.evals.evaluating import regret_places
from thinkcap.evals.evaluation import Evaluation, beside
from thinkcap.evals.mixing import budgets_between, crossfit_mixed
from thinkcap.evals.ours import ours_of
from thinkcap.evals.recording import Recording
from thinkcap.evals.regret import Regret, best_in_hindsight, oracle_value
from thinkcap.evals.results import Replay
from thinkcap.evals.verified.exactly import exact_replay, oracle
from thinkcap.evals.verified.menu import CLASSES, NAMES, Steps, chains
from thinkcap.evals.verified.orders import by_cost
from thinkcap.evals.verified.perfect import PERFECT, perfectly_verified
from thinkcap.evals.verified.tries import Draws, draws_of

__all__ = ["evaluate_verified"]

MenuOf = Callable[[NDArray[np.int64]], Menu]
"""A menu fitted on some questions."""

_CHEAPEST = (2, 3, 5, 8)
_TIMES = (3, 5, 8, 15, 40)


def evaluate_verified(
    recording: Recording,
    arms: Sequence[str] | None = None,
    *,
    folds: int = 5,
    repeats: int = 20,
    replicates: int = 2000,
    seed: int = 0,
    ablation: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Evaluation:
    """What chains come to where correctness is used as a perfect verifier, on questions they were not fitted on.

    In each fold, orders of the arms are fitted on the training questions. A mean budget is met by mixing neighbours on
    the hull that the chains have there, and measured on the fold. For the regrets the chain with the highest value at a
    price is taken, of the simplest class within one standard error. All figures are exact over the orders in which an
    arm's attempts may come.

    Args:
        recording: the attempts, every question asked with every arm (``load_recording(..., intersect=True)``); load it
            with ``runs_apart=True`` where an arm was recorded in several runs.
        arms: labels of the arms; None for all.
        folds, repeats: parts of the questions, and how often they are dealt anew.
        replicates: samples of questions, for the intervals.
        seed: of folds and samples.
        ablation: also say what each class of policy added.
        progress: told what is done, how much of it, and of how much.

    Raises:
        BadInput: if a question was not asked with an arm, or as :func:`thinkcap.evals.crossfit.crossfit`.
    """

    def told(what: str) -> Callable[[int, int], None] | None:
        return None if progress is None else lambda done, total: progress(what, done, total)

    judged = perfectly_verified(recording)
    labels = [arm.label for arm in recording.arms] if arms is None else [recording.find_arm(a).label for a in arms]
    draws = draws_of(judged, labels)
    questions = len(judged.questions)
    others = [exact_replay(judged, draws, steps, name) for name, steps in _baselines(draws)]
    fixed = others[: len(draws)]
    usd = np.array([each.usd for each in others])
    worths, budgets = prices(usd), budgets_between(usd)

    def menu_of(seen: NDArray[np.int64]) -> Menu:
        return chains(draws, seen)[1]

    def mix(menu: MenuOf, progress: Callable[[int, int], None] | None = None) -> Crossfit:
        return crossfit_mixed(
            menu,
            questions,
            budgets,
            worths,
            classes=CLASSES,
            folds=folds,
            repeats=repeats,
            seed=seed,
            progress=progress,
        )

    priced = crossfit_fitted(
        menu_of,
        questions,
        worths,
        classes=CLASSES,
        folds=folds,
        repeats=repeats,
        seed=seed,
        progress=told("choosing"),
    )
    found = mix(menu_of, told("mixing"))
    ours = ours_of(others[0], found)
    best = max(range(len(fixed)), key=lambda place: (fixed[place].accuracy.mean(), -fixed[place].usd.mean()))
    matches, against = beside(others, ours, best=best, replicates=replicates, seed=seed, progress=told("comparing"))
    known = oracle(judged, labels)
    added: tuple[Added, ...] = ()
    if ablation:
        parts = [(name, mix(menu)) for name, menu in _parts(draws)]
        cheapest = min(fixed, key=lambda each: float(each.usd.mean()))
        added = ablated(parts, cheapest, replicates=replicates, seed=seed, progress=told("leaving out"))
    return Evaluation(
        tuple(others),
        tuple(ours),
        found,
        matches,
        tuple(_regrets(priced, fixed, known)),
        questions,
        (*judged.notes, *_uneven(judged, draws)),
        against,
        known,
        PERFECT,
        added,
    )


def _baselines(draws: Sequence[Draws]) -> list[tuple[str, Steps]]:
    """Each arm once, each arm until it passes, and the cheapest arms, cheapest first."""
    found: list[tuple[str, Steps]] = [(f"fixed {each.label}", (arm,)) for arm, each in enumerate(draws)]
    for arm, each in enumerate(draws):
        times = sorted({min(count, each.most) for count in _TIMES} - {1})
        found += [(f"until passed:{count} {each.label}", (arm,) * count) for count in times]
    cheapest = by_cost(draws, np.arange(draws[0].fails.shape[1]))
    if len(draws) > 1:
        counts = sorted({min(count, len(draws)) for count in (*_CHEAPEST, len(draws))})
        found += [(f"cheapest first:{count}", cheapest[:count]) for count in counts]
    return found


def _parts(draws: Sequence[Draws]) -> Iterator[tuple[str, MenuOf]]:
    """The menu up to each class, by what the class adds; none for repeats where every arm was asked once."""
    for level, name in enumerate(NAMES):
        if level != 1 or any(each.most > 1 for each in draws):
            yield name, partial(_part, draws, level)


def _part(draws: Sequence[Draws], level: int, seen: NDArray[np.int64]) -> Menu:
    return up_to(chains(draws, seen)[1], level)


def _uneven(recording: Recording, draws: Sequence[Draws]) -> list[str]:
    """Which arms have more attempts at some questions than are bought of them."""
    said = []
    for each in draws:
        mine = recording.arm == recording.arms.index(recording.find_arm(each.label))
        made = int(np.bincount(recording.question[mine]).max())
        if made > each.most:
            said.append(f"{each.label} ({each.most} of up to {made})")
    if not said:
        return []
    return [f"no more attempts of an arm are bought than every question has: {', '.join(said)}"]


def _regrets(found: Crossfit, fixed: Sequence[Replay], known: Replay) -> list[Regret]:
    """Against the best arm in hindsight, and against the oracle, who may also buy nothing."""
    usd, right = np.array([each.usd for each in fixed]), np.array([each.accuracy for each in fixed])
    nothing = np.zeros_like(known.usd)
    bound = np.array([known.usd, nothing]), np.array([known.accuracy, nothing])
    regrets = []
    for place in regret_places(found):
        worth = float(found.worths[place])
        value = float((found.accuracy[place] * worth - found.usd[place]).mean())
        hindsight = best_in_hindsight(usd, right, worth)
        best = float((right[hindsight] * worth - usd[hindsight]).mean())
        regrets.append(Regret(worth, value, best - value, oracle_value(*bound, worth) - value))
    return regrets
