"""``thinkcap plan --published``: the figures that ship, with their sources."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import typer
from rich.markup import escape

from thinkcap.cli.plan.published import SOURCES, Figure, benchmarks, figures_of
from thinkcap.cli.show import print_json, table

__all__ = ["list_published"]


def list_published(benchmark: str | None, *, as_json: bool) -> None:
    """The figures of a benchmark, or without one the benchmarks, each with its source.

    Raises:
        BadInput: for an unknown benchmark.
    """
    if benchmark is None:
        whole = [figures_of(name) for name in benchmarks()]
        if as_json:
            print_json([_summary(rows) for rows in whole])
        else:
            table(
                "published figures",
                ["benchmark", "figures", "questions", "right, %", "dates", "source"],
                [_line(rows) for rows in whole],
                'thinkcap plan --published BENCHMARK lists them; in a plan: published = "BENCHMARK/MODEL:EFFORT"',
                words=("dates", "source"),
            )
        return
    rows = figures_of(benchmark)
    if as_json:
        print_json([asdict(row) | {"name": row.name, "url": SOURCES[row.source].url} for row in rows])
        return
    heads = ["model:effort", "right, %", "$ / question", "input tokens", "output tokens", "seconds", "date"]
    cells = [
        [
            escape(row.way),
            f"{100 * row.accuracy:.1f}",
            "-" if row.usd is None else f"{row.usd:.3g}",
            *(
                "-" if value is None else f"{value:,.0f}"
                for value in (row.input_tokens, row.output_tokens, row.seconds)
            ),
            row.date,
        ]
        for row in rows
    ]
    table(benchmark, heads, cells, words=("date",))
    for source in dict.fromkeys(row.source for row in rows):
        origin = SOURCES[source]
        typer.echo(f"source: {origin.title}, {origin.url}\n  {origin.says}")


def _summary(rows: tuple[Figure, ...]) -> dict[str, Any]:
    origin = SOURCES[rows[0].source]
    return {
        "benchmark": rows[0].benchmark,
        "figures": len(rows),
        "questions": max(row.questions for row in rows),
        "lowest_accuracy": min(row.accuracy for row in rows),
        "highest_accuracy": max(row.accuracy for row in rows),
        "dates": sorted({row.date for row in rows}),
        "source": origin.title,
        "url": origin.url,
        "says": origin.says,
    }


def _line(rows: tuple[Figure, ...]) -> list[str]:
    found = _summary(rows)
    dates = found["dates"]
    return [
        found["benchmark"],
        str(found["figures"]),
        f"{found['questions']:,}",
        f"{100 * found['lowest_accuracy']:.1f} to {100 * found['highest_accuracy']:.1f}",
        dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}",
        escape(f"{found['source']}: {found['says']}"),
    ]
