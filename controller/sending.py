"""Sending one request through the client it names, within the seconds that are left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import openai

from thinkcap.controller.wire import Request

__all__ = ["create", "sooner"]


def create(clients: Mapping[str, Any], request: Request) -> Any:
    """The SDK's answer to a request, or a coroutine of it, by the kind of client."""
    client = clients[request.client]
    create = client.chat.completions.create if request.api == "chat" else client.responses.create
    body = request.body
    if (left := body.get("timeout")) is not None:
        body = {**body, "timeout": sooner(client.timeout, left)}
    return create(**body)


def sooner(timeout: Any, left: float) -> Any:
    """The client's own time-out, cut to the seconds left."""
    if isinstance(timeout, (int, float)):
        return min(timeout, left)
    if isinstance(timeout, openai.Timeout):
        limits = timeout.as_dict()
        return openai.Timeout(**{name: left if limit is None else min(limit, left) for name, limit in limits.items()})
    return left
