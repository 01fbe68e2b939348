"""Fitting the law of tokens, all arms together: a factor model of log tokens, by maximum likelihood.

With n attempts of mean log length y at a question, ``y ~ Normal(mean + shared g, own^2 + within^2 / n)`` given the
question's length g, which is integrated out in closed form.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from thinkcap.policies.curves.counts import Counts
from thinkcap.policies.curves.estimate import scipy_part
from thinkcap.policies.curves.quadrature import DIFFICULTIES, Array
from thinkcap.policies.curves.tokens import Tokens

__all__ = ["Lengths", "fit_lengths"]

_FEWEST_ABOVE = 50  # attempts above their question's mean, to tell their tail
_LEAST = 0.02  # of a standard deviation: lengths that never vary are given this much


@dataclass(frozen=True, slots=True, eq=False)
class Lengths:
    """The fitted laws, and how they move when other questions are drawn.

    Attributes:
        tokens: one law an arm.
        draws: mean, shared, own and within of each arm in each resampled set of questions.  (arms, draws, 4)
        converged: the search ended at a maximum.
        repeats: whether an arm was asked a question twice at all, so that what repeats is known.  (arms,)
    """

    tokens: tuple[Tokens, ...]
    draws: Array
    converged: bool
    repeats: tuple[bool, ...]


def fit_lengths(counts: Counts, joint: Array, resampled: Array) -> Lengths:
    """Fit the laws of all arms.

    Args:
        counts: the attempts.
        joint: the chance of each question's counts at each difficulty.  (questions, difficulties)
        resampled: weights of the questions in each resampled set.  (draws, questions)
    """
    n = counts.finished.astype(np.float64)  # (arms, questions)
    free = np.maximum(n - 1, 0)
    repeats = free.sum(axis=1) > 0
    within2 = np.maximum(
        np.divide(counts.log_squares.sum(axis=1), free.sum(axis=1), out=np.zeros(len(n)), where=repeats), _LEAST**2
    )
    factor = _Factor(np.nan_to_num(counts.log_tokens), n, within2, repeats)
    found = scipy_part("optimize").minimize(factor.loss, factor.start(), jac=True, method="L-BFGS-B")
    vector = np.asarray(found.x)
    mean, shared, own = factor.read(vector)
    if shared.sum() < 0:
        shared = -shared
    within = np.sqrt(np.maximum(np.where(repeats, within2, factor.spread2 - shared**2), _LEAST**2))
    tie = _tie(factor, vector, joint) if shared.any() else 0.0
    leans, used = _leans(counts) / within, counts.average(counts.tokens)
    tokens = tuple(
        Tokens(
            mean=float(mean[arm]),
            shared=float(shared[arm]),
            own=float(own[arm]),
            within=float(within[arm]),
            tie=tie,
            lean=float(leans[arm]),
            most=int(counts.most_tokens[arm]),
            scale=1.0,
        )
        for arm in range(len(mean))
    )
    stretch, freedom = _tail(counts, within, repeats)
    tokens = tuple(replace(law, stretch=stretch, freedom=freedom) for law in tokens)
    tokens = tuple(_with_scale(law, float(mean_tokens)) for law, mean_tokens in zip(tokens, used, strict=True))
    draws = _draws(factor, vector, counts, within, repeats, resampled)
    return Lengths(tokens, draws, bool(found.success), tuple(repeats.tolist()))


class _Factor:
    """The likelihood of the mean log lengths; its numbers are the arms' means, shared parts and logs of own parts.

    One arm alone cannot tell a shared part from its own, so it has no own. Nor has an arm without repeats: there what
    is not shared counts as the attempts'.
    """

    def __init__(self, y: Array, n: Array, within2: Array, repeats: NDArray[np.bool_]) -> None:
        self.y = y
        self.seen = n > 0
        self.arms = len(y)
        self.repeats = repeats
        self.noise = np.where(self.seen, within2[:, None] / np.maximum(n, 1), 0)
        count = np.maximum(self.seen.sum(axis=1), 1)
        self.centre = (y * self.seen).sum(axis=1) / count
        self.spread2 = np.maximum((((y - self.centre[:, None]) * self.seen) ** 2).sum(axis=1) / count, _LEAST**2)

    def start(self) -> Array:
        shared = 0.7 * np.sqrt(self.spread2)
        if self.arms == 1:
            shared = np.sqrt(np.maximum(self.spread2 - self.noise[self.seen].mean(), 0))
        return np.concatenate((self.centre, shared, np.full(self.arms, math.log(0.2))))

    def read(self, vector: Array) -> tuple[Array, Array, Array]:
        mean, shared, log_own = np.split(vector, 3)
        return mean, shared, np.where(self.repeats & (self.arms > 1), np.exp(np.clip(log_own, -6, 3)), 0.0)

    def loss(self, vector: Array) -> tuple[float, Array]:
        scores, value = self.scores(vector)
        return -value, -scores.sum(axis=0)

    def scores(self, vector: Array) -> tuple[Array, float]:
        """Each question's slope in each number (by Fisher's identity), and the log-likelihood.  (questions, 3 arms)"""
        mean, shared, own = self.read(vector)
        variance = self._variance(shared, own)
        away = np.where(self.seen, self.y - mean[:, None], 0)
        load = np.where(self.seen, shared[:, None], 0)
        precision = 1 + (load**2 / variance).sum(axis=0)
        g = (load * away / variance).sum(axis=0) / precision
        g2 = g**2 + 1 / precision
        misfit = (np.log(variance) * self.seen).sum() + (away**2 / variance).sum()
        value = -0.5 * (misfit - (g**2 * precision).sum() + np.log(precision).sum())
        squared = away**2 - 2 * away * load * g + load**2 * g2
        by_variance = np.where(self.seen, (squared / variance - 1) / (2 * variance), 0)
        by_shared = (away * g - load * g2) / variance
        by_shared = by_shared - np.where(self.repeats[:, None], 0, by_variance * 2 * load)
        by_own = by_variance * 2 * own[:, None] ** 2
        return np.concatenate(((away - load * g) / variance, by_shared, by_own)).T, float(value)

    def length(self, vector: Array) -> tuple[Array, Array]:
        """What the tokens say of each question's length: its estimate and the precision of that.  (questions,) each"""
        mean, shared, own = self.read(vector)
        each = np.where(self.seen, shared[:, None] / self._variance(shared, own), 0)
        precision = (each * shared[:, None]).sum(axis=0)
        total = (each * (self.y - mean[:, None])).sum(axis=0)
        return np.divide(total, precision, out=np.zeros_like(total), where=precision > 0), precision

    def _variance(self, shared: Array, own: Array) -> Array:
        """Of a question's mean log length at each arm, given the shared length.  (arms, questions)"""
        rest = np.maximum(self.spread2 - shared**2, _LEAST**2)[:, None]
        spread = np.where(self.repeats[:, None], self.noise + own[:, None] ** 2, rest)
        return np.asarray(np.where(self.seen, np.maximum(spread, _LEAST**2), 1.0), dtype=np.float64)


def _tie(factor: _Factor, vector: Array, joint: Array) -> float:
    """The correlation of length and difficulty that makes tokens and counts together most likely."""
    nodes, weights, _ = DIFFICULTIES
    length, precision = factor.length(vector)
    known = precision > 1e-6
    length, noise, joint = length[known], 1 / precision[known], joint[known]
    if factor.read(vector)[1].sum() < 0:
        length = -length
    ties = np.linspace(-0.98, 0.98, 99)
    told = []
    for tie in ties:
        variance = (1 - tie**2 + noise)[:, None]
        density = np.exp(-0.5 * (length[:, None] - tie * nodes) ** 2 / variance) / np.sqrt(variance)
        told.append(np.log(np.maximum((joint * density) @ weights, 1e-300)).sum())
    return float(ties[int(np.argmax(told))])


def _leans(counts: Counts) -> Array:
    """By how much the log length of right attempts exceeds that of wrong ones at the same question.  (arms,)

    Least squares within questions, pulled to 0 by the weight of five questions with an attempt of each kind.
    """
    right, finished = counts.right_finished, np.maximum(counts.finished, 1)
    above = counts.log_right - right * np.nan_to_num(counts.log_tokens)
    weight = right * (1 - right / finished)
    return np.asarray(above.sum(axis=1) / (weight.sum(axis=1) + 2.5), dtype=np.float64)


def _tail(counts: Counts, within: Array, repeats: NDArray[np.bool_]) -> tuple[float, float | None]:
    """Scale and degrees of freedom of Student's t, by maximum likelihood, above the median and for all arms together.

    Lengths at one question lean to the right, so the lower half would say something else of the upper tail. Arms
    differ in spread, and hardly in shape: each counts in standard deviations of its own.
    """
    each = [above / spread for above, spread, known in zip(counts.log_above, within, repeats, strict=True) if known]
    z2 = np.concatenate(each) ** 2 if each else np.empty(0)
    if len(z2) < _FEWEST_ABOVE:
        return 1.0, None

    def loss(vector: Array) -> float:
        scale, freedom = math.exp(vector[0]), math.exp(vector[1])
        height = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom) - vector[0]
        return float((freedom + 1) / 2 * np.log1p(z2 / (freedom * scale**2)).sum() - len(z2) * height)

    bounds = [(math.log(0.05), math.log(5)), (math.log(2), math.log(200))]
    found = scipy_part("optimize").minimize(loss, [math.log(0.9), math.log(8)], method="L-BFGS-B", bounds=bounds)
    stretch, freedom = (float(f"{math.exp(number):.6g}") for number in found.x)
    return stretch, min(max(freedom, 2.0), 200.0)


def _with_scale(law: Tokens, mean: float) -> Tokens:
    return replace(law, scale=mean / law.expected()) if mean > 0 else law


def _draws(
    factor: _Factor, vector: Array, counts: Counts, within: Array, repeats: NDArray[np.bool_], resampled: Array
) -> Array:
    """One Newton step of each arm's numbers under each resampled set of questions.  (arms, draws, 4)"""
    scores, _ = factor.scores(vector)
    size, step = len(vector), 1e-4
    shifts = np.eye(size) * step
    slopes = np.stack([factor.loss(vector + d)[1] - factor.loss(vector - d)[1] for d in shifts]) / (2 * step)
    values, vectors = np.linalg.eigh((slopes + slopes.T) / 2)
    inverse = (vectors / np.maximum(values, 1.0)) @ vectors.T
    moved = vector + (resampled - 1) @ scores @ inverse
    free = np.maximum(counts.finished - 1, 0)
    drawn2 = (resampled @ counts.log_squares.T) / np.maximum(resampled @ free.T, 1)  # (draws, arms)
    each = []
    for arm in range(factor.arms):
        mean, shared, own = (moved[:, arm + part * factor.arms] for part in range(3))
        size_own = np.exp(np.clip(own, -6, 3)) if repeats[arm] and factor.arms > 1 else np.zeros_like(own)
        spread = np.sqrt(np.maximum(drawn2[:, arm], _LEAST**2)) if repeats[arm] else np.full(len(own), within[arm])
        each.append(np.stack([mean, np.abs(shared), size_own, spread], axis=1))
    return np.stack(each)
