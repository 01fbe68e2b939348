"""Several arms in turn: cheap attempts first, dear ones where the cheap ones do not agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thinkcap.policies.errors import BadInput
from thinkcap.policies.policy import Policy
from thinkcap.policies.values import Arm, Call, Reason, State, Stop
from thinkcap.policies.votes import Tally, tally

__all__ = ["Ladder"]


@dataclass(frozen=True, slots=True)
class Ladder(Policy):
    """A fixed number of attempts at each rung in turn, stopping once one answer leads by enough votes.

    Attributes:
        rungs: (arm's label, attempts) pairs, from the first asked to the last.
        lead: votes of lead at which to stop.
        weights: votes of one attempt by rung; by default 1, 2, 3 ... (a dearer arm's answer counts for more).
    """

    rungs: tuple[tuple[str, int], ...]
    lead: float = 3
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.rungs:
            raise BadInput("a ladder needs at least one rung: (arm, attempts)")
        for arm, attempts in self.rungs:
            if attempts < 1:
                raise BadInput(f"ladder: rung {arm!r} must have at least 1 attempt, not {attempts}")
        if len({arm for arm, _ in self.rungs}) < len(self.rungs):
            raise BadInput("ladder: an arm may stand on one rung only")
        if self.weights and len(self.weights) != len(self.rungs):
            raise BadInput(f"ladder: give one weight a rung ({len(self.rungs)}), not {len(self.weights)}")
        if self.lead <= 0 or any(weight <= 0 for weight in self.weights):
            raise BadInput("ladder: the lead and the weights must be above zero")

    def decide(self, state: State) -> Call | Stop:
        """A call at the current rung until the lead is reached or the last rung is used up."""
        if self._votes(state).lead >= self.lead:
            return self.stop(state, Reason.AGREED)
        left = len(state.attempts)
        for arm, attempts in self.rungs:
            if left < attempts:
                return Call(state.arm(arm))
            left -= attempts
        return self.stop(state, Reason.ATTEMPTS)

    def answer(self, state: State) -> str | None:
        """Most weighted votes, the earliest of equals."""
        return self._votes(state).leader

    def favourite(self, state: State) -> Arm:
        """The last rung: where only one call makes sense, make the best one."""
        return state.arm(self.rungs[-1][0])

    def _votes(self, state: State) -> Tally:
        return tally(state.attempts, self._weights)

    @property
    def _weights(self) -> Mapping[str, float]:
        weights = self.weights or range(1, len(self.rungs) + 1)
        return {arm: weight for (arm, _), weight in zip(self.rungs, weights, strict=True)}
