"""Policies that ask in an order fixed beforehand, written as what a walk over arrays needs.

Such a policy's calls do not depend on the answers, only when it stops does: a fixed arm, a vote, the rules that stop a
vote early, a ladder, and any of them within an allowance of attempts, dollars or tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from thinkcap.policies.chain import Chain
from thinkcap.policies.expected import Expected
from thinkcap.policies.finishing import Finishing
from thinkcap.policies.ladder import Ladder
from thinkcap.policies.mix import Mix
from thinkcap.policies.policy import Capped, Policy
from thinkcap.policies.rules import ESC, AdaptiveConsistency, Fixed, Lead, Vote, leader_probability
from thinkcap.policies.spend import Short, Spend
from thinkcap.policies.values import Arm, Reason

__all__ = ["Agrees", "Plan", "capping", "plan_of", "plans_of", "unwrapped"]

Agrees = Callable[[NDArray[np.number], NDArray[np.number]], NDArray[np.bool_]]
"""Whether the votes of the leader and of the runner-up are enough to stop.  (episodes,) each"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a walk needs to know of a policy.

    Attributes:
        steps: the arm of each attempt, by its place among the arms given.
        favourite: the arm of the only call where answers cannot be compared.
        last: the reason where all attempts are used up.
        agrees: stops a vote early; None never does.
        weights: votes of each attempt; None for one each.
        window: attempts in a window that stops if it is unanimous; None for no windows.
        short: what the vote of an attempt that is short for its question counts; None counts all alike.
        dear: nano-dollars spent from which a smaller lead is enough, and that lead; None for never.
        nusd: allowance of nano-dollars, checked before each attempt.
        tokens: allowance of output tokens, checked before each attempt.
        verifier: it is for questions with a verifier only.
        is_cut: an allowance ends the steps, not the policy, so that what else stops it is asked before.
    """

    steps: tuple[int, ...]
    favourite: int
    last: Reason = Reason.ATTEMPTS
    agrees: Agrees | None = None
    weights: tuple[float, ...] | None = None
    window: int | None = None
    short: Short | None = None
    dear: tuple[int, float] | None = None
    nusd: int | None = None
    tokens: int | None = None
    verifier: bool = False
    is_cut: bool = False

    def moved(self, places: Mapping[int, int]) -> Plan:
        """The same with its arms at other places."""
        return replace(self, steps=tuple(places[arm] for arm in self.steps), favourite=places[self.favourite])


def plan_of(policy: Policy, arms: Sequence[Arm]) -> Plan | None:
    """The plan of a policy over these arms; None if it has none, and has to be replayed episode by episode.

    Raises:
        BadInput: if it names an arm that is not there.
    """
    return _plan(policy, tuple(arms))


def plans_of(policy: Policy, arms: Sequence[Arm]) -> tuple[Plan, ...]:
    """The plan of a policy; those of both policies of a mix; none where it has to be replayed episode by episode.

    Of a policy that caps its calls (:class:`Finishing`) they are the plans of what it caps: they hold up to the first
    attempt that is cut (:mod:`thinkcap.evals.engine.cutting`).

    Raises:
        BadInput: if it names an arm that is not there.
    """
    inner = unwrapped(policy)
    both = (inner.first, inner.second) if isinstance(inner, Mix) else (inner,)
    plans = [plan_of(each, arms) for each in both]
    return tuple(plan for plan in plans if plan is not None) if all(plans) else ()


def unwrapped(policy: Policy) -> Policy:
    """Who decides for a policy that comes with what is expected of it, and with caps."""
    inner = policy.policy if type(policy) is Expected else policy
    return inner.policy if type(inner) is Finishing else inner


def capping(policy: Policy) -> Finishing | None:
    """What caps the calls of a policy; None if nothing does."""
    inner = policy.policy if type(policy) is Expected else policy
    return inner if type(inner) is Finishing else None


@singledispatch
def _plan(policy: Policy, arms: tuple[Arm, ...]) -> Plan | None:  # noqa: ARG001 - what is not listed has no plan
    return None


def _exactly(kind: type[Policy]) -> Callable[[Callable[..., Plan | None]], Callable[..., Plan | None]]:
    """Register for this very class: a subclass may decide otherwise."""

    def register(make: Callable[..., Plan | None]) -> Callable[..., Plan | None]:
        def made(policy: Policy, arms: tuple[Arm, ...]) -> Plan | None:
            return make(policy, arms) if type(policy) is kind else None

        _plan.register(kind, made)
        return make

    return register


@_exactly(Fixed)
def _fixed(policy: Fixed, arms: tuple[Arm, ...]) -> Plan:
    return _one_arm(policy.arm, 1, arms, last=Reason.ONE_CALL_IS_BEST)


@_exactly(Vote)
def _vote(policy: Vote, arms: tuple[Arm, ...]) -> Plan:
    return _one_arm(policy.arm, policy.k, arms)


@_exactly(Lead)
def _lead(policy: Lead, arms: tuple[Arm, ...]) -> Plan:
    return _one_arm(policy.arm, policy.most, arms, agrees=lambda first, second: first - second >= policy.by)


@_exactly(AdaptiveConsistency)
def _adaptive(policy: AdaptiveConsistency, arms: tuple[Arm, ...]) -> Plan:
    most = policy.most
    sure = np.zeros((most + 1, most + 1), dtype=np.bool_)  # by votes of the leader and of the runner-up
    for first in range(1, most + 1):
        for second in range(min(first, most - first) + 1):
            sure[first, second] = leader_probability(first, second) >= policy.threshold
    return _one_arm(policy.arm, most, arms, agrees=lambda first, second: sure[first, second])


@_exactly(ESC)
def _esc(policy: ESC, arms: tuple[Arm, ...]) -> Plan:
    return _one_arm(policy.arm, policy.most, arms, window=policy.window)


@_exactly(Ladder)
def _ladder(policy: Ladder, arms: tuple[Arm, ...]) -> Plan:
    votes = policy.weights or tuple(float(rung) for rung in range(1, len(policy.rungs) + 1))
    return _in_turn(policy.rungs, votes, policy.lead, arms)


@_exactly(Spend)
def _spend(policy: Spend, arms: tuple[Arm, ...]) -> Plan:
    plan = _in_turn(policy.rungs, policy.weights or (1.0,) * len(policy.rungs), policy.lead, arms)
    dear = None if policy.dear_nusd is None else (policy.dear_nusd, policy.dear_lead)
    return replace(plan, short=policy.short, dear=dear)


@_exactly(Chain)
def _chain(policy: Chain, arms: tuple[Arm, ...]) -> Plan:
    steps = tuple(_place(label, arms) for label in policy.steps)
    return Plan(steps, steps[-1], Reason.HOPELESS, verifier=True)


@_exactly(Capped)
def _capped(policy: Capped, arms: tuple[Arm, ...]) -> Plan | None:
    plan = plan_of(policy.policy, arms)
    if plan is None or policy.max_output_tokens is not None:
        return None
    if plan.nusd is not None or plan.tokens is not None:
        return None  # an allowance inside another: too rare to be fast
    if policy.attempts is not None and policy.attempts < len(plan.steps):
        weights = None if plan.weights is None else plan.weights[: policy.attempts]
        plan = replace(plan, steps=plan.steps[: policy.attempts], weights=weights, last=Reason.ATTEMPTS, is_cut=True)
    return replace(plan, nusd=policy.nusd, tokens=policy.output_tokens)


def _place(label: str | None, arms: tuple[Arm, ...]) -> int:
    from thinkcap.policies.values import Question, State

    return arms.index(State(Question(""), arms).arm(label))


def _in_turn(rungs: Sequence[tuple[str, int]], votes: Sequence[float], lead: float, arms: tuple[Arm, ...]) -> Plan:
    """Arms in turn, each with its attempts and what one of them counts, until an answer leads."""
    asked = [
        (_place(label, arms), vote) for (label, count), vote in zip(rungs, votes, strict=True) for _ in range(count)
    ]
    return Plan(
        steps=tuple(place for place, _ in asked),
        favourite=asked[-1][0],
        agrees=lambda first, second: first - second >= lead,
        weights=tuple(vote for _, vote in asked),
    )


def _one_arm(
    label: str | None,
    attempts: int,
    arms: tuple[Arm, ...],
    *,
    last: Reason = Reason.ATTEMPTS,
    agrees: Agrees | None = None,
    window: int | None = None,
) -> Plan:
    place = _place(label, arms)
    return Plan((place,) * attempts, place, last, agrees, window=window)
