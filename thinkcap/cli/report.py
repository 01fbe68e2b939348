"""The report of a command that replays: a page, a plot, or both."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from thinkcap.cli.show import say

if TYPE_CHECKING:
    from thinkcap.evals import Recording, Replay

__all__ = ["write_report"]


def write_report(
    recording: Recording,
    replays: Sequence[Replay],
    *,
    permutations: int,
    seed: int,
    page: str | None,
    plot: str | None,
) -> None:
    """Write what was asked for, and say where.

    Args:
        recording: what was replayed.
        replays: the policies.
        permutations, seed: as they were replayed.
        page, plot: files to write; None leaves one out.
    """
    from thinkcap.evals.report import Made, report_of, write_page, write_plot

    command = shlex.join(["thinkcap", *sys.argv[1:]])
    made = Made(command, Path(recording.source).name, seed, permutations, version("thinkcap"), date.today().isoformat())
    found = report_of(recording, replays, made)
    for path, write in ((page, write_page), (plot, write_plot)):
        if path is not None:
            write(path, found)
            say(f"thinkcap: {path} is written")
