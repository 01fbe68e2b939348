"""Files of recorded attempts as columns: JSON lines (plain or gzip) and parquet.

A line that is no JSON object is named in a :class:`DamagedRecording` warning and left out; the rest is kept.
"""

from __future__ import annotations

import gzip
import json
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thinkcap.policies.errors import BadInput, BadRecording
from thinkcap.policies.row import OPTIONAL, REQUIRED, SCHEMA

__all__ = ["DamagedRecording", "Table", "read_table"]


class DamagedRecording(UserWarning):
    """Part of a recording cannot be read; the rest was."""


@dataclass(frozen=True, slots=True)
class Table:
    """A file's rows as columns, not yet checked beyond their presence.

    Attributes:
        path: the file.
        unit: what a row is called in messages: ``"line"`` or ``"row"``.
        places: number of each row in the file, from 1.
        columns: values by column, each as long as ``places``; columns the file does not have are left out.
        about: the file's header (empty if it has none).
        notes: what was damaged.
    """

    path: str
    unit: str
    places: Sequence[int]
    columns: Mapping[str, Sequence[Any]]
    about: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def where(self, rows: Iterable[int]) -> str:
        """Rows (by index) as a message names them: ``lines 3, 8, 9 and 12 more``."""
        return _named(self.unit, [self.places[row] for row in rows])


def read_table(path: str | Path) -> Table:
    """Read a recording's columns.

    Raises:
        BadInput: if the file cannot be opened, or its name does not say what it is.
        BadRecording: if it holds no row, lacks a required column, or is of a newer format.
    """
    path = Path(path)
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            return _read_parquet(path)
        if name.endswith((".jsonl", ".jsonl.gz")):
            return _read_lines(path)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or str(error).splitlines()[0]}") from None
    raise BadInput(f"{path} is no recording by its name: it must end in .jsonl, .jsonl.gz or .parquet")


def _read_lines(path: Path) -> Table:
    rows: list[dict[str, Any]] = []
    places: list[int] = []
    about: dict[str, Any] = {}
    damaged: list[int] = []
    for number, line in _lines(path):
        row = _object(line)
        if row is None:
            damaged.append(number)
        elif "schema" in row and "question_id" not in row:
            _check_schema(path, row["schema"])
            about = {**row, **about}
        else:
            rows.append(row)
            places.append(number)
    if not rows:
        raise BadRecording(f"{path} holds no attempt" + (f": {_named('line', damaged)} cannot be read" * bool(damaged)))
    _require(path, {name: [p for p, row in zip(places, rows, strict=True) if name not in row] for name in REQUIRED})
    columns = {
        name: [row.get(name) for row in rows]
        for name in (*REQUIRED, *OPTIONAL)
        if any(row.get(name) is not None for row in rows) or name in REQUIRED
    }
    notes = _damage(path, damaged)
    return Table(str(path), "line", places, columns, about, notes)


def _lines(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines that are not blank; None for what a cut or corrupt gzip stream does not give."""
    number = 0
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        try:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
        except (EOFError, zlib.error, gzip.BadGzipFile):
            yield number + 1, None


def _object(line: bytes | None) -> dict[str, Any] | None:
    try:
        row = None if line is None else json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _damage(path: Path, damaged: list[int]) -> tuple[str, ...]:
    if not damaged:
        return ()
    note = f"{path}: {_named('line', damaged)} cannot be read as JSON objects and were left out"
    warnings.warn(note, DamagedRecording, stacklevel=2)
    return (note,)


def _read_parquet(path: Path) -> Table:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise BadRecording(f"reading {path} needs pyarrow: pip install 'thinkcap[evals]'") from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            about = _parquet_header(path, file.schema_arrow.metadata or {})
            _require(path, {name: [] for name in REQUIRED if name not in names}, absent=True)
            table = file.read(columns=[name for name in (*REQUIRED, *OPTIONAL) if name in names])
    except pyarrow.ArrowInvalid as error:
        raise BadRecording(f"{path} is no parquet file: {str(error).splitlines()[0]}") from None
    if table.num_rows == 0:
        raise BadRecording(f"{path} holds no attempt")
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    return Table(str(path), "row", range(1, table.num_rows + 1), columns, about)


def _parquet_header(path: Path, metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    """The header, kept as JSON under the key ``thinkcap``; files of other tools have none."""
    about = _object(metadata.get(b"thinkcap")) or {}
    if "schema" in about:
        _check_schema(path, about["schema"])
    return about


def _check_schema(path: Path, schema: object) -> None:
    name, _, version = SCHEMA.rpartition("/")
    found, _, number = str(schema).rpartition("/")
    if found != name or not number.isdecimal():
        raise BadRecording(f"{path} is {schema!r}, not a recording of thinkcap ({SCHEMA})")
    if int(number) > int(version):
        raise BadRecording(f"{path} is {schema}, newer than this thinkcap reads ({SCHEMA}): upgrade thinkcap")


def _require(path: Path, lacking: Mapping[str, list[int]], *, absent: bool = False) -> None:
    missing = [name for name, places in lacking.items() if places or absent]
    if missing:
        places = sorted({place for places in lacking.values() for place in places})
        at = f" in {_named('line', places)}" if places else ""
        needs = ", ".join(REQUIRED)
        raise BadRecording(f"{path} has no {', '.join(missing)}{at}; an attempt needs the columns {needs}")


def _named(unit: str, places: Sequence[int]) -> str:
    shown = ", ".join(str(place) for place in places[:3])
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    return f"{unit}{'s' if len(places) > 1 else ''} {shown}{more}"
