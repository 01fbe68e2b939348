"""Writing recordings: rows of attempts as JSON lines or parquet, each with its header."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from thinkcap.policies.errors import BadInput
from thinkcap.policies.row import OPTIONAL, REQUIRED

__all__ = ["write_recording"]


def write_recording(path: str | Path, rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
    """Write attempts as a recording: ``.parquet``, ``.jsonl`` or ``.jsonl.gz``, readable by its owner only.

    Args:
        path: a file; one that is there is replaced as a whole.
        rows: the attempts; columns that none of them has are left out.
        about: the header (:func:`thinkcap.policies.header`).

    Raises:
        BadInput: for another ending, a missing library, or a file that cannot be written.
    """
    path = Path(path)
    whole = path.with_name(f"{path.name}.part")
    try:
        with os.fdopen(os.open(whole, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            if path.name.endswith(".parquet"):
                _write_parquet(file, rows, about)
            elif path.name.endswith((".jsonl", ".jsonl.gz")):
                lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in (about, *rows)).encode()
                file.write(gzip.compress(lines, mtime=0) if path.name.endswith(".gz") else lines)
            else:
                raise BadInput(f"{path} is no recording by its name: it must end in .jsonl, .jsonl.gz or .parquet")
        whole.replace(path)
    except OSError as error:
        raise BadInput(f"cannot write the recording {path}: {error.strerror or error}; name another file") from None
    finally:
        whole.unlink(missing_ok=True)


def _write_parquet(file: Any, rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise BadInput("writing parquet needs pyarrow: pip install 'thinkcap[evals]'") from None
    named = dict.fromkeys((*REQUIRED, *OPTIONAL, *(name for row in rows for name in row)))
    kept = [name for name in named if name in REQUIRED or any(row.get(name) is not None for row in rows)]
    values = {name: [_cell(row.get(name)) for row in rows] for name in kept}
    try:
        table = pyarrow.table(values)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):  # a column of several kinds: as text
        table = pyarrow.table({name: _alike(cells) for name, cells in values.items()})
    pyarrow.parquet.write_table(table.replace_schema_metadata({"thinkcap": json.dumps(dict(about))}), file)


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _alike(cells: list[Any]) -> list[Any]:
    kinds = {type(cell) for cell in cells if cell is not None}
    return cells if len(kinds) < 2 or kinds <= {int, float} else [None if c is None else str(c) for c in cells]
