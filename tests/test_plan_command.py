"""``thinkcap plan``: what it plans, where options come from, and mistakes in one line with the line of the file."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.test_cli import Run, run
from thinkcap.cli.plan.example import EXAMPLE
from thinkcap.cli.plan.file import read_plan
from thinkcap.cli.plan.published import SOURCES, figures, find_figure
from thinkcap.demo import curve_path
from thinkcap.policies import BadInput, asks
from thinkcap.policies.curves import Curve
from thinkcap.policies.plan import Hardware, Rates, curve_option

__all__ = ["run"]  # a fixture

PAGE = Path(__file__).parents[1] / "docs" / "plan.md"


def test_without_a_file_the_example_is_planned(run: Run) -> None:
    """`thinkcap plan` plans o3's low and high and says so; --example prints that plan, which reads back as itself."""
    ended = run("plan")
    assert "o3 on ARC-AGI-1 as published" in ended.err
    assert "cheapest: o3, low or high" in ended.out
    assert run("plan", "--example").out == EXAMPLE
    found = run("plan", "--json").json()
    assert [option["reached"] for option in found["options"]] == [False, True]
    assert found["options"][1]["usd_per_question"] == pytest.approx(1_279, abs=1)


def test_what_the_example_leaves_out_can_be_put_in() -> None:
    """Every option that the example has as a comment is a valid one once the comment signs are gone."""
    whole = re.sub(r"^# (?=\[\[|[a-z_]+ = )", "", EXAMPLE, flags=re.MULTILINE)
    found = read_plan(whole, "the example")
    assert (found.max_seconds, found.input_tokens, found.price_factor) == (600, 500, 2)
    assert [option.curve for option in found.option if option.curve] == ["curve.json"]
    assert len(found.option) == EXAMPLE.count("[[option]]") == 6


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
    """The page's plan gives the page's figures, each of them redone here by hand."""
    page = PAGE.read_text("utf-8")
    block = re.search(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert block is not None
    file = tmp_path / "plan.toml"
    file.write_text(block[1])
    found = run("plan", file, "--json").json()
    seconds = 321 / 50_000 + 10_911 / 5_000  # read and written
    assert found["options"][0]["usd_per_question"] == pytest.approx(seconds * 2 / 3_600 / 0.6)
    assert f"{0.6 * 730.5 * 3_600 / seconds:,.0f} questions" in page
    assert [option["usd_per_month"] for option in found["options"]] == pytest.approx(
        [2 * 730.5, 300_000 * 0.006595, 300_000 * 0.01999, 300_000 * 0.01484]
    )
    for option in found["options"]:
        row = f"| {option['name']} | ${option['usd_per_question']:.3g} | ${option['usd_per_month']:,.0f} | "
        assert f"{row}{option['seconds']:.0f} |" in page
    evens = {(pair["one"], pair["other"]): pair for pair in found["pairs"]}
    own, api, opus, gpt = (option["name"] for option in found["options"])
    assert evens[own, api]["break_even_per_month"] == pytest.approx([1_461 / 0.006595])
    assert evens[own, opus]["break_even_per_month"] == pytest.approx([1_461 / 0.01999])
    assert evens[own, gpt]["break_even_per_month"] == pytest.approx([1_461 / 0.01484])
    assert (evens[own, api]["low"], evens[own, api]["high"]) == pytest.approx((1_461 / 0.01319, 2_922 / 0.006595))
    for figure in ("221,531", "98,450", "73,087", "110,766", "443,063"):
        assert figure in page
    shown = {f"{each:,.0f}" for pair in found["pairs"] for each in pair["break_even_per_month"]}
    assert shown == {"221,531", "98,450", "73,087"}
    cheapest = {(case["option"], case["change"]): case["cheapest"] for case in found["cases"]}
    assert cheapest[own, "price x 2"] == api
    out = [case["out_of_reach"] for case in found["cases"] if case["change"] == "accuracy at its lower end"]
    assert out == [[own], [api], [opus], []]
    quick = run("plan", file, "--max-seconds", "100", "--json").json()
    assert [option["reached"] for option in quick["options"]] == [False, False, True, True]
    assert quick["cheapest"] == gpt
    best = run("plan", file, "--target", ".9", "--json").json()
    assert [option["reached"] for option in best["options"]] == [False, False, False, True]
    dearer = (0.9 - 0.8788) / (0.9141 - 0.8788)
    assert f"{100 * dearer:.0f} % of the questions at xhigh" in page
    assert best["options"][3]["usd_per_question"] == pytest.approx(0.02747 + dearer * (0.181 - 0.02747))
    assert f"${best['options'][3]['usd_per_question']:.2g} each" in page


CURVED = """\
demand = "1000/month"
target = 0.55

[[option]]
name = "recorded"
curve = "curves/c.json.gz"
"""


@pytest.fixture
def curved(tmp_path: Path) -> Path:
    """A plan beside the curve that ships."""
    (tmp_path / "curves").mkdir()
    (tmp_path / "curves" / "c.json.gz").write_bytes(curve_path().read_bytes())
    (tmp_path / "plan.toml").write_text(CURVED)
    return tmp_path / "plan.toml"


def test_a_curve_is_an_option(run: Run, curved: Path) -> None:
    """A curve's policies are its points, found from the plan's folder; between two the questions are shared out."""
    found = run("plan", curved, "--json").json()
    points = Curve.load(curve_path()).points
    low, high = next(
        (one.expected, other.expected)
        for one, other in pairwise(points)
        if one.expected.accuracy.mean < 0.55 <= other.expected.accuracy.mean
    )
    dearer = (0.55 - low.accuracy.mean) / (high.accuracy.mean - low.accuracy.mean)
    (option,) = found["options"]
    assert option["share_at_dearer_point"] == pytest.approx(dearer)
    assert option["usd_per_question"] == pytest.approx(low.usd.mean + dearer * (high.usd.mean - low.usd.mean))
    assert "first to lead by 2 votes" in option["mixed"][0]["name"]


def test_a_curve_at_the_ends_of_its_interval(run: Run, curved: Path) -> None:
    """At the lower end of its interval the curve misses the target, at the upper end it is cheaper; both are said."""
    found = run("plan", curved, "--json").json()
    cases = {case["change"]: case for case in found["cases"]}
    assert cases["accuracy at its lower end"]["out_of_reach"] == ["recorded"]
    assert cases["accuracy at its lower end"]["cheapest"] is None
    assert cases["accuracy at its upper end"]["usd_per_month"] < found["usd_per_month"]
    assert "out of reach" in run("plan", curved).out


def test_above_the_asymptote_nothing_is_planned(run: Run, curved: Path) -> None:
    """A target above a curve's best policy names the asymptote with its interval, says what to ask for, and fails."""
    best = Curve.load(curve_path()).points[-1].expected.accuracy
    ended = run("plan", curved, "--target", ".65")
    words = f"the asymptote of its curve is {100 * best.mean:.1f} % ({100 * best.low:.1f} to {100 * best.high:.1f})"
    assert words in " ".join(ended.out.split())
    assert "no option reaches 65 %: ask for a --target of at most 0.597" in ended.err
    assert ended.code == 2


def test_a_curve_of_one_arm(run: Run, curved: Path) -> None:
    """With arm the points are single calls and votes of that arm; one the curve does not have is told with its line."""
    curved.write_text(CURVED + 'arm = "medium"\n')
    found = run("plan", curved, "--target", ".39", "--json").json()
    assert all("medium" in step["name"] for step in found["options"][0]["mixed"])
    curved.write_text(CURVED + 'arm = "huge"\n')
    assert "line 6: the curve has no arm 'huge'; it has low, medium, high" in run("plan", curved).error()


def test_a_curve_at_other_prices(run: Run, curved: Path) -> None:
    """At the recorded prices a curve costs what it did, at twice the prices twice as much, and that is said."""
    before = run("plan", curved, "--json").json()["options"][0]["usd_per_question"]
    curved.write_text(CURVED + "input_usd_per_million = 0.05\noutput_usd_per_million = 0.4\n")
    same = run("plan", curved, "--json")
    assert same.json()["options"][0]["usd_per_question"] == pytest.approx(before, rel=0.01)
    assert "priced anew" not in same.err + same.out
    curved.write_text(CURVED + "input_usd_per_million = 0.1\noutput_usd_per_million = 0.8\n")
    dear = run("plan", curved, "--json").json()
    assert dear["options"][0]["usd_per_question"] == pytest.approx(2 * before, rel=0.01)
    assert any("was recorded at $0.05 and $0.4 per million tokens and is priced anew" in note for note in dear["notes"])


def test_a_curve_on_hardware(run: Run, curved: Path) -> None:
    """On hardware a policy takes its output at the writing speed, and a month of one set is paid in any case."""
    curved.write_text(CURVED + "gpu_usd_per_hour = 1\ntokens_per_s = 100\nprefill_tokens_per_s = 1e9\n")
    found = run("plan", curved, "--json").json()["options"][0]
    points = Curve.load(curve_path()).points
    dearer = found["share_at_dearer_point"]
    low, high = (
        next(point.expected for point in points if point.expected.accuracy.mean == step["accuracy"])
        for step in found["mixed"]
    )
    tokens = low.output_tokens + dearer * (high.output_tokens - low.output_tokens)
    assert found["usd_per_question"] == pytest.approx(tokens / 100 / 3_600, rel=1e-4)
    assert found["usd_per_month"] == pytest.approx(730.5)


def test_how_long_a_curves_policy_takes(run: Run, curved: Path) -> None:
    """Its output at the speed of one request; above the limit it is out and says how long it takes."""
    curved.write_text(CURVED + "request_tokens_per_s = 2\n")
    took = run("plan", curved, "--json").json()["options"][0]["seconds"]
    ended = run("plan", curved, "--max-seconds", "5")
    assert f"takes {took:,.0f} s, and the limit is 5 s" in " ".join(ended.out.split())
    assert "ask for a longer --max-seconds" in ended.err
    curved.write_text(CURVED)
    unknown = run("plan", curved, "--max-seconds", "5", "--json").json()
    assert "how long it takes is not known" in unknown["notes"][-1]


def test_a_curve_over_several_models_takes_no_new_price() -> None:
    """One price does not pay two models: it is refused, and says to fit one curve a model."""
    curve = Curve.load(curve_path())
    other = replace(curve.arms[2], arm=replace(curve.arms[2].arm, model="another", name="high"))
    mixed = replace(curve, arms=(*curve.arms[:2], other))
    for paid in (Rates(1, 2), Hardware(1, 100)):
        with pytest.raises(BadInput, match="fit one curve a model"):
            curve_option("x", mixed, paid=paid)
    assert len({arm for point in mixed.points for arm in asks(point.policy) or ()}) == 3


def test_a_curve_without_prompts_takes_no_price_by_the_token() -> None:
    """Where the length of prompts is not recorded, new prices are refused, and hardware says what is not counted."""
    curve = Curve.load(curve_path())
    bare = replace(
        curve, arms=tuple(replace(arm, price=replace(arm.price, input_nusd=None)) for arm in curve.arms), datasets=()
    )
    with pytest.raises(BadInput, match="does not tell how long prompts are"):
        curve_option("x", bare, paid=Rates(1, 2))
    assert any("reading them is not counted" in note for note in curve_option("x", bare, paid=Hardware(1, 9)).notes)


def test_the_published_figures_are_whole() -> None:
    """Each has a source, a date, a share between 0 and 1, a cost or tokens, and a name that finds it again."""
    found = figures()
    assert len({figure.name for figure in found}) == len(found) > 150
    for figure in found:
        assert SOURCES[figure.source].url.startswith("https://")
        assert figure.date
        assert 0 < figure.accuracy < 1
        assert figure.usd is None or figure.usd > 0
        assert figure.usd is not None or figure.output_tokens is not None
        assert find_figure(figure.name) is figure


def test_published_figures_are_listed(run: Run) -> None:
    """--published lists benchmarks with sources; with a benchmark its figures; and misspelt names are corrected."""
    shown = run("plan", "--published").out
    assert "aider-polyglot" in shown
    assert "arc-agi-1" in shown
    assert run("plan", "--published", "--json").json()[0]["url"].startswith("https://")
    rows = run("plan", "--published", "arc-agi-1", "--json").json()
    assert {row["name"]: row["accuracy"] for row in rows} == {
        "arc-agi-1/o3-preview:high": 0.875,
        "arc-agi-1/o3-preview:low": 0.757,
    }
    assert "source: ARC Prize Foundation" in run("plan", "--published", "arc-agi-1").out
    assert "did you mean arc-agi-1?" in run("plan", "--published", "arc-agi1").error()


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
    "one name twice": ('name = "b"', 'name = "a"', "each option needs a name of its own"),
    "two prices": (
        "usd_per_million = 10",
        "usd_per_million = 10\ngpu_usd_per_hour = 2\ntokens_per_s = 9",
        "takes one price",
    ),
    "half a GPU": (
        "usd_per_million = 10",
        "gpu_usd_per_hour = 2",
        "line 4: option.1: gpu_usd_per_hour and tokens_per_s go",
    ),
    "prefill without a GPU": (
        "usd_per_million = 10",
        "usd_per_million = 10\nprefill_tokens_per_s = 9",
        "line 4: option.1: prefill_tokens_per_s is of hardware by the hour",
    ),
    "too busy": (
        "usd_per_million = 10",
        "gpu_usd_per_hour = 2\ntokens_per_s = 9\nutilisation = 60",
        "line 9: option.1.utilisation: ",
    ),
    "an input price alone": (
        "usd_per_million = 10",
        "input_usd_per_million = 10",
        "line 4: option.1: input_usd_per_million needs output_usd_per_million",
    ),
    "prompts without their price": (
        "usd_per_million = 10",
        "input_tokens = 9\noutput_usd_per_million = 10",
        "line 4: option.1: it has input tokens, so output_usd_per_million needs input_usd_per_million",
    ),
    "no price": ("usd_per_million = 10\n", "", "line 4: option.1: points in tokens take one price"),
    "a price on dollars": ('task = "t"\npoints', "usd_per_million = 3\npoints", "so it takes no price"),
    "a speed on dollars": ('task = "t"\npoints', "request_tokens_per_s = 3\npoints", "give their seconds instead"),
    "prompts on dollars": ('task = "t"\npoints', "input_tokens = 3\npoints", "which hold the input tokens"),
    "two units": ("tokens = 2e4", "usd = 2e4", "its points are either all in tokens or all in usd"),
    "no unit": ("tokens = 2e4, ", "", "line 10: option.1.points.2: a point has either tokens or usd"),
    "two sources": (
        'task = "t"\npoints',
        'curve = "c.json"\npoints',
        "line 13: option.2: an option has one of points, curve and published, not points and curve",
    ),
    "no source": ("points = [{ usd = 0.5, accuracy = 0.9 }]", "", "one of points, curve and published, not none"),
    "an arm without a curve": ('task = "t"\npoints', 'arm = "x"\npoints', "and there is no curve"),
    "a factor of 1": ("target = 0.8", "target = 0.8\nprice_factor = 1", "line 3: price_factor: "),
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


POINTS_B = 'task = "t"\npoints = [{ usd = 0.5, accuracy = 0.9 }]'

BAD_SOURCES: dict[str, tuple[str, str]] = {
    "another task": ('task = "u"\npoints = [{ usd = 0.5, accuracy = 0.9 }]', "line 16: accuracies on different tasks"),
    "no curve there": ('curve = "none.json"', "none.json cannot be read"),
    "a broken curve": ('curve = "broken.json"', "line 15: "),
    "a curve of another task": (
        'task = "t"\ncurve = "c.json.gz"',
        "line 16: 'b' says its task is 't', and its figures are",
    ),
    "a curve of another task than the plan's": (
        'curve = "c.json.gz"',
        "line 15: accuracies on different tasks cannot be",
    ),
    "a published figure of another task": (
        'published = "arc-agi-1/o3-preview:low"',
        "line 15: accuracies on different",
    ),
    "a published figure that is none": ('published = "arc-agi-1/o4"', "line 15: there is no published figure of 'o4'"),
    "a published name without a benchmark": ('published = "o3"', "are named BENCHMARK/MODEL:EFFORT, not 'o3'"),
    "published without its cost": ('published = "arc-agi-1/o3-preview:high"', "was published without its cost"),
    "published without its tokens": (
        'published = "aider-polyglot/gpt-4.1"\nusd_per_million = 1',
        "was published without its tokens",
    ),
    "published on two tasks": (
        'published = ["arc-agi-1/o3-preview:low", "aider-polyglot/gpt-4.1"]',
        "line 15: accuracies on different tasks cannot be compared: aider-polyglot and arc-agi-1",
    ),
}


@pytest.mark.parametrize(("new", "says"), BAD_SOURCES.values(), ids=BAD_SOURCES)
def test_a_source_that_does_not_fit_is_told_with_its_line(run: Run, tmp_path: Path, new: str, says: str) -> None:
    """A curve or a figure that is missing, broken, or of another task ends in one line with the line of the file."""
    (tmp_path / "c.json.gz").write_bytes(curve_path().read_bytes())
    (tmp_path / "broken.json").write_text("{}")
    (tmp_path / "plan.toml").write_text(GOOD.replace(POINTS_B, new))
    said = run("plan", tmp_path / "plan.toml").error()
    assert says in said
    assert "plan.toml, line 1" in said


def test_the_plans_own_task_binds_all(run: Run, tmp_path: Path) -> None:
    """A task of the whole plan is held against the first option as well."""
    (tmp_path / "plan.toml").write_text(GOOD.replace("target = 0.8", 'target = 0.8\ntask = "u"'))
    assert "line 9: accuracies on different tasks cannot be compared: 'a' is on 't', and the plan on 'u'" in (
        run("plan", tmp_path / "plan.toml").error()
    )


def test_prompts_of_the_whole_plan(run: Run, tmp_path: Path) -> None:
    """The plan's input tokens are those of points that do not say: 500 read at $2, 2,000 written at $10 a million."""
    priced = "input_usd_per_million = 2\noutput_usd_per_million = 10"
    text = GOOD.replace("usd_per_million = 10", priced).replace("target = 0.8", "target = 0.7\ninput_tokens = 500")
    (tmp_path / "plan.toml").write_text(text)
    found = run("plan", tmp_path / "plan.toml", "--json").json()
    assert found["options"][0]["usd_per_question"] == pytest.approx((500 * 2 + 2_000 * 10) / 1e6)


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
