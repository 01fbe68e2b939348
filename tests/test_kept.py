"""Responses that the provider keeps: chains that go on from one, and those that run on in background."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.governing import PRICES, Side, billed, spent
from tests.loopback import LoopbackServer, Received, Reply
from thinkcap.controller import Account, govern
from thinkcap.policies import NotGoverned

LONG = Reply(text="forty two", output_tokens=300)
LATER = Reply(output_tokens=50, latency_s=60)
SOON = Reply(output_tokens=50)


@pytest.fixture(params=["sync", "async"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    with Side(request.param, "responses") as made:
        yield made


def test_a_chain_is_bounded_by_what_was_billed_before(side: Side) -> None:
    """Each turn's prompt is all turns before it: five of them are charged as billed, and none above its reservation."""
    with LoopbackServer(LONG) as server:
        account = Account(1)
        client = govern(side.client(server), account, prices=PRICES)
        previous: dict[str, Any] = {}
        for _ in range(5):
            answer = side.ask(client, max_output_tokens=400, **previous)
            previous = {"previous_response_id": answer.id}
        assert [bill.input_tokens for bill in server.billed] == [3, 306, 609, 912, 1215]
        assert spent(account) == billed(server)
        assert all(entry.overrun_nusd == 0 for entry in account.entries())
        assert [entry.response for entry in account.entries()] == [f"resp_{number}" for number in range(1, 6)]


def test_a_chain_that_is_not_known_here_is_refused(side: Side) -> None:
    """What another ledger settled, or nobody, has no known length: nothing is sent, and Bound is named as a way out."""
    with LoopbackServer(LONG) as server:
        elsewhere = govern(side.client(server), 1, prices=PRICES)
        answer = side.ask(elsewhere)
        client = govern(side.client(server), 1, prices=PRICES)
        with pytest.raises(NotGoverned, match=r"previous_response_id cannot be governed.*Bound"):
            side.ask(client, previous_response_id=answer.id)
        assert len(server.requests) == 1


def test_a_chain_goes_on_in_another_process(side: Side, tmp_path: Path) -> None:
    """A ledger in a file knows the chain: another handle of it goes on, under the same ceiling."""
    with LoopbackServer(LONG) as server:
        with Account(1, name="chain", ledger=tmp_path / "team.db") as account:
            answer = side.ask(govern(side.client(server), account, prices=PRICES))
        with Account(1, name="chain", ledger=tmp_path / "team.db") as account:
            side.ask(govern(side.client(server), account, prices=PRICES), previous_response_id=answer.id)
            assert spent(account) == billed(server)


def test_a_streamed_turn_is_part_of_a_chain(side: Side) -> None:
    """The id of a streamed response is remembered when it ends."""
    with LoopbackServer(LONG) as server:
        account = Account(1)
        client = govern(side.client(server), account, prices=PRICES)
        side.run(_drain(side.ask(client, stream=True)))
        side.ask(client, previous_response_id="resp_1")
        assert spent(account) == billed(server)


def _drain(stream: Any) -> Any:
    if hasattr(stream, "__aiter__"):

        async def drain() -> None:
            async for _ in stream:
                pass

        return drain()
    return list(stream)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 400)), min_size=1, max_size=8))
def test_no_branching_chain_passes_its_ceiling(turns: list[tuple[int, int]]) -> None:
    """Whichever earlier response each turn goes on from, what is billed is what is charged, below the ceiling."""
    outputs = iter([tokens for _, tokens in turns])

    def script(request: Received) -> Reply:
        return Reply(output_tokens=next(outputs))

    with Side("sync", "responses") as side, LoopbackServer(script) as server:
        account = Account("0.05")
        client = govern(side.client(server), account, prices=PRICES)
        made: list[str] = []
        for back, _ in turns:
            previous = {"previous_response_id": made[-1 - back % len(made)]} if made else {}
            made.append(side.ask(client, max_output_tokens=400, **previous).id)
        assert spent(account) == billed(server) <= 50_000_000
        assert all(entry.overrun_nusd == 0 for entry in account.entries())


def test_a_background_response_is_held_until_it_is_retrieved(side: Side) -> None:
    """Queued it stays reserved; retrieving it while it runs changes nothing; once it has ended it is charged once."""
    with LoopbackServer([LATER, SOON]) as server:
        account = Account(1)
        client = govern(side.client(server), account, prices=PRICES)
        running = side.ask(client, background=True, max_output_tokens=100)
        held = account.balance.money.reserved
        assert (running.status, held > 0) == ("queued", True)
        assert side.run(client.responses.retrieve(running.id)).status == "in_progress"
        assert account.balance.money.reserved == held
        done = side.ask(client, background=True, max_output_tokens=100)
        assert account.balance.money.spent == 0
        for _ in range(2):
            assert side.run(client.responses.retrieve(done.id)).status == "completed"
            assert account.balance.money.reserved == held
            assert account.balance.money.spent == billed(server) - 50 * 10_000 - 3 * 1_000
        assert [entry.status for entry in account.entries()] == ["reserved", "settled"]


def test_a_cancelled_background_response_is_charged_in_full(side: Side) -> None:
    """What was generated until then was billed and is not told, so the reservation is charged."""
    with LoopbackServer(LATER) as server:
        account = Account(1)
        client = govern(side.client(server), account, prices=PRICES)
        running = side.ask(client, background=True, max_output_tokens=100)
        held = account.balance.money.reserved
        assert side.run(client.responses.cancel(running.id)).status == "cancelled"
        assert spent(account) == held >= billed(server)


def test_another_process_settles_a_background_response(side: Side, tmp_path: Path) -> None:
    """A process asks and ends; another one retrieves the answer, and the call is charged as billed."""
    file = tmp_path / "team.db"
    ask = (
        "import sys; from openai import OpenAI; from thinkcap import Account, Price, govern\n"
        "prices = {'m': Price.per_mtok(input=1, output=10, cache_read='0.1', cache_write='1.25')}\n"
        "account = Account(1, name='t', ledger=sys.argv[2])\n"
        "client = govern(OpenAI(base_url=sys.argv[1], api_key='k'), account, prices=prices)\n"
        "print(client.responses.create(model='m', input='six times seven?', background=True, max_output_tokens=99).id)"
    )
    with LoopbackServer(SOON) as server:
        command = [sys.executable, "-c", ask, server.base_url, str(file)]
        name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        with Account(1, name="t", ledger=file) as account:
            assert account.balance.money.reserved > 0
            side.run(govern(side.client(server), account, prices=PRICES).responses.retrieve(name))
            assert spent(account) == billed(server)


def test_what_was_reconciled_is_not_charged_again(side: Side, tmp_path: Path) -> None:
    """A background call of a process that ended, charged in full by reconciling, stays as it is when retrieved."""
    with LoopbackServer(SOON) as server:
        first = Account(1, name="t", ledger=tmp_path / "team.db")
        name = side.ask(govern(side.client(server), first, prices=PRICES), background=True, max_output_tokens=99).id
        held = first.balance.money.reserved
        with Account(1, name="t", ledger=tmp_path / "team.db") as account:
            account.settle(first.entries()[0].id)
            side.run(govern(side.client(server), account, prices=PRICES).responses.retrieve(name))
            assert spent(account) == held
        first.close()


def test_an_unknown_price_leaves_a_background_response_reserved(side: Side) -> None:
    """Who does not know the model's price cannot settle it: it stays held, and a warning says why."""
    with LoopbackServer(SOON) as server:
        account = Account(1)
        name = side.ask(govern(side.client(server), account, prices=PRICES), background=True, max_output_tokens=9).id
        with pytest.warns(UserWarning, match=f"response {name} stays reserved"):
            side.run(govern(side.client(server), account).responses.retrieve(name))
        assert account.balance.money.reserved > 0
