"""A governed client: every exit path of every call settles, and the provider's own book agrees."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx2
import openai
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.governing import PRICES, QUESTION, SIDES, Side, billed, spent
from tests.loopback import Fault, LoopbackServer, Reply
from thinkcap.controller import Account, Ceiling, PriceBook, govern
from thinkcap.controller.govern import meter_of
from thinkcap.controller.meter import Meter
from thinkcap.policies import BadInput, CeilingReached, NotGoverned, UnknownPrice


@pytest.fixture(params=SIDES, ids="-".join)
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    with Side(*request.param) as made:
        yield made


def governed(side: Side, server: LoopbackServer | str, account: Any = 1, **options: Any) -> tuple[Any, Account]:
    payer = account if isinstance(account, Account) else Account(account)
    return govern(side.client(server, **options), payer, prices=PRICES), payer


# What is billed is charged.

REPLIES = {
    "plain": Reply(output_tokens=7),
    "reasoning": Reply(output_tokens=900, reasoning_tokens=880),
    "cached": Reply(input_tokens=200, cached_tokens=150, output_tokens=3),
    "cache written": Reply(input_tokens=200, cached_tokens=50, cache_write_tokens=100, output_tokens=3),
    "cut at its cap": Reply(output_tokens=10_000, reasoning_tokens=9_999),
    "refused": Reply(refusal="no", output_tokens=2),
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_what_was_billed_is_charged(side: Side, reply: Reply) -> None:
    """Where usage is reported, the account has spent to the nano-dollar what the provider billed."""
    with LoopbackServer(reply) as server:
        client, account = governed(side, server)
        side.ask(client, **{side.cap_name: 1000})
        side.ask(client)
        assert spent(account) == billed(server) > 0
        assert {entry.provenance for entry in account.entries()} == {"provider"}


def test_choices_are_charged_together() -> None:
    """A call for n choices reserves n outputs and is charged for all of them."""
    with Side("sync", "chat") as side, LoopbackServer(Reply(output_tokens=50)) as server:
        client, account = governed(side, server)
        side.ask(client, n=5, max_completion_tokens=60)
        (entry,) = account.entries()
        assert entry.reserved.output_tokens == 300
        assert spent(account) == billed(server) > 5 * 50 * 10_000


@pytest.mark.parametrize("n", [2, 3, 8])
def test_one_choice_reported_for_n_is_found_out(n: int) -> None:
    """Where a server reports one choice of n and the words of all of them are more than that, all are charged."""
    reply = Reply(text="six times seven is forty two", output_tokens=8, usage="one_choice")
    with Side("sync", "chat") as side, LoopbackServer(reply) as server:
        client, account = governed(side, server)
        side.ask(client, n=n)
        client.chat.completions.with_raw_response.create(**side.body(n=n))
        assert spent(account) == billed(server) > 0
        assert {entry.provenance for entry in account.entries()} == {"counted"}


def test_a_dearer_model_is_charged_at_its_own_price(side: Side) -> None:
    """A response that names a dearer model is settled at that model's price, and the entry says so."""
    with LoopbackServer(Reply(model="big", output_tokens=20)) as server:
        client, account = governed(side, server)
        side.ask(client)
        assert spent(account) == billed(server)
        assert "dearer" in (account.entries()[0].note or "")


# Every exit path settles.

RELEASED = {
    **{f"status {code}": Fault("status", code=code) for code in (400, 401, 403, 404, 409, 422, 429, 503, 529)},
}
BOUNDED = {
    **{f"status {code}": Fault("status", code=code, billed=True) for code in (408, 500, 502)},
    "disconnect": Fault("disconnect", billed=True),
    "malformed": Fault("malformed", billed=True),
    "malformed json": Fault("malformed", billed=True, headers={"content-type": "application/json"}),
    "usage missing": Reply(usage="missing"),
    "usage absurd": Reply(usage="absurd"),
    "usage of nothing": Reply(
        usage={"prompt_tokens": 0, "completion_tokens": 0, "input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    ),
}


def once(side: Side, client: Any, **options: Any) -> BaseException | None:
    try:
        side.ask(client, **options)
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize("fault", RELEASED.values(), ids=RELEASED)
def test_what_was_surely_not_billed_is_given_back(side: Side, fault: Fault) -> None:
    """A refusal of the provider costs nothing, and its reservation is free again."""
    with LoopbackServer(fault) as server:
        client, account = governed(side, server)
        assert isinstance(once(side, client), openai.APIStatusError)
        assert spent(account) == billed(server) == 0
        assert [entry.status for entry in account.entries()] == ["released"]


@pytest.mark.parametrize("answer", BOUNDED.values(), ids=BOUNDED)
def test_what_nobody_accounts_for_is_charged_whole(side: Side, answer: Fault | Reply) -> None:
    """Where the provider may have billed and does not say what, the reservation is charged and marked as a bound."""
    with LoopbackServer(answer) as server:
        client, account = governed(side, server)
        once(side, client)
        (entry,) = account.entries()
        assert entry.provenance == "bounded"
        assert spent(account) == entry.reserved_nusd >= billed(server) > 0
        assert entry.note


def test_a_timeout_is_charged_whole(side: Side) -> None:
    """A call given up at its time-out may still be billed, so it is charged at its reservation."""
    with LoopbackServer(Fault("timeout", billed=True)) as server:
        client, account = governed(side, server, timeout=0.05)
        assert isinstance(once(side, client), openai.APITimeoutError)
        assert spent(account) == account.entries()[0].reserved_nusd >= billed(server) > 0


def nowhere() -> str:
    """A base URL where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


def test_a_refused_connection_is_given_back(side: Side) -> None:
    """Where no connection was made, nothing was sent and nothing is charged."""
    client, account = governed(side, nowhere())
    assert isinstance(once(side, client), openai.APIConnectionError)
    assert spent(account) == 0
    assert [entry.status for entry in account.entries()] == ["released"]


def test_an_earlier_refused_connection_excuses_nothing(side: Side) -> None:
    """A call made while another's refused connection is being handled, and given up in time-out, is charged."""
    with LoopbackServer(Fault("timeout", billed=True)) as server:
        client, account = governed(side, server, timeout=0.05)
        away = govern(side.client(nowhere()), account, prices=PRICES)

        async def one_after_another() -> None:
            try:
                await side.create(away)
            except openai.APIConnectionError:
                await side.create(client)

        def ask_one_after_another() -> Any:
            try:
                return side.ask(away)
            except openai.APIConnectionError:
                return side.ask(client)

        with pytest.raises(openai.APITimeoutError):
            side.run(one_after_another() if side.mode == "async" else ask_one_after_another())
        assert spent(account) >= billed(server) > 0


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, RuntimeError])
def test_an_interrupt_between_send_and_settle_is_charged_whole(side: Side, stop: type[BaseException]) -> None:
    """Whatever interrupts a call under way passes through, and the call is charged at its reservation."""
    plain = side.client("http://127.0.0.1:9/v1")
    account = Account(1)

    def interrupted(*_: Any, **__: Any) -> Any:
        raise stop

    async def interrupted_later(*_: Any, **__: Any) -> Any:
        raise stop

    plain._client.send = interrupted if side.mode == "sync" else interrupted_later
    client = govern(plain, account, prices=PRICES)
    with pytest.raises((stop, openai.APIConnectionError)):  # the SDK wraps what is a plain Exception
        side.ask(client)
    (entry,) = account.entries()
    assert spent(account) == entry.reserved_nusd > 0
    assert entry.provenance == "bounded"


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_cancelled_call_is_charged_whole(api: str) -> None:
    """A task cancelled while the provider works is charged at its reservation."""
    with Side("async", api) as side, LoopbackServer(Fault("timeout", billed=True)) as server:
        client, account = governed(side, server)

        async def cancelled() -> None:
            task = asyncio.ensure_future(side.create(client))
            while not server.billed:
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        side.run(cancelled())
        assert spent(account) == account.entries()[0].reserved_nusd >= billed(server) > 0


def test_an_error_after_billing_settles_first() -> None:
    """What the SDK raises while it parses a paid answer comes after the charge: parse() of a cut answer."""

    class Answer(pydantic.BaseModel):
        answer: int

    with Side("sync", "chat") as side, LoopbackServer(Reply(text='{"answer": 42}', output_tokens=900)) as server:
        client, account = governed(side, server)
        messages = [{"role": "user", "content": QUESTION}]
        with pytest.raises(openai.LengthFinishReasonError):
            client.chat.completions.parse(
                model="m", messages=messages, response_format=Answer, max_completion_tokens=10
            )
        assert spent(account) == billed(server) > 0
        parsed = client.chat.completions.parse(model="m", messages=messages, response_format=Answer)
        assert parsed.choices[0].message.parsed == Answer(answer=42)
        assert spent(account) == billed(server)


# One road, whatever the caller does.


def test_the_sdk_does_not_retry(side: Side) -> None:
    """One call is one request, whatever retries the client or the call asks for."""
    with LoopbackServer(Fault("status", code=500)) as server:
        client, account = governed(side, server, max_retries=5)
        for again in (client, client.with_options(max_retries=4), client.copy(max_retries=3)):
            assert isinstance(once(side, again), openai.InternalServerError)
        client.max_retries = 5
        once(side, client)
        assert len(server.requests) == len(account.entries()) == 4


def test_no_two_calls_have_one_idempotency_key(side: Side) -> None:
    """A client that sends such keys sends another with every call, whoever pays, and the caller's own as it is."""
    with LoopbackServer(Reply()) as server:
        path = side.path.removeprefix("/v1")
        for _ in range(2):
            client, _account = governed(side, server)
            client._idempotency_header = "Idempotency-Key"
            side.ask(client)
            side.ask(client)
            own = {"idempotency_key": "mine"}
            side.run(client.post(path, cast_to=object, body=side.body(), options=own))
        keys = [request.headers["idempotency-key"] for request in server.requests]
        assert keys.count("mine") == 2
        assert len(set(keys)) == 5


def test_a_copy_stays_governed(side: Side) -> None:
    """with_options, copy and a copy of a copy charge the same account, and are still of the caller's type."""
    with LoopbackServer(Reply()) as server:
        client, account = governed(side, server)
        for number, copy in enumerate((client, client.with_options(timeout=9), client.copy().copy()), start=1):
            side.ask(copy)
            assert len(account.entries()) == number
            assert isinstance(copy, openai.OpenAI if side.mode == "sync" else openai.AsyncOpenAI)
        assert spent(account) == billed(server)


def test_the_original_client_is_left_alone(side: Side) -> None:
    """govern() makes a copy: the caller's own client is neither governed nor changed."""
    with LoopbackServer(Reply()) as server:
        plain = side.client(server, max_retries=4)
        account = Account(1)
        govern(plain, account, prices=PRICES)
        side.ask(plain)
        assert plain.max_retries == 4
        assert account.entries() == ()


def test_governing_again_changes_who_pays(side: Side) -> None:
    """A governed client that is governed again is charged once, to the second account."""
    with LoopbackServer(Reply()) as server:
        client, first = governed(side, server)
        second = Account(1)
        side.ask(govern(client, second, prices=PRICES))
        assert (spent(first), spent(second)) == (0, billed(server))
        side.ask(client)
        assert spent(first) == spent(second)


def test_a_raw_response_is_charged_though_nobody_parses_it(side: Side) -> None:
    """with_raw_response is governed: the body is charged at once, and parsing it later charges nothing more."""
    with LoopbackServer(Reply()) as server:
        client, account = governed(side, server)
        endpoint = client.chat.completions if side.api == "chat" else client.responses
        raw = side.run(endpoint.with_raw_response.create(**side.body()))
        assert spent(account) == billed(server) > 0
        assert isinstance(raw.parse(), side.answer_type)
        assert spent(account) == billed(server)


@pytest.mark.parametrize("cast_to", [dict[str, Any], httpx2.Response, object])
def test_a_bare_post_is_governed(side: Side, cast_to: Any) -> None:
    """client.post to a governed path is charged like any call, whatever it is cast to."""
    with LoopbackServer(Reply()) as server:
        client, account = governed(side, server)
        path = side.path.removeprefix("/v1")
        side.run(client.post(path, cast_to=cast_to, body=side.body()))
        side.run(client.post(f"{server.base_url}{path}", cast_to=cast_to, body=side.body()))
        assert spent(account) == billed(server) > 0
        assert len(server.requests) == 2
        assert all(request.body[side.cap_name] for request in server.requests)


def test_reading_is_free(side: Side) -> None:
    """A GET passes through a governed client with nothing reserved."""
    with LoopbackServer(Reply()) as server:
        client, account = governed(side, server)

        async def listed() -> Any:
            return await client.models.list()

        models = side.run(listed()) if side.mode == "async" else client.models.list()
        assert [model.id for model in models.data] == ["loopback"]
        assert account.entries() == ()


def test_other_endpoints_are_refused_by_name(side: Side) -> None:
    """What is neither governed nor free raises NotGoverned in one line, with nothing sent and nothing reserved."""
    with LoopbackServer(Reply()) as server:
        client, account = governed(side, server)
        calls: dict[str, Any] = {
            "embeddings": lambda: client.embeddings.create(model="m", input="x"),
            "images": lambda: client.images.generate(model="m", prompt="x"),
            "audio/speech": lambda: client.audio.speech.create(model="m", input="x", voice="alloy"),
            "completions": lambda: client.completions.create(model="m", prompt="x"),
            "moderations": lambda: client.moderations.create(input="x"),
            "responses/compact": lambda: client.post("/responses/compact", cast_to=object, body={}),
            "127.0.0.1:1": lambda: client.post("http://127.0.0.1:1/v1/responses", cast_to=object, body=side.body()),
            "stream=True": lambda: side.create(client, extra_body={"stream": True}),
            "without a JSON body": lambda: client.post(side.path.removeprefix("/v1"), cast_to=object, content=b"{}"),
        }
        for name, call in calls.items():
            with pytest.raises(NotGoverned) as refused:
                side.run(call())
            assert name in str(refused.value)
            assert "\n" not in str(refused.value)
        assert server.requests == []
        assert account.entries() == ()


# The ceiling.


def test_the_cap_is_lowered_to_what_the_account_pays(side: Side) -> None:
    """A call that asks for more than is free is sent with the largest cap that fits, and keeps the ceiling."""
    with LoopbackServer(Reply(output_tokens=10**6)) as server:
        client, account = governed(side, server, "0.02")
        side.ask(client, **{side.cap_name: 50_000})
        sent = server.requests[0].body[side.cap_name]
        (entry,) = account.entries()
        assert (entry.cap_asked, entry.cap_sent) == (50_000, sent)
        assert 1024 <= sent < 50_000
        assert 20_000_000 - 10_000 < entry.reserved_nusd <= 20_000_000
        assert spent(account) == billed(server) <= 20_000_000


def test_an_uncapped_call_is_capped(side: Side) -> None:
    """A call that names no cap is sent with the default, so that its worst case is known."""
    with LoopbackServer(Reply()) as server:
        client, account = governed(side, server)
        side.ask(client)
        assert server.requests[0].body[side.cap_name] == account.entries()[0].cap_sent == 4096


def test_a_caps_own_name_is_kept() -> None:
    """The lowered cap replaces the caller's under the name it was given, wherever it was given."""
    with Side("sync", "chat") as side, LoopbackServer(Reply()) as server:
        client, _ = governed(side, server, "0.02")
        side.ask(client, max_tokens=50_000)
        side.ask(client, extra_body={"max_tokens": 50_000})
        side.ask(client, max_tokens=5, max_completion_tokens=50_000)
        for request in server.requests:
            assert 0 < request.body["max_tokens"] < 50_000
        assert "max_completion_tokens" not in server.requests[0].body


def test_a_call_that_cannot_finish_is_not_sent(side: Side) -> None:
    """Where not even the least useful cap fits, CeilingReached says what is needed and nothing is sent or held."""
    with LoopbackServer(Reply()) as server:
        client, account = governed(side, server, "0.001")
        with pytest.raises(CeilingReached) as reached:
            side.ask(client)
        assert reached.value.needed is not None
        assert reached.value.needed > 1_000_000 == reached.value.free
        assert "\n" not in str(reached.value)
        assert server.requests == []
        assert spent(account) == 0


def test_an_unknown_price_is_an_error(side: Side) -> None:
    """A model without a price is refused before it is sent: unknown is never zero."""
    with LoopbackServer(Reply()) as server:
        client, account = governed(side, server)
        with pytest.raises(UnknownPrice, match="prices="):
            side.ask(client, model="nobody-priced-this")
        assert server.requests == []
        assert account.entries() == ()


@pytest.mark.parametrize("more", [{"temperature": float("nan")}, {"top_p": float("inf")}, {"user": "\udc80"}])
def test_what_cannot_be_written_costs_nothing(side: Side, more: dict[str, Any]) -> None:
    """A request that JSON cannot hold is refused before anything is reserved, since it never leaves."""
    with LoopbackServer(Reply()) as server:
        client, account = governed(side, server)
        with pytest.raises(BadInput, match="cannot be written as JSON") as refused:
            side.ask(client, **more)
        assert "\n" not in str(refused.value)
        assert server.requests == []
        assert account.entries() == ()


def test_only_clients_can_be_governed() -> None:
    """govern() names what it was given instead of a client, and an amount that is none."""
    with pytest.raises(BadInput, match="not str"):
        govern("client", 1)  # type: ignore[type-var]
    with Side("sync", "chat") as side, pytest.raises(BadInput, match="dollars"):
        govern(side.client("http://127.0.0.1:9/v1"), "much")


def test_a_copy_for_another_host_has_that_hosts_prices(side: Side) -> None:
    """A copy with another base URL is priced, and its paths are read, as that host's."""
    with LoopbackServer(Reply()) as here, LoopbackServer(Reply()) as there:
        client, account = governed(side, here)
        away = client.with_options(base_url=there.base_url)
        assert meter_of(away).base_url == f"{there.base_url}/"
        side.run(away.post(f"{there.base_url}{side.path.removeprefix('/v1')}", cast_to=object, body=side.body()))
        assert spent(account) == billed(there) > 0
        assert here.requests == []


def test_a_child_draws_on_its_parent(side: Side) -> None:
    """What a child's client spends is its own, its parent's and its grandparent's."""
    with LoopbackServer(Reply()) as server:
        top = Account(1)
        with top.child("one", "0.5") as one, one.child("two") as two:
            side.ask(governed(side, server, two)[0])
            assert spent(two) == spent(one) == spent(top) == billed(server)


# What was learned is used, and only where it holds.


def meter(account: Account) -> Meter:
    return Meter(account, PriceBook(PRICES), None)


def test_a_known_prompt_is_reserved_as_it_was_counted(side: Side) -> None:
    """The second call of the same prompt reserves what the provider counted for the first, and 256 tokens around it."""
    with LoopbackServer(Reply(input_tokens=9)) as server:
        client, account = governed(side, server)
        side.ask(client, **{side.cap_name: 100})
        side.ask(client, **{side.cap_name: 100})
        first, second = (entry.reserved_nusd for entry in account.entries())
        # 1,250 nano-dollars: written to the cache, the dearest of the input rates
        assert first > second == (9 + 256) * 1_250 + 100 * 10_000


def test_a_prompt_that_is_counted_otherwise_the_next_time_stays_under_the_ceiling(side: Side) -> None:
    """A provider may write more around the same prompt later: a call that may use all that is left is still covered."""
    with LoopbackServer([Reply(input_tokens=20), Reply(input_tokens=200, output_tokens=5_000)]) as server:
        client, account = governed(side, server, "0.02")
        side.ask(client, **{side.cap_name: 100})
        side.ask(client, **{side.cap_name: 5_000})
        assert 19_000_000 < spent(account) == billed(server) <= 20_000_000


def test_the_largest_count_of_a_prompt_holds() -> None:
    """Of several counts of one prompt the largest is what the next call reserves."""
    one = meter(Account(1))
    body = {"model": "m", "messages": [{"role": "user", "content": "x" * 500}]}
    for count in (20, 90, 30):
        one.admit(body, "chat").settle({"model": "m", "usage": {"prompt_tokens": count, "completion_tokens": 1}})
    assert one.quote(body, "chat").prompt == 90 + 256


@pytest.mark.parametrize(
    "more", [{"chat_template_kwargs": {"documents": ["long " * 1000]}}, {"tools": [{"type": "function"}]}]
)
def test_a_prompt_with_more_in_it_is_another_prompt(more: dict[str, Any]) -> None:
    """What was counted for a prompt is not used where any other part of the request may add to it."""
    one = meter(Account(1))
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    ticket = one.admit(body, "chat")
    ticket.settle({"model": "m", "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}})
    known = one.quote(body, "chat").prompt
    assert known == 5 + 256
    assert one.quote({**body, "temperature": 1, "n": 3}, "chat").prompt == known
    assert one.quote({**body, **more}, "chat").prompt > known


def test_another_host_may_count_otherwise() -> None:
    """What one host counted for a prompt says nothing of how another counts it."""
    one = meter(Account(1))
    body = {"model": "m", "messages": [{"role": "user", "content": "x" * 500}]}
    bound = one.quote(body, "chat").prompt
    one.admit(body, "chat").settle({"model": "m", "usage": {"prompt_tokens": 90, "completion_tokens": 1}})
    assert one.quote(body, "chat").prompt == 90 + 256
    assert one.at("http://127.0.0.1:9/v1").quote(body, "chat").prompt == bound > 500


def test_only_the_first_ending_of_a_call_counts() -> None:
    """Settling, bounding and releasing one ticket in any order charges what the first of them says, once."""
    usage = {"model": "m", "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}}
    told: list[Any] = []
    for order, charged in (("sbr", 15_000), ("rsb", 0), ("bsr", None)):
        account = Account(1)
        one = Meter(account, PriceBook(PRICES), None, on_entry=told.append)
        ticket = one.admit({"model": "m", "messages": []}, "chat")
        endings: dict[str, Any] = {
            "s": partial(ticket.settle, usage),
            "b": partial(ticket.bounded, "?"),
            "r": ticket.release,
        }
        for ending in order:
            endings[ending]()
        assert spent(account) == (account.entries()[0].reserved_nusd if charged is None else charged)
    assert len(told) == 2


# Random calls under small ceilings.

ANSWERS = st.one_of(
    st.builds(
        Reply,
        output_tokens=st.integers(50, 5_000),
        reasoning_tokens=st.integers(0, 50),
        input_tokens=st.integers(20, 60),
        cached_tokens=st.integers(0, 10),
        cache_write_tokens=st.integers(0, 10),
        usage=st.sampled_from(["total", "total", "total", "missing", "absurd"]),
    ),
    st.builds(Fault, st.just("status"), code=st.sampled_from([400, 401, 429]), billed=st.just(False)),
    st.builds(Fault, st.just("status"), code=st.sampled_from([500, 504]), billed=st.booleans()),
    st.builds(Fault, st.sampled_from(["malformed", "disconnect"]), billed=st.booleans()),
)


@settings(max_examples=40)
@given(
    st.sampled_from(SIDES),
    st.lists(ANSWERS, min_size=1, max_size=6),
    st.integers(11_000_000, 60_000_000),
    st.lists(st.one_of(st.none(), st.integers(1, 5_000)), min_size=1, max_size=6),
)
def test_no_ceiling_is_ever_passed(
    which: tuple[str, str], answers: list[Reply | Fault], nusd: int, caps: list[int | None]
) -> None:
    """For any answers, ceiling and caps: never over the ceiling, never below the bills, and exact where all is told."""
    with Side(*which) as side, LoopbackServer(answers) as server:
        client, account = governed(side, server, f"{nusd / 1e9:.9f}")
        for number in range(6):
            cap = caps[number % len(caps)]
            once(side, client, **({} if cap is None else {side.cap_name: cap}))
            assert billed(server) <= spent(account) <= nusd
        assert account.balance.money.overrun == 0
        if all(entry.provenance == "provider" for entry in account.entries() if entry.status == "settled"):
            assert spent(account) == billed(server)


def test_threads_share_one_ceiling() -> None:
    """Calls from many threads, each of which alone would fit, never pass the ceiling together."""
    with Side("sync", "chat") as side, LoopbackServer(Reply(output_tokens=200)) as server:
        client, account = governed(side, server, "0.03")
        with ThreadPoolExecutor(8) as pool:
            errors = list(pool.map(lambda _: once(side, client, max_completion_tokens=200), range(40)))
        assert spent(account) == billed(server) <= 30_000_000
        assert {type(error) for error in errors} == {type(None), CeilingReached}


def test_a_ceiling_in_calls_and_in_tokens_holds(side: Side) -> None:
    """Ceilings without dollars hold too: calls are counted, and output is capped at what is left."""
    with LoopbackServer([Reply(output_tokens=500), Reply(output_tokens=10**6)]) as server:
        client, account = governed(side, server, Ceiling(calls=2, output_tokens=3_000))
        side.ask(client, **{side.cap_name: 1_800})
        side.ask(client, **{side.cap_name: 9_000})
        assert isinstance(once(side, client), CeilingReached)
        assert [request.body[side.cap_name] for request in server.requests] == [1_800, 2_500]
        assert account.balance.output_tokens.spent == 3_000
