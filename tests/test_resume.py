"""A task outlives its process: interrupted anywhere and gone on with, it pays nothing twice and decides the same."""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.governing import SIDES, Side, billed
from tests.loopback import LoopbackServer, Received, Reply
from tests.test_cli import PRICE, Run, at, run  # noqa: F401 - a fixture
from thinkcap.controller import Account, Recorder
from thinkcap.controller.ledger import Amount
from thinkcap.controller.resuming import read_attempts
from thinkcap.policies import Arm, Attempt, BadInput, CeilingReached, Lead, Outcome, Reason, Vote
from thinkcap.policies.votes import tally

TEXTS = ("41", "42", "no number", "42", "41", "42", "42", "42")
"""Answers in order of arrival: a lead of two is reached at the seventh."""


@pytest.fixture(params=SIDES, ids="-".join)
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    with Side(*request.param) as made:
        yield made


class Killed(BaseException):
    """Stands for the end of a process."""


def bare(outcome: Outcome) -> Any:
    """An outcome without what no two runs share: seconds, texts of other runs and the receipt."""
    return replace(outcome, attempts=tuple(replace(attempt, seconds=None) for attempt in outcome.attempts))


class Book:
    """A server's answers by the number of calls it has answered, so that whoever asks next gets the next answer."""

    def __init__(self, texts: tuple[str, ...] = TEXTS) -> None:
        self.texts = list(texts)

    def __call__(self, request: Received) -> Reply:
        return Reply(text=self.texts.pop(0) if self.texts else "42", output_tokens=9, reasoning_tokens=2)


class Desk:
    """One process's part of a task: account and recorder, opened by name."""

    def __init__(self, side: Side, server: LoopbackServer, folder: Path, **options: Any) -> None:
        self.account = Account("0.5", name="task", ledger=folder / "team.db")
        self.recorder = Recorder(folder / "task.jsonl", keep_answers=True, keep_text=True)
        options = {"policy": Lead(2, most=9), **options}
        self.controller = side.controller(server, account=self.account, recorder=self.recorder, **options)
        self.side = side

    def solve(self, **options: Any) -> Outcome:
        return self.side.solve(self.controller, **{"id": "task", "resume": True, "extract": "number", **options})

    def close(self) -> None:
        self.recorder.close()
        self.account.close()


# The Python API.


@pytest.mark.parametrize("lost", [False, True], ids=["after an attempt is on disk", "before it is on disk"])
def test_interrupted_anywhere_it_comes_to_the_same(side: Side, tmp_path: Path, lost: bool) -> None:
    """Stopped after every single attempt, it decides as an uninterrupted run; only what was in flight is paid again.

    Each process makes one attempt and is stopped. Where the attempt was on disk, the calls of all of them together are
    those of one uninterrupted run. Where it was not, its answer is lost, and the provider gives it again.
    """
    whole = tmp_path / "whole"
    whole.mkdir()
    with LoopbackServer(Book()) as server:
        desk = Desk(side, server, whole)
        expected, calls = desk.solve(resume=False), len(server.billed)
        desk.close()
    assert (expected.answer, expected.reason, calls) == ("42", Reason.AGREED, 7)

    stops, outcome = 0, None
    book = Book()
    with LoopbackServer(book) as server:
        while outcome is None:
            desk = Desk(side, server, tmp_path)
            made = len(read_attempts(tmp_path / "task.jsonl", "task", desk.controller.arms))
            write = desk.recorder.write

            def dying(
                attempt: Attempt, *given: Any, loses: bool = lost and stops % 2 == 0, write: Any = write, **named: Any
            ) -> None:
                if loses:
                    book.texts.insert(0, attempt.text or "")
                    raise Killed
                write(attempt, *given, **named)
                raise Killed

            desk.recorder.write = dying  # type: ignore[method-assign]
            try:
                outcome = desk.solve()
            except Killed:
                stops += 1
            desk.close()
            assert made <= 7
        assert bare(outcome) == bare(expected)
        assert [attempt.text for attempt in outcome.attempts] == [attempt.text for attempt in expected.attempts]
        assert len(server.billed) == (calls + calls if lost else calls)
        with Account("0.5", name="task", ledger=tmp_path / "team.db") as account:
            assert account.balance.money.spent == billed(server)


def test_a_finished_task_is_told_again_for_nothing(side: Side, tmp_path: Path) -> None:
    """Going on with a task that had come to its end makes no call and gives the same outcome."""
    with LoopbackServer(Book()) as server:
        first = Desk(side, server, tmp_path)
        expected = first.solve(resume=False)
        first.close()
        again = Desk(side, server, tmp_path)
        assert bare(again.solve()) == bare(expected)
        assert len(server.requests) == 7
        again.close()


def test_attempts_on_disk_stay_when_the_money_is_gone(side: Side, tmp_path: Path) -> None:
    """With nothing left to spend, the best answer of the attempts on disk is given, and no call made."""
    with LoopbackServer(Book(("7", "42", "42"))) as server:
        desk = Desk(side, server, tmp_path, policy=Vote(3))
        assert desk.solve(resume=False).answer == "42"
        desk.close()
        with pytest.raises(CeilingReached):
            side.solve(side.controller(server, policy=Vote(9), ceiling="0.0001"), extract="number")
        again = Desk(side, server, tmp_path, policy=Vote(9), ceiling="0.0001")
        outcome = again.solve()
        again.close()
        assert (outcome.answer, outcome.reason, len(outcome.attempts)) == ("42", Reason.CEILING, 3)
        assert len(server.requests) == 3


@pytest.mark.parametrize("name", ["task", "a task/with a slash", "\n"])
def test_a_questions_own_ceiling_goes_on_too(side: Side, tmp_path: Path, name: str) -> None:
    """The ceiling of one question holds over all processes together, with what was held when one was interrupted."""
    arm, stops = side.arm(max_output_tokens=100), 0
    with LoopbackServer(Reply(text="no number", output_tokens=100)) as server:
        for _ in range(20):
            desk = Desk(side, server, tmp_path, arms=[arm], policy=Vote(99), ceiling="0.01")

            def stop(_: Any, attempt: Attempt) -> None:
                raise Killed

            try:
                outcome = desk.solve(id=name, extract=lambda text: text, on_attempt=stop)
                break
            except Killed:
                stops += 1
            finally:
                desk.close()
        assert outcome.reason is Reason.CEILING
        assert len(outcome.attempts) == stops == len(server.billed)
        assert outcome.spent_nusd == billed(server) <= 10_000_000


def test_agent_runs_are_gone_on_with(tmp_path: Path) -> None:
    """Runs of an agent that are on disk are not made again either."""

    def agent(client: Any, question: Any, arm: Arm) -> str:
        here.create(client)
        return str(here.create(client).choices[0].message.content)

    with Side("sync", "chat") as here, LoopbackServer(Book(("x", "41", "x", "42", "x", "42", "x", "42"))) as server:
        first = Desk(here, server, tmp_path)

        def stop(_: Any, attempt: Attempt) -> None:
            if attempt.number == 2:
                raise Killed

        with pytest.raises(Killed):
            first.solve(agent=agent, on_attempt=stop)
        first.close()
        second = Desk(here, server, tmp_path)
        outcome = second.solve(agent=agent)
        second.close()
        assert (outcome.answer, [attempt.calls for attempt in outcome.attempts]) == ("42", [2, 2, 2, 2])
        assert outcome.spent_nusd == billed(server)
        assert len(server.billed) == 8


def test_a_resume_needs_answers_and_a_name(side: Side, tmp_path: Path) -> None:
    """Without a name, a recorder, or answers that can be read there is nothing to go on with, and nothing is sent."""
    with LoopbackServer(Reply()) as server, ExitStack() as stack:
        hashed = stack.enter_context(Recorder(tmp_path / "hashed.jsonl"))
        kept = stack.enter_context(Recorder(tmp_path / "kept.jsonl", keep_answers=True))
        for recorder, name, says in (
            (None, "task", "a recorder="),
            (kept, None, "id="),
            (hashed, "task", "keep_answers=True"),
        ):
            with pytest.raises(BadInput, match=says):
                side.solve(side.controller(server, account=Account(1), recorder=recorder), id=name, resume=True)
        with pytest.raises(BadInput, match="needs account="):
            side.solve(side.controller(server, ceiling=1, recorder=kept), id="task", resume=True)
        assert server.requests == []


def row(**changes: Any) -> dict[str, Any]:
    plain = {"question_id": "task", "dataset": None, "arm": "m", "answer": "42", "cost_usd": 0.0001}
    return {**plain, "finish_reason": "stop", "calls": 1, "prompt_tokens": 5, "completion_tokens": 7, **changes}


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), "utf-8")
    return path


def test_what_is_not_the_tasks_is_passed_over(tmp_path: Path) -> None:
    """Rows of other questions, headers and a line that was cut in writing are none of a task's attempts."""
    path = write(tmp_path / "a.jsonl", {"schema": "thinkcap-recording/1"}, row(), row(question_id="other"), [1], row())
    with path.open("a") as file:
        file.write('{"question_id": "task", "arm": "m", "ans')
    attempts = read_attempts(path, "task", [Arm("m")])
    assert [(attempt.number, attempt.answer, attempt.cost_nusd) for attempt in attempts] == [
        (1, "42", 100_000),
        (2, "42", 100_000),
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"arm": "big"}, "was begun with the arm 'big'"),
        ({"cost_usd": -1.0}, "cost_usd"),
        ({"cost_usd": None}, "cost_usd"),
        ({"finish_reason": "well"}, "finish_reason"),
        ({"calls": -1}, "calls"),
        ({"answer": 42}, "answer"),
        ({"completion_tokens": 1e300}, "completion_tokens"),
    ],
)
def test_a_row_that_cannot_be_meant_is_refused(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    """A row that cannot be an attempt of this question is told in one line with its place, and not guessed at."""
    path = write(tmp_path / "a.jsonl", row(), row(**changes))
    with pytest.raises(BadInput, match=says) as refused:
        read_attempts(path, "task", [Arm("m")])
    assert "\n" not in str(refused.value)


# The command.


def task(folder: Path, name: str = "sums") -> list[str]:
    return ["--task", name, "--ledger", str(folder / "team.db")]


def test_a_task_is_gone_on_with(run: Run, tmp_path: Path) -> None:  # noqa: F811
    """A task that was stopped is gone on with by its name alone: question, arms, prices and policy are remembered."""
    stopping = [3]

    def script(request: Received) -> Reply:
        if request.number == stopping[0]:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return Reply(text=TEXTS[min(request.number, len(TEXTS)) - 1])

    with LoopbackServer(script) as server:
        begun = ["--policy", "lead:2/9", "--extract", "number", *at(server), *task(tmp_path)]
        begun += ["--max-output-tokens", "100"]  # what was in flight is held at its cap
        stopped = run("solve", "six times seven?", *begun)
        assert stopped.code == 130
        assert stopped.out.startswith("interrupted")
        assert f"go on with thinkcap solve --task sums --ledger {tmp_path / 'team.db'} --resume" in stopped.err
        stopping[0] = 99
        found = run("solve", *task(tmp_path), "--resume", "--json").json()
        assert found["answer"] == "42"
        assert found["ceiling_usd"] == "0.05"
        assert len(server.billed) <= 7 + 1
        again = run("solve", *task(tmp_path), "--resume")
        assert again.out.splitlines()[0] == "42"
        assert len(server.billed) <= 7 + 1


def test_an_existing_task_is_not_begun_again(run: Run, tmp_path: Path) -> None:  # noqa: F811
    """Without --resume the name of a task that was begun is an error that says what to do, and nothing is sent."""
    with LoopbackServer(Reply()) as server:
        options = [*at(server), *task(tmp_path)]
        assert run("solve", "?", *options).code == 0
        assert run("solve", "?", *options).error() == (
            "task 'sums' was begun before: add --resume to go on with it, or take another name"
        )
        assert len(server.requests) == 1


def test_a_task_that_never_began_begins(run: Run, tmp_path: Path) -> None:  # noqa: F811
    """--resume may be given from the start: where there is nothing to go on with, the task begins, and says so."""
    with LoopbackServer(Reply()) as server:
        for _ in range(2):
            ended = run("solve", "?", "--resume", *at(server), *task(tmp_path))
            assert ended.out.splitlines()[0] == "42"
        assert len(server.requests) == 1
        assert "it begins now" not in ended.err


def test_a_task_killed_before_its_account_was_opened_begins(run: Run, tmp_path: Path) -> None:  # noqa: F811
    """What a process wrote that was killed before it could spend anything is forgotten; attempts never are."""
    path = tmp_path / "team.db.sums.jsonl"
    for left in ("", '{"schema": "thinkcap-rec', '{"schema": "thinkcap-recording/1", "task": {}}\n'):
        path.write_text(left)
        with LoopbackServer(Reply()) as server:
            assert run("solve", "?", *at(server), *task(tmp_path)).code == 0
        (tmp_path / "team.db").unlink()
    with LoopbackServer(Reply()) as server:
        error = run("solve", "?", *at(server), *task(tmp_path)).error()
    assert "holds attempts of a task 'sums' that the ledger does not know" in error


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--resume"], "--resume needs --task NAME and --ledger FILE"),
        (["--task", "a"], "--task needs --ledger FILE"),
        (["--task", "a", "--ledger", "{}/l.db", "--record", "r.jsonl"], "leave out --record"),
        (["--task", "a", "--ledger", "{}/none/l.db"], "cannot write the task's recording"),
        (["--task", "a/b", "--ledger", "{}/l.db"], "open 'a' first"),
    ],
)
def test_what_cannot_be_a_task_is_refused(
    run: Run,  # noqa: F811
    tmp_path: Path,
    words: list[str],
    says: str,
) -> None:
    """A task that nothing could go on with is refused in one line, and nothing is sent."""
    with LoopbackServer(Reply()) as server:
        error = run("solve", "?", *at(server), *(word.format(tmp_path) for word in words)).error()
        assert says in error
        assert server.requests == []


def test_a_task_is_what_it_was_begun_as(run: Run, tmp_path: Path) -> None:  # noqa: F811
    """Another question, arm or policy than the task was begun with is refused by name; another server is not."""
    with LoopbackServer(Reply()) as server:
        assert run("solve", "?", *at(server), *task(tmp_path)).code == 0
        for words, what in (
            (["what else?"], "question ('?')"),
            (["--arm", "big"], "--arm (['m'])"),
            (["--policy", "vote:3"], "--policy (None)"),
        ):
            error = run("solve", *words, *task(tmp_path), "--resume").error()
            assert f"was begun with another {what}: leave it out" in error
        assert (
            "was opened with a ceiling of $0.05" in run("solve", *task(tmp_path), "--resume", "--ceiling", "1").error()
        )
        assert len(server.requests) == 1
    with LoopbackServer(Reply()) as other:
        assert run("solve", *task(tmp_path), "--resume", "--base-url", other.base_url).code == 0


def test_a_task_keeps_its_files_to_itself(run: Run, tmp_path: Path) -> None:  # noqa: F811
    """A task's recording holds its answers and text, is its owner's alone, and holds no key."""
    with LoopbackServer(Reply(text="It is 42.")) as server:
        assert run("solve", "?", "--extract", "number", *at(server), *task(tmp_path, "a b")).code == 0
        (path,) = tmp_path.glob("team.db.a-b-*.jsonl")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert [(row["answer"], row["text"]) for row in rows[1:]] == [("42", "It is 42.")] * 2
        secret = run("solve", "?", "--base-url", "http://user:key@127.0.0.1/v1", "--arm", "m", *task(tmp_path)).error()
        assert "leave the key out of it" in secret


def test_a_task_goes_on_where_it_was_asked(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """The base URL of the environment is remembered too: a key is never sent to another host than before."""
    with LoopbackServer(Reply()) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        options = ["--arm", "m", *PRICE, "--extract", "number", "--policy", "vote:2", *task(tmp_path)]
        assert run("solve", "?", *options).code == 0
        path = tmp_path / "team.db.sums.jsonl"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))  # the second attempt was not written
        monkeypatch.delenv("OPENAI_BASE_URL")
        assert run("solve", *task(tmp_path), "--resume").code == 0
        assert len(server.requests) == 3


def test_what_is_held_is_told(run: Run, tmp_path: Path) -> None:  # noqa: F811
    """A task with a call that was cut off by a kill says beside what it spent what is held for that call."""
    with LoopbackServer(Reply()) as server:
        assert run("solve", "?", *at(server), *task(tmp_path)).code == 0
        with Account("0.05", name="sums", ledger=tmp_path / "team.db") as account:
            account.reserve(Amount(1_000_000))
        said = run("solve", *task(tmp_path), "--resume").out
        assert "spent, $0.001 held for what was interrupted" in " ".join(said.split())


def test_a_lost_recording_is_told(run: Run, tmp_path: Path) -> None:  # noqa: F811
    """An account whose recording is gone has lost what it paid for: that is said, and nothing is sent."""
    with LoopbackServer(Reply()) as server:
        assert run("solve", "?", *at(server), *task(tmp_path)).code == 0
        path = tmp_path / "team.db.sums.jsonl"
        kept = path.read_text()
        path.unlink()
        assert "is gone: put it back" in run("solve", *task(tmp_path), "--resume").error()
        path.write_text(kept.replace('"question": "?"', '"question": 7'))
        assert "cannot be a task's recording: question" in run("solve", *task(tmp_path), "--resume").error()
        path.write_text("")
        assert "does not say what task 'sums' asks" in run("solve", *task(tmp_path), "--resume").error()
        assert len(server.requests) == 1


class Killer:
    """A provider that kills the process asking it at chosen calls, before or after it has answered.

    A process killed after the answer left may have got anywhere with it: settled it, written it down, or not.
    """

    def __init__(self, seed: int, most: int) -> None:
        self.luck = random.Random(seed)
        self.process: subprocess.Popen[bytes] | None = None
        self.kills, self.most = 0, most

    def __call__(self, request: Received) -> Reply:
        assert self.process is not None
        if self.kills < self.most and self.luck.random() < 0.5:
            self.kills += 1
            if self.luck.random() < 0.5:
                self.process.kill()
            else:
                threading.Timer(self.luck.random() * 0.02, self.process.kill).start()
        return Reply(text="42" if request.number > 2 else str(request.number))


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_process_pays_nothing_twice(tmp_path: Path, seed: int) -> None:
    """SIGKILL at random points, and on: the calls billed are those of one run and one for each kill at most.

    The answers are 1, 2, 42, 42 ... in the order they arrive, so that a lead of two needs four attempts on disk, and
    two more if the kills lose the first two answers. What was in flight at a kill stays reserved.
    """
    killer = Killer(seed, most=3)
    with LoopbackServer(killer) as server:
        words = ["solve", "?", "--policy", "lead:2/9", "--extract", "number", *at(server), *task(tmp_path), "--resume"]
        words += ["--max-output-tokens", "100"]
        environment = {**os.environ, "OPENAI_API_KEY": "test"}
        for _ in range(killer.most + 2):
            killer.process = subprocess.Popen(
                [sys.executable, "-m", "thinkcap", *words],
                cwd=Path(__file__).parents[1],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            out, err = killer.process.communicate()
            if killer.process.returncode != -signal.SIGKILL:
                break
        # a request whose sender died between its head and its body never arrived
        server.errors[:] = [error for error in server.errors if not isinstance(error, json.JSONDecodeError)]
        assert killer.process is not None
        assert killer.process.returncode == 0, err
        assert out.splitlines()[0] == b"42"
        path = tmp_path / "team.db.sums.jsonl"
        attempts = read_attempts(path, "sums", [Arm("m")])
        assert len(attempts) <= len(server.billed) <= len(attempts) + killer.kills
        leads = [tally(attempts[:made]).lead for made in range(1, len(attempts) + 1)]
        assert [lead >= 2 for lead in leads] == [False] * (len(attempts) - 1) + [True]
        with Account("0.05", name="sums", ledger=tmp_path / "team.db") as account:
            money = account.balance.money
        assert money.spent + money.reserved >= billed(server)
        assert money.spent >= sum(attempt.cost_nusd for attempt in attempts)
        assert money.spent + money.reserved <= 50_000_000


def test_two_processes_do_not_work_on_one_task(run: Run, tmp_path: Path) -> None:  # noqa: F811
    """While a process works on a task, another one is told so and sends nothing."""
    pytest.importorskip("fcntl", reason="there are no file locks here")
    errors: list[str] = []

    def script(request: Received) -> Reply:
        other = subprocess.run(
            [sys.executable, "-m", "thinkcap", "solve", *task(tmp_path), "--resume"],
            cwd=Path(__file__).parents[1],
            env={**os.environ, "OPENAI_API_KEY": "test"},
            capture_output=True,
            text=True,
        )
        errors.append(other.stderr)
        return Reply()

    with LoopbackServer(script) as server:
        assert run("solve", "?", *at(server), *task(tmp_path)).code == 0
        assert len(server.requests) == 1
    assert errors == ["thinkcap: another process is working on task 'sums': wait for it, or end it\n"]
