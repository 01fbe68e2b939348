"""Stop rules for one arm: a single call, a vote, and four ways to stop a vote early.

========================  ==========================================  =================================
rule                      stops when (m1, m2: votes of first, second)  source
========================  ==========================================  =================================
:class:`Fixed`            after one attempt                            --
:class:`Vote`             after ``k`` attempts                         Wang et al. 2022 (2203.11171), sec. 2
:class:`Lead`             m1 - m2 >= ``by``                            sequential test for two answers; ConSol's
                                                                       SPRT (2503.17587) is this with ``by=3``
:class:`AdaptiveConsistency`  P(leader is the mode) >= ``threshold``   Aggarwal et al. 2023 (2305.11860), sec. 3.1
:class:`ESC`              a window of ``w`` answers is unanimous       Li et al. 2024 (2401.10480), alg. 1
========================  ==========================================  =================================
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

from thinkcap.policies.errors import BadInput
from thinkcap.policies.policy import Policy
from thinkcap.policies.values import Call, Reason, State, Stop
from thinkcap.policies.votes import tally

__all__ = ["ESC", "AdaptiveConsistency", "Fixed", "Lead", "Vote", "leader_probability"]


@dataclass(frozen=True, slots=True)
class Fixed(Policy):
    """One attempt at one arm.

    Attributes:
        arm: the arm's label; None for the first of the arms given.
    """

    arm: str | None = None

    def decide(self, state: State) -> Call | Stop:
        """One call, then stop."""
        return self.stop(state, Reason.ONE_CALL_IS_BEST) if state.attempts else Call(state.arm(self.arm))


@dataclass(frozen=True, slots=True)
class Vote(Policy):
    """Self-consistency: ``k`` attempts at one arm, the most frequent answer wins (the earliest of equals).

    Attributes:
        k: attempts, at least 1.
        arm: the arm's label; None for the first of the arms given.
    """

    k: int
    arm: str | None = None

    def __post_init__(self) -> None:
        _at_least(1, self.k, "vote: k")

    def decide(self, state: State) -> Call | Stop:
        """A call until ``k`` attempts are made."""
        if len(state.attempts) >= self.k:
            return self.stop(state, Reason.ATTEMPTS)
        return Call(state.arm(self.arm))


@dataclass(frozen=True, slots=True)
class Lead(Policy):
    """Stop as soon as one answer leads the next by ``by`` votes.

    Attributes:
        by: votes of lead, at least 1.
        most: attempts at most.
        arm: the arm's label; None for the first of the arms given.
    """

    by: int = 3
    most: int = 40
    arm: str | None = None

    def __post_init__(self) -> None:
        _at_least(1, self.by, "lead: by")
        _at_least(1, self.most, "lead: most")

    def decide(self, state: State) -> Call | Stop:
        """A call until the lead is reached or the attempts are used up."""
        if tally(state.attempts).lead >= self.by:
            return self.stop(state, Reason.AGREED)
        if len(state.attempts) >= self.most:
            return self.stop(state, Reason.ATTEMPTS)
        return Call(state.arm(self.arm))


@dataclass(frozen=True, slots=True)
class AdaptiveConsistency(Policy):
    """Stop when the leader is probably the most frequent answer (the Beta criterion of Adaptive-Consistency).

    Attributes:
        threshold: probability asked for, between 0.5 and 1.
        most: attempts at most.
        arm: the arm's label; None for the first of the arms given.
    """

    threshold: float = 0.95
    most: int = 40
    arm: str | None = None

    def __post_init__(self) -> None:
        if not 0.5 < self.threshold < 1:
            raise BadInput(f"adaptive-consistency: the threshold must lie between 0.5 and 1, not {self.threshold}")
        _at_least(1, self.most, "adaptive-consistency: most")

    def decide(self, state: State) -> Call | Stop:
        """A call until the probability is reached or the attempts are used up."""
        votes = tally(state.attempts)
        if votes.first and leader_probability(round(votes.first), round(votes.second)) >= self.threshold:
            return self.stop(state, Reason.AGREED)
        if len(state.attempts) >= self.most:
            return self.stop(state, Reason.ATTEMPTS)
        return Call(state.arm(self.arm))


@dataclass(frozen=True, slots=True)
class ESC(Policy):
    """Early-stopping self-consistency: draw in windows, stop when one window is unanimous, answer with it.

    An attempt without an answer breaks its window: it matches nothing, not even another one like it.

    Attributes:
        window: attempts in a window, at least 2.
        most: attempts at most; then all of them vote.
        arm: the arm's label; None for the first of the arms given.
    """

    window: int = 5
    most: int = 40
    arm: str | None = None

    def __post_init__(self) -> None:
        _at_least(2, self.window, "esc: window")
        _at_least(self.window, self.most, "esc: most")

    def decide(self, state: State) -> Call | Stop:
        """A call until a whole window agrees or the attempts are used up."""
        made = len(state.attempts)
        if made and made % self.window == 0:
            last = tally(state.attempts[-self.window :])
            if last.first == self.window:
                return Stop(Reason.AGREED, last.leader)
        if made >= self.most:
            return self.stop(state, Reason.ATTEMPTS)
        return Call(state.arm(self.arm))


def leader_probability(first: int, second: int) -> float:
    """Probability that the leader is the more frequent of the two top answers, from their votes.

    With a uniform prior on the leader's share among the two it is ``1 - I_{1/2}(first + 1, second + 1)``,
    which for whole numbers is a binomial tail: the chance of at most ``first`` heads in
    ``first + second + 1`` tosses of a fair coin.
    """
    tosses = first + second + 1
    below: int = 2**tosses
    return sum(comb(tosses, heads) for heads in range(first + 1)) / below


def _at_least(least: int, value: object, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadInput(f"{what} must be a whole number of at least {least}, not {value!r}")
