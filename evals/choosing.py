"""A curve with the policies its money buys: fitted on a recording, chosen from a menu by replaying that recording.

At each price the menu's best policy for all questions is taken. What to expect of it is what it came to on them, less
the optimism of choosing: by how much what is chosen at that price comes to more on the questions that chose it than on
questions held back (:mod:`thinkcap.evals.crossfit`; Efron and Tibshirani 1993, section 17.6). Neighbouring prices that
take the same policy are one point, with their mean optimism. With a perfect verifier the chains on the hull of them all
are taken, less the optimism of meeting their mean cost (:mod:`thinkcap.evals.mixing`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from math import inf, sqrt
from typing import Any

import numpy as np

from thinkcap.evals.crossfit import Crossfit, chosen, crossfit, graded_by_all, prices
from thinkcap.evals.imagined import imagine
from thinkcap.evals.menu import Candidate, menu
from thinkcap.evals.mixing import budgets_between, crossfit_mixed
from thinkcap.evals.recording import Recording
from thinkcap.evals.replay import sweep
from thinkcap.evals.results import Replay
from thinkcap.evals.statistics import Interval, Resamples
from thinkcap.evals.verified import CLASSES, chain_of, chains, draws_of, exact_replay, perfectly_verified
from thinkcap.policies.curves import Curve, Point, reach, worth_having
from thinkcap.policies.expected import Expectation
from thinkcap.policies.hull import hull
from thinkcap.policies.policy import Policy
from thinkcap.policies.values import Reason

__all__ = ["choose_points", "fit_curve"]

_IMAGINED = 2000
"""Questions drawn from a law, at the least, to choose policies on."""

_MOST = 40
"""Attempts drawn at each, at the most."""

_BY_LAW = (
    "answers decided how many attempts were made, so no order of them is a replay: the policies are chosen, and their "
    "figures told, by attempts drawn from the fitted law"
)

Progress = Callable[[str, int, int], None]
"""Told what is done, how much of it, and of how much."""


def fit_curve(
    recording: Recording,
    arms: Sequence[str] | None = None,
    *,
    folds: int = 5,
    repeats: int = 20,
    permutations: int = 100,
    seed: int = 0,
    price_date: str | None = None,
    perfect_verifier: bool = False,
    progress: Progress | None = None,
) -> Curve:
    """Fit a curve, and choose the policies that are worth having from the cheapest price to the dearest.

    Args:
        recording: the attempts.
        arms: labels of the arms, cheapest first; None for all.
        folds, repeats: parts of the questions, and how often they are dealt anew.
        permutations: orders of each question.
        seed: of the fit, the orders and the folds.
        price_date: date of the recording's prices; None takes what the recording says.
        perfect_verifier: use correctness as a perfect verifier; the policies are chains then, and every question has to
            be asked with every arm (:func:`thinkcap.evals.evaluate_verified`).
        progress: told what is done, how much of it, and of how much.

    Raises:
        BadInput: as :meth:`thinkcap.policies.curves.Curve.fit` and :func:`thinkcap.evals.crossfit.crossfit`.
    """
    labels = [arm.label for arm in recording.arms] if arms is None else [recording.find_arm(a).label for a in arms]
    if perfect_verifier:
        recording = perfectly_verified(recording)
    curve = Curve.fit(
        recording,
        arms=labels,
        seed=seed,
        price_date=price_date or recording.price_date,
        progress=_told(progress, "fitting"),
    )
    if perfect_verifier:
        points = choose_chains(recording, labels, folds=folds, repeats=repeats, seed=seed, progress=progress)
        return replace(curve, points=points, notes=(recording.notes[0], *curve.notes))
    options: Any = {"folds": folds, "repeats": repeats, "permutations": permutations, "seed": seed}
    options["progress"] = progress
    if recording.adaptive.any():
        return _chosen_by_law(curve, recording, labels, **options)
    return replace(curve, points=choose_points(recording, labels, **options))


def _chosen_by_law(curve: Curve, recording: Recording, labels: Sequence[str], **options: Any) -> Curve:
    """The curve of a deployed policy's log, with the policies that are best on attempts drawn from its law."""
    asked = len(recording.questions)
    questions = max(asked, _IMAGINED)
    most = min(_MOST, *(reach(arm) for arm in curve.arms))
    verifiable = bool(recording.verifiable.all())
    drawn = imagine(curve, questions, most, options["seed"], verifiable=verifiable)
    wider = sqrt(questions / asked)  # the intervals of the figures are those of the questions there are
    options["permutations"] = max(1, options["permutations"] // 4)  # there are more questions instead
    points = [
        replace(point, expected=_with(point.expected, wider)) for point in choose_points(drawn, labels, **options)
    ]
    notes = [_BY_LAW]
    fewer = [arm.arm.label for arm in curve.arms if arm.questions < asked]
    if fewer:
        notes.append(
            f"{', '.join(fewer)} was asked only at some of the {asked:,} questions: its figures are of those, and "
            "worse than everywhere if answers before it decided which"
        )
    return replace(curve, points=tuple(points), notes=(*curve.notes, *notes))


def _with(expected: Expectation, wider: float) -> Expectation:
    def spread(interval: Interval, most: float) -> Interval:
        mean = interval.mean
        low, high = mean - wider * (mean - interval.low), mean + wider * (interval.high - mean)
        return Interval(mean, max(0.0, low), min(most, high))

    return replace(expected, accuracy=spread(expected.accuracy, 1.0), usd=spread(expected.usd, inf))


def choose_points(
    recording: Recording,
    labels: Sequence[str],
    *,
    folds: int = 5,
    repeats: int = 20,
    permutations: int = 100,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Point, ...]:
    """The policies worth having, cheapest first, with what to expect of each; options as :func:`fit_curve` has them."""
    candidates = menu(recording, labels)
    named = [(f"{one.policy}", one.policy) for one in candidates]
    replays = sweep(
        recording, named, permutations=permutations, seed=seed, arms=labels, progress=_told(progress, "replaying")
    )
    kept = graded_by_all(replays, recording.source, folds)
    found = crossfit(candidates, kept, folds=folds, repeats=repeats, seed=seed, progress=_told(progress, "choosing"))
    return worth_having(list(_points(candidates, kept, found)))


def choose_chains(
    recording: Recording,
    labels: Sequence[str],
    *,
    folds: int = 5,
    repeats: int = 20,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Point, ...]:
    """The chains worth having, of a recording that is verified; options as :func:`fit_curve` has them."""
    draws = draws_of(recording, labels)
    steps, whole = chains(draws, np.arange(len(recording.questions)))
    usd, accuracy = whole.figures[1].mean(axis=1), whole.figures[0].mean(axis=1)
    budgets = budgets_between(whole.figures[1])
    found = crossfit_mixed(
        lambda seen: chains(draws, seen)[1],
        len(recording.questions),
        budgets,
        prices(whole.figures[1]),
        classes=CLASSES,
        folds=folds,
        repeats=repeats,
        seed=seed,
        progress=_told(progress, "choosing"),
    )
    points = []
    for place in hull(usd.tolist(), accuracy.tolist()):
        came = exact_replay(recording, draws, steps[place], "chain")
        accurate, dear = (float(np.interp(usd[place], budgets, each)) for each in found.optimism)
        points.append(_point(chain_of(draws, steps[place]), came, accurate, dear, _samples(came)))
    return worth_having(points)


def _points(candidates: Sequence[Candidate], replays: Sequence[Replay], found: Crossfit) -> Iterator[Point]:
    levels = np.array([each.level for each in candidates], dtype=np.int64)
    accuracy = np.array([each.accuracy for each in replays])
    usd = np.array([each.usd for each in replays])
    taken = [chosen(levels, accuracy, usd, worth) for worth in found.worths.tolist()]
    samples = _samples(replays[0])
    for place, at in groupby(range(len(taken)), key=taken.__getitem__):
        accurate, dear = found.optimism[:, list(at)].mean(axis=1)
        yield _point(candidates[place].policy, replays[place], accurate, dear, samples)


def _point(policy: Policy, came: Replay, accurate: float, dear: float, samples: Resamples) -> Point:
    """A policy with what it came to, less the optimism of its accuracy and of its cost."""
    return Point(
        policy,
        Expectation(
            samples.share(came.accuracy - accurate),
            _within(samples.mean(came.usd - dear), float(came.usd.min()), inf),
            float(came.output_tokens.mean()),
            float(came.attempts.mean()),
            _agreed(came),
        ),
    )


def _within(interval: Interval, least: float, most: float) -> Interval:
    return Interval(*(min(max(end, least), most) for end in (interval.mean, interval.low, interval.high)))


def _samples(replay: Replay) -> Resamples:
    groups: Sequence[Hashable] | None = None
    if any(group is not None for group in replay.groups):
        groups = [group or name for group, name in zip(replay.groups, replay.questions, strict=True)]
    return Resamples(len(replay.questions), groups=groups)


def _agreed(replay: Replay) -> float:
    ended = replay.reasons
    return (ended.get(Reason.AGREED, 0) + ended.get(Reason.VERIFIED, 0)) / sum(ended.values())


def _told(progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(what, done, total)
