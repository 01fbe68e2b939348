"""What a verifier may be, what counts as its verdict, and how answers are graded."""

from __future__ import annotations

import re
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, field_validator

from thinkcap.policies.errors import BadInput
from thinkcap.policies.verifiers import Verdict, check, equals, grade, matches, model, schema, verifier

NUMBER_SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


class City(BaseModel):
    """A pydantic model with a rule that may itself fail."""

    name: str
    people: int = 0

    @field_validator("people")
    @classmethod
    def countable(cls, people: int) -> int:
        if people < 0:
            raise ZeroDivisionError("a broken rule")
        return people


def bad(build: Any, *given: Any) -> str:
    with pytest.raises(BadInput) as caught:
        build(*given)
    message = str(caught.value)
    assert "\n" not in message
    return message


@settings(max_examples=100)
@given(st.fractions(), st.fractions())
def test_equals_is_equality_of_numbers(expected: Fraction, other: Fraction) -> None:
    """Equality holds between numbers exactly if their values are equal, however they are written."""
    assert equals(expected)(f"{expected.numerator}/{expected.denominator}")
    assert equals(str(expected))(str(other)) == (expected == other)


def test_equals_ignores_case_and_spacing() -> None:
    """Words are compared in canonical form."""
    assert equals("New York")(" new  YORK")
    assert not equals("New York")("newyork")


@pytest.mark.parametrize("expected", [None, "", "  "])
def test_an_expectation_must_say_something(expected: Any) -> None:
    """A blank expectation is a mistake, not an answer that nothing equals."""
    assert "must not be empty" in bad(equals, expected)


def test_matches_means_the_whole_answer() -> None:
    """A pattern has to match from the first character to the last, including a closing line break."""
    even = matches(r"[0-9]*[02468]")
    assert even("1234")
    assert not even("1234.5")
    assert not even("1234\n")
    assert matches(re.compile("PARIS", re.IGNORECASE))("paris")


@pytest.mark.parametrize("pattern", ["(", "[z-a]", None, 7, b"x", re.compile(b"x")])
def test_a_pattern_must_be_one(pattern: Any) -> None:
    """What is no regular expression for text is refused before any money is spent."""
    assert "regular expression" in bad(matches, pattern)


@pytest.mark.parametrize(
    ("answer", "fits"),
    [
        ('{"n": 3}', True),
        (' {"n": 3, "more": null}\n', True),
        ('{"n": 3.5}', False),
        ('{"m": 3}', False),
        ("3", False),
        ('Here: {"n": 3}', False),
        ('{"n": 3', False),
        ('{"n": NaN}', False),
        ("[" * 100_000, False),
        ("", False),
    ],
    ids=range(10),
)
def test_schema_accepts_json_and_nothing_around_it(answer: str, fits: bool) -> None:
    """The whole answer has to be JSON that the schema accepts; anything else is wrong, not a failure."""
    assert check(schema(NUMBER_SCHEMA), answer) == Verdict(fits)


def test_a_schema_follows_its_own_draft() -> None:
    """`$schema` names the draft: draft 4 has a boolean exclusiveMinimum, 2020-12 a number."""
    draft4 = {"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 1, "exclusiveMinimum": True}
    assert schema(draft4)("2")
    assert not schema(draft4)("1")
    bad(schema, {"minimum": 1, "exclusiveMinimum": True})


def test_a_schema_is_never_fetched() -> None:
    """A reference outside the schema fails the verifier instead of being looked up elsewhere."""
    verdict = check(schema({"$ref": "http://127.0.0.1:9/never"}), "1")
    assert verdict.passed is None
    assert "127.0.0.1:9/never" in (verdict.error or "")


@pytest.mark.parametrize("form", [{"type": "objekt"}, {"required": 3}, [], "object", None, True])
def test_a_schema_must_be_valid(form: Any) -> None:
    """An invalid schema is refused when it is given, not when an answer was paid for."""
    assert "schema" in bad(schema, form)


def test_without_jsonschema_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The optional package is asked for by the name of thinkcap's extra."""
    monkeypatch.setitem(sys.modules, "jsonschema.validators", None)
    assert bad(schema, NUMBER_SCHEMA).endswith("pip install 'thinkcap[schema]'")


def test_model_accepts_what_pydantic_accepts() -> None:
    """JSON that validates is right, other text is wrong, and a rule that breaks is a failed verifier."""
    fits = model(City)
    assert check(fits, '{"name": "Paris"}') == Verdict(True)
    assert check(fits, '{"people": 3}') == Verdict(False)
    assert check(fits, "Paris") == Verdict(False)
    broken = check(fits, '{"name": "Paris", "people": -1}')
    assert broken == Verdict(None, "the verifier failed with ZeroDivisionError: a broken rule")
    assert "pydantic model" in bad(model, dict)


def is_seven(answer: str) -> bool:
    return answer == "7"


@pytest.mark.parametrize(
    ("spec", "right", "wrong"),
    [
        (is_seven, "7", "8"),
        (re.compile("[0-9]"), "7", "77"),
        (City, '{"name": "Paris"}', "{}"),
        ({"equals": 0.5}, "1/2", "2"),
        ({"equals": 0}, "0.0", "1"),
        ({"regex": "[a-c]"}, "b", "d"),
        ({"schema": NUMBER_SCHEMA}, '{"n": 1}', "{}"),
    ],
    ids=range(7),
)
def test_a_verifier_may_be_given_in_several_forms(spec: Any, right: str, wrong: str) -> None:
    """Functions, patterns, models and the forms of question files all become functions of an answer."""
    verify = verifier(spec)
    assert check(verify, right) == Verdict(True)
    assert check(verify, wrong) == Verdict(False)


async def later(answer: str) -> bool:
    return True


@pytest.mark.parametrize(
    "spec",
    [
        None,
        "7",
        7,
        [is_seven],
        bool,
        later,
        {},
        {"equal": 7},
        {"equals": None},
        {"regex": "("},
        {"schema": 3},
        {"equals": 7, "regex": "7"},
    ],
    ids=range(12),
)
def test_anything_else_is_refused_beforehand(spec: Any) -> None:
    """What cannot verify is refused on one line before any money is spent."""
    bad(verifier, spec)


@pytest.mark.parametrize("said", [True, False, np.True_, np.False_])
def test_real_booleans_are_verdicts(said: Any) -> None:
    """True and False count, Python's and numpy's, and become Python's."""
    verdict = check(lambda answer: said, "x")
    assert verdict.passed is bool(said)
    assert verdict.error is None


@pytest.mark.parametrize("said", [None, 1, 0, "yes", "", [], [True], np.array([True]), np.int64(1), "a\nb" * 999])
def test_nothing_else_is_a_verdict(said: Any) -> None:
    """A truthy or falsy value is a verifier's mistake: no answer is accepted or refused by accident."""
    verdict = check(lambda answer: said, "x")
    assert verdict.passed is None
    assert verdict.error is not None
    assert verdict.error.startswith("the verifier must return True or False, but returned ")
    assert "\n" not in verdict.error
    assert len(verdict.error) < 200


def test_a_coroutine_is_no_verdict() -> None:
    """A plain function that returns a coroutine has not verified anything."""
    unchecked: Any = later
    verdict = check(lambda answer: unchecked(answer), "x")
    assert verdict.passed is None
    assert "coroutine" in (verdict.error or "")


def test_a_verifier_that_raises_has_no_verdict() -> None:
    """An exception is told on one line; an interrupt stops the program."""

    def broken(answer: str) -> bool:
        raise ValueError("bad\nluck")

    def interrupted(answer: str) -> bool:
        raise KeyboardInterrupt

    assert check(broken, "x") == Verdict(None, "the verifier failed with ValueError: bad luck")
    with pytest.raises(KeyboardInterrupt):
        check(interrupted, "x")


def failing(answer: str) -> bool:
    raise ValueError(answer)


@pytest.mark.parametrize(
    ("answer", "expected", "verify", "correct"),
    [
        ("7", None, None, None),
        (None, None, None, None),
        ("7", 7, None, True),
        ("7", "8", None, False),
        ("0", 0, None, True),
        ("false", False, None, True),
        (None, 7, None, False),
        (None, None, is_seven, False),
        (None, None, failing, False),
        ("7", None, is_seven, True),
        ("8", None, is_seven, False),
        ("8", 8, is_seven, False),
        ("7", 8, is_seven, True),
        ("7", 7, failing, None),
    ],
    ids=range(14),
)
def test_grades(answer: Any, expected: Any, verify: Any, correct: bool | None) -> None:
    """Ungraded is None, no answer is wrong, and a verifier decides before an expectation does."""
    assert grade(answer, expected=expected, verifier=verify) is correct
