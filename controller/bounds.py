"""How many tokens a request can come to, from its JSON body alone.

A byte-level BPE never makes more tokens than there are UTF-8 bytes, since each token stands for at least one
byte. So the bytes of every text that reaches the model, plus an allowance for what the provider writes around
them, bound the prompt. That is certain for OpenAI's models and others with such a tokenizer; for the rest it is
to be compared with the usage they report. Where the model's own tokenizer is on the disk, its counts take the
place of the bytes, with the same allowance.

How a server writes a message into the prompt is its own affair, so each text is counted in the longest form known
to be in use: a message's content as it is (a tool's result as a JSON string), everything else as JSON with four
spaces of indent and non-ASCII escaped, and text in the Unicode form NFC where that is longer.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from thinkcap.controller.encodings import cached_encoding
from thinkcap.controller.plain import Plain
from thinkcap.controller.refusals import is_foreign
from thinkcap.policies.errors import BadInput
from thinkcap.policies.values import Api

if TYPE_CHECKING:
    from tiktoken import Encoding

__all__ = ["PER_REQUEST", "cached_encoding", "check_sendable", "choices", "output_cap", "plain_bound", "prompt_bound"]

PER_REQUEST = 256
"""Tokens allowed for what a chat template adds to every request; OpenAI's open template adds about 70."""

PER_MESSAGE = 16
"""Tokens allowed for the marks around one message, part of it, or tool; templates use three to eight."""

PER_SCHEMA = 256
"""Tokens allowed for the words that introduce a response format."""

WITH_TOOLS = 1024
"""Tokens allowed for the words that introduce tools; the longest a maker documents are some 800 (Anthropic)."""

# Settings of a request that are never written into the prompt. Any other key is counted, known or not.
_SETTINGS = frozenset(
    (
        "model", "stream", "stream_options", "store", "metadata", "user", "safety_identifier", "include",
        "max_tokens", "max_completion_tokens", "max_output_tokens", "max_tool_calls", "n", "stop", "seed",
        "temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs",
        "top_logprobs", "service_tier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options",
        "parallel_tool_calls", "truncation", "background", "modalities", "moderation", "cache_control",
    )
)  # fmt: skip

_CONVERSATION: Mapping[Api, tuple[str, ...]] = {"chat": ("messages",), "responses": ("instructions", "input")}
_FORMATS = ("response_format", "text")
_TOOLS = ("tools", "functions")

_LONGEST_COUNTED = 200_000
"""Bytes of one text above which a tokenizer takes too long; its bytes bound it as well."""


def prompt_bound(body: Mapping[str, Any], *, api: Api, encoding: Encoding | None = None, bounded: bool = False) -> int:
    """An upper bound on the prompt tokens of a request.

    Args:
        body: the JSON body, as the SDK sends it.
        api: ``"chat"`` (``messages``) or ``"responses"`` (``instructions`` and ``input``).
        encoding: the model's own tokenizer, from :func:`cached_encoding`; None counts bytes.
        bounded: what is no text is left out, since the caller bounds it.

    Raises:
        BadInput: if the messages or the input are missing, or the body is not JSON.
    """
    turns = _turns(body, api)
    counted = body.keys() - _SETTINGS - set(_CONVERSATION[api])
    texts = [text for turn in turns if not (bounded and is_foreign(turn)) for text in _turn_texts(turn, bounded)]
    texts += [_rendered(value) for key, value in body.items() if key in counted and value is not None]
    return sum(_tokens(text, encoding) for text in texts) + _framing(body, turns)


def output_cap(body: Mapping[str, Any], api: Api) -> int | None:
    """The cap on the output of one choice, hidden reasoning included; None if the request has none.

    A chat that names both ``max_completion_tokens`` and ``max_tokens`` may be held to either: the larger counts.

    Raises:
        BadInput: for a cap that is not a whole number from 1.
    """
    keys = ("max_completion_tokens", "max_tokens") if api == "chat" else ("max_output_tokens",)
    caps = [_count(body, key) for key in keys if body.get(key) is not None]
    return max(caps, default=None)


def choices(body: Mapping[str, Any]) -> int:
    """How many choices the request asks for (``n``); each may use the whole output cap.

    Raises:
        BadInput: for an ``n`` that is not a whole number from 1.
    """
    return 1 if body.get("n") is None else _count(body, "n")


def plain_bound(request: Plain) -> int:
    """The same for a plain request, where it is counted in bytes."""
    return request.size + PER_REQUEST + PER_MESSAGE * request.turns


def check_sendable(body: Mapping[str, Any]) -> None:
    """Refuse what the SDK could not write, while nothing is held for it.

    Raises:
        BadInput: for NaN, infinities and halves of characters.
    """
    try:
        json.dumps(body, ensure_ascii=False, allow_nan=False, default=repr).encode()
    except (ValueError, RecursionError) as error:
        why = "half a character" if isinstance(error, UnicodeEncodeError) else str(error)
        raise BadInput(f"the request cannot be written as JSON: {why}") from None


def _count(body: Mapping[str, Any], key: str) -> int:
    value = body[key]
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadInput(f"{key} must be a whole number from 1, not {value!r}")
    return value


def _turns(body: Mapping[str, Any], api: Api) -> list[Any]:
    """The messages of a chat; the instructions and the items of a Responses input."""
    if api == "chat":
        return _listed(body, "messages")
    turns = body.get("input")
    turns = [turns] if isinstance(turns, str) else _listed(body, "input")
    instructions = body.get("instructions")
    return turns if instructions is None else [instructions, *turns]


def _listed(body: Mapping[str, Any], key: str) -> list[Any]:
    value = body.get(key)
    if not isinstance(value, list):
        raise BadInput(f"{key} must be a list of messages, not {type(value).__name__}")
    return value


def _turn_texts(turn: Any, bounded: bool) -> Iterator[str]:
    if not isinstance(turn, Mapping):
        yield turn if isinstance(turn, str) else _rendered(turn)
        return
    from_tool = turn.get("role") in ("tool", "function")
    yield from _content_texts(turn.get("content"), quoted=from_tool, bounded=bounded)
    yield from _content_texts(turn.get("output"), quoted=True, bounded=bounded)
    rest = {key: value for key, value in turn.items() if key not in ("content", "output")}
    role = rest.get("role")
    yield _rendered_role(role) if len(rest) == 1 and isinstance(role, str) else _rendered(rest)


@lru_cache(maxsize=64)
def _rendered_role(role: str) -> str:
    """What is left of a plain message, many times a call."""
    return _rendered({"role": role})


def _content_texts(content: Any, *, quoted: bool, bounded: bool) -> Iterator[str]:
    if content is None:
        return
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, Mapping) and isinstance(part.get("text"), str):
            yield _quoted(part["text"]) if quoted else part["text"]
            yield _rendered({key: value for key, value in part.items() if key != "text"})
        elif isinstance(part, str):
            yield _quoted(part) if quoted else part
        elif not (bounded and is_foreign(part, inside=True)):
            yield _rendered(part)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _rendered(value: Any) -> str:
    """As JSON in its longest usual form: indented, and every character beyond ASCII escaped."""
    try:
        return json.dumps(value, ensure_ascii=True, indent=4)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"the request is not JSON ({error}): send plain dicts, lists, strings and numbers") from None


def _tokens(text: str, encoding: Encoding | None) -> int:
    size = _bytes(text)
    if encoding is None or size > _LONGEST_COUNTED:
        return size
    return min(size, len(encoding.encode_ordinary(text)))


def _bytes(text: str) -> int:
    """UTF-8 bytes, or those of the NFC form that some tokenizers bring text into, where it has more."""
    if text.isascii():
        return len(text)
    composed = unicodedata.normalize("NFC", text)
    return max(len(form.encode("utf-8", "surrogatepass")) for form in (text, composed))


def _framing(body: Mapping[str, Any], turns: list[Any]) -> int:
    tools = sum(len(body[key]) for key in _TOOLS if isinstance(body.get(key), list))
    formats = sum(1 for key in _FORMATS if body.get(key))
    pieces = tools + sum(1 + _parts(turn) for turn in turns)
    return PER_REQUEST + PER_MESSAGE * pieces + PER_SCHEMA * formats + WITH_TOOLS * (tools > 0)


def _parts(turn: Any) -> int:
    """Parts that the content of a message is made of."""
    contents = [turn.get("content"), turn.get("output")] if isinstance(turn, Mapping) else []
    return sum(len(content) for content in contents if isinstance(content, list))
