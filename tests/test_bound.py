"""The caller's own bound, for what a request's bytes and caps do not bound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.governing import PRICES, SIDES, Side, billed, spent
from tests.loopback import LoopbackServer, Reply
from thinkcap.controller import Account, Bound, govern
from thinkcap.policies import BadInput, CeilingReached, NotGoverned

CENT = 10_000_000
SEARCH = {"tools": [{"type": "web_search"}]}
PICTURE = "data:image/png;base64," + "A" * 200_000


@pytest.fixture(params=SIDES, ids="-".join)
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    with Side(*request.param) as made:
        yield made


def test_fees_are_held_and_charged_in_full(side: Side) -> None:
    """A provider-run tool's input and fees are reserved as bounded; the fees, which nobody reports, are charged."""
    with LoopbackServer(Reply(input_tokens=4000, output_tokens=20)) as server:
        account = Account("0.10")
        client = govern(side.client(server), account, prices=PRICES, bound=Bound(5000, fees_usd="0.02"))
        side.ask(client, **SEARCH, **{side.cap_name: 100})
        assert spent(account) == billed(server) + 2 * CENT
        (entry,) = account.entries()
        assert entry.overrun_nusd == 0
        assert entry.note == "with fees of up to $0.02, as bounded"


def test_the_ceiling_counts_the_bound(side: Side) -> None:
    """A call whose fees do not fit is refused before it is sent, and one that needs no bound is not changed by it."""
    with LoopbackServer(Reply(output_tokens=20)) as server:
        account = Account("0.015")
        client = govern(side.client(server), account, prices=PRICES, bound=Bound(fees_usd="0.02"))
        with pytest.raises(CeilingReached):
            side.ask(client, **SEARCH, **{side.cap_name: 100})
        assert server.requests == []
        side.ask(client, **{side.cap_name: 100})
        assert spent(account) == billed(server)


def test_a_picture_counts_as_bounded_and_not_by_its_bytes(side: Side) -> None:
    """An image of 200 kB is let through under a bound of 2,000 tokens, on an account that its bytes would empty."""
    part: dict[str, Any] = (
        {"type": "image_url", "image_url": {"url": PICTURE}}
        if side.api == "chat"
        else {"type": "input_image", "image_url": PICTURE, "detail": "low"}
    )
    key = "messages" if side.api == "chat" else "input"
    body = {key: [{"role": "user", "content": [part]}]}
    with LoopbackServer(Reply(input_tokens=1800, output_tokens=20)) as server:
        account = Account("0.02")
        create = "chat.completions" if side.api == "chat" else "responses"

        def ask(client: Any) -> Any:
            for name in create.split("."):
                client = getattr(client, name)
            return side.run(client.create(model="m", **body, **{side.cap_name: 100}))

        with pytest.raises(NotGoverned, match="Bound"):
            ask(govern(side.client(server), account, prices=PRICES))
        ask(govern(side.client(server), account, prices=PRICES, bound=Bound(2000)))
        assert spent(account) == billed(server)
        assert account.entries()[0].overrun_nusd == 0


def test_a_bounded_call_is_not_taken_for_the_same_prompt_again(side: Side) -> None:
    """What a search adds may be more the next time: the bound counts in full again, whatever was counted before."""
    with LoopbackServer([Reply(input_tokens=10, output_tokens=5), Reply(input_tokens=4900, output_tokens=5)]) as server:
        account = Account("0.10")
        client = govern(side.client(server), account, prices=PRICES, bound=Bound(5000))
        for _ in range(2):
            side.ask(client, **SEARCH, **{side.cap_name: 100})
        assert spent(account) == billed(server)
        assert all(entry.overrun_nusd == 0 for entry in account.entries())


def test_what_a_bound_cannot_cover_stays_refused() -> None:
    """A background response settles elsewhere, where nobody knows the bound; other models have other prices."""
    with Side("sync", "responses") as side, LoopbackServer(Reply()) as server:
        client = govern(side.client(server), 1, prices=PRICES, bound=Bound(5000))
        for extra in ({**SEARCH, "background": True}, {"extra_body": {"models": ["a", "b"]}}):
            with pytest.raises(NotGoverned):
                side.ask(client, **extra)
        assert server.requests == []


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"input_tokens": -1}, "input_tokens"),
        ({"input_tokens": True}, "input_tokens"),
        ({"fees_usd": -0.1}, "fees_usd"),
        ({"fees_usd": "much"}, "fees_usd"),
        ({"fees_usd": 0}, "fees_usd"),
    ],
)
def test_a_bound_that_cannot_be_meant_is_refused(given: dict[str, Any], named: str) -> None:
    """Each mistake is one line that names the figure."""
    with pytest.raises(BadInput, match=named) as caught:
        Bound(**given)
    assert "\n" not in str(caught.value)


def test_govern_takes_a_bound_and_nothing_else() -> None:
    """A bare number is no bound: it does not say of what."""
    with Side("sync", "chat") as side, pytest.raises(BadInput, match="bound must be a Bound"):
        govern(side.client("http://127.0.0.1:9/v1"), 1, bound=5000)  # type: ignore[arg-type]


def test_a_refused_call_gives_its_messages_back(side: Side) -> None:
    """CeilingReached carries the messages of the call that was not sent, so that an agent's work so far is not lost."""
    with LoopbackServer(Reply()) as server:
        client = govern(side.client(server), "0.000001", prices=PRICES)
        with pytest.raises(CeilingReached) as reached:
            side.ask(client)
        asked = ({"role": "user", "content": "six times seven?"},) if side.api == "chat" else ("six times seven?",)
        assert reached.value.messages == asked
        assert "seven" not in str(reached.value)
