"""What a curve's money buys: policies from the cheapest to the dearest that is worth having, and the choice of one.

Between two neighbours lies every mix of them (a share of the questions is given to the one, the rest to the other), so
every mean cost and every accuracy between the ends can be had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from thinkcap.policies.errors import BadInput
from thinkcap.policies.expected import Expectation, Expected
from thinkcap.policies.hull import hull
from thinkcap.policies.mix import Mix
from thinkcap.policies.policy import Policy
from thinkcap.policies.rules import Fixed

__all__ = ["Point", "choose", "worth_having"]

_ONE_CALL = "one call: at this price further attempts do not pay"
_ROUND = 1e-9


@dataclass(frozen=True, slots=True)
class Point:
    """A policy that is worth having at some price.

    Attributes:
        policy: the policy.
        expected: what it comes to.
    """

    policy: Policy
    expected: Expectation


def worth_having(points: Sequence[Point]) -> tuple[Point, ...]:
    """Those on the concave hull of accuracy against mean cost, cheapest first."""
    usd = [point.expected.usd.mean for point in points]
    return tuple(points[place] for place in hull(usd, [point.expected.accuracy.mean for point in points]))


def choose(
    points: Sequence[Point],
    *,
    accuracy: float | None = None,
    mean_usd: float | None = None,
    worth_usd: float | None = None,
) -> Expected:
    """The policy that meets exactly one wish, with what to expect of it.

    Args:
        points: those worth having, cheapest first.
        accuracy: the least share of right answers, at the lowest cost.
        mean_usd: dollars a question may cost in the mean, with the most right answers.
        worth_usd: dollars that one more right answer is worth.

    Raises:
        BadInput: for none of the wishes or several, or one that nothing meets.
    """
    given = [wish for wish in (accuracy, mean_usd, worth_usd) if wish is not None]
    if len(given) != 1:
        raise BadInput(
            "give exactly one of accuracy= (share of right answers), mean_usd= (dollars a question) "
            "and worth_usd= (dollars that one more right answer is worth)"
        )
    (wish,) = given
    if isinstance(wish, bool | str) or not isfinite(wish) or wish <= 0:
        raise BadInput(f"accuracy, mean_usd and worth_usd must be positive numbers, not {wish!r}")
    if accuracy is not None:
        return _by_accuracy(points, accuracy)
    return _by_worth(points, wish) if mean_usd is None else _by_usd(points, mean_usd)


def _by_worth(points: Sequence[Point], worth: float) -> Expected:
    best = max(points, key=lambda point: point.expected.accuracy.mean - point.expected.usd.mean / worth)
    return _expected(best)


def _by_accuracy(points: Sequence[Point], target: float) -> Expected:
    best = points[-1].expected.accuracy
    if target > 1:
        raise BadInput(f"accuracy is a share from 0 to 1, not {target:g}; 95 % is written 0.95")
    if target > best.mean:
        raise BadInput(
            f"no policy comes to {target:.1%}: the asymptote of what was recorded is {best.mean:.1%} "
            f"({best.low:.1%} to {best.high:.1%})"
        )
    if target <= points[0].expected.accuracy.mean:
        return _expected(points[0])
    return _between(points, target, [point.expected.accuracy.mean for point in points])


def _by_usd(points: Sequence[Point], budget: float) -> Expected:
    least = points[0].expected.usd.mean
    if budget < least * (1 - _ROUND):
        raise BadInput(f"the cheapest policy costs ${least:.3g} a question in the mean, so ${budget:g} buys none")
    costs = [point.expected.usd.mean for point in points]
    if budget >= costs[-1]:
        spare = "" if budget < costs[-1] * 1.01 else "the whole budget is not spent: more attempts buy nothing"
        return _expected(points[-1], spare or None)
    return _between(points, budget, costs)


def _between(points: Sequence[Point], wish: float, values: Sequence[float]) -> Expected:
    place = max(1, next(place for place, value in enumerate(values) if value >= wish * (1 - _ROUND)))
    low, high = points[place - 1], points[place]
    share = (wish - values[place - 1]) / (values[place] - values[place - 1])  # of the questions that get the dearer
    if share >= 1 - _ROUND:
        return _expected(high)
    if share <= _ROUND:
        return _expected(low)
    return Expected(Mix(high.policy, low.policy, share), high.expected.mixed(low.expected, share))


def _expected(point: Point, note: str | None = None) -> Expected:
    single = isinstance(point.policy, Fixed)
    return Expected(point.policy, point.expected, note or (_ONE_CALL if single else None))
