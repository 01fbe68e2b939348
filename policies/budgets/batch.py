"""A budget shared by questions that are all known: attempt by attempt to where it is worth most.

A curve's policies, cheapest first, are the levels; on their concave hull each next level buys less for its money than
the one before. So the budget is spent level by level: every question gets a first attempt at the level that its share
of the budget pays for, then those the level would go on with go on, then those the next level would, until the money
is gone. That is the greedy of the multiple-choice knapsack on its hull, at most one increment below the optimum of the
linear programme (Sinha and Zoltners 1979), at the prices that were expected. Among questions at one level the most
valuable attempt is made first: the chance that it still changes the answer falls about by half with each vote of lead,
and what it costs is what attempts at that question have cost.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from thinkcap.policies.curves import Point
from thinkcap.policies.episode import ended, next_move
from thinkcap.policies.errors import BadInput
from thinkcap.policies.money import NANO
from thinkcap.policies.policy import Policy
from thinkcap.policies.values import Call, Outcome, Reason, State
from thinkcap.policies.votes import tally

__all__ = ["Batch", "Certificate", "Turn"]

_ROUND = 1e-9
_DEARER = 1.5
"""How much dearer than expected a dear first attempt may come out and leave every new question a cheap one."""
_TRUSTED = 8
"""Attempts at an arm after which its own mean cost weighs as much as the expected one."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One attempt to make.

    Attributes:
        place: of the question.
        level: of the policy among the levels.
        policy: who decides on the attempt.
        usd: dollars it is expected to cost.
    """

    place: int
    level: int
    policy: Policy
    usd: float


@dataclass(frozen=True, slots=True)
class Certificate:
    """How far the allocation can be from the best one, by the curve.

    Attributes:
        expected_right: right answers to expect of what was bought.
        bound_right: right answers that no allocation of the whole budget which asks every question has more of, where
            the budget pays for that (the Lagrangian dual).
    """

    expected_right: float
    bound_right: float

    @property
    def gap(self) -> float:
        """Right answers that a better allocation could add at most."""
        return max(0.0, self.bound_right - self.expected_right)


class Batch:
    """Says which question of a batch gets the next attempt; it makes none itself.

    The driver asks for turns, makes the attempts (several at once, if it likes) and tells of each what came.

    Args:
        points: the levels: policies worth having, cheapest first, with what to expect of each.
        states: the questions, with the attempts already made at each.
        budget_usd: dollars for all of them together.
    """

    def __init__(self, points: Sequence[Point], states: Sequence[State], budget_usd: float) -> None:
        if not points or not states:
            raise BadInput("a batch needs at least one question and one policy")
        self._points, self._budget = tuple(points), budget_usd
        self.states = list(states)
        self.level: list[int | None] = [None] * len(states)
        self._running: dict[int, float] = {}
        self._needed: list[set[int]] = [set() for _ in points]
        self._costs: Counter[str] = Counter()
        self._made: Counter[str] = Counter()
        self._waiting: list[tuple[int, float, int]] = []
        self._base, self._share = self._start()
        self._dealt = 0.0
        self._answered = {place for place, state in enumerate(states) if state.attempts and self._answers(place)}
        self._fresh = deque(place for place, state in enumerate(states) if not state.attempts)
        for place, state in enumerate(states):
            if state.attempts:
                self._wait(place, self._base)

    def next(self, free_usd: float) -> Turn | None:
        """The attempt to make next; None if none is left, or all money is held by those in flight.

        Args:
            free_usd: dollars of the budget that are not spent.
        """
        free = free_usd - sum(self._running.values())
        if self._fresh:
            place = self._fresh.popleft()
            return self._turn(place, self._first_level(free, len(self._fresh) + 1))
        if not self._waiting:
            return None
        level, _, place = self._waiting[0]
        if self._running and self._usd(level, place) > free:
            return None
        heapq.heappop(self._waiting)
        return self._turn(place, level)

    def took(self, turn: Turn, state: State) -> None:
        """What came of a turn: the question with the attempt; as it was, if none could be made."""
        del self._running[turn.place]
        before = self.states[turn.place]
        self.states[turn.place] = state
        made = state.attempts[len(before.attempts) :]
        for attempt in made:
            self._made[attempt.arm.label] += 1
            self._costs[attempt.arm.label] += attempt.cost_nusd
        if made:
            self.level[turn.place] = turn.level
            self._wait(turn.place, turn.level)
            (self._answered.add if self._answers(turn.place) else self._answered.discard)(turn.place)

    def again(self, turn: Turn) -> None:
        """Put a turn back: no attempt could be made beside those in flight."""
        del self._running[turn.place]
        heapq.heappush(self._waiting, (turn.level, -inf, turn.place))

    @property
    def answered(self) -> int:
        """Questions that have an answer, whether or not more will be bought at them."""
        return len(self._answered)

    def outcome(self, place: int, otherwise: Reason = Reason.CEILING) -> Outcome:
        """What a question comes to as things stand.

        Args:
            place: of the question.
            otherwise: why nothing more is bought at it, if its policy would go on.
        """
        state, level = self.states[place], self.level[place]
        policy = self._points[self._base if level is None else level].policy
        move = next_move(policy, state)
        return ended(state, policy.stop(state, otherwise) if isinstance(move, Call) else move)

    def _answers(self, place: int) -> bool:
        return self.outcome(place).answer is not None

    def certificate(self) -> Certificate:
        """Right answers expected of what was bought, beside the most that the whole budget could have bought."""
        right = [point.expected.accuracy.mean for point in self._points]
        met = [self._met(level) for level in range(len(self._points))]
        lowest = next((level for level, needed in enumerate(self._needed) if needed), 0)
        expected = right[lowest] * met[lowest]
        for level in range(lowest + 1, len(right)):
            expected += (right[level] - right[level - 1]) * met[level]
        return Certificate(expected * len(self.states), self._bound())

    def _met(self, level: int) -> float:
        """Of the questions that needed an attempt at this level, the share that went on to its end."""
        needed = self._needed[level]
        done = sum(
            bool(self.states[place].attempts)
            and not isinstance(next_move(self._points[level].policy, self.states[place]), Call)
            for place in needed
        )
        return done / len(needed) if needed else 0.0

    def _bound(self) -> float:
        """The hull at the budget: with questions that are alike beforehand, that is the dual."""
        usd = [point.expected.usd.mean for point in self._points]
        right = [point.expected.accuracy.mean for point in self._points]
        each = self._budget / len(self.states)
        if each <= usd[0]:
            return right[0] * len(self.states) * each / usd[0] if usd[0] else right[0] * len(self.states)
        level = max(place for place, cost in enumerate(usd) if cost <= each)
        if level == len(usd) - 1:
            return right[-1] * len(self.states)
        part = (each - usd[level]) / (usd[level + 1] - usd[level])
        return (right[level] + part * (right[level + 1] - right[level])) * len(self.states)

    def _start(self) -> tuple[int, float]:
        """The level that a question's share of the budget pays for, and the share of questions begun at the next one.

        A next level that begins at the same arm is not begun at: the questions that deserve it go on to it.
        """
        usd = [point.expected.usd.mean for point in self._points]
        each = self._budget / len(self.states)
        level = max((place for place, cost in enumerate(usd) if cost <= each), default=0)
        if level == len(usd) - 1 or each <= usd[0] or self._arm(level) == self._arm(level + 1):
            return level, 0.0
        return level, (each - usd[level]) / (usd[level + 1] - usd[level])

    def _arm(self, level: int) -> str | None:
        """Where a level's first attempt is made."""
        move = next_move(self._points[level].policy, replace(self.states[0], attempts=()))
        return move.arm.label if isinstance(move, Call) else None

    def _first_level(self, free: float, fresh: int) -> int:
        """Where the next new question begins: lower than planned, if the money does not last for all that are new."""
        level, share = self._base, self._share
        while level and fresh * self._usd(level, None) > free:
            level, share = level - 1, 1.0
        if share:
            low, high = self._usd(level, None), self._usd(level + 1, None)
            lasts = (free / fresh - low) / (high - low) if high > low else share
            self._dealt += max(0.0, min(share, lasts))
            if self._dealt >= 1 - _ROUND and free - _DEARER * high >= low * (fresh - 1):
                self._dealt -= 1
                level += 1
        return level

    def _usd(self, level: int, place: int | None) -> float:
        """Dollars of one attempt: as the question's own attempts came to, else those at the arm, else as expected."""
        if place is not None and self.states[place].attempts:
            state = self.states[place]
            return state.spent_nusd / len(state.attempts) / NANO
        expected = self._points[level].expected
        each = expected.usd.mean / max(1.0, expected.attempts)
        arm = self._arm(level) or ""
        return (each * _TRUSTED + self._costs[arm] / NANO) / (_TRUSTED + self._made[arm])

    def _turn(self, place: int, level: int) -> Turn:
        usd = self._usd(level, place)
        self._needed[level].add(place)
        self._running[place] = usd
        return Turn(place, level, self._points[level].policy, usd)

    def _wait(self, place: int, level: int) -> None:
        """Queue a question at the lowest level, from this one on, that would go on with it."""
        state = self.states[place]
        for higher in range(level, len(self._points)):
            if isinstance(next_move(self._points[higher].policy, state), Call):
                self._needed[higher].add(place)
                heapq.heappush(self._waiting, (higher, -_value(state), place))
                return
            self.level[place] = higher


def _value(state: State) -> float:
    """Of one more attempt, for its money: up to a factor that all questions share."""
    return float(0.5 ** tally(state.attempts).lead * len(state.attempts) / max(1, state.spent_nusd))
