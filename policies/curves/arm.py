"""One arm's part of a curve: what so many attempts with it come to."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from thinkcap.policies.curves.cutting import kept
from thinkcap.policies.curves.difficulty import coupling
from thinkcap.policies.curves.grid import CHANCES, project
from thinkcap.policies.curves.mass import Mass
from thinkcap.policies.curves.price import Price
from thinkcap.policies.curves.quadrature import DIFFICULTIES, Array, t_factor
from thinkcap.policies.curves.rightness import Rightness
from thinkcap.policies.curves.tokens import FINISH, Tokens
from thinkcap.policies.curves.wrong import limit_table, top_share, vote_table
from thinkcap.policies.interval import Interval
from thinkcap.policies.values import Arm

__all__ = ["ArmCurve", "Choice", "How", "Measured", "around"]

How = Literal["vote", "verified"]
"""The answer is the most frequent one, or the first that a verifier passes."""

_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure of the recording itself, for comparison.

    Attributes:
        how, attempts: what was measured.
        accuracy: its mean over questions, with its 95 % interval over them.
    """

    how: How
    attempts: int
    accuracy: Interval


@dataclass(frozen=True, slots=True)
class Choice:
    """One family as it was fitted.

    Attributes:
        rightness: the fit.
        held_out: mean log chance of an unseen question's counts.
    """

    rightness: Rightness
    held_out: float


@dataclass(frozen=True, slots=True, eq=False)
class ArmCurve:
    """One arm, fitted.

    Attributes:
        arm: how it is asked: its request beside its label.
        choices: the families, the chosen one first.
        mass: the distribution over questions that figures are read from.
        loading: how much of its luck is the shared difficulty's, 0 to 1.
        silent: share of the attempts that are not right which bring no answer.
        votes: answers could be compared, so that votes have a meaning.
        tokens: the law of its lengths.
        token_draws: mean, shared, own and within in each resampled set of questions.  (draws, 4)
        price: what an attempt costs.
        means: mean nano-dollars and mean output tokens of an attempt in each resampled set.  (draws, 2)
        measured: figures of the recording itself.
        questions: how many it was asked.
        groups: of how many groups these are, one each where there are none. Questions of a group are drawn together, so
            this is what an interval rests on.
        attempts: how many were made in all.
        most: the most that were made at one question.
        converged: every part of the fit ended at a maximum.
    """

    arm: Arm
    choices: tuple[Choice, ...]
    mass: Mass
    loading: float
    silent: float
    votes: bool
    tokens: Tokens
    token_draws: Array
    price: Price
    means: Array
    measured: tuple[Measured, ...]
    questions: int
    groups: int
    attempts: int
    most: int
    converged: bool

    @property
    def rightness(self) -> Rightness:
        """The chosen family's fit."""
        return self.choices[0].rightness

    @property
    def wrong_share(self) -> float:
        """The expected share of the most frequent wrong answer among a question's wrong ones."""
        weight = self.mass.mean * (1 - CHANCES)[:, None]
        return float((weight * top_share()).sum() / max(float(weight.sum()), 1e-12))

    def coupling(self) -> Array:
        """How likely each chance of being right is at each difficulty.  (difficulties, chances)"""
        return coupling(self.mass.chances, self.loading)

    def accuracy(self, how: How, attempts: int, cap: float | None = None) -> float:
        """The share of questions answered right by so many attempts."""
        return self.mass.average(self._table(how, attempts, self.tokens, cap))

    def interval(self, how: How, attempts: int, cap: float | None = None, fresh: int | None = None) -> Interval:
        """The same, with its 95 % interval: what another set of questions would have made of it.

        With ``fresh``, of the share of so many new questions that will be right, each answered once.
        """
        value = self.accuracy(how, attempts, cap)
        if cap is None:
            moved = self.mass.averages(_table(how, attempts, self.silent, 1.0, 0.0))
        else:
            moved = value + self._moved_by_chances(how, attempts, cap) + self._moved_by_tokens(how, attempts, cap)
        return around(value, moved, self.groups, fresh)

    def limit(self, how: How) -> Interval:
        """The accuracy that ever more attempts come to, with its 95 % interval.

        Votes: the share of questions whose most frequent answer is right. With a verifier: of those that are ever
        solved.
        """
        table = limit_table(self.silent) if how == "vote" else (CHANCES > 0).astype(np.float64)[:, None]
        return around(self.mass.average(table), self.mass.averages(table), self.groups)

    def by_family(self, how: How, attempts: int) -> dict[str, float]:
        """The accuracy under each family's own law, without what the recorded questions say beyond it.

        Where no question was asked twice, the two ends of what is possible: questions that are always or never right,
        and questions that are all alike.
        """
        if self.most == 1:
            once = self.accuracy("verified", 1)
            return {"always or never": once, "all alike": 1 - (1 - once) ** attempts}
        found: dict[str, float] = {}
        for choice in self.choices:
            if how == "verified":
                found[choice.rightness.family] = float(choice.rightness.coverage(attempts))
            else:
                law = project(*choice.rightness.nodes(64))
                given = np.full_like(self.mass.mean, 1 / self.mass.mean.shape[1])
                given = given if self.mass.shape is None else self.mass.shape.given()
                found[choice.rightness.family] = float((law[:, None] * given * vote_table(attempts, self.silent)).sum())
        return found

    def made(self, how: How, attempts: int, cap: float | None = None) -> float:
        """Attempts that are really made: a verifier stops at the first right answer."""
        if how == "vote":
            return float(attempts)
        if cap is None:
            return float((self.mass.mean * _tries(attempts, 1.0, 0.0)).sum())
        given, lean = self._finishing(self.tokens, cap), self.tokens.lean
        tries = (_tries(attempts, finish, lean) for finish in FINISH.tolist())
        total = sum(given[:, place : place + 1] * each for place, each in enumerate(tries))
        return float((self.mass.mean * total).sum())

    def nusd(self, cap: float | None = None) -> float:
        """Mean nano-dollars of one attempt."""
        if cap is None:
            return self.price.mean_nusd
        return self.price.mean_nusd - self.price.output_nusd * (self.tokens.expected() - self.tokens.expected(cap))

    def tail_nusd(self, attempts: int, share: float, cap: float | None, seed: int) -> float:
        """The nano-dollars that a share of the questions stay within, over so many attempts."""
        tokens = self.tokens.sample(attempts, cap, seed)
        return float(np.quantile(self.price.of(tokens).sum(axis=1), share))

    def _table(self, how: How, attempts: int, tokens: Tokens, cap: float | None) -> Array:
        """The accuracy at each chance of being right and each crowding.  (chances, crowding) or (chances, 1)"""
        if cap is None:
            return _table(how, attempts, self.silent, 1.0, 0.0)
        given = self._finishing(tokens, cap)
        tables = (_table(how, attempts, self.silent, finish, self.tokens.lean) for finish in FINISH.tolist())
        return np.asarray(sum(given[:, place : place + 1] * table for place, table in enumerate(tables)))

    def _finishing(self, tokens: Tokens, cap: float) -> Array:
        """How likely each chance to finish is at each chance of being right; difficulty ties them.

        Returns:
            (chances, finish)
        """
        joint = (self.coupling() * DIFFICULTIES[1][:, None]).T @ tokens.finish_weights(cap)
        total = joint.sum(axis=1, keepdims=True)
        found: Array = np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
        return found

    def _moved_by_chances(self, how: How, attempts: int, cap: float) -> Array:
        """What resampled questions change through their chances of being right alone.  (draws,)

        A question keeps its place among the difficulties, and with it its length, while the chance of being right that
        belongs to the place moves. To first order weight that moves past a chance brings the slope of the accuracy
        there: integration by parts turns the sum over places into one over chances.
        """
        given = self._finishing(self.tokens, cap)
        between = (given[1:] + given[:-1]) / 2
        tables = (_table(how, attempts, self.silent, finish, self.tokens.lean) for finish in FINISH.tolist())
        rise = sum(between[:, place : place + 1] * np.diff(table, axis=0) for place, table in enumerate(tables))
        upto = np.concatenate((np.zeros((1, np.shape(rise)[1])), np.cumsum(rise, axis=0)))
        return self.mass.averages(upto) - self.mass.average(upto)

    def _moved_by_tokens(self, how: How, attempts: int, cap: float) -> Array:
        """What the resampled laws of tokens change, to first order.  (draws,)"""
        law, step = self.tokens, 1e-3
        here = np.array([law.mean, law.shared, law.own, law.within])
        slopes = []
        for place in range(4):
            ends = []
            for sign in (1, -1):
                mean, shared, own, within = (here + sign * step * np.eye(4)[place]).tolist()
                moved = replace(law, mean=mean, shared=shared, own=own, within=max(within, 1e-3))
                ends.append(self.mass.average(self._table(how, attempts, moved, cap)))
            slopes.append((ends[0] - ends[1]) / (2 * step))
        found: Array = (self.token_draws - here) @ np.array(slopes)
        return found


@lru_cache(maxsize=1024)
def _table(how: How, attempts: int, silent: float, finish: float, lean: float) -> Array:
    if finish <= 0:
        return np.zeros((len(CHANCES), 1))
    if how == "vote" and attempts > 1:
        return vote_table(attempts, silent, finish, lean)
    return np.asarray((1 - (1 - CHANCES * kept(finish, lean)[0]) ** attempts)[:, None])


def _tries(attempts: int, finish: float, lean: float) -> Array:
    """Attempts until the first right one, at most so many: ``(1 - (1 - p)^k) / p``.  (chances, 1)"""
    right = CHANCES * kept(finish, lean)[0]
    found = np.full_like(right, attempts)
    np.divide(1 - (1 - right) ** attempts, right, out=found, where=right > 0)
    return found[:, None]


def around(value: float, draws: Array, questions: int, fresh: int | None = None) -> Interval:
    """A share of questions with its 95 % interval, from the spread of its draws on the log-odds scale.

    Each side has its own spread, since near 0 and 1 there is more room on one of them; Student's factor widens both for
    few questions. At an accuracy of 0 or 1 the spread says nothing; there the interval is that of no exception among so
    many questions (the rule of three). With ``fresh``, the luck of so many new questions is added: the variance of
    their share of right ones is ``value (1 - value) / fresh``.
    """
    edge = 0.5 / max(questions, 1)
    away = _log_odds(draws, edge) - _log_odds(np.array(value), edge)
    reach = t_factor(_LEVEL, questions - 1)
    held = min(max(value, edge), 1 - edge)
    luck = 0.0 if fresh is None else 1 / (fresh * held * (1 - held))
    below, above = (reach * math.sqrt(2 * float(np.mean(np.minimum(sign * away, 0) ** 2)) + luck) for sign in (1, -1))
    odds = float(_log_odds(np.array(value), edge))
    low, high = 1 / (1 + math.exp(below - odds)), 1 / (1 + math.exp(-above - odds))
    three = 1 - (1 - _LEVEL) ** (1 / min(max(questions, 1), fresh or questions))
    if value <= edge:
        high = max(high, three)
    if value >= 1 - edge:
        low = min(low, 1 - three)
    return Interval(value, min(low, value), max(high, value))


def _log_odds(shares: Array, edge: float) -> Array:
    held = np.clip(shares, edge, 1 - edge)
    return np.asarray(np.log(held / (1 - held)), dtype=np.float64)
