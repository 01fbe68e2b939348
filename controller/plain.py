"""Requests that hold nothing but plain text and plain settings, as most do: read in one short pass.

Nothing in such a request is refused and all of it can be sent, so the walks over everything that a request may hold
are spared. What is plain is a list of what is known; anything else makes a request one for those walks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from thinkcap.policies.values import Api

__all__ = ["Plain", "plain"]

_COUNTS = frozenset(("max_tokens", "max_completion_tokens", "max_output_tokens", "n"))
_NUMBERS = frozenset(("seed", "temperature", "top_p", "presence_penalty", "frequency_penalty"))
_FLAGS = frozenset(("stream", "store", "logprobs", "parallel_tool_calls"))
_WORDS = frozenset(("reasoning_effort", "verbosity"))
_BESIDE = frozenset(("model", "user", "safety_identifier", "prompt_cache_key"))
_ROLES = {role: len(role) + len('{\n    "role": ""\n}') for role in ("user", "assistant", "system", "developer")}


@dataclass(slots=True)
class Plain:
    """A plain request.

    Attributes:
        size: bytes of all that is written into the prompt: each is one character, and no token is less than one.
        turns: how many messages there are, the instructions among them.
        text: what its prompt is, to tell it from others.
        n: choices asked for.
        cap: the cap on the output of one choice; None if it names none.
    """

    size: int
    turns: int
    text: tuple[str, ...]
    n: int
    cap: int | None


def plain(body: Mapping[str, Any], api: Api) -> Plain | None:
    """What a plain request comes to; None if it is not plain ASCII text."""
    size, turns, n, cap = 0, 0, 1, 0
    text: list[str] = []
    where = "messages" if api == "chat" else "input"
    for key, value in body.items():
        kind = type(value)
        if key == where and kind is list:
            for message in value:
                if type(message) is not dict or len(message) != 2:
                    return None
                role, content = message.get("role"), message.get("content")
                if role not in _ROLES or type(content) is not str or not content.isascii():
                    return None
                size += _ROLES[role] + len(content)
                text += (role, content)
            turns += len(value)
        elif kind is str:
            if not value.isascii():
                return None
            if key in _BESIDE:
                continue
            if key in _WORDS and value.isalnum():
                size += len(value) + 2  # in quotes
            elif api == "responses" and key in ("input", "instructions"):
                size += len(value)
                turns += 1
            else:
                return None
            text += (key, value)
        elif key in _COUNTS:
            if kind is not int or value < 1:
                return None
            if key == "n":
                n = value
            elif (key == "max_output_tokens") == (api == "responses"):
                cap = max(cap, value)
        elif key in _NUMBERS:
            if kind is not int and (kind is not float or value - value != 0):  # NaN and infinities are no numbers
                return None
        elif key not in _FLAGS or kind is not bool:
            return None
    return Plain(size, turns, tuple(text), n, cap or None) if where in body else None
