"""How often two arms give the same wrong answer: what a vote across arms gains depends on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from thinkcap.policies.curves.quadrature import Array
from thinkcap.policies.curves.recorded import Recorded
from thinkcap.policies.values import Arm

__all__ = ["Agreement", "agreement"]

Agreement = tuple[tuple[float | None, ...], ...]
"""For each pair of arms the chance that two wrong answers to one question, one of each arm, are the same answer."""

_FEWEST = 5


def agreement(recording: Recorded, arms: Sequence[Arm]) -> Agreement:
    """Measure it, as the mean over the questions that both arms got wrong.

    On the diagonal are two attempts with one arm. None where fewer than 5 questions tell, or where not even right
    answers of the two agree, so that answers of different runs cannot be compared.

    Args:
        recording: the attempts.
        arms: in this order.
    """
    wrong, wrong_at = _votes(recording, arms, 0)
    right, right_at = _votes(recording, arms, 1)
    questions = len(recording.questions)

    def one(first: int, second: int) -> float | None:
        shares = _shares(wrong[first], wrong[second], wrong_at, questions, first == second)
        known = _shares(right[first], right[second], right_at, questions, first == second)
        if len(shares) < _FEWEST or not len(known) or float(known.mean()) < 0.5:
            return None
        return float(shares.mean())

    return tuple(tuple(one(first, second) for second in range(len(arms))) for first in range(len(arms)))


def _votes(recording: Recorded, arms: Sequence[Arm], correct: int) -> tuple[Array, NDArray[np.int64]]:
    """Votes of each arm for each answer that was right, or wrong; and the answers' questions."""
    labels = [arm.label for arm in arms]
    order = np.array([labels.index(arm.label) if arm.label in labels else -1 for arm in recording.arms])
    voting = (recording.comparable & ~recording.verifiable)[recording.question]
    rows = voting & (recording.correct == correct) & (recording.answer >= 0) & (order[recording.arm] >= 0)
    keys = np.stack([recording.question[rows], recording.answer[rows]], axis=1).astype(np.int64)
    distinct, key = np.unique(keys, axis=0, return_inverse=True)
    cell = order[recording.arm[rows]] * len(distinct) + key.ravel()
    votes = np.bincount(cell, minlength=len(arms) * len(distinct)).reshape(len(arms), len(distinct))
    return votes.astype(np.float64), distinct[:, 0]


def _shares(first: Array, second: Array, question: NDArray[np.int64], questions: int, alone: bool) -> Array:
    """At each question that tells, the share of pairs that agree; an attempt is no pair with itself."""

    def total(values: Array) -> Array:
        return np.asarray(np.bincount(question, values, questions), dtype=np.float64)

    agree, own = total(first * second), total(first)
    pairs = own * total(second)
    if alone:
        agree, pairs = agree - own, pairs - own
    return agree[pairs > 0] / pairs[pairs > 0]
