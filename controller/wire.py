"""The shape of requests and replies in both APIs, Chat Completions and Responses.

A :class:`Request` is everything one call sends, as keyword arguments of the SDK's ``create``; a :class:`Reply`
is what came back, alike for both APIs. Nothing here sends anything or counts money.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pydantic

from thinkcap.controller.tools import Tool, UseTool
from thinkcap.policies.errors import BadInput, NotGoverned
from thinkcap.policies.values import Api, Arm, Finish

__all__ = ["Message", "Reply", "Request", "ResponseFormat", "build", "opening", "read_reply", "results"]

Message = dict[str, Any]
"""A message as the Chat Completions API takes it."""

ResponseFormat = type[pydantic.BaseModel] | Mapping[str, Any]
"""A pydantic model, or a ``response_format`` as the Chat Completions API takes it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call.

    Attributes:
        client: which of the controller's clients sends it.
        api: which API takes it.
        body: keyword arguments of the SDK's ``create``.
    """

    client: str
    api: Api
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What one call brought back.

    Attributes:
        text: the visible text; None if there is none.
        finish: how it ended.
        uses: the tools the model wants called before it goes on.
        items: what to put into the conversation so that it goes on from here.
        response: the SDK's own object.
    """

    text: str | None
    finish: Finish
    uses: tuple[UseTool, ...]
    items: tuple[Any, ...]
    response: Any


def opening(question: str | Sequence[Mapping[str, Any]], arm: Arm) -> list[Any]:
    """The conversation as the arm opens it: the question, or the caller's messages with the last one put its way.

    Raises:
        BadInput: if there is nothing to ask.
    """
    if isinstance(question, str):
        if not question.strip():
            raise BadInput("the question is empty; say what to answer")
        return [{"role": "user", "content": arm.prompt(question)}]
    given: object = question  # callers are not all type-checked
    if not isinstance(given, Sequence) or not all(isinstance(message, Mapping) for message in given):
        raise BadInput(f"a question must be a text or a list of messages, not {type(question).__name__}")
    messages = [dict(message) for message in question]
    if not any(message.get("content") for message in messages):
        raise BadInput("the question's messages are empty; say what to answer")
    if isinstance(last := messages[-1].get("content"), str):
        messages[-1]["content"] = arm.prompt(last)
    return messages


def build(
    arm: Arm,
    conversation: Sequence[Any],
    *,
    cap: int | None,
    tools: Iterable[Tool] = (),
    response_format: ResponseFormat | None = None,
    answer_now: bool = False,
    timeout: float | None = None,
) -> Request:
    """One call of a conversation.

    Args:
        arm: how to ask.
        conversation: all that was said so far.
        cap: output cap of this call, including hidden reasoning.
        tools: what the model may call.
        response_format: the structure the answer must have.
        answer_now: the tools may no longer be called: the model has to answer with what it has.
        timeout: seconds after which the call is given up.

    Raises:
        NotGoverned: if the arm asks for a stream.
    """
    body: dict[str, Any] = {**arm.extra, "model": arm.model}
    if body.get("stream"):
        raise NotGoverned(f"arm {arm.name} cannot stream: its answer is read as a whole; leave stream out of its extra")
    if arm.temperature is not None:
        body["temperature"] = arm.temperature
    if timeout is not None:
        body["timeout"] = timeout
    tools = list(tools)
    if tools and answer_now:
        body["tool_choice"] = "none"
    if arm.api == "chat":
        _chat(body, arm, conversation, cap, tools, response_format)
    else:
        _responses(body, arm, conversation, cap, tools, response_format)
    return Request(arm.client, arm.api, body)


def _chat(
    body: dict[str, Any],
    arm: Arm,
    conversation: Sequence[Any],
    cap: int | None,
    tools: list[Tool],
    response_format: ResponseFormat | None,
) -> None:
    body["messages"] = list(conversation)
    if arm.effort is not None:
        body["reasoning_effort"] = arm.effort
    if cap is not None:
        body["max_completion_tokens"] = cap
    if arm.stop:
        body["stop"] = list(arm.stop)
    if tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
            }
            for tool in tools
        ]
    if response_format is not None:
        body["response_format"] = (
            dict(response_format)
            if isinstance(response_format, Mapping)
            else {"type": "json_schema", "json_schema": _strict(response_format)}
        )


def _responses(
    body: dict[str, Any],
    arm: Arm,
    conversation: Sequence[Any],
    cap: int | None,
    tools: list[Tool],
    response_format: ResponseFormat | None,
) -> None:
    if arm.stop:
        raise BadInput(f"arm {arm.label}: the Responses API has no stop texts; use api='chat' or leave them out")
    body["input"] = list(conversation)
    if arm.effort is not None:
        body["reasoning"] = {**body.get("reasoning", {}), "effort": arm.effort}
    if cap is not None:
        body["max_output_tokens"] = cap
    if tools:
        body["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
                "strict": False,
            }
            for tool in tools
        ]
    if response_format is not None:
        if isinstance(response_format, Mapping):
            form = {"type": response_format.get("type"), **response_format.get("json_schema", {})}
        else:
            form = {"type": "json_schema", **_strict(response_format)}
        body["text"] = {**body.get("text", {}), "format": form}


def _strict(model: type[pydantic.BaseModel]) -> dict[str, Any]:
    """A pydantic model as the strict JSON schema OpenAI asks for."""
    from openai import pydantic_function_tool  # here alone, so that the rest needs no SDK

    function = pydantic_function_tool(model)["function"]
    return {"name": model.__name__, "strict": True, "schema": function.get("parameters")}


def read_reply(response: Any, api: Api) -> Reply:
    """What a call brought back.

    Raises:
        ValueError: if there is neither an answer nor a wish for a tool where one must be.
    """
    return _read_chat(response) if api == "chat" else _read_response(response)


_CHAT_FINISH: dict[str, Finish] = {"length": "length", "content_filter": "refused"}


def _read_chat(response: Any) -> Reply:
    choices = getattr(response, "choices", None)
    if not choices:
        raise ValueError("the reply has no choices")
    message, finish = choices[0].message, _CHAT_FINISH.get(choices[0].finish_reason, "stop")
    if getattr(message, "refusal", None):
        finish = "refused"
    calls = [call for call in message.tool_calls or () if call.type == "function"]
    uses = tuple(UseTool(call.id, call.function.name, call.function.arguments) for call in calls)
    item: Message = {"role": "assistant", "content": message.content}
    if calls:
        item["tool_calls"] = [call.model_dump(exclude_none=True) for call in calls]
    return Reply(message.content or None, finish, uses, (item,), response)


def _read_response(response: Any) -> Reply:
    output = getattr(response, "output", None)
    if output is None:
        raise ValueError("the reply has no output")
    uses = tuple(UseTool(item.call_id, item.name, item.arguments) for item in output if item.type == "function_call")
    parts = [part for item in output if item.type == "message" for part in item.content]
    text = "".join(part.text for part in parts if part.type == "output_text")
    finish: Finish = "stop"
    if response.status == "failed":
        raise ValueError(f"the provider failed: {getattr(response.error, 'message', 'no reason given')}")
    if response.status == "incomplete":
        why = getattr(response.incomplete_details, "reason", None)
        finish = "refused" if why == "content_filter" else "length"
    if any(part.type == "refusal" for part in parts):
        finish = "refused"
    items = tuple(item.model_dump(exclude_none=True) for item in output)
    return Reply(text or None, finish, uses, items, response)


def results(uses: Iterable[tuple[UseTool, str]], api: Api) -> list[Any]:
    """The tools' results as the conversation carries them."""
    if api == "chat":
        return [{"role": "tool", "tool_call_id": use.id, "content": text} for use, text in uses]
    return [{"type": "function_call_output", "call_id": use.id, "output": text} for use, text in uses]


def read_parsed(text: str | None, response_format: ResponseFormat | None) -> tuple[Any, str | None]:
    """The text as the structure asked for, and what is wrong with it (None if nothing is)."""
    if response_format is None or text is None:
        return None, None
    try:
        if isinstance(response_format, Mapping):
            return json.loads(text), None
        return response_format.model_validate_json(text), None
    except Exception as error:  # a model's own validators may raise anything
        first = (str(error).splitlines() or [type(error).__name__])[0]
        return None, f"not the structure asked for: {first[:200]}"
