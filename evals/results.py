"""What replays come to: one row of a table, and the figures of every question behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.statistics import bootstrap_mean
from thinkcap.policies.errors import BadInput
from thinkcap.policies.values import Reason

__all__ = ["Replay", "Summary"]


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
        usd_by_arm: dollars spent with each of ``arms``; they add up to ``usd``.  (questions, arms)
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
    usd_by_arm: NDArray[np.float64]
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
