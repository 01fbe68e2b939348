"""Answering questions under a ceiling: the episode, performed against live clients.

:class:`Controller` and :class:`AsyncController` differ only in how they perform an effect (send, use a tool,
check an answer); what is asked next, and when to stop, is :func:`thinkcap.policies.episode` for both.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import itertools
import secrets
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Self, TypeVar

import openai
import pydantic
import tenacity

from thinkcap.controller.account import Account
from thinkcap.controller.advice import advice
from thinkcap.controller.arms import default_policy, read_arms
from thinkcap.controller.attempt import Ask, Check, Effect, Send, make_attempt
from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.govern import govern_with, meter_of
from thinkcap.controller.judging import in_time
from thinkcap.controller.ledger import Entry
from thinkcap.controller.meter import DEFAULT_OUTPUT_TOKENS, Meter, Quote, Seen, too_small
from thinkcap.controller.price import Price
from thinkcap.controller.pricing import PriceBook
from thinkcap.controller.recorder import Recorder
from thinkcap.controller.retries import Retries
from thinkcap.controller.sending import create
from thinkcap.controller.tools import as_text, failure, read_tools
from thinkcap.controller.wire import Reply, Request, ResponseFormat, opening, read_reply
from thinkcap.policies import (
    Arm,
    Attempt,
    BadInput,
    CeilingReached,
    Dollars,
    Extract,
    Offer,
    Outcome,
    Policy,
    ProviderFailed,
    Question,
    Reason,
    Room,
    Where,
    drive,
    drive_async,
    episode,
    extractor,
    verifier,
)

__all__ = ["AsyncController", "Controller"]

Client = TypeVar("Client", openai.OpenAI, openai.AsyncOpenAI)
Messages = Sequence[Mapping[str, Any]]
OnAttempt = Callable[[Question, Attempt], None]


@dataclass(frozen=True)
class _Solve(Generic[Client]):
    """One call of ``solve``: its question, its account and its governed clients."""

    question: Question
    ask: Ask
    account: Account
    clients: Mapping[str, Client]
    entries: list[Entry]
    retry: Mapping[str, Any]
    on_attempt: OnAttempt | None


class _Controller(Generic[Client]):
    """What both controllers share: everything but performing an effect."""

    _kind: type[Any]

    def __init__(
        self,
        client: Client | Mapping[str, Client],
        arms: Iterable[Arm | str],
        policy: Policy | None = None,
        *,
        ceiling: Ceiling | Dollars | None = None,
        account: Account | None = None,
        prices: Mapping[str, Price] | None = None,
        recorder: Recorder | None = None,
        retries: Retries | None = None,
        default_max_output_tokens: int = DEFAULT_OUTPUT_TOKENS,
        min_output_tokens: int | None = None,
    ) -> None:
        self.clients: dict[str, Client] = dict(client) if isinstance(client, Mapping) else {"default": client}
        self.arms = read_arms(arms, self.clients, self._kind)
        self.policy = default_policy(self.arms) if policy is None else policy
        if not isinstance(self.policy, Policy):
            raise BadInput(f"policy must be a Policy such as Lead(2) or Vote(5), not {policy!r}")
        self.ceiling = None if ceiling is None else Ceiling.of(ceiling)
        self.account = account
        if ceiling is None and account is None:
            raise BadInput("a controller needs a ceiling= (dollars per question) or an account=, or both")
        self.prices = PriceBook(prices)
        self.recorder = recorder
        self.retries = retries or Retries()
        _check_count(default_max_output_tokens, "default_max_output_tokens")
        if min_output_tokens is not None:
            _check_count(min_output_tokens, "min_output_tokens")
        self._default_output_tokens = default_max_output_tokens
        self._min_output_tokens = min_output_tokens
        self._seen = Seen()
        self._numbers = itertools.count(1)

    def _start(
        self,
        question: str | Messages,
        *,
        id: str | None,  # noqa: A002 - the word of every record
        ceiling: Ceiling | Dollars | None,
        extract: Extract | None,
        verifier_spec: Any,
        tools: Iterable[Callable[..., Any]],
        response_format: ResponseFormat | None,
        max_steps: int,
        on_attempt: OnAttempt | None,
    ) -> _Solve[Client]:
        _check_count(max_steps, "max_steps")
        _check_format(response_format)
        opening(question, self.arms[0])  # refuses an empty question before an account is opened for it
        checker = None if verifier_spec is None else verifier(verifier_spec)
        reader = None if extract is None else extractor(extract)
        toolbox = read_tools(tools, coroutines=self._kind is openai.AsyncOpenAI)
        limit = self.ceiling if ceiling is None else Ceiling.of(ceiling)
        name = str(id) if id else self._name(question)
        if self.account is not None:
            account = self.account.child(_account_name(name, secrets.token_hex(6)), limit)
        elif limit is not None:
            account = Account(limit, name=_account_name(name))
        else:
            raise BadInput("solve() needs a ceiling= where the controller has neither a ceiling nor an account")
        entries: list[Entry] = []
        meters = {key: self._meter(account, client, entries) for key, client in self.clients.items()}
        comparable = extract is not None or response_format is not None or checker is not None
        ask = Ask(
            question,
            extractor=reader,
            verifier=checker,
            tools=toolbox,
            response_format=response_format,
            most_steps=max_steps,
            entries=entries,
            spare=lambda request: _spare(meters[request.client], request),
            seconds_left=lambda: account.seconds_left,
            clock=time.monotonic,
        )
        return _Solve(
            Question(name, comparable=comparable, verifiable=checker is not None),
            ask,
            account,
            {key: govern_with(client, meters[key]) for key, client in self.clients.items()},
            entries,
            self.retries.settings(lambda: account.seconds_left),
            on_attempt,
        )

    def _name(self, question: str | Messages) -> str:
        """A name for a question that was given none; in a recording, one that no other question has."""
        return f"question-{next(self._numbers)}" if self.recorder is None else self.recorder.name(question)

    def _meter(self, account: Account, client: Client, entries: list[Entry]) -> Meter:
        return Meter(
            account,
            self.prices,
            str(client.base_url),
            seen=self._seen,
            on_entry=entries.append,
            default_output_tokens=self._default_output_tokens,
            least_output_tokens=self._min_output_tokens,
        )

    def _steps(self, solve: _Solve[Client]) -> Generator[Effect, Any, Outcome]:
        """The episode as effects: each attempt in turn, each recorded as soon as it is made."""
        quotes = self._quotes(solve)
        game = episode(self.policy, solve.question, self.arms, lambda: self._room(solve, quotes))
        try:
            call = next(game)
            number = 1
            while True:
                started = time.time()
                attempt = yield from make_attempt(solve.ask, call, number)
                self._note(solve, attempt, started)
                number += 1
                call = game.send(attempt)
        except StopIteration as end:
            outcome: Outcome = end.value
        self._raise_if_nothing_was_possible(solve, quotes, outcome)
        return replace(outcome, receipt=solve.account.receipt())

    def _quotes(self, solve: _Solve[Client]) -> dict[str, tuple[Quote, int]]:
        """By arm: what a first call comes to, and the output cap it would have."""
        quotes = {}
        for arm in self.arms:
            meter = meter_of(solve.clients[arm.client])
            quote = meter.quote(solve.ask.request(arm, opening(solve.ask.question, arm), None).body, arm.api)
            quotes[arm.label] = (quote, arm.max_output_tokens or self._default_output_tokens)
        return quotes

    def _room(self, solve: _Solve[Client], quotes: Mapping[str, tuple[Quote, int]]) -> Room:
        """What the account leaves right now, arm by arm."""
        account = solve.account
        free = account.available
        offers = []
        for arm in self.arms:
            quote, cap = quotes[arm.label]
            meter = meter_of(solve.clients[arm.client])
            quote = meter.sharpen(quote)
            offers.append(
                Offer(
                    most_output_tokens=quote.most(free),
                    least_output_tokens=meter.least(quote, cap),
                    default_output_tokens=self._default_output_tokens,
                    worst_nusd=quote.worst(cap),
                )
            )
        return Room(tuple(offers), free.nusd, account.seconds_left, account.closed)

    def _note(self, solve: _Solve[Client], attempt: Attempt, started: float) -> None:
        if self.recorder is not None:
            self.recorder.write(
                attempt,
                Where(solve.question.id),
                correct=attempt.verified,
                started_at=round(started, 3),
                price_date=self.price_date(attempt.arm),
            )
        if solve.on_attempt is not None:
            solve.on_attempt(solve.question, attempt)

    def price_date(self, arm: Arm) -> str | None:
        """The day for which an arm's prices were looked up, as an ISO date; None for prices of the caller's own."""
        return self.prices.lookup(arm.model, str(self.clients[arm.client].base_url)).date or None

    def only(self, arm: Arm) -> Self:
        """The same controller with this arm alone, paying from the same account."""
        other = copy.copy(self)
        other.arms = (arm,)
        return other

    def _raise_if_nothing_was_possible(
        self, solve: _Solve[Client], quotes: Mapping[str, tuple[Quote, int]], outcome: Outcome
    ) -> None:
        if not outcome.attempts:
            if outcome.reason is Reason.DEADLINE:
                raise BadInput("the deadline passed before a single call could be made; give more seconds")
            least = {
                arm.label: (quotes[arm.label][0], meter_of(solve.clients[arm.client]).least(*quotes[arm.label]))
                for arm in self.arms
            }
            raise too_small(least, solve.account.available)
        if any(attempt.calls for attempt in outcome.attempts):
            return
        failed = [attempt for attempt in outcome.attempts if attempt.finish == "error"]
        if failed:
            raise ProviderFailed(f"arm {failed[-1].arm.label}: {failed[-1].error}{advice(failed[-1])}")
        raise CeilingReached(f"{outcome.attempts[-1].error}", free=solve.account.available.nusd)


class Controller(_Controller[openai.OpenAI]):
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
        min_output_tokens: a call is not cut below this cap by the ceiling; None takes the longest output seen.

    Raises:
        BadInput: for arms, clients or amounts that cannot be meant.
    """

    _kind = openai.OpenAI

    def solve(
        self,
        question: str | Messages,
        *,
        ceiling: Ceiling | Dollars | None = None,
        extract: Extract | None = None,
        verifier: Any = None,
        tools: Iterable[Callable[..., Any]] = (),
        response_format: ResponseFormat | None = None,
        max_steps: int = 8,
        on_attempt: OnAttempt | None = None,
        id: str | None = None,  # noqa: A002 - the word of every record
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
            tools: functions with type hints that the model may call; each attempt may then take several calls.
            response_format: a pydantic model or a ``response_format`` of the API.
            max_steps: calls in one attempt at most.
            on_attempt: told of every attempt as soon as it is made.
            id: the question's name in receipts and recordings; by default a number, in a recording a keyed hash.

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
            ceiling=ceiling,
            extract=extract,
            verifier_spec=verifier,
            tools=tools,
            response_format=response_format,
            max_steps=max_steps,
            on_attempt=on_attempt,
        )
        with solve.account:
            return drive(self._steps(solve), lambda effect: self._perform(solve, effect))

    def _perform(self, solve: _Solve[openai.OpenAI], effect: Effect) -> Any:
        if isinstance(effect, Send):
            send = tenacity.Retrying(**solve.retry)
            return send(lambda: _read(create(solve.clients, effect.request), effect.request))
        if isinstance(effect, Check):
            assert solve.ask.verifier is not None
            return in_time(solve.ask.verifier, effect.answer)
        try:
            return as_text(solve.ask.tools[effect.use.name].call(effect.use.arguments))
        except Exception as error:
            return failure(solve.ask.tools, effect.use, error)


class AsyncController(_Controller[openai.AsyncOpenAI]):
    """Answers questions through asynchronous clients; everything else as :class:`Controller`."""

    _kind = openai.AsyncOpenAI

    async def solve(
        self,
        question: str | Messages,
        *,
        ceiling: Ceiling | Dollars | None = None,
        extract: Extract | None = None,
        verifier: Any = None,
        tools: Iterable[Callable[..., Any]] = (),
        response_format: ResponseFormat | None = None,
        max_steps: int = 8,
        on_attempt: OnAttempt | None = None,
        id: str | None = None,  # noqa: A002 - the word of every record
    ) -> Outcome:
        """Answer a question, spending at most the ceiling: see :meth:`Controller.solve`. Tools may be coroutines."""
        solve = self._start(
            question,
            id=id,
            ceiling=ceiling,
            extract=extract,
            verifier_spec=verifier,
            tools=tools,
            response_format=response_format,
            max_steps=max_steps,
            on_attempt=on_attempt,
        )
        with solve.account:
            return await drive_async(self._steps(solve), lambda effect: self._perform(solve, effect))

    async def _perform(self, solve: _Solve[openai.AsyncOpenAI], effect: Effect) -> Any:
        if isinstance(effect, Send):
            request = effect.request

            async def once() -> Reply:
                return _read(await create(solve.clients, request), request)

            return await tenacity.AsyncRetrying(**solve.retry)(once)
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


def _check_count(count: object, what: str) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise BadInput(f"{what} must be a whole number from 1, not {count!r}")


def _check_format(response_format: object) -> None:
    if response_format is None or isinstance(response_format, Mapping):
        return
    if not (isinstance(response_format, type) and issubclass(response_format, pydantic.BaseModel)):
        raise BadInput(f"response_format must be a pydantic model or a dict, not {response_format!r}")


def _account_name(question_id: str, tag: str = "") -> str:
    """A name an account may have: no slashes, printable; the tag keeps it apart from all others in a shared ledger."""
    plain = "".join(letter if letter.isprintable() and letter != "/" else "-" for letter in question_id).strip()[:150]
    return f"{plain or 'question'} #{tag}" if tag else plain or "question"


def _spare(meter: Meter, request: Request) -> int | None:
    """The largest output cap a step can have while a closing answer after it can still be paid; None if unlimited."""
    free = meter.account.available
    if free.nusd is None and free.output_tokens is None and free.calls is None:
        return None
    quote = meter.quote(request.body, request.api)
    cap = quote.asked or meter.default_output_tokens
    least = meter.least(quote, cap)
    closing = replace(quote, prompt=quote.prompt + cap + least)
    left = replace(
        free,
        nusd=None if free.nusd is None else max(0, free.nusd - closing.worst(least)),
        output_tokens=None if free.output_tokens is None else max(0, free.output_tokens - least),
        calls=None if free.calls is None else max(0, free.calls - 1),
    )
    return quote.most(left)
