"""Plain requests, which are read in one short pass: what they come to, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thinkcap.controller.bounds import check_sendable, choices, output_cap, plain_bound, prompt_bound
from thinkcap.controller.exceeding import is_whole
from thinkcap.controller.plain import plain
from thinkcap.controller.refusals import refuse_unbounded
from thinkcap.policies import BadInput, NotGoverned
from thinkcap.policies.values import Api

TEXT = st.text(max_size=40)
ROLES = st.sampled_from(["user", "system", "assistant", "developer"])
MESSAGE = st.fixed_dictionaries({"role": ROLES, "content": TEXT})
ODD = st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), TEXT, st.lists(TEXT, max_size=2), MESSAGE)
SETTINGS = st.fixed_dictionaries(
    {"model": st.sampled_from(["m", "gpt-5"])},
    optional={
        "max_completion_tokens": st.integers(0, 9),
        "max_tokens": st.integers(0, 9),
        "max_output_tokens": st.integers(0, 9),
        "temperature": st.floats(),
        "stream": st.booleans(),
        "n": st.integers(0, 3),
        "seed": st.integers(),
        "user": TEXT,
        "reasoning_effort": st.sampled_from(["low", 'a"b']),
        "verbosity": ODD,
        "stop": ODD,
        "store": ODD,
        "tools": st.just([{"type": "web_search"}]),
        "service_tier": st.sampled_from(["auto", "priority"]),
        "background": st.booleans(),
        "previous_response_id": TEXT,
        "instructions": TEXT,
        "anything_else": ODD,
    },
)
CHATS = st.builds(
    lambda settings, messages: {**settings, "messages": messages},
    SETTINGS,
    st.lists(st.one_of(MESSAGE, st.fixed_dictionaries({"role": TEXT, "content": ODD, "name": TEXT})), max_size=3),
)
INPUTS = st.builds(lambda settings, given: {**settings, "input": given}, SETTINGS, st.one_of(TEXT, st.lists(MESSAGE)))
BODIES = st.one_of(st.tuples(CHATS, st.just("chat")), st.tuples(INPUTS, st.just("responses")))


@given(BODIES)
def test_a_plain_request_is_bounded_as_any_other(case: tuple[dict[str, Any], Api]) -> None:
    """What is plain would not be refused, can be sent, and comes to what the walk over everything says."""
    body, api = case
    short = plain(body, api)
    if short is not None:
        check_sendable(body)
        assert not refuse_unbounded(body)
        assert plain_bound(short) == prompt_bound(body, api=api)
        assert (short.n, short.cap) == (choices(body), output_cap(body, api))
        assert not is_whole(body)


@given(BODIES, BODIES)
def test_plain_prompts_are_told_apart(one: tuple[dict[str, Any], Api], other: tuple[dict[str, Any], Api]) -> None:
    """Two plain requests to one API whose prompts differ have different texts."""
    (first, api), (second, also) = one, other
    a, b = plain(first, api), plain(second, also)
    if a is not None and b is not None and api == also and a.text == b.text:
        keys = ("messages", "input", "instructions", "reasoning_effort", "verbosity")
        assert [first.get(key) for key in keys] == [second.get(key) for key in keys]


PLAIN: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1 + 1?"}],
    "max_completion_tokens": 9,
    "temperature": 0.7,
    "reasoning_effort": "low",
    "stream": True,
}


def test_the_usual_request_is_plain() -> None:
    """Messages of text with the usual settings are plain; so is a Responses input with instructions."""
    assert plain(PLAIN, "chat") is not None
    body = {"model": "m", "input": "1 + 1?", "instructions": "Be brief.", "max_output_tokens": 9}
    assert plain(body, "responses") is not None


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": float("nan")},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "?"}]}]},
        {"messages": [{"role": "user", "content": "?", "audio": {"id": "a"}}]},
        {"messages": [{"role": "tool", "content": "4"}]},
        {"messages": [{"role": "user", "content": "\ud800"}]},
        {"messages": "hello"},
        {"tools": []},
        {"response_format": {"type": "text"}},
        {"service_tier": "default"},
        {"n": True},
        {"n": 0},
        {"max_tokens": 1.0},
        {"stream": "yes"},
        {"input": "beside"},
    ],
    ids=lambda change: json.dumps(change)[:40],
)
def test_what_is_not_known_is_not_plain(change: dict[str, Any]) -> None:
    """Anything beyond plain text and plain settings is left to the walk over everything."""
    assert plain({**PLAIN, **change}, "chat") is None


@given(BODIES)
def test_what_cannot_be_governed_or_sent_is_never_plain(case: tuple[dict[str, Any], Api]) -> None:
    """A request that the walk refuses, or that JSON cannot hold, is not plain."""
    body, api = case
    try:
        check_sendable(body)
        refuse_unbounded(body)
        prompt_bound(body, api=api)
        choices(body), output_cap(body, api)
    except (BadInput, NotGoverned):
        assert plain(body, api) is None
