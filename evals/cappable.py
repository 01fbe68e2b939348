"""What a recording can tell of caps: a policy keeps those whose cuts follow from what was recorded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from thinkcap.evals.rates import output_rates
from thinkcap.evals.recording import FINISHES, Recording
from thinkcap.policies.expected import Expected
from thinkcap.policies.finishing import Finishing
from thinkcap.policies.mix import Mix
from thinkcap.policies.policy import Policy

__all__ = ["cappable"]


def cappable(policy: Policy, recording: Recording) -> Policy:
    """The policy, with the caps of :class:`Finishing` at those arms alone whose attempts can be cut in replay.

    An attempt that is cut costs less by what its last tokens cost, so costs have to follow tokens; and where attempts
    were cut when they were recorded, what a larger cap would have brought is not known.
    """
    return _kept(policy, _arms(recording)) if _caps(policy) else policy


def _caps(policy: Policy) -> bool:
    if isinstance(policy, Expected):
        return _caps(policy.policy)
    return _caps(policy.first) or _caps(policy.second) if isinstance(policy, Mix) else isinstance(policy, Finishing)


def _kept(policy: Policy, arms: frozenset[str]) -> Policy:
    if isinstance(policy, Expected):
        return replace(policy, policy=_kept(policy.policy, arms))
    if isinstance(policy, Mix):
        return replace(policy, first=_kept(policy.first, arms), second=_kept(policy.second, arms))
    return policy.only(arms) if isinstance(policy, Finishing) else policy


def _arms(recording: Recording) -> frozenset[str]:
    was_cut = np.unique(recording.arm[recording.finish == FINISHES.index("length")])
    told = np.flatnonzero(~np.isnan(output_rates(recording)))
    return frozenset(recording.arms[place].label for place in np.setdiff1d(told, was_cut).tolist())
