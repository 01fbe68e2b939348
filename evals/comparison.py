"""Policies side by side on the same questions: gains at equal cost, costs at equal accuracy, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite, nan
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.frontier import accuracy_at, hull, pareto, usd_at
from thinkcap.evals.results import Replay
from thinkcap.evals.statistics import Interval, Resamples
from thinkcap.policies.errors import BadInput

__all__ = ["Field", "Match"]

Floats = NDArray[np.float64]
Along = Literal["hull", "path"]


@dataclass(frozen=True, slots=True)
class Match:
    """A frontier against one policy, at that policy's own operating point.

    Attributes:
        policy: the policy's name.
        accuracy_gain: accuracy of the frontier at the policy's cost, less the policy's, in shares of one.
        usd_ratio: cost at which the frontier reaches the policy's accuracy, as a part of the policy's cost. Where the
            frontier does not reach it in a sample, the sample counts as infinite.
    """

    policy: str
    accuracy_gain: Interval
    usd_ratio: Interval


class Field:
    """Replays on the questions that all of them have graded.

    Args:
        replays: at least one, of one recording.
        replicates, seed: of the samples of questions.

    Raises:
        BadInput: if they are of different questions, or no question is graded in all of them.
    """

    def __init__(self, replays: Sequence[Replay], *, replicates: int = 2000, seed: int = 0) -> None:
        if not replays:
            raise BadInput("there is nothing to compare: give at least one replay")
        first = replays[0]
        if any(other.questions != first.questions for other in replays):
            raise BadInput("replays of different questions cannot be compared: replay one recording")
        graded = np.flatnonzero(~np.isnan([each.accuracy for each in replays]).any(axis=0))
        if not len(graded):
            raise BadInput("no question is graded in all of them, so there is nothing to compare")
        self.replays = tuple(replays)
        self.questions = tuple(first.questions[place] for place in graded)
        self.accuracy: Floats = np.array([each.accuracy[graded] for each in replays])  # (policies, questions)
        self.usd: Floats = np.array([each.usd[graded] for each in replays])  # (policies, questions)
        groups = [first.groups[place] for place in graded]
        named = any(group is not None for group in groups)
        self.resamples = Resamples(
            len(graded),
            replicates=replicates,
            seed=seed,
            groups=[group or name for group, name in zip(groups, self.questions, strict=True)] if named else None,
        )

    @cached_property
    def accuracies(self) -> Floats:
        """Mean accuracy in each sample of questions.  (policies, replicates)"""
        return self.resamples.means(self.accuracy)

    @cached_property
    def costs(self) -> Floats:
        """Mean cost in each sample of questions.  (policies, replicates)"""
        return self.resamples.means(self.usd)

    @property
    def pareto(self) -> tuple[int, ...]:
        """Places of the replays that no other beats, cheapest first."""
        return pareto(self.usd.mean(axis=1), self.accuracy.mean(axis=1))

    @property
    def hull(self) -> tuple[int, ...]:
        """Places of the replays at the corners of the concave hull, cheapest first."""
        return hull(self.usd.mean(axis=1), self.accuracy.mean(axis=1))

    def difference(self, one: int, other: int) -> tuple[Interval, Interval]:
        """How much more accurate, and how much dearer, one replay is than another, paired by question."""
        found = []
        for values, samples in ((self.accuracy, self.accuracies), (self.usd, self.costs)):
            mean = float((values[one] - values[other]).mean())
            found.append(self.resamples.interval(mean, samples[one] - samples[other]))
        return found[0], found[1]

    def match(self, frontier: Sequence[int], against: int, *, along: Along = "hull", part: float = 1.0) -> Match:
        """Some of the replays against one of them; interpolated within each sample of questions.

        Args:
            frontier: places of the replays that make the frontier.
            against: place of the replay it is held against.
            along: ``"hull"`` mixes the best of them; ``"path"`` mixes neighbours in cost, whatever they came to, so
                that nothing is chosen by what was measured.
            part: of the policy's cost at which the gain is taken.
        """
        gain_at, ratio_at = (_gain, _ratio) if along == "hull" else (_path_gain, _path_ratio)
        mine = list(frontier)
        own = float(self.usd[against].mean()), float(self.accuracy[against].mean())
        mean = self.usd[mine].mean(axis=1), self.accuracy[mine].mean(axis=1)
        gain, ratio = gain_at(*mean, part * own[0], own[1]), ratio_at(*mean, *own)
        costs, rights = self.costs[mine], self.accuracies[mine]
        gains, ratios = np.empty(self.resamples.replicates), np.empty(self.resamples.replicates)
        for sample in range(self.resamples.replicates):
            theirs = self.costs[against, sample], self.accuracies[against, sample]
            gains[sample] = gain_at(costs[:, sample], rights[:, sample], part * theirs[0], theirs[1])
            ratios[sample] = ratio_at(costs[:, sample], rights[:, sample], *theirs)
        return Match(
            self.replays[against].policy,
            self.resamples.interval(gain, gains),
            self.resamples.interval(ratio, ratios),
        )

    def cheapest(self, least: float) -> int | None:
        """Place of the cheapest replay with at least this accuracy; None if none has it."""
        cost, right = self.usd.mean(axis=1), self.accuracy.mean(axis=1)
        fine = np.flatnonzero(right >= least)
        return int(fine[cost[fine].argmin()]) if len(fine) else None


def _gain(costs: Floats, rights: Floats, usd: float, accuracy: float) -> float:
    """NaN where the frontier has nothing as cheap as that."""
    return accuracy_at(costs, rights, usd) - accuracy


def _path_gain(costs: Floats, rights: Floats, usd: float, accuracy: float) -> float:
    order = np.argsort(costs, kind="stable")
    return nan if usd < costs[order[0]] * (1 - 1e-9) else float(np.interp(usd, costs[order], rights[order])) - accuracy


def _path_ratio(costs: Floats, rights: Floats, usd: float, accuracy: float) -> float:
    order = np.argsort(costs, kind="stable")
    reached = np.maximum.accumulate(rights[order])
    if not usd or accuracy > reached[-1]:
        return inf
    return float(np.interp(accuracy, reached, costs[order])) / usd


def _ratio(costs: Floats, rights: Floats, usd: float, accuracy: float) -> float:
    reached = usd_at(costs, rights, accuracy)
    if not usd:
        return nan if not reached else inf
    return reached / usd if isfinite(reached) else inf
