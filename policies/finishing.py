"""A policy whose calls carry the output cap under which this question's next attempt finishes with a stated chance.

Length belongs to the question: an attempt that was cut at a cap would be cut there again, and what attempts at a
question took so far, at any arm, says most about what the next one takes. So the cap is a quantile of the posterior
predictive distribution of the law of :mod:`thinkcap.policies.curves.tokens`,

    ``log T = mean + shared g + own h + luck``,

g and h standard normal and the same at every attempt (g at every arm too), luck the attempt's own. Given n attempts at
an arm whose log tokens lie d above ``mean`` in the mean, with ``w = own^2 n / (within^2 + n own^2)``, the next one's is

    ``mean + (1 - w) shared E g + w d``  in the mean, with variance  ``(1 - w)^2 shared^2 Var g + own^2 (1 - w)``

before its own luck; g follows from all arms (normal times normal). The quantile adds that deviation times z and the
luck's own quantile in quadrature, which is exact where luck is normal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, exp, isfinite, log, sqrt
from statistics import NormalDist
from typing import Any

from thinkcap.policies.errors import BadInput
from thinkcap.policies.policy import Policy
from thinkcap.policies.values import Arm, Attempt, Call, State, Stop

__all__ = ["LEAST_CAP", "LEAST_CHANCE", "MOST_LOG", "Finishing", "Length", "predictive"]

LEAST_CAP = 16
"""Output tokens: providers refuse smaller caps."""

LEAST_CHANCE = 0.9
"""To finish, below which no call is made for want of money."""

LEAST_Z = NormalDist().inv_cdf(LEAST_CHANCE)

MOST_LOG = 40.0
"""Logarithm of the most tokens that are reckoned with."""


@dataclass(frozen=True, slots=True)
class Length:
    """How long one arm's attempts get: the token law of a fitted curve, ready for decisions.

    Attributes:
        arm: its label.
        mean: of log tokens.
        shared: what the question's length, common to all arms, adds per standard deviation.
        own: standard deviation of what the question adds at this arm alone; at least 0.
        within: standard deviation over attempts at one question; above 0.
        luck: what the attempt's own luck adds to log tokens at most, with the policy's chance; above 0.
        least_luck: the same with :data:`LEAST_CHANCE`, where the policy's is larger; else the same.
        most: the largest cap that is set (a cut still doubles it), in tokens; 0 sets none at this arm.
    """

    arm: str
    mean: float
    shared: float
    own: float
    within: float
    luck: float
    least_luck: float
    most: int

    def __post_init__(self) -> None:
        numbers = (self.mean, self.shared, self.own, self.within, self.luck, self.least_luck)
        if not all(isfinite(number) for number in numbers) or self.own < 0 or min(numbers[3:]) <= 0:
            raise BadInput(f"length of {self.arm}: numbers must be finite, own at least 0, within and luck above 0")
        if self.most < 0:
            raise BadInput(f"length of {self.arm}: most must be at least 0 tokens")

    def whole(self, log_tokens: float) -> int:
        """The cap for such a logarithm. Tokens come whole: within a cap of 4 are lengths up to 4.5."""
        return max(LEAST_CAP, min(ceil(exp(min(log_tokens, MOST_LOG)) - 0.5), self.most))


@dataclass(frozen=True, slots=True)
class Finishing(Policy):
    """Decides as a policy does, and puts a cap onto each call whose arm or policy names none.

    After a cut the next cap at that arm is at least twice as large, and the cut attempt counts as twice its cap: how
    long it would have got nobody knows. Whole agent runs, and arms whose lengths are not known, get no cap. Where less
    is free than the cap takes, the cap is what is free, as long as an attempt finishes under it with a chance of
    :data:`LEAST_CHANCE`; with less, what holds for every call decides (:mod:`thinkcap.policies.afford`).

    Attributes:
        policy: who decides.
        lengths: one an arm; an arm that is not among them is asked as the policy asks it.
        chance: with which the next attempt finishes by itself; from 0.5, below 1.
        z: the standard normal's quantile at it.
    """

    policy: Policy
    lengths: tuple[Length, ...] = field(repr=False)
    chance: float = 0.999
    z: float = field(init=False, repr=False, compare=False)
    _by_arm: dict[str, Length] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.chance, bool) or not 0.5 <= self.chance < 1:
            raise BadInput(f"finishing: the chance must be at least 0.5 and below 1, not {self.chance!r}")
        by_arm = {length.arm: length for length in self.lengths}
        if len(by_arm) < len(self.lengths):
            raise BadInput("finishing: give one length an arm")
        object.__setattr__(self, "_by_arm", by_arm)
        object.__setattr__(self, "z", NormalDist().inv_cdf(self.chance))

    def decide(self, state: State) -> Call | Stop:
        """The policy's move, with a cap if it is a call without one."""
        move = self.policy.decide(state)
        if isinstance(move, Stop) or move.max_output_tokens or move.arm.max_output_tokens or state.question.agent:
            return move
        caps = self.caps(move.arm.label, state.attempts)
        if caps is None:
            return move
        least, cap = caps
        for arm, offer in zip(state.arms, state.room.offers, strict=False):
            if arm.label == move.arm.label and least <= offer.most_output_tokens < cap:
                cap = offer.most_output_tokens
        return Call(move.arm, cap, move.share)

    def answer(self, state: State) -> str | None:
        """The policy's best answer so far."""
        return self.policy.answer(state)

    def favourite(self, state: State) -> Arm:
        """The policy's favourite arm."""
        return self.policy.favourite(state)

    def caps(self, arm: str, attempts: Sequence[Attempt]) -> tuple[int, int] | None:
        """Output tokens within which the next attempt at an arm finishes, given those so far.

        With a chance of :data:`LEAST_CHANCE`, and with the policy's own; None where its lengths are not known.
        """
        mine = self._by_arm.get(arm)
        if mine is None or mine.most == 0:
            return None
        seen: dict[str, tuple[int, float]] = {}
        cut = 0
        for attempt in attempts:
            label = attempt.arm.label
            length = self._by_arm.get(label)
            if length is None or attempt.usage is None or attempt.usage.output_tokens < 1:
                continue
            tokens = attempt.usage.output_tokens
            if attempt.finish == "length":
                tokens = 2 * (attempt.max_output_tokens or tokens)
                if label == arm:
                    cut = max(cut, tokens)
            made, above = seen.get(label, (0, 0.0))
            seen[label] = made + 1, above + log(tokens) - length.mean
        mean, variance = predictive(mine, [(self._by_arm[label], *counted) for label, counted in seen.items()])
        least = mean + sqrt(min(LEAST_Z, self.z) ** 2 * variance + mine.least_luck**2)
        enough = mean + sqrt(self.z**2 * variance + mine.luck**2)
        return max(cut, mine.whole(least)), max(cut, mine.whole(enough))

    def only(self, arms: Collection[str]) -> Finishing:
        """The same, with caps at these arms alone; what attempts at the others took still counts."""
        kept = tuple(length if length.arm in arms else replace(length, most=0) for length in self.lengths)
        return replace(self, lengths=kept)


def predictive(length: Length, seen: Iterable[tuple[Length, Any, Any]]) -> tuple[Any, Any]:
    """Mean and variance of the log tokens of an arm's next attempt, before its own luck.

    Args:
        length: of the arm.
        seen: of each arm its law, the attempts made, and the sum of how far their log tokens lie above its mean;
            numbers, or arrays of them.
    """
    precision: Any = 1.0
    pull: Any = 0.0
    made: Any = 0
    above: Any = 0.0
    for other, count, total in seen:
        spread = other.within**2 + count * other.own**2
        precision = precision + count * other.shared**2 / spread
        pull = pull + other.shared * total / spread
        if other.arm == length.arm:
            made, above = count, total
    own2 = length.own**2
    spread = length.within**2 + made * own2
    left = length.within**2 / spread  # 1 - w
    mean = length.mean + left * length.shared * pull / precision + own2 * above / spread
    return mean, (left * length.shared) ** 2 / precision + own2 * left
