"""Mistakes in a plan: one line with the line of the file, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_cli import Run, run
from thinkcap.cli.plan.example import EXAMPLE
from thinkcap.cli.plan.file import read_plan
from thinkcap.demo import curve_path
from thinkcap.policies import BadInput

__all__ = ["run"]  # a fixture

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
        "prices = { input = 10 }",
        "line 7: option.1.prices.output: Field required",
    ),
    "a price of nothing": (
        "usd_per_million = 10",
        "prices = { input = 0, output = 10 }",
        "line 7: option.1.prices.input: Input should be greater than 0",
    ),
    "a price that is a number": ("usd_per_million = 10", "prices = 10", "line 7: option.1.prices: "),
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
    priced = "prices = { input = 2, output = 10 }"
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
