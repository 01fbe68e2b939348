"""Agents as attempts: whatever a framework does with its client, the ceiling holds and every call is in the cost."""

from __future__ import annotations

import asyncio
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.governing import QUESTION, SIDES, Side, billed, receipt_nusd, spent
from tests.loopback import Fault, LoopbackServer, Received, Reply
from thinkcap.controller import Account, Ceiling, Recorder, govern
from thinkcap.controller.agents import text_of
from thinkcap.evals import load_recording, replay
from thinkcap.policies import Arm, BadInput, Call, CeilingReached, Fixed, Lead, Policy, Reason, Vote


@pytest.fixture(params=SIDES, ids="-".join)
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    with Side(*request.param) as made:
        yield made


def said(response: Any) -> str:
    """The text of an SDK's answer."""
    text: str = response.output_text if hasattr(response, "output_text") else response.choices[0].message.content
    return text


def agent(side: Side, work: Callable[..., Any]) -> Any:
    """An agent of this side's kind, written once: a generator that yields calls and is sent their answers.

    It is called as ``work(ask, client, question, arm)``, where ``ask(**options)`` is what to yield.
    """

    def begin(client: Any, question: Any, arm: Arm) -> Any:
        def ask(**options: Any) -> Callable[[], Any]:
            return lambda: side.create(client, **{"model": arm.model, **options})

        return work(ask, client, question, arm)

    def run(client: Any, question: Any, arm: Arm) -> Any:
        steps = begin(client, question, arm)
        try:
            call = next(steps)
            while True:
                try:
                    answer = call()
                except Exception as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(answer)
        except StopIteration as end:
            return end.value

    async def run_async(client: Any, question: Any, arm: Arm) -> Any:
        steps = begin(client, question, arm)
        try:
            call = next(steps)
            while True:
                try:
                    answer = await call()
                except Exception as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(answer)
        except StopIteration as end:
            return end.value

    return run if side.mode == "sync" else run_async


def walk(steps: int, **options: Any) -> Callable[..., Any]:
    """An agent that makes so many calls one after another, and answers with the last one's text."""

    def work(ask: Any, client: Any, question: Any, arm: Arm) -> Any:
        answer = None
        for _ in range(steps):
            answer = yield ask(**options)
        return said(answer)

    return work


def solve(side: Side, server: LoopbackServer, work: Any, policy: Policy | None = None, **options: Any) -> Any:
    given = {"ceiling": "0.5", "extract": "number", **options}
    kept = {name: given.pop(name) for name in ("ceiling", "account", "arms", "recorder") if name in given}
    if "account" in kept:
        kept["ceiling"] = None
    controller = side.controller(server, policy=policy or Fixed(), **kept)
    return side.solve(controller, agent=agent(side, work), **given)


# One run.


def test_a_run_is_one_attempt(side: Side) -> None:
    """All calls of a run are one attempt: its answer is read from what was returned, its cost is what was billed."""
    with LoopbackServer([Reply(text="a plan"), Reply(text="a look"), Reply(text="It is 42.")]) as server:
        outcome = solve(side, server, walk(3))
        (attempt,) = outcome.attempts
        assert (outcome.answer, outcome.text, attempt.calls, attempt.finish) == ("42", "It is 42.", 3, "stop")
        assert attempt.usage.output_tokens == 3 * 7
        assert outcome.spent_nusd == receipt_nusd(outcome) == billed(server) > 0


def test_runs_are_voted_on_as_calls_are(side: Side) -> None:
    """The policy decides over runs: it goes on until the answers agree, and the most frequent one is given."""
    texts = [Reply(text=text) for text in ("x", "41", "x", "42", "x", "42", "x", "42")]
    with LoopbackServer(texts) as server:
        outcome = solve(side, server, walk(2), Lead(2, most=9))
        assert (outcome.answer, outcome.reason, len(outcome.attempts)) == ("42", Reason.AGREED, 4)
        assert outcome.spent_nusd == billed(server)


def test_runs_are_verified_as_calls_are(side: Side) -> None:
    """The first run whose answer passes the verifier ends the solve."""
    with LoopbackServer([Reply(text="7"), Reply(text="42")]) as server:
        outcome = solve(side, server, walk(1), Vote(9), verifier={"equals": "42"})
        assert (outcome.answer, outcome.reason, len(outcome.attempts)) == ("42", Reason.VERIFIED, 2)


def test_an_agent_is_given_client_question_and_arm(side: Side) -> None:
    """It gets a client of the caller's own type, the question as it was asked, and the arm with this attempt's cap."""
    seen: list[Any] = []

    def work(ask: Any, client: Any, question: Any, arm: Arm) -> Any:
        seen.append((client, question, arm))
        return said((yield ask()))

    question = [{"role": "user", "content": QUESTION}]
    with LoopbackServer(Reply()) as server:
        arm = side.arm(effort="low", max_output_tokens=77)
        solve(side, server, work, question=question, arms=[arm])
        client, asked, given = seen[0]
        assert isinstance(client, openai.OpenAI if side.mode == "sync" else openai.AsyncOpenAI)
        assert (asked, given) == (question, arm)
        assert server.requests[0].body[side.cap_name] == 77


def test_a_policys_cap_reaches_calls_that_name_none(side: Side) -> None:
    """The output cap a policy decides on is in the arm an agent sees, and in every call that names no cap."""

    class Short(Policy):
        def decide(self, state: Any) -> Any:
            return self.stop(state, Reason.ATTEMPTS) if state.attempts else Call(state.arms[0], 55)

    caps: list[int | None] = []

    def work(ask: Any, client: Any, question: Any, arm: Arm) -> Any:
        caps.append(arm.max_output_tokens)
        yield ask(**{side.cap_name: 44})
        return said((yield ask()))

    with LoopbackServer(Reply()) as server:
        solve(side, server, work, Short())
        assert caps == [55]
        assert [request.body[side.cap_name] for request in server.requests] == [44, 55]


def test_a_try_again_of_the_framework_is_charged_and_ours_does_not_multiply_it(side: Side) -> None:
    """Each try an agent makes is sent once and charged by itself: neither the SDK nor the controller adds any."""

    def work(ask: Any, client: Any, question: Any, arm: Arm) -> Any:
        for _ in range(2):
            try:
                return said((yield ask()))
            except openai.APIStatusError:
                pass
        raise LookupError("gave up")

    with LoopbackServer([Fault("status", code=500, billed=True), Reply()]) as server:
        outcome = solve(side, server, work)
        assert (outcome.answer, outcome.attempts[0].calls, len(server.requests)) == ("42", 2, 2)
        assert outcome.spent_nusd == receipt_nusd(outcome) > billed(server)


def test_calls_side_by_side_are_all_in_the_cost() -> None:
    """An agent may call from several threads or tasks at once: every call is in the attempt's cost."""
    with LoopbackServer(Reply()) as server:
        for mode in ("sync", "async"):
            with Side(mode, "chat") as side:

                def threads(client: Any, question: Any, arm: Arm, side: Side = side) -> str:
                    with ThreadPoolExecutor(8) as pool:
                        return [said(each) for each in pool.map(lambda _: side.create(client), range(8))][-1]

                async def tasks(client: Any, question: Any, arm: Arm, side: Side = side) -> str:
                    return [said(each) for each in await asyncio.gather(*(side.create(client) for _ in range(8)))][-1]

                before = billed(server)
                work = threads if mode == "sync" else tasks
                outcome = side.solve(side.controller(server, ceiling=1), agent=work, extract="number")
                assert (outcome.answer, outcome.attempts[0].calls) == ("42", 8)
                assert outcome.spent_nusd == receipt_nusd(outcome) == billed(server) - before


def test_a_call_after_the_end_is_refused(side: Side) -> None:
    """A client that outlives its run cannot spend: its slice was closed with the run."""
    kept: list[Any] = []

    def work(ask: Any, client: Any, question: Any, arm: Arm) -> Any:
        kept.append(client)
        return said((yield ask()))

    with LoopbackServer(Reply()) as server:
        solve(side, server, work)
        with pytest.raises(BadInput, match="was closed"):
            side.ask(kept[0])
        assert len(server.requests) == 1


def test_a_call_still_open_at_the_end_counts_at_its_reservation() -> None:
    """A call that an agent leaves unsettled when it returns is in the attempt's cost at what is held for it."""
    account = Account(1)
    with Side("async", "chat") as side, LoopbackServer(Reply()) as server:
        release = asyncio.Event()

        async def held(*_: Any, **__: Any) -> Any:
            await release.wait()
            raise openai.APIConnectionError(request=None)  # type: ignore[arg-type]

        async def leaves(client: Any, question: Any, arm: Arm) -> str:
            client._client = SimpleNamespace(send=held, build_request=client._client.build_request)
            tasks.append(asyncio.ensure_future(side.create(client)))
            await asyncio.sleep(0.01)
            return "42"

        async def main() -> Any:
            outcome = await side.controller(server, account=account).solve(QUESTION, agent=leaves, extract="number")
            release.set()
            await asyncio.gather(*tasks, return_exceptions=True)
            return outcome

        tasks: list[Any] = []
        outcome = side.run(main())
        assert outcome.attempts[0].calls == 1
        assert outcome.spent_nusd == account.entries()[0].reserved_nusd == spent(account) > 0


# What it returns.


class Found(pydantic.BaseModel):
    total: int


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("It is 42.", "It is 42."),
        (SimpleNamespace(text="42"), "42"),
        (SimpleNamespace(final_output="42", text=None), "42"),
        (SimpleNamespace(output=Found(total=42)), '{"total":42}'),
        (SimpleNamespace(output=42), "42"),
        (Found(total=42), '{"total":42}'),
        ({"total": 42}, '{"total":42}'),
        (42, "42"),
    ],
)
def test_a_text_is_found_in_what_is_returned(result: Any, text: str) -> None:
    """A text is itself; of a framework's result its output is taken; data is read as JSON."""
    assert text_of(result) == text


@pytest.mark.parametrize(("result", "says"), [(None, "returned nothing"), (object(), "a object, which has no text")])
def test_what_has_no_text_is_a_failed_attempt(side: Side, result: Any, says: str) -> None:
    """An agent that returns nothing readable has made a failed attempt, which is charged and says what to return."""

    def work(ask: Any, client: Any, question: Any, arm: Arm) -> Any:
        yield ask()
        return result

    with LoopbackServer(Reply()) as server:
        outcome = solve(side, server, work)
        assert (outcome.answer, outcome.attempts[0].finish) == (None, "error")
        assert says in outcome.attempts[0].error
        assert outcome.spent_nusd == billed(server) > 0


def test_the_frameworks_own_result_is_kept(side: Side) -> None:
    """outcome.response is what the winning run returned."""
    result = SimpleNamespace(output="42", steps=3)

    def work(ask: Any, client: Any, question: Any, arm: Arm) -> Any:
        yield ask()
        return result

    with LoopbackServer(Reply()) as server:
        assert solve(side, server, work).response is result


# What goes wrong.


def test_what_an_agent_raises_is_a_failed_attempt(side: Side) -> None:
    """An agent's exception ends its attempt with what it cost, and the policy goes on."""
    runs: list[int] = []

    def work(ask: Any, client: Any, question: Any, arm: Arm) -> Any:
        runs.append(1)
        answer = yield ask()
        if len(runs) == 1:
            raise LookupError("lost my way\nand more")
        return said(answer)

    with LoopbackServer(Reply()) as server:
        outcome = solve(side, server, work, Vote(3))
        assert [attempt.finish for attempt in outcome.attempts] == ["error", "stop", "stop"]
        assert (outcome.attempts[0].error, outcome.answer) == ("LookupError: lost my way", "42")
        assert outcome.spent_nusd == receipt_nusd(outcome) == billed(server)


def test_an_agent_that_fails_for_nothing_never_crashes_the_solve(side: Side) -> None:
    """An agent that raises before its first call ends the solve as failed, after a few runs, for nothing."""

    def work(ask: Any, client: Any, question: Any, arm: Arm) -> Any:
        raise ZeroDivisionError("at once")
        yield

    with LoopbackServer(Reply()) as server:
        outcome = solve(side, server, work, Vote(9))
        assert (outcome.reason, outcome.answer, outcome.spent_nusd) == (Reason.FAILED, None, 0)
        assert [attempt.error for attempt in outcome.attempts] == ["ZeroDivisionError: at once"] * 3


def test_what_cannot_be_governed_is_a_failed_attempt(side: Side) -> None:
    """A call that cannot be governed fails its run, and nothing is sent."""

    def work(ask: Any, client: Any, question: Any, arm: Arm) -> Any:
        yield lambda: client.embeddings.create(model="m", input="x")

    with LoopbackServer(Reply()) as server:
        outcome = solve(side, server, work)
        assert outcome.attempts[0].error.startswith("NotGoverned")
        assert server.requests == []


def test_an_answer_without_a_call_is_an_answer(side: Side) -> None:
    """An agent that answers without asking anybody costs nothing and is heard."""

    def work(ask: Any, client: Any, question: Any, arm: Arm) -> Any:
        return "42"
        yield

    with LoopbackServer(Reply()) as server:
        outcome = solve(side, server, work)
        assert (outcome.answer, outcome.spent_nusd, outcome.attempts[0].calls) == ("42", 0, 0)


def test_an_interrupt_passes_through_and_is_accounted_for() -> None:
    """Ctrl-C inside an agent ends the solve; what was billed is charged, nothing is held, and its slice is closed."""
    account, kept = Account(1), list[Any]()
    with Side("sync", "chat") as side, LoopbackServer(Reply()) as server:

        def run(client: Any, question: Any, arm: Arm) -> str:
            kept.append(client)
            side.create(client)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            side.solve(side.controller(server, account=account), agent=run)
        assert spent(account) == billed(server) > 0
        with pytest.raises(BadInput, match="was closed"):
            side.ask(kept[0])


def test_a_cancelled_run_is_charged() -> None:
    """Cancelling an asynchronous solve cancels its agent, and the call under way is charged at its reservation."""
    account = Account(1)
    with Side("async", "chat") as side, LoopbackServer(Fault("timeout", billed=True)) as server:

        async def cancelled() -> None:
            controller = side.controller(server, account=account)
            task = asyncio.ensure_future(controller.solve(QUESTION, agent=agent(side, walk(1))))
            while not server.billed:
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        side.run(cancelled())
        assert spent(account) == account.entries()[0].reserved_nusd >= billed(server) > 0


@pytest.mark.parametrize("wrong", [7, "run"])
def test_what_is_no_agent_is_refused(side: Side, wrong: Any) -> None:
    """Something that cannot be called is refused before anything is sent."""
    with LoopbackServer(Reply()) as server:
        with pytest.raises(BadInput, match="a function of"):
            side.solve(side.controller(server, ceiling=1), agent=wrong)
        assert server.requests == []


def test_an_async_agent_needs_the_async_controller() -> None:
    """The synchronous controller cannot await: it refuses a coroutine function, and fails one that hides as another."""

    async def later(client: Any, question: Any, arm: Arm) -> str:
        return "42"

    class Later:
        async def __call__(self, client: Any, question: Any, arm: Arm) -> str:
            return "42"

    with Side("sync", "chat") as side, LoopbackServer(Reply()) as server:
        controller = side.controller(server, ceiling=1)
        for given in (later, Later()):
            with pytest.raises(BadInput, match="use AsyncController"):
                side.solve(controller, agent=given)
        outcome = side.solve(controller, agent=lambda *given: later(*given))
        assert "use AsyncController" in (outcome.attempts[0].error or "")


def test_an_agent_brings_its_own_tools(side: Side) -> None:
    """tools= and response_format= are for plain calls: beside agent= they are refused."""
    with LoopbackServer(Reply()) as server:
        for more in ({"tools": [said]}, {"response_format": Found}):
            with pytest.raises(BadInput, match="its own tools"):
                solve(side, server, walk(1), **more)


# The ceiling.

# A call is held at its prompt (m: at most 1,250 nano-dollars a token, some 60 tokens) and its cap at 10,000 a token.
CUT: dict[str, Any] = {"max_output_tokens": 300}


def until_refused(keep: Callable[[Exception, str], Any]) -> Callable[..., Any]:
    """An agent that calls on and on; what it makes of the refusal is the test's."""

    def work(ask: Any, client: Any, question: Any, arm: Arm) -> Any:
        last = ""
        try:
            while True:
                last = said((yield ask()))
        except CeilingReached as reached:
            return keep(reached, last)

    return work


def raised(reached: Exception, last: str) -> Any:
    raise reached


def wrapped(reached: Exception, last: str) -> Any:
    raise RuntimeError("the model could not be asked") from reached


def grouped(reached: Exception, last: str) -> Any:
    raise ExceptionGroup("tasks", [reached])


@pytest.mark.parametrize("keep", [raised, wrapped, grouped])
def test_a_run_at_its_ceiling_says_so(side: Side, keep: Any) -> None:
    """However a framework passes the refusal on, the attempt ends as ceiling with what it cost."""
    with LoopbackServer(Reply(output_tokens=290)) as server:
        outcome = solve(side, server, until_refused(keep), ceiling="0.02", arms=[side.arm(**CUT)])
        (attempt,) = outcome.attempts
        assert (attempt.finish, attempt.answer, attempt.calls) == ("ceiling", None, len(server.billed))
        assert attempt.calls > 1
        assert attempt.error.startswith("account ")
        assert outcome.spent_nusd == receipt_nusd(outcome) == billed(server) <= 20_000_000


def test_a_run_with_other_options_of_its_client_is_known_too(side: Side) -> None:
    """A framework that copies its client with other options is held to the same slice, and its refusal is seen."""

    def work(ask: Any, client: Any, question: Any, arm: Arm) -> Any:
        other = client.with_options(timeout=30, max_retries=5, base_url=elsewhere.base_url)
        try:
            while True:
                yield lambda: side.create(other)
        except CeilingReached:
            raise LookupError("no more") from None

    with LoopbackServer(Reply()) as server, LoopbackServer(Reply(output_tokens=290)) as elsewhere:
        outcome = solve(side, server, work, ceiling="0.02", arms=[side.arm(**CUT)])
        assert outcome.attempts[0].finish == "ceiling"
        assert (server.requests, outcome.spent_nusd) == ([], billed(elsewhere))
        assert 0 < outcome.spent_nusd <= 20_000_000


def test_a_deadline_cuts_what_a_run_may_wait_for(side: Side) -> None:
    """Under a ceiling in seconds a run's calls wait no longer than there was time when it began, and it ends."""
    with LoopbackServer(Fault("timeout", billed=True)) as server:
        outcome = solve(side, server, walk(1), Vote(5), ceiling=Ceiling(usd=1, seconds=0.5))
        assert (outcome.reason, outcome.attempts[0].finish) == (Reason.DEADLINE, "error")
        assert billed(server) <= outcome.spent_nusd == receipt_nusd(outcome)


def test_a_partial_result_is_kept(side: Side) -> None:
    """What an agent returns after it was refused is its partial result: read, and still told as cut by the ceiling."""
    with LoopbackServer(Reply(text="so far 42", output_tokens=290)) as server:
        work = until_refused(lambda reached, last: last)
        outcome = solve(side, server, work, ceiling="0.02", arms=[side.arm(**CUT)])
        assert (outcome.answer, outcome.text, outcome.attempts[0].finish) == ("42", "so far 42", "ceiling")


def test_a_refusal_that_was_overcome_is_no_end(side: Side) -> None:
    """A run that is refused a call, makes a smaller one and answers has ended by itself."""

    def work(ask: Any, client: Any, question: Any, arm: Arm) -> Any:
        try:
            yield ask(model="big", **{side.cap_name: 900})
        except CeilingReached:
            return said((yield ask()))

    with LoopbackServer(Reply()) as server:
        outcome = solve(side, server, work, ceiling="0.01", arms=[side.arm(max_output_tokens=300)])
        assert (outcome.answer, outcome.attempts[0].finish, outcome.attempts[0].error) == ("42", "stop", None)
        assert len(server.requests) == 1


def test_no_run_eats_what_the_others_need(side: Side) -> None:
    """A run that never ends is stopped at its share: with Vote(3), a third, a half of the rest, and then the rest."""
    account = Account("0.06")
    with LoopbackServer(Reply(output_tokens=100)) as server:
        work = until_refused(lambda reached, last: last)
        outcome = solve(side, server, work, Vote(3), account=account, arms=[side.arm(max_output_tokens=100)])
        costs = [attempt.cost_nusd for attempt in outcome.attempts]
        assert [attempt.finish for attempt in outcome.attempts] == ["ceiling"] * 3
        assert all(17_500_000 < cost <= 23_000_000 for cost in costs)
        assert sum(costs) == spent(account) == billed(server) <= 60_000_000


def test_a_run_cut_short_is_given_more_the_next_time(side: Side) -> None:
    """A run without an answer at its share shows what it needs: the next may take twice that, and answers.

    Each call of 250 output tokens costs 2.5 thousandths of a dollar, and an answer needs five of them, 12.5; of 40 one
    run of Vote(5) may take 8. It is cut after three at most, so the next may take about twice what they cost.
    """
    with LoopbackServer(Reply(output_tokens=250)) as server:
        outcome = solve(side, server, walk(5), Vote(5), ceiling="0.04", arms=[side.arm(max_output_tokens=250)])
        assert [attempt.finish for attempt in outcome.attempts[:2]] == ["ceiling", "stop"]
        assert outcome.answer == "42"
        assert outcome.spent_nusd == billed(server) <= 40_000_000


def test_a_ceiling_in_calls_is_shared_too(side: Side) -> None:
    """Of ten calls the first run of Vote(2) may make five, the second what is left; without dollars all the same."""
    with LoopbackServer(Reply()) as server:
        outcome = solve(side, server, until_refused(lambda _, last: last), Vote(2), ceiling=Ceiling(calls=10))
        assert [attempt.calls for attempt in outcome.attempts] == [5, 5]
        assert len(server.billed) == 10


def test_a_ceiling_in_seconds_alone_needs_no_slice(side: Side) -> None:
    """Where only the time is limited a run is as free as the question is."""
    with LoopbackServer(Reply()) as server:
        assert solve(side, server, walk(2), ceiling=Ceiling(seconds=600)).answer == "42"


def test_a_ceiling_too_small_for_one_call_is_an_error(side: Side) -> None:
    """As without an agent: when not even the first call can be paid, solve says what it needs and runs nothing."""
    with LoopbackServer(Reply()) as server:
        with pytest.raises(CeilingReached, match="too small for even the cheapest arm"):
            solve(side, server, walk(1), ceiling="0.001")
        assert server.requests == []


def test_governing_the_runs_client_again_does_not_charge_twice(side: Side) -> None:
    """An agent may put its client under an account of its own: then that one pays, and only once."""
    own = Account(1)

    def work(ask: Any, client: Any, question: Any, arm: Arm) -> Any:
        governed = govern(client, own, prices=None)
        return said((yield lambda: side.create(governed, model="gpt-5-mini")))

    with LoopbackServer(Reply()) as server:
        with pytest.warns(UserWarning, match="price"):
            outcome = solve(side, server, work)
        assert (outcome.spent_nusd, len(server.requests)) == (0, 1)
        assert spent(own) > 0


# Sync, async, replay.

RUNS = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["7", "42", "no number"]), st.booleans()), min_size=9)
POLICIES = st.sampled_from([Fixed(), Vote(3), Lead(2, 6)])


@settings(max_examples=15)
@given(RUNS, POLICIES)
def test_sync_async_and_replay_are_one(
    tmp_path_factory: Any, runs: list[tuple[int, str, bool]], policy: Policy
) -> None:
    """The same runs come to the same outcome synchronously and asynchronously, and replay to the same figures.

    A replay takes a set of questions with no answer at all for one whose answers cannot be compared: another question
    with an answer tells it otherwise.
    """
    outcomes: list[Any] = []
    for mode in ("sync", "async"):
        path: Path = tmp_path_factory.mktemp("runs") / "runs.jsonl"
        left = list(runs)

        def work(ask: Any, client: Any, question: Any, arm: Arm, left: list[Any] = left) -> Any:
            steps, text, fails = (1, "7", False) if question == "another?" else left.pop(0)
            for _ in range(steps):
                yield ask()
            if fails:
                raise LookupError("lost")
            return text

        with Side(mode, "chat") as side, LoopbackServer(Reply()) as server, Recorder(path) as recorder:
            asked = ("another?", QUESTION)
            both = [solve(side, server, work, policy, ceiling=5, recorder=recorder, question=q) for q in asked]
            assert sum(each.spent_nusd for each in both) == billed(server)
        found, outcome = replay(load_recording(path), policy, permutations=None), both[1]
        assert found.attempts.tolist() == [len(each.attempts) for each in both]
        assert [round(usd * 1e9) for usd in found.usd] == [each.spent_nusd for each in both]
        assert sorted(found.reasons.items()) == sorted(Counter(each.reason for each in both).items())
        outcomes.append((outcome.answer, outcome.reason, [(a.answer, a.calls, a.finish) for a in outcome.attempts]))
    assert outcomes[0] == outcomes[1]


@dataclass(frozen=True)
class Step:
    """One call of a random agent.

    Attributes:
        cap: its output cap; None names none.
        shrugs: an error of this call is swallowed.
    """

    cap: int | None
    shrugs: bool


STEPS = st.lists(st.builds(Step, st.sampled_from([None, 50, 400]), st.booleans()), min_size=1, max_size=5)
ANSWERS = st.lists(
    st.one_of(
        st.builds(Reply, output_tokens=st.integers(1, 1_500), usage=st.sampled_from(["total", "total", "missing"])),
        st.builds(Fault, st.just("status"), code=st.sampled_from([429, 500]), billed=st.just(False)),
        st.builds(Fault, st.sampled_from(["disconnect", "malformed"]), billed=st.booleans()),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40)
@given(st.sampled_from(SIDES), st.lists(STEPS, min_size=1, max_size=3), ANSWERS, st.integers(12, 90), POLICIES)
def test_no_agent_passes_the_ceiling(
    which: tuple[str, str], plans: list[list[Step]], answers: list[Any], thousandths: int, policy: Policy
) -> None:
    """For random agents, faults and ceilings: never above the ceiling, never below the bills, all sums alike."""
    account, runs = Account(f"0.0{thousandths:02d}"), list[int]()

    def work(ask: Any, client: Any, question: Any, arm: Arm) -> Any:
        runs.append(1)
        answer = None
        for step in plans[len(runs) % len(plans)]:
            try:
                answer = yield ask(**({} if step.cap is None else {here.cap_name: step.cap}))
            except Exception:
                if not step.shrugs:
                    raise
        return "nothing" if answer is None else said(answer)

    with Side(*which) as here, LoopbackServer(answers) as server:
        controller = here.controller(server, policy=policy, account=account)
        try:
            outcome = here.solve(controller, agent=agent(here, work), extract="number")
        except CeilingReached:
            assert spent(account) == 0 == billed(server)
            return
        assert outcome.spent_nusd == spent(account) == receipt_nusd(outcome)
        assert billed(server) <= outcome.spent_nusd <= thousandths * 1_000_000


def test_an_arm_may_be_asked_over_several_clients(side: Side) -> None:
    """A run's client is its arm's: each arm's calls go to the server its client names, and nowhere else."""
    seen: list[str] = []

    def script(name: str) -> Callable[[Received], Reply]:
        def answer(request: Received) -> Reply:
            seen.append(name)
            return Reply(text=name)

        return answer

    with LoopbackServer(script("1")) as one, LoopbackServer(script("2")) as two:
        clients = {"default": side.client(one), "two": side.client(two)}
        arms = [side.arm(), side.arm("big", client="two")]
        controller = side.controller(clients, arms, None, ceiling=1)
        outcome = side.solve(controller, agent=agent(side, walk(2)), extract="number")
        assert [attempt.arm.model for attempt in outcome.attempts][:2] == ["m", "big"]
        assert seen[:4] == ["1", "1", "2", "2"]
        assert outcome.spent_nusd == billed(one, two)


PAGE = Path(__file__).parents[1] / "docs" / "agents.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the docs are not installed with the wheel")
def test_the_pages_code_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The code on the page that needs no framework runs as printed: the agent's runs, and a task, twice over."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    plain = [block for block in blocks if "pydantic_ai" not in block and "from agents" not in block]
    assert len(plain) == 2
    with LoopbackServer(Reply(text="The answer is 25.", output_tokens=40)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        outcomes: list[Any] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the loopback's prices are assumed
            for block in (plain[0], plain[1], plain[1]):
                names: dict[str, Any] = {}
                exec(block, names)
                outcomes.append(names["outcome"])
                for client in names["controller"].clients.values():
                    client.close()
        assert [outcome.answer for outcome in outcomes] == ["25"] * 3
        assert [attempt.calls for attempt in outcomes[0].attempts] == [3, 3]
        assert len(server.billed) == 6 + 2
