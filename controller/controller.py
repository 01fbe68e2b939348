"""The two controllers: the episode, performed against live clients, synchronous and asynchronous.

:class:`Controller` and :class:`AsyncController` differ only in how they perform an effect (send, use a tool, check
an answer, run an agent); what is asked next, and when to stop, is :func:`thinkcap.policies.episode` for both.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Unpack

import openai
import tenacity

from thinkcap.controller.asking import Asking
from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.effects import Agent, Asked, Check, Effect, Run, Send
from thinkcap.controller.judging import in_time
from thinkcap.controller.many import Many, OnProgress, Rounds
from thinkcap.controller.pacing import Paced, total_of
from thinkcap.controller.sending import create
from thinkcap.controller.side_by_side import in_tasks, in_threads, stream_in_tasks, stream_in_threads
from thinkcap.controller.solving import OnAttempt, Solve, Solver
from thinkcap.controller.tools import as_text, failure
from thinkcap.controller.wire import Reply, Request, ResponseFormat, read_reply
from thinkcap.policies import Dollars, Extract, Item, Outcome, drive, drive_async

if TYPE_CHECKING:
    from thinkcap.policies.curves import Curve

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
            before=self._before(id, resume=resume),
            ceiling=ceiling,
            extract=extract,
            verifier_spec=verifier,
            agent=agent,
            tools=tools,
            response_format=response_format,
            max_steps=max_steps,
            on_attempt=on_attempt,
        )
        return self._run(solve)

    def solve_many(
        self,
        questions: Iterable[Asked | Item],
        *,
        budget: Ceiling | Dollars,
        curve: Curve | None = None,
        concurrency: int = 8,
        name: str | None = None,
        resume: bool = False,
        progress: OnProgress | None = None,
        **asking: Unpack[Asking],
    ) -> Many:
        """Answer many questions under one budget, spending it where it is worth most.

        With a curve, every question gets a first attempt, and then the next attempt is made wherever it is worth most
        for its money, until the budget is used up or nothing more pays. Without one, the controller's policy answers
        every question, one attempt at each in turn.

        Args:
            questions: texts, messages, or :class:`thinkcap.policies.Item`, whose own ``extract`` and ``verify`` apply.
            budget: dollars for all of them together, or a :class:`Ceiling` in dollars. It is never passed.
            curve: says what more attempts are worth; its policies ask the controller's arms by their labels.
            concurrency: attempts in flight at most.
            name: of the budget's account, a child of the controller's.
            resume: go on with what was begun under this name: attempts that the controller's recorder holds (it has to
                keep answers) are not paid for again. Questions without an id are known by what they ask.
            progress: told, whenever an attempt has ended, of nano-dollars spent and questions that have an answer.
            asking: ``ceiling`` (of each question), ``extract``, ``verifier``, ``tools``, ``response_format``,
                ``max_steps`` and ``on_attempt``, as :meth:`solve` takes them.

        Returns:
            One outcome a question, in their order, and how far the allocation can be from the best one.

        Raises:
            CeilingReached: if the budget does not pay for a single call.
            ProviderFailed: if not one call got through.
            BadInput: for questions, a budget or a curve that cannot be used.
        """
        rounds = Rounds(self, questions, budget, curve, asking, concurrency, name, resume=resume, progress=progress)
        return in_threads(rounds)

    def solve_stream(
        self,
        questions: Iterable[Asked | Item],
        *,
        budget: Ceiling | Dollars,
        total: int | None = None,
        curve: Curve | None = None,
        concurrency: int = 1,
        name: str | None = None,
        **asking: Unpack[Asking],
    ) -> Iterator[Outcome]:
        """Answer questions as they come, so that one budget lasts for all of them and is used up at the end.

        Before each question what is left is divided by the questions still to come, and the curve's policy at that mean
        cost answers it; without a curve, the controller's own policy does, under its share of what is left.

        Args:
            questions: as :meth:`solve_many` takes them; one is taken when there is room for one more in flight.
            budget: dollars for all of them together, or a :class:`Ceiling` in dollars. It is never passed.
            total: how many will come; a guess where nobody knows. By default the length of ``questions``.
            curve, name: as :meth:`solve_many` takes them.
            concurrency: questions in flight at most.
            asking: as :meth:`solve_many` takes it.

        Returns:
            An iterator over one outcome a question, in their order; without an answer where what was left did not pay
            for one.

        Raises:
            ProviderFailed: if a few questions in a row did not get through.
            BadInput: for a budget, a curve or a total that cannot be used.
        """
        paced = Paced(self, budget, total_of(questions, total), curve, asking, concurrency, name)
        return stream_in_threads(paced, questions)

    def _run(self, solve: Solve[openai.OpenAI]) -> Outcome:
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
            before=self._before(id, resume=resume),
            ceiling=ceiling,
            extract=extract,
            verifier_spec=verifier,
            agent=agent,
            tools=tools,
            response_format=response_format,
            max_steps=max_steps,
            on_attempt=on_attempt,
        )
        return await self._run(solve)

    async def solve_many(
        self,
        questions: Iterable[Asked | Item],
        *,
        budget: Ceiling | Dollars,
        curve: Curve | None = None,
        concurrency: int = 8,
        name: str | None = None,
        resume: bool = False,
        progress: OnProgress | None = None,
        **asking: Unpack[Asking],
    ) -> Many:
        """Answer many questions under one budget: see :meth:`Controller.solve_many`."""
        rounds = Rounds(self, questions, budget, curve, asking, concurrency, name, resume=resume, progress=progress)
        return await in_tasks(rounds)

    def solve_stream(
        self,
        questions: Iterable[Asked | Item] | AsyncIterable[Asked | Item],
        *,
        budget: Ceiling | Dollars,
        total: int | None = None,
        curve: Curve | None = None,
        concurrency: int = 1,
        name: str | None = None,
        **asking: Unpack[Asking],
    ) -> AsyncIterator[Outcome]:
        """Answer questions as they come, under one budget: see :meth:`Controller.solve_stream`."""
        paced = Paced(self, budget, total_of(questions, total), curve, asking, concurrency, name)
        return stream_in_tasks(paced, questions)

    async def _run(self, solve: Solve[openai.AsyncOpenAI]) -> Outcome:
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
