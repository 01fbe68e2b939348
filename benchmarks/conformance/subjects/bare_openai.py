"""The SDK as it comes, without any ceiling; also how callers reach a gateway that holds one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai

__all__ = ["connect"]


def connect(job: dict[str, Any]) -> tuple[Callable[[dict[str, Any]], Any], Callable[[BaseException], bool]]:
    """How a call is made, and which errors are refusals."""
    retries: dict[str, Any] = {} if job["sdk_retries"] else {"max_retries": 0}
    client = openai.OpenAI(
        base_url=job["base_url"], api_key=job["api_key"], default_headers=job["headers"], timeout=20, **retries
    )

    def ask(body: dict[str, Any]) -> Any:
        create: Any = client.chat.completions.create if job["api"] == "chat" else client.responses.create
        return create(**body)

    def refused(error: BaseException) -> bool:
        code = error.status_code if isinstance(error, openai.APIStatusError) else 0
        return code == 402 or (code == 429 and "budget" in str(error))

    return ask, refused
