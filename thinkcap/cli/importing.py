"""``thinkcap import``: other tools' records of attempts as a recording."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from thinkcap.cli.options import PriceOption, read_prices
from thinkcap.policies import BadInput, Usage, header

__all__ = ["import_"]


def import_(
    files: Annotated[
        list[str], typer.Argument(help="Inspect logs (.eval, .json), tables (.csv), recordings (.jsonl).")
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", help="The recording to write: .parquet, .jsonl or .jsonl.gz.")
    ],
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--map", help="Of a table: which of its columns is what, as question_id=qid.", metavar="NAME=COLUMN"
        ),
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", help="Of a table: what every row has, as model=gpt-5-mini.", metavar="NAME=VALUE"),
    ] = None,
    scorer: Annotated[
        str | None, typer.Option("--scorer", help="Of an Inspect log: whose grade counts; by default the first's.")
    ] = None,
    price: PriceOption = None,
) -> None:
    """Make a recording of what other tools wrote.

    Where a file holds no costs they are today's list prices, or those of --price. Several files of one model add up.
    """
    from thinkcap.controller.pricing import PriceBook
    from thinkcap.evals import write_recording
    from thinkcap.evals.importers import import_rows

    book = PriceBook(read_prices(price))

    def cost_of(model: str, usage: Usage) -> int:
        return book.lookup(model).cost(usage)

    named = {column: name for name, column in _pairs(columns, "--map").items()}
    rows = import_rows(files, cost_of, columns=named, values=_pairs(values, "--set"), scorer=scorer)
    write_recording(output, rows, header(command=shlex.join(["thinkcap", *sys.argv[1:]])))
    typer.echo(f"{output}: {len(rows):,} attempts")


def _pairs(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    found = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise BadInput(f"{option} is written NAME=..., not {text!r}")
        found[name] = value
    return found
