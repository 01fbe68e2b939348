"""What choosing with foresight would have been worth: regret at a price, and the bound that no choice can pass.

A right answer is worth so many dollars; the value of a plan is what its right answers are worth less what it costs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thinkcap.policies.errors import BadInput

__all__ = ["Regret", "best_in_hindsight", "dual_bound", "oracle_value", "regret"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Regret:
    """What a policy leaves at one price, in dollars a question.

    Attributes:
        worth_usd: dollars that a right answer is worth.
        value: of the policy: accuracy x worth - cost.
        hindsight: how much more the best single arm, chosen afterwards, comes to.
        oracle: how much more comes from choosing, for each question by its true rates, the best plan of the menu.
    """

    worth_usd: float
    value: float
    hindsight: float
    oracle: float


def best_in_hindsight(usd: ArrayLike, accuracy: ArrayLike, worth_usd: float) -> int:
    """The place of the plan with the highest value over all questions; the first of equals.

    Args:
        usd, accuracy: of each plan at each question.  (plans, questions)
        worth_usd: dollars that a right answer is worth.
    """
    value = _values(usd, accuracy, worth_usd).mean(axis=1)
    return int(value.argmax())


def oracle_value(usd: ArrayLike, accuracy: ArrayLike, worth_usd: float) -> float:
    """The value of choosing the best plan for each question, knowing its true rates, in dollars a question."""
    return float(_values(usd, accuracy, worth_usd).max(axis=0).mean())


def dual_bound(usd: ArrayLike, accuracy: ArrayLike, budget: float) -> float:
    """The highest mean accuracy that any choice of plans, question by question, can have at a mean cost.

    It is the Lagrangian dual, the least over prices p of ``p * budget + mean over questions of max over plans of
    (accuracy - p * cost)``: no mixture of plans passes it (weak duality; Boyd and Vandenberghe 2004, section 5.2).

    Args:
        usd, accuracy: of each plan at each question.  (plans, questions)
        budget: mean dollars a question.

    Raises:
        BadInput: if not even the cheapest plan everywhere fits.
    """
    cost, right = _figures(usd, accuracy)
    if cost.min(axis=0).mean() > budget * (1 + 1e-12):
        raise BadInput(f"a budget of ${budget:g} a question is less than the cheapest plans cost")

    def bound(price: float) -> float:
        return price * budget + float((right - price * cost).max(axis=0).mean())

    low, high = 0.0, 1.0 / max(float(cost[cost > 0].min(initial=1.0)), 1e-12)
    for _ in range(200):  # the bound is convex in the price: golden section
        first, second = low + 0.381966 * (high - low), high - 0.381966 * (high - low)
        if bound(first) <= bound(second):
            high = second
        else:
            low = first
    return min(bound(0.0), bound((low + high) / 2))


def regret(usd: ArrayLike, accuracy: ArrayLike, fixed: tuple[ArrayLike, ArrayLike], worth_usd: float) -> Regret:
    """What one policy leaves at a price.

    Args:
        usd, accuracy: the policy's, question by question.  (questions,)
        fixed: cost and accuracy of each plan of the menu, such as one call at each arm.  (plans, questions) each
        worth_usd: dollars that a right answer is worth.
    """
    mine = float((np.asarray(accuracy) * worth_usd - np.asarray(usd)).mean())
    values = _values(*fixed, worth_usd)
    return Regret(worth_usd, mine, float(values.mean(axis=1).max()) - mine, float(values.max(axis=0).mean()) - mine)


def _values(usd: ArrayLike, accuracy: ArrayLike, worth_usd: float) -> Floats:
    cost, right = _figures(usd, accuracy)
    return right * worth_usd - cost


def _figures(usd: ArrayLike, accuracy: ArrayLike) -> tuple[Floats, Floats]:
    cost, right = np.asarray(usd, dtype=np.float64), np.asarray(accuracy, dtype=np.float64)
    if cost.ndim != 2 or cost.shape != right.shape or 0 in cost.shape:
        raise BadInput("regret needs the cost and the accuracy of each plan at each question")
    if not (np.isfinite(cost).all() and np.isfinite(right).all()):
        raise BadInput("regret needs finite figures: leave out questions that have none")
    return cost, right
