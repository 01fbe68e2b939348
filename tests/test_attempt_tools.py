"""Tools: Python functions the model may call, all of whose calls are paid under the one ceiling."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.governing import QUESTION, SIDES, Side, billed, receipt_nusd, spent
from tests.loopback import Fault, LoopbackServer, Received, Reply, ToolCall
from thinkcap.controller import Account, Ceiling
from thinkcap.controller.tools import LONGEST_RESULT, Tool, as_text, read_tools
from thinkcap.policies import BadInput, CeilingReached, ProviderFailed, Reason, Vote


@pytest.fixture(params=SIDES, ids="-".join)
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    with Side(*request.param) as made:
        yield made


def add(a: int, b: Annotated[int, pydantic.Field(ge=0)] = 1) -> int:
    """Add two numbers."""
    return a + b


def fail(reason: str) -> str:
    """Fail."""
    raise LookupError(f"no such {reason}\nand more")


def flood() -> str:
    return "word " * 3_000


def wish(name: str, **arguments: Any) -> Reply:
    return Reply(tool_calls=(ToolCall(name, json.dumps(arguments)),), output_tokens=11)


def told(request: Received) -> list[str]:
    """The tools' results that a request carries back to the model."""
    items = request.body.get("messages") or request.body["input"]
    results = [item for item in items if item.get("role") == "tool" or item.get("type") == "function_call_output"]
    return [item.get("content", item.get("output")) for item in results]


def ask(side: Side, server: LoopbackServer, *tools: Any, **options: Any) -> Any:
    controller = side.controller(server, **{"ceiling": 1, **options.pop("controller", {})})
    return side.solve(controller, extract="number", tools=tools, **options)


# The conversation.


def test_a_tool_is_called_and_its_result_sent_back(side: Side) -> None:
    """One attempt calls the tool the model wishes, sends the result, and is charged for both calls."""
    with LoopbackServer([wish("add", a=40, b=2), Reply(text="It is 42.")]) as server:
        outcome = ask(side, server, add)
        (attempt,) = outcome.attempts
        assert (outcome.answer, attempt.calls) == ("42", 2)
        assert told(server.requests[1]) == ["42"]
        assert outcome.spent_nusd == receipt_nusd(outcome) == billed(server) > 0
        assert attempt.usage is not None
        assert attempt.usage.output_tokens == 11 + 7


def test_the_schema_is_sent(side: Side) -> None:
    """Name, docstring and the schema of the type hints are what the provider is told of a tool."""
    with LoopbackServer(Reply()) as server:
        ask(side, server, add)
        (sent,) = server.requests[0].body["tools"]
        function = sent["function"] if side.api == "chat" else sent
        assert (function["name"], function["description"]) == ("add", "Add two numbers.")
        parameters = function["parameters"]
        assert parameters["required"] == ["a"]
        assert parameters["properties"]["b"]["minimum"] == 0


def test_several_wishes_of_one_reply_are_all_answered(side: Side) -> None:
    """Each wish of a reply gets its own result, in order, under its own id."""
    both = Reply(tool_calls=(ToolCall("add", '{"a": 1}'), ToolCall("add", '{"a": 5}')))
    with LoopbackServer([both, Reply()]) as server:
        ask(side, server, add)
        assert told(server.requests[1]) == ["2", "6"]
        items = server.requests[1].body.get("messages") or server.requests[1].body["input"]
        ids = [item.get("tool_call_id") or item.get("call_id") for item in items]
        assert len({name for name in ids if name}) == 2


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (ToolCall("fail", '{"reason": "thing"}'), "error: LookupError: no such thing"),
        (ToolCall("nobody", "{}"), "error: there is no tool called 'nobody'; there are: add, fail"),
        (ToolCall("add", "{not json"), "error: JSONDecodeError"),
        (ToolCall("add", "[1, 2]"), "error: ValueError: the arguments must be a JSON object"),
        (ToolCall("add", '{"a": "much"}'), "error: ValidationError"),
        (ToolCall("add", '{"a": 1, "b": -1}'), "error: ValidationError"),
        (ToolCall("add", '{"a": 1, "c": 1}'), "error: ValidationError"),
        (ToolCall("add", ""), "error: ValidationError"),
    ],
)
def test_what_goes_wrong_with_a_tool_is_told_to_the_model(side: Side, call: ToolCall, says: str) -> None:
    """A tool that raises, is unknown, or is called wrongly is an answer the model sees in one line, not a crash."""
    with LoopbackServer([Reply(tool_calls=(call,)), Reply()]) as server:
        outcome = ask(side, server, add, fail)
        (result,) = told(server.requests[1])
        assert result.startswith(says)
        assert "\n" not in result
        assert (outcome.answer, outcome.spent_nusd) == ("42", billed(server))


def test_a_coroutine_tool_is_awaited() -> None:
    """The asynchronous controller awaits a tool that is a coroutine function."""

    async def later(a: int) -> dict[str, int]:
        return {"a": a}

    for api in ("chat", "responses"):
        with Side("async", api) as side, LoopbackServer([wish("later", a=3), Reply()]) as server:
            ask(side, server, later)
            assert told(server.requests[1]) == ['{"a":3}']


def test_a_coroutine_tool_needs_the_async_controller() -> None:
    """The synchronous controller cannot await, so it refuses an async tool before anything is sent."""

    async def later(a: int) -> int:
        return a

    with Side("sync", "chat") as side, LoopbackServer(Reply()) as server:
        with pytest.raises(BadInput, match="use AsyncController"):
            ask(side, server, later)
        assert server.requests == []


def test_an_interrupt_in_a_tool_leaves_a_correct_account(side: Side) -> None:
    """Ctrl-C inside a tool passes through the solve; what was billed until then is charged and nothing is held."""
    account = Account(1)

    def interrupted() -> None:
        raise KeyboardInterrupt

    with LoopbackServer(wish("interrupted")) as server:
        with pytest.raises(KeyboardInterrupt):
            ask(side, server, interrupted, controller={"ceiling": None, "account": account})
        assert spent(account) == billed(server) > 0


# Its limits.


def test_the_last_step_must_answer(side: Side) -> None:
    """At the limit of steps the model may use no more tools: the last call forbids them, and its text counts."""
    with LoopbackServer(wish("add", a=1)) as server:
        outcome = ask(side, server, add, max_steps=3)
        choices = [request.body.get("tool_choice") for request in server.requests]
        assert choices == [None, None, "none"]
        assert outcome.attempts[0].calls == 3
        assert outcome.spent_nusd == billed(server)


def test_a_model_that_never_answers_runs_out_of_steps(side: Side) -> None:
    """A model that wishes for tools though they are forbidden ends the attempt without an answer, as steps."""

    def script(request: Received) -> Reply:
        del request.body["tool_choice"]  # a provider that does not heed it
        return wish("add", a=1)

    with LoopbackServer(script) as server:
        outcome = ask(side, server, add, max_steps=1, controller={"policy": Vote(5)})
        assert (outcome.reason, outcome.answer, len(outcome.attempts)) == (Reason.STEPS, None, 1)
        assert "kept asking for tools" in (outcome.attempts[0].error or "")


def test_money_that_runs_short_asks_for_the_answer(side: Side) -> None:
    """Before the money is gone the model is asked to answer without tools, so that what was spent is not lost."""
    with LoopbackServer(wish("add", a=1)) as server:
        account = Account("0.02")
        options = {"ceiling": None, "account": account, "min_output_tokens": 100}
        arm = side.arm(max_output_tokens=300)
        outcome = ask(side, server, add, max_steps=50, controller={**options, "arms": [arm]})
        choices = [request.body.get("tool_choice") for request in server.requests]
        assert 1 < len(choices) < 50
        assert choices == [None] * (len(choices) - 1) + ["none"]
        assert outcome.attempts[0].finish == "stop"
        assert outcome.spent_nusd == spent(account) == billed(server) <= 20_000_000


def test_a_result_that_costs_all_the_money_ends_the_attempt(side: Side) -> None:
    """Where a tool's result makes the next call too dear, the attempt ends as ceiling with what it cost.

    In thousands of nano-dollars: a prompt token is held at 1.25 (were it written to the cache) and an output token at
    10. The first prompt, tool and all, is bounded by 1,600 to 1,650 tokens, held at no more than 2,063 of the 20,000;
    the output cap that leaves is 1,793 to 1,800 tokens. The closing answer's prompt may be longer by that cap and by
    a result as long as the answer: (1,650 + 1,800 + 1,024) x 1.25 = 5,593 at most, and its 1,024 output tokens
    10,240. There remain 20,000 - 2,063 - 5,593 - 10,240 = 2,104 for the step: 210 tokens, so it may call the tool.
    It is billed 7 prompt tokens at 1 and 11 output tokens at 10: 117. The result has 15,000 bytes: with the 1,600
    tokens before it, 16,600 x 1.25 = 20,750 for the next prompt alone, and 20,000 - 117 = 19,883 are free.
    """
    with LoopbackServer([wish("flood"), Reply()]) as server:
        outcome = ask(side, server, flood, controller={"ceiling": "0.020", "policy": Vote(3)})
        assert [request.body.get("tool_choice") for request in server.requests] == [None]
        assert (outcome.reason, outcome.answer) == (Reason.CEILING, None)
        assert [attempt.finish for attempt in outcome.attempts] == ["ceiling"]
        assert outcome.spent_nusd == receipt_nusd(outcome) == billed(server) == 117_000


def test_no_tool_is_called_where_the_answer_after_it_could_not_be_paid(side: Side) -> None:
    """A step that may call tools holds back the closing answer: where both do not fit, the model answers at once.

    As above with 18,000: the cap is 1,593 to 1,600 tokens, the closing answer is held at no less than
    (1,600 + 1,593 + 1,024) x 1.25 + 10,240 = 15,511, and the first prompt at 2,000. The 489 that remain at most are
    48 output tokens, fewer than the 64 a step is worth making for.
    """
    with LoopbackServer([wish("flood"), Reply()]) as server:
        outcome = ask(side, server, flood, controller={"ceiling": "0.018"})
        assert [request.body.get("tool_choice") for request in server.requests] == ["none"]
        assert (outcome.answer, outcome.attempts[0].finish) == ("42", "stop")
        assert outcome.spent_nusd == receipt_nusd(outcome) == billed(server) > 0


def test_calls_are_counted_one_by_one(side: Side) -> None:
    """A ceiling in calls counts every step, and the last one it allows must answer."""
    with LoopbackServer(wish("add", a=1)) as server:
        outcome = ask(side, server, add, controller={"ceiling": Ceiling(calls=2)})
        assert [request.body.get("tool_choice") for request in server.requests] == [None, "none"]
        assert outcome.attempts[0].calls == 2


STEPS = st.one_of(
    st.builds(
        Reply,
        tool_calls=st.sampled_from([(), (ToolCall("add", '{"a": 1}'),), (ToolCall("fail", '{"reason": "x"}'),) * 2]),
        output_tokens=st.integers(1, 1_500),
        usage=st.sampled_from(["total", "total", "total", "missing"]),
    ),
    st.builds(Fault, st.just("status"), code=st.sampled_from([429, 500]), billed=st.just(False)),
)


@settings(max_examples=40)
@given(
    st.sampled_from(SIDES),
    st.lists(STEPS, min_size=1, max_size=6),
    st.integers(12_000_000, 90_000_000),
    st.integers(1, 5),
    st.integers(1, 3),
)
def test_tools_never_pass_the_ceiling(
    which: tuple[str, str], steps: list[Reply | Fault], nusd: int, most: int, votes: int
) -> None:
    """For random conversations, ceilings and limits: never above the ceiling, never below the bills, sums alike."""
    account = Account(f"{nusd / 1e9:.9f}")
    with Side(*which) as side, LoopbackServer(steps) as server:
        controller = side.controller(server, policy=Vote(votes), account=account)
        try:
            outcome = side.solve(controller, QUESTION, extract="number", tools=[add, fail], max_steps=most)
        except (CeilingReached, ProviderFailed):
            assert spent(account) == 0 == billed(server)
            return
        assert outcome.spent_nusd == spent(account) == receipt_nusd(outcome)
        assert billed(server) <= outcome.spent_nusd <= nusd
        assert max(attempt.calls for attempt in outcome.attempts) <= most * 3


# Reading functions.


def test_what_cannot_be_a_tool_is_refused() -> None:
    """A nameless function, one that JSON cannot describe, and two of one name are refused in one line."""

    def strange(a: object(), b: set[Any] | threading_lock) -> None: ...  # type: ignore[name-defined,valid-type] # noqa: F821

    def other() -> None: ...

    other.__name__ = "add"
    for functions, says in (
        ([lambda: 1], "use def instead of lambda"),
        ([strange], "tool strange: its parameters need type hints"),
        ([add, other], "two tools are called 'add'"),
        ([7], "a tool must be a named function"),
    ):
        with pytest.raises(BadInput, match=says) as refused:
            read_tools(functions)  # type: ignore[arg-type]
        assert "\n" not in str(refused.value)


def test_a_tool_without_parameters_takes_none() -> None:
    """A function without parameters is called with an empty object, or with nothing written at all."""

    def now() -> str:
        return "noon"

    tool = Tool.of(now)
    assert tool.parameters["properties"] == {}
    assert tool.call("") == tool.call("{}") == "noon"


def test_a_result_is_sent_as_text() -> None:
    """Text is sent as it is, values as JSON, what JSON cannot hold as Python shows it, and too much is cut."""

    class Thing:
        def __repr__(self) -> str:
            return "<a thing>"

    class Model(pydantic.BaseModel):
        a: int

    assert as_text("plain") == "plain"
    assert as_text([1, {"b": None}]) == '[1,{"b":null}]'
    assert as_text(Model(a=1)) == '{"a":1}'
    assert as_text(Thing()) == "<a thing>"
    cut = as_text("x" * (LONGEST_RESULT + 5))
    assert cut == "x" * LONGEST_RESULT + "\n[cut: 5 more characters]"
