"""The plan: every option at a target and a demand, and every pair of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product

from thinkcap.policies.errors import BadInput
from thinkcap.policies.laws.units import above_zero, share
from thinkcap.policies.plan.breakeven import crossings
from thinkcap.policies.plan.option import Option
from thinkcap.policies.plan.reach import Effort, interval, reach
from thinkcap.policies.plan.total import Total

__all__ = ["Pair", "Plan", "Way", "make_plan"]

_STEPS = 400  # accuracies between which frontiers are looked at for a crossing


@dataclass(frozen=True, slots=True)
class Way:
    """One option at the target.

    Attributes:
        option: the way to answer.
        effort: what a question takes; None where the target is out of reach.
        total: what a month costs; None likewise.
        usd: dollars a month at the demand; None likewise.
        low_usd, high_usd: the same with the option's curve at the ends of its 95 % interval; None where the target is
            then out of reach.
        why_not: why it is out of reach; "" where it is not.
    """

    option: Option
    effort: Effort | None
    total: Total | None
    usd: float | None
    low_usd: float | None
    high_usd: float | None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two options that both reach the target.

    Attributes:
        one, other: their names.
        break_even: demands at which they cost the same, in questions a month, ascending.
        low, high: the least and the largest of these with either price a fifth up or down; None without any.
        accuracy: accuracies at which they cost the same at the demand.
    """

    one: str
    other: str
    break_even: tuple[float, ...]
    low: float | None
    high: float | None
    accuracy: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Options at a target and a demand.

    Attributes:
        demand: questions a month.
        target: accuracy that has to be reached.
        ways: every option, in the order given.
        pairs: every pair of options that reach the target.
    """

    demand: float
    target: float
    ways: tuple[Way, ...]
    pairs: tuple[Pair, ...]

    @property
    def cheapest(self) -> Way | None:
        """The option that costs least at the demand; None where none reaches the target."""
        able = [way for way in self.ways if way.usd is not None]
        return min(able, key=lambda way: way.usd or 0.0) if able else None


def make_plan(
    options: Sequence[Option], *, demand: float, target: float, max_seconds: float | None = None, swing: float = 0.2
) -> Plan:
    """The cheapest way to the target by each option, what it costs, and where one gives way to another.

    Args:
        options: ways to answer, of different names, whose accuracies are of the same task.
        demand: questions a month.
        target: accuracy that has to be reached, between 0 and 1.
        max_seconds: the longest a question may take; None for any.
        swing: by what share prices are varied for the interval of a break-even.

    Raises:
        BadInput: for no options, names that repeat, or numbers that cannot be meant.
    """
    above_zero(demand, "the demand")
    share(target, "the target")
    share(swing, "the swing of prices")
    names = [option.name for option in options]
    if not names or len(names) != len(set(names)):
        raise BadInput("a plan needs options, each of a name of its own")
    if max_seconds is not None:
        above_zero(max_seconds, "the longest time")
    ways = tuple(_way(option, demand, target, max_seconds) for option in options)
    able = [(way.option, way.total) for way in ways if way.total is not None]
    pairs = tuple(
        _pair(one, other, totals=(first, second), demand=demand, max_seconds=max_seconds, swing=swing)
        for (one, first), (other, second) in combinations(able, 2)
    )
    return Plan(demand, target, ways, pairs)


def _way(option: Option, demand: float, target: float, max_seconds: float | None) -> Way:
    effort = reach(option, target, max_seconds=max_seconds)
    low, high = (
        None if work is None else _total(option, work).usd(demand)
        for work in interval(option, target, max_seconds=max_seconds)
    )
    if effort is None:
        return Way(option, None, None, None, low, high, _why_not(option, target, max_seconds))
    total = _total(option, effort.work)
    return Way(option, effort, total, total.usd(demand), low, high)


def _total(option: Option, work: float) -> Total:
    return Total(option.fixed_usd, option.least_usd, work * option.usd_per_work)


def _why_not(option: Option, target: float, max_seconds: float | None) -> str:
    best = max(step.accuracy for step in option.steps)
    if best < target:
        return f"at best {100 * best:.1f} % was measured: nothing says more thinking reaches {100 * target:.1f} %"
    return f"what reaches {100 * target:.1f} % takes longer than {max_seconds} s"


def _pair(
    one: Option, other: Option, *, totals: tuple[Total, Total], demand: float, max_seconds: float | None, swing: float
) -> Pair:
    found = crossings(*totals)
    prices = (1 - swing, 1 + swing)
    varied = [
        each
        for first, second in product(prices, prices)
        for each in crossings(totals[0].at_price(first), totals[1].at_price(second))
    ]
    around = [*found, *varied] if found else []
    return Pair(
        one.name,
        other.name,
        found,
        min(around, default=None),
        max(around, default=None),
        _accuracies(one, other, demand, max_seconds),
    )


def _accuracies(one: Option, other: Option, demand: float, max_seconds: float | None) -> tuple[float, ...]:
    """Where the two frontiers cross at the demand, by halving between accuracies at which the cheaper one changes."""

    def gap(accuracy: float) -> float | None:
        efforts = [reach(option, accuracy, max_seconds=max_seconds) for option in (one, other)]
        if efforts[0] is None or efforts[1] is None:
            return None
        return _total(one, efforts[0].work).usd(demand) - _total(other, efforts[1].work).usd(demand)

    seen = [(step / _STEPS, gap(step / _STEPS)) for step in range(1, _STEPS)]
    found = []
    for (low, before), (high, after) in pairwise(seen):
        if before is not None and after is not None and before * after < 0:
            while high - low > 1e-9:
                middle = (low + high) / 2
                low, high = (low, middle) if (gap(middle) or 0.0) * before <= 0 else (middle, high)
            found.append((low + high) / 2)
    return tuple(found)
