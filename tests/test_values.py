"""An arm: how it is written, what it is called, and what it cannot be."""

from __future__ import annotations

import math
from typing import Any

import pytest

from thinkcap.policies import EFFORTS, Arm, BadInput


@pytest.mark.parametrize(
    ("text", "model", "effort"),
    [
        ("gpt-5-mini", "gpt-5-mini", None),
        *((f"gpt-5-mini:{effort}", "gpt-5-mini", effort) for effort in EFFORTS),
        ("llama3:8b", "llama3:8b", None),
        ("llama3:8b:low", "llama3:8b", "low"),
        ("ft:gpt-4.1:org::id", "ft:gpt-4.1:org::id", None),
        ("gpt-5:hgih", "gpt-5:hgih", None),
        ("low", "low", None),
    ],
)
def test_an_effort_follows_the_last_colon(text: str, model: str, effort: str | None) -> None:
    """Only an effort the SDK knows is split off, since models' names hold colons; the label is the text again."""
    arm = Arm.parse(text)
    assert (arm.model, arm.effort, arm.label) == (model, effort, text)


def test_the_question_goes_where_the_template_says() -> None:
    """A template is put around the question, whatever braces either holds."""
    assert Arm("m", template="Q: {question}\nA: {x}").prompt("{question} {y}?") == "Q: {question} {y}?\nA: {x}"
    assert Arm("m").prompt("why?") == "why?"


@pytest.mark.parametrize(
    ("build", "says"),
    [
        ({"model": ""}, "an arm needs a model's name"),
        ({"model": " "}, "an arm needs a model's name"),
        ({"model": None}, "an arm needs a model's name"),
        ({"model": "m", "effort": "low", "max_output_tokens": 0}, "arm m:low: max_output_tokens must be at least 1"),
        ({"model": "m", "template": "answer this"}, "must say where the question goes with {question}"),
        ({"model": "m", "api": "soap"}, "api must be 'chat' or 'responses'"),
        ({"model": "m", "temperature": math.nan}, "temperature must be a number from 0, not nan"),
        ({"model": "m", "temperature": math.inf}, "temperature must be a number from 0"),
        ({"model": "m", "temperature": -0.1}, "temperature must be a number from 0"),
        ({"model": "m", "temperature": "hot"}, "temperature must be a number from 0, not 'hot'"),
        ({"model": "m", "temperature": True}, "temperature must be a number from 0, not True"),
    ],
)
def test_an_arm_that_cannot_be_meant_is_refused(build: dict[str, Any], says: str) -> None:
    """What no request could be made of is refused in one line that names the arm."""
    with pytest.raises(BadInput) as refused:
        Arm(**build)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
