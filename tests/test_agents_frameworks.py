"""Real agent frameworks under a ceiling: the OpenAI Agents SDK and pydantic-ai, each using a tool over several calls.

Optional: they are no dependencies of the project, and each test is skipped where its framework is not installed
(``pip install openai-agents 'pydantic-ai-slim[openai]'``).
"""

from __future__ import annotations

import importlib
import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.governing import Side, billed, receipt_nusd, spent
from tests.loopback import Fault, LoopbackServer, Reply, ToolCall
from thinkcap.controller import Account
from thinkcap.controller.agents import RunMeter
from thinkcap.policies import Arm, CeilingReached, Fixed, Lead, Reason


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def run_openai_agents(client: Any, question: Any, arm: Arm) -> Any:
    """An agent of the OpenAI Agents SDK; at the ceiling its tools' results so far."""
    agents = pytest.importorskip("agents", reason="the OpenAI Agents SDK is not installed")
    model = agents.OpenAIChatCompletionsModel if arm.api == "chat" else agents.OpenAIResponsesModel
    agent = agents.Agent(
        "adder", instructions="Use the tool.", model=model(arm.model, client), tools=[agents.function_tool(add)]
    )
    running = agents.Runner.run_streamed(
        agent, question, max_turns=99, run_config=agents.RunConfig(tracing_disabled=True)
    )
    try:
        async for _ in running.stream_events():
            pass
    except CeilingReached:
        outputs = [item.output for item in running.new_items if item.type == "tool_call_output_item"]
        return f"after {len(outputs)} tools: {outputs[-1]}"
    return running


async def run_openai_agents_plainly(client: Any, question: Any, arm: Arm) -> Any:
    """The same without a partial result: what it raises at the ceiling is left to thinkcap."""
    agents = pytest.importorskip("agents", reason="the OpenAI Agents SDK is not installed")
    model = agents.OpenAIChatCompletionsModel if arm.api == "chat" else agents.OpenAIResponsesModel
    agent = agents.Agent(
        "adder", instructions="Use the tool.", model=model(arm.model, client), tools=[agents.function_tool(add)]
    )
    return await agents.Runner.run(agent, question, max_turns=99, run_config=agents.RunConfig(tracing_disabled=True))


def make_pydantic_ai(client: Any, arm: Arm) -> Any:
    models = pytest.importorskip("pydantic_ai.models.openai", reason="pydantic-ai is installed without openai")
    ai, providers = importlib.import_module("pydantic_ai"), importlib.import_module("pydantic_ai.providers.openai")
    kind = models.OpenAIChatModel if arm.api == "chat" else models.OpenAIResponsesModel
    model = kind(arm.model, provider=providers.OpenAIProvider(openai_client=client))
    return ai.Agent(model, instructions="Use the tool.", tools=[add])


async def run_pydantic_ai(client: Any, question: Any, arm: Arm) -> Any:
    """An agent of pydantic-ai; at the ceiling its tools' results so far."""
    agent = make_pydantic_ai(client, arm)
    with importlib.import_module("pydantic_ai").capture_run_messages() as messages:
        try:
            return await agent.run(question)
        except CeilingReached:
            parts = [part for message in messages for part in message.parts if part.part_kind == "tool-return"]
            return f"after {len(parts)} tools: {parts[-1].content}"


async def run_pydantic_ai_plainly(client: Any, question: Any, arm: Arm) -> Any:
    """The same without a partial result."""
    return await make_pydantic_ai(client, arm).run(question)


KEEPING = {"openai-agents": run_openai_agents, "pydantic-ai": run_pydantic_ai}
PLAIN = {"openai-agents": run_openai_agents_plainly, "pydantic-ai": run_pydantic_ai_plainly}
MODULES = {"openai-agents": "agents", "pydantic-ai": "pydantic_ai"}


@pytest.fixture(params=["chat", "responses"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    with Side("async", request.param) as made:
        yield made


@pytest.fixture(params=MODULES)
def framework(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> str:
    pytest.importorskip(MODULES[request.param], reason=f"{request.param} is not installed")
    caplog.set_level(logging.CRITICAL)
    name: str = request.param
    return name


def wish() -> Reply:
    return Reply(tool_calls=(ToolCall("add", json.dumps({"a": 40, "b": 2})),), output_tokens=300)


def solve(side: Side, server: LoopbackServer, run: Callable[..., Any], policy: Any, account: Account) -> Any:
    controller = side.controller(server, policy=policy, account=account)
    return side.solve(controller, "40 and 2?", agent=run, extract="number")


pytestmark = pytest.mark.filterwarnings("default")  # the frameworks' own warnings are not ours to mend


def test_runs_of_a_framework_are_voted_on(side: Side, framework: str) -> None:
    """Two runs of three calls each agree: answer, calls and cost are those of the provider's book."""
    account = Account("0.5")
    with LoopbackServer([wish(), wish(), Reply(text="It is 42."), wish(), wish(), Reply(text="42!")]) as server:
        outcome = solve(side, server, PLAIN[framework], Lead(2, most=9), account)
        assert (outcome.answer, outcome.reason) == ("42", Reason.AGREED)
        assert [attempt.calls for attempt in outcome.attempts] == [3, 3]
        assert outcome.spent_nusd == receipt_nusd(outcome) == billed(server) == spent(account)


def test_a_framework_stops_at_the_ceiling(side: Side, framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that would never end is refused once, not retried, and ends as ceiling with what it cost."""
    account, refused, admit = Account("0.03"), list[str](), RunMeter.admit

    def counting(meter: RunMeter, *given: Any) -> Any:
        try:
            return admit(meter, *given)
        except CeilingReached as reached:
            refused.append(str(reached))
            raise

    monkeypatch.setattr(RunMeter, "admit", counting)
    with LoopbackServer(wish()) as server:
        outcome = solve(side, server, PLAIN[framework], Fixed(), account)
        (attempt,) = outcome.attempts
        assert (attempt.finish, attempt.answer, attempt.calls) == ("ceiling", None, len(server.requests))
        assert attempt.calls > 2
        assert refused == [attempt.error]
        assert outcome.spent_nusd == billed(server) == spent(account) <= 30_000_000
        assert all(entry.status == "settled" for entry in account.entries())


def test_a_framework_hands_over_its_partial_result(side: Side, framework: str) -> None:
    """What it had at the ceiling is the attempt's text, and its answer is read."""
    account = Account("0.03")
    with LoopbackServer(wish()) as server:
        outcome = solve(side, server, KEEPING[framework], Fixed(), account)
        (attempt,) = outcome.attempts
        assert attempt.finish == "ceiling"
        assert outcome.text == f"after {len(server.billed)} tools: 42"
        assert outcome.spent_nusd == billed(server) == spent(account) <= 30_000_000


def test_a_run_that_ends_is_read_from_the_frameworks_own_result(side: Side, framework: str) -> None:
    """Returned as it is, the framework's result has its text found, and is the outcome's response."""
    with LoopbackServer([wish(), Reply(text="It is 42.")]) as server:
        outcome = solve(side, server, KEEPING[framework], Fixed(), Account("0.5"))
        assert (outcome.answer, outcome.text) == ("42", "It is 42.")
        assert outcome.response is not None


def test_a_providers_failure_is_charged_and_not_retried_by_us(side: Side, framework: str) -> None:
    """A 500 in the middle of a run fails the attempt with all that may have been billed, and another run is made."""
    account = Account("0.5")
    script: list[Reply | Fault] = [wish(), Fault("status", code=500, billed=True), wish(), Reply(text="42")]
    with LoopbackServer(script) as server:
        outcome = solve(side, server, PLAIN[framework], Lead(1, most=3), account)
        assert [attempt.finish for attempt in outcome.attempts] == ["error", "stop"]
        assert (outcome.answer, len(server.requests)) == ("42", 4)
        assert billed(server) < outcome.spent_nusd == spent(account)


PAGE = Path(__file__).parents[1] / "docs" / "agents.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the docs are not installed with the wheel")
def test_the_pages_code_runs(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The framework's code on the page runs as printed: to its end, and to the ceiling with its partial result."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if f"from {MODULES[framework]} import" in block]
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    for script, finish in (([wish(), Reply(text="It is 42."), wish(), Reply(text="42!")], "stop"), (wish(), "ceiling")):
        with LoopbackServer(script) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
            names: dict[str, Any] = {}
            exec(block if finish == "stop" else block.replace("ceiling=0.25", "ceiling=0.008"), names)
            outcome = names["outcome"]
            assert (outcome.answer, outcome.attempts[0].finish) == ("42", finish)
            assert sum(attempt.calls for attempt in outcome.attempts) == len(server.billed)
