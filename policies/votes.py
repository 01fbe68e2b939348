"""Counting answers: who leads, by how much.

An attempt without an answer, or with one that failed its verifier, never votes. Ties go to the answer that
came first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from thinkcap.policies.values import Attempt

__all__ = ["Tally", "tally"]


@dataclass(frozen=True, slots=True)
class Tally:
    """The state of a vote.

    Attributes:
        leader: the answer with most votes (the earliest of equals); None before any vote.
        first: votes of the leader.
        second: votes of the runner-up.
        total: votes of all answers.
    """

    leader: str | None
    first: float
    second: float
    total: float

    @property
    def lead(self) -> float:
        """Votes the leader has more than the runner-up."""
        return self.first - self.second


def tally(attempts: Iterable[Attempt], weights: Mapping[str, float] | None = None) -> Tally:
    """Count the votes of attempts; ``weights`` gives votes per arm label (1 where it names none)."""
    votes: dict[str, float] = {}
    for attempt in attempts:
        if attempt.answer is not None and attempt.verified is not False:
            weight = 1 if weights is None else weights.get(attempt.arm.label, 1)
            votes[attempt.answer] = votes.get(attempt.answer, 0) + weight
    if not votes:
        return Tally(None, 0, 0, 0)
    leader = max(votes, key=votes.__getitem__)  # max keeps the first of equals, and dicts keep the order of arrival
    first = votes.pop(leader)
    second = max(votes.values(), default=0)
    return Tally(leader, first, second, first + sum(votes.values()))
