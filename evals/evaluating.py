"""Evaluating honestly: the policy that would have been chosen, on questions it never saw, beside every baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.ablation import Added, ablated, up_to
from thinkcap.evals.crossfit import Crossfit, Menu, crossfit_fitted, graded_by_all, menu_of, prices
from thinkcap.evals.evaluation import Evaluation, beside
from thinkcap.evals.menu import menu
from thinkcap.evals.mixing import budgets_between, crossfit_mixed
from thinkcap.evals.ours import ours_of
from thinkcap.evals.recording import Recording
from thinkcap.evals.regret import Regret, regret
from thinkcap.evals.replay import sweep
from thinkcap.evals.results import Replay
from thinkcap.policies.cascade import Cascade
from thinkcap.policies.policy import Policy
from thinkcap.policies.rules import Vote
from thinkcap.policies.spec import parse_policy

__all__ = ["baselines", "evaluate", "regret_places"]

_RULES = (
    "lead:2",
    "lead:3",
    "lead:4",
    "adaptive-consistency:0.8",
    "adaptive-consistency:0.9",
    "adaptive-consistency:0.95",
)
_WINDOWS = (3, 5)
_VOTES = (3, 5, 8, 15, 40)
_CLASSES = (
    "one call at one arm",
    "votes of a fixed size",
    "first to lead by k",
    "arms in turn, with vote weights",
    "short attempts count less, dear questions need a smaller lead",
)
_WITH_VOTES = (0, 2, 3, 4)  # the menu's classes, where votes of a fixed size are a class of their own
_PRICES = 25


def baselines(recording: Recording, arms: Sequence[str]) -> list[tuple[str, Policy]]:
    """Every baseline that these arms allow: single calls, votes, the rules that stop a vote early, a cascade.

    Raises:
        BadInput: if an arm has so few attempts that a rule cannot be played.
    """
    found = [(f"fixed {arm}", parse_policy("fixed", arm)) for arm in arms]
    if not recording.comparable.any():
        return found
    for arm in arms:
        most = recording.fewest(arm)
        if most == 1:
            continue
        found += [(f"vote:{k} {arm}", parse_policy(f"vote:{k}", arm)) for k in sorted({min(k, most) for k in _VOTES})]
        found += [(f"{rule} {arm}", parse_policy(rule, arm, most=most)) for rule in _RULES]
        found += [(f"esc:{w} {arm}", parse_policy(f"esc:{w}", arm, most=most)) for w in _WINDOWS if w <= most]
    if len(arms) > 1:
        rungs = tuple((arm, min(3, recording.fewest(arm))) for arm in arms)
        found.append((f"cascade {' > '.join(arms)}", Cascade(rungs, 0.6)))
    return found


def evaluate(
    recording: Recording,
    arms: Sequence[str] | None = None,
    *,
    folds: int = 5,
    repeats: int = 20,
    permutations: int = 100,
    replicates: int = 2000,
    seed: int = 0,
    ablation: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Evaluation:
    """Choose policies from the menu by cross-fitting, and hold them against every baseline.

    Args:
        recording: the attempts.
        arms: labels of the arms, cheapest first; None for all.
        folds, repeats: parts of the questions, and how often they are dealt anew.
        permutations: orders of each question.
        replicates: samples of questions, for the intervals.
        seed: of orders, folds and samples.
        ablation: also say what each class of policy added, with votes of a fixed size as a class of their own.
        progress: told what is done, how much of it, and of how much.

    Raises:
        BadInput: as :func:`thinkcap.evals.sweep` and :func:`thinkcap.evals.crossfit.crossfit`.
    """
    labels = [arm.label for arm in recording.arms] if arms is None else [recording.find_arm(a).label for a in arms]
    candidates = menu(recording, labels)
    theirs = baselines(recording, labels)
    pairs = [*theirs, *((f"{one.policy}", one.policy) for one in candidates)]

    def told(what: str) -> Callable[[int, int], None] | None:
        return None if progress is None else lambda done, total: progress(what, done, total)

    replays = sweep(recording, pairs, permutations=permutations, seed=seed, arms=labels, progress=told("replaying"))
    kept = graded_by_all(replays, recording.source, folds)
    others, menu_replays = kept[: len(theirs)], kept[len(theirs) :]
    menu_ = menu_of([one.level for one in candidates], menu_replays)
    worths, budgets = prices(menu_.figures[1]), budgets_between(menu_.figures[1])
    priced, found = _fitted(menu_, worths, budgets, folds, repeats, seed, told("choosing"))
    ours = ours_of(others[0], found)
    matches, _ = beside(others, ours, replicates=replicates, seed=seed, progress=told("comparing"))
    added: tuple[Added, ...] = ()
    if ablation:
        levels = [_WITH_VOTES[one.level] for one in candidates]
        votes = [each for each, (_, policy) in zip(others, theirs, strict=True) if isinstance(policy, Vote)]
        whole = menu_of([*levels, *([1] * len(votes))], [*menu_replays, *votes])
        cheapest = min(others[: len(labels)], key=lambda each: float(each.usd.mean()))
        added = _added(whole, cheapest, told("leaving out"), folds, repeats, replicates, seed)
    fixed = [each for each, (_, policy) in zip(others, theirs, strict=True) if each.policy.startswith("fixed ")]
    return Evaluation(
        tuple(others),
        tuple(ours),
        found,
        matches,
        tuple(_regrets(priced, fixed)),
        len(others[0].questions),
        tuple(_notes(recording, labels, replays)),
        added=added,
    )


def _always(menu: Menu) -> Callable[[NDArray[np.int64]], Menu]:
    return lambda _seen: menu


def _added(
    whole: Menu,
    cheapest: Replay,
    progress: Callable[[int, int], None] | None,
    folds: int,
    repeats: int,
    replicates: int,
    seed: int,
) -> tuple[Added, ...]:
    worths, budgets = prices(whole.figures[1]), budgets_between(whole.figures[1])
    found = []
    for level, name in enumerate(_CLASSES):
        if level in whole.levels:
            found.append((name, _fitted(up_to(whole, level), worths, budgets, folds, repeats, seed)[1]))
        if progress is not None:
            progress(level + 1, len(_CLASSES))
    return ablated(found, cheapest, replicates=replicates, seed=seed)


def _fitted(
    menu: Menu,
    worths: NDArray[np.float64],
    budgets: NDArray[np.float64],
    folds: int,
    repeats: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Crossfit, Crossfit]:
    """What is chosen at each price; and what meets each mean budget, mixing those that are chosen at some price."""
    questions, classes, always = menu.figures.shape[2], int(menu.levels.max()) + 1, _always(menu)
    priced = crossfit_fitted(
        always, questions, worths, classes=classes, folds=folds, repeats=repeats, seed=seed, progress=progress
    )
    mixes = crossfit_mixed(
        always,
        questions,
        budgets,
        worths,
        classes=classes,
        folds=folds,
        repeats=repeats,
        seed=seed,
        taken=priced.taken,
    )
    return priced, mixes


def _regrets(found: Crossfit, fixed: Sequence[Replay]) -> list[Regret]:
    usd, right = np.array([each.usd for each in fixed]), np.array([each.accuracy for each in fixed])
    return [
        regret(found.usd[place], found.accuracy[place], (usd, right), float(found.worths[place]))
        for place in regret_places(found)
    ]


def regret_places(found: Crossfit) -> list[int]:
    """Places of the prices at which regret is shown."""
    places: list[int] = np.unique(np.linspace(0, len(found.worths) - 1, _PRICES).round().astype(int)).tolist()
    return places


def _notes(recording: Recording, arms: Sequence[str], replays: Sequence[Replay]) -> list[str]:
    notes = list(dict.fromkeys([*recording.notes, *(note for each in replays for note in each.notes)]))
    if not recording.comparable.any():
        notes.append("no answers are recorded that could be compared, so an arm is all there is to choose")
    elif all(recording.fewest(arm) == 1 for arm in arms):
        notes.append("one attempt an arm is recorded, so that votes cannot be evaluated")
    return notes
