"""Where caps cut: the first attempt of each episode that is longer than the cap its call carries.

Up to there an episode is what it is without caps, since caps depend on what attempts took and change nothing else. So
only the episodes that ask for such an attempt have to be played one by one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.engine.deal import Deal
from thinkcap.evals.engine.plan import Plan
from thinkcap.evals.engine.walk import Walk
from thinkcap.policies.finishing import LEAST_CAP, MOST_LOG, Finishing, Length, predictive

__all__ = ["cut_episodes"]

_ROUND = 1  # token: what an exponential rounded otherwise could move a cap by


def cut_episodes(finishing: Finishing, deal: Deal, plan: Plan, found: Walk) -> NDArray[np.bool_]:
    """Episodes in which a cap may cut an attempt.

    Args:
        finishing: what caps.
        deal: the attempts.
        plan: of what it caps.
        found: what the plan came to without caps.

    Returns:
        (questions, permutations)
    """
    lengths = {length.arm: length for length in finishing.lengths}
    laws = [lengths.get(arm.label) for arm in deal.arms]
    made = np.where(found.single, 0, found.made).ravel()  # one call where answers cannot be compared has no cap
    cut = np.zeros(deal.episodes, dtype=np.bool_)
    count = np.zeros((len(laws), deal.episodes))
    above = np.zeros((len(laws), deal.episodes))
    used = [0] * len(laws)
    for step, arm in enumerate(plan.steps[: int(made.max(initial=0))]):
        draw = used[arm]
        used[arm] += 1
        law = laws[arm]
        if law is None or draw >= len(deal.hands[arm].rows):
            continue
        on = np.flatnonzero((made > step) & ~cut)
        hand = deal.hands[arm]
        tokens = hand.tokens[draw + 1, on] - hand.tokens[draw, on]
        if law.most and deal.arms[arm].max_output_tokens is None:
            cut[on] = tokens > _caps(finishing, law, laws, count[:, on], above[:, on]) - _ROUND
        told = tokens > 0
        count[arm, on] += told
        above[arm, on] += np.where(told, np.log(np.maximum(tokens, 1)) - law.mean, 0.0)
    return cut.reshape(found.made.shape)


def _caps(
    finishing: Finishing, law: Length, laws: list[Length | None], count: NDArray[np.float64], above: NDArray[np.float64]
) -> NDArray[np.float64]:
    """As :meth:`Finishing.caps`, for many episodes without a cut.  (episodes,)"""
    known = [(other, *told) for other, *told in zip(laws, count, above, strict=True) if other is not None]
    mean, variance = predictive(law, known)
    top = mean + np.sqrt(finishing.z**2 * variance + law.luck**2)
    tokens = np.ceil(np.exp(np.minimum(top, MOST_LOG)) - 0.5)
    return np.asarray(np.maximum(LEAST_CAP, np.minimum(tokens, law.most)), dtype=np.float64)
