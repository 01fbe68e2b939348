"""What every law's command shares: its options' form, and how a law and its results are shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import typer
from rich.markup import escape

from thinkcap.cli.show import print_json, table
from thinkcap.policies import BadInput
from thinkcap.policies.laws import Constant, Law, find_law, read_quantity

__all__ = ["Figure", "answer", "number", "number_at_least_0", "show_law"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One result.

    Attributes:
        name: what it is, in words joined by underscores.
        value: the figure, or a word; None where there is none.
        unit: of the value; "" for words.
        by: which constants or which reading it is by; "" where there is one.
    """

    name: str
    value: float | str | None
    unit: str = ""
    by: str = ""


def number(text: str | None, option: str) -> float | None:
    """The quantity an option holds; None where it was not given."""
    return None if text is None else read_quantity(text, option)


def number_at_least_0(text: str | None, option: str) -> float | None:
    """A quantity that may be 0 too."""
    if text is not None and text.strip() in ("0", "0.0"):
        return 0.0
    return number(text, option)


def answer(
    name: str, given: Mapping[str, Any], figures: Sequence[Figure], notes: Sequence[str] = (), *, as_json: bool
) -> None:
    """Show what a law says of what was given; where nothing was, the law itself."""
    law = find_law(name)
    inputs = {key: value for key, value in given.items() if value is not None}
    if not inputs:
        show_law(name, as_json=as_json)
        return
    if not figures:
        raise BadInput(f"too little was given: see thinkcap laws {name} --help")
    if as_json:
        results = [{key: _finite(value) for key, value in asdict(figure).items()} for figure in figures]
        sources = [asdict(source) for source in law.sources]
        print_json({"law": law.name, "given": inputs, "results": results, "notes": list(notes), "sources": sources})
        return
    said = "; ".join(f"{key.replace('_', ' ')} {_shown(value)}" for key, value in inputs.items())
    typer.echo(f"{law.name}: {said}")
    columns, rows = _side_by_side(figures) or _below_each_other(figures)
    table("", columns, rows, words=("unit", "by"))
    for line in (*notes, f"source: {law.sources[0]}"):
        typer.echo(line)


def show_law(name: str, *, as_json: bool) -> None:
    """Show a law itself: formula, constants, units, domain, sources."""
    law = find_law(name)
    if as_json:
        print_json(asdict(law))
        return
    typer.echo(f"{law.name}: {law.summary}\n")
    for title, lines in (("formula", law.formula), ("units", law.units), ("domain", (law.domain,))):
        typer.echo(f"{title}:")
        for line in lines:
            typer.echo(f"  {line}")
    if law.constants:
        table(
            "\nconstants", ["constant", "value", "standard error", "unit", "of"], _constants(law), words=("unit", "of")
        )
    typer.echo("sources:" if law.constants else "\nsources:")
    for source in law.sources:
        typer.echo(f"  {source}")
    for note in law.notes:
        typer.echo(f"note: {note}")


_Shown = tuple[list[str], list[list[str]]]


def _side_by_side(figures: Sequence[Figure]) -> _Shown | None:
    """One column for each set of constants or reading, where all figures are given by all of them."""
    names, by = list(dict.fromkeys(f.name for f in figures)), list(dict.fromkeys(f.by for f in figures))
    if len(by) < 2 or len(figures) != len(names) * len(by):
        return None
    values = {(figure.name, figure.by): _shown(figure.value) for figure in figures}
    units = {figure.name: figure.unit for figure in figures}
    rows = [[_words(name), *(values[name, each] for each in by), units[name]] for name in names]
    return ["", *map(escape, by), "unit"], rows


def _below_each_other(figures: Sequence[Figure]) -> _Shown:
    several = len({figure.by for figure in figures}) > 1
    rows = [[_words(f.name), _shown(f.value), f.unit, *([f.by] if several else [])] for f in figures]
    return ["", "value", "unit", *(["by"] if several else [])], rows


def _words(name: str) -> str:
    return escape(name.replace("_", " "))


def _constants(law: Law) -> list[tuple[str, ...]]:
    return [tuple(map(escape, _constant(each))) for each in law.constants]


def _constant(each: Constant) -> tuple[str, ...]:
    error = "not published" if each.error is None else f"{each.error:g}"
    short = f"{each.value:g}"
    return (
        each.name,
        short if float(short) == each.value else f"{each.value:.10g}",
        error,
        "" if each.unit == "1" else each.unit,
        each.set,
    )


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if math.isinf(value):
        return "beyond 1e300"
    for name, scale in (("T", 1e12), ("B", 1e9), ("M", 1e6)):
        if scale <= abs(value) < 1000 * scale:
            return f"{value / scale:.4g} {name}"
    if 1e4 <= abs(value) < 1e6:
        return f"{value:,.0f}"
    return f"{value:,.4g}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.3e}"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and math.isinf(value) else value  # JSON has no infinity
