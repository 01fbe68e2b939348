"""What a report shows, as plain figures: no drawing and no HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.comparison import Field
from thinkcap.evals.recording import Recording
from thinkcap.evals.results import Replay
from thinkcap.evals.statistics import Interval
from thinkcap.evals.verified import PERFECT, is_perfect

__all__ = ["Class", "Line", "Made", "Predicted", "Report", "Spending", "Step", "report_of"]

_FEW = 100
_MOST_ARMS = 4


@dataclass(frozen=True, slots=True)
class Made:
    """How the figures came about, so that they can be made again.

    Attributes:
        command: as it was typed.
        recording: the file's name.
        seed: of the orders.
        permutations: orders of each question.
        version: of thinkcap.
        day: when, as an ISO date.
    """

    command: str
    recording: str
    seed: int
    permutations: int
    version: str
    day: str


@dataclass(frozen=True, slots=True)
class Predicted:
    """What was expected of a policy before it met the questions it was measured on.

    Attributes:
        policy: its name.
        accuracy: expected, with its interval.
        usd: expected dollars a question.
        achieved: what it came to, with its interval.
        achieved_usd: what it cost.
    """

    policy: str
    accuracy: Interval
    usd: float
    achieved: Interval
    achieved_usd: float


@dataclass(frozen=True, slots=True)
class Line:
    """One policy.

    Attributes:
        number: its number in the picture and the table, from 1.
        policy, arm: what it is called, and which arms it asked.
        accuracy: with its interval, 0 to 1.
        usd: dollars a question, with its interval.
        output_tokens, attempts: means a question.
        mc_error: of the accuracy, from drawing only so many orders.
        on_hull, on_pareto: nothing beats it, mixes of others included or not.
    """

    number: int
    policy: str
    arm: str
    accuracy: Interval
    usd: Interval
    output_tokens: float
    attempts: float
    mc_error: float
    on_hull: bool
    on_pareto: bool


@dataclass(frozen=True, slots=True)
class Step:
    """The cheapest policy with at least so much accuracy.

    Attributes:
        least: the accuracy asked for, 0 to 1.
        line: the policy.
    """

    least: float
    line: Line


@dataclass(frozen=True, slots=True)
class Class:
    """Questions of one difficulty.

    Attributes:
        name: what it is called.
        questions: how many there are.
    """

    name: str
    questions: int


@dataclass(frozen=True, slots=True)
class Spending:
    """Where the money of one policy went.

    Attributes:
        line: the policy.
        by_class: share of its money on the questions of each class.
        right: share of them it got right; None in an empty class.
        by_arm: share of its money with each arm, by label.
    """

    line: Line
    by_class: tuple[float, ...]
    right: tuple[float | None, ...]
    by_arm: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All that a report shows.

    Attributes:
        title: what was replayed.
        questions: those that all policies have graded.
        lines: the policies, in the order given.
        steps: cheapest policies by accuracy asked for, rising.
        classes: of difficulty, from hopeless to certain.
        spending: of the policies on the hull.
        predicted: what was expected beside what came out; empty where nothing was.
        notes: what to know when reading the figures.
        made: how they came about.
    """

    title: str
    questions: int
    lines: tuple[Line, ...]
    steps: tuple[Step, ...]
    classes: tuple[Class, ...]
    spending: tuple[Spending, ...]
    predicted: tuple[Predicted, ...]
    notes: tuple[str, ...]
    made: Made


def report_of(
    recording: Recording, replays: Sequence[Replay], made: Made, *, predicted: Sequence[Predicted] = ()
) -> Report:
    """Gather what a report shows.

    Args:
        recording: what was replayed.
        replays: the policies.
        made: how they came about.
        predicted: what was expected of them, where something was.
    """
    field = Field(replays)
    lines = _lines(field)
    rates = _rates(recording, field.questions)
    named = [name for name in recording.datasets if name]
    return Report(
        title=(", ".join(named) or made.recording) + (f" ({PERFECT})" if is_perfect(recording) else ""),
        questions=len(field.questions),
        lines=lines,
        steps=_steps(field, lines),
        classes=tuple(Class(name, int(inside.sum())) for name, inside in _classes(rates)),
        spending=tuple(_spending(field, lines[place], place, rates) for place in field.hull),
        predicted=tuple(predicted),
        notes=tuple(_notes(recording, field)),
        made=made,
    )


def _lines(field: Field) -> tuple[Line, ...]:
    hull, pareto = field.hull, field.pareto
    return tuple(
        Line(
            place + 1,
            replay.policy,
            _arms(replay.arms),
            field.resamples.interval(float(field.accuracy[place].mean()), field.accuracies[place]),
            field.resamples.interval(float(field.usd[place].mean()), field.costs[place]),
            float(replay.output_tokens.mean()),
            float(replay.attempts.mean()),
            replay.mc_error,
            place in hull,
            place in pareto,
        )
        for place, replay in enumerate(field.replays)
    )


def _arms(labels: Sequence[str]) -> str:
    return " + ".join(labels) if len(labels) <= _MOST_ARMS else f"{len(labels)} arms"


def _steps(field: Field, lines: Sequence[Line]) -> tuple[Step, ...]:
    """The levels at which another policy becomes the cheapest, at round figures of accuracy."""
    best, first = max(line.accuracy.mean for line in lines), lines[field.pareto[0]].accuracy.mean
    span = best - first
    width = next((step for step in (0.01, 0.02, 0.05, 0.10) if span / step <= 10), 0.10)
    levels = np.arange(np.ceil(first / width), np.floor(best / width) + 1) * width
    found: list[Step] = []
    for level in [*levels.tolist(), best]:
        place = field.cheapest(level - 1e-12)
        if place is not None:
            if found and found[-1].line is lines[place]:
                found.pop()  # the same policy reaches more
            found.append(Step(min(level, best), lines[place]))
    return tuple(found)


def _rates(recording: Recording, questions: Sequence[str]) -> NDArray[np.float64]:
    """Share of right attempts at each question, over all arms; NaN where none is graded.  (questions,)"""
    graded = recording.correct >= 0
    count = np.bincount(recording.question[graded], minlength=len(recording.questions))
    right = np.bincount(recording.question[recording.correct == 1], minlength=len(recording.questions))
    rate = np.divide(right, count, out=np.full(len(count), np.nan), where=count > 0)
    places = {name: place for place, name in reversed(list(enumerate(recording.questions)))}
    return np.asarray(rate[[places[name] for name in questions]], dtype=np.float64)


def _classes(rates: NDArray[np.float64]) -> list[tuple[str, NDArray[np.bool_]]]:
    return [
        ("never right", rates == 0),
        ("right below 1/3", (rates > 0) & (rates < 1 / 3)),
        ("1/3 to 2/3", (rates >= 1 / 3) & (rates <= 2 / 3)),
        ("above 2/3", (rates > 2 / 3) & (rates < 1)),
        ("always right", rates == 1),
    ]


def _spending(field: Field, line: Line, place: int, rates: NDArray[np.float64]) -> Spending:
    usd, right = field.usd[place], field.accuracy[place]
    total = float(usd.sum()) or 1.0
    classes = [inside for _, inside in _classes(rates)]
    replay = field.replays[place]
    of_arms = replay.usd_by_arm.sum(axis=0)
    return Spending(
        line,
        tuple(float(usd[inside].sum()) / total for inside in classes),
        tuple(float(right[inside].mean()) if inside.any() else None for inside in classes),
        tuple(
            (label, share / (float(of_arms.sum()) or 1.0))
            for label, share in zip(replay.arms, of_arms.tolist(), strict=True)
        ),
    )


def _notes(recording: Recording, field: Field) -> list[str]:
    notes = list(dict.fromkeys([*recording.notes, *(note for replay in field.replays for note in replay.notes)]))
    count = len(field.questions)
    if count < _FEW:
        notes.insert(0, f"only {count} questions: the intervals are wide, and somewhat too narrow all the same")
    if not any(replay.usd.any() for replay in field.replays):
        notes.insert(0, "no costs are recorded, so every policy looks free")
    worst = max((replay.mc_error for replay in field.replays if replay.mc_error == replay.mc_error), default=0.0)
    if worst:
        notes.append(
            f"drawing only so many orders moves an accuracy by {100 * worst:.2f} points (one standard error), "
            "apart from the intervals, which are about the questions"
        )
    return notes
