"""Responses: an answer as it is written on the wire, whole or as numbered events."""

from __future__ import annotations

import json
from collections.abc import Iterator

from thinkcap.evals.oracle.delivery import CREATED, Delivery, pieces, usage_of
from thinkcap.evals.oracle.replies import Json

__all__ = ["response", "response_stream"]

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def _items(delivery: Delivery) -> list[Json]:
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


def response(delivery: Delivery, *, ended: bool = True) -> Json:
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
        "usage": usage_of(delivery) if ended else None,
    }


def _part_events(item: Json) -> Iterator[tuple[str, Json]]:
    """Yield how one item is written between its `added` and `done`: the event's type after `response.`, its data."""
    if item["type"] == "function_call":
        for piece in pieces(item["arguments"]):
            yield "function_call_arguments.delta", {"delta": piece}
        yield "function_call_arguments.done", {"arguments": item["arguments"], "name": item["name"]}
    for part in item.get("content", ()):
        name = "text" if part["type"] == "output_text" else "refusal"
        where, extra = {"content_index": 0}, {"logprobs": list[Json]()} if name == "text" else {}
        yield "content_part.added", {**where, "part": {**part, name: ""}}
        for piece in pieces(part[name]):
            yield f"{part['type']}.delta", {**where, **extra, "delta": piece}
        yield f"{part['type']}.done", {**where, **extra, name: part[name]}
        yield "content_part.done", {**where, "part": part}


def _response_events(delivery: Delivery) -> Iterator[tuple[str, Json]]:
    for name in ("created", "in_progress"):
        yield name, {"response": response(delivery, ended=False)}
    blank: Json = {"content": [], "arguments": "", "status": "in_progress"}
    for index, item in enumerate(_items(delivery)):
        begun = {**item, **{name: value for name, value in blank.items() if name in item}}
        yield "output_item.added", {"output_index": index, "item": begun}
        for name, data in _part_events(item):
            yield name, {"output_index": index, "item_id": item["id"], **data}
        yield "output_item.done", {"output_index": index, "item": item}
    ended = response(delivery)
    yield ended["status"], {"response": ended}


def response_stream(delivery: Delivery) -> Iterator[str]:
    """Yield the events as they are sent, numbered from 0."""
    for number, (name, data) in enumerate(_response_events(delivery)):
        event = {"type": f"response.{name}", "sequence_number": number, **data}
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
