"""The hook of a governed client: what it is told, and that nothing it does can touch the money."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.governing import PRICES, SIDES, Side, billed, spent
from tests.loopback import Fault, LoopbackServer, Reply
from thinkcap.controller import Account, Event, govern
from thinkcap.policies import BadInput, CeilingReached


@pytest.fixture(params=SIDES, ids="-".join)
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    with Side(*request.param) as made:
        yield made


def governed(side: Side, server: LoopbackServer, usd: str, hook: Any, **more: Any) -> tuple[Any, Account]:
    account = Account(usd, name="a")
    return govern(side.client(server), account, prices=PRICES, on_event=hook, **more), account


def test_the_life_of_a_call_is_told(side: Side) -> None:
    """A call is reserved and settled, or released; what it lost of its cap and what it needed in vain is told."""
    answers: list[Reply | Fault] = [Reply(output_tokens=100), Fault("status", code=429)]
    told: list[Event] = []
    with LoopbackServer(answers) as server:
        client, account = governed(side, server, "0.02", told.append)
        side.ask(client, **{side.cap_name: 50_000})
        with pytest.raises(openai.RateLimitError):
            side.ask(client, **{side.cap_name: 100})
        with pytest.raises(CeilingReached):
            side.ask(client, **{side.cap_name: 100, "model": "big", "extra_body": {"pad": "x" * 20_000}})
        assert [event.kind for event in told] == ["reserved", "clamped", "settled", "reserved", "released", "refused"]
        first, second = account.entries()
        assert told[1].cap_asked == 50_000 > (told[1].cap_sent or 0) == first.cap_sent
        assert (told[2].nusd, told[2].ticket, told[2].account) == (billed(server), first.id, "a")
        assert (told[4].nusd, told[4].ticket) == (second.reserved_nusd, second.id)
        assert (told[5].model, told[5].ticket) == ("big", None)
        assert told[5].nusd > 20_000_000
        with pytest.raises(dataclasses.FrozenInstanceError):
            told[0].nusd = 0  # type: ignore[misc]


def test_an_overrun_is_told(side: Side) -> None:
    """What a provider bills above the reservation is told as such, after the charge."""
    told: list[Event] = []
    with LoopbackServer(Reply(output_tokens=1_000, ignore_cap=True)) as server:
        client, account = governed(side, server, "1", told.append)
        side.ask(client, **{side.cap_name: 10})
        assert [event.kind for event in told] == ["reserved", "settled", "overrun"]
        assert told[2].nusd == account.entries()[0].overrun_nusd > 0


def test_the_threshold_is_told_once(side: Side) -> None:
    """The first charge that takes the spending to the threshold is told of, and no later one, nor a copy's."""
    told: list[Event] = []
    with LoopbackServer(Reply(output_tokens=100)) as server:
        client, account = governed(side, server, "0.02", told.append, threshold=0.1)
        for number in range(4):
            side.ask(client.copy() if number % 2 else client, **{side.cap_name: 100})
        (event,) = (event for event in told if event.kind == "threshold")
        assert event.share is not None
        assert 0.1 <= event.share == event.nusd / 20_000_000 < 0.2
        assert told.index(event) == 4
        assert spent(account) == billed(server)


def test_what_the_hook_raises_is_a_warning(side: Side) -> None:
    """A hook that raises at every event is warned of, and the calls are sent and charged as ever."""

    def fail(event: Event) -> None:
        raise ValueError(f"no {event.kind}")

    with LoopbackServer([Reply(), Fault("status", code=429)]) as server:
        client, account = governed(side, server, "1", fail)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            side.ask(client)
            with pytest.raises(openai.RateLimitError):
                side.ask(client)
        said = [str(warning.message) for warning in caught if warning.category is RuntimeWarning]
        assert [text.rpartition(": ")[2] for text in said] == [
            "no reserved",
            "no settled",
            "no reserved",
            "no released",
        ]
        assert said[1].startswith("on_event raised ValueError on 'settled' of account 'a'")
        assert spent(account) == billed(server) > 0


def test_a_hook_that_stops_the_program_holds_nothing(side: Side) -> None:
    """Where the hook is interrupted before the call is sent, or warnings are errors, nothing is sent or held."""

    def interrupt(event: Event) -> None:
        if event.kind == "reserved":
            raise KeyboardInterrupt

    def fail(event: Event) -> None:
        if event.kind == "reserved":
            raise ValueError("no")

    with LoopbackServer(Reply()) as server:
        client, account = governed(side, server, "1", interrupt)
        with pytest.raises(KeyboardInterrupt):
            side.ask(client)
        assert spent(account) == 0
        client, account = governed(side, server, "1", fail)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(RuntimeWarning):
                side.ask(client)
        assert spent(account) == 0
        assert server.requests == []


@pytest.mark.parametrize("threshold", [0, 1.5, float("nan"), True])
def test_a_threshold_is_a_part(threshold: float) -> None:
    """What is no part of a ceiling is refused."""
    with Side("sync", "chat") as side, pytest.raises(BadInput, match="threshold must be a part"):
        govern(side.client("http://127.0.0.1:9/v1"), 1, threshold=threshold)
