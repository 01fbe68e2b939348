"""The two controllers: the episode, performed against live clients, synchronous and asynchronous.

:class:`Controller` and :class:`AsyncController` differ only in how they perform an effect (send, use a tool, check
an answer, run an agent); what is asked next, and when to stop, is :func:`thinkcap.policies.episode` for both.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import openai
import tenacity

from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.effects import Agent, Asked, Check, Effect, Run, Send
from thinkcap.controller.judging import in_time
from thinkcap.controller.sending import create
from thinkcap.controller.solving import OnAttempt, Solve, Solver
from thinkcap.controller.tools import as_text, failure
from thinkcap.controller.wire import Reply, Request, ResponseFormat, read_reply
from thinkcap.policies import Dollars, Extract, Outcome, drive, drive_async

__all__ = ["AsyncController", "Controller"]


class Controller(Solver[openai.OpenAI]):
    """Answers questions through synchronous clients, under a ceiling.

    Args:
        client: an ``OpenAI`` client, or several by name for arms that name theirs (``Arm(..., client="local")``).
        arms: ways to ask, by convention cheapest first: :class:`Arm` objects or texts such as ``"gpt-5-mini:low"``.
        policy: decides what to buy next; by default the first answer to lead by two votes (one arm) or a ladder
            over the arms in the order given.
        ceiling: dollars, or a :class:`Ceiling`, for each question.
        account: pays for all questions together; each question becomes a child of it.
        prices: the caller's own prices by model, for models that no price list knows.
        recorder: writes every attempt down.
        retries: how often a call is tried again.
        default_max_output_tokens: output cap of arms that name none.
        min_output_tokens: a call is not cut below this cap by the ceiling; None takes what its model's answers need.

    Raises:
        BadInput: for arms, clients or amounts that cannot be meant.
    """

    _kind = openai.OpenAI
    _awaits = False

    def solve(
        self,
        question: Asked,
        *,
        ceiling: Ceiling | Dollars | None = None,
        extract: Extract | None = None,
        verifier: Any = None,
        agent: Agent | None = None,
        tools: Iterable[Callable[..., Any]] = (),
        response_format: ResponseFormat | None = None,
        max_steps: int = 8,
        on_attempt: OnAttempt | None = None,
        id: str | None = None,  # noqa: A002 - the word of every record
        resume: bool = False,
    ) -> Outcome:
        """Answer a question, spending at most the ceiling.

        Args:
            question: the text, or messages as the Chat Completions API takes them.
            ceiling: dollars or :class:`Ceiling` for this question instead of the controller's.
            extract: how an answer is read from a text: ``"number"``, ``"choice"``, ``"boxed"``, ``"json:FIELD"``,
                ``"text"`` or a function. Without it (and without a verifier or response format) answers cannot be
                compared: one call is made.
            verifier: says whether an answer is right: a function of the answer, a compiled regular expression,
                a pydantic model, or ``{"equals": ...}``, ``{"regex": ...}``, ``{"schema": ...}``. The first
                answer that passes is taken.
            agent: makes an attempt in place of one call: a function of ``(client, question, arm)`` that runs any
                agent framework on the client it is given, and returns its answer: a text, or the framework's
                result. The client pays from a slice of the ceiling; what the function raises is a failed attempt.
            tools: functions with type hints that the model may call; each attempt may then take several calls.
            response_format: a pydantic model or a ``response_format`` of the API.
            max_steps: calls in one attempt at most.
            on_attempt: told of every attempt as soon as it is made.
            id: the question's name in receipts and recordings; by default a number, in a recording a keyed hash.
            resume: go on, if it was begun before, with the question of this ``id``: the attempts that the controller's
                recorder holds (it has to keep answers) are part of the outcome and are not paid for again, and the
                question's account, a child of the controller's, goes on with what it spent.

        Returns:
            The outcome; when the money runs out, with the best answer so far.

        Raises:
            CeilingReached: if the ceiling is too small for a single call.
            ProviderFailed: if not one call got through.
            BadInput: for a question, ceiling, verifier or tool that cannot be used.
        """
        solve = self._start(
            question,
            id=id,
            resume=resume,
            ceiling=ceiling,
            extract=extract,
            verifier_spec=verifier,
            agent=agent,
            tools=tools,
            response_format=response_format,
            max_steps=max_steps,
            on_attempt=on_attempt,
        )
        with solve.account:
            return drive(self._steps(solve), lambda effect: self._perform(solve, effect))

    def _perform(self, solve: Solve[openai.OpenAI], effect: Effect) -> Any:
        if isinstance(effect, Send):
            send = tenacity.Retrying(**solve.retry)
            return send(lambda: _read(create(solve.clients, effect.request), effect.request))
        if isinstance(effect, Run):
            return effect.agent(effect.client, effect.question, effect.arm)
        if isinstance(effect, Check):
            assert solve.ask.verifier is not None
            return in_time(solve.ask.verifier, effect.answer)
        try:
            return as_text(solve.ask.tools[effect.use.name].call(effect.use.arguments))
        except Exception as error:
            return failure(solve.ask.tools, effect.use, error)


class AsyncController(Solver[openai.AsyncOpenAI]):
    """Answers questions through asynchronous clients; everything else as :class:`Controller`."""

    _kind = openai.AsyncOpenAI
    _awaits = True

    async def solve(
        self,
        question: Asked,
        *,
        ceiling: Ceiling | Dollars | None = None,
        extract: Extract | None = None,
        verifier: Any = None,
        agent: Agent | None = None,
        tools: Iterable[Callable[..., Any]] = (),
        response_format: ResponseFormat | None = None,
        max_steps: int = 8,
        on_attempt: OnAttempt | None = None,
        id: str | None = None,  # noqa: A002 - the word of every record
        resume: bool = False,
    ) -> Outcome:
        """Answer a question, spending at most the ceiling: see :meth:`Controller.solve`.

        Tools and the agent may be coroutine functions.
        """
        solve = self._start(
            question,
            id=id,
            resume=resume,
            ceiling=ceiling,
            extract=extract,
            verifier_spec=verifier,
            agent=agent,
            tools=tools,
            response_format=response_format,
            max_steps=max_steps,
            on_attempt=on_attempt,
        )
        with solve.account:
            return await drive_async(self._steps(solve), lambda effect: self._perform(solve, effect))

    async def _perform(self, solve: Solve[openai.AsyncOpenAI], effect: Effect) -> Any:
        if isinstance(effect, Send):
            request = effect.request

            async def once() -> Reply:
                return _read(await create(solve.clients, request), request)

            return await tenacity.AsyncRetrying(**solve.retry)(once)
        if isinstance(effect, Run):
            answer = effect.agent(effect.client, effect.question, effect.arm)
            return await answer if inspect.isawaitable(answer) else answer
        if isinstance(effect, Check):
            assert solve.ask.verifier is not None
            return await asyncio.to_thread(in_time, solve.ask.verifier, effect.answer)
        try:
            result = solve.ask.tools[effect.use.name].call(effect.use.arguments)
            return as_text(await result if inspect.isawaitable(result) else result)
        except Exception as error:
            return failure(solve.ask.tools, effect.use, error)


def _read(response: Any, request: Request) -> Reply:
    return read_reply(response, request.api)
