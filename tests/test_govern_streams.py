"""Streams of a governed client: each is charged once, at its end, and never below what the provider's book says."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import openai
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent

from tests.governing import PRICES, QUESTION, SIDES, Side, billed, spent
from tests.loopback import Fault, LoopbackServer, Reply, Script, ToolCall
from thinkcap.controller import Account, PriceBook, govern, later, streams
from thinkcap.controller.meter import Meter
from thinkcap.controller.received import Events, Received, data_of, without_usage
from thinkcap.policies import CeilingReached, NotGoverned

WORDS = Reply(text="one two three four five six", output_tokens=7)
MESSAGES: Any = [{"role": "user", "content": QUESTION}]


@pytest.fixture(params=SIDES, ids="-".join)
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    with Side(*request.param) as made:
        yield made


def governed(side: Side, server: LoopbackServer, account: Any = 1, **options: Any) -> tuple[Any, Account]:
    payer = account if isinstance(account, Account) else Account(account)
    return govern(side.client(server, **options), payer, prices=PRICES), payer


def endpoint(side: Side, client: Any) -> Any:
    return client.chat.completions if side.api == "chat" else client.responses


def reserved(account: Account) -> int:
    """What an account holds, in nano-dollars, once its books are seen to add up."""
    money = account.balance.money
    assert money.ceiling is None or money.ceiling + money.overrun == money.spent + money.reserved + (money.free or 0)
    assert money.reserved == sum(entry.reserved_nusd for entry in account.entries() if entry.status == "reserved")
    return money.reserved


def provenance(account: Account) -> str | None:
    (entry,) = account.entries()
    return entry.provenance


# Read to its end, a stream costs what was billed.

REPLIES = {
    "plain": WORDS,
    "one byte at a time": Reply(text="one two", output_tokens=3, drip=1),
    "seven bytes at a time": Reply(text="one two", output_tokens=3, drip=7),
    "reasoning": Reply(output_tokens=900, reasoning_tokens=880),
    "cached": Reply(input_tokens=200, cached_tokens=150, output_tokens=3),
    "cut at its cap": Reply(output_tokens=10_000, reasoning_tokens=9_999),
    "refused": Reply(refusal="I will not", output_tokens=4),
    "empty": Reply(text="", output_tokens=1),
    "beyond ascii": Reply(text="änder\u2028nichts 🙂 {}\n\ndata: [DONE]\n\n", output_tokens=20),
    "a dearer model": Reply(model="big", output_tokens=20),
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_a_stream_that_is_read_costs_what_was_billed(side: Side, reply: Reply) -> None:
    """Read to its end, a stream is charged to the nano-dollar what the provider billed; until then it is reserved."""
    with LoopbackServer(reply) as server:
        client, account = governed(side, server)
        stream = side.open(client, **{side.cap_name: 1000})
        assert reserved(account) == account.entries()[0].reserved_nusd > billed(server)
        side.take(stream)
        assert spent(account) == billed(server) > 0
        assert provenance(account) == "provider"
        side.close(stream)
        del stream
        side.collect()
        assert spent(account) == billed(server)


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
@pytest.mark.parametrize("asked", [None, {"include_usage": False}, {"include_usage": True}], ids=str)
def test_the_caller_sees_what_an_ungoverned_client_sees(side: Side, reply: Reply, asked: Any) -> None:
    """Chunk by chunk, with the keys that were set, a governed stream is the ungoverned one, usage asked for or not."""
    options = {} if asked is None or side.api == "responses" else {"stream_options": asked}
    with LoopbackServer(reply) as here, LoopbackServer(reply) as there:
        client, account = governed(side, here)
        stream, bare = side.open(client, **options), side.open(side.client(there), **options, **{side.cap_name: 4096})
        assert type(stream) is type(bare)
        seen, expected = side.take(stream), side.take(bare)
        assert seen == expected
        assert [item.model_dump(exclude_unset=True) for item in seen] == [
            item.model_dump(exclude_unset=True) for item in expected
        ]
        assert spent(account) == billed(here)


def test_a_stream_is_the_sdks_own(side: Side) -> None:
    """A governed stream is of the SDK's class, with its response, its context manager and its close()."""
    with LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        stream: Any = side.open(client)
        assert issubclass(type(stream), openai.Stream if side.mode == "sync" else openai.AsyncStream)
        assert isinstance(stream.response, httpx2.Response)
        assert stream.response.headers["content-type"] == "text/event-stream"

        async def entered() -> list[Any]:
            async with stream as again:
                return [item async for item in again]

        if side.mode == "async":
            items = side.run(entered())
        else:
            with stream as again:
                items = list(again)
        assert items
        assert stream.response.is_closed
        assert stream.response.elapsed.total_seconds() > 0
        assert spent(account) == billed(server)


def test_tool_calls_stream_too(side: Side) -> None:
    """A stream of tool calls is charged and passed on like text."""
    function = {"name": "add", "parameters": {"type": "object", "properties": {}}}
    tool = {"type": "function", **({"function": function} if side.api == "chat" else {**function, "strict": False})}
    with LoopbackServer(Reply(tool_calls=(ToolCall("add", '{"a": 1, "b": 2}'),), output_tokens=12)) as server:
        client, account = governed(side, server)
        assert "add" in str(side.take(side.open(client, tools=[tool])))
        assert spent(account) == billed(server)


# Every way of asking for a stream.


def helper(side: Side, client: Any, **options: Any) -> Any:
    if side.api == "chat":
        return client.chat.completions.stream(model="m", messages=MESSAGES, **options)
    return client.responses.stream(model="m", input=QUESTION, **options)


def within(side: Side, manager: Any, work: Any) -> Any:
    """What `work` makes of what a context manager of this side's mode gives; it is awaited where it must be."""

    async def entered() -> Any:
        async with manager as opened:
            return await work(opened)

    if side.mode == "async":
        return side.run(entered())
    with manager as opened:
        return work(opened)


def test_the_sdks_helper_is_governed(side: Side) -> None:
    """The `stream()` helpers are charged like any stream, and gather the answer."""

    class Answer(pydantic.BaseModel):
        answer: int

    shape = {"response_format" if side.api == "chat" else "text_format": Answer}
    with LoopbackServer(Reply(text='{"answer": 42}', output_tokens=9)) as server:
        client, account = governed(side, server)
        gather = "get_final_completion" if side.api == "chat" else "get_final_response"
        final = within(side, helper(side, client, **shape), lambda stream: getattr(stream, gather)())
        parsed = final.choices[0].message.parsed if side.api == "chat" else final.output_parsed
        assert parsed == Answer(answer=42)
        assert spent(account) == billed(server) > 0
        assert provenance(account) == "provider"


def test_a_helper_that_raises_has_charged(side: Side) -> None:
    """What a helper raises about an answer, such as one that was cut, ends in a charge of at least what was billed."""

    class Answer(pydantic.BaseModel):
        answer: int

    shape = {"response_format" if side.api == "chat" else "text_format": Answer}
    cut, wrong = Reply(text='{"answer": 42}', output_tokens=900), Reply(text="no json", output_tokens=2)
    for reply in (cut, wrong) if side.api == "chat" else (wrong,):
        with LoopbackServer(reply) as server:
            client, account = governed(side, server)
            gather = "get_final_completion" if side.api == "chat" else "get_final_response"
            manager = helper(side, client, **shape, **{side.cap_name: 10 if reply is cut else 100})
            with pytest.raises((openai.LengthFinishReasonError, ValueError)):
                within(side, manager, lambda stream, gather=gather: getattr(stream, gather)())
            assert spent(account) >= billed(server) > 0


def test_a_helper_that_is_left_early_is_charged_whole(side: Side) -> None:
    """Leaving a helper's block closes the response and not the stream: that too ends in a charge."""
    with LoopbackServer(WORDS) as server:
        client, account = governed(side, server)

        async def first(stream: Any) -> None:
            await anext(stream)

        within(side, helper(side, client), first if side.mode == "async" else next)
        assert spent(account) == account.entries()[0].reserved_nusd > billed(server)
        assert provenance(account) == "bounded"


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("way", ["iter_lines", "iter_bytes", "iter_text", "read", "parse"])
def test_a_streaming_response_is_governed(side: Side, way: str, streamed: bool) -> None:
    """with_streaming_response is charged however its body is read, whether it holds a stream or one answer."""
    with LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        asked = {"stream": True} if streamed else {}
        manager = endpoint(side, client).with_streaming_response.create(**side.body(**asked))

        async def read_later(response: Any) -> None:
            assert reserved(account) > 0
            got = getattr(response, way)()
            got = await got if hasattr(got, "__await__") else got
            if hasattr(got, "__aiter__"):
                assert [item async for item in got]

        def read(response: Any) -> None:
            assert reserved(account) > 0
            got = getattr(response, way)()
            if hasattr(got, "__next__"):
                assert list(got)

        within(side, manager, read_later if side.mode == "async" else read)
        assert spent(account) == billed(server) > 0
        assert provenance(account) == "provider"


def test_lines_hide_the_usage_too() -> None:
    """A caller who reads the lines of a chat stream, and did not ask for usage, sees none."""
    with Side("sync", "chat") as side, LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        with client.chat.completions.with_streaming_response.create(**side.body(stream=True)) as response:
            lines = list(response.iter_lines())
        assert lines[-2] == "data: [DONE]"
        assert not any("usage" in line for line in lines)
        assert server.requests[0].body["stream_options"] == {"include_usage": True}
        assert spent(account) == billed(server)


@pytest.mark.parametrize("streamed", [True, False])
def test_a_streaming_response_that_nobody_reads_is_charged_whole(side: Side, streamed: bool) -> None:
    """A response whose block ends before anything was read is charged at its reservation."""
    with LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        asked = {"stream": True} if streamed else {}

        async def nothing(response: Any) -> None:
            del response

        manager = endpoint(side, client).with_streaming_response.create(**side.body(**asked))
        within(side, manager, nothing if side.mode == "async" else id)
        assert spent(account) == account.entries()[0].reserved_nusd > billed(server)


def test_a_raw_response_can_hold_a_stream(side: Side) -> None:
    """with_raw_response and stream=True gives a response that parses to a governed stream."""
    with LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        raw = side.run(endpoint(side, client).with_raw_response.create(**side.body(stream=True)))
        stream = raw.parse()
        assert isinstance(stream, openai.Stream if side.mode == "sync" else openai.AsyncStream)
        assert reserved(account) > 0
        assert side.take(stream)
        assert spent(account) == billed(server)


def test_a_bare_post_can_stream(side: Side) -> None:
    """client.post to a governed path with a stream class is governed, cast to a stream or to the response itself."""
    with LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        path, body = side.path.removeprefix("/v1"), side.body(stream=True)
        item: Any = ChatCompletionChunk if side.api == "chat" else ResponseStreamEvent
        kind: Any = openai.Stream[item] if side.mode == "sync" else openai.AsyncStream[item]
        stream = side.run(client.post(path, cast_to=item, body=body, stream=True, stream_cls=kind))
        assert side.take(stream)
        assert spent(account) == billed(server)
        response = side.run(client.post(path, cast_to=httpx2.Response, body=body, stream=True, stream_cls=kind))
        side.run(response.read() if side.mode == "sync" else response.aread())
        assert spent(account) == billed(server)
        assert len(server.billed) == 2


def test_a_stream_that_is_read_whole_is_refused(side: Side) -> None:
    """A stream asked for in the body alone, which the SDK would read as one text, is refused with nothing sent."""
    with LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        with pytest.raises(NotGoverned, match="stream=True"):
            side.ask(client, extra_body={"stream": True})
        assert server.requests == []
        assert account.entries() == ()


def test_a_host_that_answers_a_stream_whole_is_charged_what_it_says(side: Side) -> None:
    """Asked to stream, a host may answer with one JSON text: its usage counts, whatever the SDK makes of it."""
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "input_tokens": 5, "output_tokens": 2}

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"model": "m", "choices": [], "usage": usage})

    account = Account(1)
    client = govern(mocked(side, answer), account, prices=PRICES)
    with contextlib.suppress(Exception):
        side.take(side.open(client))
    assert spent(account) == 5 * 1_000 + 2 * 10_000


class Text(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """An answer's body, still to be read."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def __iter__(self) -> Iterator[bytes]:
        yield self.text

    async def __aiter__(self) -> Any:
        yield self.text


def mocked(side: Side, answer: Any) -> Any:
    transport = httpx2.MockTransport(answer)
    if side.mode == "sync":
        return openai.OpenAI(api_key="test", http_client=httpx2.Client(transport=transport))
    return openai.AsyncOpenAI(api_key="test", http_client=httpx2.AsyncClient(transport=transport))


def test_a_stream_that_was_read_before_the_sdk_is_charged(side: Side) -> None:
    """A response that a hook or a mock has read already is charged at once, by what it says."""
    end = '{"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}'
    usage = '{"model": "m", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}'
    text = f"data: {end}\n\ndata: {usage}\n\ndata: [DONE]\n\n"
    if side.api == "responses":
        used = '{"model": "m", "usage": {"input_tokens": 5, "output_tokens": 2}}'
        text = f'data: {{"type": "response.completed", "response": {used}}}\n\n'

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, text=text)

    account = Account(1)
    stream = side.open(govern(mocked(side, answer), account, prices=PRICES))
    assert spent(account) == 5 * 1_000 + 2 * 10_000
    assert side.take(stream)


# Ended early, it costs the reservation.


def test_a_stream_that_is_closed_early_is_charged_whole(side: Side) -> None:
    """close() after some chunks charges the reservation, because the rest may have been generated."""
    with LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        for chunks in (0, 1, 3):
            stream = side.open(client)
            side.take(stream, chunks)
            assert reserved(account) > 0
            side.close(stream)
            assert reserved(account) == 0
            side.close(stream)
        assert spent(account) == sum(entry.reserved_nusd for entry in account.entries()) > billed(server)
        assert {entry.provenance for entry in account.entries()} == {"bounded"}


def test_leaving_the_loop_keeps_a_stream_reserved(side: Side) -> None:
    """A stream whose loop was left can be read on, so it stays reserved; read to its end it costs what was billed."""
    with LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        stream = side.open(client)
        first = side.take(stream, 2)
        assert reserved(account) > 0
        rest = side.take(stream)
        assert len(first) == 2 < len(rest)
        assert spent(account) == billed(server)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_response_that_has_ended_is_charged_before_the_stream_is_closed(mode: str) -> None:
    """The last event of a Responses stream settles it, though the caller neither reads on nor closes it."""
    with Side(mode, "responses") as side, LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        count = len(side.take(side.open(client)))
        stream = side.open(client)
        assert side.take(stream, count)[-1].type == "response.completed"
        assert spent(account) == billed(server)
        side.close(stream)


@pytest.mark.parametrize("chunks", [0, 2])
def test_a_stream_that_is_dropped_is_charged_whole(side: Side, chunks: int) -> None:
    """A stream that nobody holds any more is charged at its reservation, read a little or not at all."""
    with LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        stream = side.open(client)
        side.take(stream, chunks)
        assert reserved(account) > 0
        del stream
        side.collect()
        assert spent(account) == account.entries()[0].reserved_nusd > billed(server)
        assert provenance(account) == "bounded"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, GeneratorExit, RuntimeError, asyncio.CancelledError])
def test_an_error_in_the_callers_loop_is_charged_whole(side: Side, stop: type[BaseException]) -> None:
    """Whatever is raised between two chunks passes through the stream's block, which charges the reservation."""
    with LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        stream = side.open(client)

        async def failing() -> None:
            async with stream:
                async for _ in stream:
                    raise stop

        def fail() -> None:
            with stream:
                for _ in stream:
                    raise stop

        with pytest.raises(stop):
            side.run(failing()) if side.mode == "async" else fail()
        assert spent(account) == account.entries()[0].reserved_nusd > billed(server)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, asyncio.CancelledError, RuntimeError, httpx2.ReadTimeout("slow")])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_interrupt_inside_the_reading_is_charged_whole(side: Side, stop: Any, after: int) -> None:
    """Whatever stops the reading itself, before or after the first bytes, ends in the reservation's charge."""
    events = [b'data: {"choices": [{"index": 0, "delta": {"content": "x"}}]}\n\n'] * 2

    class Broken(httpx2.SyncByteStream, httpx2.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield from events[:after]
            raise stop

        async def __aiter__(self) -> Any:
            for event in events[:after]:
                yield event
            raise stop

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Broken())

    account = Account(1)
    stream = side.open(govern(mocked(side, answer), account, prices=PRICES))
    assert reserved(account) > 0
    wanted = openai.APITimeoutError if isinstance(stop, Exception) else stop
    with pytest.raises(wanted):
        side.take(stream)
    assert spent(account) == account.entries()[0].reserved_nusd > 0
    assert provenance(account) == "bounded"


FAULTS = {
    "disconnect at once": Fault("disconnect", billed=True),
    "disconnect": Fault("disconnect", billed=True, after_chunks=4, reply=WORDS),
    "cut": Fault("cut", billed=True, after_chunks=4, reply=WORDS),
    "cut before the first event": Fault("cut", billed=True, after_chunks=1, reply=WORDS),
    "error": Fault("error", billed=True, after_chunks=4, reply=WORDS),
    "malformed": Fault("malformed", billed=True),
    "malformed event": Fault("malformed", billed=True, headers={"content-type": "text/event-stream"}),
    "usage missing": Reply(usage="missing"),
    "usage null": Reply(usage="null"),
    "usage absurd": Reply(usage="absurd"),
    "usage huge": Reply(
        usage={"prompt_tokens": 10**30, "completion_tokens": 1, "input_tokens": 1, "output_tokens": -1}
    ),
    "usage of text": Reply(usage={"prompt_tokens": "5", "completion_tokens": "5"}),
    "usage empty": Reply(usage={}),
    "error status": Fault("status", code=500, billed=True),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_what_nobody_accounts_for_is_charged_whole(side: Side, fault: Fault | Reply) -> None:
    """A stream that breaks, or whose usage is missing or cannot be true, is charged at its reservation."""
    with LoopbackServer(fault) as server:
        client, account = governed(side, server)
        with contextlib.suppress(openai.APIError, json.JSONDecodeError, AttributeError):
            side.take(side.open(client))
        assert spent(account) == account.entries()[0].reserved_nusd >= billed(server) > 0
        assert provenance(account) == "bounded"
        assert account.entries()[0].note


@pytest.mark.parametrize("code", [400, 401, 429, 503])
def test_a_refused_stream_is_given_back(side: Side, code: int) -> None:
    """A stream that the provider refuses to begin costs nothing."""
    with LoopbackServer(Fault("status", code=code)) as server:
        client, account = governed(side, server)
        with pytest.raises(openai.APIStatusError):
            side.open(client)
        assert spent(account) == 0
        assert len(server.requests) == 1


@pytest.mark.parametrize("after", [0, 3])
def test_a_silent_stream_is_charged_whole(side: Side, after: int) -> None:
    """A stream that falls silent, before or after its first events, is charged at its reservation at the time-out."""
    with LoopbackServer(Fault("timeout", billed=True, after_chunks=after, reply=WORDS)) as server:
        client, account = governed(side, server, timeout=0.05)
        with pytest.raises(openai.APIConnectionError):
            side.take(side.open(client))
        assert spent(account) == account.entries()[0].reserved_nusd >= billed(server) > 0


def test_a_stream_without_end_is_charged_when_it_is_closed(side: Side) -> None:
    """A stream that never ends stays reserved for as long as it is read."""
    with LoopbackServer(Fault("endless", billed=True, after_chunks=4, reply=WORDS)) as server:
        client, account = governed(side, server)
        stream = side.open(client)
        for _ in range(5):
            side.take(stream, 20)
            assert reserved(account) > 0
        side.close(stream)
        assert spent(account) >= account.entries()[0].reserved_nusd >= billed(server) > 0


def test_more_words_than_were_reserved_are_charged(side: Side) -> None:
    """A provider that goes on beyond its cap and is left there has been seen to bill more than the reservation."""
    with LoopbackServer(Fault("endless", billed=False, after_chunks=5, reply=WORDS)) as server:
        client, account = governed(side, server)
        stream = side.open(client, **{side.cap_name: 16})
        side.take(stream, 200)
        side.close(stream)
        (entry,) = account.entries()
        assert entry.provenance == "counted"
        assert entry.usage is not None
        assert entry.usage.output_tokens > 150
        assert spent(account) == entry.charged_nusd > entry.reserved_nusd


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("after", [0, 3])
def test_a_cancelled_stream_is_charged_whole(api: str, after: int) -> None:
    """A task cancelled between sending and the first chunk, or between two chunks, is charged at its reservation."""
    silent = Fault("timeout", billed=True, after_chunks=after, reply=WORDS)
    with Side("async", api) as side, LoopbackServer(silent) as server:
        client, account = governed(side, server)
        begun = asyncio.Event()

        async def reads() -> None:
            stream = await side.create(client, stream=True)
            async for _ in stream:
                begun.set()

        async def cancelled() -> None:
            task = asyncio.ensure_future(reads())
            while not (server.billed and (begun.is_set() or not after)):
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        side.run(cancelled())
        side.collect()
        assert spent(account) == account.entries()[0].reserved_nusd >= billed(server) > 0


def test_usage_that_was_read_counts_though_the_stream_breaks_after_it() -> None:
    """Once every choice has ended and the usage is told, a disconnect before the last mark changes nothing."""
    whole = len(["role", *WORDS.text.split(), "finish", "usage"])
    broken = Fault("disconnect", billed=True, after_chunks=whole, reply=WORDS)
    with Side("sync", "chat") as side, LoopbackServer(broken) as server:
        client, account = governed(side, server)
        with contextlib.suppress(openai.APIConnectionError, httpx2.RemoteProtocolError):
            side.take(side.open(client))
        assert spent(account) == billed(server)
        assert provenance(account) == "provider"


def test_usage_told_on_the_way_is_not_the_last_word() -> None:
    """A host that reports as it goes, and breaks off, is charged at the reservation."""
    chunk: dict[str, Any] = {"model": "m", "choices": [{"index": 0, "delta": {"content": "x"}}]}
    usage: dict[str, Any] = {"prompt_tokens": 5, "completion_tokens": 1}
    ended: dict[str, Any] = {"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    goes_on = [{**chunk, "usage": usage}, {**chunk, "usage": {**usage, "completion_tokens": 2}}]
    last = {**ended, "usage": {**usage, "completion_tokens": 3}}
    for events, expected in ((goes_on, None), ([*goes_on, ended], None), ([*goes_on, last], 5 * 1_000 + 3 * 10_000)):
        text = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
        charged, _ = read_through(text)
        assert charged == expected


def read_through(text: str, **options: Any) -> tuple[int | None, list[Any]]:
    """What a chat stream of exactly this text is charged (None: its reservation), and what the caller sees."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Text(text.encode()))

    account = Account(1)
    with Side("sync", "chat") as side:
        seen = side.take(side.open(govern(mocked(side, answer), account, prices=PRICES), **options))
    (entry,) = account.entries()
    assert spent(account) > 0
    return (None if entry.provenance == "bounded" else entry.charged_nusd), seen


@pytest.mark.parametrize("line", ["\n", "\r\n", "\r"])
def test_any_line_ending_and_comments_are_read(line: str) -> None:
    """Events may end their lines in three ways, and have comments and names between them."""
    usage = '{"model": "m", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}'
    end = '{"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": null}'
    lines = [": alive", "", "event: x", "id: 7", f"data: {end}", "", f"data:{usage}", "", "data: [DONE]", "", ""]
    charged, seen = read_through(line.join(lines))
    assert charged == 5 * 1_000 + 2 * 10_000
    assert len(seen) == 1
    assert "usage" not in seen[0].model_fields_set


def test_a_compressed_stream_is_passed_on_and_charged_whole(side: Side) -> None:
    """Compression is asked not to be used; where it is all the same, the stream reads as ever and costs its bound."""
    import gzip

    text = b'data: {"choices": [{"index": 0, "delta": {"content": "x"}}], "type": "response.created"}\n\n'

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["accept-encoding"] == "identity"
        headers = {"content-type": "text/event-stream", "content-encoding": "gzip"}
        return httpx2.Response(200, headers=headers, stream=Text(gzip.compress(text)))

    account = Account(1)
    stream = side.open(govern(mocked(side, answer), account, prices=PRICES))
    assert len(side.take(stream)) == 1
    assert spent(account) == account.entries()[0].reserved_nusd
    assert "compressed" in (account.entries()[0].note or "")


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "usage", "delta", "index", "type", "response", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
CHUNKS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["response.completed", "response.output_text.delta"]) | JSON,
        "response": JSON,
        "delta": JSON,
        "usage": st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens", "total_tokens"]), JSON) | JSON,
        "model": JSON,
        "choices": st.lists(
            st.fixed_dictionaries({}, optional={"index": JSON, "delta": JSON, "finish_reason": JSON}) | JSON, max_size=3
        )
        | JSON,
    },
)


@given(
    st.sampled_from(["chat", "responses"]),
    st.lists(CHUNKS | JSON, max_size=6),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.lists(st.integers(0, 400), max_size=8),
    st.integers(1, 3),
)
def test_what_comes_in_is_data(api: Any, events: list[Any], line: bytes, cuts: list[int], n: int) -> None:
    """Whatever JSON a host sends, and wherever its bytes are cut, it is read without an error, and read alike."""
    text = b"".join(b"data: " + json.dumps(event).encode() + line * 2 for event in events) + b"data: [DO"
    ends = [*sorted({cut for cut in cuts if cut < len(text)}), len(text)]
    whole, split = Events(), Events()
    expected = whole.cut(text)
    got = [event for start, end in zip([0, *ends], ends, strict=False) for event in split.cut(text[start:end])]
    assert [data_of(event) for event in got] == [data_of(event) for event in expected]
    assert [json.loads(data_of(event)) for event in got] == events
    assert split.rest().lstrip() == whole.rest() == b"data: [DO"
    received = Received(api, n)
    for event in got:
        chunk = received.take(data_of(event))
        shown = without_usage(event, chunk)
        if isinstance(chunk, dict) and shown:
            assert json.loads(data_of(shown)).keys() - {"usage"} == chunk.keys() - {"usage"}
    account = Account(1)
    ticket = Meter(account, PriceBook(PRICES), None).admit({"model": "m", "messages": [], "n": n}, "chat")
    if received.complete:
        ticket.settle(received.report, pieces=received.pieces, words=received.words)
    ticket.bounded("nothing was said", words=received.words)
    assert spent(account) > 0


# Several choices.


@pytest.mark.parametrize("says", ["one_choice", "each_choice"])
@pytest.mark.parametrize("tokens", [(1, 2), (6, 7), (6, 6)], ids=str)
@pytest.mark.parametrize("n", [2, 3, 8])
def test_one_choice_reported_for_n_is_found_out(says: Any, tokens: tuple[int, int], n: int) -> None:
    """Where a server reports one choice of n, and streams a token in each delta, all of them are charged."""
    words, output = tokens
    reply = Reply(text=" ".join(["word"] * words), output_tokens=output, usage=says)
    with Side("sync", "chat") as side, LoopbackServer(reply) as server:
        client, account = governed(side, server)
        side.take(side.open(client, n=n))
        assert spent(account) == billed(server)
        assert provenance(account) == "counted"
        assert f"one choice of {n}" in (account.entries()[0].note or "")


@pytest.mark.parametrize("n", [2, 3, 8])
@pytest.mark.parametrize(
    "reply",
    [
        WORDS,
        Reply(output_tokens=500, reasoning_tokens=490),
        Reply(output_tokens=10**6),
        Reply(output_tokens=10**6, reasoning_tokens=10**6),
    ],
)
def test_a_report_of_all_choices_is_believed(n: int, reply: Reply) -> None:
    """Where the report covers what was received of all choices, it is charged as it is."""
    with Side("sync", "chat") as side, LoopbackServer(reply) as server:
        client, account = governed(side, server)
        side.take(side.open(client, n=n, max_completion_tokens=2_000))
        assert spent(account) == billed(server)
        assert provenance(account) == "provider"


def test_a_choice_that_never_came_is_not_forgotten() -> None:
    """A report that comes after the first of two choices, in a stream that then breaks, is not the last word."""
    said = {"model": "m", "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}
    told = {"model": "m", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in (said, told))
    assert read_through(text, n=2)[0] is None
    assert read_through(text + "data: [DONE]\n\n", n=2)[0] == 5 * 1_000 + 2 * 10_000


# One road.


def test_streams_keep_the_laws_of_calls(side: Side) -> None:
    """Caps are lowered, retries are off, and copies and governing again charge as they do for whole answers."""
    with LoopbackServer([Fault("status", code=500), Reply(output_tokens=10**6), WORDS, WORDS]) as server:
        client, account = governed(side, server, "0.1", max_retries=5)
        with pytest.raises(openai.InternalServerError):
            side.open(client)
        assert len(server.requests) == 1
        first = spent(account)
        side.take(side.open(client.with_options(max_retries=4), **{side.cap_name: 50_000}))
        assert 1024 <= server.requests[1].body[side.cap_name] < 50_000
        assert first < spent(account) <= 100_000_000
        second = Account(1)
        side.take(side.open(govern(client, second, prices=PRICES)))
        assert spent(second) > 0
        with pytest.raises(CeilingReached):
            side.open(client)
        assert len(server.requests) == 3


def test_a_client_may_be_copied_while_it_streams(side: Side) -> None:
    """Copying, governing again and closing a client's copies in the middle of a stream leaves the stream as it was."""
    with LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        stream = side.open(client)
        side.take(stream, 2)
        other = Account(1)
        side.take(side.open(client.copy()))
        side.take(side.open(govern(client, other, prices=PRICES)))
        del client
        gc.collect()
        assert reserved(account) > 0
        side.take(stream)
        assert spent(account) + spent(other) == billed(server)


def test_a_stream_is_read_once(side: Side) -> None:
    """A second iterator goes on where the first is, and reading again after the end charges nothing more."""
    with LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        stream = side.open(client)
        side.take(stream, 1)
        side.take(stream)
        assert side.take(stream) == []
        with pytest.raises((httpx2.StreamConsumed, httpx2.StreamClosed)):
            side.run(stream.response.aread()) if side.mode == "async" else stream.response.read()
        assert spent(account) == billed(server)


def test_other_fields_of_stream_options_are_kept() -> None:
    """Asking for usage leaves the caller's other stream options as they are, wherever they were given."""
    with Side("sync", "chat") as side, LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        side.take(side.open(client, stream_options={"include_obfuscation": False}))
        side.take(side.open(client, extra_body={"stream_options": {"include_obfuscation": False}}))
        for request in server.requests:
            assert request.body["stream_options"] == {"include_obfuscation": False, "include_usage": True}
        side.take(side.open(client, extra_body={"stream_options": None}))
        assert spent(account) == billed(server)


def test_a_stream_ends_in_a_file_too(side: Side, tmp_path: Path) -> None:
    """An account in a file charges streams as one in memory does, and a stream outlives its account's handle."""
    with LoopbackServer(WORDS) as server, Account(1, ledger=tmp_path / "team.db") as account:
        client, _ = governed(side, server, account)
        read, dropped = side.open(client), side.open(client)
        account.close()
        side.take(read)
        del dropped
        side.collect()
        first, second = (entry.charged_nusd for entry in account.entries())
        assert first + second == spent(account) > billed(server)
        assert first < second


def test_a_full_disk_keeps_a_stream_reserved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the ledger cannot be written the caller's loop ends as ever, and the charge follows when it can."""
    from thinkcap.controller.ledger import sqlite
    from thinkcap.policies import LedgerFailed

    with Side("sync", "chat") as side, LoopbackServer(WORDS) as server:
        account = Account(1, ledger=tmp_path / "team.db")
        client, _ = governed(side, server, account)
        stream = side.open(client)

        def full(*_: Any, **__: Any) -> Any:
            raise LedgerFailed("the ledger cannot grow: free some disk space")

        with monkeypatch.context() as patched:
            patched.setattr(sqlite.SqliteLedger, "settle", full)
            assert side.take(stream)
            assert reserved(account) > 0
        assert spent(account) == billed(server)
        account.close()


# Finalizers.


def test_a_finalizer_neither_waits_nor_raises() -> None:
    """Garbage collected inside the ledger's own lock leaves its charge for later, instead of waiting for itself."""
    with Side("sync", "chat") as side, LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        for chunks in (0, 2):
            held = [side.open(client)]
            side.take(held[0], chunks)

            def drop(_: object) -> None:
                held.clear()  # noqa: B023 - called at once
                gc.collect()

            ledger: Any = account.ledger
            ledger._do(drop)
            assert reserved(account) == 0
        assert spent(account) == sum(entry.reserved_nusd for entry in account.entries())
        assert not later.collecting()


def test_a_finalizer_does_not_wait_for_another_thread() -> None:
    """While another thread is inside the ledger, a dropped stream is collected at once and charged afterwards."""
    with Side("sync", "chat") as side, LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        stream = side.open(client)
        side.take(stream, 2)
        ledger: Any = account.ledger
        inside, done = threading.Event(), threading.Event()

        def hold(_: object) -> None:
            inside.set()
            done.wait(20)  # gives up on a collection that waits for it

        holder = threading.Thread(target=ledger._do, args=(hold,))
        holder.start()
        inside.wait()
        del stream
        gc.collect()
        assert holder.is_alive()
        done.set()
        holder.join()
        assert spent(account) == account.entries()[0].reserved_nusd


EXIT = """
import asyncio, sys
import openai
from thinkcap.controller import Account, Price, govern

base_url, path, mode, chunks = sys.argv[1:]
prices = {"m": Price.per_mtok(input=1, output=10)}
account = Account(1, ledger=path)
question = [{"role": "user", "content": "?"}]

def sync():
    client = govern(openai.OpenAI(base_url=base_url, api_key="test"), account, prices=prices)
    stream = client.chat.completions.create(model="m", messages=question, stream=True)
    for _ in range(int(chunks)):
        next(stream)
    return stream

async def later():
    client = govern(openai.AsyncOpenAI(base_url=base_url, api_key="test"), account, prices=prices)
    stream = await client.chat.completions.create(model="m", messages=question, stream=True)
    for _ in range(int(chunks)):
        await anext(stream)
    return stream

loop = asyncio.new_event_loop()
kept = sync() if mode == "sync" else asyncio.run(later()) if mode == "run" else loop.run_until_complete(later())
"""


@pytest.mark.parametrize("mode", ["sync", "loop left", "run"])
@pytest.mark.parametrize("chunks", [0, 2])
def test_a_stream_that_is_open_when_the_program_ends_is_charged(tmp_path: Path, mode: str, chunks: int) -> None:
    """A program that ends with a stream open leaves a ledger in which it is charged, without a word."""
    path = tmp_path / "team.db"
    with LoopbackServer(WORDS) as server:
        command = [sys.executable, "-c", EXIT, server.base_url, str(path), mode, str(chunks)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == "" or mode != "sync"  # a loop that closes all generators at once may complain of them
        account = Account(1, ledger=path)
        assert spent(account) == account.entries()[0].reserved_nusd > billed(server) > 0
        account.close()


def test_nothing_is_kept_of_what_has_ended(side: Side) -> None:
    """Once a call or a stream is charged, however it ended, thinkcap holds on to none of it."""
    before = len(streams._open)
    with LoopbackServer(WORDS) as server:
        client, account = governed(side, server)
        side.ask(client)
        side.run(endpoint(side, client).with_raw_response.create(**side.body()))
        read, closed, dropped = (side.open(client) for _ in range(3))
        assert len(streams._open) == before + 3
        side.take(read)
        side.close(closed)
        del dropped
        side.collect()
        assert spent(account) > billed(server)
        assert len(streams._open) == before
        assert not later._left


# Many at once.


def test_threads_stream_under_one_ceiling() -> None:
    """Streams from many threads, read or left at random points, never pass the ceiling together."""
    with Side("sync", "chat") as side, LoopbackServer(Reply(text="a b c d", output_tokens=200)) as server:
        client, account = governed(side, server, "0.05")

        def one(number: int) -> type[BaseException] | None:
            try:
                stream = side.open(client, max_completion_tokens=200)
            except CeilingReached as reached:
                return type(reached)
            if number % 3:
                list(stream)
            else:
                next(stream)
                stream.close()
            return None

        with ThreadPoolExecutor(8) as pool:
            ended = list(pool.map(one, range(48)))
        assert billed(server) <= spent(account) <= 50_000_000
        assert set(ended) == {None, CeilingReached}


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_tasks_stream_under_one_ceiling(api: str) -> None:
    """Many tasks that stream at once, some of them cancelled, never pass the ceiling together."""
    with Side("async", api) as side, LoopbackServer(Reply(text="a b c d", output_tokens=200)) as server:
        client, account = governed(side, server, "0.05")

        async def one(number: int) -> None:
            with contextlib.suppress(CeilingReached):
                stream = await side.create(client, stream=True, **{side.cap_name: 200})
                async with stream:
                    async for _ in stream:
                        if number % 3 == 0:
                            break
                        await asyncio.sleep(0)

        async def many() -> None:
            tasks = [asyncio.ensure_future(one(number)) for number in range(48)]
            await asyncio.sleep(0.01)
            for task in tasks[::5]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        side.run(many())
        side.collect()
        assert billed(server) <= spent(account) <= 50_000_000


def test_two_threads_may_read_and_close_one_stream() -> None:
    """One stream read and closed by several threads at once is charged once, at least what was billed."""
    for attempt in range(20):
        with Side("sync", "chat") as side, LoopbackServer(Reply(text="a b c d e f g h", output_tokens=9)) as server:
            client, account = governed(side, server)
            stream = side.open(client)

            def read(number: int, stream: Any = stream, attempt: int = attempt) -> None:
                with contextlib.suppress(Exception):  # the SDK's generator is one thread's at a time
                    for seen, _ in enumerate(stream):
                        if number == 0 and seen == attempt % 5:
                            stream.close()

            with ThreadPoolExecutor(3) as pool:
                list(pool.map(read, range(3)))
            stream.close()
            assert billed(server) <= spent(account)
            assert len(account.entries()) == 1


# Random schedules.

ANSWERS = st.one_of(
    st.builds(
        lambda words, hidden, **rest: Reply(
            text=" ".join(["word"] * words), output_tokens=words + 1 + hidden, reasoning_tokens=hidden, **rest
        ),
        st.integers(0, 30),
        st.sampled_from([0, 0, 40, 3_000]),
        input_tokens=st.integers(20, 60),
        cached_tokens=st.integers(0, 10),
        cache_write_tokens=st.integers(0, 10),
        usage=st.sampled_from(["total", "total", "total", "missing", "null", "absurd"]),
        drip=st.sampled_from([0, 0, 0, 5]),
    ),
    st.builds(
        Fault,
        st.sampled_from(["disconnect", "cut", "error"]),
        billed=st.just(True),
        after_chunks=st.integers(1, 12),
        reply=st.just(WORDS),
    ),
    st.builds(  # without end in an event that the caller sees
        Fault, st.just("endless"), billed=st.just(True), after_chunks=st.integers(1, 6), reply=st.just(WORDS)
    ),
    st.builds(Fault, st.just("status"), code=st.sampled_from([400, 429])),
    st.builds(Fault, st.sampled_from(["malformed", "disconnect"]), billed=st.booleans()),
    st.builds(Fault, st.just("status"), code=st.just(500), billed=st.booleans()),
)
ENDINGS = st.sampled_from(["read", "read", "close", "drop", "keep"])
STEPS = st.lists(st.tuples(ANSWERS, st.integers(0, 12), ENDINGS, st.integers(1, 3)), min_size=1, max_size=6)


@settings(max_examples=40)
@given(st.sampled_from(SIDES), STEPS, st.integers(30_000_000, 300_000_000), st.sampled_from([None, 64, 5_000]))
def test_no_schedule_of_streams_passes_the_ceiling(
    which: tuple[str, str], steps: list[tuple[Reply | Fault, int, str, int]], nusd: int, cap: int | None
) -> None:
    """For any answers, faults and endings: never over the ceiling, never below the bills, exact where all is told."""
    check_schedule(which, steps, nusd, cap)


def check_schedule(
    which: tuple[str, str], steps: list[tuple[Reply | Fault, int, str, int]], nusd: int, cap: int | None
) -> None:
    script: Script = [step[0] for step in steps]
    with Side(*which) as side, LoopbackServer(script) as server:
        client, account = governed(side, server, f"{nusd / 1e9:.9f}")
        kept: list[Any] = []
        exact = True
        for answer, chunks, ending, n in steps:
            options: dict[str, Any] = {} if cap is None else {side.cap_name: cap}
            try:
                stream = side.open(client, **options, **({"n": n} if side.api == "chat" else {}))
            except (CeilingReached, openai.APIError):
                exact = False
                break  # the script counts the answers that were asked for
            endless = isinstance(answer, Fault) and answer.kind == "endless"
            with contextlib.suppress(openai.APIError, httpx2.TransportError, ValueError, AttributeError):
                side.take(stream, chunks if endless or ending != "read" else None)
            if ending == "keep":
                kept.append(stream)
            elif ending == "close" or endless:
                side.close(stream)
            exact = exact and ending == "read" and isinstance(answer, Reply) and answer.usage == "total"
            del stream
            if ending == "drop":
                side.collect()
            held = account.balance.money
            assert held.spent + held.reserved <= nusd
            assert reserved(account) == 0 or kept or ending == "read"
        if kept:
            side.close(kept[0])
        kept.clear()
        side.collect()
        assert billed(server) <= spent(account) <= nusd
        if exact:
            assert spent(account) == billed(server)
