"""The figures of every question in a table of their own, so that others can recompute what is printed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from thinkcap.evals.results import Replay
from thinkcap.policies.errors import BadInput

__all__ = ["COLUMNS", "RowsOf", "write_rows"]

COLUMNS = ("policy", "point", "question_id", "accuracy", "usd", "output_tokens", "attempts", "fold")


@dataclass(frozen=True, slots=True)
class RowsOf:
    """One replay among the rows.

    Attributes:
        replay: its figures.
        point: which of the policy's points it is, such as an arm or a price.
        folds: the part of the questions each was held back in; None where nothing was fitted.  (questions,)
    """

    replay: Replay
    point: str = ""
    folds: Sequence[int] | None = None


def write_rows(path: str | Path, given: Iterable[RowsOf], about: Mapping[str, str] | None = None) -> int:
    """Write one line for each policy, point and question to a Parquet file; returns how many there are.

    ``accuracy`` is the mean over orders, null where no answer chosen was ever graded; ``usd``, ``output_tokens`` and
    ``attempts`` are means over orders too; ``fold`` is null where nothing was fitted. What the rows are about besides,
    such as what the verifier is, is kept in the file's metadata.

    Raises:
        BadInput: if pyarrow is not installed, or the file cannot be written.
    """
    try:
        from pyarrow import parquet, table
    except ImportError:
        raise BadInput("writing rows needs pyarrow: pip install 'thinkcap[evals]'") from None
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for rows in given:
        found, count = rows.replay, len(rows.replay.questions)
        columns["policy"] += [found.policy] * count
        columns["point"] += [rows.point] * count
        columns["question_id"] += found.questions
        columns["accuracy"] += [None if np.isnan(right) else right for right in found.accuracy.tolist()]
        columns["usd"] += found.usd.tolist()
        columns["output_tokens"] += found.output_tokens.tolist()
        columns["attempts"] += found.attempts.tolist()
        columns["fold"] += [None] * count if rows.folds is None else list(rows.folds)
    try:
        parquet.write_table(table(columns, metadata=dict(about or {})), path)
    except OSError as error:
        raise BadInput(f"cannot write the rows {path}: {error.strerror or error}; name another file") from None
    return len(columns["policy"])
