"""Files of attempts, whatever made them, as the rows of one recording."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from thinkcap.evals.importers.inspect_logs import inspect_rows, is_inspect_log
from thinkcap.evals.importers.shared import CostOf, Row, graded
from thinkcap.policies.errors import BadInput, BadRecording
from thinkcap.policies.money import usd
from thinkcap.policies.row import OPTIONAL, REQUIRED
from thinkcap.policies.values import Usage

__all__ = ["import_rows"]

_WHOLE = frozenset(
    (
        "attempt", "prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens", "cache_write_tokens",
        "max_output_tokens", "calls",
    )
)  # fmt: skip
_NUMBERS = frozenset(("cost_usd", "latency_s", "started_at", "propensity"))
_GRADES = frozenset(("correct", "verified", "agent", "adaptive"))


def import_rows(
    paths: Sequence[str | Path],
    cost_of: CostOf,
    *,
    columns: Mapping[str, str] | None = None,
    values: Mapping[str, str] | None = None,
    scorer: str | None = None,
) -> list[Row]:
    """Read attempts from Inspect logs (``.eval``, ``.json``), tables (``.csv``) and recordings (``.jsonl``).

    An attempt's number that was taken by an earlier file is moved up, so that several runs of one model add up.

    Args:
        paths: the files.
        cost_of: what tokens of a model cost, where a file holds no cost.
        columns: of a table, the recording's column by the table's name for it.
        values: columns that are the same for every row of a table.
        scorer: of an Inspect log, whose grade counts; None takes the first.

    Raises:
        BadInput: for a file that cannot be read or is of no known kind, or a column that is not there.
        BadRecording: for a file that is damaged, or a value that cannot be meant; the line is named.
    """
    taken: Counter[tuple[Any, ...]] = Counter()
    rows: list[Row] = []
    for given in paths:
        path, mine = Path(given), []
        if is_inspect_log(path):
            mine = list(inspect_rows(path, cost_of, scorer))
        elif path.suffix.lower() == ".csv":
            mine = list(_table(path, columns or {}, values or {}, cost_of))
        elif path.suffix.lower() == ".jsonl":
            mine = list(_lines(path))
        else:
            raise BadInput(f"{path} is of no known kind: give .eval, .json, .csv or .jsonl files")
        before = dict(taken)
        for row in mine:
            key = (row.get("dataset"), row["question_id"], row["model"], row.get("effort"), row.get("arm"))
            row["attempt"] += before.get(key, 0)
            taken[key] = max(taken[key], row["attempt"] + 1)
        rows += mine
    return rows


def _lines(path: Path) -> Iterator[Row]:
    """The attempts of one of thinkcap's own recordings, as they are."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    for number, line in enumerate(text.splitlines(), 1):
        try:
            row = json.loads(line) if line.strip() else {}
        except (ValueError, RecursionError):
            raise BadRecording(f"{path}: line {number} is no JSON object") from None
        if isinstance(row, dict) and "question_id" in row:
            yield row


def _table(path: Path, columns: Mapping[str, str], values: Mapping[str, str], cost_of: CostOf) -> Iterator[Row]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = [columns.get(name, name) for name in reader.fieldnames or ()]
            _check_columns(path, reader.fieldnames or (), names, columns, values)
            counted: Counter[tuple[Any, ...]] = Counter()
            for number, cells in enumerate(reader, 2):
                row: Row = {**values, **dict(zip(names, cells.values(), strict=False))}
                yield _typed(path, number, row, counted, cost_of)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadRecording(f"{path} is no table of comma-separated values: {error}") from None


def _check_columns(
    path: Path, given: Iterable[str], names: Sequence[str], columns: Mapping[str, str], values: Mapping[str, str]
) -> None:
    unknown = [name for name in columns if name not in given]
    if unknown:
        raise BadInput(f"{path} has no column {unknown[0]!r}; it has {', '.join(given)}")
    odd = [name for name in (*columns.values(), *values) if name not in (*REQUIRED, *OPTIONAL)]
    if odd:
        raise BadInput(f"a recording has no column {odd[0]!r}; it has {', '.join((*REQUIRED, *OPTIONAL))}")
    missing = [
        name for name in ("question_id", "model", "correct", "completion_tokens") if name not in (*names, *values)
    ]
    if missing:
        raise BadInput(
            f"{path} has no {', '.join(missing)}: name its columns with --map COLUMN=NAME, or set them with --set"
        )


def _typed(path: Path, number: int, row: Row, counted: Counter[tuple[Any, ...]], cost_of: CostOf) -> Row:
    """A table's row with numbers as numbers; attempts are counted, and priced, where the table does not say."""
    for name, cell in row.items():
        text = (cell or "").strip()
        try:
            if name in _GRADES:
                row[name] = graded(text)
            elif name in _WHOLE:
                row[name] = int(float(text)) if text else None
            elif name in _NUMBERS:
                row[name] = float(text) if text else None
            else:
                row[name] = text or None
        except ValueError:
            raise BadRecording(f"{path}: line {number}: {name} must be a number, not {text!r}") from None
    key = (row.get("dataset"), row["question_id"], row["model"], row.get("effort"), row.get("arm"))
    if row.get("attempt") is None:
        row["attempt"] = counted[key]
    counted[key] += 1
    if row.get("cost_usd") is None and row.get("completion_tokens") is not None:
        usage = Usage(row.get("prompt_tokens") or 0, row["completion_tokens"], None, row.get("cached_tokens"))
        row["cost_usd"] = float(usd(cost_of(str(row["model"]), usage)))
    row.setdefault("answer", None)
    return row
