"""Intervals for means over questions: the bootstrap, which resamples questions.

A question and all that was recorded at it stay together; questions of one family (``groups``) are resampled together
too. The samples are drawn once and used for everything that is compared, so differences are paired. The interval is the
percentile interval (Efron 1979; Efron and Tibshirani 1993, section 13.3), expanded for few questions as Hesterberg
(2015, The American Statistician 69, section 4.3) does: its ends are where Student's t would put them on a normal scale.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thinkcap.policies.errors import BadInput
from thinkcap.policies.interval import Interval

__all__ = ["Interval", "Resamples", "bootstrap_mean", "paired_difference"]

_AT_ONCE = 2**23  # numbers held in memory at a time
_NORMAL = NormalDist()
_UNDECIDED = 0.5


class Resamples:
    """Samples of questions with replacement: the same for all values that are averaged over them.

    Args:
        questions: how many there are.
        replicates: samples drawn, at least 1.
        seed: of the draws.
        groups: each question's family, drawn together; None draws single questions.  (questions,)
        level: share of the means inside an interval, between 0 and 1.

    Raises:
        BadInput: for no questions, or options outside their range.
    """

    def __init__(
        self,
        questions: int,
        *,
        replicates: int = 4000,
        seed: int = 0,
        groups: Sequence[Hashable] | None = None,
        level: float = 0.95,
    ) -> None:
        if questions < 1:
            raise BadInput("the bootstrap needs at least one question")
        if type(replicates) is not int or replicates < 1:
            raise BadInput(f"replicates must be a whole number of at least 1, not {replicates!r}")
        if not 0 < level < 1:
            raise BadInput(f"level must lie between 0 and 1, not {level!r}")
        if groups is not None and len(groups) != questions:
            raise BadInput(f"groups must name one group a question ({questions}), not {len(groups)}")
        self.questions, self.replicates, self._seed = questions, replicates, seed
        places: dict[Hashable, int] = {}
        named = range(questions) if groups is None else groups
        self._unit = np.array([places.setdefault(group, len(places)) for group in named])  # (questions,)
        self._units = len(places)
        self._sizes = np.bincount(self._unit).astype(np.float64)  # questions of each unit  (units,)
        self._ends, self._level = _expanded(level, self._units), level
        self._counts: NDArray[np.float64] | None = None

    def means(self, values: ArrayLike) -> NDArray[np.float64]:
        """The mean over each sample of questions.

        Args:
            values: finite numbers, one a question in the last axis.  (..., questions)

        Returns:
            One mean a sample.  (..., replicates)

        Raises:
            BadInput: for another number of questions, or numbers that are not finite.
        """
        numbers = np.asarray(values, dtype=np.float64)
        if numbers.ndim == 0 or numbers.shape[-1] != self.questions:
            raise BadInput(f"the bootstrap needs one number a question ({self.questions}), not {numbers.shape}")
        if not np.isfinite(numbers).all():
            raise BadInput("the bootstrap needs finite numbers: leave out questions that have none")
        flat = numbers.reshape(-1, self.questions)
        totals = np.zeros((len(flat), self._units))  # sums within each unit  (rows, units)
        np.add.at(totals.T, self._unit, flat.T)
        means = np.empty((len(flat), self.replicates))
        start = 0
        for counts in self._drawn():  # how often each unit is in each sample  (samples, units)
            end = start + len(counts)
            means[:, start:end] = (totals @ counts.T) / (counts @ self._sizes)
            start = end
        return means.reshape(*numbers.shape[:-1], self.replicates)

    def interval(self, value: float, replicates: NDArray[np.float64]) -> Interval:
        """A figure with the interval that its replicates span; those that are not a number are left out."""
        known = replicates[~np.isnan(replicates)]
        if not len(known):
            return Interval(value, float("nan"), float("nan"))
        if np.isfinite(known).all():
            low, high = np.quantile(known, self._ends)
        else:  # between a number and infinity there is nothing
            low, high = np.quantile(known, self._ends, method="nearest")
        return Interval(float(value), float(low), float(high))

    def mean(self, values: ArrayLike) -> Interval:
        """The mean of one value a question, with its interval.  (questions,)"""
        numbers = np.asarray(values, dtype=np.float64)
        if numbers.ndim != 1:
            raise BadInput("the bootstrap needs one number a question, and at least one question")
        return self.interval(float(numbers.mean()), self.means(numbers))

    def share(self, values: ArrayLike) -> Interval:
        """The mean of one share a question (0 to 1), with an interval that stays open where all are 0, or all 1.

        It is the bootstrap's or, at an end where that reaches further, Wilson's score interval (1927) for so many
        units, whose variance is the binomial one times their dispersion. With one unit more counted as undecided the
        dispersion is never nothing; Student's t takes the place of the normal quantile.
        """
        numbers = np.asarray(values, dtype=np.float64)
        replicates = self.means(numbers)
        found = self.interval(float(numbers.mean()), replicates)
        mean, units = min(max(found.mean, 0.0), 1.0), self._units
        if units < 2:
            return found
        spread, most = units * units * float(replicates.var()), units * mean * (1 - mean)
        size = units * (most + _UNDECIDED) / (spread + _UNDECIDED)
        z = -_student((1 - self._level) / 2, units - 1)
        middle = (mean + z * z / (2 * size)) / (1 + z * z / size)
        half = z / (1 + z * z / size) * sqrt(mean * (1 - mean) / size + z * z / (4 * size * size))
        return Interval(mean, max(0.0, min(found.low, middle - half)), min(1.0, max(found.high, middle + half)))

    def _drawn(self) -> Iterator[NDArray[np.float64]]:
        if self._counts is not None:
            yield self._counts
            return
        luck = np.random.default_rng(self._seed)
        step = max(1, _AT_ONCE // self._units)
        for start in range(0, self.replicates, step):
            samples = min(step, self.replicates - start)
            drawn = luck.integers(0, self._units, size=(samples, self._units))
            drawn += np.arange(samples)[:, None] * self._units
            counts = np.bincount(drawn.ravel(), minlength=samples * self._units).astype(np.float64)
            counts = counts.reshape(samples, self._units)
            if samples == self.replicates:
                self._counts = counts
            yield counts


def bootstrap_mean(
    values: ArrayLike,
    *,
    replicates: int = 4000,
    seed: int = 0,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Interval:
    """The mean of one value a question, with its bootstrap interval.

    Two calls with equally many questions (or groups) and the same seed draw the same questions.

    Args:
        values: one finite number a question.  (questions,)
        replicates, seed, groups, level: as :class:`Resamples` takes them.

    Raises:
        BadInput: for no values, values that are not finite, or options outside their range.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or len(numbers) == 0:
        raise BadInput("the bootstrap needs one number a question, and at least one question")
    return Resamples(len(numbers), replicates=replicates, seed=seed, groups=groups, level=level).mean(numbers)


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    *,
    replicates: int = 4000,
    seed: int = 0,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Interval:
    """The mean of ``a - b`` over the same questions, with its paired bootstrap interval.

    Pairing keeps a question's two values together, so that what the question contributes to both cancels.

    Args:
        a: one finite number a question.  (questions,)
        b: the same questions in the same order.  (questions,)
        replicates, seed, groups, level: as :class:`Resamples` takes them.

    Raises:
        BadInput: as for :func:`bootstrap_mean`, and for different numbers of questions.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise BadInput(f"a paired difference needs the same questions twice, not {len(first)} and {len(second)}")
    return bootstrap_mean(first - second, replicates=replicates, seed=seed, groups=groups, level=level)


def _expanded(level: float, units: int) -> tuple[float, float]:
    """The quantiles of the replicates at which the interval ends."""
    tail = (1 - level) / 2
    if units > 1:
        tail = _NORMAL.cdf(sqrt(units / (units - 1)) * _student(tail, units - 1))
    return tail, 1 - tail


def _student(tail: float, freedom: int) -> float:
    """A quantile of Student's t, by its expansion around the normal one (Abramowitz and Stegun 26.7.5)."""
    z: float = _NORMAL.inv_cdf(tail)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / float(freedom**power) for power, term in enumerate(terms, start=1))
