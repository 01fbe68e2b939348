"""Walking a plan over a deal: one attempt of all episodes at a time, until each has stopped.

Only the episodes that go on are kept in the arrays, so each attempt costs as much as there are of them. Votes are kept
by answer; of the two that lead only the numbers are followed, and who leads is settled where an episode stops. What a
plan does here is, draw for draw, what its policy does in :func:`thinkcap.policies.episode`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.engine.deal import Deal, Hand
from thinkcap.evals.engine.plan import Plan
from thinkcap.policies.spend import Short
from thinkcap.policies.values import Arm, Outcome, Reason

__all__ = ["Walk", "walk"]

_REASONS = tuple(Reason)
_ONE = np.int16(1)
_CODE = {reason: code for code, reason in enumerate(_REASONS)}


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """What all episodes of a deal came to; those of questions that were left out are not to be used.

    Attributes:
        right: what the answer is worth, 0 to 1; NaN where it was never graded.  (questions, permutations)
        nusd: nano-dollars.  (questions, permutations)
        by_arm: nano-dollars spent with each arm of the deal.  (arms, questions, permutations)
        tokens: output tokens.  (questions, permutations)
        made: attempts.  (questions, permutations)
        reason: code of why it ended, in the order of :class:`Reason`.  (questions, permutations)
        single: its only call was the favourite arm's.  (questions, permutations)
        short: the first episode that asked for more attempts than are recorded; None if none did.
    """

    right: NDArray[np.float64]
    nusd: NDArray[np.int64]
    by_arm: NDArray[np.int64]
    tokens: NDArray[np.int64]
    made: NDArray[np.int16]
    reason: NDArray[np.int8]
    single: NDArray[np.bool_]
    short: int | None

    def used(self, plan: Plan, questions: NDArray[np.bool_]) -> set[int]:
        """The arms that the episodes of these questions asked."""
        made = self.made[questions]
        single = self.single[questions]
        most = int(made[~single].max(initial=0))
        return {*plan.steps[:most], *([plan.favourite] if single.any() else [])}

    def instead(self, question: int, permutation: int, outcome: Outcome, right: float, arms: Sequence[Arm]) -> None:
        """Put another outcome in an episode's place."""
        place = (question, permutation)
        self.right[place], self.nusd[place], self.made[place] = right, outcome.spent_nusd, len(outcome.attempts)
        self.tokens[place] = sum(attempt.usage.output_tokens for attempt in outcome.attempts if attempt.usage)
        self.reason[place] = _CODE[outcome.reason]
        for index, arm in enumerate(arms):
            self.by_arm[(index, *place)] = sum(a.cost_nusd for a in outcome.attempts if a.arm.label == arm.label)

    def reasons(self, questions: NDArray[np.bool_]) -> Counter[Reason]:
        """Why the episodes of these questions ended, how often each."""
        counted = np.bincount(self.reason[questions].ravel(), minlength=len(_REASONS))
        return Counter({reason: int(count) for reason, count in zip(_REASONS, counted, strict=True) if count})


def walk(deal: Deal, plan: Plan, compares: NDArray[np.bool_], which: NDArray[np.bool_]) -> Walk:
    """Walk a plan over a deal.

    Args:
        deal: the attempts as every permutation meets them.
        plan: the policy.
        compares: answers at the question can be compared or verified; elsewhere one call is made.  (questions,)
        which: the questions to walk over; they have to be clean.  (questions,)
    """
    ended = _Ended(deal)
    many = np.repeat(compares & which, deal.permutations)  # (episodes,)
    _votes(deal, plan, np.flatnonzero(many), ended)
    _single_calls(deal, plan, np.flatnonzero(np.repeat(~compares & which, deal.permutations)), ended)
    return ended.result(plan)


class _Ended:
    """How each episode ended.  (episodes,) each"""

    def __init__(self, deal: Deal) -> None:
        self.deal = deal
        self.made = np.zeros(deal.episodes, dtype=np.int16)
        self.answer = np.full(deal.episodes, -1, dtype=np.int16)
        self.reason = np.zeros(deal.episodes, dtype=np.int8)
        self.single = np.zeros(deal.episodes, dtype=np.bool_)  # the only call was the favourite arm's
        self.short: int | None = None

    def end(self, which: NDArray[np.int64], made: int, answer: NDArray[np.int16], reason: Reason) -> None:
        """These episodes ended after so many attempts."""
        self.made[which] = made
        self.answer[which] = answer
        self.reason[which] = _CODE[reason]

    def lack(self, which: NDArray[np.int64]) -> None:
        """These episodes asked for an attempt that is not recorded."""
        if len(which) and (self.short is None or which[0] < self.short):
            self.short = int(which[0])

    def result(self, plan: Plan) -> Walk:
        """All of it, with what it cost and was worth."""
        deal = self.deal
        shape = (len(deal.questions), deal.permutations)
        every = np.arange(deal.episodes)
        nusd = np.zeros(deal.episodes, dtype=np.int64)
        tokens = np.zeros(deal.episodes, dtype=np.int64)
        by_arm = np.zeros((len(deal.hands), *shape), dtype=np.int64)
        for arm in sorted({plan.favourite, *plan.steps}):
            hand = deal.hands[arm]
            asked = np.concatenate(([0], np.cumsum(np.array(plan.steps) == arm)))  # (steps + 1,)
            used = asked[np.minimum(self.made, len(plan.steps))]  # (episodes,)
            used = np.where(self.single, self.made * (arm == plan.favourite), used)
            used = np.minimum(used, len(hand.rows))  # of episodes that asked for more than there is
            spent = hand.nusd[used, every]
            nusd += spent
            by_arm[arm] = spent.reshape(shape)
            tokens += hand.tokens[used, every]
        question = every // deal.permutations
        right = deal.grades[question, self.answer]  # no answer is -1, the last column
        return Walk(
            right.reshape(shape),
            nusd.reshape(shape),
            by_arm,
            tokens.reshape(shape),
            self.made.reshape(shape),
            self.reason.reshape(shape),
            self.single.reshape(shape),
            self.short,
        )


def _single_calls(deal: Deal, plan: Plan, active: NDArray[np.int64], ended: _Ended) -> None:
    if len(active):
        hand = deal.hands[plan.favourite]
        ended.lack(active[hand.recorded[active] == 0])
        ended.single[active] = True
        if len(hand.rows):
            passed = np.zeros(len(active), dtype=np.bool_) if hand.passed is None else hand.passed[0, active]
            ended.end(active, 1, hand.votes[0, active], Reason.NOTHING_TO_COMPARE)
            ended.end(active[passed], 1, hand.answer[0, active[passed]], Reason.VERIFIED)


def _votes(deal: Deal, plan: Plan, active: NDArray[np.int64], ended: _Ended) -> None:
    answers = deal.grades.shape[1] - 1
    kind = np.dtype(np.float64 if plan.weights is not None else np.int16)
    votes = np.zeros(len(active) * max(answers, 1), dtype=kind)  # of each answer in each episode
    at = np.arange(len(active)) * max(answers, 1)  # where an episode's votes begin  (active,)
    first = np.zeros(len(active), dtype=kind)  # votes of the leader  (active,)
    second = np.zeros(len(active), dtype=kind)  # votes of the runner-up  (active,)
    leader = np.full(len(active), -1, dtype=np.int16)  # one of those with most votes  (active,)
    window = _Window(plan.window, len(active))
    lengths = _Lengths(plan.short, len(deal.hands), len(active))
    used = [0] * len(deal.hands)
    for made, arm in enumerate(plan.steps, start=1):
        if not len(active):
            return
        hand, draw = deal.hands[arm], used[arm]
        used[arm] += 1
        if draw >= len(hand.rows) or (draw >= hand.recorded.min() and (hand.recorded[active] <= draw).any()):
            ended.lack(active[hand.recorded[active] <= draw])
            return
        answer = hand.votes[draw, active]  # (active,)
        vote = _ONE if plan.weights is None else np.float64(plan.weights[made - 1])
        weight = lengths.weigh(vote, hand, arm, draw, active)
        _count(votes, at, answer, weight, first, second, leader)
        stopped, reason = _stopped(deal, plan, hand, draw, made, active, first, second, window, answer, used)
        if not stopped.any():
            continue
        ties = stopped & (first == second) & (first > 0)
        if ties.any():
            leader[ties] = _earliest(deal, plan.steps[:made], active[ties], votes, at[ties], first[ties])
        for why in np.unique(reason[stopped]).tolist():
            which = stopped & (reason == why)
            chosen = leader[which]
            if _REASONS[why] is Reason.VERIFIED:
                chosen = hand.answer[draw, active[which]]
            elif window.ends(made) and _REASONS[why] is Reason.AGREED:
                chosen = answer[which]
            ended.end(active[which], made, chosen, _REASONS[why])
        on = ~stopped
        active, at, first, second, leader = active[on], at[on], first[on], second[on], leader[on]
        window.keep(on)
        lengths.keep(on)


def _count(
    votes: NDArray[np.number],
    at: NDArray[np.int64],
    answer: NDArray[np.int16],
    weight: np.number | NDArray[np.float64],
    first: NDArray[np.number],
    second: NDArray[np.number],
    leader: NDArray[np.int16],
) -> None:
    """Add one vote an episode, in place; an answer of -1 does not vote."""
    voting = np.flatnonzero(answer >= 0)
    whole = len(voting) == len(answer)
    if not whole:
        at, answer = at[voting], answer[voting]
        weight = weight[voting] if isinstance(weight, np.ndarray) else weight
    place = at + answer
    count = votes[place] + weight
    votes[place] = count
    top, next_, led = (first, second, leader) if whole else (first[voting], second[voting], leader[voting])
    other = answer != led
    np.copyto(next_, np.maximum(next_, np.minimum(count, top)), where=other)
    np.copyto(led, answer, where=other & (count > top))
    np.maximum(top, count, out=top)
    if not whole:
        first[voting], second[voting], leader[voting] = top, next_, led


def _stopped(
    deal: Deal,
    plan: Plan,
    hand: Hand,
    draw: int,
    made: int,
    active: NDArray[np.int64],
    first: NDArray[np.number],
    second: NDArray[np.number],
    window: _Window,
    answer: NDArray[np.int16],
    used: list[int],
) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
    """Which episodes stop now, and why; what is named first counts most.  (active,) each"""
    stopped = np.zeros(len(active), dtype=np.bool_)
    reason = np.zeros(len(active), dtype=np.int8)

    def stop(which: NDArray[np.bool_], why: Reason) -> None:
        reason[which & ~stopped] = _CODE[why]
        np.logical_or(stopped, which, out=stopped)

    if hand.passed is not None:
        stop(hand.passed[draw, active], Reason.VERIFIED)
    if plan.agrees is not None:
        stop(plan.agrees(first, second), Reason.AGREED)
    window.take(made, answer)
    if window.ends(made):
        stop(window.agreed, Reason.AGREED)
    if made == len(plan.steps) and not plan.is_cut:
        stop(np.ones(len(active), dtype=np.bool_), plan.last)
    if plan.dear is not None:
        spent = sum(other.nusd[count, active] for other, count in zip(deal.hands, used, strict=True) if count)
        stop((spent >= plan.dear[0]) & (first > 0) & (first - second >= plan.dear[1]), Reason.AGREED)
    if made == len(plan.steps) and plan.is_cut:
        stop(np.ones(len(active), dtype=np.bool_), plan.last)
    for limit, name in ((plan.nusd, "nusd"), (plan.tokens, "tokens")):
        if limit is not None:
            sums = (getattr(other, name)[count, active] for other, count in zip(deal.hands, used, strict=True) if count)
            stop(sum(sums) >= limit, Reason.CEILING)
    return stopped, reason


class _Lengths:
    """How long the attempts of each arm were so far, to tell which are short for their question."""

    def __init__(self, short: Short | None, arms: int, episodes: int) -> None:
        self._short = short
        self._sums = np.zeros((arms, episodes if short is not None else 0))  # of logarithms  (arms, active)

    def weigh(
        self, weight: np.number, hand: Hand, arm: int, draw: int, active: NDArray[np.int64]
    ) -> np.number | NDArray[np.float64]:
        """The weight of each vote: less where the attempt is short."""
        if self._short is None:
            return weight
        tokens = np.maximum(1, hand.tokens[draw + 1, active] - hand.tokens[draw, active])
        self._sums[arm] += np.log(tokens)
        typical = np.exp(self._sums[arm] / (draw + 1))
        return np.where(tokens < self._short.below * typical, weight * self._short.counts, weight)

    def keep(self, on: NDArray[np.bool_]) -> None:
        """Go on with these episodes."""
        if self._short is not None:
            self._sums = self._sums[:, on]


class _Window:
    """Whether the attempts of the window that is open have all given one answer."""

    def __init__(self, size: int | None, episodes: int) -> None:
        self._size = size
        self._answer = np.full(episodes, -1, dtype=np.int16)
        self.agreed = np.zeros(episodes, dtype=np.bool_)

    def take(self, made: int, answer: NDArray[np.int16]) -> None:
        """The next attempt's answers."""
        if self._size is None:
            return
        if (made - 1) % self._size == 0:
            self._answer, self.agreed = answer.copy(), answer >= 0
        else:
            self.agreed &= answer == self._answer

    def ends(self, made: int) -> bool:
        """A window is full after so many attempts."""
        return self._size is not None and made % self._size == 0

    def keep(self, on: NDArray[np.bool_]) -> None:
        """Go on with these episodes."""
        if self._size is not None:
            self._answer, self.agreed = self._answer[on], self.agreed[on]


def _earliest(
    deal: Deal,
    steps: tuple[int, ...],
    episodes: NDArray[np.int64],
    votes: NDArray[np.number],
    at: NDArray[np.int64],
    most: NDArray[np.number],
) -> NDArray[np.int16]:
    """Of the answers with most votes, the one that came first.  (episodes,)"""
    found = np.full(len(episodes), -1, dtype=np.int16)
    used = [0] * len(deal.hands)
    for arm in steps:
        answer = deal.hands[arm].votes[used[arm], episodes]
        used[arm] += 1
        leads = (found < 0) & (answer >= 0) & (votes[at + np.maximum(answer, 0)] == most)
        found[leads] = answer[leads]
    return found
