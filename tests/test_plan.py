"""The planner: what is bought is what was measured, and break-evens are where two costs are the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_cli import Run, run
from thinkcap.cli.plan.example import EXAMPLE
from thinkcap.cli.plan.file import read_plan
from thinkcap.policies import BadInput
from thinkcap.policies.plan import MONTH_S, Option, Plan, Step, Total, crossings, hosted, make_plan, reach

__all__ = ["run"]  # a fixture

PAGE = Path(__file__).parents[1] / "docs" / "plan.md"
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
    option = hosted("own", (Step(17_690, 0.418),), 2, 5_000)
    assert option.least_usd == pytest.approx(1_461)
    hours = MONTH_S / 3600
    assert hours == pytest.approx(730.5)
    assert 1_461 / (17_690 * option.usd_per_work) == pytest.approx(5_000 * MONTH_S / 17_690)


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


def test_a_plan_by_hand() -> None:
    """At 50,000 a month: the GPU $1,461, the API $2,190; even at 33,356, with prices 20 % off at 22,237 to 50,034."""
    own = hosted("own", (Step(17_690, 0.418, questions=225),), 2, 5_000)
    api = Option("api", (Step(0.0438, 0.524, questions=225),))
    found = make_plan([own, api], demand=50_000, target=0.4)
    assert [way.usd for way in found.ways] == pytest.approx([1_461, 2_190])
    assert found.cheapest is found.ways[0]
    pair = found.pairs[0]
    assert pair.break_even == pytest.approx([33_356], rel=1e-4)
    assert (pair.low, pair.high) == pytest.approx((1_461 * 0.8 / (0.0438 * 1.2), 1_461 * 1.2 / (0.0438 * 0.8)))
    assert found.ways[0].low_usd == pytest.approx(1_461)
    assert found.ways[0].high_usd is None  # .418 - 1.96 x .0329 = .354 misses .40


def test_frontiers_cross() -> None:
    """$1 at 60 % to $5 at 80 %, beside $2 at 70 %: the same cost where 1 + 20 (a - .6) = 2, at 65 %."""
    thinking = Option("thinks", (Step(1, 0.6), Step(5, 0.8)))
    larger = Option("larger", (Step(2, 0.7),))
    found = make_plan([thinking, larger], demand=1_000, target=0.6)
    assert found.pairs[0].accuracy == pytest.approx([0.65])


def test_what_is_out_of_reach_says_why() -> None:
    """An accuracy above the best point, and a time below what the target takes, are told apart."""
    assert _why(make_plan([O3], demand=1, target=0.95)) == (
        "at best 87.5 % was measured: nothing says more thinking reaches 95.0 %"
    )
    assert _why(make_plan([O3], demand=1, target=0.8, max_seconds=100)) == "what reaches 80.0 % takes longer than 100 s"


def _why(plan: Plan) -> str:
    assert plan.cheapest is None
    return plan.ways[0].why_not


def test_without_a_file_the_example_is_planned(run: Run) -> None:
    """`thinkcap plan` plans o3's low and high and says so; --example prints that plan, which reads back as itself."""
    ended = run("plan")
    assert "o3 on ARC-AGI-1 as published" in ended.err
    assert "cheapest: o3, low or high" in ended.out
    assert run("plan", "--example").out == EXAMPLE
    found = run("plan", "--json").json()
    assert [option["reached"] for option in found["options"]] == [False, True]
    assert found["options"][1]["usd_per_question"] == pytest.approx(1_279, abs=1)


def test_the_command_goes_before_the_file(run: Run, tmp_path: Path) -> None:
    """--target, --demand and --max-seconds replace what the file says; the picture is drawn."""
    file, plot = tmp_path / "plan.toml", tmp_path / "plan.png"
    file.write_text(EXAMPLE)
    words = ("--target", ".7", "--demand", "12e3/year", "--max-seconds", "100", "--plot", plot)
    found = run("plan", file, *words, "--json").json()
    assert found["demand_per_month"] == pytest.approx(1_000)
    assert [option["usd_per_month"] for option in found["options"]] == pytest.approx([20_120, 20_120])
    assert plot.stat().st_size > 1_000


@pytest.mark.skipif(not PAGE.exists(), reason="the source is not here: the wheel is tested")
def test_the_plan_of_the_page(run: Run, tmp_path: Path) -> None:
    """The page's plan gives the page's figures."""
    page = PAGE.read_text("utf-8")
    block = re.search(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert block is not None
    file = tmp_path / "plan.toml"
    file.write_text(block[1])
    found = run("plan", file, "--json").json()
    evens = [f"{each:,.0f}" for pair in found["pairs"] for each in pair["break_even_per_month"]]
    assert evens == ["33,356", "23,912"]
    spread = [f"{found['pairs'][0][end]:,.0f}" for end in ("low", "high")]
    assert all(figure in page for figure in (*evens, *spread))
    assert f"{found['options'][0]['usd_per_month']:,.0f}" == "1,461"
    dear = run("plan", file, "--target", ".8", "--json").json()
    assert [option["reached"] for option in dear["options"]] == [False, False, True]
    assert f"{dear['options'][2]['usd_per_question']:.4f}" == "0.0845"


GOOD = """\
demand = "1000/month"
target = 0.8

[[option]]
name = "a"
task = "t"
usd_per_million = 10
points = [
    { tokens = 2e3, accuracy = 0.7 },
    { tokens = 2e4, accuracy = 0.85 },
]

[[option]]
name = "b"
task = "t"
points = [{ usd = 0.5, accuracy = 0.9 }]
"""

BAD_FILES: dict[str, tuple[str, str, str]] = {
    "no TOML": ("target = 0.8", "target = ", "is not TOML: Invalid value (at line 2"),
    "accuracy above 1": ("accuracy = 0.85", "accuracy = 85", "line 10: option.1.points.2.accuracy: "),
    "a negative price": ("usd_per_million = 10", "usd_per_million = -1", "line 7: option.1.usd_per_million: "),
    "a demand without a period": ('"1000/month"', "1000", 'line 1: demand needs a period: write demand = "1000/month"'),
    "a demand in words": ('"1000/month"', '"many/month"', "line 1: demand must be a number"),
    "a negative demand": ('"1000/month"', '"-5/month"', "line 1: demand must be a number above zero"),
    "an unknown key": ('task = "t"\nusd', "speed = 3\nusd", "line 6: option.1.speed: "),
    "a key that is missing": ('name = "b"\n', "", "line 13: option.2.name: Field required"),
    "no points": ("points = [{ usd = 0.5, accuracy = 0.9 }]", "points = []", "line 16: option.2.points: "),
    "another task": ('task = "t"\npoints', 'task = "u"\npoints', "accuracies on different tasks cannot be compared"),
    "one name twice": ('name = "b"', 'name = "a"', "each option needs a name of its own"),
    "two prices": (
        "usd_per_million = 10",
        "usd_per_million = 10\ngpu_usd_per_hour = 2\ntokens_per_s = 9",
        "take one price",
    ),
    "half a GPU": (
        "usd_per_million = 10",
        "gpu_usd_per_hour = 2",
        "line 4: option.1: gpu_usd_per_hour and tokens_per_s go",
    ),
    "a price on dollars": ('task = "t"\npoints', "usd_per_million = 3\npoints", "so it takes no price"),
    "two units": ("tokens = 2e4", "usd = 2e4", "its points are either all in tokens or all in usd"),
    "no unit": ("tokens = 2e4, ", "", "line 10: option.1.points.2: a point has either tokens or usd"),
}


@pytest.mark.parametrize(("old", "new", "says"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_mistake_is_told_with_its_line(old: str, new: str, says: str) -> None:
    """What cannot be meant in a plan is one line with the line of the file."""
    assert read_plan(GOOD, "plan.toml").target == 0.8
    text = GOOD.replace(old, new, 1)
    assert text != GOOD
    with pytest.raises(BadInput) as error:
        read_plan(text, "plan.toml")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


BAD_WORDS: dict[str, tuple[list[str], str]] = {
    "no such file": (["none.toml"], "none.toml cannot be read: No such file or directory"),
    "target in percent": (["--target", "90"], "the target must lie between 0 and 1, not 90.0: write 0.9 for 90 %"),
    "no period": (["--demand", "1e6"], "--demand needs a period: write 1e6/month"),
    "negative demand": (["--demand=-1/day"], "--demand must be a number above zero"),
    "no time": (["--max-seconds", "0"], "the longest time must be a number above zero"),
    "nothing to draw": (["--target", ".99", "--plot", "p.png"], "nothing to draw"),
    "no picture": (["--plot", "p.abc"], "name a .png, .svg or .pdf file"),
}


@pytest.mark.parametrize(("words", "says"), BAD_WORDS.values(), ids=BAD_WORDS)
def test_what_the_command_cannot_use_is_one_line(run: Run, tmp_path: Path, words: list[str], says: str) -> None:
    """An option that cannot be used ends in one line that says what to do, and exit code 2."""
    file = tmp_path / "plan.toml"
    file.write_text(EXAMPLE)
    assert says in run("plan", *([] if words[0].endswith(".toml") else [file]), *words).error()
