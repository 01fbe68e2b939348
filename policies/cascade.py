"""A threshold cascade: a cheap arm's answers are kept where they agree well enough, else the next arm is asked."""

from __future__ import annotations

from dataclasses import dataclass

from thinkcap.policies.errors import BadInput
from thinkcap.policies.policy import Policy
from thinkcap.policies.values import Arm, Call, Reason, State, Stop
from thinkcap.policies.votes import Tally, tally

__all__ = ["Cascade"]


@dataclass(frozen=True, slots=True)
class Cascade(Policy):
    """Some attempts at each arm in turn, until a share of them agrees; the arm's own majority is the answer.

    It is the vote-based cascade of Yue et al. 2023 (2310.03094, section 3.1): a FrugalGPT (2305.05176) whose score is
    how far an arm's answers agree with each other. Nothing of an arm that was passed over votes later.

    Attributes:
        rungs: (arm's label, attempts) pairs, from the first asked to the last, whose answer is taken in any case.
        threshold: share of an arm's attempts that must give one answer, above 0 and at most 1.
    """

    rungs: tuple[tuple[str, int], ...]
    threshold: float = 0.6

    def __post_init__(self) -> None:
        if len({arm for arm, _ in self.rungs}) < max(1, len(self.rungs)):
            raise BadInput("cascade: give at least one (arm, attempts), and each arm once")
        if any(attempts < 1 for _, attempts in self.rungs):
            raise BadInput("cascade: each arm needs at least 1 attempt")
        if not 0 < self.threshold <= 1:
            raise BadInput(f"cascade: the threshold must be above 0 and at most 1, not {self.threshold}")

    def decide(self, state: State) -> Call | Stop:
        """A call at the arm whose turn it is; a stop where it agrees, or was the last."""
        for arm, attempts in self.rungs:
            made = sum(attempt.arm.label == arm for attempt in state.attempts)
            if made < attempts:
                return Call(state.arm(arm))
            votes = self._votes(state, arm)
            if votes.first >= self.threshold * attempts:
                return Stop(Reason.AGREED, votes.leader)
        return self.stop(state, Reason.ATTEMPTS)

    def answer(self, state: State) -> str | None:
        """The majority of the furthest arm that has answered at all."""
        leaders = (self._votes(state, arm).leader for arm, _ in reversed(self.rungs))
        return next((leader for leader in leaders if leader is not None), None)

    def favourite(self, state: State) -> Arm:
        """The last arm: where only one call makes sense, make the best one."""
        return state.arm(self.rungs[-1][0])

    def _votes(self, state: State, arm: str) -> Tally:
        return tally(attempt for attempt in state.attempts if attempt.arm.label == arm)
