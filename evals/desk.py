"""One policy at a block of questions: many episodes at once where it has a plan, one by one where it has none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.engine import Deal, Grades, Plan, Walk, capping, cut_episodes, unwrapped, walk
from thinkcap.evals.recording import Recording
from thinkcap.evals.tape import Tape, Till, play
from thinkcap.policies.mix import Mix
from thinkcap.policies.policy import Policy
from thinkcap.policies.values import Arm, Reason

__all__ = ["Desk", "Part"]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What a policy came to at a block of questions.

    Attributes:
        accuracy: share of right answers; NaN where none chosen was ever graded.  (questions,)
        nusd: mean nano-dollars.  (questions,)
        by_arm: mean nano-dollars spent with each arm.  (questions, arms)
        tokens: mean output tokens.  (questions,)
        made: mean attempts.  (questions,)
        right: right answers of each permutation, and how many were graded, over the questions.  (2, permutations)
        most_nusd: the most nano-dollars of any episode.
        reasons: why the episodes ended.
        used: labels of the arms asked.
        sometimes: questions at which some chosen answers are not graded.
    """

    accuracy: NDArray[np.float64]
    nusd: NDArray[np.float64]
    by_arm: NDArray[np.float64]
    tokens: NDArray[np.float64]
    made: NDArray[np.float64]
    right: NDArray[np.float64]
    most_nusd: int
    reasons: Mapping[Reason, int]
    used: frozenset[str]
    sometimes: int


class Desk:
    """Replays one policy, block by block.

    Args:
        recording: the attempts.
        grades: what is known of every question.
        policy: who decides.
        plans: the policy as a plan, or as the two plans of a mix; none replays it episode by episode.
        name: what errors call it.
        arms: the ways of asking.
        permutations: orders of each question; None for the recorded one.
        seed: of the orders.
        till: keeps a ceiling; None for none.
        rates: what an output token of each arm costs, asked only where a cap cuts an attempt.
    """

    def __init__(
        self,
        recording: Recording,
        grades: Grades,
        policy: Policy,
        plans: Sequence[Plan],
        name: str,
        arms: tuple[Arm, ...],
        permutations: int | None,
        seed: int,
        till: Till | None,
        rates: Callable[[], NDArray[np.float64]],
    ) -> None:
        self.rates = rates
        self.recording, self.grades = recording, grades
        self.policy, self.plans, self.name, self.arms = policy, tuple(plans), name, arms
        self.permutations, self.seed, self.till = permutations, seed, till

    def part(self, questions: Sequence[int], deal: Deal | None) -> Part:
        """Replay a block of questions; with a deal, all its clean ones at once."""
        episodes = _Episodes(len(questions), self.permutations or 1, len(self.arms))
        one_by_one: Sequence[int] = range(len(questions))
        if self.plans and deal is not None:
            done = np.zeros(len(questions), dtype=np.bool_)
            for plan, mine in zip(self.plans, shares_of(self.policy, self.recording, deal.questions), strict=True):
                which = mine & deal.is_clean
                if plan.verifier:
                    which &= self.recording.verifiable[deal.questions]
                if self._at_once(plan, deal, which, episodes):
                    done |= which
            one_by_one = np.flatnonzero(~done).tolist()
        for place in one_by_one:
            self._answer(questions[place], place, episodes)
        return episodes.part()

    def _at_once(self, plan: Plan, deal: Deal, which: NDArray[np.bool_], episodes: _Episodes) -> bool:
        """Replay these questions; False if they have to be played one by one."""
        found = walk(deal, plan, self.grades.compares[deal.questions], which)
        caps = capping(self.policy)
        if found.short is not None:
            if caps is not None:
                return False  # with a cap an episode may end before it runs out
            # asked once more, episode by episode, it says what is missing
            place, permutation = divmod(found.short, deal.permutations)
            play(self.policy, self._tape(int(deal.questions[place])), permutation)
        if caps is not None:
            self._play_cut(cut_episodes(caps, deal, plan, found) & which[:, None], deal, found)
        for mine, theirs in (
            (episodes.right, found.right),
            (episodes.nusd, found.nusd),
            (episodes.tokens, found.tokens),
            (episodes.made, found.made),
        ):
            mine[which] = theirs[which]
        for place, arm in enumerate(deal.arms):
            episodes.by_arm[which, self.arms.index(arm)] = found.by_arm[place, which].mean(axis=1)
        episodes.reasons += found.reasons(which)
        episodes.used |= {deal.arms[arm].label for arm in found.used(plan, which)}
        return True

    def _play_cut(self, cut: NDArray[np.bool_], deal: Deal, found: Walk) -> None:
        """Play the episodes in which a cap cuts an attempt one by one, in place of what came without caps."""
        for place in np.flatnonzero(cut.any(axis=1)).tolist():
            question = int(deal.questions[place])
            tape, grade = self._tape(question), self._worth(question)
            for permutation in np.flatnonzero(cut[place]).tolist():
                outcome = play(self.policy, tape, permutation)
                found.instead(place, permutation, outcome, grade[outcome.answer], deal.arms)

    def _answer(self, question: int, place: int, episodes: _Episodes) -> None:
        """All permutations of one question, one by one."""
        tape, grade = self._tape(question), self._worth(question)
        spent = dict.fromkeys((arm.label for arm in self.arms), 0)
        for permutation in range(self.permutations or 1):
            outcome = play(self.policy, tape, permutation, self.till.fresh() if self.till else None)
            episodes.right[place, permutation] = grade[outcome.answer]
            episodes.nusd[place, permutation] = outcome.spent_nusd
            episodes.tokens[place, permutation] = sum(a.usage.output_tokens for a in outcome.attempts if a.usage)
            episodes.made[place, permutation] = len(outcome.attempts)
            episodes.reasons[outcome.reason] += 1
            episodes.used.update(attempt.arm.label for attempt in outcome.attempts)
            for attempt in outcome.attempts:
                spent[attempt.arm.label] += attempt.cost_nusd
        episodes.by_arm[place] = [total / (self.permutations or 1) for total in spent.values()]

    def _tape(self, question: int) -> Tape:
        return Tape(self.recording, question, self.arms, self.permutations, self.seed, self.name, self.rates)

    def _worth(self, question: int) -> dict[str | None, float]:
        texts, worth = self.recording.answers[question], self.grades.worth[question].tolist()
        return {None: worth[-1], **dict(zip(texts, worth, strict=False))}


def shares_of(policy: Policy, recording: Recording, questions: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
    """The questions that each plan of a policy gets, in their order (:func:`plans_of`).  (questions,) each"""
    mix = unwrapped(policy)
    if not isinstance(mix, Mix):
        return [np.ones(len(questions), dtype=np.bool_)]
    first = np.array([mix.chosen(recording.questions[q]) is mix.first for q in questions.tolist()], dtype=np.bool_)
    return [first, ~first]


class _Episodes:
    """The figures of a block, episode by episode.  (questions, permutations) each, but money by arm"""

    def __init__(self, questions: int, permutations: int, arms: int) -> None:
        self.by_arm = np.zeros((questions, arms))
        self.right = np.full((questions, permutations), np.nan)
        self.nusd = np.zeros((questions, permutations), dtype=np.int64)
        self.tokens = np.zeros((questions, permutations), dtype=np.int64)
        self.made = np.zeros((questions, permutations), dtype=np.int64)
        self.reasons: Counter[Reason] = Counter()
        self.used: set[str] = set()

    def part(self) -> Part:
        """Their means, question by question."""
        known = ~np.isnan(self.right)
        worth = np.where(known, self.right, 0.0)
        count = known.sum(axis=1)  # (questions,)
        accuracy = np.divide(worth.sum(axis=1), count, out=np.full(len(count), np.nan), where=count > 0)
        return Part(
            accuracy,
            self.nusd.mean(axis=1),
            self.by_arm,
            self.tokens.mean(axis=1),
            self.made.mean(axis=1),
            np.stack([worth.sum(axis=0), known.sum(axis=0)]),
            int(self.nusd.max(initial=0)),
            self.reasons,
            frozenset(self.used),
            int(np.count_nonzero((count > 0) & (count < self.right.shape[1]))),
        )
