"""LiteLLM's BudgetManager, as its page shows it, or with all that can be asked of it.

As the page shows it: go on while the current cost is not above the budget, then add what the answer cost. At its best:
one caller at a time looks at what the prompt will cost as well, and a stream tells its usage and is charged however it
ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import litellm

__all__ = ["connect"]


class NoBudget(Exception):
    """The caller's own refusal: the manager only tells figures."""


def connect(job: dict[str, Any]) -> tuple[Callable[[dict[str, Any]], Any], Callable[[BaseException], bool]]:
    """How a call is made, and which errors are refusals."""
    manager = litellm.BudgetManager(project_name="suite")
    total = float(job["ceiling_usd"])
    if not manager.is_valid_user("suite"):
        manager.create_budget(total_budget=total, user="suite")
    careful = job["settings"] == "careful"
    lock = threading.Lock()
    to: dict[str, Any] = {
        "api_base": job["base_url"],
        "api_key": "none",
        "timeout": 20,
        "custom_llm_provider": "openai",
    }
    if not job["sdk_retries"]:
        to["max_retries"] = 0

    def check(body: dict[str, Any]) -> None:
        if careful:
            messages = body.get("messages") or [{"role": "user", "content": body["input"]}]
            with lock:
                spent = manager.projected_cost(model=body["model"], messages=messages, user="suite")
            if spent >= total:
                raise NoBudget
        elif manager.get_current_cost(user="suite") > manager.get_total_budget("suite"):
            raise NoBudget

    def charge(answer: Any) -> None:
        with lock:
            manager.update_cost(completion_obj=answer, user="suite")

    def ask(body: dict[str, Any]) -> Any:
        check(body)
        if careful and body.get("stream"):
            body["stream_options"] = {"include_usage": True}
        answer = (litellm.responses if job["api"] == "responses" else litellm.completion)(**body, **to)
        if body.get("stream"):
            return charged_at_its_end(answer, body)
        charge(answer)
        return answer

    def charged_at_its_end(stream: Any, body: dict[str, Any]) -> Iterator[Any]:
        chunks = []
        try:
            for chunk in stream:
                chunks.append(chunk)
                yield chunk
        except GeneratorExit:
            if careful and chunks:
                charge(litellm.stream_chunk_builder(chunks, messages=body["messages"]))
            raise
        charge(litellm.stream_chunk_builder(chunks, messages=body["messages"]))

    return ask, lambda error: isinstance(error, NoBudget)
