"""Reading what a provider says it used, into the SDK-independent :class:`Usage`.

OpenAI counts hidden reasoning inside the output tokens and cached tokens inside the input tokens, in both
APIs, under different names. Hosts that count them *beside* (which their total, or a part larger than its whole,
gives away) are brought into the same form. What cannot be true (missing, negative, no prompt at all, absurdly
large) counts as not said, so that the caller charges the reservation instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from thinkcap.policies.values import Usage

__all__ = ["Pieces", "pieces_of", "read_usage", "usage_of_all"]

_ABSURD = 1_000_000_000
"""More tokens than any call can have: such a count is a mistake."""

_NO_FIELDS: Mapping[str, Any] = {}


def read_usage(response: Any) -> Usage | None:
    """The usage in a Chat Completion or a Response (an SDK object or its JSON); None if it cannot be believed."""
    usage = _fields(_get(response, "usage"))
    read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")  # as Chat Completions name them
    inputs, outputs = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    if read is None or written is None:
        read, written = _first(read, usage, "input_tokens"), _first(written, usage, "output_tokens")
    inputs = _fields(_first(inputs, usage, "input_tokens_details"))
    outputs = _fields(_first(outputs, usage, "output_tokens_details"))
    if not (type(read) is type(written) is int and 0 <= read <= _ABSURD and 0 <= written <= _ABSURD):
        return None
    reasoning, cached = _count(outputs, "reasoning_tokens"), _count(inputs, "cached_tokens")
    cache_write, total = _count(inputs, "cache_write_tokens"), _count(usage, "total_tokens")
    parts = (cached or 0) + (cache_write or 0)
    if parts > read:
        read += parts
    if reasoning is not None and reasoning > written:
        written += reasoning
    if total is not None and total > read + written:
        written = total - read
    return Usage(read, written, reasoning, cached, cache_write) if read else None


class Pieces(NamedTuple):
    """What was seen of one choice, in pieces of a token or more: deltas of a stream, words of a whole answer."""

    said: int
    thought: int


def pieces_of(response: Any) -> list[Pieces]:
    """The words of every choice in a whole Chat Completion; none for a Response, which has no choices."""
    choices = _get(response, "choices")
    messages = [_get(choice, "message") for choice in choices] if isinstance(choices, list) else []
    return [
        Pieces(_words(message, "content") + _words(message, "refusal"), _words(message, "reasoning_content"))
        for message in messages
    ]


def _words(message: Any, name: str) -> int:
    text = _get(message, name)
    return len(text.split()) if isinstance(text, str) else 0


def usage_of_all(usage: Usage, pieces: Sequence[Pieces], cap: int) -> Usage:
    """The usage of all choices, where what was reported can only be that of one.

    llama.cpp's server reports one choice of ``n``. Its deltas are one token each, and other hosts' are mostly one
    or more, so a report below the number of deltas, or one that the longest choice and its end token explain by
    themselves, does not cover them all: it is taken ``n`` times. A report above the cap can only be of several.
    This is a judgement, not a proof: a host that sends many tokens in one delta, or thinks out of sight without
    saying how much, and reports one choice, is not found out.

    Args:
        usage: what was reported.
        pieces: what was seen of each choice.
        cap: the output cap of one choice.
    """
    if len(pieces) < 2:
        return usage
    thought = usage.reasoning_tokens or 0
    said = [choice.said for choice in pieces]
    both = [choice.said + choice.thought for choice in pieces]
    if usage.output_tokens > cap or (
        _covers(usage.output_tokens - thought, said) and _covers(usage.output_tokens, both)
    ):
        return usage
    output = max(usage.output_tokens * len(pieces), sum(both))
    reasoning = None if usage.reasoning_tokens is None else thought * len(pieces)
    return replace(usage, output_tokens=output, reasoning_tokens=reasoning)


def _covers(tokens: int, pieces: Sequence[int]) -> bool:
    return tokens >= max(sum(pieces), max(pieces) + 2)


def _get(source: Any, name: str) -> Any:
    return source.get(name) if isinstance(source, dict) else getattr(source, name, None)


def _fields(source: Any) -> Mapping[str, Any]:
    """All fields of an SDK object, also those that its class does not know, or of its JSON."""
    if source is None:
        return _NO_FIELDS
    if isinstance(source, dict):
        return source
    own: Mapping[str, Any] = getattr(source, "__dict__", _NO_FIELDS)
    more = getattr(source, "__pydantic_extra__", None)
    return {**more, **own} if more else own


def _first(found: Any, fields: Mapping[str, Any], other: str) -> Any:
    """What was found, or else what stands under the other API's name."""
    return fields.get(other) if found is None else found


def _count(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    return value if type(value) is int and 0 <= value <= _ABSURD else None
