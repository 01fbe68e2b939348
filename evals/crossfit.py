"""Choosing a policy from a menu by its value on some questions, and measuring it on others.

At a price the value of a policy is what its right answers are worth less what it costs. The best of the menu is held
against the best of each simpler class, and the simplest whose value is within one standard error of it is taken (the
one-standard-error rule; Breiman et al. 1984, section 3.4.3). Every question is measured under choices that never saw
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.menu import Candidate
from thinkcap.evals.results import Replay
from thinkcap.policies.errors import BadInput

__all__ = ["Crossfit", "Menu", "chosen", "crossfit", "crossfit_fitted", "dealt", "graded_by_all", "menu_of", "prices"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Crossfit:
    """What choosing came to, price by price, on questions held back.

    Attributes:
        worths: dollars that a right answer is worth, rising.  (prices,)
        accuracy, usd, output_tokens, attempts: means over repeats.  (prices, questions) each
        folds: the fold that each question was held back in, in the first repeat.  (questions,)
        levels: how often each class was chosen, over all folds; a mix counts for both by its share.  (prices, classes)
        optimism: by how much what was chosen came to more accuracy, and to more dollars, on the questions that chose it
            than on those held back; means over all folds.  (2, prices)
        taken: place of what was chosen in each fold, repeat by repeat; empty where it was mixed.  (folds, prices)
    """

    worths: Floats
    accuracy: Floats
    usd: Floats
    output_tokens: Floats
    attempts: Floats
    folds: NDArray[np.int64]
    levels: NDArray[np.int64] | Floats
    optimism: Floats
    taken: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Menu:
    """What there is to choose from.

    Attributes:
        levels: class of each candidate.  (candidates,)
        figures: accuracy, dollars, output tokens and attempts of each at each question.  (4, candidates, questions)
    """

    levels: NDArray[np.int64]
    figures: Floats


def menu_of(levels: Sequence[int], replays: Sequence[Replay]) -> Menu:
    """A menu of replays, each of a class."""
    columns = ("accuracy", "usd", "output_tokens", "attempts")
    figures = np.array([[getattr(each, name) for each in replays] for name in columns])
    return Menu(np.array(levels, dtype=np.int64), figures)


def chosen(levels: NDArray[np.int64], accuracy: Floats, usd: Floats, worth: float) -> int:
    """The candidate to take at a price.

    Args:
        levels: class of each candidate.  (candidates,)
        accuracy, usd: of each candidate at each question.  (candidates, questions) each
        worth: dollars that a right answer is worth.
    """
    values = accuracy - usd / worth  # in right answers a question  (candidates, questions)
    mean = values.mean(axis=1)
    best = int(mean.argmax())
    for level in range(int(levels[best])):
        inside = np.flatnonzero(levels == level)
        if len(inside):
            simple = int(inside[mean[inside].argmax()])
            gap = values[best] - values[simple]
            if len(gap) < 2 or gap.mean() <= gap.std(ddof=1) / np.sqrt(len(gap)):
                return simple
    return best


def crossfit(
    candidates: Sequence[Candidate],
    replays: Sequence[Replay],
    *,
    worths: Sequence[float] | None = None,
    folds: int = 5,
    repeats: int = 20,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Crossfit:
    """Choose on all folds but one, measure on that one, and so on round; repeatedly, with the folds dealt anew.

    Args:
        candidates: the menu.
        replays: what each came to, on questions that are all graded.
        worths: the prices; None takes eighty that go from the cheapest policy to the dearest.
        folds: parts of the questions.
        repeats: how often the folds are dealt.
        seed: of the dealing.
        progress: told of repeats done and repeats in all.

    Raises:
        BadInput: if there are fewer questions than folds, or options outside their range.
    """
    menu = menu_of([each.level for each in candidates], replays)
    return crossfit_fitted(
        lambda _seen: menu,
        menu.figures.shape[2],
        prices(menu.figures[1]) if worths is None else worths,
        classes=int(menu.levels.max()) + 1,
        folds=folds,
        repeats=repeats,
        seed=seed,
        progress=progress,
    )


def crossfit_fitted(
    menu_of: Callable[[NDArray[np.int64]], Menu],
    questions: int,
    worths: Sequence[float] | Floats,
    *,
    classes: int,
    folds: int = 5,
    repeats: int = 20,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Crossfit:
    """:func:`crossfit` for a menu that is itself fitted on the questions that choose from it.

    Args:
        menu_of: the menu fitted on some questions, given by their places; its figures are of all questions.
        questions: how many there are.
        worths: the prices.
        classes: how many there are, from 0.
        folds, repeats, seed, progress: as :func:`crossfit` takes them.

    Raises:
        BadInput: if there are fewer questions than folds, or options outside their range.
    """
    rates = np.asarray(worths, dtype=np.float64)
    means = np.zeros((4, len(rates), questions))
    counted = np.zeros((len(rates), classes), dtype=np.int64)
    optimism = np.zeros((2, len(rates)))
    taken = np.zeros((folds * repeats, len(rates)), dtype=np.int64)
    first: NDArray[np.int64] = np.zeros(questions, dtype=np.int64)
    for done, (seen, held) in enumerate(dealt(questions, folds=folds, repeats=repeats, seed=seed)):
        if done < folds:
            first[held] = done
        menu = menu_of(seen)
        accuracy, usd = menu.figures[0][:, seen], menu.figures[1][:, seen]
        for place, worth in enumerate(rates.tolist()):
            take = taken[done, place] = chosen(menu.levels, accuracy, usd, worth)
            counted[place, menu.levels[take]] += 1
            for gap, source in zip(optimism, menu.figures[:2], strict=True):
                gap[place] += source[take, seen].mean() - source[take, held].mean()
            means[:, place, held] += menu.figures[:, take, held]
        if progress is not None and (done + 1) % folds == 0:
            progress((done + 1) // folds, repeats)
    right, spent, written, asked = means / repeats
    return Crossfit(rates, right, spent, written, asked, first, counted, optimism / (folds * repeats), taken)


def dealt(
    questions: int, *, folds: int, repeats: int, seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The questions that choose, and those held back: fold by fold, repeat by repeat.

    Raises:
        BadInput: if there are fewer questions than folds, or options outside their range.
    """
    if not 2 <= folds <= questions or repeats < 1:
        raise BadInput(f"evaluating needs at least 2 folds, at most one a question ({questions}), and 1 repeat")
    luck = np.random.default_rng(seed)
    for _ in range(repeats):
        fold_of = luck.permutation(questions) % folds
        for fold in range(folds):
            yield np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)


def graded_by_all(replays: Sequence[Replay], source: str, least: int) -> list[Replay]:
    """The replays, on the questions that all of them have graded.

    Args:
        replays: of one recording.
        source: what errors call it.
        least: questions that have to be left.

    Raises:
        BadInput: if too few are.
    """
    graded = np.flatnonzero(~np.isnan([each.accuracy for each in replays]).any(axis=0))
    if len(graded) < least:
        raise BadInput(f"{source}: only {len(graded)} questions are graded with every policy: record more")
    return [_only(each, graded) for each in replays]


def _only(replay: Replay, questions: NDArray[np.int64]) -> Replay:
    places = questions.tolist()
    return replace(
        replay,
        questions=tuple(replay.questions[place] for place in places),
        groups=tuple(replay.groups[place] for place in places),
        accuracy=replay.accuracy[questions],
        usd=replay.usd[questions],
        usd_by_arm=replay.usd_by_arm[questions],
        output_tokens=replay.output_tokens[questions],
        attempts=replay.attempts[questions],
    )


def prices(usd: Floats) -> Floats:
    """Worths of a right answer, from where only the cheapest policy pays to where the dearest may.

    Args:
        usd: of each policy at each question.  (policies, questions)
    """
    means = usd.mean(axis=1)
    least, most = float(means[means > 0].min(initial=1e-6)), float(means.max(initial=1e-6))
    return np.geomspace(least * 0.5, max(most, least) * 1000, 80)
