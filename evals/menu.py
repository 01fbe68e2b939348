"""The policies to choose from, in nested classes: each has the simpler ones inside it.

===== ======================================================================================
class what it adds
===== ======================================================================================
0     one call at one arm
1     first to lead by k, at one arm
2     arms in turn, with vote weights
3     short attempts count less, and a smaller lead is enough once a question is dear
===== ======================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from thinkcap.evals.recording import Recording
from thinkcap.policies.policy import Policy
from thinkcap.policies.rules import Fixed, Lead
from thinkcap.policies.spend import Short, Spend

__all__ = ["Candidate", "menu"]

_MOST = (3, 5, 8, 15, 40)
_LEADS = (1.6, 2.0, 2.6, 3.0, 3.6, 4.0)
_FEW_ARMS = 6
_SHORT = (Short(0.82, 0.3), Short(0.7, 0.3), Short(0.7, 0.6))
_WEIGHTS = ((1.0, 1.0), (1.0, 2.0), (1.0, 3.0))


@dataclass(frozen=True, slots=True)
class Candidate:
    """One policy to choose.

    Attributes:
        level: its class, from 0.
        policy: the policy.
    """

    level: int
    policy: Policy


def menu(recording: Recording, arms: Sequence[str]) -> tuple[Candidate, ...]:
    """All policies that can be replayed on a recording with these arms.

    Args:
        recording: the attempts; where nothing can be compared, single calls are all there is.
        arms: labels of the arms, cheapest first; of more than six, only those of one model are joined in pairs.
    """
    most = {arm: recording.fewest(arm) for arm in arms}
    found = [Candidate(0, Fixed(arm)) for arm in arms]
    if recording.comparable.any():
        for arm in arms:
            found += _one_arm(arm, most[arm], _typical(recording, arm))
        for cheap, dear in _pairs(recording, arms):
            found += _two_arms(cheap, dear, most, _typical(recording, dear))
    return tuple(found)


def _pairs(recording: Recording, arms: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Arms to be asked one after the other: all pairs, or where there are many arms those of one model."""
    model = {arm: recording.find_arm(arm).model for arm in arms}
    for cheap, dear in combinations(arms, 2):
        if len(arms) <= _FEW_ARMS or model[cheap] == model[dear]:
            yield cheap, dear


def _typical(recording: Recording, arm: str) -> int:
    """Mean nano-dollars of an attempt."""
    rows = recording.arm == recording.arms.index(recording.find_arm(arm))
    return max(1, int(np.mean(recording.cost_nusd[rows])))


def _limits(most: int) -> list[int]:
    return sorted({min(limit, most) for limit in _MOST if min(limit, most) > 1})


def _one_arm(arm: str, most: int, nusd: int) -> Iterator[Candidate]:
    for limit in _limits(most):
        for by in range(1, 6):
            if 1 < by < limit:
                yield Candidate(1, Lead(by, limit, arm))
        for lead in _LEADS:
            if lead < limit:
                for short in _SHORT:
                    yield Candidate(3, Spend(((arm, limit),), lead, short=short))
    for lead in (2.0, 3.0, 4.0):
        for dear in (3, 6, 12, 25):
            if most > lead:
                yield Candidate(3, Spend(((arm, most),), lead, (), None, dear * nusd, 1.0))
                yield Candidate(3, Spend(((arm, most),), lead, (), _SHORT[0], dear * nusd, 1.0))


def _two_arms(cheap: str, dear: str, most: dict[str, int], nusd: int) -> Iterator[Candidate]:
    for first in (1, 2, 3):
        for second in (1, 2, 3, 8, 20):
            if first > most[cheap] or second > most[dear]:
                continue
            rungs = ((cheap, first), (dear, second))
            for weights in _WEIGHTS:
                for lead in (2.0, 3.0, 4.0, 6.0):
                    if lead <= first * weights[0] + second * weights[1]:
                        yield Candidate(2, Spend(rungs, lead, weights))
                        if second >= 8:
                            for times in (2, 4, 8):
                                yield Candidate(3, Spend(rungs, lead, weights, None, times * nusd, 0.5))
