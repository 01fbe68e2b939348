"""Policies in words, for people who choose between them."""

from __future__ import annotations

from thinkcap.policies.chain import Chain
from thinkcap.policies.finishing import Finishing
from thinkcap.policies.mix import Mix
from thinkcap.policies.money import show_usd
from thinkcap.policies.policy import Policy
from thinkcap.policies.rules import Fixed, Lead, Vote
from thinkcap.policies.spend import Spend

__all__ = ["in_words"]


def in_words(policy: Policy) -> str:
    """One line; policies of your own say what their ``repr`` does."""
    if isinstance(policy, Finishing):
        return f"{in_words(policy.policy)}; each attempt capped where {100 * policy.chance:.3g} % finish"
    if isinstance(policy, Mix):
        return (
            f"{100 * policy.share:.0f} % of questions: {in_words(policy.first)}; the others: {in_words(policy.second)}"
        )
    if isinstance(policy, Fixed):
        return f"one call at {policy.arm or 'the first arm'}"
    if isinstance(policy, Vote):
        return f"the most frequent of {policy.k} answers at {policy.arm or 'the first arm'}"
    if isinstance(policy, Lead):
        return f"first to lead by {policy.by} of at most {policy.most} answers at {policy.arm or 'the first arm'}"
    if isinstance(policy, Chain):
        rungs = [arm if attempts == 1 else f"{attempts} times {arm}" for arm, attempts in policy.rungs]
        return f"until an answer passes: {', then '.join(rungs)}"
    return _spend(policy) if isinstance(policy, Spend) else repr(policy)


def _spend(policy: Spend) -> str:
    weights = policy.weights or (1.0,) * len(policy.rungs)
    rungs = [
        f"at most {attempts} at {arm}" + ("" if weight == 1 else f" of {weight:g} votes each")
        for (arm, attempts), weight in zip(policy.rungs, weights, strict=True)
    ]
    text = f"first to lead by {policy.lead:g} votes, {', then '.join(rungs)}"
    if policy.short is not None:
        text += (
            f"; an attempt below {policy.short.below:g} of its question's length has {policy.short.counts:g} of a vote"
        )
    if policy.dear_nusd is not None:
        lead = "any lead" if policy.dear_lead < 1 else f"a lead of {policy.dear_lead:g}"
        text += f"; from {show_usd(policy.dear_nusd)} on {lead} is enough"
    return text
