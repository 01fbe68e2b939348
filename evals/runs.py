"""Runs as arms of their own: two runs of one model may be two scaffolds, so their attempts are not draws of one arm."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from thinkcap.evals.columns import Columns

__all__ = ["name_runs", "runs_said"]


def name_runs(columns: Columns, labels: list[str]) -> list[str]:
    """Each row's label, as ``LABEL@RUN`` where several runs of the arm asked one question.

    Runs that share no question are one recording made in parts, and stay one arm.

    Args:
        columns: the rows.
        labels: their arms' labels.
    """
    runs = columns.text("run_id")
    asked: defaultdict[tuple[str, Any, Any], set[str | None]] = defaultdict(set)
    keys = list(zip(labels, columns.values("dataset"), map(str, columns.values("question_id")), strict=True))
    for key, run in zip(keys, runs, strict=True):
        asked[key].add(run)
    several = {label for (label, *_), inside in asked.items() if len(inside) > 1}
    return [
        f"{label}@{run}" if label in several and run is not None else label
        for label, run in zip(labels, runs, strict=True)
    ]


def runs_said(named: Iterable[tuple[str, str]]) -> list[str]:
    """What was settled about some rows, for a note; nothing where no arm was told apart.

    Args:
        named: each row's label before and after.
    """
    apart = {pair for pair in named if pair[0] != pair[1]}
    if not apart:
        return []
    return [f"each run_id is an arm of its own: {len({old for old, _ in apart})} models were run as {len(apart)} arms"]
