"""A chain: arms in turn until an answer passes the verifier; for questions where a verifier decides."""

from __future__ import annotations

from dataclasses import dataclass

from thinkcap.policies.errors import BadInput
from thinkcap.policies.policy import Policy
from thinkcap.policies.values import Arm, Call, Reason, State, Stop

__all__ = ["Chain"]


@dataclass(frozen=True, slots=True)
class Chain(Policy):
    """Attempts in a fixed order, until one passes the verifier or the chain is over.

    With a verifier agreement counts for nothing: the objective is coverage. A question that passed is dropped (by
    :func:`thinkcap.policies.episode`, for every policy); one at which the whole chain failed is given up as hopeless at
    its price. Which order, and where it ends, is fitted: see :func:`thinkcap.evals.evaluate`.

    Attributes:
        rungs: (arm's label, attempts) pairs, from the first asked to the last; an arm may come again later.
    """

    rungs: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        if not self.rungs:
            raise BadInput("a chain needs at least one (arm, attempts)")
        for arm, attempts in self.rungs:
            if attempts < 1:
                raise BadInput(f"chain: {arm!r} must have at least 1 attempt, not {attempts}")

    @property
    def steps(self) -> tuple[str, ...]:
        """The arm's label of each attempt."""
        return tuple(arm for arm, attempts in self.rungs for _ in range(attempts))

    def decide(self, state: State) -> Call | Stop:
        """A call at the next step; a stop where there is none.

        Raises:
            BadInput: where answers can be compared and nothing verifies them: all of the chain would be bought.
        """
        if not state.question.verifiable:
            raise BadInput("a chain goes on until a verifier passes an answer: give a verifier, or use another policy")
        steps = self.steps
        if len(state.attempts) < len(steps):
            return Call(state.arm(steps[len(state.attempts)]))
        return self.stop(state, Reason.HOPELESS)

    def favourite(self, state: State) -> Arm:
        """The last arm: where only one call makes sense, make the best one."""
        return state.arm(self.rungs[-1][0])
