"""Replay of a budget that many questions share: all known at once, or coming one by one.

The same :class:`thinkcap.policies.budgets.Batch` and :class:`~thinkcap.policies.budgets.Pace` decide as do live, one
attempt at a time. The budget is hard: an attempt is made at the largest output cap that what is left pays for, as long
as nine in ten of the arm's answers would finish under it, and is cut there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import floor
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.engine import read_grades
from thinkcap.evals.rates import output_rates
from thinkcap.evals.recording import Recording
from thinkcap.evals.tape import Tape
from thinkcap.policies.budgets import Batch, Certificate, Pace
from thinkcap.policies.curves import Point
from thinkcap.policies.episode import ended, next_move
from thinkcap.policies.errors import BadInput
from thinkcap.policies.money import NANO, Dollars, nano_usd
from thinkcap.policies.policy import Policy
from thinkcap.policies.values import Call, Offer, Outcome, Reason, Room, State

__all__ = ["SharedReplay", "replay_shared"]

Arrival = Literal["batch", "stream"]


@dataclass(frozen=True, slots=True, eq=False)
class SharedReplay:
    """What questions under one budget came to.

    Attributes:
        budget_usd: dollars for all of them.
        right: share of the questions answered right, in each order.  (permutations,)
        usd: dollars spent, in each order.  (permutations,)
        unanswered: questions without an answer, in each order.  (permutations,)
        accuracy: of each question, over the orders; NaN where never graded.  (questions,)
        certificates: how far each allocation can be from the best, by what was expected; none for a stream.
    """

    budget_usd: float
    right: NDArray[np.float64]
    usd: NDArray[np.float64]
    unanswered: NDArray[np.int64]
    accuracy: NDArray[np.float64]
    certificates: tuple[Certificate, ...]


def replay_shared(
    recording: Recording,
    points: Sequence[Point],
    budget: Dollars,
    *,
    arrival: Arrival = "batch",
    permutations: int = 20,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> SharedReplay:
    """Answer all questions of a recording under one budget, in many random orders.

    Args:
        recording: the attempts.
        points: policies worth having, cheapest first, with what to expect of each: a curve's, fitted on others.
        budget: dollars for all questions together.
        arrival: ``"batch"`` if all questions are known at once, ``"stream"`` if they come one by one.
        permutations: orders of the questions and of their attempts.
        seed: of the orders.
        progress: told how many orders are done, and of how many.

    Raises:
        BadInput: if a policy asks for more attempts than are recorded.
    """
    if permutations < 1:
        raise BadInput("permutations must be at least 1")
    run = _Run(recording, tuple(points), nano_usd(budget), permutations, seed)
    answer = run.batch if arrival == "batch" else run.stream
    grades = read_grades(recording, recording.arms).worth
    right = np.empty((permutations, len(recording.questions)))
    usd, unanswered = np.empty(permutations), np.empty(permutations, dtype=np.int64)
    certificates = []
    for permutation in range(permutations):
        outcomes, certificate = answer(permutation)
        usd[permutation] = sum(outcome.spent_nusd for outcome in outcomes) / NANO
        unanswered[permutation] = sum(outcome.answer is None for outcome in outcomes)
        for place, outcome in enumerate(outcomes):
            texts = recording.answers[place]
            right[permutation, place] = grades[place, -1 if outcome.answer is None else texts.index(outcome.answer)]
        if certificate is not None:
            certificates.append(certificate)
        if progress is not None:
            progress(permutation + 1, permutations)
    return SharedReplay(
        float(nano_usd(budget)) / NANO, _mean(right, 1), usd, unanswered, _mean(right, 0), tuple(certificates)
    )


def _mean(right: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Over what is graded; NaN where nothing is."""
    graded = (~np.isnan(right)).sum(axis=axis)
    means = np.full(len(graded), np.nan)
    np.divide(np.nansum(right, axis=axis), graded, out=means, where=graded > 0)
    return means


class _Run:
    """One recording under one budget."""

    def __init__(
        self, recording: Recording, points: tuple[Point, ...], budget_nusd: int, permutations: int, seed: int
    ) -> None:
        self.recording, self.points, self.budget, self.seed = recording, points, budget_nusd, seed
        rates = output_rates(recording)
        self.tapes = [
            Tape(recording, place, recording.arms, permutations, seed, "this budget", lambda: rates)
            for place in range(len(recording.questions))
        ]
        self.tills = [_Till.of(recording, arm, rate) for arm, rate in enumerate(rates.tolist())]

    def batch(self, permutation: int) -> tuple[list[Outcome], Certificate]:
        order = self._order(permutation)
        states = [State(self.tapes[place].question, self.recording.arms) for place in order]
        batch, free = Batch(self.points, states, self.budget / NANO), self.budget
        while (turn := batch.next(free / NANO)) is not None:
            state = batch.states[turn.place]
            made = self._attempt(turn.policy, state, order[turn.place], permutation, free)
            if made is not None:
                free -= made.attempts[-1].cost_nusd
            batch.took(turn, made or state)
        outcomes: list[Outcome | None] = [None] * len(order)
        for number, place in enumerate(order):
            outcomes[place] = batch.outcome(number)
        return [outcome for outcome in outcomes if outcome is not None], batch.certificate()

    def stream(self, permutation: int) -> tuple[list[Outcome], None]:
        pace, free = Pace(self.points, len(self.tapes)), self.budget
        outcomes: list[Outcome | None] = [None] * len(self.tapes)
        for place in self._order(permutation):
            share = pace.next(free / NANO)
            state = State(self.tapes[place].question, self.recording.arms)
            while (made := self._attempt(share.policy, state, place, permutation, free)) is not None:
                free -= made.attempts[-1].cost_nusd
                state = made
            pace.took(share, state.spent_nusd / NANO)
            move = next_move(share.policy, state)
            outcomes[place] = ended(state, share.policy.stop(state, Reason.CEILING) if isinstance(move, Call) else move)
        return [outcome for outcome in outcomes if outcome is not None], None

    def _order(self, permutation: int) -> list[int]:
        order: list[int] = np.random.default_rng([self.seed, permutation]).permutation(len(self.tapes)).tolist()
        return order

    def _attempt(self, policy: Policy, state: State, place: int, permutation: int, free: int) -> State | None:
        """The question with one more attempt; None if the policy stops, or what is left does not pay for one."""
        room = Room(tuple(till.offer(self.recording, place, free) for till in self.tills), free)
        move = next_move(policy, replace(state, room=room))
        if not isinstance(move, Call):
            return None
        used = sum(attempt.arm.label == move.arm.label for attempt in state.attempts)
        till = self.tills[self.recording.arms.index(self.recording.find_arm(move.arm.label))]
        if move.max_output_tokens is not None and move.max_output_tokens >= till.longest:
            move = Call(move.arm)  # as it was recorded: nothing is cut
        made = self.tapes[place].attempt(move, permutation, used, len(state.attempts) + 1)
        return state.after(made)


@dataclass(frozen=True, slots=True)
class _Till:
    """What one arm's attempts can come to."""

    arm: int
    rate: float
    longest: int
    enough: int
    worst_nusd: int

    @classmethod
    def of(cls, recording: Recording, arm: int, rate: float) -> _Till:
        rows = recording.arm == arm
        tokens = recording.output_tokens[rows]
        return cls(
            arm,
            rate,
            max(1, int(tokens.max(initial=1))),
            max(1, int(np.quantile(tokens, 0.9))) if len(tokens) else 1,
            int(recording.cost_nusd[rows].max(initial=0)),
        )

    def offer(self, recording: Recording, place: int, free: int) -> Offer:
        """What the next attempt at a question may be; whole or not at all, where costs do not follow tokens."""
        if np.isnan(self.rate):
            return Offer(self.longest if self.worst_nusd <= free else 0, self.longest, self.longest, self.worst_nusd)
        rows = recording.rows(place, self.arm)
        prompt = recording.cost_nusd[rows] - self.rate * recording.output_tokens[rows]
        most = floor((free - float(prompt.max(initial=0.0))) / self.rate)
        return Offer(max(0, min(most, self.longest)), min(self.enough, self.longest), self.longest, self.worst_nusd)
