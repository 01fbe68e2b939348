"""What a vote, or a checker, makes of k recorded attempts: exact, without drawing permutations.

Both are means over every way to take k of the n recorded attempts at a question (complete U-statistics).
"""

from __future__ import annotations

from fractions import Fraction
from math import comb, isnan, nan

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.recording import Recording
from thinkcap.policies.errors import BadInput

__all__ = ["majority_accuracy", "pass_at_k"]


def pass_at_k(recording: Recording, arm: str, k: int) -> NDArray[np.float64]:
    """Per question, the chance that at least one of k graded attempts is right.

    ``1 - C(n - c, k) / C(n, k)`` with c right of n graded attempts (Chen et al. 2021, 2107.03374, section 2.1).

    Args:
        recording: the attempts.
        arm: label of the arm (or a model with a single arm).
        k: attempts taken, at least 1.

    Returns:
        One chance a question; NaN where no attempt is graded.  (questions,)

    Raises:
        BadInput: for an unknown arm, or a question with fewer than k graded attempts.
    """
    index = _arm(recording, arm, k)
    chances = np.full(len(recording.questions), np.nan)
    for question in range(len(chances)):
        correct = recording.correct[recording.rows(question, index)]
        graded = int(np.count_nonzero(correct >= 0))
        if graded:
            _enough(recording, question, arm, graded, k)
            right = int(np.count_nonzero(correct == 1))
            chances[question] = 1 - comb(graded - right, k) / comb(graded, k)
    return chances


def majority_accuracy(recording: Recording, arm: str, k: int) -> NDArray[np.float64]:
    """Per question, the chance that the most frequent answer of k attempts is right.

    Each of j answers with equally many votes wins with chance 1/j: on average over orders, this is what the
    rule "the earliest of equals" of a replayed vote comes to. Attempts without an answer are taken and do not
    vote; if none votes, the answer is wrong. An answer that is not graded is left out of the mean.

    An answer held by h of the attempts has t votes in ``C(h, t)`` ways; it wins where no other has more, which
    the product over the other answers of ``sum over i < t of C(h', i) z^i + u C(h', t) z^t`` counts: the power
    of z is the votes taken, that of u the answers it ties with.

    Args:
        recording: the attempts.
        arm: label of the arm (or a model with a single arm).
        k: attempts taken, at least 1.

    Returns:
        One chance a question; NaN where no answer is graded.  (questions,)

    Raises:
        BadInput: for an unknown arm, or a question with fewer than k attempts.
    """
    index = _arm(recording, arm, k)
    grades, gradable = recording.grades(), recording.graded()
    chances = np.full(len(recording.questions), np.nan)
    for question in np.flatnonzero(gradable).tolist():
        answers = recording.answer[recording.rows(question, index)]
        _enough(recording, question, arm, len(answers), k)
        chances[question] = _majority(answers, grades[question], k)
    return chances


def _arm(recording: Recording, arm: str, k: int) -> int:
    if type(k) is not int or k < 1:
        raise BadInput(f"k must be a whole number of at least 1, not {k!r}")
    return recording.arms.index(recording.find_arm(arm))


def _enough(recording: Recording, question: int, arm: str, recorded: int, k: int) -> None:
    if recorded < k:
        name = recording.questions[question]
        raise BadInput(f"{arm} has {recorded} attempts to take at question {name}, fewer than k={k}: record more")


def _majority(answers: NDArray[np.int32], grades: NDArray[np.float64], k: int) -> float:
    codes, counts = np.unique(answers[answers >= 0], return_counts=True)
    votes: list[int] = counts.tolist()
    worth: list[float] = grades[codes].tolist()
    silent = len(answers) - sum(votes)
    every_graded = not any(isnan(grade) for grade in worth)
    right, known = 0.0, comb(silent, k) / comb(len(answers), k)  # where nobody votes, the answer is known to be wrong
    for place, grade in enumerate(worth):
        if not isnan(grade) and (grade > 0 or not every_graded):
            chance = _wins(votes[place], votes[:place] + votes[place + 1 :], silent, k)
            right += grade * chance
            known += chance
    if every_graded:
        return right
    return right / known if known > 0 else nan


def _wins(held: int, others: list[int], silent: int, k: int) -> float:
    """The chance that an answer wins, a tie of j counting 1/j; in whole numbers up to the last division."""
    winning = [0] * (len(others) + 1)  # ways to win, by the number of answers tied with
    for votes in range(1, min(held, k) + 1):
        left = k - votes
        # ways[ties][taken]: ways to take this many attempts of the others with this many at exactly `votes`
        ways = [[comb(silent, taken) for taken in range(left + 1)]]
        for other in others:
            below = [comb(other, taken) for taken in range(min(votes, left + 1))]
            ways = _times(ways, below, comb(other, votes), votes, left)
        for ties, row in enumerate(ways):
            winning[ties] += comb(held, votes) * row[left]
    every = comb(held + sum(others) + silent, k)
    return float(sum(Fraction(count, (ties + 1) * every) for ties, count in enumerate(winning)))


def _times(ways: list[list[int]], below: list[int], level: int, votes: int, left: int) -> list[list[int]]:
    """Multiply by one more answer: fewer votes than the winner, or as many."""
    product = [[0] * (left + 1) for _ in range(len(ways) + (level > 0 and len(ways) * votes <= left))]
    for ties, row in enumerate(ways):
        for taken, count in enumerate(row):
            if count:
                for more, choices in enumerate(below[: left + 1 - taken]):
                    product[ties][taken + more] += count * choices
                if level and taken + votes <= left:
                    product[ties + 1][taken + votes] += count * level
    return product
