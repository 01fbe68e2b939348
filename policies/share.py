"""What one agent run may take of what is free: its fair share of the runs that are needed at least.

An attempt that is a whole agent run makes as many calls as it likes, so a ceiling of its own keeps it from eating
what the runs after it need. How many those are is asked of the policy itself: the runs it would still make if all
of them agreed. ``Fixed`` gives its one run everything, ``Lead(2)`` each of two runs a half, and a ladder weighs its
runs by what a call costs at their arms. A run that was cut short without an answer shows that it needs more than it
spent, so the next one at that arm may take twice as much, as far as the money goes.
"""

from __future__ import annotations

from thinkcap.policies.policy import Policy
from thinkcap.policies.values import Arm, Attempt, Call, State

__all__ = ["cut_short_nusd", "fair_share"]

_FURTHEST = 40
"""Runs looked ahead at most."""


def fair_share(policy: Policy, state: State, call: Call) -> float:
    """The share of what is free, above 0 and at most 1, that the run of this call may take."""
    ahead = _ahead(policy, state, call)
    worst = {arm.label: offer.worst_nusd for arm, offer in zip(state.arms, state.room.offers, strict=False)}
    weights = [max(1, worst.get(arm.label, 1)) for arm in ahead]
    share = weights[0] / sum(weights)
    free = state.room.free_nusd
    return max(share, min(1.0, 2 * cut_short_nusd(state, call.arm) / free)) if free else share


def cut_short_nusd(state: State, arm: Arm) -> int:
    """The most that a run at this arm spent, in nano-dollars, and was cut short without an answer; 0 if none was."""
    cut = (a for a in state.attempts if a.arm.label == arm.label and a.finish == "ceiling" and a.answer is None)
    return max((attempt.cost_nusd for attempt in cut), default=0)


def _ahead(policy: Policy, state: State, call: Call) -> list[Arm]:
    """The arms of the runs the policy would make from here on, this call's first, if all of them agreed."""
    arms = [call.arm]
    if not (state.question.comparable or state.question.verifiable):
        return arms
    answer = policy.answer(state) or "?"
    while len(arms) < _FURTHEST:
        state = state.after(Attempt(len(state.attempts) + 1, arms[-1], answer, 0))
        move = policy.decide(state)
        if not isinstance(move, Call):
            break
        arms.append(move.arm)
    return arms
