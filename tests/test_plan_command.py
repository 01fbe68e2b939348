"""``thinkcap plan``: what it plans, where options come from, and mistakes in one line with the line of the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_cli import Run, run
from thinkcap.cli.plan.example import EXAMPLE
from thinkcap.cli.plan.file import read_plan

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


def test_the_same_plan_is_the_same_picture(run: Run, tmp_path: Path) -> None:
    """Drawn twice as SVG a plan is the same file, byte for byte; break-even demands stand in it as text."""
    file = tmp_path / "plan.toml"
    file.write_text(
        'demand = "30_000/month"\ntarget = 0.5\n'
        '[[option]]\nname = "a"\nfixed_usd_per_month = 1_461\npoints = [{ usd = 1e-6, accuracy = 0.6 }]\n'
        '[[option]]\nname = "b"\npoints = [{ usd = 0.05, accuracy = 0.6 }]\n'
    )
    for name in ("one.svg", "two.svg"):
        run("plan", file, "--plot", tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert "<!-- 29,221 -->" in (tmp_path / "one.svg").read_text("utf-8")  # 1,461 / (0.05 - 1e-6)


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
    for row in found["totals"]:
        demand = row["demand_per_month"]
        assert row["usd_per_month"] == pytest.approx(
            {
                own: max(1_461, demand * seconds * 2 / 3_600 / 0.6),
                api: demand * 0.006595,
                opus: demand * 0.01999,
                gpt: demand * 0.01484,
            }
        )
    assert [row["demand_per_month"] for row in found["totals"]] == pytest.approx([3e3, 3e4, 3e5, 3e6, 3e7])
    shown = {f"{each:,.0f}" for pair in found["pairs"] for each in pair["break_even_per_month"]}
    assert shown == {"221,531", "98,450", "73,087"}
    cheapest = {(*case["options"], case["change"]): case["cheapest"] for case in found["cases"]}
    assert cheapest[own, "price x 2"] == api
    out = [case["out_of_reach"] for case in found["cases"] if case["change"] == "accuracy at its lower end"]
    assert out == [[own, api], [opus], []]
    assert cheapest[own, api, "accuracy at its lower end"] == gpt
    quick = run("plan", file, "--max-seconds", "100", "--json").json()
    assert [option["reached"] for option in quick["options"]] == [False, False, True, True]
    assert quick["cheapest"] == gpt
    best = run("plan", file, "--target", ".9", "--json").json()
    assert [option["reached"] for option in best["options"]] == [False, False, False, True]
    dearer = (0.9 - 0.8788) / (0.9141 - 0.8788)
    assert f"{100 * dearer:.0f} % of the questions at xhigh" in page
    assert best["options"][3]["usd_per_question"] == pytest.approx(0.02747 + dearer * (0.181 - 0.02747))
    assert f"${best['options'][3]['usd_per_question']:.2g} each" in page
