"""Writing attempts down: private by default, on disk at once, and never into a file that holds something else."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.governing import PRICES, Side, billed
from tests.loopback import LoopbackServer, Reply
from thinkcap.controller import Controller, Recorder
from thinkcap.evals import load_recording
from thinkcap.policies import SCHEMA, Arm, Attempt, BadInput, Usage, Vote, Where, header

ARM = Arm("m", "low")


def made(answer: str | None = "42", **more: Any) -> Attempt:
    return Attempt(1, ARM, answer, 1_234, Usage(5, 7), text=f"I think that it is {answer}.", **more)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def write(path: Path, *answers: str | None, question: str = "q", **options: Any) -> Path:
    """A recording of one question with these answers."""
    with Recorder(path, **options) as recorder:
        for answer in answers:
            recorder.write(made(answer), Where(question))
    return path


def refusal(path: Path, **options: Any) -> str:
    """Why a recording cannot go on in this file, which is left as it is."""
    before = path.read_bytes()
    with pytest.raises(BadInput) as refused:
        Recorder(path, **options)
    assert path.read_bytes() == before
    assert "\n" not in str(refused.value)
    return str(refused.value)


# What is written.


def test_no_text_and_no_answer_is_written(tmp_path: Path) -> None:
    """By default neither the output nor the answer is in the file; equal answers have equal hashes, others not."""
    path = write(tmp_path / "run.jsonl", "a very plain answer", "another", "a very plain answer", None)
    assert "plain" not in path.read_text("utf-8")
    assert "another" not in path.read_text("utf-8")
    first, second, third, none = [row["answer"] for row in lines(path)[1:]]
    assert first == third != second
    assert none is None


def test_hashes_cannot_be_compared_across_keys(tmp_path: Path) -> None:
    """Two recordings have two keys, so likely answers cannot be tried on one with the help of another."""
    one, other = [lines(write(tmp_path / name, "42"))[1] for name in ("one.jsonl", "other.jsonl")]
    assert one["answer"] != other["answer"]


def test_answers_and_texts_are_kept_only_if_asked_for(tmp_path: Path) -> None:
    """The two options each write what they say, and answers kept as they are need no key."""
    answers = write(tmp_path / "answers.jsonl", "42", keep_answers=True)
    assert lines(answers)[1]["answer"] == "42"
    assert "text" not in lines(answers)[1]
    assert not answers.with_name("answers.jsonl.key").exists()
    texts = write(tmp_path / "texts.jsonl", "42", keep_text=True)
    assert lines(texts)[1]["text"] == "I think that it is 42."
    assert lines(texts)[1]["answer"] != "42"


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    """The recording and its key are readable and writable by their owner alone."""
    path = write(tmp_path / "run.jsonl", "42")
    for file in (path, path.with_name("run.jsonl.key")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_first_line_says_how_it_was_made(tmp_path: Path) -> None:
    """A new file begins with the format and what the caller says; an old one keeps the line it has."""
    path = write(tmp_path / "run.jsonl", about={"seed": 7})
    assert lines(path) == [header(answers="keyed hash", seed=7)]
    write(path, "42", about={"seed": 8})
    assert lines(path)[0]["seed"] == 7


def test_an_attempt_is_on_disk_at_once(tmp_path: Path) -> None:
    """What is written can be read by others before the recorder is closed: nothing waits in memory."""
    path = tmp_path / "run.jsonl"
    with Recorder(path) as recorder:
        recorder.write(made(), Where("q", "set", "family", "run-1"), correct=True, more={"propensity": 0.5})
        row = lines(path)[1]
    assert (row["question_id"], row["dataset"], row["group"], row["run_id"]) == ("q", "set", "family", "run-1")
    assert (row["correct"], row["cost_usd"], row["propensity"]) == (True, 0.000001234, 0.5)


# Going on.


def test_attempts_are_numbered_on(tmp_path: Path) -> None:
    """Attempts at one question and arm count from 0, over all runs of the file, whoever numbered those before."""
    path = write(tmp_path / "run.jsonl", "1", "2")
    with Recorder(path) as recorder:
        assert recorder.holds == {(None, "q", "m:low", 0), (None, "q", "m:low", 1)}
        recorder.write(made(), Where("q"), index=5)
        recorder.write(made(), Where("q"))
        recorder.write(made(), Where("other"))
        recorder.write(made(), Where("q", "set"))
        held = set(recorder.holds)
    rows = [(row["dataset"], row["question_id"], row["arm"], row["attempt"]) for row in lines(path)[1:]]
    assert [row[3] for row in rows] == [0, 1, 5, 6, 0, 0]
    assert held == set(rows)


def test_a_recording_goes_on_with_its_key(tmp_path: Path) -> None:
    """An answer of a later run has the hash it had in an earlier one."""
    path = write(tmp_path / "run.jsonl", "42")
    write(path, "42", "43")
    first, second, third = [row["answer"] for row in lines(path)[1:]]
    assert first == second != third


def test_a_line_that_was_cut_is_ended(tmp_path: Path) -> None:
    """After a run that was killed while writing, the next attempt has a line of its own and the rest is kept."""
    path = write(tmp_path / "run.jsonl", "42", "42")
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    write(path, "42")
    texts = path.read_text("utf-8").splitlines()
    assert len(texts) == 4
    assert json.loads(texts[1])["attempt"] == 0
    assert texts[2] == whole[:-30].decode().splitlines()[2]
    assert json.loads(texts[3])["attempt"] == 1


def test_a_header_that_was_cut_is_written_again(tmp_path: Path) -> None:
    """A run killed in its very first line leaves a file that can still be recorded to, and read."""
    path = tmp_path / "run.jsonl"
    path.write_text(json.dumps(header())[:13])
    write(path, "42", keep_answers=True)
    with pytest.warns(UserWarning, match="line 1 cannot be read"):
        assert load_recording(path).answers == (("42",),)


@pytest.mark.parametrize(
    "content",
    [
        '{"question": "how many?", "answer": 7}\n',
        '{"question": "how many?", "answer": 7}',
        "Dear diary,\n",
        "Dear diary",
        "\n\nlate words\n",
        '{"question_id": "q", "model": "m", "attempt": 0}\n',
        '{"schema": "thinkcap-recording/99"}\n',
        '{"schema": "another-tool/1"}\n',
        '{"schema": "' + SCHEMA + '", "answer_version": 0}\n',
    ],
)
def test_a_file_that_holds_something_else_is_left_alone(tmp_path: Path, content: str) -> None:
    """A file that is no recording of this format, such as the questions themselves, is refused and not touched."""
    path = tmp_path / "run.jsonl"
    path.write_text(content)
    assert "record to another file" in refusal(path)


def test_answers_of_two_forms_do_not_mix(tmp_path: Path) -> None:
    """Hashed and plain answers never agree, so a recording goes on only in the form it began."""
    assert "as keyed hash, not as plain" in refusal(write(tmp_path / "a.jsonl", "42"), keep_answers=True)
    assert "as plain, not as keyed hash" in refusal(write(tmp_path / "b.jsonl", "42", keep_answers=True))


def test_hashed_answers_need_their_key(tmp_path: Path) -> None:
    """Without the key, or with something else in its place, old and new answers could not agree: it is refused."""
    path = write(tmp_path / "run.jsonl", None)
    key = tmp_path / "run.jsonl.key"
    key.unlink()
    write(path, "42")  # nothing was hashed before, so a new key does no harm
    key.write_bytes(b"short")
    assert "is not a recording's key" in refusal(path)
    key.unlink()
    assert "is gone: put it back" in refusal(path)
    assert not key.exists()


# What goes wrong.


def test_a_name_that_replay_could_not_read_is_refused(tmp_path: Path) -> None:
    """A recording is called something.jsonl, so that its name says what it is; nothing is made under another."""
    for name in ("run.json", "run.parquet", "run", "run.jsonl.gz"):
        with pytest.raises(BadInput, match=r"call it something\.jsonl"):
            Recorder(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A missing folder, and a folder in the file's place, are refused in one line."""
    (tmp_path / "folder.jsonl").mkdir()
    for path in (tmp_path / "none" / "run.jsonl", tmp_path / "folder.jsonl"):
        with pytest.raises(BadInput, match="cannot write the recording") as refused:
            Recorder(path)
        assert str(path) in str(refused.value)


def test_a_full_disk_is_said_plainly(tmp_path: Path) -> None:
    """An attempt that the disk does not take is an error in one line, not silence, and what was written is kept."""
    resource = pytest.importorskip("resource", reason="limits of a process are POSIX")
    path = tmp_path / "run.jsonl"
    recorder = Recorder(path)
    recorder.write(made(), Where("q"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        with pytest.raises(BadInput, match=r"cannot write the recording .*run\.jsonl"):
            recorder.write(made(), Where("q"))
        recorder.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [row["attempt"] for row in lines(path)[1:]] == [0]


def test_many_threads_write_whole_lines(tmp_path: Path) -> None:
    """Attempts of many threads are each a line of their own, and no two have the same number."""
    path = tmp_path / "run.jsonl"
    with Recorder(path) as recorder, ThreadPoolExecutor(8) as pool:
        for _ in range(200):
            pool.submit(recorder.write, made("x" * 5_000), Where("q"))
    assert sorted(row["attempt"] for row in lines(path)[1:]) == list(range(200))


# As a controller writes it.


def test_what_a_controller_did_is_written(tmp_path: Path) -> None:
    """Every attempt of a solve is a row that replay reads, and the rows cost what the provider billed."""
    path = tmp_path / "run.jsonl"
    with Side("sync", "chat") as side, LoopbackServer([Reply(text="41"), Reply(text="42")]) as server:
        with Recorder(path) as recorder:
            controller = side.controller(server, policy=Vote(3), ceiling=1, recorder=recorder)
            side.solve(controller, extract="number", id="mine")
        found = load_recording(path)
        assert found.questions == ("mine",)
        assert found.answer.tolist() == [0, 1, 1]
        assert int(found.cost_nusd.sum()) == billed(server)


def test_unnamed_questions_are_told_apart(tmp_path: Path) -> None:
    """In a recording a question without a name is named by what is asked: the same in every run, none by another."""
    path = tmp_path / "run.jsonl"
    asked: list[Any] = ["six times seven?", [{"role": "user", "content": "seven?"}], "six times seven?"]
    with Side("sync", "chat") as side, LoopbackServer(Reply()) as server:
        for question in asked:
            with Recorder(path) as recorder:
                controller: Controller = side.controller(server, ceiling=1, recorder=recorder, prices=PRICES)
                controller.solve(question, extract="number")
    first, second, third = [row["question_id"] for row in lines(path)[1:]]
    assert first == third != second
    assert "six" not in path.read_text("utf-8")
    assert load_recording(path).rows(0, 0) == slice(0, 2)
