"""The group ``thinkcap laws``: without a law it lists them."""

from __future__ import annotations

from typing import Annotated

import typer

from thinkcap.cli.laws.accounting import dollars, flops
from thinkcap.cli.laws.budgets import sardana, walls
from thinkcap.cli.laws.thinking import hours, jones, o3, snell
from thinkcap.cli.laws.training import chinchilla, kaplan, trap
from thinkcap.cli.show import print_json, table
from thinkcap.policies.laws import LAWS

__all__ = ["laws"]

laws = typer.Typer(
    help="Look up scaling laws and compute with them: thinkcap laws NAME shows a law, with options it answers.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
)

for _command in (kaplan, chinchilla, trap, sardana, jones, snell, o3, walls, hours, flops, dollars):
    laws.command(_command.__name__)(_command)


_HINT = "thinkcap laws NAME shows the law; with options it computes (thinkcap laws NAME --help)"


@laws.callback()
def _list(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    if context.invoked_subcommand is not None:
        return
    if as_json:
        print_json([{"law": law.name, "summary": law.summary, "source": str(law.sources[0])} for law in LAWS])
        return
    table(
        "scaling laws",
        ["law", "what it says"],
        [(law.name, law.summary) for law in LAWS],
        _HINT,
        words=("what it says",),
    )
