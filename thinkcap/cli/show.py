"""How the command shows things: tables, progress bars, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from rich import box
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

__all__ = ["Bar", "bar", "print_json", "say", "table"]


class Bar(Protocol):
    """A progress bar."""

    def __call__(self, done: float, total: float | None = None, text: str | None = None) -> None:
        """Show how far the work is."""
        ...


def print_json(value: Any) -> None:
    """JSON on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    caption: str | None = None,
    *,
    words: Sequence[str] = (),
) -> None:
    """A table on standard output; all but the first column, and those that hold words, are aligned to the right."""
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, caption=caption, caption_justify="left")
    for number, column in enumerate(columns):
        shown.add_column(column, justify="left" if number == 0 or column in words else "right", overflow="fold")
    for cells in rows:
        shown.add_row(*cells)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    console.print(shown)


@contextmanager
def bar(what: str, total: float | None = None, *, unit: str | None = None) -> Iterator[Bar]:
    """A progress bar on a terminal; nothing in a pipe. ``unit="bytes"`` shows sizes instead of counts."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn() if unit == "bytes" else MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task(what, total=total)

        def show(done: float, total: float | None = None, text: str | None = None) -> None:
            progress.update(task, completed=done, total=total, description=text or what)

        yield show


def say(line: str) -> None:
    """One line on standard error, whatever it holds."""
    Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(" ".join(line.split()))
