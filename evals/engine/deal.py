"""The attempts of a block of questions as every permutation meets them: made once, and given to all policies.

An *episode* is one permutation of one question. Arrays are laid out by draw, so that one draw of all episodes lies
together in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.orders import orders_of
from thinkcap.evals.recording import FINISHES, Recording
from thinkcap.policies.values import Arm

__all__ = ["Deal", "Grades", "Hand", "deal", "read_grades"]

_STOP = FINISHES.index("stop")


@dataclass(frozen=True, slots=False, eq=False)
class Hand:
    """One arm's attempts at the questions of a block, in the order of the draws.

    Attributes:
        rows: the attempt's row in the recording; 0 where there is none.  (draws, episodes)
        recorded: attempts there are.  (episodes,)
        answer: its answer's code; -1 for none.  (draws, episodes)
        votes: the same, and -1 too where the verifier failed it.  (draws, episodes)
        passed: whether the verifier passed it; None where it passed none.  (draws, episodes)
    """

    recording: Recording
    rows: NDArray[np.int64]
    recorded: NDArray[np.int64]
    answer: NDArray[np.int16]
    votes: NDArray[np.int16]
    passed: NDArray[np.bool_] | None

    @cached_property
    def nusd(self) -> NDArray[np.int64]:
        """Nano-dollars of the first draws together, from none to all.  (draws + 1, episodes)"""
        return self._first(self.recording.cost_nusd)

    @cached_property
    def tokens(self) -> NDArray[np.int64]:
        """Output tokens of the first draws together, from none to all.  (draws + 1, episodes)"""
        return self._first(self.recording.output_tokens)

    def _first(self, column: NDArray[np.int64]) -> NDArray[np.int64]:
        draws, episodes = self.rows.shape
        sums = np.zeros((draws + 1, episodes), dtype=np.int64)
        np.cumsum(column[self.rows], axis=0, out=sums[1:])
        return sums


@dataclass(frozen=True, slots=True, eq=False)
class Deal:
    """A block of questions, dealt.

    Attributes:
        questions: their indices in the recording.  (questions,)
        permutations: orders of each question.
        arms: the ways of asking.
        hands: by arm, its attempts.
        grades: what each answer of a question is worth, 0 to 1; NaN where never graded. The last column is what no
            answer is worth.  (questions, answers + 1)
        is_clean: no attempt at the question failed in a way that speaks against its arm.  (questions,)
    """

    questions: NDArray[np.int64]
    permutations: int
    arms: tuple[Arm, ...]
    hands: tuple[Hand, ...]
    grades: NDArray[np.float64]
    is_clean: NDArray[np.bool_]
    episodes: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "episodes", len(self.questions) * self.permutations)


@dataclass(frozen=True, slots=True, eq=False)
class Grades:
    """What is known of every question, whatever is dealt.

    Attributes:
        worth: as :attr:`Deal.grades`, of all questions.  (questions, answers + 1)
        is_clean: as :attr:`Deal.is_clean`, of all questions.  (questions,)
        compares: answers at the question can be compared or verified.  (questions,)
    """

    worth: NDArray[np.float64]
    is_clean: NDArray[np.bool_]
    compares: NDArray[np.bool_]


def read_grades(recording: Recording, arms: Sequence[Arm]) -> Grades:
    """Read them once, for all blocks."""
    grades, gradable = recording.grades(), recording.graded()
    worth = np.full((len(grades), max(map(len, grades), default=0) + 1), np.nan)
    for question, mine in enumerate(grades):
        worth[question, : len(mine)] = mine
    worth[:, -1] = np.where(gradable, 0.0, np.nan)
    asked = [recording.arms.index(recording.find_arm(arm.label)) for arm in arms]
    bad = (recording.answer < 0) & (recording.finish != _STOP) & np.isin(recording.arm, asked)
    is_clean = np.ones(len(grades), dtype=np.bool_)
    is_clean[recording.question[bad]] = False
    return Grades(worth, is_clean, recording.comparable | recording.verifiable)


def deal(
    recording: Recording,
    grades: Grades,
    questions: Sequence[int],
    arms: Sequence[Arm],
    permutations: int | None,
    seed: int,
) -> Deal:
    """Deal a block of questions.

    Args:
        recording: the attempts.
        grades: what is known of every question.
        questions: indices of the questions of the block.
        arms: the ways of asking that policies may use.
        permutations: orders of each question; None takes the recorded one.
        seed: of the orders.
    """
    block = np.asarray(questions, dtype=np.int64)
    hands = tuple(_hand(recording, block, arm, permutations, seed) for arm in arms)
    return Deal(block, permutations or 1, tuple(arms), hands, grades.worth[block], grades.is_clean[block])


def _hand(recording: Recording, block: NDArray[np.int64], arm: Arm, permutations: int | None, seed: int) -> Hand:
    index = recording.arms.index(recording.find_arm(arm.label))
    slices = [recording.rows(question, index) for question in block.tolist()]
    recorded = np.array([part.stop - part.start for part in slices], dtype=np.int64)  # (questions,)
    starts = np.array([part.start for part in slices], dtype=np.int64)
    times, draws = permutations or 1, int(recorded.max(initial=0))
    order = np.zeros((len(block), times, draws), dtype=np.int64)
    for place, question in enumerate(block.tolist()):
        order[place, :, : recorded[place]] = orders_of(recording, question, arm.label, permutations, seed)
    inside = np.arange(draws) < recorded[:, None]  # (questions, draws)
    rows = np.where(inside[:, None, :], order + starts[:, None, None], 0)  # (questions, permutations, draws)
    rows = np.ascontiguousarray(rows.reshape(len(block) * times, draws).T)  # (draws, episodes)
    there = np.repeat(inside, times, axis=0).T  # (draws, episodes)
    answer = np.where(there, recording.answer[rows], -1).astype(np.int16)
    verified = recording.verified[rows]
    votes = np.where(verified == 0, np.int16(-1), answer)
    passed = (verified == 1) & there
    return Hand(recording, rows, np.repeat(recorded, times), answer, votes, passed if passed.any() else None)
