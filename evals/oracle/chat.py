"""Chat Completions: an answer as it is written on the wire, whole or streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator

from thinkcap.evals.oracle.delivery import CREATED, Delivery, pieces, usage_of
from thinkcap.evals.oracle.replies import Json

__all__ = ["chat", "chat_stream"]


def _message(delivery: Delivery) -> Json:
    """Return the message of every choice: content, a refusal or tool calls."""
    if delivery.calls:
        named = [{"name": call.name, "arguments": call.arguments} for call in delivery.calls]
        ids = [f"call_{delivery.request.number}_{i}" for i in range(len(named))]
        calls = [{"id": i, "type": "function", "function": f} for i, f in zip(ids, named, strict=True)]
        return {"role": "assistant", "content": None, "refusal": None, "tool_calls": calls}
    refused = delivery.reply.refusal is not None
    text = {"refusal": delivery.text, "content": None} if refused else {"refusal": None, "content": delivery.text}
    return {"role": "assistant", **text}


def chat(delivery: Delivery, *, kind: str = "chat.completion") -> Json:
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
        frame["usage"] = usage_of(delivery)
    return frame


def _deltas(delivery: Delivery) -> Iterator[Json]:
    """Yield one choice's deltas: the role, then what it says, piece by piece."""
    message = _message(delivery)
    yield {"role": "assistant", "content": None if message["content"] is None else ""}
    for index, call in enumerate(message.get("tool_calls", ())):
        yield {"tool_calls": [{"index": index, **call, "function": {**call["function"], "arguments": ""}}]}
        for piece in pieces(call["function"]["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
    for name in ("content", "refusal"):
        for piece in pieces(message[name] or ""):
            yield {name: piece}


def chat_stream(delivery: Delivery) -> Iterator[str]:
    """Yield the chunks as they are sent, usage last if the request asked for it."""
    frame = chat(delivery, kind="chat.completion.chunk")
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
            yield f"data: {json.dumps({**frame, 'usage': usage_of(delivery)})}\n\n"
    yield "data: [DONE]\n\n"
