"""Published figures that ship: accuracy, dollars, tokens and time of a model at an effort, with their sources."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files

from thinkcap.policies import BadInput

__all__ = ["SOURCES", "Figure", "Origin", "benchmarks", "figures", "figures_of", "find_figure"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where figures are from.

    Attributes:
        title: who published them.
        url: where.
        says: what an accuracy, a cost and a token count are there.
    """

    title: str
    url: str
    says: str


SOURCES: dict[str, Origin] = {
    "aider": Origin(
        "Aider polyglot leaderboard (Gauthier)",
        "https://github.com/Aider-AI/aider/blob/main/aider/website/_data/polyglot_leaderboard.yml",
        "225 coding exercises, solved within two tries; list price on the day; prompt and completion tokens of both",
    ),
    "arc-prize": Origin(
        "ARC Prize Foundation 2024, OpenAI o3 Breakthrough High Score on ARC-AGI-Pub",
        "https://arcprize.org/blog/oai-o3-pub-breakthrough",
        "o3-preview; low is 6 samples a task, high 1,024, whose price was not published; tokens as given",
    ),
    "swe-bench": Origin(
        "SWE-bench Verified, bash only (mini-SWE-agent)",
        "https://github.com/SWE-bench/swe-bench.github.io/blob/master/data/leaderboards.json",
        "500 issues of one repository each, one run; mean list price of an agent run",
    ),
    "consol": Origin(
        "ConSol: LiuzLab/consol, arXiv 2503.17587",
        "https://arxiv.org/abs/2503.17587",
        "30 problems; votes of up to 40 samples, or stopped early; output tokens only, so a price is needed",
    ),
    "epoch": Origin(
        "Epoch AI, Benchmarking Hub (CC-BY 4.0)",
        "https://epoch.ai/benchmarks",
        "means over all attempts in its public logs, up to 8 a question; what failed is wrong; list price on the day",
    ),
}
"""By the short name that a row has."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What was published of one model at one effort on one benchmark.

    Attributes:
        benchmark, model, effort: of what; the effort is "" where there is no dial.
        accuracy: share of questions answered right.
        questions: how many there are.
        usd: dollars a question; None where not published.
        input_tokens: tokens read a question; None where not published.
        output_tokens: tokens written a question, hidden reasoning included; None where not published.
        seconds: a question; None where not published.
        date: of the entry.
        source: a key of :data:`SOURCES`.
    """

    benchmark: str
    model: str
    effort: str
    accuracy: float
    questions: int
    usd: float | None
    input_tokens: float | None
    output_tokens: float | None
    seconds: float | None
    date: str
    source: str

    @property
    def way(self) -> str:
        """``model`` or ``model:effort``."""
        return f"{self.model}:{self.effort}" if self.effort else self.model

    @property
    def name(self) -> str:
        """As a plan names it: ``benchmark/model:effort``."""
        return f"{self.benchmark}/{self.way}"


@lru_cache(maxsize=1)
def figures() -> tuple[Figure, ...]:
    """All of them, benchmark by benchmark."""
    text = files("thinkcap.cli.plan").joinpath("published.csv").read_text("utf-8")
    return tuple(
        Figure(
            row["benchmark"],
            row["model"],
            row["effort"],
            float(row["accuracy"]),
            int(row["questions"]),
            _number(row["usd"]),
            _number(row["input_tokens"]),
            _number(row["output_tokens"]),
            _number(row["seconds"]),
            row["date"],
            row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def _number(text: str) -> float | None:
    return float(text) if text else None


def benchmarks() -> tuple[str, ...]:
    """Names of the benchmarks."""
    return tuple(dict.fromkeys(figure.benchmark for figure in figures()))


def figures_of(benchmark: str) -> tuple[Figure, ...]:
    """The figures of a benchmark.

    Raises:
        BadInput: if there are none; the nearest name is offered.
    """
    found = tuple(figure for figure in figures() if figure.benchmark == benchmark)
    if not found:
        raise BadInput(f"there are no published figures of {benchmark!r}: {_nearest(benchmark, benchmarks())}")
    return found


def find_figure(name: str) -> Figure:
    """The figure of a name such as ``gpqa-diamond/gpt-5.2-2025-12-11:low``.

    Raises:
        BadInput: if there is none; the nearest name is offered.
    """
    benchmark, slash, way = name.partition("/")
    if not slash:
        raise BadInput(
            f"published figures are named BENCHMARK/MODEL:EFFORT, not {name!r}: see thinkcap plan --published"
        )
    found = figures_of(benchmark)
    for figure in found:
        if figure.way == way:
            return figure
    near = _nearest(way, [figure.way for figure in found], f"see thinkcap plan --published {benchmark}")
    raise BadInput(f"there is no published figure of {way!r} on {benchmark}: {near}")


def _nearest(name: str, names: tuple[str, ...] | list[str], otherwise: str | None = None) -> str:
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else otherwise or f"choose one of {', '.join(names)}"
