"""What chains of attempts come to at each question, exactly, over all orders in which an arm's attempts may come.

Of the n recorded attempts of an arm at a question c passed. Drawn without replacement in a random order, the first j
all fail with chance C(n - c, j) / C(n, j) (the complement of the unbiased pass@j; Chen et al. 2021, 2107.03374). Given
that the first j failed, the next is any of the c that passed and of the n - c - j failures that are left, and each
failure is as likely as another to be among them: so its mean cost is the mean over these, with the failures' own mean.
Arms are drawn independently of each other inside a question. Questions are not averaged here, so a chain's later
attempts meet the questions that the earlier ones left open, as hard as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.recording import Recording
from thinkcap.policies.errors import BadInput
from thinkcap.policies.money import NANO

__all__ = ["Draws", "Walked", "draws_of", "walked"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """One arm's attempts, drawn one after the other until one passes.

    Attributes:
        label: the arm.
        fails: the chance that the first j all fail, j from 0 to all.  (draws + 1, questions)
        usd, tokens: of the next attempt, given that all before it failed; 0 where they cannot have.  (draws, questions)
    """

    label: str
    fails: Floats
    usd: Floats
    tokens: Floats

    @property
    def most(self) -> int:
        """Attempts that every question has."""
        return len(self.usd)


@dataclass(frozen=True, slots=True, eq=False)
class Walked:
    """What the beginnings of a chain come to: the first attempt only, the first two, and so on.

    Attributes:
        accuracy, usd, tokens, attempts: expected at each question.  (steps, questions) each
        spent: dollars expected to be spent at each step itself.  (steps, questions)
    """

    accuracy: Floats
    usd: Floats
    tokens: Floats
    attempts: Floats
    spent: Floats


def draws_of(recording: Recording, labels: Sequence[str]) -> tuple[Draws, ...]:
    """Each arm's attempts at every question; as many as the question with fewest has.

    Args:
        recording: verified attempts, every question asked with every arm.
        labels: of the arms.

    Raises:
        BadInput: if a question was not asked with an arm.
    """
    return tuple(_draws(recording, label) for label in labels)


def _draws(recording: Recording, label: str) -> Draws:
    questions = len(recording.questions)
    mine = np.flatnonzero(recording.arm == recording.arms.index(recording.find_arm(label)))
    place, passed = recording.question[mine], recording.verified[mine] == 1
    made = np.bincount(place, minlength=questions).astype(np.float64)  # (questions,)
    if not made.all():
        lacking = recording.questions[int(np.flatnonzero(made == 0)[0])]
        raise BadInput(f"{recording.source}: question {lacking} was not asked with {label}: keep the common ones")
    right = np.bincount(place[passed], minlength=questions).astype(np.float64)

    def means(values: Floats, which: NDArray[np.bool_], count: Floats) -> Floats:
        total = np.bincount(place[which], weights=values[mine][which], minlength=questions)
        return np.divide(total, count, out=np.zeros(questions), where=count > 0)

    most = int(made.min())
    fails, figures = np.ones((most + 1, questions)), np.zeros((2, most, questions))
    columns = (recording.cost_nusd / NANO, recording.output_tokens.astype(np.float64))
    both = [(means(values, passed, right), means(values, ~passed, made - right)) for values in columns]
    for draw in range(most):
        left, wrong = made - draw, np.maximum(made - right - draw, 0)
        fails[draw + 1] = fails[draw] * wrong / left
        for figure, (when_right, when_wrong) in zip(figures, both, strict=True):
            figure[draw] = np.where(fails[draw] > 0, (right * when_right + wrong * when_wrong) / left, 0)
    return Draws(label, fails, figures[0], figures[1])


def walked(draws: Sequence[Draws], steps: Sequence[int]) -> Walked:
    """A chain, and each of its beginnings.

    Args:
        draws: the arms.
        steps: the arm of each attempt, by its place; an arm may come again as often as it has draws.
    """
    questions = draws[0].fails.shape[1]
    open_, used = np.ones(questions), [0] * len(draws)
    found = np.empty((4, len(steps), questions))  # chance to have passed, dollars, tokens, attempts: of each step
    for step, arm in enumerate(steps):
        hand, draw = draws[arm], used[arm]
        used[arm] += 1
        found[1, step], found[2, step] = open_ * hand.usd[draw], open_ * hand.tokens[draw]
        found[3, step] = open_
        with np.errstate(invalid="ignore"):
            open_ = np.where(open_ > 0, open_ * hand.fails[draw + 1] / hand.fails[draw], 0.0)
        found[0, step] = 1 - open_
    usd, tokens, attempts = found[1:].cumsum(axis=1)
    return Walked(found[0], usd, tokens, attempts, found[1])
