"""Intervals for means over questions: the percentile bootstrap, which resamples questions.

A question and all that was recorded at it stay together; questions of one family (``groups``) are resampled
together too. The percentile interval is Efron's (1979; Efron and Tibshirani 1993, section 13.3): the middle
``level`` of the means of ``replicates`` samples drawn with replacement. With fewer than some 20 questions it
is a little too narrow.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thinkcap.policies.errors import BadInput

__all__ = ["Interval", "bootstrap_mean", "paired_difference"]

_AT_ONCE = 2**21  # numbers held in memory at a time


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and where it may lie, in the unit of the values.

    Attributes:
        mean: the mean of the values themselves.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    mean: float
    low: float
    high: float


def bootstrap_mean(
    values: ArrayLike,
    *,
    replicates: int = 4000,
    seed: int = 0,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
) -> Interval:
    """The mean of one value a question, with its percentile bootstrap interval.

    Two calls with equally many questions (or groups) and the same seed draw the same questions.

    Args:
        values: one finite number a question.  (questions,)
        replicates: samples drawn, at least 1.
        seed: of the draws.
        groups: each question's family, drawn together; None draws single questions.  (questions,)
        level: share of the means inside the interval, between 0 and 1.

    Raises:
        BadInput: for no values, values that are not finite, or options outside their range.
    """
    numbers = _numbers(values)
    _check(replicates, level)
    totals, sizes = _by_group(numbers, groups)
    means = _replicates(totals, sizes, replicates, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(numbers.mean()), float(low), float(high))


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
        replicates, seed, groups, level: as for :func:`bootstrap_mean`.

    Raises:
        BadInput: as for :func:`bootstrap_mean`, and for different numbers of questions.
    """
    first, second = _numbers(a), _numbers(b)
    if len(first) != len(second):
        raise BadInput(f"a paired difference needs the same questions twice, not {len(first)} and {len(second)}")
    return bootstrap_mean(first - second, replicates=replicates, seed=seed, groups=groups, level=level)


def _numbers(values: ArrayLike) -> NDArray[np.float64]:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or len(numbers) == 0:
        raise BadInput("the bootstrap needs one number a question, and at least one question")
    if not np.isfinite(numbers).all():
        raise BadInput("the bootstrap needs finite numbers: leave out questions that have none")
    return numbers


def _check(replicates: int, level: float) -> None:
    if type(replicates) is not int or replicates < 1:
        raise BadInput(f"replicates must be a whole number of at least 1, not {replicates!r}")
    if not 0 < level < 1:
        raise BadInput(f"level must lie between 0 and 1, not {level!r}")


def _by_group(
    numbers: NDArray[np.float64], groups: Sequence[Hashable] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and size of each group."""
    if groups is None:
        return numbers, np.ones(len(numbers))
    if len(groups) != len(numbers):
        raise BadInput(f"groups must name one group a question ({len(numbers)}), not {len(groups)}")
    places: dict[Hashable, int] = {}
    codes = np.array([places.setdefault(group, len(places)) for group in groups])
    totals = np.bincount(codes, weights=numbers).astype(np.float64)
    return totals, np.bincount(codes).astype(np.float64)


def _replicates(
    totals: NDArray[np.float64], sizes: NDArray[np.float64], replicates: int, seed: int
) -> NDArray[np.float64]:
    """The mean of each replicate.  (replicates,)"""
    draws = np.random.default_rng(seed)
    units = len(totals)
    means = np.empty(replicates)
    step = max(1, _AT_ONCE // units)
    for start in range(0, replicates, step):
        end = min(start + step, replicates)
        drawn = draws.integers(0, units, size=(end - start, units))  # (replicates at once, groups)
        means[start:end] = totals[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return means
