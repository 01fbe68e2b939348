"""``thinkcap batch``: a file of questions under one budget, from the command line."""

from __future__ import annotations

import json
import shutil
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import Fault, LoopbackServer, Received, Reply
from tests.test_cli import Run, run  # noqa: F401 - a fixture
from thinkcap.demo import curve_path

PRICE = ["--price", "m=1/10", "--arm", "m"]


@pytest.fixture
def questions(tmp_path: Path) -> str:
    path = tmp_path / "questions.jsonl"
    rows = [
        {"id": f"q{number}", "question": f"What is {number} + 1?", "answer": str(number + 1)} for number in range(6)
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(path)


def answer(request: Received) -> Reply:
    number = int(str(request.body["messages"]).partition("What is ")[2].partition(" ")[0])
    return Reply(text="0" if number == 3 else str(number + 1))


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_file_of_questions_is_answered(run: Run, questions: str, tmp_path: Path) -> None:  # noqa: F811
    """Every question has a row in the order of the file, and the last lines say what it came to."""
    with LoopbackServer(answer) as server:
        done = run(
            *["batch", questions, "--budget", "0.5", "--policy", "vote:2", "-o", str(tmp_path / "answers.jsonl")],
            *["--base-url", server.base_url, *PRICE],
        )
        assert done.code == 0, done.err
        assert len(server.requests) == 12
    rows = rows_of(tmp_path / "answers.jsonl")
    assert [row["question_id"] for row in rows] == [f"q{number}" for number in range(6)]
    assert [row["correct"] for row in rows] == [True, True, True, False, True, True]
    assert "6 of 6 answered, 12 attempts" in done.out
    assert "83.3 % right of 6 that can be graded" in done.out


def test_its_json_adds_up(run: Run, questions: str) -> None:  # noqa: F811
    """The JSON's attempts and dollars are those of its questions, and of its receipt."""
    with LoopbackServer(answer) as server:
        done = run("batch", questions, "--budget", "0.5", "--base-url", server.base_url, *PRICE, "--json")
    found = json.loads(done.out)
    assert found["attempts"] == sum(row["attempts"] for row in found["outcomes"]) == 12
    assert found["spent_usd"] == pytest.approx(sum(row["usd"] for row in found["outcomes"]))
    assert float(found["receipt"]["spent_usd"]) == pytest.approx(found["spent_usd"])
    assert (found["answered"], found["graded"], found["interrupted"], found["stopped"]) == (6, 6, False, None)


def test_a_curve_says_what_to_buy(run: Run, questions: str, tmp_path: Path) -> None:  # noqa: F811
    """With the curve that ships its own arms are asked, and what it promises is printed with the gap."""
    path = tmp_path / "curve.json.gz"
    shutil.copy(curve_path(), path)
    with LoopbackServer(Reply(text="The answer is 7.", output_tokens=9)) as server:
        done = run(
            *["batch", questions, "--budget", "0.0006", "--curve", str(path), "--base-url", server.base_url],
            *["--price", "smollm2-135m=0.05/0.40"],
        )
    assert done.code == 0, done.err
    assert "by the curve: " in done.out
    assert "more by any other split of this budget" in done.out


def test_it_goes_on_where_it_was_broken_off(run: Run, questions: str, tmp_path: Path) -> None:  # noqa: F811
    """Begun again without --resume it is refused; with it, what is on record is not paid again."""
    books = str(tmp_path / "books.db")
    common = ["batch", questions, "--budget", "0.5", "--policy", "vote:2", "--ledger", books, *PRICE]
    with LoopbackServer(answer) as server:
        assert run(*common, "--base-url", server.base_url).code == 0
        again = run(*common, "--base-url", server.base_url)
        assert again.code == 2
        assert "was begun before" in again.err
        more = run(*common, "--base-url", server.base_url, "--resume")
        assert more.code == 0, more.err
        assert "6 of 6 answered, 12 attempts" in more.out
        assert len(server.requests) == 12


def test_ctrl_c_keeps_the_answers_so_far(run: Run, questions: str, tmp_path: Path) -> None:  # noqa: F811
    """Ctrl-C ends with exit code 130, the answers so far in the file, and all that was billed told as spent."""

    def script(request: Received) -> Reply:
        if request.number == 3:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return answer(request)

    with LoopbackServer(script) as server:
        done = run(
            *["batch", questions, "--budget", "0.5", "--concurrency", "1", "-o", str(tmp_path / "answers.jsonl")],
            *["--base-url", server.base_url, *PRICE, "--json"],
        )
        billed = sum(bill.input_tokens * 1e-6 + bill.output_tokens * 1e-5 for bill in server.billed)
    assert done.code == 130
    found = json.loads(done.out)
    assert found["interrupted"]
    assert found["spent_usd"] == pytest.approx(billed)
    rows = rows_of(tmp_path / "answers.jsonl")
    assert len(rows) == 6
    assert 2 <= sum(row["answer"] is not None for row in rows) <= 4
    assert {row["reason"] for row in rows} == {"interrupted"}


def test_ctrl_c_does_not_lose_what_an_earlier_process_answered(
    run: Run,  # noqa: F811
    questions: str,
    tmp_path: Path,
) -> None:
    """A batch that goes on and is broken off again still writes the answers that were paid for before."""
    stop_at = [3]

    def script(request: Received) -> Reply:
        if request.number == stop_at[0]:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return answer(request)

    answers = tmp_path / "answers.jsonl"
    common = ["batch", questions, "--budget", "0.5", "--policy", "vote:2", "--concurrency", "1", *PRICE]
    common += ["--ledger", str(tmp_path / "books.db"), "-o", str(answers)]
    kept = []
    with LoopbackServer(script) as server:
        for more in ([], ["--resume"]):
            assert run(*common, *more, "--base-url", server.base_url).code == 130
            kept.append({row["question_id"] for row in rows_of(answers) if row["answer"] is not None})
            stop_at[0] = len(server.requests) + 1
    assert kept[0]
    assert kept[0] < kept[1]


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_paid(
    run: Run,  # noqa: F811
    questions: str,
    tmp_path: Path,
) -> None:
    """Answers that could not be kept are not bought."""
    with LoopbackServer(answer) as server:
        to = ["-o", str(tmp_path / "nowhere" / "answers.jsonl"), "--base-url", server.base_url]
        done = run("batch", questions, "--budget", "0.5", *to, *PRICE)
        assert not server.requests
    assert "cannot write the answers to" in done.error()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--budget", "free"], "--budget"),
        (["--budget", "1", "--resume"], "--resume needs --ledger"),
        (["--budget", "1", "--curve", "none.json", "--policy", "lead:2"], "exclude each other"),
        (["--budget", "1", "--curve", "none.json"], "none.json"),
    ],
)
def test_bad_options_are_one_line(run: Run, questions: str, options: list[str], says: str) -> None:  # noqa: F811
    """What cannot be meant is refused in one line that names it, with exit code 2, and nothing is asked."""
    with LoopbackServer(answer) as server:
        done = run("batch", questions, *options, "--base-url", server.base_url, *PRICE)
        assert not server.requests
    assert done.code == 2
    assert says in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_a_provider_that_is_down_is_one_line(run: Run, questions: str) -> None:  # noqa: F811
    """A provider that refuses every call ends the command with its error."""
    with LoopbackServer(Fault("status", code=401)) as server:
        done = run("batch", questions, "--budget", "1", "--base-url", server.base_url, *PRICE)
    assert done.code == 2
    assert "401" in done.err
