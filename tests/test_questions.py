"""Reading a file of questions: what a line may hold, what it means where it is silent, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from thinkcap.controller import read_questions
from thinkcap.policies import BadInput, Item, canonical


def write(path: Path, *lines: str | dict[str, Any]) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), "utf-8")
    return path


def read_one(folder: Path, extract: str | None = None, **fields: Any) -> Item:
    (item,) = read_questions(write(folder / "q.jsonl", {"question": "how many?", **fields}), extract=extract)
    return item


def test_a_line_says_all_of_a_question(tmp_path: Path) -> None:
    """Every field of a line is the item's own."""
    line: dict[str, Any] = {
        "question_id": "q7",
        "question": "three or four?",
        "answer": "Four",
        "extract": "choice",
        "verify": {"regex": "[34]"},
        "dataset": "counting",
        "group": "pairs",
    }
    (item,) = read_questions(write(tmp_path / "q.jsonl", line))
    assert item == Item(**line)


def test_an_unnamed_question_has_the_number_of_its_line(tmp_path: Path) -> None:
    """Lines count from 1, blank ones too; ``id`` is another word for ``question_id``, and null is no name."""
    path = write(tmp_path / "q.jsonl", {"question": "a"}, "", {"question": "b", "id": None}, {"question": "c", "id": 9})
    assert [item.question_id for item in read_questions(path)] == ["1", "3", "9"]


def test_files_of_other_editors_are_read(tmp_path: Path) -> None:
    """A byte-order mark, carriage returns and a last line without its end change nothing."""
    path = tmp_path / "q.jsonl"
    path.write_bytes('\ufeff{"question": "größer?"}\r\n\r\n{"question": "b\u2028c"}'.encode())
    assert [item.question for item in read_questions(path)] == ["größer?", "b\u2028c"]


@pytest.mark.parametrize(
    ("answer", "extract"),
    [
        (42, "number"),
        (0, "number"),
        (2.5, "number"),
        ("1,000", "number"),
        ("50%", "number"),
        ("3/4", "number"),
        ("Paris", "text"),
        ("nan", "text"),
        ("infinity", "text"),
        ("1_000", "text"),
        (True, "text"),
        ([1, 2], "text"),
        (None, "text"),
    ],
)
def test_a_number_is_read_as_one(tmp_path: Path, answer: Any, extract: str) -> None:
    """Where nobody says how, the answer is read as a number if the right one is a number, else as the whole text."""
    assert read_one(tmp_path, answer=answer).extract == extract


def test_the_line_says_first_how_its_answer_is_read(tmp_path: Path) -> None:
    """A line's own ``extract`` comes before the caller's, and that before the guess."""
    assert read_one(tmp_path, extract="boxed", answer=7).extract == "boxed"
    path = write(tmp_path / "q.jsonl", {"question": "a", "answer": 7, "extract": "choice"})
    assert [item.extract for item in read_questions(path, extract="boxed")] == ["choice"]


@pytest.mark.parametrize("answer", [42, 2.5, True, False, [1, "B"], {"b": 1, "a": [2]}, "New  York"])
def test_an_answer_grades_itself(tmp_path: Path, answer: Any) -> None:
    """Whatever JSON the right answer is, an attempt that gives the very same is right, and another is wrong."""
    item = read_one(tmp_path, answer=answer)
    assert item.grade(canonical(answer)) is True
    assert item.grade("something else") is False


def test_a_question_without_an_answer_is_not_graded(tmp_path: Path) -> None:
    """Nobody can say whether an answer is right where neither an answer nor a verifier is known."""
    assert read_one(tmp_path).grade("7") is None
    assert read_one(tmp_path, verify={"equals": 7}).grade("7.0") is True


BAD_LINES: list[tuple[Any, str]] = [
    ("{not json", "not JSON"),
    ('{"question": "cut', "not JSON"),
    ("[" * 100_000, "not JSON"),
    ([], "must be an object"),
    ("7", "must be an object"),
    ({}, 'a text under "question"'),
    ({"question": None}, 'a text under "question"'),
    ({"question": ["a"]}, 'a text under "question"'),
    ({"question": "  "}, "needs an id and a text"),
    ({"question": "a", "id": ""}, "needs an id and a text"),
    ({"question": "a", "id": True}, "id must be text or a whole number, not True"),
    ({"question": "a", "question_id": ["x"]}, "id must be text or a whole number"),
    ({"question": "a", "dataset": ["x"]}, "dataset must be text or null"),
    ({"question": "a", "group": 3}, "group must be text or null"),
    ({"question": "a", "extract": 3}, "extract must be text or null"),
    ({"question": "a", "extract": "nmber"}, "no extractor is called 'nmber'"),
    ({"question": "a", "answer": " "}, "must not be empty"),
    ({"question": "a", "verify": {"regex": "("}}, "regular expression"),
    ({"question": "a", "verify": "7"}, "verifier"),
    ({"question": "a", "anwser": 7}, "unknown field 'anwser'; known are answer,"),
    ({"question": "a", "id": "first"}, "the question id 'first' stands there twice"),
]


@pytest.mark.parametrize(("line", "says"), BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_line_that_cannot_be_meant_is_named(tmp_path: Path, line: Any, says: str) -> None:
    """A bad line is refused in one line that names the file, the line and the fault."""
    path = write(tmp_path / "q.jsonl", {"question": "fine", "id": "first"}, line)
    with pytest.raises(BadInput) as refused:
        read_questions(path)
    message = str(refused.value)
    assert message.startswith(f"{path}, line 2: ")
    assert says in message
    assert "\n" not in message


def test_an_id_is_unique_within_its_dataset(tmp_path: Path) -> None:
    """Two datasets may each have a question of one name."""
    path = write(tmp_path / "q.jsonl", *({"question": "a", "id": "1", "dataset": name} for name in ("x", "y")))
    assert [(item.dataset, item.question_id) for item in read_questions(path)] == [("x", "1"), ("y", "1")]


def test_a_file_without_questions_is_refused(tmp_path: Path) -> None:
    """A file that is missing, a folder, not text, or blank is refused in one line that names it."""
    binary = tmp_path / "binary.jsonl"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, says in (
        (tmp_path / "none.jsonl", "cannot read the questions in"),
        (tmp_path, "cannot read the questions in"),
        (binary, "cannot read the questions in"),
        (write(tmp_path / "blank.jsonl", "", " "), "holds no questions; write one a line"),
    ):
        with pytest.raises(BadInput, match=says) as refused:
            read_questions(path)
        assert str(path) in str(refused.value)
        assert "\n" not in str(refused.value)
