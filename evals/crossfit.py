"""Choosing a policy from a menu by its value on some questions, and measuring it on others.

At a price the value of a policy is what its right answers are worth less what it costs. The best of the menu is held
against the best of each simpler class, and the simplest whose value is within one standard error of it is taken (the
one-standard-error rule; Breiman et al. 1984, section 3.4.3). Every question is measured under choices that never saw
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.menu import Candidate
from thinkcap.evals.results import Replay
from thinkcap.policies.errors import BadInput

__all__ = ["Crossfit", "chosen", "crossfit", "graded_by_all"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Crossfit:
    """What choosing came to, price by price, on questions held back.

    Attributes:
        worths: dollars that a right answer is worth, rising.  (prices,)
        accuracy, usd, output_tokens, attempts: means over repeats.  (prices, questions) each
        folds: the fold that each question was held back in, in the first repeat.  (questions,)
        levels: how often each class was chosen, over all folds.  (prices, classes)
        optimism: by how much what was chosen came to more accuracy, and to more dollars, on the questions that chose it
            than on those held back; means over all folds.  (2, prices)
    """

    worths: Floats
    accuracy: Floats
    usd: Floats
    output_tokens: Floats
    attempts: Floats
    folds: NDArray[np.int64]
    levels: NDArray[np.int64]
    optimism: Floats


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
            if gap.mean() <= gap.std(ddof=1) / np.sqrt(len(gap)):
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
    accuracy = np.array([each.accuracy for each in replays])  # (candidates, questions)
    questions = accuracy.shape[1]
    if not 2 <= folds <= questions or repeats < 1:
        raise BadInput(f"evaluating needs at least 2 folds, at most one a question ({questions}), and 1 repeat")
    usd = np.array([each.usd for each in replays])
    tokens = np.array([each.output_tokens for each in replays])
    made = np.array([each.attempts for each in replays])
    levels = np.array([each.level for each in candidates], dtype=np.int64)
    prices = _prices(usd) if worths is None else np.asarray(worths, dtype=np.float64)
    shape = (len(prices), questions)
    figures = np.zeros((4, *shape))
    counted = np.zeros((len(prices), int(levels.max()) + 1), dtype=np.int64)
    optimism = np.zeros((2, len(prices)))
    luck = np.random.default_rng(seed)
    first: NDArray[np.int64] = np.zeros(questions, dtype=np.int64)
    for repeat in range(repeats):
        dealt = luck.permutation(questions) % folds
        if repeat == 0:
            first = dealt.astype(np.int64)
        for fold in range(folds):
            seen, held = np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold)
            for place, worth in enumerate(prices.tolist()):
                take = chosen(levels, accuracy[:, seen], usd[:, seen], worth)
                counted[place, levels[take]] += 1
                for gap, source in zip(optimism, (accuracy, usd), strict=True):
                    gap[place] += source[take, seen].mean() - source[take, held].mean()
                for figure, source in zip(figures, (accuracy, usd, tokens, made), strict=True):
                    figure[place, held] += source[take, held]
        if progress is not None:
            progress(repeat + 1, repeats)
    right, spent, written, asked = figures / repeats
    return Crossfit(prices, right, spent, written, asked, first, counted, optimism / (folds * repeats))


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


def _prices(usd: Floats) -> Floats:
    """Worths of a right answer, from where only the cheapest policy pays to where the dearest may."""
    means = usd.mean(axis=1)
    least, most = float(means[means > 0].min(initial=1e-6)), float(means.max(initial=1e-6))
    return np.geomspace(least * 0.5, max(most, least) * 1000, 80)
