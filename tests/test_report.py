"""The report: what it shows, that it stands alone, and that data in it stays data."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_cli import Run, run  # noqa: F401 - a fixture
from thinkcap.demo import recording_path
from thinkcap.evals import Interval, Recording, Replay, load_recording, sweep
from thinkcap.evals.report import Made, Predicted, Report, page, report_of, write_page, write_plot
from thinkcap.evals.report.drawing import SHAPES, styles
from thinkcap.evals.report.figures import Line
from thinkcap.evals.report.unit import money, unit_of
from thinkcap.policies import BadInput, parse_policy

MADE = Made("thinkcap replay --report r.html", "run.jsonl", 3, 20, "0.1.0", "2026-11-25")
RULES = ("fixed", "lead:2", "vote:4", "vote:8")


@pytest.fixture(scope="module")
def shipped() -> Recording:
    return load_recording(recording_path())


@pytest.fixture(scope="module")
def replays(shipped: Recording) -> tuple[Replay, ...]:
    pairs = [(rule, parse_policy(rule, arm, most=16)) for rule in RULES for arm in ("low", "high")]
    return sweep(shipped, [*pairs, ("ladder:low>high", parse_policy("ladder:low>high"))], permutations=10)


@pytest.fixture(scope="module")
def report(shipped: Recording, replays: tuple[Replay, ...]) -> Report:
    return report_of(shipped, replays, MADE)


class Reader(HTMLParser):
    """Collects what a page is made of."""

    VOID = frozenset({"meta", "br", "circle", "rect", "line", "path", "polyline"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.tags: list[str] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data


def test_many_arms_are_drawn_by_kind() -> None:
    """With as many arms as shapes each arm has its own; with more, policies of one kind look alike."""
    once = Interval(0.5, 0.4, 0.6)

    def lines(count: int) -> list[Line]:
        return [
            Line(place + 1, f"{kind}:2 x", f"arm {place}", once, once, 1.0, 1.0, 0.0, False, False)
            for place, kind in zip(range(count), ["fixed", "chain"] * count, strict=False)
        ]

    assert len(styles(lines(len(SHAPES)))) == len(SHAPES)
    assert styles(lines(len(SHAPES) + 1)) == {"fixed": 0, "chain": 1}


def test_the_page_stands_alone(report: Report) -> None:
    """Every element is closed, ids are unique, and nothing is fetched from anywhere."""
    text = page(report)
    read = Reader(text)
    assert read.open == []
    ids = [value for name, value in read.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert not [value for name, value in read.attributes if name in ("src", "href", "xlink:href")]
    assert "http" not in text.replace("http-equiv", "")
    assert {"table", "svg", "style", "script"} <= set(read.tags)


def test_it_says_what_the_figures_are(report: Report) -> None:
    """Each policy's accuracy, attempts and place on the frontier stand in the table, and how to make them again."""
    said = Reader(page(report)).said
    for line in report.lines:
        assert f"{100 * line.accuracy.mean:.1f} %" in said
        assert f"{line.attempts:.2f}" in said
    assert MADE.command in said
    assert "200 questions" in said


def test_data_in_it_stays_data(report: Report) -> None:
    """A policy, an arm, a note or a file with markup in its name is shown as text."""
    nasty = "<script>alert('x')</script>\"&"
    line = replace(report.lines[0], policy=nasty, arm=nasty)
    found = replace(
        report, title=nasty, lines=(line, *report.lines[1:]), notes=(nasty,), made=replace(MADE, command=nasty)
    )
    read = Reader(page(found))
    assert read.tags.count("script") == 1
    assert read.said.count("alert('x')") >= 5


def test_steps_are_the_cheapest(report: Report) -> None:
    """Each step's policy is at least so accurate, and all that are cheaper are less; steps rise in both."""
    for step in report.steps:
        assert step.line.accuracy.mean >= step.least - 1e-9
        cheaper = [line for line in report.lines if line.usd.mean < step.line.usd.mean]
        assert all(line.accuracy.mean < step.least for line in cheaper)
    levels = [step.least for step in report.steps]
    costs = [step.line.usd.mean for step in report.steps]
    assert levels == sorted(levels)
    assert costs == sorted(costs)
    assert report.steps[-1].line.accuracy.mean == max(line.accuracy.mean for line in report.lines)


def test_money_adds_up(report: Report, replays: tuple[Replay, ...]) -> None:
    """Shares by difficulty and by arm each come to one; classes hold all questions; hopeless ones are never right."""
    assert sum(each.questions for each in report.classes) == report.questions
    assert len(report.spending) == sum(line.on_hull for line in report.lines)
    for spending in report.spending:
        assert sum(spending.by_class) == pytest.approx(1)
        assert sum(share for _, share in spending.by_arm) == pytest.approx(1)
        assert spending.right[0] == 0.0
    for replay in replays:
        np.testing.assert_allclose(replay.usd_by_arm.sum(axis=1), replay.usd)


def test_points_lie_where_their_figures_say(report: Report) -> None:
    """In the picture a dearer policy lies further right, and one that is right more often further up."""
    marks = re.findall(r'class="mark arm\d" (?:cx="([\d.]+)" cy="([\d.]+)"|x="([\d.]+)" y="([\d.]+)")', page(report))
    placed = [(float(a or c), float(b or d)) for a, b, c, d in marks][: len(report.lines)]
    shown = [line for line in report.lines if line.arm in ("low", "high")]
    found = list(zip(shown, placed, strict=False))
    for one, (x, y) in found:
        for other, (a, b) in found:
            if one.arm == other.arm and one.usd.mean < other.usd.mean * 0.98:
                assert x < a
            if one.arm == other.arm and one.accuracy.mean < other.accuracy.mean - 0.01:
                assert y > b


def test_one_policy_free_or_not_is_shown(shipped: Recording, replays: tuple[Replay, ...]) -> None:
    """A report of a single policy, and one in which nothing costs anything, are drawn all the same, and say so."""
    assert Reader(page(report_of(shipped, replays[:1], MADE))).open == []
    free = [replace(each, usd=each.usd * 0, usd_by_arm=each.usd_by_arm * 0) for each in replays[:3]]
    found = report_of(shipped, free, MADE)
    assert "no costs are recorded" in found.notes[0]
    assert Reader(page(found)).open == []


def test_what_was_expected_stands_beside_what_came(report: Report) -> None:
    """What was predicted is shown with its interval and whether the outcome lies inside; else there is no such part."""
    inside = Predicted("ours", Interval(0.5, 0.4, 0.6), 0.001, Interval(0.55, 0.5, 0.6), 0.0011)
    outside = replace(inside, policy="other", achieved=Interval(0.7, 0.6, 0.8))
    said = Reader(page(replace(report, predicted=(inside, outside)))).said
    assert "Expected, and what came out" in said
    assert said.count("yes") == said.count("no\n") + 1 or "yes" in said
    assert "Expected, and what came out" not in Reader(page(report)).said


def test_few_questions_are_told(shipped: Recording, replays: tuple[Replay, ...]) -> None:
    """With fewer than a hundred questions the first note says that the intervals are wide."""
    few = [replace(each, accuracy=np.where(np.arange(200) < 30, each.accuracy, np.nan)) for each in replays[:2]]
    assert "only 30 questions" in report_of(shipped, few, MADE).notes[0]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_plot_is_drawn(report: Report, tmp_path: Path, suffix: str) -> None:
    """The frontier is drawn as a picture of its own, in the format that the file's name asks for."""
    path = tmp_path / f"plot.{suffix}"
    write_plot(path, report)
    assert path.read_bytes()[:4] == {"png": b"\x89PNG", "svg": b"<?xm"}[suffix]


def test_files_that_cannot_be_written_are_told(report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is not there, an unknown format, and a missing library are one line each that says what to do."""
    with pytest.raises(BadInput, match="name another file"):
        write_page(tmp_path / "no" / "r.html", report)
    with pytest.raises(BadInput, match=r"\.png, \.svg or \.pdf"):
        write_plot(tmp_path / "plot.abc", report)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(BadInput, match="thinkcap\\[evals\\]"):
        write_plot(tmp_path / "plot.png", report)


def test_the_command_writes_it(run: Run, tmp_path: Path) -> None:  # noqa: F811
    """`thinkcap replay --report --plot --rows` writes all three and says where, and prints its table as ever."""
    files = {name: tmp_path / name for name in ("r.html", "p.png", "rows.parquet")}
    ran = run(
        "replay", "--policy", "lead:2", "--permutations", "3",
        "--report", str(files["r.html"]), "--plot", str(files["p.png"]), "--rows", str(files["rows.parquet"]),
    )  # fmt: skip
    assert ran.code == 0
    assert all(path.stat().st_size > 1000 for path in files.values())
    assert "lead:2" in ran.out
    assert str(files["r.html"]) in ran.err


@given(st.floats(1e-9, 1e6))
def test_money_is_written_as_it_is(usd: float) -> None:
    """An amount read back is within half a percent of what it was, whatever the unit."""
    assert float(money(usd)[1:].replace(",", "")) == pytest.approx(usd, rel=0.006)
    unit: Any = unit_of([usd])
    assert float(unit.show(usd)[1:].replace(",", "")) == pytest.approx(unit.of(usd), rel=0.006)
