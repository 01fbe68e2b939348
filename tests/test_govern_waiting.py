"""Calls that wait for money: who is served, in which order, and who is sent away at once."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.governing import PRICES, SIDES, Side, billed, spent
from tests.loopback import LoopbackServer, Reply
from thinkcap.controller import Account, Ceiling, PriceBook, govern
from thinkcap.controller.ledger import Amount, Charge, Limits
from thinkcap.controller.meter import Meter
from thinkcap.controller.seen import Seen
from thinkcap.controller.waiting import Line, Needs, Place, line_of, stand
from thinkcap.policies import BadInput, CeilingReached, Usage

PATIENCE_S = 60.0  # only a broken build ever waits so long
CENT = 10_000_000
BODY = {"model": "m", "messages": [{"role": "user", "content": "x"}]}


@pytest.fixture(params=SIDES, ids="-".join)
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    with Side(*request.param) as made:
        yield made


def patient(account: Account, wait_s: float | None = PATIENCE_S, **options: Any) -> Meter:
    return Meter(account, PriceBook(PRICES), None, wait_s=wait_s, **options)


def learnt(lengths: Iterable[int]) -> Seen:
    """What answers of these lengths taught."""
    seen = Seen()
    for tokens in lengths:
        seen.learn("m", 1, input_tokens=1, output_tokens=tokens, cut=False)
    return seen


def until(come: Callable[[], bool]) -> None:
    """Wait until something another thread does has come about."""
    end = time.monotonic() + PATIENCE_S
    while not come():
        assert time.monotonic() < end
        time.sleep(0.001)


def waiting(account: Account) -> int:
    return len(line_of(account.ledger))


def ask_meanwhile(side: Side, client: Any, account: Account, act: Callable[[], object]) -> None:
    """One call, and what is done once it waits; an event loop goes on meanwhile."""

    async def ask_and_act() -> None:
        task = asyncio.ensure_future(side.create(client))
        while not waiting(account):
            await asyncio.sleep(0.001)
        act()
        await task

    if side.mode == "async":
        side.run(ask_and_act())
        return
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(side.ask, client)
        until(lambda: waiting(account) == 1)
        act()
        answer.result(PATIENCE_S)


def asking(tokens: int) -> dict[str, Any]:
    return {**BODY, "max_completion_tokens": tokens}


def test_a_call_waits_for_a_settlement(side: Side) -> None:
    """A call that does not fit is sent once another call is settled; an event loop goes on meanwhile."""
    with LoopbackServer(Reply()) as server:
        account = Account("0.02")
        client = govern(side.client(server), account, prices=PRICES, wait_s=PATIENCE_S)
        ticket = account.reserve(Amount(2 * CENT - 1))

        ask_meanwhile(side, client, account, lambda: account.release(ticket))
        assert spent(account) == billed(server) > 0
        assert waiting(account) == 0


def test_first_come_first_served() -> None:
    """Those who wait are served in the order in which they came, a small call behind a large one."""
    account = Account(Ceiling(output_tokens=2_000))
    one = patient(account)
    held, served = account.reserve(Amount(0, 2_000, 1)), []

    def take(number: int, tokens: int) -> None:
        ticket = one.admit({**asking(tokens), "n": 1}, "chat")
        served.append(number)
        ticket.release()

    with ThreadPoolExecutor(5) as pool:
        calls = []
        for number, tokens in enumerate((900, 1, 800, 2, 700)):
            calls.append(pool.submit(take, number, tokens))
            until(lambda count=number + 1: waiting(account) == count)  # type: ignore[misc]
        account.release(held)
        for call in calls:
            call.result(PATIENCE_S)
    assert sorted(served) == [0, 1, 2, 3, 4]
    assert waiting(account) == 0


def test_the_order_is_kept_where_one_call_fits_at_a_time() -> None:
    """Where each takes all there is, the order of being served is the order of coming."""
    account = Account(Ceiling(output_tokens=1_000))
    one = patient(account)
    held, served = account.reserve(Amount(0, 1_000, 1)), []

    def take(number: int) -> None:
        ticket = one.admit(asking(1_000), "chat")
        served.append(number)
        ticket.release()

    with ThreadPoolExecutor(6) as pool:
        calls = []
        for number in range(6):
            calls.append(pool.submit(take, number))
            until(lambda count=number + 1: waiting(account) == count)  # type: ignore[misc]
        account.release(held)
        for call in calls:
            call.result(PATIENCE_S)
    assert served == [0, 1, 2, 3, 4, 5]


def test_who_waits_holds_up_only_those_who_need_the_same_money() -> None:
    """A call that waits on its own child account does not hold up a sibling, and one behind it is told so."""
    top = Account(1)
    full, free = top.child("full", Ceiling(output_tokens=100)), top.child("free")
    held = full.reserve(Amount(0, 60, 1))
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(patient(full).admit, asking(100), "chat")
        until(lambda: waiting(top) == 1)
        assert patient(free).admit(asking(100), "chat").cap == 100
        with pytest.raises(CeilingReached, match="others came first") as reached:
            patient(full, 0.0).admit(asking(10), "chat")
        assert reached.value.account == "account/full"
        full.release(held)
        assert call.result(PATIENCE_S).cap == 100


def test_money_that_is_spent_is_not_waited_for(side: Side) -> None:
    """Where more is needed than spent money leaves of the ceiling, a call is refused at once: nobody can help."""
    with LoopbackServer(Reply()) as server:
        account = Account("0.02")
        account.settle(account.reserve(Amount(CENT)))
        account.reserve(Amount(CENT // 2))
        client = govern(side.client(server), account, prices=PRICES, wait_s=PATIENCE_S, min_output_tokens=1_000)
        with pytest.raises(CeilingReached) as reached:
            side.ask(client)
        assert "waited" not in str(reached.value)
        assert (reached.value.spent, reached.value.reserved) == (CENT, CENT // 2)
        assert waiting(account) == 0


def test_a_call_that_may_wait_is_not_cut_for_what_comes_back() -> None:
    """With patience a call waits for the cap it names, which calls in flight may give back; without, it is cut."""
    account = Account(Ceiling(output_tokens=1_000))
    held, seen = account.reserve(Amount(0, 700, 1)), learnt(range(90, 110))
    hasty = patient(account, None, seen=seen).admit(asking(400), "chat")
    assert hasty.cap == 300
    hasty.release()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(patient(account, seen=seen).admit, asking(400), "chat")
        until(lambda: waiting(account) == 1)
        account.release(held)
        assert call.result(PATIENCE_S).cap == 400


def test_a_call_that_may_wait_is_cut_to_what_is_ample() -> None:
    """No call waits for more than four times the longest answer seen: 4 x 309 = 1,236 of the 5,000 it names."""
    account, seen = Account(Ceiling(output_tokens=3_000)), learnt(range(290, 310))
    account.reserve(Amount(0, 1_764, 1))
    ticket = patient(account, seen=seen).admit(asking(5_000), "chat")
    assert ticket.cap == 1_236
    ticket.release()
    account.reserve(Amount(0, 1, 1))
    assert patient(account, 0.05, seen=seen).admit(asking(5_000), "chat").cap == 1_235  # after it waited in vain


def test_the_last_of_the_money_goes_to_a_likely_answer() -> None:
    """Where nothing is in flight a patient call takes what is left, if half of the answers finish under it."""
    seen = learnt(range(1, 100))  # nine in ten finish within 90 tokens, five in ten within 50
    for left, cap in ((70, 70), (50, 50), (49, None)):
        account = Account(Ceiling(output_tokens=1_000))
        account.settle(account.reserve(Amount(0, 1_000 - left, 1)))
        with pytest.raises(CeilingReached):
            patient(account, None, seen=seen).admit(asking(400), "chat")
        with pytest.raises(CeilingReached):
            patient(account, seen=seen, least_output_tokens=left + 1).admit(asking(400), "chat")
        if cap is None:
            with pytest.raises(CeilingReached):
                patient(account, seen=seen).admit(asking(400), "chat")
        else:
            assert patient(account, seen=seen).admit(asking(400), "chat").cap == cap


def test_what_is_left_is_taken_once_nothing_is_in_flight() -> None:
    """A patient call that can never have what it names waits for all that calls in flight may leave it."""
    account, seen = Account(Ceiling(output_tokens=1_000)), learnt(range(1, 100))
    account.settle(account.reserve(Amount(0, 800, 1)))
    held = account.reserve(Amount(0, 100, 1))
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(patient(account, seen=seen).admit, asking(400), "chat")
        until(lambda: waiting(account) == 1)  # for 200, though 100 are free, under which nine in ten finish
        account.settle(held, Charge(0, Usage(1, 40), "provider"))
        assert call.result(PATIENCE_S).cap == 160


def test_a_crowd_beside_a_long_stream_is_served() -> None:
    """Whoever could be served and holds out for more leaves time to those behind it, also where nothing comes back."""
    account, seen = Account(Ceiling(output_tokens=10_000)), learnt(range(90, 110))
    account.reserve(Amount(0, 9_700, 1))  # and never settled
    one = patient(account, 1.5, seen=seen)

    def take() -> int:
        ticket = one.admit(asking(400), "chat")
        ticket.release()
        return ticket.cap

    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(take) for _ in range(6)]
        assert [call.result(PATIENCE_S) for call in calls] == [300] * 6
    assert waiting(account) == 0


def test_holding_out_is_shared() -> None:
    """The first of three holds out for a sixth of what the least patient has left, who is alone for half of it."""
    line = Line()
    first, _, last = places = [
        Place(frozenset({"a"}), lambda: None, lambda: None, end=end) for end in (90.0, 60.0, 30.0)
    ]
    for place in places:
        line.join(place)
    assert [line.share(place, 0.0) for place in places] == [5.0, 7.5, 15.0]
    line.leave(last)
    assert line.share(first, 20.0) == 10.0


def test_who_is_next_holds_up_those_behind_it() -> None:
    """Who could be served but for one before it keeps its turn when that one leaves: those behind are not let past."""
    line = Line()
    places = [Place(frozenset({"a", name}), lambda: None, lambda: None) for name in "xyz"]
    for place in places:
        line.join(place)
    line.note(places[0], frozenset({"a"}))
    line.note(places[1], line.ahead(places[1]))
    line.leave(places[0])
    assert [bool(line.ahead(place)) for place in places[1:]] == [False, True]


def test_a_call_holds_out_for_no_longer_than_its_deadline_allows() -> None:
    """Under a ceiling in seconds that ends before its patience, a call takes what is free while it still can."""
    account, seen = Account(Ceiling(output_tokens=1_000, seconds=2)), learnt(range(90, 110))
    account.reserve(Amount(0, 700, 1))
    assert patient(account, seen=seen).admit(asking(400), "chat").cap == 300


def test_who_is_short_of_its_own_ceiling_holds_up_no_sibling() -> None:
    """A call that its own child account cannot even pay the least for does not hold out on the parent's."""
    top, seen = Account(Ceiling(output_tokens=500)), learnt(range(90, 110))
    full, free = top.child("full", Ceiling(output_tokens=200)), top.child("free")
    held = full.reserve(Amount(0, 150, 1))
    other = top.reserve(Amount(0, 100, 1))  # 250 are free on the parent
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(patient(full, seen=seen).admit, asking(400), "chat")
        until(lambda: waiting(top) == 1)
        assert patient(free, seen=seen).admit(asking(200), "chat").cap == 200
        full.release(held)
        top.release(other)
        assert call.result(PATIENCE_S).cap == 200


def test_a_client_that_is_sent_elsewhere_while_it_waits_pays_as_there(side: Side) -> None:
    """A call that waits while its client's base URL is set goes to the new address, under the prices of there."""
    with LoopbackServer(Reply()) as here, LoopbackServer(Reply()) as there:
        account = Account("0.02")
        client = govern(side.client(here), account, prices=PRICES, wait_s=PATIENCE_S)
        ticket = account.reserve(Amount(2 * CENT - 1))

        def send_elsewhere() -> None:
            client.base_url = there.base_url
            account.release(ticket)

        ask_meanwhile(side, client, account, send_elsewhere)
        assert (len(here.requests), len(there.requests)) == (0, 1)
        assert spent(account) == billed(there) > 0
        assert [entry.status for entry in account.entries()] == ["released", "released", "settled"]


def test_a_callers_own_stream_is_not_waited_for_for_ever(side: Side) -> None:
    """A caller that waits for what its own unread stream holds is refused when its patience ends, and told why."""
    with LoopbackServer(Reply()) as server:
        account = Account("0.02")
        client = govern(side.client(server), account, prices=PRICES, wait_s=0.02)
        stream = side.open(client, **{side.cap_name: 1_800})
        with pytest.raises(CeilingReached, match="a stream that is left open") as reached:
            side.ask(client)
        assert reached.value.reserved == account.balance.money.reserved > 0
        side.take(stream)
        side.ask(client)
        assert spent(account) == billed(server)


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_cancelled_waiter_leaves_the_line(api: str) -> None:
    """A task that is cancelled while it waits holds nothing, and who came after it is served."""
    with Side("async", api) as side, LoopbackServer(Reply()) as server:
        account = Account("0.02")
        client = govern(side.client(server), account, prices=PRICES, wait_s=PATIENCE_S)
        ticket = account.reserve(Amount(2 * CENT - 1))

        async def cancel_the_first() -> None:
            tasks = []
            for count in (1, 2):
                tasks.append(asyncio.ensure_future(side.create(client)))
                while waiting(account) < count:
                    await asyncio.sleep(0.001)
            tasks[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await tasks[0]
            assert waiting(account) == 1
            account.release(ticket)
            await tasks[1]

        side.run(cancel_the_first())
        assert len(server.requests) == 1
        assert spent(account) == billed(server)


def test_what_another_process_frees_is_seen(tmp_path: Path) -> None:
    """A call that waits on a file looks again by itself: here the other process is another handle on the file."""
    here, there = (Account("0.02", name="a", ledger=tmp_path / "team.db") for _ in range(2))
    held = there.reserve(Amount(2 * CENT - 1))
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(patient(here).admit, asking(100), "chat")
        until(lambda: waiting(here) == 1)
        assert waiting(there) == 0
        there.release(held)
        assert call.result(PATIENCE_S).cap == 100


def test_a_raised_ceiling_serves_who_waits() -> None:
    """Raising the ceiling is as good as a settlement."""
    account = Account("0.02")
    account.reserve(Amount(2 * CENT - 1))
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(patient(account).admit, asking(100), "chat")
        until(lambda: waiting(account) == 1)
        account.raise_to(1)
        assert call.result(PATIENCE_S).cap == 100


def test_nobody_waits_beyond_the_deadline() -> None:
    """The seconds of the ceiling end the waiting, too."""
    account = Account(Ceiling(usd="0.02", seconds=0.05))
    account.reserve(Amount(2 * CENT - 1))
    with pytest.raises(CeilingReached):
        patient(account).admit(asking(100), "chat")


def test_every_call_of_a_crowd_is_served() -> None:
    """Many threads with money for three calls at a time are all served, and the ceiling holds at every bill."""
    with Side("sync", "chat") as side, LoopbackServer(Reply(output_tokens=20)) as server:
        account = Account("0.04")
        client = govern(side.client(server), account, prices=PRICES, wait_s=PATIENCE_S)

        def ask(_: int) -> int:
            side.ask(client, max_completion_tokens=1_000)
            return account.balance.money.overrun

        with ThreadPoolExecutor(12) as pool:
            assert set(pool.map(ask, range(48))) == {0}
        assert len(server.requests) == 48
        assert spent(account) == billed(server) <= 4 * CENT
        assert account.available == Limits(4 * CENT - billed(server))


def test_who_is_beaten_to_the_money_stays_in_line() -> None:
    """Where money that was seen is gone when it is reserved, a call waits on; without patience it is refused."""
    account, beaten = Account(1), [True]

    def serve(_: Amount) -> str:
        if beaten.pop():
            beaten.append(False)
            raise CeilingReached("another was faster")
        return "served"

    def standing(seconds: float) -> Any:
        place = Place(frozenset({"account"}), lambda: None, lambda: None)
        look = partial(account.ledger.levels, "account")
        return stand(account.ledger, place, lambda _: Needs(Amount(1), Amount(1)), serve, look=look, seconds=seconds)

    in_line = standing(PATIENCE_S)
    assert next(in_line) > 0
    with pytest.raises(StopIteration, match="served"):
        next(in_line)
    beaten.append(True)
    with pytest.raises(CeilingReached, match="faster"):
        next(standing(0.0))
    assert waiting(account) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_waits_for_nobody_of_its_parent(tmp_path: Path) -> None:
    """Threads that wait are not in a forked process, so they are not in its line."""
    account = Account("0.02", name="a", ledger=tmp_path / "team.db")
    held = account.reserve(Amount(2 * CENT - 1))
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(patient(account).admit, asking(100), "chat")
        until(lambda: waiting(account) == 1)
        child = os.fork()
        if child == 0:
            os._exit(7 if waiting(account) == 0 else 1)
        _, status = os.waitpid(child, 0)
        account.release(held)
        call.result(PATIENCE_S)
    assert os.waitstatus_to_exitcode(status) == 7


@pytest.mark.parametrize("wait_s", [-1, float("nan"), float("inf"), True])
def test_patience_is_seconds(wait_s: float) -> None:
    """What is no number of seconds is refused."""
    with Side("sync", "chat") as side, pytest.raises(BadInput, match="wait_s must be seconds"):
        govern(side.client("http://127.0.0.1:9/v1"), 1, wait_s=wait_s)


def test_a_wake_up_between_looking_and_sleeping_is_not_lost() -> None:
    """Money that comes back while a call looks at its account is seen before it sleeps."""
    account = Account("0.02")
    held = account.reserve(Amount(2 * CENT - 1))
    one, done = patient(account), threading.Event()
    ledger = account.ledger
    looked = ledger.levels

    def look_then_free(path: str) -> Any:
        found = looked(path)
        if waiting(account) and not done.is_set():
            done.set()
            account.release(held)
        return found

    ledger.levels = look_then_free  # type: ignore[method-assign]
    assert one.admit(asking(100), "chat").cap == 100
