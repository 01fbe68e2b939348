"""The planner: what is bought is what was measured, and break-evens are where two costs are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thinkcap.policies import BadInput
from thinkcap.policies.plan import (
    MONTH_S,
    Hardware,
    Option,
    Plan,
    Rates,
    Step,
    TokenStep,
    Total,
    crossings,
    make_plan,
    reach,
    tokens_option,
)

LOW, HIGH = Step(20.12, 0.757, 78, 100), Step(3475, 0.875, 828, 100)
O3 = Option("o3", (LOW, HIGH))

dollars = st.one_of(st.just(0.0), st.floats(1e-3, 1e6))
totals = st.builds(Total, dollars, dollars, st.floats(1e-6, 1e3))
steps = st.lists(st.builds(Step, st.floats(1e-3, 1e3), st.floats(0.01, 0.99)), min_size=1, max_size=6)


def test_between_two_points_questions_are_shared_out() -> None:
    """80 % is (.80 - .757) / .118 = 36.4 % of questions at high: 20.12 + .364 x 3,454.88 = $1,279."""
    effort = reach(O3, 0.8)
    assert effort is not None
    assert effort.dearer == pytest.approx(0.043 / 0.118)
    assert effort.work == pytest.approx(20.12 + 0.043 / 0.118 * (3475 - 20.12))
    assert effort.seconds == 828
    assert reach(O3, 0.7) == reach(O3, 0.757)
    assert reach(O3, 0.88) is None
    assert reach(O3, 0.8, max_seconds=100) is None


def test_hosting_by_hand() -> None:
    """$2 an hour is $1,461 in 730.5 hours; 5,000 tokens/s are 1.315e10 a month, so 743,318 questions of 17,690 fit."""
    option = tokens_option("own", [TokenStep(17_690, 0.418)], Hardware(2, 5_000))
    assert option.least_usd == pytest.approx(1_461)
    hours = MONTH_S / 3600
    assert hours == pytest.approx(730.5)
    assert option.steps[0].work == pytest.approx(17_690 / 5_000)
    assert 1_461 / (option.steps[0].work * option.usd_per_work) == pytest.approx(5_000 * MONTH_S / 17_690)


def test_reading_is_work_too() -> None:
    """3,807 written at 5,000/s and 13,883 read at 50,000/s take .7614 + .27766 s; as slowly as written, 3.538 s."""
    written, read = 3_807, 13_883
    assert Hardware(2, 5_000, prefill_tokens_per_s=50_000).work(read, written) == pytest.approx(0.7614 + 0.27766)
    assert Hardware(2, 5_000).work(read, written) == pytest.approx((3_807 + 13_883) / 5_000)


def test_hardware_that_is_busy_half_the_time() -> None:
    """At a utilisation of a half a month costs the same and holds half as many questions, each at twice the price."""
    whole, half = Hardware(2, 5_000, gpus=4), Hardware(2, 5_000, gpus=4, utilisation=0.5)
    assert half.least_usd == whole.least_usd == pytest.approx(4 * 1_461)
    assert half.usd_per_work == pytest.approx(2 * whole.usd_per_work)


def test_prices_by_the_token() -> None:
    """1,000 read at $1.25 and 2,000 written at $10 a million are (1,250 + 20,000) / 1e6 = $0.02125."""
    option = tokens_option("api", [TokenStep(2_000, 0.8, 1_000)], Rates(1.25, 10))
    assert option.steps[0].work * option.usd_per_work == pytest.approx(0.02125)
    assert option.least_usd == 0


def test_a_question_takes_as_long_as_its_output() -> None:
    """30,000 tokens one after another at 60 a second are 500 s, whatever a point says."""
    step = TokenStep(30_000, 0.8, seconds=7)
    assert tokens_option("x", [step], Rates(1, 1), request_tokens_per_s=60).steps[0].seconds == 500
    assert tokens_option("x", [step], Rates(1, 1)).steps[0].seconds == 7


def test_the_interval_of_a_share() -> None:
    """Wilson's, of 94 right of 225: (.418 + .00854 -+ .06502) / 1.01707 is .355 to .483; never outside 0 to 1."""
    assert Step(1, 0.418, questions=225).bounds == pytest.approx((0.3555, 0.4833), abs=1e-4)
    assert Step(1, 1.0, questions=10).bounds == pytest.approx((10 / 13.8416, 1))  # n / (n + 1.96^2)
    assert Step(1, 0.5, questions=10, low=0.4, high=0.7).bounds == (0.4, 0.7)
    assert Step(1, 0.5).bounds is None


def test_break_even_by_hand() -> None:
    """An API at $0.0438 a question and a GPU at $1,461 a month cost the same at 1,461 / 0.0438 = 33,356 questions."""
    own, api = Total(0, 1_461, 0.00197), Total(0, 0, 0.0438)
    assert crossings(own, api) == pytest.approx([1_461 / 0.0438])
    dearer = Total(1_000, 0, 0.01)
    assert crossings(dearer, api) == pytest.approx([1_000 / (0.0438 - 0.01)])
    assert crossings(Total(0, 0, 1), Total(0, 0, 2)) == ()
    assert crossings(Total(0, 10, 1), Total(0, 10, 2)) == ()


@given(one=totals, other=totals)
def test_break_even_is_symmetric_and_even(one: Total, other: Total) -> None:
    """Whichever comes first, the same demands are found, and at each both cost the same."""
    found = crossings(one, other)
    assert found == pytest.approx(crossings(other, one))
    assert list(found) == sorted(found)
    for demand in found:
        assert one.usd(demand) == pytest.approx(other.usd(demand))


@given(one=totals, other=totals, demand=st.floats(1e-3, 1e9), factor=st.floats(1, 1e3))
def test_between_break_evens_nothing_changes(one: Total, other: Total, demand: float, factor: float) -> None:
    """The cheaper of two stays the cheaper unless a break-even lies between the demands."""
    later = demand * factor
    if any(demand * 0.999 <= each <= later * 1.001 for each in crossings(one, other)):
        return
    before, after = (one.usd(each) - other.usd(each) for each in (demand, later))
    near = 1e-3 * max(one.usd(later), other.usd(later))  # equal costs, by rounding or for a stretch, decide nothing
    assert before * after >= 0 or min(abs(before), abs(after)) < near


@given(measured=steps, accuracy=st.floats(0.01, 0.99), more=st.floats(0, 0.5))
def test_more_accuracy_never_costs_less(measured: list[Step], accuracy: float, more: float) -> None:
    """What reaches more costs at least as much, and a mixture never costs more than a point that reaches it too."""
    option = Option("x", tuple(measured))
    effort, better = reach(option, accuracy), reach(option, min(accuracy + more, 0.99))
    able = [step.work for step in measured if step.accuracy >= accuracy]
    assert (effort is None) == (not able)
    if effort is not None:
        assert min(step.work for step in measured) <= effort.work * (1 + 1e-9)
        assert effort.work <= min(able) * (1 + 1e-9)
        assert better is None or better.work >= effort.work * (1 - 1e-9)
        scored = sum(
            share * step.accuracy for share, step in zip((1 - effort.dearer, effort.dearer), effort.mix, strict=False)
        )
        assert scored >= accuracy - 1e-9


OWN = tokens_option("own", [TokenStep(17_690, 0.418, questions=225)], Hardware(2, 5_000))
API = Option("api", (Step(0.0438, 0.524, questions=225),))


def test_a_plan_by_hand() -> None:
    """At 50,000: the GPU $1,461, the API $2,190; even at 33,356; twice or half a price moves that by a factor 2."""
    found = make_plan([OWN, API], demand=50_000, target=0.4)
    assert [way.usd for way in found.ways] == pytest.approx([1_461, 2_190])
    assert found.cheapest is found.ways[0]
    pair = found.pairs[0]
    assert pair.break_even == pytest.approx([1_461 / 0.0438])
    assert (pair.low, pair.high) == pytest.approx((1_461 / 0.0438 / 2, 1_461 / 0.0438 * 2))
    assert found.ways[0].low_usd == pytest.approx(1_461)
    assert found.ways[0].high_usd is None  # Wilson's lower end is .355 and misses .40
    assert found.ways[1].high_usd == pytest.approx(2_190)  # .459 does not
    assert [(span.option, span.low) for span in found.spans] == [
        ("api", 0),
        ("own", pytest.approx(1_461 / 0.0438)),
    ]


def test_one_figure_off_at_a_time() -> None:
    """Prices twice and half, ends of intervals: at 50,000 the GPU is the cheapest but where it is dearer or worse.

    Twice the GPU's price is $2,922 against $2,190; half the API's is $1,095 against $1,461.
    """
    found = make_plan([OWN, API], demand=50_000, target=0.4)
    best = {(*case.options, case.change): case.plan.cheapest for case in found.cases}
    names = {key: None if way is None else way.option.name for key, way in best.items()}
    low, high = "accuracy at its lower end", "accuracy at its upper end"
    assert names == {
        ("own", "price / 2"): "own",
        ("own", "price x 2"): "api",
        ("own", low): "api",
        ("own", high): "own",
        ("api", "price / 2"): "api",
        ("api", "price x 2"): "own",
        ("api", low): "own",
        ("api", high): "own",
    }
    out = {case.change for case in found.cases for way in case.plan.ways if way.effort is None}
    assert out == {low}


def test_options_of_the_same_evidence_err_together() -> None:
    """Where two options rest on one figure, its lower end is a single case, in which both miss the target."""
    shared = [
        Option("dear", (Step(2, 0.8, questions=50),), evidence="one figure"),
        Option("cheap", (Step(1, 0.8, questions=50),), evidence="one figure"),
        Option("sure", (Step(3, 0.99),)),
    ]
    found = make_plan(shared, demand=10, target=0.75)
    ends = [case for case in found.cases if case.change.startswith("accuracy")]
    assert [case.options for case in ends] == [("dear", "cheap")] * 2
    assert [case.plan.cheapest.option.name for case in ends if case.plan.cheapest] == ["sure", "cheap"]
    assert [way.high_usd for way in found.ways] == [None, None, 30]


@given(
    measured=st.lists(
        st.builds(Step, st.floats(1e-3, 1e3), st.floats(0.01, 0.99), questions=st.integers(5, 5_000)),
        min_size=1,
        max_size=5,
    ),
    target=st.floats(0.01, 0.99),
    factor=st.floats(1.1, 10),
)
def test_worse_figures_never_make_an_option_cheaper(measured: list[Step], target: float, factor: float) -> None:
    """Prices move the cost by their factor; accuracies at the lower end never cost less, at the upper never more."""
    found = make_plan([Option("x", tuple(measured))], demand=100, target=target, price_factor=factor)
    usd = {case.change: case.plan.ways[0].usd for case in found.cases}
    endless = float("inf")
    given, low, high = (endless if each is None else each for each in (found.ways[0].usd, *list(usd.values())[2:]))
    assert high * (1 - 1e-9) <= given <= low * (1 + 1e-9)
    if given < endless:
        assert usd[f"price x {factor:g}"] == pytest.approx(given * factor)
        assert usd[f"price / {factor:g}"] == pytest.approx(given / factor)


@given(
    works=st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=4),
    fixed=st.lists(dollars, min_size=4, max_size=4),
    demand=st.floats(1, 1e7),
)
def test_spans_name_the_cheapest(works: list[float], fixed: list[float], demand: float) -> None:
    """At any demand the span it lies in names an option that costs least, and spans leave no gap."""
    options = [
        Option(str(place), (Step(work, 0.9),), fixed_usd=usd)
        for place, (work, usd) in enumerate(zip(works, fixed, strict=False))
    ]
    found = make_plan(options, demand=demand, target=0.8)
    assert found.cheapest is not None
    assert [span.high for span in found.spans[:-1]] == [span.low for span in found.spans[1:]]
    assert (found.spans[0].low, found.spans[-1].high) == (0, None)
    inside = next(span for span in found.spans if span.high is None or demand <= span.high)
    named = next(way for way in found.ways if way.option.name == inside.option)
    assert named.usd == pytest.approx(found.cheapest.usd, rel=1e-6)


def test_frontiers_cross() -> None:
    """$1 at 60 % to $5 at 80 %, beside $2 at 70 %: the same cost where 1 + 20 (a - .6) = 2, at 65 %."""
    thinking = Option("thinks", (Step(1, 0.6), Step(5, 0.8)))
    larger = Option("larger", (Step(2, 0.7),))
    found = make_plan([thinking, larger], demand=1_000, target=0.6)
    assert found.pairs[0].accuracy == pytest.approx([0.65])


def test_what_is_out_of_reach_says_why() -> None:
    """An accuracy above the best point, above a curve's asymptote, and a time below what the target takes differ."""
    assert _why(make_plan([O3], demand=1, target=0.95)) == (
        "at best 87.5 % was measured: nothing says more thinking reaches the target"
    )
    curve = Option("fitted", (Step(1, 0.7, low=0.65, high=0.74),), fitted=True)
    assert _why(make_plan([curve], demand=1, target=0.95)) == (
        "the asymptote of its curve is 70.0 % (65.0 to 74.0): no policy of it comes to the target"
    )
    assert _why(make_plan([O3], demand=1, target=0.8, max_seconds=100)) == (
        "what reaches the target takes 828 s, and the limit is 100 s"
    )


def _why(plan: Plan) -> str:
    assert plan.cheapest is None
    assert plan.spans == ()
    return plan.ways[0].why_not


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"demand": -1}, "the demand must be a number above zero"),
        ({"target": 1.2}, "the target must lie between 0 and 1"),
        ({"target": 90}, "write 0.9 for 90 %"),
        ({"max_seconds": 0}, "the longest time must be a number above zero"),
        ({"price_factor": 1}, "the factor on prices must lie above 1"),
        ({"options": [O3, O3]}, "each of a name of its own"),
        ({"options": []}, "each of a name of its own"),
    ],
)
def test_what_cannot_be_planned_is_one_line(change: dict[str, Any], says: str) -> None:
    """Numbers that cannot be meant are refused with what to do."""
    given = {"options": [O3], "demand": 1, "target": 0.8, **change}
    with pytest.raises(BadInput) as error:
        make_plan(given.pop("options"), **given)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Step(1, 1.2),
        lambda: Step(0, 0.5),
        lambda: Step(1, 0.5, low=-0.1),
        lambda: Option("x", ()),
        lambda: Option("x", (Step(1, 0.5),), fixed_usd=-1),
        lambda: Rates(0, 1),
        lambda: Hardware(1, 0),
        lambda: tokens_option("x", [TokenStep(1, 0.5)], Rates(1, 1), request_tokens_per_s=0),
    ],
)
def test_figures_that_cannot_be_meant(make: Callable[[], object]) -> None:
    """An accuracy above 1, work, prices and speeds of nothing, and options without points are refused."""
    with pytest.raises(BadInput):
        make()
