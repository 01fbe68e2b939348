"""What is read out of a text, and when two answers are the same."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinkcap.policies.answers import ANSWER_VERSION, Reading, canonical, extractor, one_line
from thinkcap.policies.canonical import is_number
from thinkcap.policies.errors import BadInput

LONG = 1_000_000


def read(spec: Any, text: str) -> str | None:
    reading = extractor(spec).read(text)
    assert reading.error is None, reading.error
    return reading.answer


# -- the canonical form ---------------------------------------------------------------------------------------------

ONE_ANSWER = [
    ("0.5", ["1/2", ".50", 0.5, "5e-1", Decimal("0.50"), Fraction(1, 2), "50/100", "+.5", np.float64(0.5), "-1/-2"]),
    ("1000", ["1,000", "1000.0", 1000, 1e3, "1E3", "$1,000.00", "1 x 10^3", "1\u00d710³", "1000.", np.int64(1000)]),
    ("-5", ["\u22125", "-$5", "$-5", "\u20135.0", "-10/2", "-5 %", Fraction(-5)]),
    ("50", ["50%", "50 %", "50\\%", "50 €"]),
    ("1/3", ["2/6", Fraction(1, 3), "1.5/4.5", "1,000/3,000"]),
    ("0", ["-0", "0.00", "0e9", "0/7", -0.0]),
    ("true", [True, "True", " TRUE ", np.True_]),
    ("new york", ["New  York", " new\nyork ", "NEW\u00a0YORK"]),
    ("B", ["b", "B", " b "]),
    ('["0.5", {"a": "x", "b": null}]', [["1/2", {"b": None, "a": "x"}], (0.5, {"a": "X", "b": ""})]),
    ('["1", "2"]', [{2, 1}, frozenset(["1.0", "2"])]),
]


@pytest.mark.parametrize(("form", "values"), ONE_ANSWER, ids=[form for form, _ in ONE_ANSWER])
def test_spellings_of_one_answer_share_one_form(form: str, values: list[Any]) -> None:
    """However an answer is spelled or typed, its canonical form is the same."""
    assert {canonical(value) for value in values} == {form}


@pytest.mark.parametrize("value", [None, "", " \n\t "])
def test_nothing_has_no_form(value: Any) -> None:
    """None and blank text are no answer."""
    assert canonical(value) is None


@pytest.mark.parametrize(
    ("text", "form"),
    [("NaN", "nan"), (float("nan"), "nan"), (float("-inf"), "-inf"), ("1/0", "1/0"), ("1,2", "1,2"), ("1e", "1e")],
)
def test_what_is_no_number_is_text(text: Any, form: str) -> None:
    """NaN, infinities, a division by zero and misplaced commas are compared as text."""
    assert canonical(text) == form
    assert not is_number(str(text))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("1e999999999", "1e999999999"),
        ("1e-999999999", "1e-999999999"),
        ("-120.50e999999999", "-1.205e1000000001"),
        (Decimal("1e999999"), "1e999999"),
        (10**5000, "1e5000"),
        ("1" + "0" * LONG, f"1e{LONG}"),
        ("0." + "0" * LONG + "25", f"2.5e-{LONG + 1}"),
        ("1e" + "0" * LONG + "2", "100"),
        ("1e" + "9" * LONG, "1e" + "9" * LONG),
        ("9" * LONG + "/3", "9" * LONG + "/3"),
    ],
    ids=range(10),
)
def test_absurd_numbers_are_not_written_out(text: Any, form: str) -> None:
    """A number's exponent is kept as it is, and what would take too much work is compared as text."""
    assert canonical(text) == form


@settings(max_examples=150)
@given(st.integers(-(10**60), 10**60), st.integers(1, 10**40))
def test_equal_numbers_and_only_they_share_a_form(top: int, below: int) -> None:
    """A fraction's form, read back, is exactly the fraction, so unequal fractions differ."""
    value = Fraction(top, below)
    form = canonical(f"{top}/{below}")
    assert form == canonical(value)
    assert form is not None
    assert Fraction(form) == value


@settings(max_examples=150)
@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_keeps_its_value(value: Decimal) -> None:
    """A decimal's form, read back, is exactly the decimal."""
    form = canonical(value)
    assert form is not None
    assert Decimal(form) == value


NUMBERISH = st.text(alphabet="0123456789.,/-+e%$ x\u00d7^*{}\\\u2212²", max_size=25)
VALUES = st.one_of(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | NUMBERISH,
    st.recursive(
        st.text(max_size=5) | st.floats() | st.none(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    ),
)


@settings(max_examples=500)
@given(VALUES)
def test_the_canonical_form_is_its_own(value: Any) -> None:
    """Writing a canonical form in canonical form changes nothing."""
    form = canonical(value)
    assert canonical(form) == form


# -- the last number ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("3 + 4 = 7.", "7"),
        ("The total is $1,234.50.", "1234.5"),
        ("It is 50%.", "50"),
        ("x = -5", "-5"),
        ("x = \u22125!", "-5"),
        ("**-7**", "-7"),
        ("from 10-12", "12"),
        ("pages 10\u201312", "12"),
        ("f(3)-4", "4"),
        ("3/4 of it", "0.75"),
        ("about 6.02e23 atoms", "602000000000000000000000"),
        ("about 6.02 x 10^{23} atoms", "602000000000000000000000"),
        ("about 1.5 \u00d7 10⁻³ m", "0.0015"),
        ("2 \\times 10^3", "2000"),
        ("Answer...42", "42"),
        ("答案是42", "42"),
        ("it is .5", "0.5"),
        ("7 is x1", "7"),
        ("version 1.2.3", "1.2"),
        ("2, then 1/0", "2"),
        ("1,2,3", "3"),
        ("1,234,5678", "5678"),
        ("no number", None),
        ("x1 and y_2", None),
        ("", None),
    ],
)
def test_number_is_the_last_one_written(text: str, answer: str | None) -> None:
    """The last number of a text is its answer, whole: with sign, commas, point, exponent and fraction."""
    assert read("number", text) == answer


# -- the letter of a choice -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is (B)", "B"),
        ("the answer is (b).", "B"),
        ("B", "B"),
        ("b.", "B"),
        ("(A)", "A"),
        ("I", "I"),
        ("**B**", "B"),
        ("**Answer:** B", "B"),
        ("Final answer: **(E)**", "E"),
        ("Answer: C.", "C"),
        ("Answer: A\n\nBecause it is.", "A"),
        ("The answer is A because it is.", "A"),
        ("The answer to this question is D.", "D"),
        ("The answer is $\\boxed{\\text{B}}$.", "B"),
        ("So it is \\boxed{C} indeed.", "C"),
        ("First: the answer is A. No: the answer is (D)!", "D"),
        ("The correct option is C, while option D is wrong.", "C"),
        ("The answer is C.\nA) no\nD) no", "C"),
        ("I'd say (A), no, (C) then.", "C"),
        ("Clearly option B holds.", "B"),
        ("B) Paris\nA capital city.", "B"),
        ("Some steps.\n\nB", "B"),
        ("A) 3\nB) 4\nC) 5", None),
        ("A dog is what I like.", None),
        ("I think it was the choice I made.", None),
        ("The answer is a dog.", None),
        ("The answer is A dog.", None),
        ("The answer is I don't know.", None),
        ("The answer is not B", None),
        ("(i) first and (ii) second: see (i) again", None),
        ("", None),
    ],
)
def test_choice_is_the_letter_stated(text: str, answer: str | None) -> None:
    """A letter counts where it is stated as the choice, never as an article or a pronoun."""
    assert read("choice", text) == answer


# -- the last box ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ("\\frac{1}{2}", "0.5"),
        ("-\\dfrac{3}{4}", "-0.75"),
        ("\\frac12", "0.5"),
        ("\\tfrac{x+1}{2}", "(x+1)/2"),
        ("1{,}000", "1000"),
        ("\\$1,000", "1000"),
        ("50\\%", "50"),
        ("30^\\circ", "30"),
        ("5\\text{ cm}", "5"),
        ("3\\,\\mathrm{m}^2", "3"),
        ("\\text{New  York}", "new york"),
        ("3 \\text{ or } 5", "3 or 5"),
        ("\\text{(B)}", "B"),
        (" {1} ", "1"),
        ("\\left( 1 , 2 \\right)", "(1, 2)"),
        ("1, 200", "1, 200"),
        ("x^2 + 1", "x^2+1"),
        ("\\boxed{5}", "5"),
        ("\\{1,2\\}", "\\{1, 2\\}"),
        ("", None),
    ],
)
def test_boxed_reads_latex_as_plain_notation(content: str, answer: str | None) -> None:
    """What stands in a box is compared without LaTeX's dress."""
    assert read("boxed", "Some {text} } and $\\boxed{" + content + "}$. 99") == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("\\boxed{1} then \\boxed{2}", "2"),
        ("\\boxed{1} then \\boxed{2", "1"),
        ("\\boxed{ unfinished \\boxed{3}", "3"),
        ("no box: 4", None),
        ("\\boxed{" * (LONG // 7), None),
        ("\\boxed{" * 100_000 + "6" + "}" * 100_000, "6"),
    ],
    ids=range(6),
)
def test_boxed_takes_the_last_complete_box(text: str, answer: str | None) -> None:
    """A box counts if its braces balance; of several the last one counts, of nested ones the inner one."""
    assert read("boxed", text) == answer


# -- a field of JSON ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "text", "answer"),
    [
        ("json:answer", 'Sure:\n```json\n{"answer": 1.50}\n```\nDone.', "1.5"),
        ("json:answer", '{"answer": 1} {"answer": "Two"} {broken', "two"),
        ("json:answer", '{"answer": 1} {"other": 2}', None),
        ("json:answer", '{"answer": null}', None),
        ("json:answer", '{"answer": true}', "true"),
        ("json:answer", '{"answer": ' + "9" * 5000 + "}", "9" * 5000),
        ("json:answer", "{x} in prose", None),
        ("json:a.b", '{"a": {"b": [1, "2.0"]}}', '["1", "2"]'),
        ("json:a.1", '{"a": ["x", "Y"]}', "Y"),
        ("json:a.2", '{"a": ["x", "Y"]}', None),
        ("json:a.b", '{"a": "b"}', None),
        ("json:answer", '[{"answer": 1}, {"answer": 2}]', "2"),
    ],
    ids=range(12),
)
def test_json_reads_a_field_of_the_last_object(spec: str, text: str, answer: str | None) -> None:
    """The last outermost JSON object decides, wherever it stands; a missing field is no answer."""
    assert read(spec, text) == answer


# -- the whole text, functions, and none ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "answer"),
    [(' "Paris." ', "paris"), ("“Paris”.", "paris"), ("St.  Ives\n", "st. ives"), (".5", "0.5"), ("...", None)],
)
def test_text_is_compared_without_its_dress(text: str, answer: str | None) -> None:
    """Quotes around the text, a full stop at its end, case and spacing make no difference."""
    assert read("text", text) == answer


def test_a_function_may_read_the_answer() -> None:
    """A function's result is put into canonical form under the function's name; None is no answer."""

    def second_word(text: str) -> object:
        words = text.split()
        return words[1] if len(words) > 1 else None

    reader = extractor(second_word)
    assert reader.name == "second_word"
    assert reader.read("about 1,000.0 apples") == Reading("1000")
    assert reader.read("one") == Reading(None)


def test_a_function_that_raises_costs_only_its_answer() -> None:
    """An extractor's exception is told on one line and never passed on, but an interrupt is."""

    def broken(text: str) -> object:
        raise ValueError(f"no\nanswer in {text}")

    def interrupted(text: str) -> object:
        raise KeyboardInterrupt

    reading = extractor(broken).read("x")
    assert reading == Reading(None, "the extractor broken failed with ValueError: no answer in x")
    with pytest.raises(KeyboardInterrupt):
        extractor(interrupted).read("x")


def test_a_coroutine_is_not_an_answer() -> None:
    """An async function is refused beforehand, and a coroutine from a plain one is a failure."""

    async def later(text: str) -> str:
        return text

    with pytest.raises(BadInput, match="plain function"):
        extractor(later)
    reading = extractor(lambda text: later(text)).read("x")
    assert reading.answer is None
    assert "not async" in (reading.error or "")


def test_without_a_spec_the_text_stays_as_written() -> None:
    """None reads the whole text without folding its case; blank text is no answer."""
    assert read(None, ' {"Answer": "B"}\n') == '{"Answer": "B"}'
    assert read(None, " \n") is None


@pytest.mark.parametrize("spec", ["nmber", "json", "json:", "json:a..b", "", "number:x", 7, ["number"]])
def test_an_unknown_extractor_lists_what_exists(spec: Any) -> None:
    """A spec that means nothing is refused on one line that names what there is."""
    with pytest.raises(BadInput, match="number, choice, boxed, text, json:FIELD") as caught:
        extractor(spec)
    assert "\n" not in str(caught.value)


def test_an_error_is_told_on_one_short_line() -> None:
    """An exception's line breaks and length do not reach a recording."""
    assert one_line(ValueError()) == "ValueError"
    assert one_line(ValueError("a\n b")) == "ValueError: a b"
    assert len(one_line(ValueError("x" * 1000))) == 300


def test_the_rules_have_a_version() -> None:
    """A recording can name the rules its answers were made with."""
    assert ANSWER_VERSION == 1


# -- hostile texts --------------------------------------------------------------------------------------------------

BLOCK = '{"a":' * 200 + "!"


@pytest.mark.parametrize(
    ("spec", "text", "answer"),
    [
        ("number", "-" * LONG + "7", "-7"),
        ("number", "7 " + "x" + "1" * LONG, "7"),
        ("number", "1,111" * (LONG // 5), "111"),
        ("number", "7 " + " 1/0" * (LONG // 4), "7"),
        ("number", "7" + " " * LONG, "7"),
        ("choice", "answer " * (LONG // 7) + "is B", "B"),
        ("choice", "*" * LONG + "\nB", "B"),
        ("choice", "answer to " + "x " * (LONG // 2) + "(C)", "C"),
        ("boxed", "\\boxed{8}" + "{" * LONG, "8"),
        ("boxed", "\\boxed{8" + "\\frac{" * (LONG // 6), None),
        ("boxed", "\\boxed{" + " " * LONG + "8}", "8"),
        ("boxed", "\\boxed{x" + "\\text{y}" * (LONG // 8) + "}", "x" + " y" * (LONG // 8)),
        ("json:a", "{" * LONG + '{"a": 9}', "9"),
        ("text", '"' * LONG + "Yes" + '."' * (LONG // 2), "yes"),
    ],
    ids=range(14),
)
def test_a_megabyte_of_malice_reads_like_any_text(spec: str, text: str, answer: str | None) -> None:
    """Texts made to cost time still give the answer the rules give."""
    assert read(spec, text) == answer


@pytest.mark.parametrize(
    "text", ['{"a":' * (LONG // 5), BLOCK * (LONG // len(BLOCK)), '{"' * (LONG // 2)], ids=["deep", "broken", "short"]
)
def test_json_that_costs_too_much_is_given_up(text: str) -> None:
    """Endless nesting and endless broken objects are a failure that is told, not a search without end."""
    reading = extractor("json:a").read(text)
    assert reading.answer is None
    assert (reading.error or "").startswith("the extractor json:a failed with ")


@settings(max_examples=200)
@given(st.text(max_size=60) | NUMBERISH, st.sampled_from(["number", "choice", "boxed", "json:a", "text"]))
def test_every_answer_read_is_in_canonical_form(text: str, spec: str) -> None:
    """Whatever the text, reading it raises nothing and gives an answer in canonical form or none."""
    for whole in (text, f"the answer is \\boxed{{{text}}}", f'{{"a": "{text}"}}'):
        answer = read(spec, whole)
        assert answer == canonical(answer)
