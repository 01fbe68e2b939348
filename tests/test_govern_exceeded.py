"""Calls whose output cap does not fit: which are cut, which are refused, and which the caller decides about."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pydantic
import pytest

from tests.governing import PRICES, QUESTION, SIDES, Side, billed, spent
from tests.loopback import LoopbackServer, Reply
from thinkcap.controller import Account, Exceeded, PriceBook, govern
from thinkcap.controller.exceeding import is_whole
from thinkcap.controller.ledger import Amount
from thinkcap.controller.meter import Meter
from thinkcap.controller.waiting import line_of
from thinkcap.policies import BadInput, CeilingReached

CENT = 10_000_000


@pytest.fixture(params=SIDES, ids="-".join)
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    with Side(*request.param) as made:
        yield made


def shaped(side: Side) -> dict[str, dict[str, Any]]:
    """What a call with tools, and one with structured output, is asked with."""
    schema = {"type": "object", "properties": {}, "additionalProperties": False, "required": []}
    function = {"name": "f", "parameters": schema, "strict": True}
    if side.api == "chat":
        form = {"type": "json_schema", "json_schema": {"name": "f", "schema": schema}}
        return {"tools": {"tools": [{"type": "function", "function": function}]}, "form": {"response_format": form}}
    form = {"type": "json_schema", "name": "f", "schema": schema}
    return {"tools": {"tools": [{"type": "function", **function}]}, "form": {"text": {"format": form}}}


@pytest.mark.parametrize("what", ["tools", "form"])
def test_what_is_no_use_in_half_is_not_cut(side: Side, what: str) -> None:
    """A call with tools or a structured answer is refused rather than cut, unless cutting is asked for by name."""
    with LoopbackServer(Reply()) as server:
        account = Account("0.05")
        asked = {side.cap_name: 9_000, **shaped(side)[what]}
        with pytest.raises(CeilingReached) as reached:
            side.ask(govern(side.client(server), account, prices=PRICES), **asked)
        assert (reached.value.needed or 0) > 9_000 * 10_000 > (reached.value.free or 0)
        assert "on_exceeded='clamp'" in reached.value.__notes__[0]
        assert server.requests == []
        side.ask(govern(side.client(server), account, prices=PRICES, on_exceeded="clamp"), **asked)
        assert 1024 <= server.requests[0].body[side.cap_name] < 9_000
        assert spent(account) == billed(server)


def test_plain_text_is_cut_and_what_fits_is_left_alone(side: Side) -> None:
    """Without a word about it a plain call is cut, and one with tools that fits is sent as it is."""
    with LoopbackServer(Reply()) as server:
        client = govern(side.client(server), "0.05", prices=PRICES)
        side.ask(client, **{side.cap_name: 1_500}, **shaped(side)["tools"])
        side.ask(client, **{side.cap_name: 9_000})
        assert server.requests[0].body[side.cap_name] == 1_500
        assert 1_024 <= server.requests[1].body[side.cap_name] < 9_000


def test_a_shaped_call_without_a_cap_has_the_least_useful_output(side: Side) -> None:
    """Where no cap is named, tools get a useful length or nothing, however short the answers were so far."""
    with LoopbackServer(Reply(output_tokens=3)) as server:
        account = Account("0.05")
        client = govern(side.client(server), account, prices=PRICES)
        side.ask(client, **shaped(side)["tools"])
        assert server.requests[0].body[side.cap_name] >= 1024
        account.reserve(Amount((account.balance.money.free or 0) - CENT))
        with pytest.raises(CeilingReached):
            side.ask(client, **shaped(side)["tools"])
        assert len(server.requests) == 1


def test_stop_refuses_what_does_not_fit(side: Side) -> None:
    """With "stop" a call is sent with the cap it asked for, or not at all."""
    with LoopbackServer(Reply()) as server:
        client = govern(side.client(server), "0.05", prices=PRICES, on_exceeded="stop")
        with pytest.raises(CeilingReached):
            side.ask(client, **{side.cap_name: 9_000})
        side.ask(client, **{side.cap_name: 4_000})
        side.ask(client)
        assert [request.body[side.cap_name] for request in server.requests] == [4_000, 1_024]


def test_a_function_decides(side: Side) -> None:
    """It is told what is needed and what is free, only where that does not fit; its cap is sent, and None refuses."""
    told: list[Exceeded] = []

    def half(exceeded: Exceeded) -> int | None:
        told.append(exceeded)
        return None if exceeded.affordable < 1_000 else exceeded.affordable // 2

    with LoopbackServer(Reply()) as server:
        account = Account("0.05")
        client = govern(side.client(server), account, prices=PRICES, on_exceeded=half)
        side.ask(client, **{side.cap_name: 100})
        assert told == []
        free = account.available.nusd
        side.ask(client, **{side.cap_name: 9_000})
        (exceeded,) = told
        assert (exceeded.model, exceeded.asked, exceeded.free) == ("m", 9_000, free)
        assert exceeded.needed > 9_000 * 10_000
        assert server.requests[1].body[side.cap_name] == exceeded.affordable // 2 > 1_000
        account.reserve(Amount((account.balance.money.free or 0) - CENT // 2))
        with pytest.raises(CeilingReached):
            side.ask(client, **{side.cap_name: 9_000})
        assert len(server.requests) == len(told) == 2 or told[-1].affordable < 1_000


@pytest.mark.parametrize("cap", [0, -1, 9_000, 10_000, True, 1.5, "8"])
def test_a_function_returns_a_smaller_cap(cap: Any) -> None:
    """What is no cap below the one asked for is the caller's mistake, and nothing is sent or held."""
    with Side("sync", "chat") as side, LoopbackServer(Reply()) as server:
        account = Account("0.05")
        client = govern(side.client(server), account, prices=PRICES, on_exceeded=lambda _: cap)
        with pytest.raises(BadInput, match="on_exceeded must return None or a whole number from 1, below 9,000"):
            side.ask(client, max_completion_tokens=9_000)
        assert server.requests == []
        assert account.entries() == ()


def test_what_may_not_be_cut_waits_for_all_of_it() -> None:
    """With "stop" and patience a call waits until its whole cap fits, and is not cut to what is free before."""
    account = Account("0.05")
    meter = Meter(account, PriceBook(PRICES), None, wait_s=60.0, on_exceeded="stop")
    held = account.reserve(Amount(3 * CENT))
    body = {"model": "m", "messages": [], "max_completion_tokens": 4_500}
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(meter.admit, body, "chat")
        while not len(line_of(account.ledger)):
            assert not call.done()
        account.release(held)
        assert call.result(60).cap == 4_500


def test_parse_is_structured_output() -> None:
    """A pydantic model given to parse() is not cut either."""

    class Answer(pydantic.BaseModel):
        answer: int

    with Side("sync", "chat") as side, LoopbackServer(Reply(text='{"answer": 42}')) as server:
        client = govern(side.client(server), "0.05", prices=PRICES)
        messages = [{"role": "user", "content": QUESTION}]
        with pytest.raises(CeilingReached):
            client.chat.completions.parse(model="m", messages=messages, response_format=Answer, max_tokens=9_000)
        assert server.requests == []


def test_plain_forms_are_no_structure() -> None:
    """Text by name, empty tools and nothing at all may be cut; JSON of any kind may not."""
    text = {"type": "text"}
    plain: list[dict[str, Any]] = [{}, {"tools": []}, {"response_format": text}, {"text": {"format": text}}]
    plain += [{"text": {"verbosity": "low"}}, {"response_format": None}, {"text": "odd"}]
    whole: list[dict[str, Any]] = [{"response_format": {"type": "json_object"}}, {"functions": [{}]}]
    whole += [{"tools": [{}]}, {"text": {"format": {"type": "json_schema"}}}]
    assert [is_whole(body) for body in plain + whole] == [False] * len(plain) + [True] * len(whole)


def test_on_exceeded_is_one_of_three() -> None:
    """What is none of the ways is refused by name."""
    with Side("sync", "chat") as side, pytest.raises(BadInput, match="'clamp', 'stop' or a function"):
        govern(side.client("http://127.0.0.1:9/v1"), 1, on_exceeded="cut")  # type: ignore[arg-type]
