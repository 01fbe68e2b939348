"""What a reply comes to once the request's cap, tools and number of choices are applied."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from thinkcap.evals.oracle.book import Bill
from thinkcap.evals.oracle.replies import CHAT, Json, Received, Reply, ToolCall

__all__ = ["CREATED", "Delivery", "deliver", "pieces", "usage_of"]

CREATED = 1_780_000_000  # every answer's creation time: Unix seconds, fixed so that answers are reproducible


@dataclass(frozen=True, slots=True)
class Delivery:
    """One answer as it will be sent, and its bill."""

    request: Received
    reply: Reply
    bill: Bill
    choices: int
    text: str
    calls: tuple[ToolCall, ...]
    finish: str

    def left_after(self, sent: int, events: int) -> Bill:
        """The bill if the client left a paced stream after some of its events: hidden reasoning comes first."""
        visible = self.bill.output_tokens - self.bill.reasoning_tokens
        generated = self.bill.reasoning_tokens + -(-visible * min(sent, events) // events)
        return replace(self.bill, output_tokens=generated, ended="left")


def _words(part: Any) -> int:
    """Count the words of all text inside a JSON value: far fewer than its bytes, as real tokens are."""
    if isinstance(part, str):
        return len(part.split())
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return sum(_words(item) for item in inner)


def deliver(request: Received, reply: Reply, *, before: int = 0) -> Delivery:
    """Apply a request to a reply; the prompt begins with so many tokens of what came before it."""
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
        input_tokens=before + (least if reply.input_tokens is None else reply.input_tokens),
        output_tokens=choices * output,
        reasoning_tokens=choices * reasoning,
        cached_tokens=reply.cached_tokens,
        cache_write_tokens=reply.cache_write_tokens,
        service_tier=reply.service_tier or body.get("service_tier"),
        ended="cut" if cut else "itself",
        number=request.number,
        choices=choices,
        cap=cap,
    )
    finish = "length" if cut else reply.finish or ("tool_calls" if calls else "stop")
    return Delivery(request=request, reply=reply, bill=bill, choices=choices, text=text, calls=calls, finish=finish)


_BEYOND_BELIEF = {"absurd": -1_000_000, "huge": 10**15}


def usage_of(delivery: Delivery) -> Json | None:
    """Return what the answer says it used, in the names of its endpoint."""
    bill, says = delivery.bill, delivery.reply.usage
    if says in ("missing", "null"):
        return None
    if not isinstance(says, str):
        return dict(says)
    share = delivery.choices if says in ("one_choice", "each_choice") else 1
    output = _BEYOND_BELIEF.get(says, bill.output_tokens // share)
    into, out = ("prompt", "completion") if bill.path == CHAT else ("input", "output")
    return {
        f"{into}_tokens": bill.input_tokens,
        f"{into}_tokens_details": {"cached_tokens": bill.cached_tokens, "cache_write_tokens": bill.cache_write_tokens},
        f"{out}_tokens": output,
        f"{out}_tokens_details": {"reasoning_tokens": bill.reasoning_tokens // share},
        "total_tokens": bill.input_tokens + output,
    }


def pieces(text: str) -> list[str]:
    """The text as a stream sends it: a word at a time, with the space around it."""
    return re.findall(r"\s*\S+\s*|\s+", text)
