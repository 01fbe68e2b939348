"""The joint distribution over questions of being right and of the crowding of wrong answers.

A question's crowding t follows its chance p of being right:
``log t ~ Normal(centre + slope (p - 1/2), spread)``; a hard
question with one tempting wrong answer is another thing than one on which answers scatter. Its three numbers are
fitted by maximum likelihood over (right, attempts, wrong votes, votes of the most frequent wrong answer).

What a curve is read from is not that law itself but the mean over the recorded questions of what the law and the
question's own counts say of it: with many attempts a question speaks for itself, with few the law fills in. So the
curve's one-attempt accuracy is the recorded one to within shrinkage, whichever family was chosen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thinkcap.policies.curves.estimate import Estimate, Prior, estimate, scipy_part
from thinkcap.policies.curves.families import Families
from thinkcap.policies.curves.grid import CHANCES, CROWDING
from thinkcap.policies.curves.quadrature import Array
from thinkcap.policies.curves.rightness import Family, Rightness, binomial
from thinkcap.policies.curves.rows import distinct_rows
from thinkcap.policies.curves.wrong import top_chance

__all__ = ["Mass", "Shape", "fit_mass"]

_SHAPE_PRIOR = Prior(np.array([0.0, 0.0, 0.0]), np.array([2.0, 4.0, 0.7]))
_RANK = 10


@dataclass(frozen=True, slots=True)
class Shape:
    """How the crowding of wrong answers follows the chance of being right.

    Attributes:
        centre: mean log crowding of questions that are right half of the time.
        slope: its change from never to always right.
        spread: standard deviation of log crowding over questions of one chance; above 0.
    """

    centre: float
    slope: float
    spread: float

    def given(self) -> Array:
        """The chance of each crowding at each chance of being right.  (chances, crowding); rows sum to 1"""
        mean = self.centre + self.slope * (CHANCES - 0.5)
        away = (np.log(CROWDING) - mean[:, None]) / self.spread
        weight = np.exp(-0.5 * (away**2 - (away**2).min(axis=1, keepdims=True)))
        found: Array = weight / weight.sum(axis=1, keepdims=True)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Mass:
    """The joint distribution, and how it moves when other questions are drawn.

    Attributes:
        mean: sums to 1.  (chances, crowding)
        scores: of each resampled set of questions on the directions.  (draws, directions)
        directions: what they move.  (directions, chances, crowding)
        shape: the fitted law of the crowding; None where no votes were counted.
        converged: the shape's fit ended at a maximum.
    """

    mean: Array
    scores: Array
    directions: Array
    shape: Shape | None
    converged: bool = True

    @property
    def chances(self) -> Array:
        """The distribution of the chance of being right alone.  (chances,)"""
        found: Array = self.mean.sum(axis=1)
        return found

    def average(self, table: Array) -> float:
        """The mean over questions of a table of chances.  (chances, crowding) or (chances, 1)"""
        return min(max(float((self.mean * table).sum()), 0.0), 1.0)

    def averages(self, table: Array) -> Array:
        """The same in each resampled set of questions.  (draws,)"""
        moved: Array = self.average(table) + self.scores @ (self.directions * table).sum(axis=(1, 2))
        return moved


def fit_mass(families: Families, counts: NDArray[np.int64], voting: NDArray[np.bool_], resampled: Array) -> Mass:
    """Fit the shape of wrong answers, and average what the counts say of each question.

    Args:
        families: the fitted distributions of the chance of being right.
        counts: right, attempts, wrong votes, votes of the most frequent wrong answer.  (questions, 4)
        voting: whose wrong answers were counted.  (questions,)
        resampled: weights of the questions in each resampled set.  (draws, questions)
    """
    counts = counts.copy()
    counts[~voting, 2:] = 0
    rows = distinct_rows(counts, counts[:, 1] > 0)
    right, made, wrong, top = rows.values.T
    weights = rows.weigh(np.ones(len(counts)))
    drawn = rows.weigh(resampled)
    chance_right = binomial(right, made, CHANCES)  # (rows, chances)
    chance_crowd = top_chance(wrong, top)  # (rows, crowding)
    law, drawn_laws = _laws(families)
    telling = wrong >= 2

    def chances(vector: Array) -> Array:
        joint = law[:, None] * _shape(vector).given()
        return np.asarray(np.log(np.maximum(((chance_right @ joint) * chance_crowd).sum(axis=1), 1e-300)))

    fitted: Estimate | None = None
    if float(weights[telling].sum()) >= 5:
        fitted = estimate(chances, weights, _SHAPE_PRIOR, drawn)
    shape = None if fitted is None else _shape(fitted.vector)

    def mean(law: Array, shape: Shape | None, weights: Array) -> Array:
        given = np.full((len(CHANCES), len(CROWDING)), 1 / len(CROWDING)) if shape is None else shape.given()
        joint = law[:, None] * given
        each = weights / np.maximum(((chance_right @ joint) * chance_crowd).sum(axis=1), 1e-300)
        told = joint * (chance_right.T @ (each[:, None] * chance_crowd))
        return np.asarray(told / told.sum(), dtype=np.float64)

    whole = mean(law, shape, weights)
    if not len(drawn):
        return Mass(whole, np.zeros((0, 1)), np.zeros((1, *whole.shape)), shape)
    moved = np.stack(
        [
            mean(
                drawn_laws[draw],
                None if fitted is None else _shape(fitted.draws[draw]),
                drawn[draw],
            )
            for draw in range(len(drawn))
        ]
    )
    scores, directions = _compress(moved - whole)
    return Mass(whole, scores, directions, shape, fitted is None or fitted.converged)


def _shape(vector: Array) -> Shape:
    return Shape(float(vector[0]), float(vector[1]), math.exp(min(max(float(vector[2]), -3.0), 3.0)))


def _compress(moves: Array) -> tuple[Array, Array]:
    """Scores and directions whose product is near the moves.  (draws, chances, crowding)

    Figures are means of smooth tables, to which weight that moves to a neighbouring cell is next to nothing. So the
    largest singular values are taken of the moves added up along both axes, and differenced again.
    """
    upto = moves.cumsum(axis=1).cumsum(axis=2).reshape(len(moves), -1)
    squares, left = np.linalg.eigh(upto @ upto.T)  # a small matrix: there are fewer draws than cells
    rank = min(_RANK, max(1, int(np.count_nonzero(squares > 1e-6 * squares[-1]))))
    scores = left[:, ::-1][:, :rank] * np.sqrt(np.maximum(squares[::-1][:rank], 0))
    size = np.maximum((scores**2).sum(axis=0), 1e-30)
    directions = (scores.T @ upto / size[:, None]).reshape(rank, *moves.shape[1:])
    return scores, np.diff(np.diff(directions, axis=1, prepend=0), axis=2, prepend=0)


def _laws(families: Families) -> tuple[Array, Array]:
    """The law of the chance of being right, on :data:`CHANCES`, and that of each resampled set.  (draws, chances)"""
    chosen = families.fits[0]
    drawn = np.empty((len(chosen.estimate.draws), len(CHANCES)))
    for place, fit in enumerate(families.fits):
        wins = families.winner == place
        drawn[wins] = _on_grid(fit.family, fit.estimate.draws[wins])
    return _on_grid(chosen.family, chosen.estimate.vector[None])[0], drawn


def _on_grid(family: Family, vectors: Array) -> Array:
    """The law under each vector, on :data:`CHANCES`, means kept.  (vectors, chances)

    A cell's weight goes to its two ends as its own mean says, from the Beta's distribution function and that of its
    first moment, ``x Beta(a, b) = mean Beta(a + 1, b)``.
    """
    laws = [Rightness.read(family, vector.tolist()) for vector in vectors]
    if not laws:
        return np.empty((0, len(CHANCES)))
    a, b, scale, zero, one = (
        np.array([getattr(law, name) for law in laws])[:, None] for name in ("a", "b", "scale", "zero", "one")
    )
    below = np.minimum(CHANCES / scale, 1)
    incomplete = scipy_part("special").betainc
    weight = np.diff(incomplete(a, b, below), axis=1)
    moment = np.diff(incomplete(a + 1, b, below), axis=1) * a / (a + b) * scale
    upper = np.clip((moment - CHANCES[:-1] * weight) / np.diff(CHANCES), 0, weight)
    found = np.zeros((len(laws), len(CHANCES)))
    found[:, :-1] += weight - upper
    found[:, 1:] += upper
    found *= 1 - zero - one
    found[:, 0] += zero[:, 0]
    found[:, -1] += one[:, 0]
    return np.asarray(found / found.sum(axis=1, keepdims=True), dtype=np.float64)
