"""The operating points of a curve that no replay has measured: single calls and votes, as the curve predicts them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from thinkcap.policies.curves.guard import MOST_VOTES, reach
from thinkcap.policies.curves.points import Point, worth_having
from thinkcap.policies.expected import Expectation
from thinkcap.policies.interval import Interval
from thinkcap.policies.money import NANO
from thinkcap.policies.rules import Fixed, Vote

if TYPE_CHECKING:
    from thinkcap.policies.curves.arm import ArmCurve
    from thinkcap.policies.curves.curve import Curve

__all__ = ["predicted"]

_ENDS = (0.025, 0.975)
_VOTES = (1, 3, 5, 7, 9, 13, 19, 27, 39, 55, 79)


def predicted(arms: Sequence[ArmCurve], curve: Curve) -> tuple[Point, ...]:
    """Those of some arms of a curve that are worth having, cheapest first."""
    return worth_having(list(_all(arms, curve)))


def _all(arms: Sequence[ArmCurve], curve: Curve) -> Iterator[Point]:
    for arm in arms:
        label = arm.arm.label
        most = min(reach(arm), MOST_VOTES) if arm.votes else 1
        for attempts in (number for number in _VOTES if number <= most):
            found, policy = curve.predict(label, attempts), Fixed(label) if attempts == 1 else Vote(attempts, label)
            usd = Interval(found.usd, *(attempts * np.quantile(arm.means[:, 0], _ENDS) / NANO).tolist())
            yield Point(
                policy,
                Expectation(curve.interval(label, attempts), usd, found.output_tokens, float(attempts)),
            )
