"""Importers: what other tools wrote becomes a recording, and what is wrong with it is told."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.test_cli import Run, run  # noqa: F401 - a fixture
from thinkcap.evals import Recording, load_recording, write_recording
from thinkcap.evals.importers import import_rows
from thinkcap.policies import BadInput, BadRecording, Usage, header


def cost_of(model: str, usage: Usage) -> int:
    """A micro-dollar a token."""
    return 1000 * (usage.input_tokens + usage.output_tokens)


def sample(name: str, epoch: int, grade: Any, **more: Any) -> dict[str, Any]:
    """A sample as inspect_ai 0.3.285 writes it, without its events."""
    usage = {
        "input_tokens": 20,
        "output_tokens": 9,
        "total_tokens": 33,
        "input_tokens_cache_read": 4,
        "reasoning_tokens": 3,
    }
    return {
        "id": name,
        "epoch": epoch,
        "output": {"model": "p/m", "choices": [{"stop_reason": "stop"}]},
        "scores": {"match": {"value": grade, "answer": "42"}, "other": {"value": "C", "answer": "7"}},
        "model_usage": {"p/m": usage},
        "started_at": "2026-11-25T08:44:58+00:00",
        "working_time": 0.5,
        **more,
    }


ABOUT = {
    "version": 2,
    "status": "success",
    "eval": {"run_id": "r1", "task": "sums", "model": "p/m", "model_generate_config": {"reasoning_effort": "high"}},
}
SAMPLES = [sample("a", 1, "C"), sample("a", 2, "I"), sample("b", 1, 1.0), sample("b", 2, 0.5)]


def zipped(path: Path, members: dict[str, Any], *, zstandard: bool = False) -> Path:
    """A zip of JSON files; with Zstandard written by hand, since Python's own module learns that only in 3.14."""
    if not zstandard:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, value in members.items():
                archive.writestr(name, json.dumps(value))
        return path
    from pyarrow import Codec

    body, directory = b"", b""
    for name, value in members.items():
        data = json.dumps(value).encode()
        packed = Codec("zstd").compress(data).to_pybytes()
        told = (63, 0, 93, 0, 33, zlib.crc32(data), len(packed), len(data), len(name), 0)
        fixed = struct.pack("<HHHHHIIIHH", *told)
        directory += b"PK\x01\x02" + struct.pack("<H", 63) + fixed
        directory += struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name.encode()
        body += b"PK\x03\x04" + fixed + name.encode() + packed
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    path.write_bytes(body + directory + b"PK\x05\x06" + end)
    return path


def members() -> dict[str, Any]:
    return {
        "_journal/start.json": ABOUT,
        **{f"samples/{each['id']}_epoch_{each['epoch']}.json": each for each in SAMPLES},
        "header.json": ABOUT,
    }


def read(path: Path, rows: list[dict[str, Any]]) -> Recording:
    write_recording(path, rows, header())
    return load_recording(path)


@pytest.mark.parametrize("kind", ["deflate", "zstandard", "json"])
def test_an_inspect_log_becomes_attempts(tmp_path: Path, kind: str) -> None:
    """Each epoch of a sample is an attempt with its grade, answer, tokens (cached ones included), cost and run."""
    if kind == "json":
        log = tmp_path / "log.json"
        log.write_text(json.dumps({**ABOUT, "samples": SAMPLES}))
    else:
        log = zipped(tmp_path / "log.eval", members(), zstandard=kind == "zstandard")
    rows = import_rows([log], cost_of)
    assert [(row["question_id"], row["attempt"], row["correct"]) for row in rows] == [
        ("a", 0, True),
        ("a", 1, False),
        ("b", 0, True),
        ("b", 1, None),
    ]
    first = rows[0]
    assert (first["prompt_tokens"], first["completion_tokens"], first["cached_tokens"]) == (24, 9, 4)
    assert first["cost_usd"] == pytest.approx(33e-6)
    assert (first["dataset"], first["model"], first["effort"], first["run_id"]) == ("sums", "p/m", "high", "r1")
    found = read(tmp_path / "run.parquet", rows)
    assert ([arm.label for arm in found.arms], len(found.questions)) == (["p/m:high"], 2)


def test_another_scorer_can_be_asked(tmp_path: Path) -> None:
    """--scorer takes that one's grade and answer; one that is not there is named with those that are."""
    log = zipped(tmp_path / "log.eval", members())
    assert {(row["correct"], row["answer"]) for row in import_rows([log], cost_of, scorer="other")} == {(True, "7")}
    with pytest.raises(BadInput, match="no scorer 'judge'; it has match, other"):
        import_rows([log], cost_of, scorer="judge")


def test_samples_that_failed_are_ungraded(tmp_path: Path) -> None:
    """An error or a limit is noted in a line; without a score nothing is said of right and wrong."""
    failed = sample("a", 1, "C", scores={}, error={"message": "broken\nmore"}, model_usage={}, output={"choices": []})
    cut = sample("b", 1, "I", limit={"type": "token", "limit": 5})
    log = tmp_path / "log.json"
    log.write_text(json.dumps({**ABOUT, "samples": [failed, cut]}))
    rows = import_rows([log], cost_of)
    assert [(row["correct"], row["error"]) for row in rows] == [(None, "broken"), (False, "limit: token")]
    assert rows[0]["cost_usd"] is None


def test_several_runs_add_up(tmp_path: Path) -> None:
    """Attempts of a second log of the same model and task are numbered after those of the first."""
    logs = [zipped(tmp_path / f"{name}.eval", members()) for name in ("one", "two")]
    rows = import_rows(logs, cost_of)
    assert sorted(row["attempt"] for row in rows if row["question_id"] == "a") == [0, 1, 2, 3]


def test_a_table_is_read_by_its_columns(tmp_path: Path) -> None:
    """Columns are renamed and set, grades read, attempts counted, and costs computed where there are none."""
    table = tmp_path / "t.csv"
    table.write_text("qid,ok,tokens,ans\na,1,10,x\na,no,12,y\nb,True,11,\n")
    columns = {"qid": "question_id", "ok": "correct", "tokens": "completion_tokens", "ans": "answer"}
    rows = import_rows([table], cost_of, columns=columns, values={"model": "m", "dataset": "d"})
    assert [(row["question_id"], row["attempt"], row["correct"], row["answer"]) for row in rows] == [
        ("a", 0, True, "x"),
        ("a", 1, False, "y"),
        ("b", 0, True, None),
    ]
    assert [row["cost_usd"] for row in rows] == pytest.approx([1e-5, 1.2e-5, 1.1e-5])
    assert len(read(tmp_path / "run.jsonl.gz", rows).question) == 3


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "jsonl.gz"])
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str) -> None:
    """A recording of any kind holds what was given to it, columns that thinkcap does not know included."""
    row = {"question_id": "q", "model": "m", "attempt": 0, "correct": True, "answer": "4", "completion_tokens": 5}
    rows = [{**row, "cost_usd": 0.25, "mine": {"deep": 1}}, {**row, "attempt": 1, "cost_usd": 0.5, "mine": None}]
    found = read(tmp_path / f"run.{suffix}", rows)
    assert found.cost_nusd.tolist() == [250_000_000, 500_000_000]
    path = tmp_path / f"run.{suffix}"
    assert path.stat().st_mode & 0o077 == 0
    if suffix == "jsonl":
        assert json.loads(path.read_text().splitlines()[1])["mine"] == {"deep": 1}
        assert [each["mine"] for each in import_rows([path], cost_of)] == [{"deep": 1}, None]


@pytest.mark.parametrize(
    ("name", "text", "error", "says"),
    [
        ("x.txt", "", BadInput, "of no known kind"),
        ("x.json", "{", BadRecording, "is no json file"),
        ("x.json", "[]", BadRecording, "no JSON object"),
        ("x.json", "{}", BadRecording, "does not say which model"),
        ("x.json", json.dumps(ABOUT), BadRecording, "holds no sample"),
        ("x.eval", "PK", BadRecording, "is no eval file"),
        ("x.csv", "question_id,correct\n", BadInput, "has no model, completion_tokens"),
        (
            "x.csv",
            "question_id,model,correct,completion_tokens\nq,m,1,many\n",
            BadRecording,
            "line 2: completion_tokens",
        ),
        ("x.jsonl", '{"question_id": "q"', BadRecording, "line 1 is no JSON object"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str, text: str, error: type[Exception], says: str) -> None:
    """Each is one line that names the file and what is wrong with it."""
    (tmp_path / name).write_text(text)
    with pytest.raises(error, match=says) as caught:
        import_rows([tmp_path / name], cost_of)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_columns_that_are_not_there_are_told(tmp_path: Path) -> None:
    """A table's column that is not there, and a recording's that does not exist, are named with those that do."""
    table = tmp_path / "t.csv"
    table.write_text("qid,model,correct,completion_tokens\n")
    with pytest.raises(BadInput, match="no column 'id'; it has qid, model"):
        import_rows([table], cost_of, columns={"id": "question_id"})
    with pytest.raises(BadInput, match="a recording has no column 'question'"):
        import_rows([table], cost_of, columns={"qid": "question"})


def test_a_damaged_member_is_told(tmp_path: Path) -> None:
    """A sample that is no JSON object, and a file without a header, are named."""
    with pytest.raises(BadRecording, match=r"samples/a_epoch_1\.json is damaged"):
        import_rows([zipped(tmp_path / "log.eval", {"header.json": ABOUT, "samples/a_epoch_1.json": [1]})], cost_of)
    with pytest.raises(BadRecording, match="has no header"):
        import_rows([zipped(tmp_path / "log.eval", {"samples/a_epoch_1.json": SAMPLES[0]})], cost_of)


def test_the_command_imports_and_replays(run: Run, tmp_path: Path) -> None:  # noqa: F811
    """`thinkcap import` writes a recording that `thinkcap replay` reads, at the prices given; mistakes are one line."""
    log, out = zipped(tmp_path / "log.eval", members()), tmp_path / "run.parquet"
    assert run("import", log, "-o", out, "--price", "p/m=1/2").out.strip() == f"{out}: 4 attempts"
    found = json.loads(run("replay", out, "--json").out)
    assert found[0]["usd"] == pytest.approx(24e-6 + 18e-6)
    assert "--price p/m=IN/OUT" in run("import", log, "-o", out).error()
    assert "--map is written" in run("import", log, "-o", out, "--map", "x").error()
    assert "name another file" in run("import", log, "-o", tmp_path / "no" / "x.parquet", "--price", "p/m=1/2").error()
    assert "must end in" in run("import", log, "-o", tmp_path / "x.txt", "--price", "p/m=1/2").error()
