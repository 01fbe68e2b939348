"""The command, as typed: what it prints, what it leaves on disk, its exit codes, and errors in one line."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import Fault, LoopbackServer, Received, Reply, unsupported_effort
from thinkcap.cli import main

PRICE = ("--price", "m=1/10", "--price", "big=2/20")


@dataclass(frozen=True)
class Ended:
    """What a command came to."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Its standard output, which is JSON and nothing else."""
        assert self.code == 0, self.err
        return json.loads(self.out)

    def error(self) -> str:
        """Its error: one line on standard error, nothing on standard output, and exit code 2."""
        assert (self.code, self.out) == (2, "")
        assert self.err.startswith("thinkcap: ")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("thinkcap: ").rstrip("\n")


Run = Callable[..., Ended]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process."""

    def run(*words: object, stdin: str = "") -> Ended:
        monkeypatch.setattr(sys, "argv", ["thinkcap", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            with pytest.raises(SystemExit) as ended:
                main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, said.out, said.err)

    return run


def at(server: LoopbackServer, *arms: str) -> list[str]:
    """Options that ask this server at these arms, by default at one."""
    return ["--base-url", server.base_url, *PRICE, *(word for arm in arms or ("m",) for word in ("--arm", arm))]


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write(
        tmp_path / "questions.jsonl",
        {"id": "six", "question": "six times seven?", "answer": 42},
        {"id": "two", "question": "two and two?", "answer": 4},
    )


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Three attempts at each of two questions with one arm, right on the first question only."""
    rows = [
        {
            "question_id": question,
            "model": "m",
            "attempt": attempt,
            "correct": question == "six",
            "answer": "42",
            "completion_tokens": 7,
            "cost_usd": 0.0001,
        }
        for question in ("six", "two")
        for attempt in range(3)
    ]
    return write(tmp_path / "run.jsonl", *rows)


# The frame.


def test_the_command_alone_shows_what_there_is(run: Run) -> None:
    """Without a word, and with --help, it lists its subcommands and ends well."""
    alone = run()
    assert alone == run("--help")
    assert alone.code == 0
    for name in ("demo", "solve", "record", "replay"):
        assert f"\n  {name} " in alone.out


def test_the_module_is_the_command() -> None:
    """``python -m thinkcap`` is the same command, and an error leaves no traceback there either."""
    for words, code, says in (
        (["--version"], 0, "thinkcap "),
        (["solve", "why?", "--arm", "m"], 2, "thinkcap: no API key: set OPENAI_API_KEY"),
    ):
        done = subprocess.run([sys.executable, "-m", "thinkcap", *words], capture_output=True, text=True)
        assert done.returncode == code
        assert (done.stderr if code else done.stdout).startswith(says)
        assert (done.stdout + done.stderr).count("\n") == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["slove", "why?"], "No such command 'slove'"),
        (["solve"], "Missing argument 'question' (see thinkcap solve --help)"),
        (["solve", "why?", "--cieling", "1"], "No such option: --cieling"),
        (["solve", "why?", "--seconds", "soon"], "Invalid value for '--seconds'"),
        (["solve", "why?", "--max-output-tokens", "0"], "Invalid value for '--max-output-tokens'"),
        (["record", "q.jsonl", "-o", "o.jsonl"], "Missing option '--budget' (see thinkcap record --help)"),
        (["record", "q.jsonl", "-o", "o.jsonl", "--budget", "1", "--attempts", "0"], "Invalid value for '--attempts'"),
        (["replay", "--permutations", "x"], "Invalid value for '--permutations'"),
    ],
)
def test_a_command_that_is_mistyped_says_where_to_look(run: Run, words: list[str], says: str) -> None:
    """A word that is unknown, missing or no value is named in one line, with the help to read."""
    error = run(*words).error()
    assert error.startswith(says)
    assert error.endswith("--help)")


# solve


def test_solve_prints_the_answer_first(run: Run) -> None:
    """The answer stands alone in the first line; below are the attempts, why it ended and what it cost."""
    with LoopbackServer(Reply(text="It is 42.", input_tokens=2)) as server:
        ended = run("solve", "six times seven?", "--extract", "number", *at(server))
    assert ended.code == 0
    assert ended.err == ""
    assert ended.out.splitlines()[0] == "42"
    assert "agreed: $0.000144 of $0.05 spent" in ended.out  # two attempts of 2 x $1 and 7 x $10 a million tokens


def test_solve_prints_json(run: Run) -> None:
    """With --json the outcome is JSON alone: its parts add up to what was spent, and money is exact text."""
    with LoopbackServer(Reply(text="It is 42.", input_tokens=2)) as server:
        found = run("solve", "?", "--extract", "number", "--ceiling", "5e-2", "--json", *at(server)).json()
    assert (found["answer"], found["reason"], found["agreement"]) == ("42", "agreed", 1.0)
    assert (found["spent_usd"], found["ceiling_usd"], found["text"]) == ("0.000144", "0.05", "It is 42.")
    assert [attempt["cost_usd"] for attempt in found["attempts"]] == ["0.000072", "0.000072"]
    assert [attempt["output_tokens"] for attempt in found["attempts"]] == [7, 7]
    assert (found["receipt"]["ceiling_usd"], found["receipt"]["spent_usd"]) == ("0.05", "0.000144")
    assert found["receipt"]["reserved_usd"] == "0"


def test_solve_reads_the_question_from_a_pipe(run: Run) -> None:
    """A dash takes the question from standard input."""
    with LoopbackServer(Reply()) as server:
        assert run("solve", "-", *at(server), stdin="six times seven?").code == 0
        assert server.requests[0].body["messages"][0]["content"] == "six times seven?"


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_solve_sends_what_the_options_say(run: Run, api: str) -> None:
    """Effort, cap and temperature reach the provider, over the API that was asked for."""
    options = ["--api", api, "--max-output-tokens", "77", "--temperature", "0.3"]
    with LoopbackServer(Reply()) as server:
        assert run("solve", "?", *options, *at(server, "m:low")).code == 0
        body = server.requests[0].body
    assert (body["model"], body["temperature"]) == ("m", 0.3)
    if api == "chat":
        assert (body["reasoning_effort"], body["max_completion_tokens"]) == ("low", 77)
    else:
        assert (body["reasoning"], body["max_output_tokens"]) == ({"effort": "low"}, 77)


def test_solve_takes_a_policy_and_a_verifier(run: Run) -> None:
    """A policy says how many attempts are bought, and the first answer that the pattern matches ends it."""
    with LoopbackServer(Reply()) as server:
        options = ["--extract", "number", "--policy", "vote:3", "--json"]
        assert len(run("solve", "?", *options, *at(server)).json()["attempts"]) == 3
    with LoopbackServer([Reply(text="41"), Reply(text="42")]) as server:
        found = run("solve", "?", "--extract", "number", "--verify", "4[02468]", "--json", *at(server)).json()
        assert (found["answer"], found["reason"], len(found["attempts"])) == ("42", "verified", 2)


def test_solve_records_what_replay_reads(run: Run, tmp_path: Path) -> None:
    """--record appends every attempt, and two questions stay two."""
    path = tmp_path / "mine.jsonl"
    with LoopbackServer(Reply(text="It is 42.")) as server:
        for question in ("six times seven?", "seven times six?", "six times seven?"):
            assert run("solve", question, "--extract", "number", "--record", path, *at(server)).code == 0
    ids = [json.loads(line)["question_id"] for line in path.read_text("utf-8").splitlines()[1:]]
    assert len(ids) == 6
    assert ids[:2] == ids[4:] != ids[2:4]


def test_questions_in_one_ledger_have_a_ceiling_each(run: Run, tmp_path: Path) -> None:
    """A ledger keeps the accounts of many questions: none takes the money of another, whatever its ceiling."""
    ledger = tmp_path / "team.db"
    with LoopbackServer(Reply()) as server:
        for ceiling in ("0.042", "0.042", "0.1"):
            found = run("solve", "?", "--ledger", ledger, "--ceiling", ceiling, "--json", *at(server)).json()
            assert (found["ceiling_usd"], len(found["receipt"]["entries"])) == (ceiling, 1)
    assert ledger.is_file()


def test_a_note_does_not_spoil_the_json(run: Run) -> None:
    """A price that is only assumed is said on standard error, in one line, beside JSON that stays whole."""
    with LoopbackServer(Reply()) as server:
        ended = run("solve", "?", "--json", "--base-url", server.base_url, "--arm", "gpt-5-mini:low")
    assert ended.json()["answer"] == "42"
    assert ended.err.startswith("thinkcap: note: 127.0.0.1 is in no price list: 'gpt-5-mini' is priced as at openai")
    assert ended.err.count("\n") == 1


def test_an_interrupted_solve_shows_its_receipt(run: Run) -> None:
    """Ctrl-C ends with exit code 130 and what was spent, which is never less than what was billed."""

    def script(request: Received) -> Reply:
        if request.number == 2:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return Reply(text=str(request.number), input_tokens=2)

    with LoopbackServer(script) as server:
        options = ["--extract", "number", "--policy", "vote:5", "--ceiling", "1", "--json"]
        ended = run("solve", "?", *options, *at(server))
        bills = len(server.billed)
    assert ended.code == 130
    assert ended.err == "thinkcap: interrupted\n"
    found = json.loads(ended.out)
    assert found["interrupted"] is True
    assert 1 <= len(found["attempts"]) <= bills < 5
    assert float(found["receipt"]["spent_usd"]) >= 0.000072 * bills - 1e-12
    assert found["receipt"]["reserved_usd"] == "0"


BAD_SOLVES: dict[str, tuple[list[str], str]] = {
    "an empty question": (["--arm", "m"], "the question is empty"),
    "no arm": ([], "say how to ask: --arm MODEL"),
    "an arm without a name": (["--arm", ""], "an arm needs a model's name"),
    "an arm twice": (["--arm", "m", "--arm", "m"], "two arms are called 'm'"),
    "an effort nobody knows": (["--arm", "gpt-5-mini:hgih"], "'hgih' is no effort: they are none, minimal, low,"),
    "an unknown price": (["--arm", "nobody-priced-this"], "no price is known for 'nobody-priced-this' at 127.0.0.1;"),
    "a price in one part": (["--arm", "m", "--price", "m=1"], "a price is written MODEL=IN/OUT"),
    "a price that is none": (["--arm", "m", "--price", "m=1/much"], "the output price must be dollars"),
    "a price below zero": (["--arm", "m", "--price", "m=-1/1"], "the input price must be zero or more"),
    "a ceiling below zero": (["--arm", "m", "--ceiling", "-1"], "the ceiling must be above zero dollars, not '-1'"),
    "a ceiling of zero": (["--arm", "m", "--ceiling", "0"], "the ceiling must be above zero dollars"),
    "a ceiling of NaN": (["--arm", "m", "--ceiling", "nan"], "the ceiling must be a finite number of dollars"),
    "a ceiling in words": (["--arm", "m", "--ceiling", "much"], "the ceiling must be a number of dollars such as"),
    "a small ceiling": (["--arm", "m", "--ceiling", "0.001"], "m needs up to $0.010"),
    "no seconds": (["--arm", "m", "--seconds", "0"], "a ceiling's seconds must be a finite number above zero"),
    "an unknown API": (["--arm", "m", "--api", "soap"], "--api must be chat or responses, not 'soap'"),
    "an unknown extractor": (["--arm", "m", "--extract", "nmber"], "no extractor is called 'nmber'"),
    "a broken pattern": (["--arm", "m", "--verify", "("], "--verify '(' is not a regular expression"),
    "an unknown policy": (["--arm", "m", "--policy", "vote:many"], "'vote:many' is not a policy; write fixed,"),
    "a policy of another arm": (["--arm", "m", "--policy", "ladder:m>n"], "no arm is called 'n'; there are m"),
    "a temperature of NaN": (["--arm", "m", "--temperature", "nan"], "its temperature must be a number from 0"),
    "a recording by another name": (["--arm", "m", "--record", "run.txt"], "call it something.jsonl"),
}


@pytest.mark.parametrize(("options", "says"), BAD_SOLVES.values(), ids=BAD_SOLVES)
def test_what_solve_cannot_use_is_refused(
    run: Run, options: list[str], says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What cannot be meant is one line that says what to do, and nothing is sent or left behind."""
    monkeypatch.chdir(tmp_path)
    question = " " if says == "the question is empty" else "why?"
    with LoopbackServer(Reply()) as server:
        assert says in run("solve", question, "--base-url", server.base_url, *PRICE, *options).error()
        assert server.requests == []
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_is_said_plainly(run: Run) -> None:
    """An unreachable server is one line that asks after the server and its address."""
    with LoopbackServer(Reply()) as server:
        gone = at(server)
    error = run("solve", "why?", *gone).error()
    assert error == "arm m: APIConnectionError: Connection error. (is the server running, and is the base URL right?)"


@pytest.mark.parametrize(
    ("arm", "fault", "says"),
    [
        ("m:max", unsupported_effort("max"), "(leave out the effort 'max', or choose another)"),
        ("m", Fault("status", code=401), "(check the API key)"),
        ("m", Fault("status", code=404), "(check the model's name and the base URL)"),
    ],
)
def test_what_the_provider_refuses_is_said_plainly(run: Run, arm: str, fault: Fault, says: str) -> None:
    """A refusal of the provider's is its own words in one line, and what can be done about it."""
    with LoopbackServer(fault) as server:
        error = run("solve", "why?", *at(server, arm)).error()
        assert error.startswith(f"arm {arm}: ")
        assert error.endswith(says)
        assert len(server.requests) == 1


# record


def test_a_recording_is_made_continued_and_replayed(run: Run, questions: Path, tmp_path: Path) -> None:
    """record makes what is missing, says what it cost, and replay reads what it made."""
    path = tmp_path / "made.jsonl"
    with LoopbackServer(Reply(text="It is 42.", input_tokens=2)) as server:
        words = ["record", questions, "--budget", "1", "-o", path, *at(server)]
        made = run(*words, "--attempts", "2", "--json").json()
        assert made == {
            "recording": str(path),
            "wanted": 4,
            "before": 0,
            "made": 4,
            "failed": 0,
            "spent_usd": "0.000288",
            "stopped": None,
        }
        more = run(*words, "--attempts", "3")
        assert more.out == f"{path}: 6 of 6 attempts, 2 made now for $0.000144\n"
        assert len(server.requests) == 6
    (row,) = run("replay", path, "--policy", "vote:3", "--json").json()
    assert (row["policy"], row["arm"], row["questions"], row["accuracy"]) == ("vote:3", "m", 2, 0.5)
    assert row["usd"] == pytest.approx(3 * 0.000072)


def test_a_recording_that_ends_early_says_how_to_go_on(run: Run, questions: Path, tmp_path: Path) -> None:
    """At its budget record ends with exit code 3, keeps what it has, and says that a larger budget goes on."""
    words = ["record", questions, "-o", tmp_path / "made.jsonl", "--attempts", "50", "--max-output-tokens", "300"]
    with LoopbackServer(Reply(output_tokens=300)) as server:
        ended = run(*words, "--budget", "0.01", *at(server))
        assert 0 < len(server.requests) < 100
    assert (ended.code, ended.err) == (3, "")
    assert "ended early: the budget is used up; run it again with a larger --budget to go on" in ended.out
    assert f"{len(server.requests)} made now" in ended.out


def test_attempts_that_failed_are_counted(run: Run, questions: Path, tmp_path: Path) -> None:
    """What did not get through is said, with what to do about it."""
    script: list[Reply | Fault] = [Reply(), Fault("status", code=400), Reply()]
    with LoopbackServer(script) as server:
        words = ["record", questions, "--budget", "1", "-o", tmp_path / "made.jsonl", "--concurrency", "1"]
        ended = run(*words, "--attempts", "2", *at(server))
    assert ended.code == 0
    assert "3 of 4 attempts" in ended.out
    assert "1 attempts did not get through; run the same command again to make them" in ended.out


BAD_RECORDS: dict[str, tuple[list[str], str]] = {
    "no such questions": (["none.jsonl", "-o", "o.jsonl"], "cannot read the questions in none.jsonl"),
    "a bad question": (["bad.jsonl", "-o", "o.jsonl"], "bad.jsonl, line 1: not JSON"),
    "no questions": (["blank.jsonl", "-o", "o.jsonl"], "blank.jsonl holds no questions; write one a line"),
    "another name": (["questions.jsonl", "-o", "o.txt"], "call it something.jsonl, not 'o.txt'"),
    "no such folder": (["questions.jsonl", "-o", "none/o.jsonl"], "cannot write the recording none/o.jsonl"),
    "over the questions": (["questions.jsonl", "-o", "questions.jsonl"], "holds something else than a recording"),
    "a budget of NaN": (["questions.jsonl", "-o", "o.jsonl", "--budget", "nan"], "--budget must be a finite number"),
    "a budget below zero": (["questions.jsonl", "-o", "o.jsonl", "--budget", "-1"], "--budget must be above zero"),
    "a budget too small": (["questions.jsonl", "-o", "o.jsonl", "--budget", "0.001"], "m needs up to $0.041"),
    "an arm twice": (["questions.jsonl", "-o", "o.jsonl", "--arm", "m"], "two arms are called 'm'"),
    "an unknown price": (["questions.jsonl", "-o", "o.jsonl", "--arm", "n"], "no price is known for 'n'"),
}


@pytest.mark.parametrize(("options", "says"), BAD_RECORDS.values(), ids=BAD_RECORDS)
def test_what_record_cannot_use_is_refused(
    run: Run, questions: Path, options: list[str], says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What cannot be meant is one line that says what to do; nothing is sent, and the questions stay as they are."""
    monkeypatch.chdir(tmp_path)
    Path("bad.jsonl").write_text("{not json\n")
    Path("blank.jsonl").write_text("\n")
    before = questions.read_bytes()
    with LoopbackServer(Reply()) as server:
        assert says in run("record", "--budget", "1", *at(server), *options).error()
        assert server.requests == []
    assert questions.read_bytes() == before


# replay


def test_replay_scores_each_policy_at_each_arm(run: Run, recording: Path) -> None:
    """A policy is a row, with its accuracy and an interval, its cost and its attempts, as a table or as JSON."""
    words = ["replay", recording, "--policy", "fixed", "--policy", "lead:2"]
    fixed, lead = run(*words, "--json").json()
    assert (fixed["accuracy"], fixed["attempts"], fixed["usd"]) == (0.5, 1.0, pytest.approx(0.0001))
    assert (lead["accuracy"], lead["attempts"], lead["usd"]) == (0.5, 2.0, pytest.approx(0.0002))
    assert fixed["accuracy_low"] <= 0.5 <= fixed["accuracy_high"]
    shown = run(*words)
    assert (shown.code, shown.err) == (0, "")
    assert [line.split()[0] for line in shown.out.splitlines() if "50.0%" in line] == ["fixed", "lead:2"]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_cut_line_is_named_and_the_rest_kept(run: Run, recording: Path, as_json: bool) -> None:
    """A line that a killed run left unfinished is named once, and the other attempts are replayed."""
    with recording.open("a") as file:
        file.write('{"question_id": "two", "mod')
    ended = run("replay", recording, *(["--json"] if as_json else []))
    assert ended.code == 0
    named = "line 7 cannot be read as JSON objects and were left out"
    said, silent = (ended.err, ended.out) if as_json else (ended.out, ended.err)
    assert " ".join(said.split()).count(named) == 1
    assert named not in silent
    if as_json:
        assert ended.json()[0]["questions"] == 2


BAD_REPLAYS: dict[str, tuple[list[str], str]] = {
    "no such file": (["none.jsonl"], "none.jsonl cannot be read: No such file or directory"),
    "another name": (["questions.csv"], "must end in .jsonl, .jsonl.gz or .parquet"),
    "missing columns": (
        ["bare.jsonl"],
        "bare.jsonl has no attempt, correct, answer, completion_tokens, cost_usd in line 1",
    ),
    "nothing in it": (["deep.jsonl"], "deep.jsonl holds no attempt: line 1 cannot be read"),
    "no parquet": (["not.parquet"], "not.parquet is no parquet file"),
    "an unknown arm": (["run.jsonl", "--arm", "n"], "run.jsonl has no arm 'n'; it has m"),
    "an unknown dataset": (["run.jsonl", "--dataset", "n"], "run.jsonl has no dataset 'n'"),
    "an unknown policy": (["run.jsonl", "--policy", "luck"], "'luck' is not a policy; write fixed,"),
    "more attempts than there are": (["run.jsonl", "--policy", "vote:4"], "where 3 are recorded"),
    "a ceiling of NaN": (["run.jsonl", "--ceiling", "nan"], "the ceiling must be a finite number of dollars"),
    "a ceiling below zero": (["run.jsonl", "--ceiling", "-1"], "the ceiling must be above zero dollars"),
}


@pytest.mark.parametrize(("words", "says"), BAD_REPLAYS.values(), ids=BAD_REPLAYS)
def test_what_replay_cannot_use_is_refused(
    run: Run, recording: Path, words: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording or an option that cannot be used is one line that names the fault."""
    monkeypatch.chdir(recording.parent)
    Path("bare.jsonl").write_text('{"question_id": "q", "model": "m"}\n')
    Path("deep.jsonl").write_text("[" * 200_000)
    Path("not.parquet").write_text("PAR1 or not")
    assert says in run("replay", *words).error()


def test_the_recorded_demo_needs_no_model(run: Run, tmp_path: Path) -> None:
    """The recorded demo prints both acts as JSON, draws where it is told to, and exits with 0: both ceilings held."""
    target = tmp_path / "demo.svg"
    found = run("demo", "--recorded", "--json", "--picture", target).json()
    assert (found["live"], found["questions"], found["held"], found["act1"]["held"]) == (False, 200, True, True)
    assert found["max_spent_usd"] <= found["ceiling_usd"]
    assert set(found["policies"]) == {"low", "high", "thinkcap"}
    assert target.read_text("utf-8").startswith("<svg")


def test_a_picture_that_cannot_be_drawn_is_an_error_in_one_line(run: Run, tmp_path: Path) -> None:
    """A picture in a folder that is not there is refused by name, with the option that mends it."""
    ended = run("demo", "--recorded", "--json", "--picture", tmp_path / "nowhere" / "demo.svg")
    assert "name another with --picture" in ended.error()


def test_where_the_server_cannot_be_had_the_recorded_run_is_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the model's server the demo says so in a line and shows the recording."""
    monkeypatch.setattr("thinkcap.controller.local.is_installed", lambda: False)
    ended = run("demo", "--json")
    assert ended.json()["live"] is False
    assert "is not installed" in ended.err


def test_arms_of_different_questions_are_compared_on_those_they_share(run: Run, tmp_path: Path) -> None:
    """A question that an arm was not asked is an error that names --intersect; with it, it is left out."""
    rows = [
        {
            "question_id": q,
            "model": m,
            "attempt": 0,
            "correct": True,
            "answer": "4",
            "completion_tokens": 1,
            "cost_usd": 1,
        }
        for q, m in (("a", "x"), ("a", "y"), ("b", "x"))
    ]
    path = tmp_path / "run.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "(--intersect)" in run("replay", path).error()
    found = run("replay", path, "--intersect", "--json")
    assert {row["questions"] for row in json.loads(found.out)} == {1}
    assert "1 of 2 questions were asked with all 2 arms; the rest is left out" in found.err
    path.write_text("".join(json.dumps(row) + "\n" for row in rows[1:]))
    assert "no question was asked with all 2 arms" in run("replay", path, "--intersect").error()


def test_an_old_recording_is_priced_anew(run: Run, tmp_path: Path) -> None:
    """--reprice takes the list prices of a day, --price one's own; what cannot be priced is told."""
    row = {"question_id": "a", "model": "gpt-4o-mini", "attempt": 0, "correct": True, "answer": "4", "cost_usd": 9}
    path = tmp_path / "run.jsonl"
    path.write_text(json.dumps({**row, "prompt_tokens": 1_000_000, "completion_tokens": 1_000_000}) + "\n")
    (listed,) = json.loads(run("replay", path, "--reprice", "2026-11-01", "--json").out)
    assert listed["usd"] == pytest.approx(0.15 + 0.60)
    (own,) = json.loads(run("replay", path, "--price", "gpt-4o-mini=1/2", "--json").out)
    assert own["usd"] == pytest.approx(3)
    assert "--reprice takes a day" in run("replay", path, "--reprice", "tomorrow").error()
    path.write_text(json.dumps({**row, "completion_tokens": 5}) + "\n")
    assert "no prompt_tokens for gpt-4o-mini" in run("replay", path, "--reprice", "today").error()
