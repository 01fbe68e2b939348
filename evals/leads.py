"""What "first to lead by k" makes of the recorded attempts: exact, by going through all ways to draw them.

The attempts are drawn without replacement. The votes so far are a state; from each, every answer is drawn next with the
chance that its attempts left have among all that are left. Answers held by equally many attempts and worth the same are
told apart no further than by how many of them have how many votes, which keeps the states few.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from math import isnan, nan
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.recording import Recording
from thinkcap.policies.errors import BadInput

__all__ = ["lead_outcome"]

_MOST_STATES = 200_000

Kind: TypeAlias = tuple[int, float]
"""Attempts that hold an answer, and what it is worth."""

State: TypeAlias = tuple[tuple[int, ...], ...]
"""For each kind of answer, the votes of its answers, most first."""


def lead_outcome(recording: Recording, arm: str, by: int, most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Accuracy and attempts of first-to-lead-by-k over all orders of the recorded attempts.

    Where ``most`` attempts are used up, each of j answers with equally many votes wins with chance 1/j, which is what
    the rule "the earliest of equals" comes to over orders. An answer that is not graded is left out of the mean.

    Args:
        recording: the attempts.
        arm: label of the arm (or a model with a single arm).
        by: votes of lead, at least 1.
        most: attempts at most.

    Returns:
        The chance to be right and the mean number of attempts, question by question; NaN where no answer that can be
        chosen is graded.  (questions,) each

    Raises:
        BadInput: for numbers below 1, a question with fewer attempts than ``most``, or one with so many answers that
            there are too many states.
    """
    if type(by) is not int or by < 1 or type(most) is not int or most < 1:
        raise BadInput(f"by and most must be whole numbers of at least 1, not {by!r} and {most!r}")
    index = recording.arms.index(recording.find_arm(arm))
    grades, gradable = recording.grades(), recording.graded()
    right, made = np.full(len(recording.questions), np.nan), np.full(len(recording.questions), np.nan)
    for question, name in enumerate(recording.questions):
        answers = recording.answer[recording.rows(question, index)]
        if len(answers) < most:
            raise BadInput(f"{arm} has {len(answers)} attempts at question {name}, fewer than {most}: record more")
        held = Counter(answers[answers >= 0].tolist())
        worth = {code: float(grades[question][code]) for code in held}
        nothing = 0.0 if gradable[question] else nan
        right[question], made[question] = _one(held, worth, len(answers) - held.total(), nothing, by, most)
    return right, made


def _one(
    held: Counter[int], worth: dict[int, float], silent: int, nothing: float, by: int, most: int
) -> tuple[float, float]:
    kinds: dict[Kind, int] = Counter(
        (count, worth[code] if worth[code] == worth[code] else nan) for code, count in held.items()
    )
    names = list(kinds)
    total = held.total() + silent
    start: State = tuple((0,) * kinds[kind] for kind in names)
    states: dict[tuple[State, int], float] = {(start, 0): 1.0}  # votes, and attempts without an answer
    earned, known, mean = 0.0, 0.0, 0.0
    for drawn in range(most + 1):
        following: defaultdict[tuple[State, int], float] = defaultdict(float)
        for (state, mute), chance in states.items():
            votes = sorted((count for kind in state for count in kind), reverse=True)
            first, second = (*votes[:2], 0, 0)[:2]
            if drawn == most or (first - second >= by):
                worth_now, share = _chosen(state, names, first, nothing)
                earned += chance * worth_now
                known += chance * share
                mean += chance * drawn
                continue
            left = total - drawn
            if silent > mute:
                following[state, mute + 1] += chance * (silent - mute) / left
            for place, (size, _) in enumerate(names):
                for count, alike in Counter(state[place]).items():
                    if count < size:
                        votes_there = list(state[place])
                        votes_there[votes_there.index(count)] = count + 1
                        after = (*state[:place], tuple(sorted(votes_there, reverse=True)), *state[place + 1 :])
                        following[after, mute] += chance * alike * (size - count) / left
        if len(following) > _MOST_STATES:
            raise BadInput(f"there are too many ways to draw {most} attempts of so many answers: replay them instead")
        states = following
    return (earned / known if known > 0 else nan), mean


def _chosen(state: State, names: list[Kind], first: int, nothing: float) -> tuple[float, float]:
    """What the answer is worth on average over those that lead, and the share of them whose worth is known."""
    if not first:
        return (0.0, 0.0) if isnan(nothing) else (nothing, 1.0)
    leading = [(worth, votes.count(first)) for (_, worth), votes in zip(names, state, strict=True)]
    many = sum(count for _, count in leading)
    graded = [(worth, count) for worth, count in leading if count and not isnan(worth)]
    return sum(worth * count for worth, count in graded) / many, sum(count for _, count in graded) / many
