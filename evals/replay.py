"""Replay: what a policy would have done, and cost, on recorded attempts.

Each question is answered again many times; each time, every arm's recorded attempts come in another random
order and are used at most once. The order depends on the seed, the permutation, the question and the arm
only, so that all policies meet the same luck (common random numbers) and differ by what they decide. The
episode is the one that runs live; only the driver differs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.recording import Recording
from thinkcap.evals.statistics import bootstrap_mean
from thinkcap.evals.tape import Tape, Till, play, till_for
from thinkcap.policies.errors import BadInput
from thinkcap.policies.money import NANO, Dollars
from thinkcap.policies.policy import Policy
from thinkcap.policies.values import Arm, Reason

__all__ = ["Replay", "Summary", "replay"]

Progress = Callable[[int, int], None]
"""Told of questions done and questions in all."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A replay in one row of a table; every interval is a bootstrap over questions.

    Attributes:
        policy: its name.
        arm: the arms it asked, joined by `` + ``.
        questions: how many it was graded on.
        accuracy, accuracy_low, accuracy_high: share of right answers, 0 to 1.
        usd, usd_low, usd_high: dollars per question.
        output_tokens: per question, including hidden reasoning.
        attempts: per question.
        mc_error: standard error of the accuracy that comes from drawing only so many permutations; NaN for one.
    """

    policy: str
    arm: str
    questions: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    usd: float
    usd_low: float
    usd_high: float
    output_tokens: float
    attempts: float
    mc_error: float


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """What a policy came to on each question, averaged over permutations.

    Attributes:
        policy: its name.
        arms: labels of the arms it asked.
        questions: the questions' ids.
        groups: each question's family; None where the recording names none.  (questions,)
        permutations: orders each question was answered in.
        accuracy: share of right answers, 0 to 1; NaN where no answer chosen was ever graded.  (questions,)
        usd: dollars.  (questions,)
        output_tokens: including hidden reasoning.  (questions,)
        attempts: how many were made.  (questions,)
        most_nusd: the most any one episode cost, in nano-dollars.
        reasons: why the episodes ended, over all questions and permutations.
        mc_error: standard error of the mean accuracy over permutations; NaN for a single one.
        notes: what to know when reading the figures, a line each.
    """

    policy: str
    arms: tuple[str, ...]
    questions: tuple[str, ...]
    groups: tuple[str | None, ...]
    permutations: int
    accuracy: NDArray[np.float64]
    usd: NDArray[np.float64]
    output_tokens: NDArray[np.float64]
    attempts: NDArray[np.float64]
    most_nusd: int
    reasons: Mapping[Reason, int]
    mc_error: float
    notes: tuple[str, ...]

    def summary(self, *, bootstrap: int = 4000, seed: int = 0) -> Summary:
        """Means over the graded questions, with 95 % intervals.

        Args:
            bootstrap: samples of questions drawn for the intervals.
            seed: of the draws.

        Raises:
            BadInput: if no question is graded.
        """
        graded = np.flatnonzero(~np.isnan(self.accuracy))
        if not len(graded):
            raise BadInput("not one answer is graded, so there is no accuracy: fill the column correct")
        named = any(group is not None for group in self.groups)
        groups = [self.groups[q] or self.questions[q] for q in graded] if named else None
        accuracy = bootstrap_mean(self.accuracy[graded], replicates=bootstrap, seed=seed, groups=groups)
        usd = bootstrap_mean(self.usd[graded], replicates=bootstrap, seed=seed, groups=groups)
        return Summary(
            policy=self.policy,
            arm=" + ".join(self.arms),
            questions=len(graded),
            accuracy=accuracy.mean,
            accuracy_low=accuracy.low,
            accuracy_high=accuracy.high,
            usd=usd.mean,
            usd_low=usd.low,
            usd_high=usd.high,
            output_tokens=float(self.output_tokens[graded].mean()),
            attempts=float(self.attempts[graded].mean()),
            mc_error=self.mc_error,
        )


def replay(
    recording: Recording,
    policy: Policy,
    *,
    permutations: int | None = 100,
    seed: int = 0,
    ceiling: Dollars | None = None,
    arms: Sequence[str] | None = None,
    name: str | None = None,
    progress: Progress | None = None,
) -> Replay:
    """Answer every question of a recording again, as a policy would.

    Under a ceiling, an arm's worst case is its dearest recorded attempt at any question, so a replayed episode
    never passes the ceiling. A chosen answer is right as the recording grades it (whichever arm gave it); no
    answer is wrong; an answer that was never graded is neither, and is left out of the mean.

    Args:
        recording: the attempts.
        policy: who decides.
        permutations: random orders in which each question is answered; None answers each once, in the order
            of the recording.
        seed: of the orders.
        ceiling: dollars per question; None for no ceiling.
        arms: labels of the arms a policy may ask, by convention cheapest first; None for all, so ordered.
        name: what tables call the policy; None takes its ``repr``.
        progress: called after each question with how many are done and how many there are.

    Raises:
        BadInput: if a policy asks for more attempts than are recorded, for an output cap that would have cut a
            recorded attempt, or for a larger one than a recorded attempt was cut at.
    """
    if permutations is not None and (type(permutations) is not int or permutations < 1):
        raise BadInput(f"permutations must be a whole number of at least 1, or None, not {permutations!r}")
    asked = recording.arms if arms is None else tuple(recording.find_arm(text) for text in arms)
    if not asked or len(set(asked)) < len(asked):
        raise BadInput("replay needs at least one arm, and each arm once")
    desk = _Desk(
        recording, policy, name or repr(policy), asked, permutations, seed, till_for(recording, asked, ceiling)
    )
    for question in range(len(recording.questions)):
        desk.answer(question)
        if progress is not None:
            progress(question + 1, len(recording.questions))
    return desk.result()


class _Desk:
    """The figures of one replay, filled question by question."""

    def __init__(
        self,
        recording: Recording,
        policy: Policy,
        name: str,
        arms: tuple[Arm, ...],
        permutations: int | None,
        seed: int,
        till: Till | None,
    ) -> None:
        self.recording, self.policy, self.name, self.arms = recording, policy, name, arms
        self.permutations, self.seed, self.till = permutations, seed, till
        self.grades, self.gradable = recording.grades(), recording.graded()
        shape = (len(recording.questions), permutations or 1)
        self.right = np.full(shape, np.nan)  # (questions, permutations)
        self.nusd = np.zeros(shape)
        self.tokens = np.zeros(shape)
        self.made = np.zeros(shape)
        self.reasons: Counter[Reason] = Counter()
        self.used: set[str] = set()

    def answer(self, question: int) -> None:
        """All permutations of one question."""
        tape = Tape(self.recording, question, self.arms, self.permutations, self.seed, self.name)
        grade = self._grades(question)
        for permutation in range(self.permutations or 1):
            till = self.till.fresh() if self.till else None
            outcome = play(self.policy, tape, permutation, till)
            self.right[question, permutation] = grade[outcome.answer]
            self.nusd[question, permutation] = outcome.spent_nusd
            self.tokens[question, permutation] = sum(a.usage.output_tokens for a in outcome.attempts if a.usage)
            self.made[question, permutation] = len(outcome.attempts)
            self.reasons[outcome.reason] += 1
            self.used.update(attempt.arm.label for attempt in outcome.attempts)

    def _grades(self, question: int) -> dict[str | None, float]:
        nothing = 0.0 if self.gradable[question] else np.nan
        texts = self.recording.answers[question]
        return {None: nothing, **dict(zip(texts, self.grades[question].tolist(), strict=True))}

    def result(self) -> Replay:
        """The figures so far."""
        return Replay(
            policy=self.name,
            arms=tuple(arm.label for arm in self.arms if arm.label in self.used),
            questions=self.recording.questions,
            groups=self.recording.groups,
            permutations=self.permutations or 1,
            accuracy=_mean_of_known(self.right),
            usd=self.nusd.mean(axis=1) / NANO,
            output_tokens=self.tokens.mean(axis=1),
            attempts=self.made.mean(axis=1),
            most_nusd=int(self.nusd.max(initial=0)),
            reasons=dict(self.reasons),
            mc_error=_mc_error(self.right),
            notes=(*self.recording.notes, *self._notes()),
        )

    def _notes(self) -> list[str]:
        notes = []
        never = int(np.isnan(self.right).all(axis=1).sum())
        sometimes = int(np.isnan(self.right).any(axis=1).sum()) - never
        if never:
            notes.append(f"{never:,} questions left out: no answer chosen there is graded")
        if sometimes:
            notes.append(f"at {sometimes:,} questions some chosen answers are not graded, and do not count")
        both = sum(bool(((grades > 0) & (grades < 1)).any()) for grades in self.grades)
        if both:
            notes.append(f"at {both:,} questions equal answers are graded both ways: their mean counts")
        return notes


def _mean_of_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over permutations of the values that are known; NaN where none is.  (questions,)"""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    mean: NDArray[np.float64] = np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
    return mean


def _mc_error(right: NDArray[np.float64]) -> float:
    """Standard error, over permutations, of the mean over questions; questions never graded are left out."""
    graded = right[~np.isnan(right).all(axis=1)]
    permutations = right.shape[1]
    if permutations < 2 or not len(graded):
        return float("nan")
    means = _mean_of_known(graded.T)  # (permutations,)
    means = means[~np.isnan(means)]
    return float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else float("nan")
