"""What is asked and what is answered: the values a script is written in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

__all__ = ["CHAT", "RESPONSES", "Json", "Received", "Reply", "ToolCall"]

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came in: the path without its query, the JSON body, lower-case header names."""

    path: str
    body: Json
    headers: dict[str, str]
    number: int = 1  # place in the order of arrival, from 1


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

    A stream is generated at once unless it has a pace. With `pace_s` it is generated while it is sent: a client that
    leaves is billed for what was generated until the provider saw it go.
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
    # a negative output, an output beyond belief, or these very fields.
    usage: Literal["total", "missing", "null", "one_choice", "each_choice", "absurd", "huge"] | Mapping[str, Any] = (
        "total"
    )
    drip: int = 0  # bytes of a stream sent at a time; 0 sends every event by itself
    pace_s: float = 0.0  # seconds before each event of a stream
    latency_s: float = 0.0  # seconds before the first byte, streamed or not

    def __post_init__(self) -> None:
        if self.reasoning_tokens > self.output_tokens:
            raise ValueError("reasoning_tokens are included in output_tokens: raise output_tokens")
        if self.input_tokens is not None and self.cached_tokens + self.cache_write_tokens > self.input_tokens:
            raise ValueError("cached and cache-write tokens are included in input_tokens: raise input_tokens")
