"""llm-leash as its readme begins: ``Firewall(budget_usd=...).wrap(client)``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
from llm_leash import Firewall, LeashKilled
from llm_leash.budget import UnknownModel

__all__ = ["connect"]


def connect(job: dict[str, Any]) -> tuple[Callable[[dict[str, Any]], Any], Callable[[BaseException], bool]]:
    """How a call is made, and which errors are refusals."""
    retries: dict[str, Any] = {} if job["sdk_retries"] else {"max_retries": 0}
    plain = openai.OpenAI(base_url=job["base_url"], api_key="none", timeout=20, **retries)
    client = Firewall(budget_usd=float(job["ceiling_usd"])).wrap(plain)

    def ask(body: dict[str, Any]) -> Any:
        create: Any = client.chat.completions.create if job["api"] == "chat" else client.responses.create
        return create(**body)

    return ask, lambda error: isinstance(error, (LeashKilled, UnknownModel))
