"""The richest rule with an order fixed beforehand: votes that weigh, a lead that tires, arms in turn.

It has the simpler rules inside it: with one rung and nothing else it is first-to-lead-by-k, with several a ladder. What
it adds is fitted on recorded attempts, never assumed: how much an arm's vote weighs, how much the vote of an attempt
that is short for its question, and how small a lead is enough once a question has become dear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from thinkcap.policies.errors import BadInput
from thinkcap.policies.policy import Policy
from thinkcap.policies.values import Arm, Attempt, Call, Reason, State, Stop
from thinkcap.policies.votes import Tally

__all__ = ["Short", "Spend"]


@dataclass(frozen=True, slots=True)
class Short:
    """What the vote of a short attempt counts.

    An attempt is short if it took less than ``below`` times the typical (geometric mean) output tokens of the attempts
    at its question with its arm so far, itself included. Length belongs to the question: only this comparison tells.

    Attributes:
        below: between 0 and 1.
        counts: the part of a vote that a short attempt has, from 0 to 1.
    """

    below: float
    counts: float

    def __post_init__(self) -> None:
        if not 0 < self.below < 1 or not 0 <= self.counts <= 1:
            raise BadInput("short: below must lie between 0 and 1, and counts from 0 to 1")


@dataclass(frozen=True, slots=True)
class Spend(Policy):
    """Arms in turn, stopping once an answer leads by enough weighted votes, or by fewer once a question is dear.

    Attributes:
        rungs: (arm's label, attempts) pairs, from the first asked to the last.
        lead: votes of lead at which to stop.
        weights: votes of one attempt by rung; 1 each if left out.
        short: what the vote of a short attempt counts; None counts all alike.
        dear_nusd: nano-dollars spent on a question from which ``dear_lead`` is enough; None for never.
        dear_lead: that smaller lead; an answer must lead at all.
    """

    rungs: tuple[tuple[str, int], ...]
    lead: float
    weights: tuple[float, ...] = ()
    short: Short | None = None
    dear_nusd: int | None = None
    dear_lead: float = 0

    def __post_init__(self) -> None:
        labels = [arm for arm, _ in self.rungs]
        if not labels or len(set(labels)) < len(labels) or any(attempts < 1 for _, attempts in self.rungs):
            raise BadInput("spend: give at least one (arm, attempts), each arm once, each with at least 1 attempt")
        if self.weights and len(self.weights) != len(self.rungs):
            raise BadInput(f"spend: give one weight a rung ({len(self.rungs)}), not {len(self.weights)}")
        if self.lead <= 0 or any(weight <= 0 for weight in self.weights) or self.dear_lead < 0:
            raise BadInput("spend: the lead and the weights must be above zero")
        if self.dear_nusd is not None and self.dear_nusd < 1:
            raise BadInput("spend: dear_nusd must be at least a nano-dollar, or None")

    def decide(self, state: State) -> Call | Stop:
        """A call at the current rung until the lead is enough or the last rung is used up."""
        votes = self._votes(state.attempts)
        if votes.lead >= self.lead:
            return Stop(Reason.AGREED, votes.leader)
        left = len(state.attempts)
        for arm, attempts in self.rungs:
            if left < attempts:
                if self._is_enough(votes, state):
                    return Stop(Reason.AGREED, votes.leader)
                return Call(state.arm(arm))
            left -= attempts
        return Stop(Reason.ATTEMPTS, votes.leader)

    def answer(self, state: State) -> str | None:
        """Most weighted votes, the earliest of equals."""
        return self._votes(state.attempts).leader

    def favourite(self, state: State) -> Arm:
        """The last rung: where only one call makes sense, make the best one."""
        return state.arm(self.rungs[-1][0])

    def _is_enough(self, votes: Tally, state: State) -> bool:
        if self.dear_nusd is None or state.spent_nusd < self.dear_nusd:
            return False
        return votes.first > 0 and votes.lead >= self.dear_lead

    def _votes(self, attempts: Sequence[Attempt]) -> Tally:
        weights = dict(zip((arm for arm, _ in self.rungs), self.weights or (1.0,) * len(self.rungs), strict=True))
        logs: dict[str, list[float]] = {}
        votes: dict[str, float] = {}
        for attempt in attempts:
            label = attempt.arm.label
            weight = weights.get(label, 1.0)
            if self.short is not None:
                tokens = max(1, attempt.usage.output_tokens) if attempt.usage else 1
                seen = logs.setdefault(label, [])
                seen.append(log(tokens))
                if tokens < self.short.below * exp(sum(seen) / len(seen)):
                    weight *= self.short.counts
            if attempt.answer is not None and attempt.verified is not False:
                votes[attempt.answer] = votes.get(attempt.answer, 0.0) + weight
        if not votes:
            return Tally(None, 0, 0, 0)
        leader = max(votes, key=votes.__getitem__)
        first = votes.pop(leader)
        return Tally(leader, first, max(votes.values(), default=0), first + sum(votes.values()))
