"""Calls that name no output cap: what each reserves, so that many can be made side by side."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.governing import PRICES, SIDES, Side, billed, spent
from tests.loopback import LoopbackServer, Received, Reply
from thinkcap.controller import Account, Ceiling, PriceBook, govern
from thinkcap.controller.ledger import Amount, Level, Limits
from thinkcap.controller.meter import Meter
from thinkcap.controller.sharing import SHARES, fair_share
from thinkcap.policies import BadInput, CeilingReached

BODY = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
PATIENCE_S = 60  # only a broken build ever waits so long


@pytest.mark.parametrize("usd", ["0.60", "1", "20"])
def test_fifty_agents_without_caps_call_side_by_side(usd: str) -> None:
    """Of fifty threads that name no cap, at least forty are in flight at once before the first is answered."""
    forty = threading.Event()

    def hold(_: Received) -> Reply:
        if server.in_flight >= 40:
            forty.set()
        assert forty.wait(PATIENCE_S)
        return Reply(output_tokens=300)

    with Side("sync", "chat") as side, LoopbackServer(hold) as server:
        account = Account(usd)
        client = govern(side.client(server), account, prices=PRICES)

        def agent(_: int) -> bool:
            try:
                side.create(client)
            except CeilingReached:
                return False
            return True

        with ThreadPoolExecutor(50) as pool:
            done = sum(pool.map(agent, range(50)))
        assert min(done, server.most_in_flight) >= 40
        assert min(request.body[side.cap_name] for request in server.requests) >= 1024
        assert spent(account) == billed(server)


@given(st.integers(1, 30_000), st.integers(50, 2_000))
def test_fifty_fit_wherever_the_least_useful_does(extra: int, least: int) -> None:
    """One after another, at least forty calls are admitted wherever fifty of the least useful length would fit."""
    account = Account(Ceiling(output_tokens=50 * least + extra))
    meter = Meter(account, PriceBook(PRICES), None, least_output_tokens=least, shares=SHARES)
    caps = [meter.admit(BODY, "chat").cap for _ in range(40)]
    assert min(caps) >= min(least, meter.default_output_tokens)


@pytest.mark.parametrize(("mode", "api"), SIDES)
def test_a_named_cap_is_not_shared(mode: str, api: str) -> None:
    """A call that names its cap may take all that is free."""
    with Side(mode, api) as side, LoopbackServer(Reply()) as server:
        client = govern(side.client(server), "0.10", prices=PRICES)
        side.ask(client)
        side.ask(client, **{side.cap_name: 9_000})
        assert [request.body[side.cap_name] for request in server.requests] == [1024, 9_000]


def test_settings_say_what_an_uncapped_call_reserves() -> None:
    """The default is the most and the least useful output is the floor of a call that names no cap."""
    with Side("sync", "chat") as side, LoopbackServer(Reply()) as server:

        def sent(usd: str, **settings: Any) -> int:
            side.ask(govern(side.client(server), usd, prices=PRICES, **settings))
            cap: int = server.requests[-1].body[side.cap_name]
            return cap

        assert sent("5") == 4096
        assert sent("5", default_max_output_tokens=8192) == 8192
        assert sent("5", default_max_output_tokens=600) == 600
        assert sent("0.1", min_output_tokens=2_000) == 2_000
        assert 400 < sent("0.1", min_output_tokens=50) < 700
        assert 1_000 < sent("0.0109") < 1_100  # the least useful still fits, a share does not matter
        for settings in ({"default_max_output_tokens": 0}, {"min_output_tokens": True}):
            with pytest.raises(BadInput, match=next(iter(settings))):
                sent("1", **settings)


def test_short_answers_do_not_shorten_a_share() -> None:
    """A model whose answers were short so far still gets the least useful output."""
    meter = Meter(Account("0.1"), PriceBook(PRICES), None, shares=SHARES)
    meter.admit(BODY, "chat").settle({"model": "m", "usage": {"prompt_tokens": 5, "completion_tokens": 3}})
    assert meter.admit(BODY, "chat").cap == 1024


def test_the_share_is_the_least_of_all_accounts() -> None:
    """Each account's free part is cut by the calls in flight on it; what is not limited is not shared."""
    child = Level("a/b", Ceiling(output_tokens=320), 0.0)
    parent = Level("a", Ceiling(usd="0.000002"), 0.0, reserved=Amount(400, 10, 4))
    assert fair_share([child, parent], 16) == Limits(1_600 // 20, 320 // 16)
    tight = Level("a", Ceiling(output_tokens=100, usd=1), 0.0)
    assert fair_share([child, tight], 10) == Limits(10**8, 10)
