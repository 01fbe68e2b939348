"""The plan: every option at a target and a demand, every pair of them, and what changes where a figure is off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

from thinkcap.policies.errors import BadInput
from thinkcap.policies.laws.units import above_zero, share
from thinkcap.policies.plan.breakeven import crossings
from thinkcap.policies.plan.frontiers import same_accuracies
from thinkcap.policies.plan.option import Option
from thinkcap.policies.plan.reach import Effort, reach
from thinkcap.policies.plan.total import Total, total_of

__all__ = ["Case", "Pair", "Plan", "Span", "Way", "make_plan"]


@dataclass(frozen=True, slots=True)
class Way:
    """One option at the target.

    Attributes:
        option: the way to answer.
        effort: what a question takes; None where the target is out of reach.
        total: what a month costs; None likewise.
        usd: dollars a month at the demand; None likewise.
        why_not: why it is out of reach; "" where it is not.
        low_usd, high_usd: dollars a month with every point at the better, and at the worse, end of its 95 % interval;
            None where the target is then out of reach.
    """

    option: Option
    effort: Effort | None
    total: Total | None
    usd: float | None
    why_not: str = ""
    low_usd: float | None = None
    high_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two options that both reach the target.

    Attributes:
        one, other: their names.
        break_even: demands at which they cost the same, in questions a month, ascending.
        low, high: the least and the largest of these in any of the plan's cases; None without any.
        accuracy: accuracies at which they cost the same at the demand: where their frontiers cross.
    """

    one: str
    other: str
    break_even: tuple[float, ...]
    low: float | None = None
    high: float | None = None
    accuracy: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """Demands, in questions a month, over which one option is the cheapest.

    Attributes:
        option: its name.
        low, high: from where to where; high is None where it has no end.
    """

    option: str
    low: float
    high: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Options at a target and a demand.

    Attributes:
        demand: questions a month.
        target: accuracy that has to be reached.
        max_seconds: the longest a question may take; None for any.
        ways: every option, in the order given.
        pairs: every pair of options that reach the target.
        cases: the same plan with one figure off, each in turn; empty in a case itself.
    """

    demand: float
    target: float
    max_seconds: float | None
    ways: tuple[Way, ...]
    pairs: tuple[Pair, ...]
    cases: tuple[Case, ...] = ()

    @property
    def cheapest(self) -> Way | None:
        """The option that costs least at the demand; None where none reaches the target."""
        return _cheapest(self.ways, self.demand)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Which option is the cheapest from which demand on, from no demand to any."""
        ends = sorted({demand for pair in self.pairs for demand in pair.break_even})
        found: list[Span] = []
        for low, high in pairwise([0.0, *ends, None]):
            inside = 2 * (low or 1.0) if high is None else (high / 2 if not low else (low + high) / 2)
            best = _cheapest(self.ways, inside)
            if best is None:
                return ()
            if found and found[-1].option == best.option.name:
                found[-1] = replace(found[-1], high=high)
            else:
                found.append(Span(best.option.name, low or 0.0, high))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Case:
    """A plan with one figure off.

    Attributes:
        options: names of the options whose figure it is: several where their accuracies have the same evidence.
        change: what is off, such as "price x 2" or "accuracy at its lower end" (of its 95 % interval).
        plan: the plan then.
    """

    options: tuple[str, ...]
    change: str
    plan: Plan


def make_plan(
    options: Sequence[Option],
    *,
    demand: float,
    target: float,
    max_seconds: float | None = None,
    price_factor: float = 2.0,
) -> Plan:
    """The cheapest way to the target by each option, what it costs, and where one gives way to another.

    Then the same with one figure off: each option's price multiplied and divided by a factor, and every point of each
    option at the lower and at the upper end of its 95 % interval, where that is known; options whose accuracies have
    the same evidence move together.

    Args:
        options: ways to answer, of different names, whose accuracies are of the same task.
        demand: questions a month.
        target: accuracy that has to be reached, between 0 and 1.
        max_seconds: the longest a question may take; None for any.
        price_factor: by what prices are varied, above 1.

    Raises:
        BadInput: for no options, names that repeat, or numbers that cannot be meant.
    """
    above_zero(demand, "the demand")
    share(target, "the target")
    if not above_zero(price_factor, "the factor on prices") > 1:
        raise BadInput(f"the factor on prices must lie above 1, such as 2, not {price_factor!r}")
    names = [option.name for option in options]
    if not names or len(names) != len(set(names)):
        raise BadInput("a plan needs options, each of a name of its own")
    if max_seconds is not None:
        above_zero(max_seconds, "the longest time")
    plan = _plan(options, demand, target, max_seconds)
    cases = tuple(
        Case(
            tuple(changed),
            change,
            _plan([changed.get(option.name, option) for option in options], demand, target, max_seconds),
        )
        for change, changed in _changes(options, price_factor)
    )
    ends = {
        (way.option.name, case.change): way.usd
        for case in cases
        for way in case.plan.ways
        if way.option.name in case.options
    }
    by_name = dict(zip(names, options, strict=True))
    return replace(
        plan,
        cases=cases,
        ways=tuple(
            replace(
                way,
                low_usd=ends.get((way.option.name, _HIGH), way.usd),
                high_usd=ends.get((way.option.name, _LOW), way.usd),
            )
            for way in plan.ways
        ),
        pairs=tuple(
            _with_ends(pair, cases, same_accuracies(by_name[pair.one], by_name[pair.other], demand, max_seconds))
            for pair in plan.pairs
        ),
    )


_LOW, _HIGH = "accuracy at its lower end", "accuracy at its upper end"


def _changes(options: Sequence[Option], factor: float) -> Iterator[tuple[str, dict[str, Option]]]:
    """What is off in each case, and the options it changes, by name."""
    done: set[str] = set()
    for option in options:
        yield f"price / {factor:g}", {option.name: option.at_price(1 / factor)}
        yield f"price x {factor:g}", {option.name: option.at_price(factor)}
        together = [each for each in options if each is option or (each.evidence and each.evidence == option.evidence)]
        if option.known and option.name not in done:
            yield _LOW, {each.name: each.at("low") for each in together}
            yield _HIGH, {each.name: each.at("high") for each in together}
            done.update(each.name for each in together)


def _plan(options: Sequence[Option], demand: float, target: float, max_seconds: float | None) -> Plan:
    ways = tuple(_way(option, demand, target, max_seconds) for option in options)
    able = [(way.option.name, way.total) for way in ways if way.total is not None]
    pairs = tuple(Pair(one, other, crossings(first, second)) for (one, first), (other, second) in combinations(able, 2))
    return Plan(demand, target, max_seconds, ways, pairs)


def _way(option: Option, demand: float, target: float, max_seconds: float | None) -> Way:
    effort = reach(option, target, max_seconds=max_seconds)
    if effort is None:
        return Way(option, None, None, None, _why_not(option, target, max_seconds))
    total = total_of(option, effort.work)
    return Way(option, effort, total, total.usd(demand))


def _why_not(option: Option, target: float, max_seconds: float | None) -> str:
    best = option.best
    if best.accuracy < target:
        if option.fitted:
            span = "" if best.bounds is None else f" ({100 * best.bounds[0]:.1f} to {100 * best.bounds[1]:.1f})"
            return (
                f"the asymptote of its curve is {100 * best.accuracy:.1f} %{span}: no policy of it comes to the target"
            )
        return f"at best {100 * best.accuracy:.1f} % was measured: nothing says more thinking reaches the target"
    slow = reach(option, target)
    takes = "longer" if slow is None or slow.seconds is None else f"{slow.seconds:,.0f} s"
    return f"what reaches the target takes {takes}, and the limit is {max_seconds:g} s"


def _cheapest(ways: Sequence[Way], demand: float) -> Way | None:
    able = [(way.total.usd(demand), place) for place, way in enumerate(ways) if way.total is not None]
    return ways[min(able)[1]] if able else None


def _with_ends(pair: Pair, cases: Sequence[Case], accuracy: tuple[float, ...]) -> Pair:
    found = [
        demand
        for case in cases
        for each in case.plan.pairs
        if (each.one, each.other) == (pair.one, pair.other)
        for demand in each.break_even
    ]
    around = [*pair.break_even, *found]
    return replace(pair, low=min(around, default=None), high=max(around, default=None), accuracy=accuracy)
