"""Recordings drawn from a fitted curve: what policies would do where a recording cannot show it.

A log of a deployed policy holds as many attempts as its answers made it ask for. Its law can be fitted (a stopping rule
that sees the attempts alone leaves the likelihood as it is; Berger and Wolpert 1988, section 4.2), but drawing its
attempts in another order is no replay: questions that went well have few. So policies are tried on attempts drawn from
the fitted law.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.planted import answers, build
from thinkcap.evals.recording import Recording
from thinkcap.policies.curves import ArmCurve, Curve
from thinkcap.policies.curves.grid import CHANCES, CROWDING

__all__ = ["imagine"]


def imagine(curve: Curve, questions: int, attempts: int, seed: int = 0, *, verifiable: bool = False) -> Recording:
    """Draw a recording from a curve's law: questions of one difficulty for all arms, and so many attempts with each.

    Args:
        curve: the law.
        questions: how many.
        attempts: at each question with each arm.
        seed: of the draws.
        verifiable: a verifier says what is right.
    """
    draws = np.random.default_rng(seed)
    ranks = (draws.permutation(questions) + draws.random(questions)) / questions  # one question in each n-th of them
    difficulty = np.array([NormalDist().inv_cdf(min(max(rank, 1e-12), 1 - 1e-12)) for rank in ranks.tolist()])
    length = draws.standard_normal(questions)
    columns = [_draw(arm, difficulty, length, attempts, draws) for arm in curve.arms]
    correct, answer, tokens, cost = (np.stack([column[part] for column in columns], axis=1) for part in range(4))
    return build(
        f"the law of {curve.source}",
        [arm.arm for arm in curve.arms],
        correct,
        answer,
        tokens,
        cost,
        verifiable=verifiable,
    )


def _draw(
    arm: ArmCurve,
    difficulty: NDArray[np.float64],
    length: NDArray[np.float64],
    attempts: int,
    draws: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Right or not, answer, tokens and cost of one arm's attempts.  (questions, attempts) each"""
    questions, law = len(difficulty), arm.tokens
    luck = -(arm.loading * difficulty + math.sqrt(1 - arm.loading**2) * draws.standard_normal(questions))
    upto = np.cumsum(arm.mass.chances)
    place = np.array([NormalDist().cdf(z) for z in luck.tolist()]) * upto[-1]
    cell = np.minimum(np.searchsorted(upto, place), len(CHANCES) - 1)
    chance = CHANCES[cell]
    given = arm.mass.mean[cell]
    given = np.cumsum(given / np.maximum(given.sum(axis=1, keepdims=True), 1e-300), axis=1)
    crowd = (given < draws.random(questions)[:, None]).sum(axis=1)
    correct = (draws.random((questions, attempts)) < chance[:, None]).astype(np.int64)
    answer = answers(correct, CROWDING[np.minimum(crowd, len(CROWDING) - 1)], draws)
    answer[(correct == 0) & (draws.random(correct.shape) < arm.silent)] = -1
    own = law.tie * difficulty + math.sqrt(1 - law.tie**2) * length
    logs = law.mean + law.shared * own + law.own * draws.standard_normal(questions)
    logs = logs[:, None] + law.lean * law.within * (correct - chance[:, None])
    lengths = np.exp(logs + law.within * draws.standard_normal((questions, attempts))) * law.scale
    tokens = np.maximum(np.rint(lengths), 1)
    cost = arm.price.of(tokens) if arm.price.exact else np.full(tokens.shape, arm.price.mean_nusd)
    return correct, answer, tokens.astype(np.int64), np.rint(cost).astype(np.int64)
