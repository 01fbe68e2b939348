"""Python functions as tools: the schema comes from the type hints, the arguments are checked before the call."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pydantic

from thinkcap.policies.errors import BadInput

__all__ = ["Tool", "UseTool", "read_tools"]

LONGEST_RESULT = 20_000
"""Characters of a tool's result that are sent back to the model; the rest is cut, and the model is told."""


@dataclass(frozen=True, slots=True)
class UseTool:
    """A wish of the model to call a tool.

    Attributes:
        id: the model's name for this call.
        name: the tool's name.
        arguments: the arguments as JSON text, as the model wrote them.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A Python function that the model may call.

    Attributes:
        name: the function's name.
        description: its docstring.
        parameters: JSON schema of its arguments.
        function: the function itself; it may be a coroutine function for the asynchronous controller.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    function: Callable[..., Any]

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Tool:
        """Read a function with type hints.

        Raises:
            BadInput: if it has no name, or a parameter that JSON cannot describe.
        """
        name = getattr(function, "__name__", "")
        if not name.isidentifier():
            raise BadInput(f"a tool must be a named function, not {function!r}; use def instead of lambda")
        try:
            adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(cast("Any", function))
            parameters = adapter.json_schema()
        except (pydantic.PydanticUserError, NameError, TypeError) as error:
            first = str(error).splitlines()[0]
            raise BadInput(f"tool {name}: its parameters need type hints that JSON can carry ({first})") from None
        if parameters.get("type") != "object":
            raise BadInput(f"tool {name}: its parameters must be callable by keyword")
        return cls(name, inspect.getdoc(function) or "", parameters, function)

    def call(self, arguments: str) -> Any:
        """Call the function with JSON arguments; what it returns (an awaitable for a coroutine function).

        Raises:
            ValueError: if the arguments do not fit its parameters.
            Exception: whatever the function raises.
        """
        given = json.loads(arguments or "{}")
        if not isinstance(given, dict):
            raise ValueError("the arguments must be a JSON object")
        return pydantic.validate_call(self.function)(**given)


def read_tools(functions: Iterable[Callable[..., Any]], *, coroutines: bool = True) -> dict[str, Tool]:
    """The tools by name.

    Raises:
        BadInput: for two of one name, a function that cannot be a tool, or an async one where none can be awaited.
    """
    if callable(functions):
        raise BadInput(f"tools= takes a list of functions, not {functions!r}")
    tools: dict[str, Tool] = {}
    for function in functions:
        tool = Tool.of(function)
        if tool.name in tools:
            raise BadInput(f"two tools are called {tool.name!r}; rename one")
        if not coroutines and inspect.iscoroutinefunction(function):
            raise BadInput(f"tool {tool.name} is async: use AsyncController, or a plain function")
        tools[tool.name] = tool
    return tools


def failure(tools: Mapping[str, Tool], use: UseTool, error: Exception) -> str:
    """What the model is told when a tool could not be called or raised: never a crash of the solve."""
    if use.name not in tools:
        return f"error: there is no tool called {use.name!r}; there are: {', '.join(tools) or 'none'}"
    first = (str(error).splitlines() or [""])[0][:500]
    return f"error: {type(error).__name__}: {first}"


def as_text(result: Any) -> str:
    """A tool's result as the text sent back to the model: text as it is, anything else as JSON."""
    if isinstance(result, str):
        text = result
    else:
        try:
            text = pydantic.TypeAdapter(Any).dump_json(result).decode()
        except (pydantic.PydanticUserError, ValueError, TypeError):
            text = repr(result)
    if len(text) <= LONGEST_RESULT:
        return text
    return f"{text[:LONGEST_RESULT]}\n[cut: {len(text) - LONGEST_RESULT} more characters]"
