"""thinkcap: the SDK's own client under an account, in a file where processes share it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai

from thinkcap import Account, govern
from thinkcap.policies import CeilingReached, NotGoverned, UnknownPrice

__all__ = ["connect"]


def connect(job: dict[str, Any]) -> tuple[Callable[[dict[str, Any]], Any], Callable[[BaseException], bool]]:
    """How a call is made, and which errors are refusals."""
    if job["shared"]:
        account = Account(job["ceiling_usd"], name="suite", ledger=Path(job["folder"]) / "ledger.db")
    else:
        account = Account(job["ceiling_usd"])
    client = govern(
        openai.OpenAI(base_url=job["base_url"], api_key="none", timeout=20), account, **(job["settings"] or {})
    )

    def ask(body: dict[str, Any]) -> Any:
        create: Any = client.chat.completions.create if job["api"] == "chat" else client.responses.create
        return create(**body)

    return ask, lambda error: isinstance(error, (CeilingReached, NotGoverned, UnknownPrice))
