"""What a policy is: a frozen rule from a state to a call or a stop, and the algebra that joins rules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

from thinkcap.policies.errors import BadInput
from thinkcap.policies.money import Dollars, nano_usd
from thinkcap.policies.values import Arm, Call, Reason, State, Stop
from thinkcap.policies.votes import tally

__all__ = ["Both", "Capped", "Either", "Policy"]


class Policy(ABC):
    """A rule that decides what to buy next.

    Subclasses are frozen and hold no counters: :meth:`decide` depends on the state alone, so the same state
    gets the same decision, live and in replay. Verified answers, answers that cannot be compared, and what the
    ceiling leaves are seen to by :func:`thinkcap.policies.episode`, not by each policy.

    ``a | b`` stops as soon as either stops; ``a & b`` stops when both do; both ask with ``a`` while it goes on.
    """

    @abstractmethod
    def decide(self, state: State) -> Call | Stop:
        """The next call, or a stop with its reason and answer."""

    def answer(self, state: State) -> str | None:
        """The best answer so far: most votes, the earliest of equals."""
        return tally(state.attempts).leader

    def favourite(self, state: State) -> Arm:
        """The arm to ask where one call is all that makes sense (answers that cannot be compared)."""
        move = self.decide(replace(state, attempts=()))
        return move.arm if isinstance(move, Call) else state.arms[0]

    def stop(self, state: State, reason: Reason) -> Stop:
        """A stop with the best answer so far."""
        return Stop(reason, self.answer(state))

    def __or__(self, other: Policy) -> Policy:
        return Either(self, other)

    def __and__(self, other: Policy) -> Policy:
        return Both(self, other)

    def capped(
        self,
        *,
        attempts: int | None = None,
        usd: Dollars | None = None,
        output_tokens: int | None = None,
        max_output_tokens: int | None = None,
    ) -> Policy:
        """The same policy within an allowance of its own (see :class:`Capped`)."""
        return Capped(
            self,
            attempts=attempts,
            nusd=None if usd is None else nano_usd(usd, "usd"),
            output_tokens=output_tokens,
            max_output_tokens=max_output_tokens,
        )


@dataclass(frozen=True, slots=True)
class Either(Policy):
    """Stops as soon as one of two policies stops, with that one's answer; asks as the first does."""

    first: Policy
    second: Policy

    def decide(self, state: State) -> Call | Stop:
        """The first policy's move, unless the second stops."""
        move = self.first.decide(state)
        if isinstance(move, Stop):
            return move
        other = self.second.decide(state)
        return other if isinstance(other, Stop) else move

    def answer(self, state: State) -> str | None:
        """The first policy's best answer so far."""
        return self.first.answer(state)

    def favourite(self, state: State) -> Arm:
        """The first policy's favourite arm."""
        return self.first.favourite(state)


@dataclass(frozen=True, slots=True)
class Both(Policy):
    """Stops when two policies both stop, with the first one's answer; asks as the first that goes on."""

    first: Policy
    second: Policy

    def decide(self, state: State) -> Call | Stop:
        """The move of the first policy that goes on; the first policy's stop if none does."""
        move = self.first.decide(state)
        if isinstance(move, Call):
            return move
        other = self.second.decide(state)
        return other if isinstance(other, Call) else move

    def answer(self, state: State) -> str | None:
        """The first policy's best answer so far."""
        return self.first.answer(state)

    def favourite(self, state: State) -> Arm:
        """The first policy's favourite arm."""
        return self.first.favourite(state)


@dataclass(frozen=True, slots=True)
class Capped(Policy):
    """A policy within an allowance: no further attempt once any of the limits is reached.

    An allowance is checked before each attempt, so the last attempt may go past it; what must never be passed
    is a ceiling, which the controller keeps.

    Attributes:
        policy: who decides within the allowance.
        attempts: attempts at one question.
        nusd: nano-dollars spent on one question.
        output_tokens: output tokens of one question, including hidden reasoning.
        max_output_tokens: output cap of each call, including hidden reasoning.
    """

    policy: Policy
    attempts: int | None = None
    nusd: int | None = None
    output_tokens: int | None = None
    max_output_tokens: int | None = None

    def __post_init__(self) -> None:
        limits = (self.attempts, self.nusd, self.output_tokens, self.max_output_tokens)
        if all(limit is None for limit in limits):
            raise BadInput("capped() needs at least one of attempts=, usd=, output_tokens=, max_output_tokens=")
        if any(limit is not None and limit < 1 for limit in limits):
            raise BadInput("capped() takes limits of at least 1")

    def decide(self, state: State) -> Call | Stop:
        """The policy's own move, or a stop once a limit is reached."""
        move = self.policy.decide(state)
        if isinstance(move, Stop):
            return move
        if (reason := self.reached(state)) is not None:
            return self.stop(state, reason)
        return self.within(move)

    def within(self, move: Call) -> Call:
        """A call under the allowance's output cap."""
        if isinstance(self.policy, Capped):
            move = self.policy.within(move)
        if self.max_output_tokens is None:
            return move
        own = move.max_output_tokens or move.arm.max_output_tokens or self.max_output_tokens
        return replace(move, max_output_tokens=min(own, self.max_output_tokens))

    def reached(self, state: State) -> Reason | None:
        """Why no further attempt is within the allowance; None if one is."""
        if self.attempts is not None and len(state.attempts) >= self.attempts:
            return Reason.ATTEMPTS
        tokens = sum(attempt.usage.output_tokens for attempt in state.attempts if attempt.usage)
        if _reached(self.nusd, state.spent_nusd) or _reached(self.output_tokens, tokens):
            return Reason.CEILING
        return self.policy.reached(state) if isinstance(self.policy, Capped) else None

    def answer(self, state: State) -> str | None:
        """The policy's best answer so far."""
        return self.policy.answer(state)

    def favourite(self, state: State) -> Arm:
        """The policy's favourite arm."""
        return self.policy.favourite(state)


def _reached(limit: int | None, used: int) -> bool:
    return limit is not None and used >= limit
