"""An attempt that is a whole agent run: any framework's loop, on a slice of the question's ceiling.

The agent gets a client of its own: a governed copy of its arm's, which pays from a child of the question's account.
The child's ceiling is the run's slice, so neither one run nor all of them together can pass the question's. Every
call the framework makes, and every call it tries again, passes that client and is charged by itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pydantic_core

from thinkcap.controller.account import Account
from thinkcap.controller.attempt import Ask, conclude, one_line
from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.effects import Agent, Effect, Run
from thinkcap.controller.ledger import Limits
from thinkcap.controller.meter import Meter
from thinkcap.controller.ticket import Ticket
from thinkcap.policies.errors import BadInput, CeilingReached
from thinkcap.policies.money import usd
from thinkcap.policies.values import Api, Arm, Attempt, Call, Finish

__all__ = ["RunMeter", "Slice", "capped_arm", "check_agent", "make_run", "slice_of", "text_of"]

_TEXTS = ("text", "output_text", "final_output", "output")
"""Where what an agent returns may have its text: a plain object's, the SDK's and the frameworks' own names."""


class RunMeter(Meter):
    """A meter that keeps in mind whether the last call asked for was refused by the ceiling.

    A framework may well swallow the error, tell the model of it, or wrap it in one of its own: how the run ended is
    known here all the same.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._last: dict[str, str | None] = {"refusal": None}

    @property
    def refusal(self) -> str | None:
        """What the ceiling said to the last call asked for; None if it was admitted."""
        return self._last["refusal"]

    def admit(self, body: Mapping[str, Any], api: Api) -> Ticket:
        """See :meth:`Meter.admit`."""
        try:
            ticket = super().admit(body, api)
        except CeilingReached as reached:
            self._last["refusal"] = str(reached)
            raise
        self._last["refusal"] = None
        return ticket


@dataclass(frozen=True, slots=True)
class Slice:
    """What one run is given.

    Attributes:
        account: its own, a child of the question's.
        meter: charges it.
        client: a governed copy of the arm's client.
        arm: the arm, with the output cap of this attempt.
    """

    account: Account
    meter: RunMeter
    client: Any
    arm: Arm


def slice_of(free: Limits, share: float, least_nusd: int) -> Ceiling | None:
    """A run's ceiling: its share of what is free, but at least a first call, as far as that goes; None if unlimited."""
    nusd = None if free.nusd is None else min(free.nusd, max(int(free.nusd * share), least_nusd))
    calls = None if free.calls is None else max(1, int(free.calls * share))
    tokens = None if free.output_tokens is None else max(1, int(free.output_tokens * share))
    if not nusd and tokens is None and calls is None:
        return None
    return Ceiling(usd=None if nusd is None else usd(nusd), output_tokens=tokens, calls=calls)


def make_run(
    ask: Ask, agent: Agent, open_slice: Callable[[Call, int], Slice], call: Call, number: int
) -> Generator[Effect, Any, Attempt]:
    """One attempt: run the agent, read and check what it returns; what it raises is a failed attempt."""
    started = ask.clock()
    given = open_slice(call, number)
    result: Any = None
    text: str | None = None
    finish: Finish = "stop"
    error: str | None = None
    try:
        with given.account:  # a call that comes after the end finds it closed
            result = yield Run(agent, given.client, ask.question, given.arm)
            text = text_of(result)
    except CeilingReached as reached:
        finish, error = "ceiling", str(reached)
    except Exception as failure:
        finish, error = "error", one_line(failure)
    if given.meter.refusal is not None:
        finish, error = "ceiling", given.meter.refusal
    entries = [entry for entry in given.account.entries() if entry.status != "released"]
    return (
        yield from conclude(ask, call, number, entries, started, text=text, finish=finish, error=error, response=result)
    )


def text_of(result: Any) -> str:
    """The text of what an agent returned: itself, its ``text``, its ``output`` and the like, or data as JSON.

    Raises:
        TypeError: if there is no text in it.
    """
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError("the agent returned a coroutine: use AsyncController")
    if isinstance(result, str):
        return result
    for name in _TEXTS:
        inner = getattr(result, name, None)
        if inner is not None and not callable(inner):
            return inner if isinstance(inner, str) else _as_json(inner)
    return _as_json(result)


def _as_json(result: Any) -> str:
    if result is None:
        raise TypeError("the agent returned nothing: return its answer as text")
    try:
        return pydantic_core.to_json(result).decode()
    except (ValueError, RecursionError):
        kind = type(result).__name__
        raise TypeError(f"the agent returned a {kind}, which has no text: return its answer as text") from None


def check_agent(agent: Any, *, coroutines: bool, tools: Any, response_format: Any) -> None:
    """Refuse what cannot be run, and what an agent brings itself.

    Raises:
        BadInput: if it is not callable, or async where nothing can be awaited, or is given tools or a format.
    """
    if not callable(agent):
        raise BadInput(f"agent= takes a function of (client, question, arm), not {agent!r}")
    is_async = inspect.iscoroutinefunction(agent) or inspect.iscoroutinefunction(type(agent).__call__)
    if is_async and not coroutines:
        raise BadInput("the agent is async: use AsyncController, or a plain function")
    if tools or response_format is not None:
        raise BadInput("an agent brings its own tools and output type: leave out tools= and response_format=")


def capped_arm(call: Call) -> Arm:
    """The arm as the agent sees it: with the output cap of this attempt's calls."""
    return call.arm if call.max_output_tokens is None else replace(call.arm, max_output_tokens=call.max_output_tokens)
