"""``thinkcap laws`` and its page: what is listed, shown and computed, and errors in one line."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.test_cli import Run, run
from thinkcap.policies.laws import LAWS, Law
from thinkcap.policies.laws.trap import MODELS

__all__ = ["run"]  # a fixture

PAGE = Path(__file__).parents[1] / "docs" / "laws.md"


def examples() -> list[tuple[str, str, str, float]]:
    """The page's commands, each with the figure it is said to give: command, name, by, value."""
    if not PAGE.exists():  # the wheel is tested, away from the source
        return []
    found = re.findall(
        r"^thinkcap (laws .+?) +# (\w+)(?: by ([^=]+))? = ([\d.e+]+)$", PAGE.read_text("utf-8"), re.MULTILINE
    )
    return [(command, name, by.strip(), float(value)) for command, name, by, value in found]


def reference(law: Law) -> str:
    """A law as the page has it."""
    lines = [f"### {law.name}", "", law.summary, "", "```text", *law.formula, "```", ""]
    lines += [f"Units: {'; '.join(law.units)}.", "", f"Domain: {law.domain}", ""]
    if law.constants:
        lines += ["| constant | value | standard error | unit | of |", "|---|---|---|---|---|"]
        lines += [
            f"| {each.name} | {each.value:.10g} | {each.error or ''} | {each.unit} | {each.set} |"
            for each in law.constants
        ]
        lines.append("")
    lines += [f"- Source: {source}" for source in law.sources]
    lines += [f"- Note: {note}" for note in law.notes]
    return "\n".join(lines)


def test_all_laws_are_listed(run: Run) -> None:
    """Without a name every law is listed, as a table and as JSON."""
    listed = run("laws", "--json").json()
    assert [each["law"] for each in listed] == [law.name for law in LAWS]
    shown = run("laws").out
    assert all(law.name in shown for law in LAWS)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_a_law_is_shown_whole(run: Run, law: Law) -> None:
    """A law's name alone shows its formula, its domain and its sources; as JSON its constants with their errors."""
    shown = run("laws", law.name).out
    assert all(line in shown for line in (*law.formula, law.domain, *map(str, law.sources), *law.notes))
    found = run("laws", law.name, "--json").json()
    assert [each["value"] for each in found["constants"]] == [each.value for each in law.constants]
    assert [each["error"] for each in found["constants"]] == [each.error for each in law.constants]


def value(found: dict[str, Any], name: str, by: str = "") -> Any:
    """One figure of a command's JSON."""
    return next(each["value"] for each in found["results"] if each["name"] == name and by in ("", each["by"]))


def test_one_command_of_each_law(run: Run) -> None:
    """What is computed is what the law says, with what was given and where it is from."""
    found = run("laws", "chinchilla", "--params", "70e9", "--tokens", "1.4e12", "--json").json()
    assert found["given"] == {"params": 70e9, "tokens": 1.4e12}
    assert value(found, "loss") == pytest.approx(1.8169 + 482.01 / 70e9**0.3478 + 2085.43 / 1.4e12**0.3659)
    assert found["sources"][0]["url"] == "https://arxiv.org/abs/2404.10102"
    assert found["notes"][0].startswith("extrapolated:")
    month = run(
        "laws",
        "sardana",
        "--params",
        "13B",
        "--demand",
        "1e6/month",
        "--tokens-per-question",
        "1e5",
        "--life",
        "20 months",
        "--json",
    ).json()
    assert month["given"]["inference_tokens"] == pytest.approx(2e12)
    assert value(month, "params", "sardana") == pytest.approx(7e9, rel=0.006)
    for words in (("--loss", "2.1"), ("--params", "13B", "--constants", "hoffmann")):
        none = run("laws", "sardana", *words, "--inference-tokens", "0", "--json").json()
        assert value(none, "saved_share") == pytest.approx(0, abs=1e-6)
    kaplan = run(
        "laws", "kaplan", "--params", "1e9", "--tokens", "1e10", "--compute", "1e21", "--factor", "10", "--json"
    )
    assert value(kaplan.json(), "model_grows") == pytest.approx(10**0.73)
    trap = run("laws", "trap", "--params", "8B", "--tokens", "15T", "--json").json()
    assert value(trap, "tokens_per_param") == 1_875
    jones = run("laws", "jones", "--train-factor", "10", "--test-compute", "30", "--json").json()
    assert value(jones, "test_compute") == pytest.approx(2)
    points = ("--low", "1e4:0.6", "--high", "1e6:0.8")
    own = run("laws", "o3", "--accuracy", "0.7", "--tokens", "1e5", *points, "--json").json()
    assert value(own, "tokens", "straight line") == pytest.approx(1e5)
    assert value(own, "accuracy", "straight line") == pytest.approx(0.7)
    work = run("laws", "flops", "--params", "70B", "--tokens", "1.4T", "--inference-tokens", "1e6", "--json").json()
    assert value(work, "training") == pytest.approx(6 * 70e9 * 1.4e12)
    assert value(work, "answering_all") == pytest.approx(2 * 70e9 * 1e6)
    cost = run(
        "laws",
        "dollars",
        "--input-tokens",
        "1e6",
        "--output-tokens",
        "1e5",
        "--price",
        "2/8",
        "--gpu-usd-per-hour",
        "2",
        "--compute",
        "1e21",
        "--json",
    ).json()
    assert value(cost, "api") == pytest.approx(2.8)
    assert value(cost, "training") == pytest.approx(1e21 / (989e12 * 0.4 * 3600) * 2)


def test_several_times_and_all_models_side_by_side(run: Run) -> None:
    """Each time and each model has figures of its own: under $500 an hour ends by the time, a day by the ceiling."""
    found = run("laws", "hours", "--for", "1 hour", "--for", "1 day", "--ceiling", "500", "--json").json()
    assert value(found, "tokens", "1 hour") == 100 * 3_600
    assert value(found, "cost", "1 day") == pytest.approx(100 * 86_400 * 61 / 1e6)
    assert value(found, "ends_first", "1 hour") == "the time"
    assert value(found, "ends_first", "1 day") == "the ceiling"
    every = run("laws", "trap", "--all", "--json").json()
    shown = {each["by"]: each["value"] for each in every["results"] if each["name"] == "tokens_per_param"}
    assert shown == {model.name: model.run.tokens_per_param for model in MODELS}
    two = run("laws", "trap", "--model", "GPT-3", "--model", "Llama 3 8B", "--json").json()
    assert value(two, "saved_per_token_answered", "GPT-3") < 0 < value(two, "saved_per_token_answered", "Llama 3 8B")


def test_a_figure_without_end_is_none_in_json(run: Run) -> None:
    """Where a curve never comes near its plateau the JSON says null, not Infinity."""
    flat = ("--low", "1e4:0.6", "--high", "1e6:0.6001")
    found = run("laws", "hours", "--for", "1 day", *flat, "--json").json()
    assert value(found, "plateau_at", "power law of the error") is None


BAD: dict[str, tuple[list[str], str]] = {
    "an unknown law": (["chinchila"], "Did you mean 'chinchilla'?"),
    "unknown constants": (["chinchilla", "--compute", "1e21", "--constants", "hofmann"], "did you mean hoffmann?"),
    "an unknown model": (["trap", "--model", "Llama 3"], "did you mean Llama 3 8B?"),
    "half a run": (["trap", "--params", "8B"], "give both --params and --tokens"),
    "too little": (["flops", "--tokens", "1T"], "too little was given: see thinkcap laws flops --help"),
    "no number": (["chinchilla", "--params", "many"], "--params must be a number such as 70e9 or 70B"),
    "below zero": (["chinchilla", "--params=-5"], "--params must be a number above zero"),
    "accuracy in percent": (["o3", "--accuracy", "90"], "write 0.9 for 90 %"),
    "beyond the points": (["o3", "--accuracy", "0.9"], "extrapolate to see them"),
    "one point": (["o3", "--accuracy", "0.9", "--low", "1e4:0.5"], "give both --low and --high"),
    "no point": (["o3", "--accuracy", "0.9", "--low", "1e4", "--high", "1e5:x"], "is written TOKENS:ACCURACY"),
    "a demand without a period": (
        ["sardana", "--params", "13B", "--demand", "1e6", "--tokens-per-question", "100"],
        "--demand needs a period: write 1e6/month",
    ),
    "a negative demand": (
        ["sardana", "--params", "13B", "--demand=-1/day", "--tokens-per-question", "100"],
        "--demand must be a number above zero",
    ),
    "a demand of no size": (
        ["sardana", "--params", "13B", "--demand", "1/day"],
        "give --demand with --tokens-per-question",
    ),
    "no quality": (["sardana", "--inference-tokens", "1T"], "say the quality wanted"),
    "a time without a unit": (["hours", "--for", "36"], "--for needs a unit: write 36 hours"),
    "one price": (["dollars", "--price", "2", "--input-tokens", "1", "--output-tokens", "1"], "is written IN/OUT"),
}


@pytest.mark.parametrize(("words", "says"), BAD.values(), ids=BAD)
def test_what_cannot_be_meant_is_one_line(run: Run, words: list[str], says: str) -> None:
    """A name or a number that cannot be meant is one line that says what to do, and exit code 2."""
    assert says in run("laws", *words).error()


@pytest.mark.skipif(not PAGE.exists(), reason="the source is not here: the wheel is tested")
def test_the_page_has_every_law_as_it_is() -> None:
    """The page's reference is word for word what the laws hold: formulas, constants, errors, domains, sources."""
    page = PAGE.read_text("utf-8")
    assert [law.name for law in LAWS if reference(law) not in page] == []


@pytest.mark.parametrize(("command", "name", "by", "figure"), examples(), ids=lambda value: str(value)[:60])
def test_the_commands_of_the_page_give_its_figures(run: Run, command: str, name: str, by: str, figure: float) -> None:
    """Each command on the page gives the figure beside it, to four digits."""
    assert value(run(*shlex.split(command), "--json").json(), name, by) == pytest.approx(figure, rel=6e-4)
