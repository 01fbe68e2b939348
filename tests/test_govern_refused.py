"""What a ceiling says when it is reached, and that nobody tries such a call again."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import openai
import pytest
import tenacity

from tests.governing import PRICES, SIDES, Side
from tests.loopback import LoopbackServer, Reply
from thinkcap.controller import Account, Ceiling, Retries, govern
from thinkcap.controller.ledger import Amount
from thinkcap.policies import CeilingReached

CENT = 10_000_000


@pytest.fixture(params=SIDES, ids="-".join)
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    with Side(*request.param) as made:
        yield made


def refusal() -> CeilingReached:
    """What a child says whose parent has a cent of five left, a cent spent and three held."""
    top = Account("0.05", name="top")
    top.settle(top.reserve(Amount(CENT)))
    top.reserve(Amount(3 * CENT))
    with pytest.raises(CeilingReached) as reached:
        top.child("task", 1).reserve(Amount(2 * CENT))
    return reached.value


def test_a_refusal_carries_the_account_and_its_figures() -> None:
    """The account that refused is named, with its ceiling, what it spent, holds and has free, and what was needed."""
    error = refusal()
    assert error.account == "top"
    assert (error.ceiling, error.spent, error.reserved, error.free) == (5 * CENT, CENT, 3 * CENT, CENT)
    assert error.needed == 2 * CENT


def test_figures_survive_pickling() -> None:
    """A refusal that crosses to another process says there what it said here."""
    error = refusal()
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is CeilingReached
    assert (str(again), vars(again)) == (str(error), vars(error))
    plain = pickle.loads(pickle.dumps(CeilingReached("no")))
    assert (str(plain), set(vars(plain).values())) == ("no", {None, ()})


def test_a_deadline_that_is_over_tells_the_figures_too() -> None:
    """Where the seconds are over no money was needed; the rest is told."""
    seconds = iter([0.0, 10.0])
    account = Account(Ceiling(usd="0.05", seconds=5), clock=lambda: next(seconds, 10.0))
    with pytest.raises(CeilingReached, match="seconds are over") as reached:
        account.reserve(Amount(1))
    assert (reached.value.needed, reached.value.ceiling, reached.value.account) == (None, 5 * CENT, "account")


def test_nobody_tries_again(side: Side) -> None:
    """The SDK, told to retry five times, tenacity over the SDK's errors, and our own retries each ask but once."""
    with LoopbackServer(Reply()) as server:
        account = Account("0.001")
        client = govern(side.client(server, max_retries=5), account, prices=PRICES)
        tries = 0

        def once() -> None:
            nonlocal tries
            tries += 1
            side.ask(client)

        over_sdk = {"retry": tenacity.retry_if_exception_type(openai.OpenAIError), "reraise": True}
        for settings in (over_sdk, Retries(attempts=9).settings(lambda: None)):
            tries = 0
            with pytest.raises(CeilingReached) as reached:
                tenacity.Retrying(**settings)(once)
            assert tries == 1
            assert not isinstance(reached.value, openai.OpenAIError)
        assert server.requests == []
        assert account.entries() == ()
