"""Inspect AI's logs, ``.eval`` and ``.json``: one row for each sample and epoch.

An ``.eval`` file is a zip of JSON files, one a sample (`inspect_ai` 0.3; format version 2). Its members are compressed
with Zstandard, which Python's own zip module reads from 3.14 on; before that pyarrow does.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from thinkcap.evals.importers.shared import CostOf, Row, graded
from thinkcap.policies.errors import BadInput, BadRecording
from thinkcap.policies.money import usd
from thinkcap.policies.values import Usage

__all__ = ["inspect_rows", "is_inspect_log"]

_ZSTANDARD = 93
_LARGEST = 2**28  # bytes of one sample


def is_inspect_log(path: Path) -> bool:
    """Whether a file is a log by its name: ``.eval``, or ``.json``."""
    return path.suffix.lower() in (".eval", ".json")


def inspect_rows(path: Path, cost_of: CostOf, scorer: str | None = None) -> Iterator[Row]:
    """The samples of a log as rows; ``attempt`` counts its epochs from 0.

    Args:
        path: the log.
        cost_of: what tokens of a model cost; for models whose cost the log does not hold.
        scorer: whose grade counts; None takes the first.

    Raises:
        BadRecording: if the file is no such log, or has no sample.
        BadInput: if the scorer graded nothing.
    """
    about, samples = _read(path)
    found = about.get("eval")
    if not isinstance(found, Mapping) or not isinstance(found.get("model"), str):
        raise BadRecording(f"{path} is no log of Inspect: it does not say which model was evaluated")
    config = found.get("model_generate_config")
    effort = _effort(config if isinstance(config, Mapping) else {})
    count = 0
    for sample in samples:
        count += 1
        yield {
            "dataset": found.get("task"),
            "question_id": str(sample.get("id")),
            "model": found["model"],
            "effort": effort,
            "attempt": int(sample.get("epoch") or 1) - 1,
            "run_id": found.get("run_id"),
            **_grade(path, sample, scorer),
            **_cost(sample, found["model"], cost_of),
            **_course(sample),
        }
    if not count:
        raise BadRecording(f"{path} holds no sample: log them (log_samples), and give a log that has ended")


def _effort(config: Mapping[str, Any]) -> str | None:
    effort, tokens = config.get("reasoning_effort"), config.get("reasoning_tokens")
    return effort if isinstance(effort, str) else f"budget_{tokens}" if tokens else None


def _grade(path: Path, sample: Mapping[str, Any], scorer: str | None) -> Row:
    scores = sample.get("scores") or {}
    if scorer is not None and scores and scorer not in scores:
        raise BadInput(f"{path} has no scorer {scorer!r}; it has {', '.join(scores)}")
    score = scores.get(scorer) if scorer is not None else next(iter(scores.values()), None)
    if not isinstance(score, Mapping):
        return {"correct": None, "answer": None}
    answer = score.get("answer")
    return {"correct": graded(score.get("value")), "answer": answer if isinstance(answer, str) else None}


def _cost(sample: Mapping[str, Any], model: str, cost_of: CostOf) -> Row:
    """Tokens and dollars of all models that the sample called."""
    used = sample.get("model_usage") or {}
    total, nusd = Usage(0, 0, 0, 0, 0), 0
    for name, told in used.items():
        cached = int(told.get("input_tokens_cache_read") or 0)
        stored = int(told.get("input_tokens_cache_write") or 0)
        fresh, written = int(told.get("input_tokens") or 0), int(told.get("output_tokens") or 0)
        usage = Usage(fresh + cached + stored, written, int(told.get("reasoning_tokens") or 0), cached, stored)
        total += usage
        known = told.get("total_cost")
        nusd += round(known * 1e9) if isinstance(known, (int, float)) else cost_of(str(name), usage)
    if not used:
        return {"prompt_tokens": None, "completion_tokens": None, "cost_usd": None}
    return {
        "prompt_tokens": total.input_tokens,
        "completion_tokens": total.output_tokens,
        "reasoning_tokens": total.reasoning_tokens,
        "cached_tokens": total.cached_tokens,
        "cache_write_tokens": total.cache_write_tokens,
        "cost_usd": float(usd(nusd)),
        "calls": None if len(used) == 1 and model in used else len(used),
    }


def _course(sample: Mapping[str, Any]) -> Row:
    """How long it took, and how it ended."""
    seconds = sample.get("working_time") or sample.get("total_time")
    output = sample.get("output")
    choices = output.get("choices") if isinstance(output, Mapping) else None
    error, limit = sample.get("error"), sample.get("limit")
    return {
        "latency_s": seconds if isinstance(seconds, (int, float)) else None,
        "finish_reason": choices[0].get("stop_reason") if choices else None,
        "started_at": _stamp(sample.get("started_at")),
        "error": _line(error) or (f"limit: {limit.get('type')}" if isinstance(limit, Mapping) else None),
    }


def _line(error: Any) -> str | None:
    text = error.get("message") if isinstance(error, Mapping) else None
    return text.splitlines()[0][:200] if isinstance(text, str) and text else None


def _stamp(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return None


def _read(path: Path) -> tuple[Mapping[str, Any], Iterator[Mapping[str, Any]]]:
    try:
        whole = json.loads(path.read_text("utf-8")) if path.suffix.lower() == ".json" else None
        archive = zipfile.ZipFile(path) if whole is None else None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, zipfile.BadZipFile, RecursionError):
        raise BadRecording(f"{path} is no log of Inspect: it is no {path.suffix[1:]} file") from None
    if archive is None:
        if not isinstance(whole, dict):
            raise BadRecording(f"{path} is no log of Inspect: it is no JSON object")
        return whole, iter(whole.get("samples") or ())
    names = set(archive.namelist())
    header = next((name for name in ("header.json", "_journal/start.json") if name in names), None)
    if header is None:
        raise BadRecording(f"{path} is no log of Inspect: it has no header")
    samples = (info for info in archive.infolist() if info.filename.startswith("samples/"))
    return _member(path, archive, archive.getinfo(header)), (_member(path, archive, info) for info in samples)


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Mapping[str, Any]:
    if info.file_size > _LARGEST:
        raise BadRecording(f"{path}: {info.filename} is too large ({info.file_size:,} bytes)")
    try:
        found = json.loads(_bytes(path, archive, info))
    except (ValueError, OSError, zipfile.BadZipFile, RecursionError):
        raise BadRecording(f"{path}: {info.filename} is damaged") from None
    if not isinstance(found, dict):
        raise BadRecording(f"{path}: {info.filename} is damaged")
    return found


def _bytes(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(info)
    except NotImplementedError:
        if info.compress_type != _ZSTANDARD:
            raise BadRecording(f"{path}: {info.filename} is compressed in an unknown way") from None
    try:
        from pyarrow import Codec
    except ImportError:
        raise BadInput(f"reading {path} needs pyarrow: pip install 'thinkcap[evals]'") from None
    file: IO[bytes] | None = archive.fp
    assert file is not None
    file.seek(info.header_offset)
    name, extra = struct.unpack("<26xHH", file.read(30))  # a member's own header comes before its data
    file.seek(name + extra, 1)
    packed = file.read(info.compress_size)
    return bytes(Codec("zstd").decompress(packed, info.file_size).to_pybytes())
