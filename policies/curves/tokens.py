"""How many tokens an attempt takes: log-normal, with a length that belongs to the question.

``log T = mean + shared g + own h + within e``, all three standard normal: g is the question's length and common to all
arms, h is the question's at this arm, e is the attempt's. The question's length is correlated with its difficulty
(``g`` with the ``b`` of :mod:`thinkcap.policies.curves.difficulty`). Attempts at one question that are right may be
longer or shorter than those that are wrong: the sign differs from one recording to the next, so it is fitted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from thinkcap.policies.curves.quadrature import DIFFICULTIES, Array, normal_cdf, normal_quantile, t_quantile

__all__ = ["FINISH", "Tokens"]

FINISH: Array = np.linspace(0, 1, 21)
"""The chances to finish under a cap that tables are made for."""

_LEFT, _WEIGHTS = np.polynomial.hermite_e.hermegauss(9)  # the lengths that questions of one difficulty have
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True, slots=True)
class Tokens:
    """The law of one arm's output tokens (hidden reasoning included) in an attempt that did not fail.

    Attributes:
        mean: of log tokens.
        shared: what the question's length, common to all arms, adds per standard deviation.
        own: standard deviation of what the question adds at this arm alone.
        within: standard deviation over attempts at one question; above 0.
        tie: correlation of the question's length with its difficulty; -1 to 1.
        lean: by how many times ``within`` an attempt that is right is longer than one at the same question that is not.
        most: the longest attempt recorded, in tokens.
        scale: recorded mean over the law's mean: what the log-normal misses in its tail.
        stretch: ``within`` times this is the scale of Student's t that log tokens follow *above* the question's own
            mean: a normal law's tail is too light there.
        freedom: its degrees of freedom, 2 to 200; None where the tail is not known, and taken as normal.
    """

    mean: float
    shared: float
    own: float
    within: float
    tie: float
    lean: float
    most: int
    scale: float
    stretch: float = 1.0
    freedom: float | None = None

    @property
    def median(self) -> float:
        """Half of the attempts take at most so many tokens."""
        return math.exp(self.mean)

    @property
    def deviation(self) -> float:
        """Standard deviation of log tokens over all attempts at all questions."""
        return math.sqrt(self.shared**2 + self.own**2 + self.within**2)

    def quantile(self, share: float) -> float:
        """The tokens that a share of all attempts stay within."""
        return math.exp(self.mean + self.deviation * float(normal_quantile(share)))

    def luck(self, chance: float) -> float:
        """What an attempt's log tokens lie above its question's own mean at most, with a chance from 0.5, below 1."""
        if self.freedom is None:
            return self.within * float(normal_quantile(chance))
        return self.within * self.stretch * t_quantile(chance, self.freedom)

    def finishes(self, cap: float) -> float:
        """The chance that an attempt at a random question ends by itself within a cap."""
        return float(normal_cdf((_log(cap) - self.mean) / self.deviation))

    def by_difficulty(self, cap: float) -> Array:
        """The chance to finish, at each difficulty.  (difficulties,)"""
        return np.asarray(self._finishing(cap) @ _WEIGHTS, dtype=np.float64)

    def finish_weights(self, cap: float) -> Array:
        """How likely each of :data:`FINISH` is at each difficulty; means are kept.  (difficulties, finish)"""
        chance = self._finishing(cap)
        place = np.minimum((chance * (len(FINISH) - 1)).astype(np.int64), len(FINISH) - 2)
        upper = (chance - FINISH[place]) / (FINISH[1] - FINISH[0])
        found = np.zeros((len(chance), len(FINISH)))
        rows = np.broadcast_to(np.arange(len(chance))[:, None], place.shape)
        np.add.at(found, (rows, place), (1 - upper) * _WEIGHTS)
        np.add.at(found, (rows, place + 1), upper * _WEIGHTS)
        return found

    def expected(self, cap: float | None = None) -> float:
        """Mean tokens of an attempt; those of one that is cut are billed up to the cap."""
        mean = self.mean + self.deviation**2 / 2
        whole = self.scale * math.exp(mean)
        if cap is None:
            return whole
        log_cap, spread = _log(cap), self.deviation
        below, above = normal_cdf((log_cap - self.mean) / spread - spread), normal_cdf((self.mean - log_cap) / spread)
        return min(whole * float(below) + cap * float(above), whole, cap)

    def sample(self, attempts: int, cap: float | None, seed: int, questions: int = 4000) -> Array:
        """Tokens of so many attempts at each of random questions, from a seed.  (questions, attempts)"""
        draws = np.random.default_rng(seed)
        question = draws.permutation(normal_quantile((np.arange(questions) + 0.5) / questions))
        length = self.mean + math.hypot(self.shared, self.own) * question
        tokens = np.exp(length[:, None] + self.within * draws.standard_normal((questions, attempts)))
        return tokens if cap is None else np.minimum(tokens, cap)

    def _finishing(self, cap: float) -> Array:
        """The chance to finish, at each difficulty and each of nine lengths of its questions.  (difficulties, 9)"""
        left = math.sqrt(max(self.shared**2 * (1 - self.tie**2) + self.own**2, 0.0))
        mean = (self.mean + self.shared * self.tie * DIFFICULTIES[0])[:, None] + left * _LEFT
        return normal_cdf((_log(cap) - mean) / self.within)


def _log(cap: float) -> float:
    """Tokens come whole: within a cap of 4 are lengths up to 4.5 of a law without steps."""
    return math.log(cap + 0.5)
