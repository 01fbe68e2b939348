"""An OpenAI-compatible server inside the test process, which keeps its own book of what it would bill.

It answers Chat Completions and Responses, whole or streamed, from a *script*: one answer, a sequence of answers
taken in order of arrival (the last one repeats), or a callable from the request to an answer. An answer is a `Reply`
or a `Fault`. Nothing here imports thinkcap, so the book is a second opinion on every ledger::

    with LoopbackServer(Reply(text="42", output_tokens=7)) as server:
        client = OpenAI(base_url=server.base_url, api_key="test")
        ...
    assert server.billed == [Bill("/v1/chat/completions", "some-model", 2, 7, 0, 0)]

A bill is booked before the first byte of its answer is sent, so a client that holds the answer finds it in the book.
What the script itself gets wrong is raised when the `with` block ends.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, TypeAlias

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
CREATED = 1_780_000_000  # every answer's creation time: Unix seconds, fixed so that answers are reproducible
Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came in: the path without its query, the JSON body, lower-case header names."""

    path: str
    body: Json
    headers: dict[str, str]
    number: int = 1  # place in the order of arrival, from 1


@dataclass(frozen=True, slots=True)
class Bill:
    """What one request costs, in tokens: all choices together, reasoning included in output, cached in input."""

    path: str
    model: str
    input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cached_tokens: int
    cache_write_tokens: int = 0
    service_tier: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One function the model wants called, its arguments as JSON text."""

    name: str
    arguments: str = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of the model. Token counts are per choice; `n` choices are billed `n` times this output.

    If `output_tokens` passes the request's cap, the reply is cut at the cap and billed there; reasoning goes first,
    so it may eat all of the text. `tool_calls` take the text's place where the request allows tools.
    """

    text: str = "42"
    output_tokens: int = 7  # all of the output, hidden reasoning included
    reasoning_tokens: int = 0  # included in output_tokens
    input_tokens: int | None = None  # None: the words of the prompt
    cached_tokens: int = 0  # included in input_tokens
    cache_write_tokens: int = 0  # included in input_tokens
    finish: str | None = None  # a finish_reason instead of "stop" or "tool_calls"
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None  # takes the text's place
    model: str | None = None  # None: the request's model
    service_tier: str | None = None  # None: the request's tier
    ignore_cap: bool = False  # misbehave: answer and bill above the cap
    # What usage says, whatever is billed: the truth, nothing, null, one choice of n (told once, or by each of them),
    # a negative output, or these very fields.
    usage: Literal["total", "missing", "null", "one_choice", "each_choice", "absurd"] | Mapping[str, Any] = "total"
    drip: int = 0  # bytes of a stream sent at a time; 0 sends every event by itself

    def __post_init__(self) -> None:
        if self.reasoning_tokens > self.output_tokens:
            raise ValueError("reasoning_tokens are included in output_tokens: raise output_tokens")
        if self.input_tokens is not None and self.cached_tokens + self.cache_write_tokens > self.input_tokens:
            raise ValueError("cached and cache-write tokens are included in input_tokens: raise input_tokens")


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that goes wrong. With `billed=True` the provider bills the whole of `reply` all the same.

    status: answers with `code`, `headers` and `body` (None: an error in OpenAI's shape).
    timeout: holds the connection open, silent, until the client leaves or the server closes.
    disconnect: closes the connection. malformed: answers 200 with text that is no JSON.
    cut: ends a stream properly, but early. error: ends it with an error as its last event. endless: sends the last
    event again and again until the client leaves. All three close the connection of an answer that is no stream.
    In a stream, all but status and malformed first send `after_chunks` events of `reply`.
    """

    kind: Literal["status", "timeout", "disconnect", "malformed", "cut", "error", "endless"]
    code: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    billed: bool = False
    after_chunks: int = 0
    reply: Reply = field(default_factory=Reply)


Script: TypeAlias = Reply | Fault | Sequence[Reply | Fault] | Callable[[Received], Reply | Fault]
_ERROR_TYPES = {401: "authentication_error", 429: "rate_limit_error"}


def _error(code: int, message: str, *, param: str | None = None, name: str | None = None) -> Json:
    kind = _ERROR_TYPES.get(code, "invalid_request_error" if code < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": name}}


def unsupported_effort(effort: str, *, param: str = "reasoning_effort") -> Fault:
    """Return the 400 of a model that does not know this effort (Responses names the param `reasoning.effort`)."""
    message = f"Unsupported value: {effort!r} is not supported with this model."
    return Fault("status", code=400, body=_error(400, message, param=param, name="unsupported_value"))


# What a reply comes to once the request's cap, tools and number of choices are applied.


@dataclass(frozen=True, slots=True)
class _Delivery:
    request: Received
    reply: Reply
    bill: Bill
    choices: int
    text: str
    calls: tuple[ToolCall, ...]
    finish: str


def _words(part: Any) -> int:
    """Count the words of all text inside a JSON value: far fewer than its bytes, as real tokens are."""
    if isinstance(part, str):
        return len(part.split())
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return sum(_words(item) for item in inner)


def _deliver(request: Received, reply: Reply) -> _Delivery:
    body, chat = request.body, request.path == CHAT
    cap = body.get("max_completion_tokens", body.get("max_tokens")) if chat else body.get("max_output_tokens")
    output = reply.output_tokens if cap is None or reply.ignore_cap else min(reply.output_tokens, cap)
    cut = output < reply.output_tokens
    reasoning = min(reply.reasoning_tokens, output)

    calls = reply.tool_calls if body.get("tools") and body.get("tool_choice") != "none" else ()
    text = "" if calls else reply.text if reply.refusal is None else reply.refusal
    if cut:  # the same share of the text as of its tokens; a cut tool call is lost
        calls, visible = (), reply.output_tokens - reply.reasoning_tokens
        text = text[: len(text) * (output - reasoning) // visible] if visible else ""

    choices = (body.get("n") or 1) if chat else 1
    prompt = [body.get(name) for name in ("messages", "input", "instructions", "tools", "response_format", "text")]
    least = max(_words(prompt), reply.cached_tokens + reply.cache_write_tokens)
    bill = Bill(
        path=request.path,
        model=reply.model or body.get("model", ""),
        input_tokens=least if reply.input_tokens is None else reply.input_tokens,
        output_tokens=choices * output,
        reasoning_tokens=choices * reasoning,
        cached_tokens=reply.cached_tokens,
        cache_write_tokens=reply.cache_write_tokens,
        service_tier=reply.service_tier or body.get("service_tier"),
    )
    finish = "length" if cut else reply.finish or ("tool_calls" if calls else "stop")
    return _Delivery(request=request, reply=reply, bill=bill, choices=choices, text=text, calls=calls, finish=finish)


def _usage(delivery: _Delivery) -> Json | None:
    """Return what the answer says it used, in the names of its endpoint."""
    bill, says = delivery.bill, delivery.reply.usage
    if says in ("missing", "null"):
        return None
    if not isinstance(says, str):
        return dict(says)
    share = delivery.choices if says in ("one_choice", "each_choice") else 1
    output = -1_000_000 if says == "absurd" else bill.output_tokens // share
    into, out = ("prompt", "completion") if bill.path == CHAT else ("input", "output")
    return {
        f"{into}_tokens": bill.input_tokens,
        f"{into}_tokens_details": {"cached_tokens": bill.cached_tokens, "cache_write_tokens": bill.cache_write_tokens},
        f"{out}_tokens": output,
        f"{out}_tokens_details": {"reasoning_tokens": bill.reasoning_tokens // share},
        "total_tokens": bill.input_tokens + output,
    }


def _pieces(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*|\s+", text)


# Chat Completions.


def _message(delivery: _Delivery) -> Json:
    """Return the message of every choice: content, a refusal or tool calls."""
    if delivery.calls:
        named = [{"name": call.name, "arguments": call.arguments} for call in delivery.calls]
        ids = [f"call_{delivery.request.number}_{i}" for i in range(len(named))]
        calls = [{"id": i, "type": "function", "function": f} for i, f in zip(ids, named, strict=True)]
        return {"role": "assistant", "content": None, "refusal": None, "tool_calls": calls}
    refused = delivery.reply.refusal is not None
    text = {"refusal": delivery.text, "content": None} if refused else {"refusal": None, "content": delivery.text}
    return {"role": "assistant", **text}


def _chat(delivery: _Delivery, *, kind: str = "chat.completion") -> Json:
    """Return the whole completion; as a chunk's frame it has no choices and no usage yet."""
    frame: Json = {
        "id": f"chatcmpl-{delivery.request.number}",
        "object": kind,
        "created": CREATED,
        "model": delivery.bill.model,
        "service_tier": delivery.bill.service_tier,
        "choices": [],
    }
    if kind == "chat.completion":
        choice: Json = {"finish_reason": delivery.finish, "logprobs": None, "message": _message(delivery)}
        frame["choices"] = [{"index": index, **choice} for index in range(delivery.choices)]
        frame["usage"] = _usage(delivery)
    return frame


def _deltas(delivery: _Delivery) -> Iterator[Json]:
    """Yield one choice's deltas: the role, then what it says, piece by piece."""
    message = _message(delivery)
    yield {"role": "assistant", "content": None if message["content"] is None else ""}
    for index, call in enumerate(message.get("tool_calls", ())):
        yield {"tool_calls": [{"index": index, **call, "function": {**call["function"], "arguments": ""}}]}
        for piece in _pieces(call["function"]["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
    for name in ("content", "refusal"):
        for piece in _pieces(message[name] or ""):
            yield {name: piece}


def _chat_stream(delivery: _Delivery) -> Iterator[str]:
    frame = _chat(delivery, kind="chat.completion.chunk")
    tells_usage = (delivery.request.body.get("stream_options") or {}).get("include_usage", False)
    if tells_usage:
        frame["usage"] = None
    ends: list[tuple[Json, str | None]] = [*((delta, None) for delta in _deltas(delivery)), ({}, delivery.finish)]
    for delta, finish in ends:
        for index in range(delivery.choices):
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
            yield f"data: {json.dumps({**frame, 'choices': [choice]})}\n\n"
    if tells_usage and delivery.reply.usage != "missing":
        for _ in range(delivery.choices if delivery.reply.usage == "each_choice" else 1):
            yield f"data: {json.dumps({**frame, 'usage': _usage(delivery)})}\n\n"
    yield "data: [DONE]\n\n"


# Responses.

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def _items(delivery: _Delivery) -> list[Json]:
    """Return the output items: a reasoning item if there was any, then tool calls or one message."""
    number, items = delivery.request.number, list[Json]()
    status = "incomplete" if delivery.finish in _INCOMPLETE else "completed"
    if delivery.bill.reasoning_tokens:
        items.append({"id": f"rs_{number}", "type": "reasoning", "summary": []})
    for i, call in enumerate(delivery.calls):
        ids = {"id": f"fc_{number}_{i}", "call_id": f"call_{number}_{i}"}
        named = {"name": call.name, "arguments": call.arguments}
        items.append({**ids, "type": "function_call", **named, "status": "completed"})
    if delivery.text or not (delivery.calls or status == "incomplete"):
        part: Json = {"type": "output_text", "text": delivery.text, "annotations": [], "logprobs": []}
        if delivery.reply.refusal is not None:
            part = {"type": "refusal", "refusal": delivery.text}
        message = {"id": f"msg_{number}", "type": "message", "role": "assistant", "status": status, "content": [part]}
        items.append(message)
    return items


def _response(delivery: _Delivery, *, ended: bool = True) -> Json:
    """Return the response, as it stands when created or as it ended."""
    body, reason = delivery.request.body, _INCOMPLETE.get(delivery.finish)
    status = ("incomplete" if reason else "completed") if ended else "in_progress"
    return {
        "id": f"resp_{delivery.request.number}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": reason} if ended and reason else None,
        "model": delivery.bill.model,
        "service_tier": delivery.bill.service_tier,
        "output": _items(delivery) if ended else [],
        "parallel_tool_calls": True,
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": [{"strict": True, "parameters": {}, **tool} for tool in body.get("tools") or []],
        "max_output_tokens": body.get("max_output_tokens"),
        "usage": _usage(delivery) if ended else None,
    }


def _part_events(item: Json) -> Iterator[tuple[str, Json]]:
    """Yield how one item is written between its `added` and `done`: the event's type after `response.`, its data."""
    if item["type"] == "function_call":
        for piece in _pieces(item["arguments"]):
            yield "function_call_arguments.delta", {"delta": piece}
        yield "function_call_arguments.done", {"arguments": item["arguments"], "name": item["name"]}
    for part in item.get("content", ()):
        name = "text" if part["type"] == "output_text" else "refusal"
        where, extra = {"content_index": 0}, {"logprobs": list[Json]()} if name == "text" else {}
        yield "content_part.added", {**where, "part": {**part, name: ""}}
        for piece in _pieces(part[name]):
            yield f"{part['type']}.delta", {**where, **extra, "delta": piece}
        yield f"{part['type']}.done", {**where, **extra, name: part[name]}
        yield "content_part.done", {**where, "part": part}


def _response_events(delivery: _Delivery) -> Iterator[tuple[str, Json]]:
    for name in ("created", "in_progress"):
        yield name, {"response": _response(delivery, ended=False)}
    blank: Json = {"content": [], "arguments": "", "status": "in_progress"}
    for index, item in enumerate(_items(delivery)):
        begun = {**item, **{name: value for name, value in blank.items() if name in item}}
        yield "output_item.added", {"output_index": index, "item": begun}
        for name, data in _part_events(item):
            yield name, {"output_index": index, "item_id": item["id"], **data}
        yield "output_item.done", {"output_index": index, "item": item}
    ended = _response(delivery)
    yield ended["status"], {"response": ended}


def _response_stream(delivery: _Delivery) -> Iterator[str]:
    for number, (name, data) in enumerate(_response_events(delivery)):
        event = {"type": f"response.{name}", "sequence_number": number, **data}
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


# The server.


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the parent's name)
        """Say nothing."""

    def do_GET(self) -> None:
        request = self._received({})
        if request.path != "/v1/models":
            return self._send(404, _error(404, f"There is no {request.path} here."))
        entry = {"object": "model", "created": CREATED, "owned_by": "loopback"}
        return self._send(200, {"object": "list", "data": [{"id": m, **entry} for m in self.server.owner.models]})

    def do_POST(self) -> None:
        request = self._received(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        if request.path not in (CHAT, RESPONSES):
            return self._send(404, _error(404, f"There is no {request.path} here."))
        try:
            answer = self.server.owner.answer(request)
            fault = answer if isinstance(answer, Fault) else None
            delivery = _deliver(request, answer.reply if isinstance(answer, Fault) else answer)
        except Exception as error:  # whatever a test's script may raise
            self.server.owner.errors.append(error)
            return self._send(500, _error(500, f"the script failed: {error!r}"), {"x-should-retry": "false"})
        if fault is None or fault.billed:
            self.server.owner.billed.append(delivery.bill)
        if fault is not None and fault.kind in ("status", "malformed"):
            return self._fail(fault)
        if request.body.get("stream"):
            return self._stream(delivery, fault)
        if fault is not None:
            return self._leave(fault)
        return self._send(200, _chat(delivery) if request.path == CHAT else _response(delivery))

    def _received(self, body: Json) -> Received:
        headers = {name.lower(): value for name, value in self.headers.items()}
        return self.server.owner.receive(self.path.partition("?")[0], body, headers)

    def _send(self, code: int, body: Mapping[str, Any] | str, headers: Mapping[str, str] | None = None) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(code)
        sent = {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _fail(self, fault: Fault) -> None:
        if fault.kind == "malformed":  # neither JSON nor an event of a stream
            return self._send(200, 'data: {"id": \n\n', fault.headers)
        return self._send(fault.code, fault.body or _error(fault.code, f"status {fault.code}, as asked"), fault.headers)

    def _stream(self, delivery: _Delivery, fault: Fault | None) -> None:
        if fault is not None and not fault.after_chunks:
            return self._leave(fault)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        events = [*(_chat_stream(delivery) if delivery.request.path == CHAT else _response_stream(delivery))]
        for event in events if fault is None else events[: fault.after_chunks]:
            self._chunk(event, delivery.reply.drip)
        if fault is not None and fault.kind == "error":
            self._chunk(f"event: error\ndata: {json.dumps({'type': 'error', **_error(500, 'as asked')})}\n\n")
        while fault is not None and fault.kind == "endless":
            self._chunk(events[fault.after_chunks - 1])
        if fault is not None and fault.kind in ("timeout", "disconnect"):
            return self._leave(fault)
        self.wfile.write(b"0\r\n\r\n")
        return None

    def _chunk(self, event: str, size: int = 0) -> None:
        data = event.encode()
        for start in range(0, len(data), size or len(data)):
            piece = data[start : start + (size or len(data))]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def _leave(self, fault: Fault) -> None:
        """Close the connection, for a timeout only once the client has gone or the server closes."""
        self.close_connection = True
        while fault.kind == "timeout" and self.connection.recv(1024):
            pass


class _Http(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close waits for them
    request_queue_size = 128

    def __init__(self, owner: LoopbackServer) -> None:
        self.owner = owner
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Wake every thread that waits for its client."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what went wrong for the end of the test; a client that has left is no error."""
        error = sys.exception()
        if isinstance(error, Exception) and not isinstance(error, ConnectionError):
            self.owner.errors.append(error)


class LoopbackServer:
    """An OpenAI-compatible server on 127.0.0.1 for the length of a `with` block.

    A callable script runs in the thread of its connection, many at a time, and may wait there on a test's own event.
    The lists stay readable after the block.
    """

    def __init__(self, script: Script, *, models: Sequence[str] = ("loopback",)) -> None:
        self.requests: list[Received] = []
        self.billed: list[Bill] = []
        self.errors: list[Exception] = []  # what the script raised; the first is raised again when the block ends
        self.models = tuple(models)
        self._script = (script,) if isinstance(script, Reply | Fault) else script
        self._answered = 0
        self._lock = threading.Lock()

    @property
    def base_url(self) -> str:
        """The base_url to give to the SDK."""
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def receive(self, path: str, body: Json, headers: dict[str, str]) -> Received:
        """Note a request in the order of arrival."""
        with self._lock:
            self.requests.append(Received(path, body, headers, len(self.requests) + 1))
            return self.requests[-1]

    def answer(self, request: Received) -> Reply | Fault:
        """Return what the script says to a request."""
        if callable(self._script):
            return self._script(request)
        with self._lock:
            self._answered += 1
            return self._script[min(self._answered, len(self._script)) - 1]

    def __enter__(self) -> LoopbackServer:
        self._http = _Http(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._http.shutdown()
        self._http.hang_up()
        self._http.server_close()
        self._thread.join()
        if self.errors and kind is None:
            raise self.errors[0]
