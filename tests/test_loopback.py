"""The loopback server speaks to the real SDK, and keeps a book of its own."""

import asyncio
import json
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from tests.loopback import CHAT, RESPONSES, Bill, Fault, LoopbackServer, Received, Reply, ToolCall, unsupported_effort

QUESTION = [{"role": "user", "content": "six times seven?"}]  # 4 words: the role and three more
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading the usual certificates takes longer than all else in a test
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
CHAT_TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
RESPONSES_TOOL = {"type": "function", "name": "add", "parameters": {"type": "object"}}


class Answer(BaseModel):
    answer: int


def ask_with(sdk: Any, path: str, **options: Any) -> Any:
    """Ask once; also the async client, whose answer is then to be awaited."""
    if path == CHAT:
        return sdk.chat.completions.create(model="m", messages=QUESTION, **options)
    return sdk.responses.create(model="m", input="six times seven?", **options)


def client(server: LoopbackServer, **options: Any) -> Any:
    http = openai.DefaultHttpxClient(verify=NO_TLS)
    return openai.OpenAI(base_url=server.base_url, api_key="test", http_client=http, **{"max_retries": 0, **options})


def async_client(server: LoopbackServer) -> Any:
    http = openai.DefaultAsyncHttpxClient(verify=NO_TLS)
    return openai.AsyncOpenAI(base_url=server.base_url, api_key="test", http_client=http, max_retries=0)


def ask(server: LoopbackServer, path: str = CHAT, **options: Any) -> Any:
    """Ask once with a fresh client, whole: a ChatCompletion or a Response."""
    with client(server) as sdk:
        return ask_with(sdk, path, **options)


def events(server: LoopbackServer, path: str, **options: Any) -> list[Any]:
    """Ask once, streamed, and return the events."""
    with client(server) as sdk:
        return list(ask_with(sdk, path, stream=True, **options))


def cap(path: str, tokens: int) -> dict[str, int]:
    return {"max_completion_tokens" if path == CHAT else "max_output_tokens": tokens}


def text(answer: Any) -> Any:
    """Return what a whole answer says: text, or None where it says none."""
    return answer.output_text if isinstance(answer, Response) else answer.choices[0].message.content


both = pytest.mark.parametrize("path", [CHAT, RESPONSES])


# Answers.


def test_a_chat_answer_says_and_bills_what_the_script_says() -> None:
    """Text, model, finish and usage of a chat answer are the script's, and so is the bill."""
    with LoopbackServer(Reply(output_tokens=9, reasoning_tokens=5, cached_tokens=2, cache_write_tokens=1)) as server:
        answer = ask(server)
    ChatCompletion.model_validate(answer.model_dump(), strict=True)
    assert (text(answer), answer.model, answer.choices[0].finish_reason) == ("42", "m", "stop")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (4, 9, 13)
    assert answer.usage.completion_tokens_details.reasoning_tokens == 5
    assert answer.usage.prompt_tokens_details.cached_tokens == 2
    assert server.billed == [Bill(CHAT, "m", 4, 9, 5, 2, cache_write_tokens=1)]


def test_a_response_says_and_bills_what_the_script_says() -> None:
    """Text, model, status and usage of a response are the script's; reasoning comes as an item before the message."""
    with LoopbackServer(Reply(output_tokens=9, reasoning_tokens=5, input_tokens=30, model="m-dated")) as server:
        answer = ask(server, RESPONSES)
    Response.model_validate(answer.model_dump(warnings=False))
    assert (text(answer), answer.model, answer.status) == ("42", "m-dated", "completed")
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (30, 9, 39)
    assert answer.usage.output_tokens_details.reasoning_tokens == 5
    assert server.billed == [Bill(RESPONSES, "m-dated", 30, 9, 5, 0)]


def test_requests_are_kept_as_they_came() -> None:
    """Path, body and headers of each request are kept in the order of arrival, and the script is given the same."""
    seen: list[Received] = []

    def script(request: Received) -> Reply:
        seen.append(request)
        return Reply(text=str(request.number))

    with LoopbackServer(script) as server:
        assert [text(ask(server, path, service_tier="flex")) for path in (CHAT, RESPONSES)] == ["1", "2"]
    assert server.requests == seen
    assert [request.path for request in seen] == [CHAT, RESPONSES]
    assert seen[0].body == {"model": "m", "messages": QUESTION, "service_tier": "flex"}
    assert seen[0].headers["authorization"] == "Bearer test"
    assert [bill.service_tier for bill in server.billed] == ["flex", "flex"]


def test_a_sequence_is_taken_in_order_and_its_last_answer_repeats() -> None:
    """The first request takes the first answer, and those beyond the end take the last."""
    with LoopbackServer([Reply(text="a"), Reply(text="b")]) as server:
        assert [text(ask(server)) for _ in range(3)] == ["a", "b", "b"]


def test_models_are_listed() -> None:
    """GET /v1/models lists the models given, and takes no answer from the script."""
    with LoopbackServer([Reply(text="first"), Reply()], models=("small", "large")) as server, client(server) as sdk:
        assert [model.id for model in sdk.models.list()] == ["small", "large"]
        assert text(ask(server)) == "first"


def test_an_unknown_path_is_404() -> None:
    """A path the server does not have is answered 404, recorded and not billed."""
    with LoopbackServer(Reply()) as server, client(server) as sdk:
        with pytest.raises(openai.NotFoundError):
            sdk.embeddings.create(model="m", input="x")
        with pytest.raises(openai.NotFoundError):
            sdk.models.retrieve("m")
    assert [request.path for request in server.requests] == ["/v1/embeddings", "/v1/models/m"]
    assert server.billed == []


def test_parsed_answers_are_the_scripts_json() -> None:
    """Both endpoints' `parse` read the script's JSON text into the caller's model."""
    with LoopbackServer(Reply(text='{"answer": 42}')) as server, client(server) as sdk:
        chat = sdk.chat.completions.parse(model="m", messages=QUESTION, response_format=Answer)
        response = sdk.responses.parse(model="m", input="?", text_format=Answer)
    assert chat.choices[0].message.parsed == response.output_parsed == Answer(answer=42)


@both
def test_a_refusal_takes_the_texts_place(path: str) -> None:
    """A refusal is told as one, whole and streamed, and no content is."""
    with LoopbackServer(Reply(refusal="I will not.")) as server:
        whole, streamed = ask(server, path), events(server, path)
    if path == CHAT:
        assert (text(whole), whole.choices[0].message.refusal) == (None, "I will not.")
        assert "".join(chunk.choices[0].delta.refusal or "" for chunk in streamed) == "I will not."
    else:
        assert whole.output[0].content[0].refusal == streamed[-1].response.output[0].content[0].refusal == "I will not."
        assert "".join(e.delta for e in streamed if e.type == "response.refusal.delta") == "I will not."


# Caps, choices and usage.


@both
@pytest.mark.parametrize(
    ("tokens", "said", "reasoning"), [(10, "abcdefgh", 2), (9, "abcdefg", 2), (6, "abcd", 2), (2, "", 2), (1, "", 1)]
)
def test_a_reply_is_cut_at_its_cap_and_billed_there(path: str, tokens: int, said: str, reasoning: int) -> None:
    """Two reasoning tokens come first and eight letters cost a token each: past the cap both are lost, and unbilled."""
    with LoopbackServer(Reply(text="abcdefgh", output_tokens=10, reasoning_tokens=2)) as server:
        answer = ask(server, path, **cap(path, tokens))
    assert text(answer) == said
    assert server.billed == [Bill(path, "m", 4 if path == CHAT else 3, tokens, reasoning, 0)]
    if path == CHAT:
        assert answer.choices[0].finish_reason == ("length" if tokens < 10 else "stop")
        assert answer.usage.completion_tokens == tokens
    else:
        assert answer.status == ("incomplete" if tokens < 10 else "completed")
        assert (answer.incomplete_details and answer.incomplete_details.reason) == (
            "max_output_tokens" if tokens < 10 else None
        )
        assert answer.usage.output_tokens == tokens


def test_a_cut_stream_ends_as_cut() -> None:
    """A streamed reply past its cap ends with finish `length`, or with `response.incomplete`."""
    with LoopbackServer(Reply(text="abcdefgh", output_tokens=8)) as server:
        assert events(server, CHAT, max_tokens=4)[-1].choices[0].finish_reason == "length"
        last = events(server, RESPONSES, max_output_tokens=4)[-1]
    assert (last.type, last.response.output_text) == ("response.incomplete", "abcd")


def test_a_filtered_answer_says_so() -> None:
    """A `finish` of the script's own is told: by name in chat, as an incomplete response in Responses."""
    with LoopbackServer(Reply(finish="content_filter")) as server:
        assert ask(server).choices[0].finish_reason == "content_filter"
        assert ask(server, RESPONSES).incomplete_details.reason == "content_filter"


@both
def test_a_misbehaving_provider_bills_above_the_cap(path: str) -> None:
    """With `ignore_cap` the answer is whole and the bill is above the cap."""
    with LoopbackServer(Reply(output_tokens=50, ignore_cap=True)) as server:
        assert text(ask(server, path, **cap(path, 5))) == "42"
    assert server.billed[0].output_tokens == 50


def test_every_choice_is_billed() -> None:
    """Three choices bill three outputs, three reasonings and one input; `one_choice` tells of a third of it."""
    replies = [Reply(output_tokens=9, reasoning_tokens=4, usage=usage) for usage in ("total", "one_choice")]
    with LoopbackServer(replies) as server:
        answers = [ask(server, n=3, max_completion_tokens=6) for _ in replies]
        streamed = events(server, CHAT, n=3, max_completion_tokens=6)
    assert server.billed == [Bill(CHAT, "m", 4, 18, 12, 0)] * 3
    assert [answer.usage.completion_tokens for answer in answers] == [18, 6]
    assert [len(answer.choices) for answer in answers] == [3, 3]
    assert {chunk.choices[0].index for chunk in streamed} == {0, 1, 2}


@both
def test_usage_may_be_missing_absurd_or_anything(path: str) -> None:
    """What usage says is the script's to choose, and changes nothing in the book."""
    names = ("prompt_tokens", "completion_tokens") if path == CHAT else ("input_tokens", "output_tokens")
    custom = {names[0]: 1, names[1]: 10**12, "total_tokens": 3}
    with LoopbackServer([Reply(usage="missing"), Reply(usage="absurd"), Reply(usage=custom)]) as server:
        missing, absurd, other = (ask(server, path).usage for _ in range(3))
    assert missing is None
    assert getattr(absurd, names[1]) < 0
    assert getattr(other, names[1]) == 10**12
    assert {bill.output_tokens for bill in server.billed} == {7}


def test_an_impossible_reply_is_refused() -> None:
    """Reasoning beyond the output, or cached input beyond the input, cannot be meant."""
    with pytest.raises(ValueError, match="raise output_tokens"):
        Reply(output_tokens=1, reasoning_tokens=2)
    with pytest.raises(ValueError, match="raise input_tokens"):
        Reply(input_tokens=3, cached_tokens=2, cache_write_tokens=2)


# Streams.


@pytest.mark.parametrize("asked", [True, False])
def test_a_chat_stream_tells_usage_only_if_asked(asked: bool) -> None:
    """Chunks join to the text; with `include_usage` the last one holds the usage and no choice, else none does."""
    options = {"stream_options": {"include_usage": True}} if asked else {}
    with LoopbackServer(Reply(text=" forty two,\nexactly ")) as server:
        chunks = events(server, CHAT, **options)
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk.model_dump())
    said = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert "".join(piece or "" for piece in said) == " forty two,\nexactly "
    assert [chunk.usage.completion_tokens for chunk in chunks if chunk.usage] == ([7] if asked else [])
    assert bool(chunks[-1].choices) != asked
    assert server.billed == [Bill(CHAT, "m", 4, 7, 0, 0)]


def test_a_response_stream_has_every_event_in_order() -> None:
    """The events are numbered from 0, of the SDK's shapes, and end with the whole response and its usage."""
    with LoopbackServer(Reply(text="forty two", output_tokens=9, reasoning_tokens=3)) as server:
        streamed = events(server, RESPONSES)
    for event in streamed:
        EVENT.validate_python(event.model_dump(warnings=False))
    assert [event.sequence_number for event in streamed] == list(range(len(streamed)))
    assert [event.type.removeprefix("response.") for event in streamed] == [
        *("created", "in_progress", "output_item.added", "output_item.done", "output_item.added"),
        *("content_part.added", "output_text.delta", "output_text.delta", "output_text.done", "content_part.done"),
        *("output_item.done", "completed"),
    ]
    assert (streamed[-1].response.output_text, streamed[-1].response.usage.output_tokens) == ("forty two", 9)


def test_stream_helpers_gather_the_parsed_answer() -> None:
    """Both `stream` helpers of the SDK end with the parsed answer."""
    with LoopbackServer(Reply(text='{"answer": 42}', reasoning_tokens=3)) as server, client(server) as sdk:
        with sdk.chat.completions.stream(model="m", messages=QUESTION, response_format=Answer) as chat:
            assert chat.get_final_completion().choices[0].message.parsed == Answer(answer=42)
        with sdk.responses.stream(model="m", input="?", text_format=Answer) as response:
            assert response.get_final_response().output_parsed == Answer(answer=42)
    assert len(server.billed) == 2


# Tools.


def test_chat_calls_a_tool_and_goes_on() -> None:
    """With tools offered the chat reply is its calls, whole or streamed; without, or with choice `none`, its text."""
    call = ToolCall("add", '{"a": 1, "b": 2}')
    with LoopbackServer(Reply(text="3", tool_calls=(call, call))) as server, client(server) as sdk:
        first = ask(server, tools=[CHAT_TOOL]).choices[0]
        with sdk.chat.completions.stream(model="m", messages=QUESTION, tools=[CHAT_TOOL]) as stream:
            streamed = stream.get_final_completion().choices[0]
        result = {"role": "tool", "tool_call_id": first.message.tool_calls[0].id, "content": "3"}
        said = [*QUESTION, first.message, result]
        last = sdk.chat.completions.create(model="m", messages=said, tools=[CHAT_TOOL], tool_choice="none")
    assert first.finish_reason == streamed.finish_reason == "tool_calls"
    assert first.message.content is None
    for choice in (first, streamed):
        assert [json.loads(c.function.arguments) for c in choice.message.tool_calls] == [{"a": 1, "b": 2}] * 2
    assert len({c.id for c in first.message.tool_calls}) == 2
    assert (text(last), last.choices[0].finish_reason) == ("3", "stop")


def test_responses_call_a_tool_and_go_on() -> None:
    """With tools offered the response is its function calls, each with a call_id, whole or streamed."""
    script = [Reply(tool_calls=(ToolCall("add", '{"a": 1}'),))] * 2 + [Reply(text="3")]
    with LoopbackServer(script) as server, client(server) as sdk:
        first = ask(server, RESPONSES, tools=[RESPONSES_TOOL])
        streamed = events(server, RESPONSES, tools=[RESPONSES_TOOL])
        call = first.output[0]
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "3"}
        last = sdk.responses.create(model="m", input=[call, result], tools=[RESPONSES_TOOL])
    for event in streamed:
        EVENT.validate_python(event.model_dump(warnings=False))
    assert (call.type, call.name, call.arguments) == ("function_call", "add", '{"a": 1}')
    assert "".join(e.delta for e in streamed if e.type == "response.function_call_arguments.delta") == '{"a": 1}'
    assert streamed[-1].response.output[0].call_id not in ("", call.call_id)
    assert last.output_text == "3"


# Faults.


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
@both
def test_a_status_is_raised_by_the_sdk(path: str, code: int, error: type[openai.APIStatusError]) -> None:
    """A failed status is the SDK's own error, with its headers, in OpenAI's shape, and is not billed unless asked."""
    fault = Fault("status", code=code, headers={"retry-after": "0"})
    with LoopbackServer([fault, Fault("status", code=code, billed=True)]) as server:
        with pytest.raises(error) as caught:
            ask(server, path)
        assert server.billed == []
        with pytest.raises(error):
            events(server, path)
    assert caught.value.response.headers["retry-after"] == "0"
    assert isinstance(caught.value.body, dict)
    assert set(caught.value.body) == {"message", "type", "param", "code"}
    assert [bill.output_tokens for bill in server.billed] == [7]


def test_an_unsupported_effort_names_its_parameter() -> None:
    """A model that does not know an effort answers 400 and names the parameter at fault."""
    raised = pytest.raises(openai.BadRequestError, match="xhigh")
    with LoopbackServer(unsupported_effort("xhigh")) as server, raised as caught:
        ask(server, reasoning_effort="xhigh")
    assert (caught.value.param, caught.value.code) == ("reasoning_effort", "unsupported_value")


def test_the_sdks_own_retry_gets_the_next_answer() -> None:
    """A 429 with Retry-After and then a reply: the SDK's retry is a second request, told by its header."""
    script: list[Reply | Fault] = [Fault("status", code=429, headers={"retry-after-ms": "1"}), Reply()]
    with LoopbackServer(script) as server, client(server, max_retries=1) as sdk:
        ask_with(sdk, CHAT)
    assert [request.headers["x-stainless-retry-count"] for request in server.requests] == ["0", "1"]
    assert len(server.billed) == 1


@both
@pytest.mark.parametrize("billed", [True, False])
def test_a_timeout_holds_until_the_client_leaves(path: str, billed: bool) -> None:
    """The client's own time-out ends the wait, and the call is billed exactly if the script says so."""
    fault = Fault("timeout", billed=billed, reply=Reply(output_tokens=11))
    gives_up = pytest.raises(openai.APITimeoutError)
    with LoopbackServer(fault) as server, client(server, timeout=0.05) as sdk, gives_up:
        ask_with(sdk, path)
    assert len(server.requests) == 1
    assert [bill.output_tokens for bill in server.billed] == ([11] if billed else [])


def test_closing_the_server_ends_a_timeout() -> None:
    """A server that closes lets every held client go, and leaves no thread of its own behind."""
    held, before = threading.Event(), set(threading.enumerate())

    def script(request: Received) -> Fault:
        held.set()
        return Fault("timeout")

    with ThreadPoolExecutor(1) as pool:
        with LoopbackServer(script) as server:
            future = pool.submit(ask, server)
            assert held.wait(10)
        with pytest.raises(openai.APIConnectionError):
            future.result(10)
    assert set(threading.enumerate()) == before


@both
def test_a_disconnect_is_a_connection_error(path: str) -> None:
    """A connection closed before any answer is the SDK's connection error, whole or streamed."""
    with LoopbackServer(Fault("disconnect")) as server:
        for way in (ask, events):
            with pytest.raises(openai.APIConnectionError):
                way(server, path)
    assert (len(server.requests), server.billed) == (2, [])


@both
def test_a_stream_can_break_after_some_events(path: str) -> None:
    """Exactly `after_chunks` events arrive before the connection breaks, and the bill is for the whole reply."""
    fault = Fault("disconnect", after_chunks=3, billed=True, reply=Reply(text="one two three four", output_tokens=20))
    got: list[Any] = []
    with LoopbackServer(fault) as server, client(server) as sdk:
        stream = ask_with(sdk, path, stream=True)
        with pytest.raises(openai.APIConnectionError):
            got.extend(stream)  # keeps what came before the break
    assert len(got) == 3
    assert server.billed[0].output_tokens == 20


@both
def test_a_stream_can_fall_silent_after_some_events(path: str) -> None:
    """Exactly `after_chunks` events arrive, then nothing until the client's own time-out."""
    got: list[Any] = []
    with LoopbackServer(Fault("timeout", after_chunks=2)) as server, client(server, timeout=0.2) as sdk:
        stream = ask_with(sdk, path, stream=True)
        with pytest.raises(openai.APITimeoutError):
            got.extend(stream)
    assert len(got) == 2
    assert server.billed == []


@both
def test_a_stream_left_by_its_client_is_billed_whole(path: str) -> None:
    """A client that closes a stream at its first event leaves the whole reply in the book, and no error."""
    script = Reply(text="word " * 20_000, output_tokens=20_000)
    with LoopbackServer(script) as server, client(server) as sdk, ask_with(sdk, path, stream=True) as stream:
        next(iter(stream))
    assert [bill.output_tokens for bill in server.billed] == [20_000]
    assert server.errors == []


@both
@pytest.mark.parametrize("way", [ask, events])
def test_malformed_json_is_no_answer(path: str, way: Callable[..., Any]) -> None:
    """A 200 whose body is no JSON gives no answer object, and is billed only if the script says so."""
    with LoopbackServer(Fault("malformed")) as server, pytest.raises(json.JSONDecodeError):
        way(server, path)
    assert server.billed == []


def test_an_error_of_the_script_fails_the_test() -> None:
    """What a script raises is answered 500 without a retry, and raised again at the end of the block."""

    def script(request: Received) -> Reply:
        raise KeyError(request.body["model"])

    server = LoopbackServer(script)
    told = pytest.raises(openai.InternalServerError, match="the script failed")
    with pytest.raises(KeyError, match="m"), server, client(server, max_retries=2) as sdk, told:
        ask_with(sdk, CHAT)
    assert len(server.requests) == 1


# Many at a time.


def test_many_threads_are_answered_at_once() -> None:
    """Eight calls that wait for each other are all answered, and each is billed once."""
    together = threading.Barrier(8, timeout=10)

    def script(request: Received) -> Reply:
        together.wait()
        return Reply(text=str(request.number), output_tokens=request.number)

    with LoopbackServer(script) as server, ThreadPoolExecutor(8) as pool:
        answers = sorted(text(answer) for answer in pool.map(lambda _: ask(server), range(8)))
    assert answers == [str(number) for number in range(1, 9)]
    assert sorted(bill.output_tokens for bill in server.billed) == list(range(1, 9))


def test_one_connection_serves_many_calls(capfd: pytest.CaptureFixture[str]) -> None:
    """A client keeps its connection over whole, streamed and failed answers, and nothing is printed."""
    with LoopbackServer([Reply(), Reply(), Fault("status", code=400), Reply()]) as server, client(server) as sdk:
        ask_with(sdk, CHAT)
        list(sdk.responses.create(model="m", input="?", stream=True))
        with pytest.raises(openai.BadRequestError):
            ask_with(sdk, CHAT)
        ask_with(sdk, RESPONSES)
        assert sum(thread.name.endswith("(process_request_thread)") for thread in threading.enumerate()) == 1
    assert capfd.readouterr() == ("", "")


def test_the_async_client_does_all_the_same() -> None:
    """Create, parse and stream of both endpoints work with the async client, three of each at a time."""

    async def main(server: LoopbackServer) -> None:
        async with async_client(server) as sdk:
            chats, responses = sdk.chat.completions, sdk.responses

            async def chat_streamed() -> Any:
                async with chats.stream(model="m", messages=QUESTION, response_format=Answer) as stream:
                    return (await stream.get_final_completion()).choices[0].message.parsed

            async def response_streamed() -> Any:
                async with responses.stream(model="m", input="?", text_format=Answer) as stream:
                    return (await stream.get_final_response()).output_parsed

            for _ in range(3):
                created, response, chat_parsed, response_parsed, *streamed = await asyncio.gather(
                    chats.create(model="m", messages=QUESTION),
                    responses.create(model="m", input="?"),
                    chats.parse(model="m", messages=QUESTION, response_format=Answer),
                    responses.parse(model="m", input="?", text_format=Answer),
                    chat_streamed(),
                    response_streamed(),
                )
                assert text(created) == text(response) == '{"answer": 42}'
                parsed = [chat_parsed.choices[0].message.parsed, response_parsed.output_parsed, *streamed]
                assert parsed == [Answer(answer=42)] * 4

    with LoopbackServer(Reply(text='{"answer": 42}')) as server:
        asyncio.run(main(server))
    assert len(server.billed) == 18


def test_a_cancelled_async_call_is_still_billed() -> None:
    """A call cancelled while the provider works is billed if the script says so, and holds nothing up."""
    arrived = threading.Event()

    def script(request: Received) -> Fault:
        arrived.set()
        return Fault("timeout", billed=True)

    async def main(server: LoopbackServer) -> None:
        async with async_client(server) as sdk:
            call = asyncio.ensure_future(ask_with(sdk, CHAT))
            await asyncio.to_thread(arrived.wait, 10)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    with LoopbackServer(script) as server:
        asyncio.run(main(server))
    assert len(server.billed) == 1
