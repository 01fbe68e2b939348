"""The oracle's book: what it bills in dollars, how each call ended, and what goes wrong by a seed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest

import thinkcap.evals.oracle as door
from tests.test_layers import IMPORTS
from tests.test_loopback import QUESTION, ask, ask_with, cap, client
from thinkcap.evals.oracle import CHAT, FAULTS, RESPONSES, Bill, Fault, Oracle, Rates, Received, Reply, faulty

MINI = Rates(input=0.15, output=0.60, cached="0.075")  # 150, 600 and 75 nano-dollars a token
LONG = Rates(input=2, output=10, cached=1, long_above=1_000, long_input=4, long_output=15, tiers={"priority": 2})
both = pytest.mark.parametrize("path", [CHAT, RESPONSES])


def bill(**tokens: Any) -> Bill:
    counts = {"input_tokens": 0, "output_tokens": 0, "reasoning_tokens": 0, "cached_tokens": 0}
    return Bill(CHAT, "m", **{**counts, **tokens})


def test_the_oracle_imports_nothing_of_thinkcap() -> None:
    """Every import of thinkcap in the oracle is of the oracle itself, so its book is a second opinion."""
    ours = [each for each in IMPORTS if each.source.startswith("thinkcap.evals.oracle") and each.top == "thinkcap"]
    assert ours
    assert all(each.target.startswith("thinkcap.evals.oracle.") for each in ours)


def test_the_door_shows_what_it_names() -> None:
    """Every name in `__all__` is there, and is public."""
    assert all(getattr(door, name) is not None and not name.startswith("_") for name in door.__all__)


@pytest.mark.parametrize(
    ("rates", "tokens", "nusd"),
    [
        (MINI, {"input_tokens": 10, "output_tokens": 3}, 10 * 150 + 3 * 600),
        (MINI, {"input_tokens": 10, "cached_tokens": 4, "output_tokens": 1}, 6 * 150 + 4 * 75 + 600),
        (Rates(input="0.0001", output=0), {"input_tokens": 1}, 1),
        (LONG, {"input_tokens": 1_000, "output_tokens": 1}, 1_000 * 2_000 + 10_000),
        (LONG, {"input_tokens": 1_001, "output_tokens": 1}, 1_001 * 4_000 + 15_000),
        (LONG, {"input_tokens": 2_000, "cached_tokens": 2_000}, 2_000 * 2_000),
        (LONG, {"input_tokens": 10, "service_tier": "priority"}, 2 * 10 * 2_000),
        (Rates(input=1, output=1, cache_write="1.25"), {"input_tokens": 4, "cache_write_tokens": 4}, 5_000),
    ],
)
def test_a_bill_in_nano_dollars(rates: Rates, tokens: dict[str, Any], nusd: int) -> None:
    """A bill is its tokens by their rates, a long request at the long ones, rounded up to a nano-dollar."""
    assert rates.nusd(bill(**tokens)) == nusd


def test_the_page_about_it_shows_what_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The ten lines of docs/oracle.md run as they stand, and bill eight times the cap."""
    page = (Path(__file__).resolve().parents[1] / "docs" / "oracle.md").read_text("utf-8")
    exec(page.split("```python\n")[1].split("```")[0], {})
    assert capsys.readouterr().out.startswith("0.0024006")  # 8 x 500 x 600 + 4 words x 150 nano-dollars


def test_the_book_counts_dollars_and_refuses_an_unknown_price() -> None:
    """The book of a priced model is in dollars to the last nano-dollar; a model without a price is an error."""
    with Oracle(Reply(input_tokens=10, output_tokens=3), rates={"m": MINI}) as oracle:
        ask(oracle)
        assert oracle.usd == Decimal("0.0000033")
        assert (oracle.book.tokens(), len(oracle.book)) == (13, 1)
        with client(oracle) as sdk:
            sdk.chat.completions.create(model="other", messages=QUESTION)
        with pytest.raises(ValueError, match="no price for 'other'"):
            oracle.book.nusd()


@both
def test_calls_that_ended_by_themselves_are_kept_apart(path: str) -> None:
    """An answer cut at its cap, one that failed and one that ended by itself are three different endings."""
    script: list[Reply | Fault] = [Reply(output_tokens=20), Reply(output_tokens=20), Fault("disconnect", billed=True)]
    with Oracle(script, rates={"m": MINI}) as oracle:
        ask(oracle, path)
        ask(oracle, path, **cap(path, 5))
        with pytest.raises(openai.APIConnectionError):
            ask(oracle, path)
    assert [each.ended for each in oracle.book] == ["itself", "cut", "failed"]
    assert [each.output_tokens for each in oracle.book.ended("cut")] == [5]
    assert oracle.book.nusd("itself") + oracle.book.nusd("cut", "failed") == oracle.book.nusd()


@both
def test_a_paced_stream_left_by_its_client_is_billed_for_what_was_generated(path: str) -> None:
    """A client that leaves a paced stream pays the hidden reasoning and a part of the visible output."""
    reply = Reply(text="word " * 400, output_tokens=500, reasoning_tokens=100, pace_s=0.002)
    with Oracle(reply) as oracle, client(oracle) as sdk:
        stream = ask_with(sdk, path, stream=True)
        next(iter(stream))
        stream.response.close()
    assert [each.ended for each in oracle.book] == ["left"]
    assert 100 <= oracle.billed[0].output_tokens < 500


def test_a_provider_that_bills_above_the_cap_is_told_apart() -> None:
    """What was billed above the cap that was sent, of all choices together, is on the bill."""
    with Oracle([Reply(output_tokens=30, ignore_cap=True), Reply(output_tokens=30)]) as oracle:
        for _ in range(2):
            ask(oracle, CHAT, n=2, **cap(CHAT, 10))
    assert [(each.output_tokens, each.above_cap) for each in oracle.book] == [(60, 40), (20, 0)]


def test_the_most_calls_in_flight_are_counted() -> None:
    """Five calls that wait for each other were in flight together, and afterwards none is."""
    together = threading.Barrier(5, timeout=10)

    def script(request: Received) -> Reply:
        together.wait()
        return Reply(latency_s=0.001)

    with Oracle(script) as oracle, ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda _: ask(oracle), range(5)))
    assert (oracle.most_in_flight, oracle.in_flight) == (5, 0)


# Faults by a seed.


def schedule(script: Callable[[Received], Any]) -> list[Any]:
    return [script(Received(CHAT, {}, {}, number)) for number in range(1, 200)]


def test_a_seed_is_a_schedule() -> None:
    """The same seed gives the same faults, another seed others, and a chance of 0 or 1 none or only faults."""
    good = Reply(text="good")
    first, again, other = (schedule(faulty(good, seed=seed)) for seed in (1, 1, 2))
    assert [*map(repr, first)] == [*map(repr, again)]
    assert [*map(repr, first)] != [*map(repr, other)]
    assert schedule(faulty(good, seed=1, chance=0)) == [good] * 199
    assert good not in schedule(faulty(good, seed=1, chance=1))
    assert schedule(faulty(lambda request: replace(good, output_tokens=request.number), seed=1, chance=0))[8] == (
        replace(good, output_tokens=9)
    )
    with pytest.raises(ValueError, match="unknown faults"):
        faulty(good, seed=1, kinds=["tea break"])


@both
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_every_fault_can_be_met(kind: str, stream: bool, path: str) -> None:
    """Each named fault meets the SDK without an error of the oracle, and bills at most the good reply, once."""
    reply = Reply(text="one two three", output_tokens=9)
    raised = suppress(openai.OpenAIError, ValueError)
    with Oracle(FAULTS[kind](reply)) as oracle, client(oracle, timeout=0.1) as sdk, raised:
        answer = ask_with(sdk, path, stream=stream)
        if stream:
            list(answer)
    assert len(oracle.requests) == 1
    assert [each.output_tokens for each in oracle.book] in ([], [9])


def test_a_client_that_leaves_in_the_middle_of_asking_is_no_error() -> None:
    """A request whose body breaks off, as when a process is killed, is neither answered nor billed nor an error."""
    with Oracle(Reply()) as server:
        host, port = server.base_url.removeprefix("http://").removesuffix("/v1").split(":")
        with socket.create_connection((host, int(port))) as plug:
            plug.sendall(f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n".encode() + b'{"model')
        assert ask(server)
        assert len(server.billed) == 1
