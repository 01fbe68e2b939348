"""Two policies mixed at random: each question is given to one of them, which reaches any mean cost between theirs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from thinkcap.policies.errors import BadInput
from thinkcap.policies.policy import Policy
from thinkcap.policies.values import Arm, Call, State, Stop

__all__ = ["Mix"]


@dataclass(frozen=True, slots=True)
class Mix(Policy):
    """The first policy for a share of the questions, the second for the others.

    Which one a question gets depends on its id alone (and the seed), so it is the same at every attempt, live and in
    replay; over questions it is as a coin would have it. Between two policies this is the straight line in accuracy and
    mean cost.

    Attributes:
        first, second: the policies.
        share: of the questions that the first one gets, 0 to 1.
        seed: another seed deals the questions out anew.
    """

    first: Policy
    second: Policy
    share: float
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.share, bool) or not 0 <= self.share <= 1:
            raise BadInput(f"mix: the share must be between 0 and 1, not {self.share!r}")

    def chosen(self, question_id: str) -> Policy:
        """The policy that a question gets."""
        digest = hashlib.blake2b(f"{self.seed}\0{question_id}".encode(), digest_size=8).digest()
        return self.first if int.from_bytes(digest, "big") < self.share * 2**64 else self.second

    def decide(self, state: State) -> Call | Stop:
        """The chosen policy's move."""
        return self.chosen(state.question.id).decide(state)

    def answer(self, state: State) -> str | None:
        """The chosen policy's best answer so far."""
        return self.chosen(state.question.id).answer(state)

    def favourite(self, state: State) -> Arm:
        """The chosen policy's favourite arm."""
        return self.chosen(state.question.id).favourite(state)
