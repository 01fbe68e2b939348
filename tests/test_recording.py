"""Reading recordings: formats, damage, checks, labels, and which answers are the same."""

from __future__ import annotations

import builtins
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thinkcap.evals import DamagedRecording, Recording, load_recording
from thinkcap.evals.recording import FINISHES
from thinkcap.policies import SCHEMA, Arm, Attempt, BadInput, BadRecording, Usage, Where, header, row, usd


def make_row(attempt: int = 0, **values: Any) -> dict[str, Any]:
    """A row as common logs have it; ``values`` replace or add columns."""
    return {
        "question_id": "q1",
        "model": "m",
        "attempt": attempt,
        "correct": True,
        "answer": "7",
        "completion_tokens": 10,
        "cost_usd": 0.001,
        **values,
    }


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), "utf-8")
    return path


@pytest.fixture
def load(tmp_path: Path) -> Any:
    """Write rows as JSON lines and load them."""

    def load(rows: list[dict[str, Any]], **options: Any) -> Recording:
        return load_recording(write(tmp_path / "run.jsonl", rows), **options)

    return load


ROWS = [
    make_row(1, question_id="q2", effort="high", cost_usd=0.02, latency_s=1.5, answer="b", correct=False),
    make_row(0, question_id="q2", effort="low", verified=True, finish_reason="max_tokens", max_output_tokens=64),
    make_row(0, question_id="q2", effort="high", cost_usd=0.03, answer=None, error="500", correct=None),
    make_row(0, question_id="q1", effort="low", cost_usd=0.0000000014, group="sums", max_output_tokens=32),
]


def test_columns_hold_what_the_rows_say(load: Any) -> None:
    """Attempts come sorted by question, arm and number; money is in nano-dollars; null is -1 or NaN, never 0."""
    found = load(ROWS)
    assert found.questions == ("q2", "q1")
    assert [arm.label for arm in found.arms] == ["m:low", "m:high"]
    assert found.question.tolist() == [0, 0, 0, 1]
    assert found.arm.tolist() == [0, 1, 1, 0]
    assert found.attempt.tolist() == [0, 0, 1, 0]
    assert found.cost_nusd.tolist() == [1_000_000, 30_000_000, 20_000_000, 1]
    assert found.correct.tolist() == [1, -1, 0, 1]
    assert found.verified.tolist() == [1, -1, -1, -1]
    assert found.answer.tolist() == [1, -1, 0, 0]
    assert found.answers == (("b", "7"), ("7",))
    assert found.input_tokens.tolist() == [-1] * 4
    assert found.output_tokens.tolist() == [10] * 4
    assert found.cap.tolist() == [64, -1, -1, 32]
    assert [FINISHES[code] for code in found.finish] == ["length", "error", "stop", "stop"]
    assert np.isnan(found.latency_s[[0, 1, 3]]).all()
    assert found.latency_s[2] == 1.5
    assert found.groups == (None, "sums")
    assert found.verifiable.tolist() == [True, True]
    assert found.notes == ("1 attempt not graded: neither right nor wrong",)


def test_rows_of_a_cell_and_grades(load: Any) -> None:
    """``rows`` gives each question's attempts with each arm, and ``grades`` what its answers are worth."""
    found = load(ROWS)
    assert [found.rows(q, a) for q in (0, 1) for a in (0, 1)] == [slice(0, 1), slice(1, 3), slice(3, 4), slice(4, 4)]
    assert [grades.tolist() for grades in found.grades()] == [[0.0, 1.0], [1.0]]
    assert found.graded().tolist() == [True, True]


def test_every_format_reads_alike(tmp_path: Path) -> None:
    """JSON lines, their gzip and parquet of the same rows give the same recording."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    plain = write(tmp_path / "run.jsonl", [header(made_by="test"), *ROWS])
    (tmp_path / "run.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    columns = {name: [each.get(name) for each in ROWS] for name in {key for each in ROWS for key in each}}
    pq.write_table(pa.table(columns), tmp_path / "run.parquet")
    first = load_recording(plain)
    for other in ("run.jsonl.gz", "run.parquet"):
        same = load_recording(tmp_path / other)
        assert (same.arms, same.questions, same.answers, same.notes) == (
            first.arms,
            first.questions,
            first.answers,
            first.notes,
        )
        for name in ("question", "arm", "correct", "answer", "output_tokens", "cost_nusd", "cap", "finish"):
            assert getattr(same, name).tolist() == getattr(first, name).tolist()


def test_what_the_recorder_writes_is_read_back(load: Any) -> None:
    """A row made from an attempt loads as that attempt."""
    arm = Arm("gpt-5", "high", name="dear")
    attempt = Attempt(1, arm, "42", 1_234_567, Usage(11, 22, 3), "length", False, 99, 2, 1.25)
    found = load([header(), row(attempt, Where("q9", "set"), index=0, answer="hash", correct=False)])
    assert (found.arms[0].label, found.arms[0].model, found.arms[0].effort) == ("dear", "gpt-5", "high")
    assert found.arms[0].max_output_tokens == 99
    read = (found.cost_nusd, found.input_tokens, found.output_tokens, found.cap, found.calls, found.verified)
    assert [int(column[0]) for column in read] == [1_234_567, 11, 22, 99, 2, 0]
    assert (found.datasets, found.questions, found.answers) == (("set",), ("q9",), (("hash",),))
    assert FINISHES[found.finish[0]] == "length"


def test_a_recorded_cost_comes_back_to_the_nano_dollar(load: Any) -> None:
    """Costs written as dollars in a double are read as the nano-dollars they were, up to a million dollars."""
    nano = [0, 1, 10**15 - 1, *(int(10**x) for x in np.random.default_rng(0).uniform(0, 15, 300))]
    rows = [make_row(i, cost_usd=float(usd(each))) for i, each in enumerate(nano)]
    assert load(rows).cost_nusd.tolist() == nano


# ---- damage


def test_a_cut_line_is_named_and_the_rest_kept(tmp_path: Path) -> None:
    """A truncated line, and one that is no object, are left out with a warning; the rest is read."""
    path = tmp_path / "run.jsonl"
    lines = [json.dumps(make_row(i)) for i in range(3)]
    path.write_text("\n".join([lines[0], '{"question_id": "q1", "mod', "[1]", "", lines[1], lines[2][:-5]]))
    with pytest.warns(DamagedRecording, match=r"lines 2, 3, 6 cannot be read") as caught:
        found = load_recording(path)
    assert found.attempt.tolist() == [0, 1]
    assert found.notes == (str(caught[0].message),)


def test_endless_nesting_is_damage(tmp_path: Path) -> None:
    """A line that nests without end is damaged like any other: named and left out."""
    path = write(tmp_path / "run.jsonl", [make_row()])
    with path.open("a") as file:
        file.write("[" * 200_000)
    with pytest.warns(DamagedRecording, match="line 2 cannot be read"):
        assert load_recording(path).attempt.tolist() == [0]


@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_a_cut_gzip_keeps_what_came_before(tmp_path: Path, keep: float) -> None:
    """A gzip stream that breaks off gives the attempts before the break, and a warning."""
    rows = [make_row(i, answer=f"{i * 7919 % 1000003}") for i in range(4000)]
    whole = gzip.compress("".join(json.dumps(each) + "\n" for each in rows).encode())
    path = tmp_path / "run.jsonl.gz"
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.warns(DamagedRecording):
        found = load_recording(path)
    assert 0 < len(found.attempt) < 4000
    assert found.attempt.tolist() == list(range(len(found.attempt)))


def test_joined_files_have_two_headers(tmp_path: Path, load: Any) -> None:
    """A header is a header wherever it stands, so recordings may be joined end to end."""
    assert len(load([header(), make_row(0), header(), make_row(1)]).attempt) == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "holds no attempt"),
        ("\n\n", "holds no attempt"),
        ('{"question_id', "line 1 cannot be read"),
        (json.dumps(header()), "holds no attempt"),
        (json.dumps({"schema": "thinkcap-recording/2"}), "newer than this thinkcap reads"),
        (json.dumps({"schema": "other/1"}), "not a recording of thinkcap"),
        (json.dumps({"question_id": "q", "model": "m"}), "has no attempt, correct, answer, completion_tokens, cost"),
    ],
)
def test_a_file_without_attempts_is_refused(tmp_path: Path, content: str, says: str) -> None:
    """No row, a newer format or missing columns are refused in one line that names the file."""
    path = tmp_path / "run.jsonl"
    path.write_text(content)
    with pytest.raises(BadRecording, match=says) as refused:
        load_recording(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_row_that_lacks_a_column_is_named(load: Any) -> None:
    """A required column that single rows lack is refused with their lines."""
    bare = make_row(1)
    del bare["cost_usd"]
    with pytest.raises(BadRecording, match=r"has no cost_usd in line 2;"):
        load([make_row(0), bare])


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    """A missing file, and a name that says no format, are the caller's mistakes."""
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        load_recording(tmp_path / "none.jsonl")
    with pytest.raises(BadInput, match="must end in"):
        load_recording(tmp_path / "run.csv")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pyarrow is missing, a parquet file is refused with the line that installs it."""
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    (tmp_path / "run.parquet").write_bytes(b"")
    with pytest.raises(BadRecording, match=r"pip install 'thinkcap\[evals\]'"):
        load_recording(tmp_path / "run.parquet")


def test_parquet_is_checked_like_lines(tmp_path: Path) -> None:
    """A parquet file that is none, lacks columns, has no row, or is of a newer format is refused."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "run.parquet"
    path.write_bytes(b"PAR0 nonsense, but long enough")
    with pytest.raises(BadRecording, match="no parquet file"):
        load_recording(path)
    pq.write_table(pa.table({"question_id": ["q"]}), path)
    with pytest.raises(BadRecording, match="has no model, attempt"):
        load_recording(path)
    full = pa.table({name: [value] for name, value in make_row().items()})
    pq.write_table(full.slice(0, 0), path)
    with pytest.raises(BadRecording, match="holds no attempt"):
        load_recording(path)
    newer = full.replace_schema_metadata({"thinkcap": json.dumps({"schema": "thinkcap-recording/9"})})
    pq.write_table(newer, path)
    with pytest.raises(BadRecording, match=f"newer than this thinkcap reads .{SCHEMA}"):
        load_recording(path)


# ---- checks


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("cost_usd", -0.1),
        ("cost_usd", float("nan")),
        ("cost_usd", float("inf")),
        ("cost_usd", "0.1"),
        ("cost_usd", True),
        ("completion_tokens", -1),
        ("completion_tokens", 1.5),
        ("completion_tokens", float("nan")),
        ("prompt_tokens", -3),
        ("max_output_tokens", 0),
        ("correct", 1),
        ("correct", "true"),
        ("verified", 0),
        ("answer", 7),
        ("attempt", -1),
        ("attempt", "0"),
        ("question_id", 1.5),
        ("finish_reason", 3),
        ("latency_s", -1),
        ("effort", 16_000),
    ],
)
def test_values_that_cannot_be_meant_are_refused(load: Any, column: str, value: object) -> None:
    """A bad value is refused with its column and line."""
    with pytest.raises(BadRecording, match=rf"{column}.*line 2$") as refused:
        load([make_row(0), {**make_row(1), column: value}])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("column", "says"), [("attempt", "number"), ("question_id", "question_id"), ("model", "name")])
def test_keys_must_be_there(load: Any, column: str, says: str) -> None:
    """A row whose question, arm or attempt is null is refused with its line."""
    with pytest.raises(BadRecording, match=rf"no .*{says} in line 1"):
        load([{**make_row(0), column: None}])


def test_an_attempt_recorded_twice_is_refused(load: Any) -> None:
    """The same dataset, question, arm and attempt twice is refused; the same attempt of another arm is not."""
    with pytest.raises(
        BadRecording, match=r"same dataset, question_id, arm and attempt .* in lines 3, 4, 5 and 1 more"
    ):
        load([make_row(0), make_row(1)] + [make_row(0)] * 4)
    assert len(load([make_row(0), make_row(0, effort="low"), make_row(0, dataset="d")]).attempt) == 3


def test_one_label_is_one_arm(load: Any) -> None:
    """A label that stands for two models or efforts is refused."""
    with pytest.raises(BadRecording, match=r"'a' is m elsewhere but n in line 2"):
        load([make_row(0, arm="a"), make_row(1, arm="a", model="n")])


def test_unknown_names_are_refused_with_the_known(load: Any) -> None:
    """An unknown dataset or arm is refused with a list of those in the file."""
    rows = [make_row(0, dataset="d1", effort="low"), make_row(0, dataset="d2", effort="high")]
    with pytest.raises(BadInput, match="no dataset 'd3'; it has d1, d2"):
        load(rows, dataset="d3")
    with pytest.raises(BadInput, match="no arm 'x'; it has m:high, m:low"):
        load(rows, arms=["x"])
    with pytest.raises(BadInput, match=r"no arm 'm:low'; it has m:high$"):
        load(rows, dataset="d2", arms=["m:low"])
    with pytest.raises(BadInput, match="several ways: choose m:high or m:low"):
        load(rows, arms=["m"])
    with pytest.raises(BadInput, match="names no arm"):
        load(rows, arms=[])
    with pytest.raises(BadInput, match="answers_agree"):
        load(rows, answers_agree="never")


def test_only_what_is_selected_is_checked(load: Any) -> None:
    """An arm with bad rows does not spoil another one."""
    rows = [make_row(0, effort="low"), make_row(0, effort="high", cost_usd=-1)]
    assert [arm.label for arm in load(rows, arms=["m:low"]).arms] == ["m:low"]


# ---- labels


@pytest.mark.parametrize("effort", [None, "none", "default"])
def test_no_dial_sends_no_effort_and_is_matched_as_written(load: Any, effort: str | None) -> None:
    """Efforts null, none and default stay in the label as the file spells them, and are not sent."""
    arm = load([make_row(0, effort=effort)]).arms[0]
    assert arm.effort is None
    assert arm.label == ("m" if effort is None else f"m:{effort}")


def test_arms_are_found_by_label_then_by_model(load: Any) -> None:
    """``find_arm`` takes a label literally, else a model that has one arm; names may hold colons."""
    rows = [
        make_row(0, model="a:b", effort="budget_16k"),
        make_row(0, model="m", effort=None),
        make_row(0, model="m", effort="high"),
        make_row(0, model="two", effort="low"),
        make_row(0, model="two", effort="high"),
    ]
    found = load(rows)
    assert found.find_arm("a:b").label == "a:b:budget_16k"
    assert found.find_arm("a:b:budget_16k").effort == "budget_16k"
    assert found.find_arm("m").effort is None
    with pytest.raises(BadInput, match="several ways: choose two:high or two:low"):
        found.find_arm("two")
    with pytest.raises(BadInput, match="has no arm 'a'"):
        found.find_arm("a")


def test_fewest_counts_where_the_arm_was_asked_at_all(load: Any) -> None:
    """The fewest attempts of an arm are those at the question it was asked least, not none at one it never was."""
    low = [make_row(i, question_id=name, effort="low") for name, made in (("q1", 3), ("q2", 2)) for i in range(made)]
    high = [make_row(i, question_id="q3", effort="high", cost_usd=0.02) for i in range(4)]
    found = load([*low, *high])
    assert [found.fewest(label) for label in ("m:low", "m:high")] == [2, 4]
    with pytest.raises(BadInput, match="has no arm 'm:max'"):
        found.fewest("m:max")


def test_arms_come_cheapest_first(load: Any) -> None:
    """Arms are ordered by the mean cost of an attempt, whatever the file's order."""
    rows = [make_row(i, effort=e, cost_usd=c) for i, e, c in [(0, "high", 3), (0, "low", 1), (1, "low", 1.5)]]
    assert [arm.effort for arm in load(rows).arms] == ["low", "high"]


def test_an_arm_has_the_cap_all_its_attempts_had(load: Any) -> None:
    """One cap for all attempts is the arm's; differing caps are nobody's."""
    rows = [make_row(i, effort=e, max_output_tokens=c) for i, e, c in [(0, "low", 50), (1, "low", 50), (0, "high", 9)]]
    caps = {arm.effort: arm.max_output_tokens for arm in load([*rows, make_row(1, effort="high")]).arms}
    assert caps == {"low": 50, "high": None}


# ---- answers


SHUFFLED = [
    make_row(0, run_id="r1", answer="A", correct=True),
    make_row(1, run_id="r1", answer="A", correct=True),
    make_row(2, run_id="r2", answer="A", correct=False),
    make_row(3, run_id="r2", answer="B", correct=True),
]


def test_answers_shuffled_in_each_run_are_noticed(load: Any) -> None:
    """Equal answers that runs grade differently, and no run does, are the same inside one run only."""
    found = load(SHUFFLED)
    assert found.answers_agree == "run"
    assert found.answer.tolist() == [0, 0, 1, 2]
    assert found.answers == (("A (r1)", "A (r2)", "B (r2)"),)
    assert [grades.tolist() for grades in found.grades()] == [[1.0, 0.0, 1.0]]
    assert any("inside one run_id" in note for note in found.notes)


def test_what_the_caller_or_the_file_says_comes_first(load: Any) -> None:
    """``answers_agree`` given, else in the header, is taken before the grades are looked at."""
    assert load(SHUFFLED, answers_agree="always").answer.tolist() == [0, 0, 0, 1]
    assert load([header(answers_agree="always"), *SHUFFLED]).answers_agree == "always"
    agreeing = [make_row(0, run_id="r1"), make_row(1, run_id="r2")]
    assert load(agreeing).answer.tolist() == [0, 0]
    split = load([header(answers_agree="run"), *agreeing])
    assert split.answer.tolist() == [0, 1]
    assert any("never agree" in note for note in split.notes)


def test_a_grader_in_doubt_is_no_shuffle(load: Any) -> None:
    """Equal answers graded both ways inside one run stay the same answer."""
    rows = [make_row(i, run_id=r, correct=c) for i, r, c in [(0, "r1", True), (1, "r1", False), (2, "r2", True)]]
    found = load(rows)
    assert found.answers_agree == "always"
    assert found.grades()[0].tolist() == [pytest.approx(2 / 3)]


def test_lost_answers_agree_with_none(load: Any) -> None:
    """Where an attempt without an answer is right, graded attempts without one each stand for themselves."""
    rows = [make_row(0, answer=None), make_row(1, answer=None, correct=False), make_row(2, answer=None, correct=None)]
    found = load(rows)
    assert found.answer.tolist() == [0, 1, -1]
    assert found.comparable.tolist() == [False]
    assert "2 attempts graded without a recorded answer: each agrees with no other" in found.notes


def test_no_answer_is_no_answer(load: Any) -> None:
    """Where no attempt without an answer is right, null means there was none to read."""
    found = load([make_row(0), make_row(1, answer=None, correct=False)])
    assert found.answer.tolist() == [0, -1]
    assert found.comparable.tolist() == [True]


def test_whether_answers_compare_belongs_to_the_dataset(load: Any) -> None:
    """A question without any answer is comparable if other questions of its dataset have answers."""
    silent = make_row(0, question_id="q2", answer=None, correct=False)
    assert load([make_row(0), silent]).comparable.tolist() == [True, True]
    assert load([make_row(0), {**silent, "dataset": "d"}]).comparable.tolist() == [True, False]


# ---- costs that are not there


def test_an_arm_without_costs_is_left_out_by_name(load: Any) -> None:
    """Unknown is not free: an unpriced arm is left out with a note, and refused if asked for or alone."""
    rows = [make_row(0, effort="low"), make_row(0, effort="high", cost_usd=None)]
    found = load(rows)
    assert [arm.label for arm in found.arms] == ["m:low"]
    assert any("m:high" in note for note in found.notes)
    with pytest.raises(BadRecording, match="no cost_usd or completion_tokens for m:high in line 2"):
        load(rows, arms=["m:low", "m:high"])
    with pytest.raises(BadRecording, match="no cost_usd or completion_tokens for m in line 1"):
        load([make_row(0, completion_tokens=None)])  # it has an answer, so it did not fail


def test_a_call_that_failed_costs_what_is_recorded(load: Any) -> None:
    """Neither tokens nor an answer: the call failed; it costs what was charged for it, or nothing if none knows."""
    nothing = {"answer": None, "completion_tokens": None}
    rows = [
        make_row(0),
        make_row(1, correct=None, cost_usd=None, **nothing),
        make_row(2, correct=False, cost_usd=0.5, **nothing),
        make_row(3, correct=False, cost_usd=0.5, finish_reason="refused", **nothing),
    ]
    found = load(rows)
    assert [FINISHES[code] for code in found.finish] == ["stop", "error", "error", "refused"]
    assert found.cost_nusd.tolist() == [1_000_000, 0, 500_000_000, 500_000_000]
    assert found.output_tokens.tolist() == [10, 0, 0, 0]
    assert found.correct.tolist() == [1, -1, 0, 0]
    assert "3 attempts failed without token counts: no tokens, and the recorded cost or none" in found.notes


@pytest.mark.parametrize("slip", [{"cost_usd": -0.01}, {"completion_tokens": -54}, {"prompt_tokens": -677}])
def test_a_few_impossible_figures_are_left_out(load: Any, slip: dict[str, Any]) -> None:
    """One attempt in forty with less than no cost or tokens is left out, and said; one in ten is refused."""
    rows = [make_row(number, prompt_tokens=5) for number in range(39)]
    found = load([*rows, {**make_row(39, prompt_tokens=5), **slip}])
    assert len(found.cost_nusd) == 39
    assert "1 attempt with a cost or tokens below zero left out: m" in found.notes
    with pytest.raises(BadRecording, match=next(iter(slip))):
        load([*rows[:9], {**make_row(39, prompt_tokens=5), **slip}])
