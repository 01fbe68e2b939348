"""Which arms a policy may ask."""

from __future__ import annotations

from thinkcap.policies.cascade import Cascade
from thinkcap.policies.chain import Chain
from thinkcap.policies.expected import Expected
from thinkcap.policies.finishing import Finishing
from thinkcap.policies.ladder import Ladder
from thinkcap.policies.mix import Mix
from thinkcap.policies.policy import Policy
from thinkcap.policies.rules import ESC, AdaptiveConsistency, Fixed, Lead, Vote
from thinkcap.policies.spend import Spend

__all__ = ["asks"]


def asks(policy: Policy) -> tuple[str, ...] | None:
    """Labels of the arms it may ask, in its order; None if it does not say (the first arm given, or one's own rule)."""
    if isinstance(policy, Expected | Finishing):
        return asks(policy.policy)
    if isinstance(policy, Mix):
        both = (asks(policy.second), asks(policy.first))
        return None if None in both else tuple(dict.fromkeys(label for labels in both for label in labels or ()))
    if isinstance(policy, Fixed | Vote | Lead | AdaptiveConsistency | ESC):
        return None if policy.arm is None else (policy.arm,)
    if isinstance(policy, Spend | Ladder | Cascade | Chain):
        return tuple(dict.fromkeys(label for label, _ in policy.rungs))
    return None
