"""Fitted curves and published figures as options of ``thinkcap plan``."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.test_cli import Run, run
from thinkcap.cli.plan.published import SOURCES, figures, figures_of, find_figure
from thinkcap.demo import curve_path
from thinkcap.policies import BadInput, asks
from thinkcap.policies.curves import Curve
from thinkcap.policies.plan import Hardware, Rates, curve_option

__all__ = ["run"]  # a fixture

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
    assert "line 7: the curve has no arm 'huge'; it has low, medium, high" in run("plan", curved).error()


def test_a_curve_at_other_prices(run: Run, curved: Path) -> None:
    """At the recorded prices a curve costs what it did, at twice the prices twice as much, and that is said."""
    before = run("plan", curved, "--json").json()["options"][0]["usd_per_question"]
    curved.write_text(CURVED + "prices = { input = 0.05, output = 0.4 }\n")
    same = run("plan", curved, "--json")
    assert same.json()["options"][0]["usd_per_question"] == pytest.approx(before, rel=0.01)
    assert "priced anew" not in same.err + same.out
    curved.write_text(CURVED + "prices = { input = 0.1, output = 0.8 }\n")
    dear = run("plan", curved, "--json").json()
    assert dear["options"][0]["usd_per_question"] == pytest.approx(2 * before, rel=0.01)
    assert any("was recorded at $0.05 and $0.4 per million tokens and is priced anew" in note for note in dear["notes"])


def test_prices_that_changed_since_the_recording_are_said(run: Run, curved: Path) -> None:
    """A curve of a listed model says where today's price is not the recorded one; its costs stay as recorded."""
    curve = Curve.load(curve_path())
    before = run("plan", curved, "--json").json()
    assert not any("in the recording" in note for note in before["notes"])
    arms = tuple(replace(arm, arm=replace(arm.arm, model="gpt-4o", name=arm.arm.label)) for arm in curve.arms)
    replace(curve, arms=arms).save(curved.parent / "curves" / "c.json.gz")
    found = run("plan", curved, "--json").json()
    said = "recorded: low: output costs $10 per million tokens, and cost $0.4 in the recording"
    assert said in found["notes"]
    assert found["options"] == before["options"]


def test_the_list_price_of_a_model(run: Run, tmp_path: Path) -> None:
    """prices = "MODEL" pays its list price, which is said with its date; a model without one is told with its line."""
    text = (
        'demand = "1/day"\ntarget = 0.5\n[[option]]\nname = "x"\nprices = "gpt-4o"\n'
        "points = [{ input_tokens = 1000, tokens = 2000, accuracy = 0.6 }]\n"
    )
    (tmp_path / "plan.toml").write_text(text)
    found = run("plan", tmp_path / "plan.toml", "--json").json()
    assert found["options"][0]["usd_per_question"] == pytest.approx((1_000 * 2.5 + 2_000 * 10) / 1e6)
    assert "x: list price of gpt-4o on 20" in found["notes"][0]
    (tmp_path / "plan.toml").write_text(text.replace("gpt-4o", "no-such-model"))
    said = "plan.toml, line 5: there is no list price of 'no-such-model': write prices = { input = DOLLARS"
    assert said in run("plan", tmp_path / "plan.toml").error()


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


def test_published_figures_by_hand() -> None:
    """o3 low: $2,012 and 33M tokens for 100 tasks, $6,677 and 111M for 400; ConSol: 12,898,010 tokens for 30."""
    low, public = find_figure("arc-agi-1/o3-preview:low"), find_figure("arc-agi-1-public/o3-preview:low")
    assert (low.usd, low.output_tokens, low.seconds) == (2_012 / 100, 33e6 / 100, 1.3 * 60)
    assert public.usd == pytest.approx(6_677 / 400, abs=0.005)
    assert public.output_tokens == 111e6 / 400
    assert find_figure("arc-agi-1/o3-preview:high").output_tokens == 5.7e9 / 100
    assert find_figure("arc-agi-1-public/o3-preview:high").output_tokens == 9.5e9 / 400
    assert find_figure("aime24/o3-mini:high-sc@40").output_tokens == pytest.approx(12_898_010 / 30, abs=1)


@pytest.mark.skipif("THINKCAP_DATA" not in os.environ, reason="the recordings are not here: set THINKCAP_DATA")
@pytest.mark.parametrize(
    ("file", "benchmark"), [("epoch_gpqa.parquet", "gpqa-diamond"), ("epoch_simpleqa.parquet", "simpleqa")]
)
def test_published_means_are_those_of_the_logs(file: str, benchmark: str) -> None:
    """Accuracy, dollars, tokens and seconds of a model at an effort are means over its recorded attempts."""
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = parquet.read_table(Path(os.environ["THINKCAP_DATA"]) / file).to_pylist()
    for figure in figures_of(benchmark):
        effort = {"": "default"}.get(figure.effort, figure.effort)
        efforts = {effort, f"budget_{effort}"}
        mine = [row for row in rows if row["model"].endswith(f"/{figure.model}") and row["effort"] in efforts]
        assert figure.accuracy == pytest.approx(sum(bool(row["correct"]) for row in mine) / len(mine), abs=6e-5)
        for name, value in (
            ("cost_usd", figure.usd),
            ("prompt_tokens", figure.input_tokens),
            ("completion_tokens", figure.output_tokens),
            ("latency_s", figure.seconds),
        ):
            known = [row[name] for row in mine if row[name] is not None]
            if value is None:
                assert not known
            else:
                assert value == pytest.approx(sum(known) / len(known), rel=0.005, abs=0.51 if "tokens" in name else 0)


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
