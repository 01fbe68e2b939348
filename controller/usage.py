"""Reading what a provider says it used, into the SDK-independent :class:`Usage`.

OpenAI counts hidden reasoning inside the output tokens and cached tokens inside the input tokens, in both
APIs, under different names. Hosts that count them *beside* (which their total, or a part larger than its whole,
gives away) are brought into the same form. What cannot be true (missing, negative, no prompt at all, absurdly
large) counts as not said, so that the caller charges the reservation instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thinkcap.policies.values import Usage

__all__ = ["read_usage"]

_ABSURD = 1_000_000_000
"""More tokens than any call can have: such a count is a mistake."""


def read_usage(response: Any) -> Usage | None:
    """The usage in a Chat Completion or a Response (an SDK object or its JSON); None if it cannot be believed."""
    usage = _get(response, "usage")
    read = _count(usage, "prompt_tokens", "input_tokens")
    written = _count(usage, "completion_tokens", "output_tokens")
    if read is None or written is None:
        return None
    inputs = _first(usage, "prompt_tokens_details", "input_tokens_details")
    outputs = _first(usage, "completion_tokens_details", "output_tokens_details")
    reasoning = _count(outputs, "reasoning_tokens")
    cached, cache_write = _count(inputs, "cached_tokens"), _count(inputs, "cache_write_tokens")
    parts = (cached or 0) + (cache_write or 0)
    if parts > read:
        read += parts
    if (reasoning or 0) > written:
        written += reasoning or 0
    total = _count(usage, "total_tokens")
    if total is not None and total > read + written:
        written = total - read
    return Usage(read, written, reasoning, cached, cache_write) if read else None


def _get(source: Any, name: str) -> Any:
    return source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)


def _first(source: Any, *names: str) -> Any:
    return next((found for name in names if (found := _get(source, name)) is not None), None)


def _count(source: Any, *names: str) -> int | None:
    value = _first(source, *names)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _ABSURD:
        return None
    return value
