"""Answers that the provider keeps (Responses): what the next one goes on from, and those that run on in background.

The ledger has them by the provider's id, so that it does not matter which process goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thinkcap.controller.ledger.values import Entry

__all__ = ["id_of", "is_running", "tokens_of"]

_RUNNING = ("queued", "in_progress")
_LONGEST = 200


def id_of(response: Any) -> str | None:
    """The id under which the provider keeps an answer; None if it has none that could be sent again."""
    given = _get(response, "id")
    usable = isinstance(given, str) and given.isascii() and given.isprintable() and 0 < len(given) <= _LONGEST
    return given if usable else None


def is_running(response: Any) -> bool:
    """Whether the provider says that the answer is still to come."""
    return _get(response, "status") in _RUNNING


def tokens_of(entry: Entry | None) -> int | None:
    """Tokens that a call which goes on from this one has before its own; None if that is not known."""
    if entry is None or entry.usage is None:
        return None
    return entry.usage.input_tokens + entry.usage.output_tokens


def _get(source: Any, name: str) -> Any:
    return source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
