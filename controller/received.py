"""What has come in of a streamed answer: how far it got, what the provider said it used, how much was seen.

No SDK and no network: bytes in, figures out. A chat stream ends with ``[DONE]`` and tells its usage just before,
in a chunk without choices, if it was asked to; a Responses stream tells it in its last event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from thinkcap.controller.usage import Pieces, read_usage
from thinkcap.policies.values import Api

__all__ = ["Events", "Received", "data_of", "without_usage"]

_BLANK_LINE = re.compile(rb"\r\n(?:\r\n|\n|\r)|\n(?:\r\n|\n|\r)|\r(?!\n)(?:\r\n|\r)")
_ENDINGS = frozenset({"response.completed", "response.incomplete", "response.failed"})
_DONE = b"[DONE]"
_SAID = ("content", "refusal")
_THOUGHT = ("reasoning_content", "reasoning")


class Events:
    """Cuts a stream of bytes into server-sent events, wherever its chunks end."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._searched = 0

    def cut(self, data: bytes) -> list[bytes]:
        """The events that are whole now, each with the blank line that ends it."""
        self._held += data
        ends = [match.end() for match in _BLANK_LINE.finditer(self._held, max(0, self._searched - 3))]
        events = [bytes(self._held[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
        if ends:
            del self._held[: ends[-1]]
        self._searched = len(self._held)
        return events

    @property
    def held(self) -> int:
        """Bytes of the event that is not whole yet."""
        return len(self._held)

    def rest(self) -> bytes:
        """What came after the last blank line."""
        rest = bytes(self._held)
        self._held.clear()
        return rest


def data_of(event: bytes) -> bytes:
    """The data of one event; empty if it has none, such as a comment that keeps a connection alive."""
    lines = [line[5:].removeprefix(b" ") for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines)


def without_usage(event: bytes, chunk: Any) -> bytes:
    """A chat event as it would be had nobody asked for usage: no null in every chunk, no extra chunk at the end."""
    if not isinstance(chunk, dict) or "usage" not in chunk:
        return event
    if chunk["usage"] is not None:
        return event if chunk.get("choices") else b""
    try:
        plain = json.dumps({key: value for key, value in chunk.items() if key != "usage"}).encode()
    except RecursionError:
        return event
    others = [line for line in event.splitlines() if line and not line.startswith(b"data:")]
    return b"\n".join([*others, b"data: " + plain]) + b"\n\n"


@dataclass(slots=True)
class _Choice:
    """One choice so far: deltas that said or thought something, the words in them, and whether it has ended."""

    said: int = 0
    thought: int = 0
    words: int = 0
    ended: bool = False
    _in_word: bool = field(default=False, repr=False)

    def add(self, said: str, thought: str) -> None:
        self.said += bool(said)
        self.thought += bool(thought)
        for text in filter(None, (thought, said)):
            self.words += len(text.split()) - (self._in_word and not text[0].isspace())
            self._in_word = not text[-1].isspace()


class Received:
    """One answer as far as it has come in.

    Args:
        api: which API streams it.
        n: choices asked for.

    Attributes:
        done: the provider has said that this is the end.
        report: what it said it used, in the form of a whole answer; None if it has not.
    """

    def __init__(self, api: Api, n: int) -> None:
        self.done = False
        self.report: Mapping[str, Any] | None = None
        self._api = api
        self._n = n
        self._choices: dict[int, _Choice] = {}
        self._model: Any = None
        self._tier: Any = None
        self._told_last = False

    def take(self, data: bytes) -> Any:
        """Add the data of one event; returns it as read from JSON, None if it is none."""
        if data.startswith(_DONE):
            self.done = True
            return None
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            return None
        if isinstance(event, dict):
            (self._take_chunk if self._api == "chat" else self._take_event)(event)
        return event

    @property
    def complete(self) -> bool:
        """The report is the last word: every choice has ended, and nothing was generated after it."""
        if self._api == "responses":
            return self.report is not None
        choices = list(self._choices.values())
        ended = all(choice.ended for choice in choices) and (self.done or len(choices) >= self._n)
        return ended and self._told_last and self.report is not None

    @property
    def pieces(self) -> list[Pieces]:
        """How many deltas came in, choice by choice."""
        return [Pieces(choice.said, choice.thought) for choice in list(self._choices.values())]

    @property
    def words(self) -> int:
        """Words that came in, in all choices: a tokenizer that cuts at blanks makes at least as many tokens."""
        return sum(choice.words for choice in list(self._choices.values()))

    def _choice(self, index: Any) -> _Choice:
        known = index if type(index) is int and 0 <= index < self._n else 0
        return self._choices.setdefault(known, _Choice())

    def _take_chunk(self, chunk: Mapping[str, Any]) -> None:
        self._model = chunk.get("model") or self._model
        self._tier = chunk.get("service_tier") or self._tier
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                received = self._choice(choice.get("index"))
                received.add(*_texts(choice.get("delta")))
                received.ended = received.ended or bool(choice.get("finish_reason"))  # some hosts say "" until then
        told = chunk.get("usage") is not None
        if any(not choice.ended for choice in self._choices.values()):
            self._told_last = False
        elif told:
            self._told_last = read_usage(chunk) is not None
        if told:
            self._take_usage(chunk)

    def _take_usage(self, chunk: Mapping[str, Any]) -> None:
        """Keep the largest report: some hosts report as they go, or each choice by itself."""
        usage, before = read_usage(chunk), read_usage(self.report)
        if usage is not None and (before is None or usage.output_tokens >= before.output_tokens):
            self.report = {"model": self._model, "service_tier": self._tier, "usage": chunk["usage"]}

    def _take_event(self, event: Mapping[str, Any]) -> None:
        kind, delta, response = str(event.get("type")), event.get("delta"), event.get("response")
        if kind in _ENDINGS and isinstance(response, dict):
            self.report, self.done = response, True
        elif kind.endswith(".delta") and "summary" not in kind and isinstance(delta, str):
            self._choice(0).add(delta, "")


def _texts(delta: Any) -> tuple[str, str]:
    """What one delta of a chat says, its tool calls included, and what it thinks aloud."""
    if not isinstance(delta, dict):
        return "", ""
    said = [delta.get(name) for name in _SAID]
    calls = delta.get("tool_calls")
    said += [part for call in (calls if isinstance(calls, list) else ()) for part in _call_texts(call)]
    return _joined(said), _joined([delta.get(name) for name in _THOUGHT])


def _call_texts(call: Any) -> Iterator[Any]:
    for kind in ("function", "custom"):
        named = call.get(kind) if isinstance(call, dict) else None
        if isinstance(named, dict):
            yield from (named.get(name) for name in ("name", "arguments", "input"))


def _joined(parts: list[Any]) -> str:
    return "".join(part for part in parts if isinstance(part, str))
