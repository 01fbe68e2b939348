"""What a governed request may not hold: whatever makes it cost more than its own bytes and caps say.

The lists are data. A request is refused by the name of the part, before anything is sent or reserved. Some parts can be
let through by who knows what they come to (:class:`~thinkcap.controller.bound.Bound`), the others never.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from thinkcap.policies.errors import NotGoverned

__all__ = ["is_foreign", "refuse_unbounded"]

_STORED = "adds text that is stored with the provider, of unknown length: send that text itself"
_SECOND_CAP = "can generate beyond max_completion_tokens and n: leave it out"

# Keys of the body that may not be there, and why. None, False and empty values count as absent.
_NEVER: Mapping[str, str] = {
    "context_management": "may run further calls to shorten the context: leave it out",
    "plugins": "is billed beside the model's tokens: leave it out",
    "models": "lets a host answer with a model of another price: name one model",
    "chat_template": "can write more into the prompt than the request says: set the template on the server",
    "prompt_embeds": "is not text: send text only",
    "best_of": _SECOND_CAP,
    "use_beam_search": _SECOND_CAP,
    "n_predict": _SECOND_CAP,
    "n_cmpl": _SECOND_CAP,
}
_UNLESS_BOUNDED: Mapping[str, str] = {
    "previous_response_id": "goes on from a response that this ledger did not settle: send that text itself",
    "conversation": _STORED,
    "prompt": _STORED,
    "prediction": "bills rejected predictions beyond the output cap: leave it out",
    "audio": "is billed by other rates than text: ask for text only",
    "web_search_options": "is billed by the search, and adds to the prompt: run searches as a tool of your own",
}

_SERVICE_TIERS = (None, "auto", "default")
_REASONING_MODES = (None, "standard")
_TOOLS = ("function", "custom")

_TEXT_PARTS = ("text", "refusal", "input_text", "output_text", "summary_text", "reasoning_text")
"""Parts of a content that are text; any other is an image, sound, a file, or unknown."""

_ITEMS = (
    "message",
    "reasoning",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
)
"""Items of a Responses input that hold all of their own text."""


def refuse_unbounded(body: Mapping[str, Any], *, bounded: bool = False) -> bool:
    """Refuse a request body whose cost its own text and caps do not bound.

    ``service_tier="auto"`` (which is also what sending none means) is let through although a project's settings
    may turn it into a dearer tier; send ``"default"`` to be sure of the list price. The tier that a response
    names is settled at its own price in either case.

    Args:
        body: the JSON body, as the SDK sends it.
        bounded: the caller gave a bound for what can have one.

    Returns:
        Whether it has a part that only such a bound covers.

    Raises:
        NotGoverned: names the first such part, and says what to do.
    """
    for why in _never(body):
        raise NotGoverned(why)
    for why in _unless_bounded(body):
        if bounded:
            return True
        raise NotGoverned(f"{why}; or say what it comes to at most: govern(..., bound=Bound(...))")
    return False


def _never(body: Mapping[str, Any]) -> Iterator[str]:
    for key, why in _NEVER.items():
        if body.get(key):
            yield f"{key} cannot be governed: it {why}"
    if body.get("background") and (body.get("stream") or "messages" in body):
        yield "background cannot be governed but for a response that is not streamed: leave out stream=True"
    reasoning = body.get("reasoning")
    if isinstance(reasoning, Mapping) and reasoning.get("mode") not in _REASONING_MODES:
        yield f"reasoning mode {reasoning['mode']!r} cannot be governed: send 'standard', or none"
    for holder in _cache_holders(body):
        control = holder.get("cache_control")
        if isinstance(control, Mapping) and control.get("ttl") not in (None, "5m"):
            yield "cache_control with a long ttl cannot be governed: it is billed above the list; use '5m'"


def _unless_bounded(body: Mapping[str, Any]) -> Iterator[str]:
    for key, why in _UNLESS_BOUNDED.items():
        if body.get(key):
            yield f"{key} cannot be governed: it {why}"
    if body.get("service_tier") not in _SERVICE_TIERS:
        yield f"service_tier={body['service_tier']!r} cannot be governed: it has other prices; send 'default', or none"
    modalities = body.get("modalities")
    if modalities and list(modalities) != ["text"]:
        yield f"modalities={modalities!r} cannot be governed: ask for text only (modalities=['text'])"
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        kind = tool.get("type") if isinstance(tool, Mapping) else None
        if kind not in _TOOLS:
            yield f"the tool {kind!r} cannot be governed: the provider bills its runs; send 'function' or 'custom' ones"
    for item in _items(body):
        yield from _of_item(item)


def _items(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Messages of a chat and items of a Responses input."""
    for key in ("messages", "input"):
        value = body.get(key)
        for item in value if isinstance(value, list) else ():
            if isinstance(item, Mapping):
                yield item


def _parts(item: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for key in ("content", "output"):
        value = item.get(key)
        for part in value if isinstance(value, list) else ():
            if isinstance(part, Mapping):
                yield part


def is_foreign(item: Any, *, inside: bool = False) -> bool:
    """Whether an item of a request (or a part inside one) is no text: an image, sound, a file, a reference, unknown."""
    if not isinstance(item, Mapping):
        return False
    if inside:
        return (item.get("type") or ("text" if "text" in item else None)) not in _TEXT_PARTS
    return (item.get("type") or "message") not in _ITEMS


def _of_item(item: Mapping[str, Any]) -> Iterator[str]:
    if is_foreign(item):
        kind = item.get("type")
        yield f"the input item {kind!r} cannot be governed: send messages and your own tools' results as text"
    if item.get("audio"):
        yield "audio in a message cannot be governed: send text only"
    for part in _parts(item):
        if is_foreign(part, inside=True):
            yield f"the content part {part.get('type')!r} cannot be governed: send text only"


def _cache_holders(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every place where a cache breakpoint may be set."""
    yield body
    for item in _items(body):
        yield item
        yield from _parts(item)
    tools = body.get("tools")
    yield from (tool for tool in (tools if isinstance(tools, list) else ()) if isinstance(tool, Mapping))
