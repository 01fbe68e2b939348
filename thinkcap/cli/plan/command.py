"""The command ``thinkcap plan``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from thinkcap.cli.options import JsonOption
from thinkcap.cli.plan.example import EXAMPLE
from thinkcap.cli.plan.file import per_month, read_plan
from thinkcap.cli.show import print_json, say, table
from thinkcap.policies import BadInput
from thinkcap.policies.plan import Pair, Plan, Way, make_plan

__all__ = ["plan"]


def plan(
    file: Annotated[
        str | None, typer.Argument(metavar="PLAN.TOML", help="The plan; without one, o3's low and high.")
    ] = None,
    target: Annotated[float | None, typer.Option("--target", help="Accuracy to reach, instead of the file's.")] = None,
    demand: Annotated[
        str | None, typer.Option("--demand", help="Questions a period, such as 1e6/month, instead of the file's.")
    ] = None,
    max_seconds: Annotated[float | None, typer.Option("--max-seconds", help="The longest a question may take.")] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Print a plan to start from: --example > plan.toml.")
    ] = False,
    plot: Annotated[
        str | None, typer.Option("--plot", help="Draw cost against demand (.png, .svg or .pdf).", metavar="FILE")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """A bigger model, or think longer? The cheapest way to a target at a demand, and where one option gives way."""
    if example:
        typer.echo(EXAMPLE, nl=False)
        return
    if file is None:
        say("thinkcap: note: no plan was given, so this is o3 on ARC-AGI-1 as published (thinkcap plan --example)")
    asked = read_plan(EXAMPLE if file is None else _text(file), file or "the example")
    found = make_plan(
        [option.option() for option in asked.option],
        demand=per_month(asked.demand if demand is None else demand),
        target=asked.target if target is None else target,
        max_seconds=asked.max_seconds if max_seconds is None else max_seconds,
    )
    if plot is not None:
        from thinkcap.cli.plan.picture import draw

        draw(found, plot)
    if as_json:
        print_json(_json(found))
    else:
        _show(found)


def _text(file: str) -> str:
    try:
        return Path(file).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadInput(f"{file} cannot be read: {why}; thinkcap plan --example > plan.toml writes one") from None


def _show(found: Plan) -> None:
    typer.echo(f"{100 * found.target:g} % right, {found.demand:,.0f} questions a month\n")
    columns = ["option", "$ / question", "$ / month", "95 % interval", "how"]
    table("", columns, [_row(way) for way in found.ways], words=("how",))
    if found.pairs:
        columns = ["same cost", "questions / month", "with prices 20 % off", "or at an accuracy of"]
        table("", columns, [_pair(pair) for pair in found.pairs])
    best = found.cheapest
    typer.echo("no option reaches the target" if best is None else f"cheapest: {best.option.name}")


def _row(way: Way) -> list[str]:
    name = escape(way.option.name)
    if way.effort is None or way.usd is None or way.total is None:
        return [name, "-", "-", _span(way), escape(way.why_not)]
    parts = way.effort.mix
    how = f"the point at {100 * parts[-1].accuracy:.1f} %"
    if len(parts) > 1:
        how = f"{100 * way.effort.dearer:.0f} % of questions by {how}, else by that at {100 * parts[0].accuracy:.1f} %"
    return [name, _usd(way.total.usd_per_question), _usd(way.usd), _span(way), how]


def _pair(pair: Pair) -> list[str]:
    spread = "-" if pair.low is None or pair.high is None else f"{pair.low:,.0f} to {pair.high:,.0f}"
    demands = ", ".join(f"{each:,.0f}" for each in pair.break_even) or "at none"
    return [
        escape(f"{pair.one} | {pair.other}"),
        demands,
        spread,
        ", ".join(f"{100 * each:.1f} %" for each in pair.accuracy) or "none",
    ]


def _usd(usd: float) -> str:
    return f"${usd:,.0f}" if usd >= 100 else f"${usd:.3g}"


def _span(way: Way) -> str:
    if all(step.error is None for step in way.option.steps):
        return "not known"
    if way.low_usd == way.high_usd:
        return "-" if way.low_usd is None else "the same"
    return " to ".join("out of reach" if usd is None else _usd(usd) for usd in (way.low_usd, way.high_usd))


def _json(found: Plan) -> dict[str, Any]:
    best = found.cheapest
    return {
        "demand_per_month": found.demand,
        "target": found.target,
        "cheapest": None if best is None else best.option.name,
        "options": [
            {
                "name": way.option.name,
                "reached": way.effort is not None,
                "why_not": way.why_not,
                "usd_per_question": None if way.total is None else way.total.usd_per_question,
                "usd_per_month": way.usd,
                "usd_per_month_low": way.low_usd,
                "usd_per_month_high": way.high_usd,
                "seconds": None if way.effort is None else way.effort.seconds,
                "share_at_dearer_point": None if way.effort is None else way.effort.dearer,
                "accuracies_mixed": [] if way.effort is None else [step.accuracy for step in way.effort.mix],
            }
            for way in found.ways
        ],
        "pairs": [
            {
                "one": pair.one,
                "other": pair.other,
                "break_even_per_month": list(pair.break_even),
                "low": pair.low,
                "high": pair.high,
                "same_cost_at_accuracy": list(pair.accuracy),
            }
            for pair in found.pairs
        ],
    }
