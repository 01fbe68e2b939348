"""Questions answered live: what is spent is what was billed, never above the ceiling, whatever goes wrong."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thinkcap.controller.judging as judging
from tests.governing import AT_ONCE, PRICES, QUESTION, SIDES, Side, billed, receipt_nusd, spent
from tests.loopback import Fault, LoopbackServer, Received, Reply, unsupported_effort
from thinkcap.controller import Account, AsyncController, Ceiling, Controller, Retries
from thinkcap.controller.sending import sooner
from thinkcap.policies import (
    Arm,
    Attempt,
    BadInput,
    Call,
    CeilingReached,
    Finishing,
    Fixed,
    Ladder,
    Lead,
    Length,
    NotGoverned,
    Outcome,
    Policy,
    ProviderFailed,
    Reason,
    State,
    Stop,
    UnknownPrice,
    Vote,
)


@pytest.fixture(params=SIDES, ids="-".join)
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    with Side(*request.param) as made:
        yield made


def replies(*texts: str, output_tokens: int = 7) -> list[Reply | Fault]:
    return [Reply(text=text, output_tokens=output_tokens) for text in texts]


# One question.


def test_a_question_is_answered(side: Side) -> None:
    """The outcome holds the answer, its text, the SDK's own response, the figures and a receipt that agree."""
    with LoopbackServer(Reply(text="The answer is 42.", output_tokens=9, reasoning_tokens=4)) as server:
        outcome = side.solve(side.controller(server, ceiling=0.05), extract="number")
        assert (outcome.answer, outcome.text, outcome.reason) == ("42", "The answer is 42.", Reason.ONE_CALL_IS_BEST)
        assert isinstance(outcome.response, side.answer_type)
        (attempt,) = outcome.attempts
        assert attempt.usage is not None
        assert (attempt.usage.output_tokens, attempt.usage.reasoning_tokens, attempt.calls) == (9, 4, 1)
        assert outcome.spent_nusd == receipt_nusd(outcome) == billed(server) > 0


def test_votes_are_counted(side: Side) -> None:
    """Attempts are asked for until the policy is content, and the answer with most votes is given."""
    with LoopbackServer(replies("41", "42", "42", "7", "42")) as server:
        outcome = side.solve(side.controller(server, policy=Lead(2, most=9), ceiling=0.5), extract="number")
        assert (outcome.answer, outcome.reason, len(outcome.attempts)) == ("42", Reason.AGREED, 5)
        assert outcome.agreement == 3 / 5
        assert outcome.spent_nusd == billed(server)


def test_the_default_policy_climbs_from_arm_to_arm(side: Side) -> None:
    """Without a policy one arm is asked until an answer leads by two votes, several arms in the order given."""
    with LoopbackServer(Reply()) as server:
        one = side.controller(server, None, None, ceiling=0.5)
        assert [attempt.arm.label for attempt in side.solve(one, extract="number").attempts] == ["m", "m"]
        two = side.controller(server, [side.arm(), side.arm("big")], None, ceiling=0.5)
        assert [attempt.arm.label for attempt in side.solve(two, extract="number").attempts] == ["m", "big"]


def test_nothing_to_compare_is_one_call(side: Side) -> None:
    """Without an extractor, verifier or structure answers cannot agree, so one call is made and its text given."""
    with LoopbackServer(Reply(text="Once upon a time")) as server:
        outcome = side.solve(side.controller(server, policy=Vote(9), ceiling=0.5))
        assert (outcome.answer, outcome.reason) == ("Once upon a time", Reason.NOTHING_TO_COMPARE)
        assert len(server.requests) == 1


def test_messages_are_sent_as_they_are(side: Side) -> None:
    """A conversation is sent as given, with the last message put the arm's way."""
    arm = side.arm(template="Q: {question}\nA:")
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}]
    with LoopbackServer(Reply()) as server:
        side.solve(side.controller(server, [arm], ceiling=1), messages)
        sent = server.requests[0].body["messages" if side.api == "chat" else "input"]
        assert [message["content"] for message in sent] == ["Be brief.", "Q: 2+2?\nA:"]
        assert messages[-1]["content"] == "2+2?"


def test_an_arm_is_sent_as_it_is(side: Side) -> None:
    """Model, effort, cap, temperature and extra parameters of the arm are what the provider receives."""
    arm = side.arm("m", "low", max_output_tokens=77, temperature=0.3, extra={"top_p": 0.5})
    with LoopbackServer(Reply()) as server:
        side.solve(side.controller(server, [arm], ceiling=1))
        body = server.requests[0].body
        assert (body["model"], body[side.cap_name], body["temperature"], body["top_p"]) == ("m", 77, 0.3, 0.5)
        assert (body["reasoning_effort"] if side.api == "chat" else body["reasoning"]["effort"]) == "low"


def test_every_attempt_is_told_as_it_is_made(side: Side) -> None:
    """on_attempt sees each attempt once, in order, before the next is asked for."""
    seen: list[tuple[int, int]] = []
    with LoopbackServer(Reply()) as server:

        def tell(_: Any, attempt: Attempt) -> None:
            seen.append((attempt.number, len(server.requests)))

        side.solve(side.controller(server, policy=Vote(3), ceiling=1), extract="number", on_attempt=tell)
    assert seen == [(1, 1), (2, 2), (3, 3)]


# Verifiers.


def test_the_first_verified_answer_is_taken(side: Side) -> None:
    """With a verifier attempts go on until an answer passes, and that answer is given whatever was voted."""
    with LoopbackServer(replies("7", "7", "42", "7")) as server:
        outcome = side.solve(
            side.controller(server, policy=Vote(9), ceiling=1), extract="number", verifier={"equals": "42"}
        )
        assert (outcome.answer, outcome.reason, len(outcome.attempts)) == ("42", Reason.VERIFIED, 3)
        assert [attempt.verified for attempt in outcome.attempts] == [False, False, True]


def test_a_verifier_alone_makes_answers_comparable(side: Side) -> None:
    """Without an extractor the verifier judges the whole text."""
    with LoopbackServer(replies("no", "code 17", "no")) as server:
        outcome = side.solve(side.controller(server, policy=Vote(9), ceiling=1), verifier=re.compile(r"code \d+"))
        assert (outcome.answer, outcome.reason, len(outcome.attempts)) == ("code 17", Reason.VERIFIED, 2)


def test_a_verifier_that_raises_is_reported(side: Side) -> None:
    """A verifier's exception is the attempt's error; its answer is not accepted, and the solve goes on."""

    def broken(answer: str) -> bool:
        raise ZeroDivisionError(answer)

    with LoopbackServer(Reply()) as server:
        outcome = side.solve(side.controller(server, policy=Vote(2), ceiling=1), extract="number", verifier=broken)
        assert outcome.reason is Reason.ATTEMPTS
        assert [attempt.verified for attempt in outcome.attempts] == [None, None]
        assert all("ZeroDivisionError" in (attempt.error or "") for attempt in outcome.attempts)


def test_a_verifier_that_hangs_is_reported(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verifier that gives no verdict in time is left behind; its answer is not accepted, and the attempt says so."""
    monkeypatch.setattr(judging, "VERIFIER_SECONDS", 0.02)
    release = threading.Event()
    with LoopbackServer(Reply()) as server:
        outcome = side.solve(side.controller(server, ceiling=1), extract="number", verifier=lambda _: release.wait())
        release.set()
        assert outcome.attempts[0].verified is None
        assert "no verdict within" in (outcome.attempts[0].error or "")


# Structured output.


class Sum(pydantic.BaseModel):
    total: int

    @pydantic.field_validator("total")
    @classmethod
    def small(cls, total: int) -> int:
        if total == 13:
            raise KeyError("unlucky")  # not a validation error
        return total


def test_a_pydantic_model_is_the_answer(side: Side) -> None:
    """A model is sent as a strict schema; the parsed object comes back, and equal objects agree."""
    with LoopbackServer(replies('{"total": 42}', '{ "total":42 }')) as server:
        outcome = side.solve(side.controller(server, policy=Lead(2), ceiling=1), response_format=Sum)
        assert outcome.parsed == Sum(total=42)
        assert (outcome.answer, outcome.reason) == ('{"total": 42}', Reason.AGREED)
        body = server.requests[0].body
        form = body["response_format"]["json_schema"] if side.api == "chat" else body["text"]["format"]
        assert (form["name"], form["strict"]) == ("Sum", True)
        assert list(form["schema"]["properties"]) == ["total"]


def test_a_format_passes_through(side: Side) -> None:
    """A response format given as the Chat API takes it is sent, in the shape of either API, and its JSON parsed."""
    schema = {"name": "sum", "schema": {"type": "object", "properties": {"total": {"type": "integer"}}}}
    with LoopbackServer(Reply(text='{"total": 42}')) as server:
        form = {"type": "json_schema", "json_schema": schema}
        outcome = side.solve(side.controller(server, ceiling=1), response_format=form)
        assert outcome.parsed == {"total": 42}
        body = server.requests[0].body
        expected = form if side.api == "chat" else {"format": {"type": "json_schema", **schema}}
        assert body["response_format" if side.api == "chat" else "text"] == expected


@pytest.mark.parametrize("text", ["no JSON", '{"total": "many"}', '{"total": 13}', "[" * 100_000])
def test_what_has_not_the_structure_is_no_answer(side: Side, text: str) -> None:
    """An answer that the model or its own validators refuse is billed, has no answer and says why in one line."""
    with LoopbackServer(Reply(text=text)) as server:
        outcome = side.solve(side.controller(server, ceiling=1), response_format=Sum)
        assert outcome.answer is None
        assert "not the structure asked for" in (outcome.attempts[0].error or "")
        assert "\n" not in (outcome.attempts[0].error or "")
        assert outcome.spent_nusd == billed(server) > 0


def test_endless_json_is_no_answer(side: Side) -> None:
    """JSON nested deeper than Python reads is an attempt without an answer, not a crash."""
    with LoopbackServer(Reply(text="[" * 100_000)) as server:
        outcome = side.solve(side.controller(server, ceiling=1), response_format={"type": "json_object"})
        assert outcome.answer is None
        assert outcome.spent_nusd == billed(server) > 0


# What goes wrong.


def test_a_rate_limit_is_waited_for_and_costs_nothing(side: Side) -> None:
    """A 429 is given back and tried again; the attempt is charged for the call that got through alone."""
    limited = Fault("status", code=429, headers={"retry-after": "0"})
    with LoopbackServer([limited, limited, Reply()]) as server:
        outcome = side.solve(side.controller(server, ceiling=1), extract="number")
        assert (outcome.answer, outcome.attempts[0].calls, len(server.requests)) == ("42", 1, 3)
        assert outcome.spent_nusd == receipt_nusd(outcome) == billed(server) > 0


def test_a_server_error_is_charged_and_retried(side: Side) -> None:
    """A 500 may have been billed: it is charged at its reservation, and the retry is charged by itself."""
    with LoopbackServer([Fault("status", code=500, billed=True), Reply()]) as server:
        outcome = side.solve(side.controller(server, ceiling=1), extract="number")
        assert (outcome.answer, outcome.attempts[0].calls) == ("42", 2)
        assert outcome.spent_nusd == receipt_nusd(outcome) > billed(server)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 422])
def test_what_a_retry_cannot_mend_is_not_retried(side: Side, code: int) -> None:
    """A wrong key, model or request fails at once, in one line of the project's own, and costs nothing."""
    account = Account(1)
    with LoopbackServer(Fault("status", code=code)) as server:
        with pytest.raises(ProviderFailed) as failed:
            side.solve(side.controller(server, account=account), extract="number")
        assert len(server.requests) == 1
        assert f"{code}" in str(failed.value)
        assert "\n" not in str(failed.value)
        assert spent(account) == 0


def test_an_effort_the_provider_refuses_is_said_plainly(side: Side) -> None:
    """An effort the model does not take ends in one line that names the effort and says to leave it out."""
    with LoopbackServer(unsupported_effort("minimal")) as server:
        with pytest.raises(ProviderFailed, match="leave out the effort 'minimal'") as failed:
            side.solve(side.controller(server, [side.arm("m", "minimal")], ceiling=1))
        assert "\n" not in str(failed.value)


def test_an_unreachable_server_is_said_plainly(side: Side) -> None:
    """A server that is not there ends in one line that asks whether it runs, after the tries, and costs nothing."""
    account = Account(1)
    controller = side.controller({"default": side.client("http://127.0.0.1:9/v1")}, account=account)
    with pytest.raises(ProviderFailed, match="is the server running"):
        side.solve(controller)
    assert spent(account) == 0
    assert [entry.status for entry in account.entries()] == ["released"] * 3


def test_a_failing_arm_gives_way_to_the_next(side: Side) -> None:
    """An arm that fails is not asked again the same way; another arm answers."""

    def script(request: Received) -> Reply | Fault:
        return Fault("status", code=404) if request.body["model"] == "m" else Reply()

    with LoopbackServer(script) as server:
        controller = side.controller(server, [side.arm(), side.arm("big")], Vote(3), ceiling=1)
        outcome = side.solve(controller, extract="number")
        assert [attempt.arm.label for attempt in outcome.attempts] == ["m", "big", "big"]
        assert (outcome.answer, outcome.spent_nusd) == ("42", billed(server))


@pytest.mark.parametrize(
    "answer",
    [
        Fault("timeout", billed=True),
        Fault("disconnect", billed=True),
        Fault("malformed", billed=True),
        Fault("malformed", billed=True, headers={"content-type": "application/json"}),
        Reply(usage="missing"),
        Reply(usage="absurd"),
    ],
    ids=["timeout", "disconnect", "malformed", "malformed json", "usage missing", "usage absurd"],
)
def test_whatever_may_be_billed_is_in_the_receipt(side: Side, answer: Reply | Fault) -> None:
    """Calls that nobody accounts for are charged at their reservations, and attempts and receipt agree on it."""
    with LoopbackServer(answer) as server:
        controller = side.controller({"default": side.client(server, timeout=0.05)}, policy=Vote(2), ceiling=1)
        outcome = side.solve(controller, extract="number")
        assert outcome.spent_nusd == receipt_nusd(outcome) >= billed(server) > 0
        assert outcome.receipt is not None
        assert outcome.receipt["bounded_usd"] == outcome.receipt["spent_usd"]


def test_an_answer_cut_before_it_began_is_not_asked_at_that_cap_again(side: Side) -> None:
    """finish=length with nothing in it is billed, has no answer, and no later call of that arm has the same cap."""
    with LoopbackServer(Reply(text="x", output_tokens=10**7, reasoning_tokens=10**7)) as server:
        outcome = side.solve(side.controller(server, policy=Vote(6), ceiling=10), extract="number")
        caps = [request.body[side.cap_name] for request in server.requests]
        assert len(caps) > 1
        assert caps == sorted(set(caps))
        assert {(attempt.finish, attempt.answer) for attempt in outcome.attempts} == {("length", None)}
        assert outcome.spent_nusd == billed(server) == receipt_nusd(outcome)


def test_a_cap_from_lengths_is_sent_and_doubled_after_a_cut(side: Side) -> None:
    """A policy's cap is what the provider receives, also above the default; after a cut at least twice as much."""
    length = Length("m", mean=8.0, shared=0.5, own=0.0, within=0.3, luck=0.9, least_luck=0.4, most=100_000)
    policy = Finishing(Vote(3), (length,))
    first = policy.caps("m", ())
    assert first is not None
    assert first[1] > 4096
    with LoopbackServer([Reply(text="x", output_tokens=10**7, reasoning_tokens=10**7), *replies("42", "42")]) as server:
        outcome = side.solve(side.controller(server, policy=policy, ceiling=10), extract="number")
        caps = [request.body[side.cap_name] for request in server.requests]
        assert caps[0] == first[1]
        assert min(caps[1:]) >= 2 * caps[0]
        assert [attempt.max_output_tokens for attempt in outcome.attempts] == caps
        assert (outcome.answer, outcome.attempts[0].finish) == ("42", "length")


def test_an_arms_own_cap_is_not_tried_twice(side: Side) -> None:
    """An arm whose own cap cuts every answer is given up after one attempt."""
    with LoopbackServer(Reply(text="x", output_tokens=500, reasoning_tokens=500)) as server:
        arm = side.arm(max_output_tokens=100)
        outcome = side.solve(side.controller(server, [arm], policy=Vote(6), ceiling=10), extract="number")
        assert (outcome.reason, len(outcome.attempts)) == (Reason.HOPELESS, 1)


def test_a_refusal_is_no_answer(side: Side) -> None:
    """A model that declines is billed, gives no answer, and is not asked again the same way."""
    with LoopbackServer(Reply(refusal="I cannot say 42.", output_tokens=5)) as server:
        outcome = side.solve(side.controller(server, policy=Vote(5), ceiling=1), extract="number")
        assert (outcome.answer, outcome.reason, len(outcome.attempts)) == (None, Reason.REFUSED, 1)
        assert outcome.spent_nusd == billed(server) > 0


def test_an_extractor_that_raises_is_reported(side: Side) -> None:
    """An extractor's exception is the attempt's error, and the attempt has no answer."""

    def broken(text: str) -> str:
        raise LookupError(text)

    with LoopbackServer(Reply()) as server:
        outcome = side.solve(side.controller(server, ceiling=1), extract=broken)
        assert outcome.answer is None
        assert "LookupError" in (outcome.attempts[0].error or "")


# Interrupts.


def test_an_interrupt_leaves_a_correct_receipt(side: Side) -> None:
    """Ctrl-C in the middle of a solve passes through; the account's receipt holds all that was billed until then."""
    account = Account(1)

    def interrupt(_: Any, attempt: Attempt) -> None:
        if attempt.number == 2:
            raise KeyboardInterrupt

    with LoopbackServer(Reply()) as server:
        controller = side.controller(server, policy=Vote(5), account=account)
        with pytest.raises(KeyboardInterrupt):
            side.solve(controller, extract="number", on_attempt=interrupt)
        assert len(server.billed) == 2
        assert spent(account) == billed(server)
        receipt = account.receipt()
        assert (receipt["calls"], receipt["reserved_usd"]) == (2, "0")


def test_an_interrupt_during_a_call_leaves_a_correct_receipt(side: Side) -> None:
    """Ctrl-C while the provider works is charged at the call's reservation, beside what was answered before."""
    account = Account(1)
    with LoopbackServer(Reply()) as server:
        plain = side.client(server)
        send, calls = plain._client.send, iter(range(9))

        def sync_send(*given: Any, **named: Any) -> Any:
            if next(calls) == 1:
                raise KeyboardInterrupt
            return send(*given, **named)

        async def async_send(*given: Any, **named: Any) -> Any:
            return await sync_send(*given, **named)

        plain._client.send = sync_send if side.mode == "sync" else async_send
        controller = side.controller({"default": plain}, policy=Vote(5), account=account)
        with pytest.raises(KeyboardInterrupt):
            side.solve(controller, extract="number")
        first, second = account.entries()
        assert (first.charged_nusd, second.charged_nusd) == (billed(server), second.reserved_nusd)
        assert spent(account) == first.charged_nusd + second.reserved_nusd


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_cancelled_solve_is_charged(api: str) -> None:
    """A cancelled task raises CancelledError, with the call under way charged at its reservation."""
    account = Account(1)
    with Side("async", api) as side, LoopbackServer([Reply(), Fault("timeout", billed=True)]) as server:
        controller = side.controller(server, policy=Vote(5), account=account)

        async def cancelled() -> None:
            task = asyncio.ensure_future(controller.solve(QUESTION, extract="number"))
            while len(server.billed) < 2:
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        side.run(cancelled())
        assert billed(server) < spent(account) == sum(entry.charged_nusd for entry in account.entries())


# The ceiling.


def test_money_that_runs_out_ends_with_the_best_answer(side: Side) -> None:
    """When the ceiling pays for no further attempt, the best answer so far is given, with the reason."""
    with LoopbackServer(replies("42", "42", "7", output_tokens=1_000)) as server:
        outcome = side.solve(side.controller(server, policy=Vote(99), ceiling="0.05"), extract="number")
        assert outcome.reason is Reason.CEILING
        assert outcome.answer in ("42", "7")
        assert len(outcome.attempts) == 4  # each costs a cent; the fifth has less than the longest answer free
        assert outcome.spent_nusd == billed(server) <= 50_000_000


def test_a_ceiling_too_small_for_any_arm_says_what_it_takes(side: Side) -> None:
    """Where not one call is possible, CeilingReached names the cheapest arm and what it needs; that much suffices."""
    with LoopbackServer(Reply()) as server:
        arms = [side.arm("big"), side.arm("m", max_output_tokens=200)]
        with pytest.raises(CeilingReached, match="cheapest arm: m needs up to") as reached:
            side.solve(side.controller(server, arms, ceiling="0.000001"))
        assert "\n" not in str(reached.value)
        assert server.requests == []
        assert reached.value.needed is not None
        outcome = side.solve(side.controller(server, arms, ceiling=f"{reached.value.needed / 1e9:.9f}"))
        assert [attempt.arm.label for attempt in outcome.attempts] == ["m"]


@pytest.mark.parametrize(
    ("ceiling", "says"),
    [
        (Ceiling(output_tokens=100), "m needs 1,024 output tokens and 100 are free"),
        (Ceiling(usd=1, output_tokens=100), "m needs 1,024 output tokens and 100 are free"),
    ],
)
def test_what_a_ceiling_lacks_is_named(side: Side, ceiling: Ceiling, says: str) -> None:
    """Where tokens and not dollars are short, the error speaks of tokens."""
    with LoopbackServer(Reply()) as server:
        with pytest.raises(CeilingReached, match=says):
            side.solve(side.controller(server, ceiling=ceiling))
        assert server.requests == []


def test_a_cheaper_arm_is_used_where_the_first_does_not_fit(side: Side) -> None:
    """An arm that the ceiling does not pay for gives way to a cheaper one."""
    with LoopbackServer(Reply()) as server:
        arms = [side.arm("big", max_output_tokens=4_000), side.arm("m", max_output_tokens=400)]
        outcome = side.solve(side.controller(server, arms, ceiling="0.01"))
        assert [attempt.arm.label for attempt in outcome.attempts] == ["m"]
        assert outcome.spent_nusd == billed(server)


def test_the_cap_is_lowered_to_what_is_free(side: Side) -> None:
    """A call whose worst case does not fit is sent with a lower cap, and the attempt tells which."""
    with LoopbackServer(Reply()) as server:
        arm = side.arm(max_output_tokens=40_000)
        outcome = side.solve(side.controller(server, [arm], ceiling="0.03"))
        sent = server.requests[0].body[side.cap_name]
        assert outcome.attempts[0].max_output_tokens == sent
        assert 1_024 <= sent < 3_000


def test_the_account_is_shared_by_all_questions(side: Side) -> None:
    """Questions of one controller spend one account; each has the ceiling for itself inside it."""
    account = Account("0.031")
    with LoopbackServer(Reply(output_tokens=1_000)) as server:
        controller = side.controller(server, policy=Vote(99), ceiling="0.025", account=account)
        first = side.solve(controller, extract="number", id="a/b")
        second = side.solve(controller, extract="number", id="a/b")
        assert (len(first.attempts), len(second.attempts)) == (2, 1)
        assert spent(account) == first.spent_nusd + second.spent_nusd == billed(server)
        with pytest.raises(CeilingReached):
            side.solve(controller, extract="number")


def test_two_controllers_share_an_account(side: Side) -> None:
    """Questions of two controllers on one account never mix, though both count from 1: each has its whole ceiling."""
    account = Account(1)
    with LoopbackServer(Reply(output_tokens=1_000)) as server:
        for _ in range(2):
            outcome = side.solve(side.controller(server, ceiling="0.02", account=account))
            assert outcome.spent_nusd == receipt_nusd(outcome)
            assert 0 < outcome.spent_nusd < 20_000_000


def test_a_ledger_file_opened_again_does_not_mix_questions(side: Side, tmp_path: Any) -> None:
    """A second process's first question does not go on with the money of the first process's first question."""
    with LoopbackServer(Reply(output_tokens=1_000)) as server:
        for runs in (1, 2):
            with Account(1, name="team", ledger=tmp_path / "team.db") as account:
                outcome = side.solve(side.controller(server, ceiling="0.02", account=account), id="q1")
                assert len(outcome.attempts) == 1
                assert spent(account) == billed(server) == runs * outcome.spent_nusd


class Stubborn(Policy):
    """Asks again whatever happened, with the cap it is given."""

    def __init__(self, cap: int | None = None) -> None:
        self.cap = cap

    def decide(self, state: State) -> Call | Stop:
        return Call(state.arms[0], self.cap)


def test_a_policy_that_never_stops_is_stopped(side: Side) -> None:
    """Whatever a policy wants, the ceiling ends the episode."""
    with LoopbackServer(Reply(output_tokens=500)) as server:
        outcome = side.solve(side.controller(server, policy=Stubborn(600), ceiling="0.05"), extract="number")
        assert outcome.reason is Reason.CEILING
        assert outcome.spent_nusd == billed(server) <= 50_000_000


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_request_dearer_than_its_arm_ends(mode: str) -> None:
    """Where the request needs more than the arm promised, so that it cannot be sent, the solve ends and says so."""
    with Side(mode, "chat") as side, LoopbackServer(Reply()) as server:
        arm = side.arm(max_output_tokens=1_000, extra={"extra_body": {"n": 50}})
        with pytest.raises(CeilingReached, match="needs up to"):
            side.solve(side.controller(server, [arm], policy=Stubborn(), ceiling="0.1"), extract="number")
        assert server.requests == []


def test_a_deadline_ends_the_solve(side: Side) -> None:
    """A call is given up at the deadline, charged at its reservation, and the outcome names the deadline."""
    now = [0.0]
    account = Account(Ceiling(usd=1, seconds=100), clock=lambda: now[0])

    def script(request: Received) -> Reply | Fault:
        now[0] = 99.95 if request.number == 1 else 101
        return Reply() if request.number == 1 else Fault("timeout", billed=True)

    with LoopbackServer(script) as server:
        outcome = side.solve(side.controller(server, policy=Vote(5), account=account), extract="number")
        assert (outcome.reason, outcome.answer, len(server.requests)) == (Reason.DEADLINE, "42", 2)
        assert outcome.spent_nusd == receipt_nusd(outcome) == spent(account) > billed(server)


def test_a_deadline_does_not_lengthen_the_clients_timeout(side: Side) -> None:
    """The client's own time-out holds under a far deadline: the server's silence ends the call by it."""
    with LoopbackServer(Fault("timeout")) as server:
        plain = side.client(server, timeout=0.05)
        controller = side.controller(
            {"default": plain}, ceiling=Ceiling(usd=1, seconds=3_000), retries=Retries(attempts=1)
        )
        outcome = side.solve(controller)
        assert (outcome.attempts[0].error or "").startswith("APITimeoutError")


def test_the_sooner_timeout_is_sent() -> None:
    """Each of a client's four time-outs is cut to the seconds left, and none is lengthened."""
    import openai

    assert sooner(5.0, 60) == 5.0
    assert sooner(500, 60) == 60
    assert sooner(None, 60) == 60
    cut = sooner(openai.Timeout(600, connect=5.0), 60)
    assert (cut.connect, cut.read, cut.write, cut.pool) == (5.0, 60, 60, 60)


# Several clients.


def test_keys_never_cross_hosts(side: Side) -> None:
    """Each arm's calls go to its own client's host with its own client's key; both are paid by one account."""
    account = Account(1)
    with LoopbackServer(Reply(text="41")) as here, LoopbackServer(Reply(text="42")) as there:
        clients = {
            "default": side.client(here, api_key="key-here"),
            "other": side.client(there, api_key="key-there"),
        }
        arms = [side.arm(), side.arm("big", client="other")]
        ladder = Ladder((("m", 2), ("big", 2)), lead=9)
        outcome = side.solve(side.controller(clients, arms, ladder, account=account), extract="number")
        assert [request.headers["authorization"] for request in here.requests] == ["Bearer key-here"] * 2
        assert [request.headers["authorization"] for request in there.requests] == ["Bearer key-there"] * 2
        assert {request.body["model"] for request in there.requests} == {"big"}
        assert outcome.spent_nusd == spent(account) == billed(here, there)


def test_a_governed_client_is_charged_once(side: Side) -> None:
    """A controller given a governed client pays from its own account alone."""
    from thinkcap.controller import govern

    other, account = Account(1), Account(1)
    with LoopbackServer(Reply()) as server:
        client = govern(side.client(server), other, prices=PRICES)
        side.solve(side.controller({"default": client}, account=account))
        assert (spent(other), spent(account)) == (0, billed(server))


# Bad input.


def _with_ceiling(amount: Any, side: Side, client: Any) -> Any:
    return side.controller(client, ceiling=amount)


BAD_CONTROLLERS: dict[str, tuple[Callable[[Side, Any], Any], str]] = {
    "twins": (lambda side, c: side.controller(c, [side.arm(), side.arm()], ceiling=1), "give one of them a name="),
    "effort": (lambda side, c: side.controller(c, [side.arm("m", "extreme")], ceiling=1), "the SDK knows the efforts"),
    "no arm": (lambda side, c: side.controller(c, [], ceiling=1), "at least one arm"),
    "no arms": (lambda side, c: side.controller(c, [None], ceiling=1), "an arm must be"),
    "client": (lambda side, c: side.controller(c, [side.arm(client="x")], ceiling=1), "there are: default"),
    "no ceiling": (lambda side, c: side.controller(c), "needs a ceiling="),
    "kind": (lambda side, c: side.controller({"default": "client"}, ceiling=1), "not str"),
    "policy": (lambda side, c: side.controller(c, policy="lead:3", ceiling=1), "policy must be a Policy"),
    "default cap": (lambda side, c: side.controller(c, ceiling=1, default_max_output_tokens=0), "whole number from 1"),
    "least cap": (lambda side, c: side.controller(c, ceiling=1, min_output_tokens=-1), "whole number from 1"),
}
for amount in (0, -1, float("nan"), float("inf"), True, "much", [1]):
    BAD_CONTROLLERS[f"ceiling {amount}"] = (partial(_with_ceiling, amount), "the ceiling must be")


def _with_part(kind: str) -> list[dict[str, Any]]:
    part = {"type": kind, kind: {"url": "data:image/png;base64,AAAA", "data": "AAAA", "file_data": "AAAA"}}
    return [{"role": "user", "content": [{"type": "text", "text": QUESTION}, part]}]


BAD_QUESTIONS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "empty": ("  ", {}, "the question is empty"),
    "empty messages": ([{"role": "user", "content": ""}], {}, "messages are empty"),
    "no messages": ([], {}, "messages are empty"),
    "nothing": (None, {}, "must be a text or a list of messages"),
    "texts": (["six", "times"], {}, "must be a text or a list of messages"),
    "image": (_with_part("image_url"), {}, "'image_url' cannot be governed: send text only"),
    "sound": (_with_part("input_audio"), {}, "'input_audio' cannot be governed: send text only"),
    "file": (_with_part("file"), {}, "'file' cannot be governed: send text only"),
    "half a character": ("six \ud800 seven", {}, "cannot be written as JSON: half a character"),
    "extract": (QUESTION, {"extract": "numbr"}, "no extractor is called"),
    "verifier": (QUESTION, {"verifier": 7}, "a verifier must be"),
    "tool": (QUESTION, {"tools": [lambda: 1]}, "use def instead of lambda"),
    "one tool": (QUESTION, {"tools": len}, "takes a list of functions"),
    "format": (QUESTION, {"response_format": "json"}, "must be a pydantic model or a dict"),
    "steps": (QUESTION, {"max_steps": 0}, "max_steps must be"),
    "more steps": (QUESTION, {"max_steps": "3"}, "max_steps must be"),
    "ceiling": (QUESTION, {"ceiling": -1}, "above zero"),
}


@pytest.mark.parametrize(("build", "says"), BAD_CONTROLLERS.values(), ids=BAD_CONTROLLERS)
def test_a_controller_that_cannot_be_meant_is_refused(side: Side, build: Callable[..., Any], says: str) -> None:
    """Arms, clients, policies and amounts that cannot be meant raise BadInput in one line that says what to do."""
    with LoopbackServer(Reply()) as server:
        with pytest.raises(BadInput, match=re.escape(says)) as refused:
            build(side, server)
        assert "\n" not in str(refused.value)


def test_the_other_kind_of_client_is_refused() -> None:
    """A sync controller names the async client it was given, and the other way round."""
    with Side("sync", "chat") as sync, Side("async", "chat") as later:
        with pytest.raises(BadInput, match="must be an OpenAI client, not AsyncOpenAI"):
            Controller(later.client("http://127.0.0.1:9/v1"), ["m"], ceiling=1)
        with pytest.raises(BadInput, match="must be an AsyncOpenAI client, not OpenAI"):
            AsyncController(sync.client("http://127.0.0.1:9/v1"), ["m"], ceiling=1)


@pytest.mark.parametrize(("question", "options", "says"), BAD_QUESTIONS.values(), ids=BAD_QUESTIONS)
def test_a_question_that_cannot_be_meant_is_refused(
    side: Side, question: Any, options: dict[str, Any], says: str
) -> None:
    """What solve() cannot use raises BadInput in one line; nothing is sent, and no money is held."""
    account = Account(1)
    with LoopbackServer(Reply()) as server:
        with pytest.raises(BadInput, match=says) as refused:
            side.solve(side.controller(server, account=account), question, **options)
        assert "\n" not in str(refused.value)
        assert server.requests == []
        assert spent(account) == 0


def test_an_unknown_price_is_refused(side: Side) -> None:
    """A model without a price is refused before anything is sent, with the way to give one."""
    with LoopbackServer(Reply()) as server:
        with pytest.raises(UnknownPrice, match="prices="):
            side.solve(side.controller(server, [side.arm("nobody-priced-this")], ceiling=1))
        assert server.requests == []


def test_what_a_client_may_not_send_is_the_callers_error(side: Side) -> None:
    """An arm whose parameters cannot be governed raises NotGoverned, not a failure of the provider."""
    with LoopbackServer(Reply()) as server:
        with pytest.raises(NotGoverned, match="stream"):
            side.solve(side.controller(server, [side.arm(extra={"stream": True})], ceiling=1))
        assert server.requests == []


# One loop.

ANSWERS = st.one_of(
    st.builds(
        Reply,
        text=st.sampled_from(["41", "42", "none"]),
        output_tokens=st.integers(50, 3_000),
        reasoning_tokens=st.integers(0, 50),
        input_tokens=st.integers(20, 60),
        usage=st.sampled_from(["total", "total", "total", "missing", "absurd"]),
    ),
    st.builds(Reply, refusal=st.just("no"), output_tokens=st.integers(1, 100)),
    st.builds(Fault, st.just("status"), code=st.sampled_from([400, 429]), billed=st.just(False)),
    st.builds(Fault, st.just("status"), code=st.just(500), billed=st.booleans()),
    st.builds(Fault, st.sampled_from(["malformed", "disconnect"]), billed=st.booleans()),
)
POLICIES = st.one_of(
    st.builds(Vote, st.integers(1, 6)),
    st.builds(Lead, st.integers(1, 3), most=st.just(6)),
    st.just(Ladder((("m", 2), ("big", 4)))),
    st.builds(Stubborn, st.one_of(st.none(), st.integers(1, 4_000))),
)


def bare(outcome: Outcome) -> Outcome:
    """An outcome without what differs from run to run: seconds, and the words of errors."""
    attempts = tuple(replace(attempt, seconds=None, error=None) for attempt in outcome.attempts)
    return replace(outcome, attempts=attempts)


@settings(max_examples=40)
@given(
    st.lists(ANSWERS, min_size=1, max_size=8),
    POLICIES,
    st.integers(5_000_000, 100_000_000),
    st.booleans(),
)
def test_no_solve_passes_its_ceiling(answers: list[Reply | Fault], policy: Policy, nusd: int, checked: bool) -> None:
    """Random answers, policies and ceilings: never above the ceiling, never below the bills, all sums alike.

    Nothing is left reserved, and all four ways to ask come to the same outcome or the same error.
    """
    for api in ("chat", "responses"):
        ends: list[Any] = []
        for mode in ("sync", "async"):
            account = Account(f"{nusd / 1e9:.9f}")
            with Side(mode, api) as side, LoopbackServer(answers) as server:
                controller = side.controller(server, [side.arm(), side.arm("big")], policy, account=account)
                verifier = {"equals": "42"} if checked else None
                try:
                    outcome = side.solve(controller, extract="number", verifier=verifier, id="q")
                except (CeilingReached, ProviderFailed) as error:
                    ends.append(type(error))
                    assert spent(account) == 0 == billed(server)
                    continue
                assert outcome.spent_nusd == spent(account) == receipt_nusd(outcome)
                assert billed(server) <= outcome.spent_nusd <= nusd
                assert account.balance.money.overrun == 0
                if all(entry.provenance == "provider" for entry in account.entries() if entry.status == "settled"):
                    assert outcome.spent_nusd == billed(server)
                ends.append(bare(outcome))
        assert ends[0] == ends[1]


def test_one_controller_serves_many_threads() -> None:
    """Questions asked from many threads share the account and never pass it; every one settles."""
    account = Account("0.1")
    with Side("sync", "chat") as side, LoopbackServer(Reply(output_tokens=100)) as server:
        arm = side.arm(max_output_tokens=200)
        controller = side.controller(server, [arm], policy=Vote(3), account=account)

        def answer(_: int) -> int:
            try:
                outcome: Outcome = controller.solve(QUESTION, extract="number", id="the same")
            except CeilingReached:
                return 0
            return outcome.spent_nusd

        with ThreadPoolExecutor(8) as pool:
            costs = list(pool.map(answer, range(40)))
        assert sum(costs) == spent(account) == billed(server) <= 100_000_000
        assert 0 in costs


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_one_controller_serves_many_tasks(api: str) -> None:
    """Questions asked at once on one event loop each have their own attempts and figures."""
    account = Account(1)
    with Side("async", api) as side, LoopbackServer(Reply(output_tokens=100)) as server:
        controller = side.controller(server, policy=Vote(2), account=account)

        async def together() -> list[Outcome]:
            return list(await asyncio.gather(*(controller.solve(QUESTION, extract="number") for _ in range(10))))

        outcomes = side.run(together())
        assert [len(outcome.attempts) for outcome in outcomes] == [2] * 10
        assert sum(outcome.spent_nusd for outcome in outcomes) == spent(account) == billed(server)


def test_a_verifier_runs_in_a_thread_of_its_own(side: Side) -> None:
    """A verifier is asked in its own thread, which can be left behind if it hangs."""
    names: list[str] = []

    def noted(_: str) -> bool:
        names.append(threading.current_thread().name)
        return True

    with LoopbackServer(Reply()) as server:
        outcome = side.solve(side.controller(server, ceiling=1), extract="number", verifier=noted)
        assert outcome.reason is Reason.VERIFIED
        assert names == ["verifier"]


def test_prices_and_dates_of_an_arm(side: Side) -> None:
    """A caller's own price has no date; one from the price list has the day it was looked up for."""
    with LoopbackServer(Reply()) as server:
        assert side.controller(server, ceiling=1).price_date(side.arm()) is None
    listed = side.controller({"default": side.client("https://api.openai.com/v1")}, [side.arm("gpt-5-mini")], ceiling=1)
    before = time.strftime("%Y-%m-%d", time.gmtime())
    assert before <= listed.price_date(listed.arms[0]) <= time.strftime("%Y-%m-%d", time.gmtime())


def test_a_policy_object_is_never_changed(side: Side) -> None:
    """Two solves with one controller come to the same outcome."""
    with LoopbackServer(Reply()) as server:
        controller = side.controller(server, [Arm("m", api=side.api)], Fixed(), ceiling=1, retries=AT_ONCE)
        assert bare(side.solve(controller, id="q")) == bare(side.solve(controller, id="q"))
