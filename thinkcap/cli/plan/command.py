"""The command ``thinkcap plan``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thinkcap.cli.options import JsonOption
from thinkcap.cli.plan.example import EXAMPLE
from thinkcap.cli.show import print_json, say
from thinkcap.policies import BadInput

__all__ = ["plan"]


def plan(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[PLAN.TOML | BENCHMARK]",
            help="The plan; without one, o3's low and high. With --published, a benchmark.",
        ),
    ] = None,
    target: Annotated[float | None, typer.Option("--target", help="Accuracy to reach, instead of the file's.")] = None,
    demand: Annotated[
        str | None, typer.Option("--demand", help="Questions a period, such as 1e6/month, instead of the file's.")
    ] = None,
    max_seconds: Annotated[float | None, typer.Option("--max-seconds", help="The longest a question may take.")] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Print a plan to start from: --example > plan.toml.")
    ] = False,
    published: Annotated[
        bool,
        typer.Option("--published", help="List the published figures that ship, of one benchmark or how many of each."),
    ] = False,
    plot: Annotated[
        str | None, typer.Option("--plot", help="Draw cost against demand (.png, .svg or .pdf).", metavar="FILE")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """A bigger model, or think longer? The cheapest way to a target at a demand, and where one option gives way.

    Options are measured points, fitted curves or published figures, paid by the token or by the hour of hardware.
    """
    if example:
        typer.echo(EXAMPLE, nl=False)
        return
    if published:
        from thinkcap.cli.plan.list import list_published

        list_published(file, as_json=as_json)
        return
    from thinkcap.cli.plan.file import per_month, read_plan
    from thinkcap.cli.plan.options import options_of
    from thinkcap.cli.plan.report import as_data, show
    from thinkcap.policies.plan import make_plan

    if file is None:
        say("thinkcap: note: no plan was given, so this is o3 on ARC-AGI-1 as published (thinkcap plan --example)")
    text, name = (EXAMPLE, "the example") if file is None else (_text(file), file)
    asked = read_plan(text, name)
    found = make_plan(
        options_of(asked, text, name, Path() if file is None else Path(file).expanduser().parent),
        demand=per_month(asked.demand if demand is None else demand),
        target=asked.target if target is None else target,
        max_seconds=asked.max_seconds if max_seconds is None else max_seconds,
        price_factor=asked.price_factor,
    )
    if plot is not None:
        from thinkcap.cli.plan.picture import draw

        draw(found, plot)
    if as_json:
        print_json(as_data(found))
    else:
        show(found)
    if found.cheapest is None:
        best = max(way.option.best.accuracy for way in found.ways)
        instead = f"--target of at most {best:.3g}" if best < found.target else "longer --max-seconds"
        raise BadInput(f"no option reaches {100 * found.target:g} %: ask for a {instead}, or add options")


def _text(file: str) -> str:
    try:
        return Path(file).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadInput(f"{file} cannot be read: {why}; thinkcap plan --example > plan.toml writes one") from None
