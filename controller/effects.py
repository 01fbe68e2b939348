"""What an attempt asks its driver to do, as values: send, use a tool, check an answer, run an agent.

The synchronous and the asynchronous controller perform the same effects; whoever yields them cannot tell which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from thinkcap.controller.tools import UseTool
from thinkcap.controller.wire import Request
from thinkcap.policies.values import Arm

__all__ = ["Agent", "Asked", "Check", "Effect", "Run", "Send", "Use"]

Asked = str | Sequence[Mapping[str, Any]]
"""A question as it was asked: the text, or messages as the Chat Completions API takes them."""

Agent = Callable[[Any, Any, Arm], Any]
"""A whole agent: from a governed client, the question as it was asked and the arm, to its answer."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request; answered with a :class:`Reply`, or the error of the SDK or the ceiling is raised."""

    request: Request


@dataclass(frozen=True, slots=True)
class Use:
    """Call a tool; answered with the text for the model, whatever happened."""

    use: UseTool


@dataclass(frozen=True, slots=True)
class Check:
    """Put an answer to the verifier; answered with its :class:`Verdict`."""

    answer: str


@dataclass(frozen=True, slots=True)
class Run:
    """Run an agent; answered with what it returns, or what it raises is raised."""

    agent: Agent
    client: Any
    question: Asked
    arm: Arm


Effect = Send | Use | Check | Run
