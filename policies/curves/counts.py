"""What a fit reads: a recording as counts for each arm and question.

- An attempt that is graded is right or wrong. One that is neither graded nor has an answer failed: it was billed and
  brought nothing, so it counts as not right. One with an answer nobody graded counts as neither.
- An attempt without an answer never votes.
- Votes are counted where answers can be compared and no verifier ends the search.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thinkcap.policies.curves.quadrature import Array
from thinkcap.policies.curves.recorded import Recorded
from thinkcap.policies.errors import BadInput
from thinkcap.policies.values import Arm

__all__ = ["Counts", "count", "fingerprint"]

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """A recording's attempts as counts. Arrays are (arms, questions) unless said otherwise.

    Attributes:
        arms: what was asked.
        questions: the questions' ids.
        unit: code of each question's group; questions of a group are drawn together.  (questions,)
        made: attempts that are known to be right or not.
        right: those that are right.
        silent: those without an answer, and not right.
        tried: attempts, whatever became of them.
        votes: whether votes were counted at this question at all.  (questions,)
        wrong: wrong answers that can vote.
        top: votes of the most frequent wrong answer.
        right_votes: right answers that can vote.
        agreeing: pairs of right answers that are the same answer.
        finished: attempts with at least one output token.
        log_tokens: mean logarithm of their output tokens; NaN for none.
        right_finished: those of them that are right.
        log_right: sum of the logarithms of these.
        log_squares: sum over them of the squared distance from that mean.
        log_above: how far the logarithm of each that took longer than that mean lies above it, times
            ``sqrt(finished / (finished - 1))``: then it spreads as about the true mean.  (attempts,) an arm
        most_tokens: the longest attempt.  (arms,)
        tokens: sum of output tokens.
        inputs: sum of input tokens; NaN where one is not recorded.
        nusd: sum of costs, in nano-dollars.
    """

    arms: tuple[Arm, ...]
    questions: tuple[str, ...]
    unit: Whole
    made: Whole
    right: Whole
    silent: Whole
    tried: Whole
    votes: NDArray[np.bool_]
    wrong: Whole
    top: Whole
    right_votes: Whole
    agreeing: Whole
    finished: Whole
    log_tokens: Array
    right_finished: Whole
    log_right: Array
    log_squares: Array
    log_above: tuple[Array, ...]
    most_tokens: Whole
    tokens: Array
    inputs: Array
    nusd: Array

    def average(self, sums: Array, weights: Array | None = None) -> Array:
        """The mean over questions of what an attempt takes, from the sums over a question's attempts.

        Args:
            sums: (arms, questions)
            weights: of the questions; None weighs those that were asked equally.  (..., questions)

        Returns:
            (..., arms)
        """
        asked = (self.tried > 0).astype(np.float64).T
        each = (sums / np.maximum(self.tried, 1)).T
        weights = np.ones(len(self.questions)) if weights is None else weights
        found: Array = (weights @ each) / np.maximum(weights @ asked, 1e-9)
        return found

    def groups(self, used: NDArray[np.bool_]) -> int:
        """Of how many groups these questions are.  (questions,)"""
        return len(np.unique(self.unit[used]))


def count(recording: Recorded, arms: Sequence[str] | None = None) -> Counts:
    """Count a recording's attempts.

    Args:
        recording: the attempts.
        arms: labels of the arms to count, in this order; None counts all, cheapest first.

    Raises:
        BadInput: for an arm that is not in the recording.
    """
    places = _places(recording, arms)
    order = np.full(len(recording.arms), -1)
    order[places] = np.arange(len(places))
    chosen = order[recording.arm] >= 0
    arm, question = order[recording.arm[chosen]], recording.question[chosen].astype(np.int64)
    size = (len(places), len(recording.questions))
    cell = arm * size[1] + question

    def total(rows: NDArray[np.bool_], values: Array | None = None) -> Array:
        weights = None if values is None else values[rows]
        return np.bincount(cell[rows], weights, size[0] * size[1]).reshape(size).astype(np.float64)

    def number(rows: NDArray[np.bool_]) -> Whole:
        return total(rows).astype(np.int64)

    correct, answer = recording.correct[chosen], recording.answer[chosen]
    voting = (recording.comparable & ~recording.verifiable)[question]
    known = (correct >= 0) | (answer < 0)
    wrong = voting & (correct == 0) & (answer >= 0)
    right_vote = voting & (correct == 1) & (answer >= 0)
    top, _ = _partitions(cell, answer, wrong, size)
    _, agreeing = _partitions(cell, answer, right_vote, size)
    tokens = recording.output_tokens[chosen]
    finished = tokens > 0
    logs = np.log(np.maximum(tokens, 1))
    spoken = total(finished)
    with np.errstate(invalid="ignore"):
        mean = total(finished, logs) / spoken
    away = (logs - mean.ravel()[cell]) ** 2
    inputs = recording.input_tokens[chosen].astype(np.float64)
    inputs[inputs < 0] = np.nan
    longest = np.zeros(size[0], dtype=np.int64)
    np.maximum.at(longest, arm, tokens)
    every = np.ones(len(cell), dtype=np.bool_)
    return Counts(
        arms=tuple(recording.arms[place] for place in places),
        questions=recording.questions,
        unit=_units(recording.groups),
        made=number(known),
        right=number(correct == 1),
        silent=number(known & (answer < 0) & (correct != 1)),
        tried=number(every),
        votes=recording.comparable & ~recording.verifiable,
        wrong=number(wrong),
        top=top,
        right_votes=number(right_vote),
        agreeing=agreeing,
        finished=spoken.astype(np.int64),
        log_tokens=mean,
        right_finished=number(finished & (correct == 1)),
        log_right=total(finished & (correct == 1), logs),
        log_squares=total(finished, away),
        log_above=_above(logs, mean.ravel()[cell], spoken.ravel()[cell], arm, finished, len(places)),
        most_tokens=longest,
        tokens=total(every, tokens.astype(np.float64)),
        inputs=total(every, inputs),
        nusd=total(every, recording.cost_nusd[chosen].astype(np.float64)),
    )


def _above(
    logs: Array, mean: Array, made: Array, arm: Whole, finished: NDArray[np.bool_], arms: int
) -> tuple[Array, ...]:
    rows = finished & (made > 1) & (logs > mean)
    above = (logs[rows] - mean[rows]) * np.sqrt(made[rows] / (made[rows] - 1))
    return tuple(above[arm[rows] == place] for place in range(arms))


def fingerprint(recording: Recorded) -> str:
    """SHA-256 of what a fit reads, so that a curve can be told to belong to a recording."""
    digest = hashlib.sha256()
    digest.update("\n".join([*(arm.label for arm in recording.arms), *recording.questions]).encode())
    for column in (
        recording.question,
        recording.arm,
        recording.correct,
        recording.answer,
        recording.output_tokens,
        recording.cost_nusd,
    ):
        digest.update(np.ascontiguousarray(column, dtype="<i8").tobytes())
    return digest.hexdigest()


def _places(recording: Recorded, arms: Sequence[str] | None) -> list[int]:
    labels = [arm.label for arm in recording.arms]
    if arms is None:
        return list(range(len(labels)))
    places = []
    for text in arms:
        same = [place for place, arm in enumerate(recording.arms) if arm.label == text] or [
            place for place, arm in enumerate(recording.arms) if arm.model == text
        ]
        if len(same) != 1:
            raise BadInput(f"{recording.source} has no single arm {text!r}; it has {', '.join(labels)}")
        places.append(same[0])
    if not places or len(set(places)) < len(places):
        raise BadInput("arms= must name at least one arm, and each once")
    return places


def _units(groups: Sequence[str | None]) -> Whole:
    codes: dict[object, int] = {}
    keys: list[object] = [place if group is None else group for place, group in enumerate(groups)]
    return np.array([codes.setdefault(key, len(codes)) for key in keys], dtype=np.int64)


def _partitions(
    cell: Whole, answer: NDArray[np.int32], rows: NDArray[np.bool_], size: tuple[int, int]
) -> tuple[Whole, Whole]:
    """For each cell the votes of the most frequent answer, and the pairs that agree."""
    pairs, held = np.unique(np.stack([cell[rows], answer[rows].astype(np.int64)]), axis=1, return_counts=True)
    cells = size[0] * size[1]
    top = np.zeros(cells, dtype=np.int64)
    np.maximum.at(top, pairs[0], held)
    same = np.bincount(pairs[0], held * (held - 1) / 2, minlength=cells).astype(np.int64)
    return top.reshape(size), same.reshape(size)
