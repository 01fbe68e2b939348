"""Answering one question under a ceiling: all of a controller but the performing of effects.

:class:`Solver` is what both controllers share: it opens the question's account, governs the clients, and turns the
episode (:func:`thinkcap.policies.episode`) into effects, each attempt recorded as soon as it is made.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import secrets
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Self

import pydantic

from thinkcap.controller.account import Account
from thinkcap.controller.advice import advice
from thinkcap.controller.agents import RunMeter, Slice, capped_arm, check_agent, make_run, slice_of
from thinkcap.controller.arms import default_policy, read_arms
from thinkcap.controller.attempt import Ask, make_attempt
from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.effects import Agent, Asked, Effect
from thinkcap.controller.expecting import ExpectedSoFar
from thinkcap.controller.govern import Client, govern_with, meter_of
from thinkcap.controller.ledger import Entry
from thinkcap.controller.meter import DEFAULT_OUTPUT_TOKENS, Meter, too_small
from thinkcap.controller.price import Price
from thinkcap.controller.pricing import PriceBook
from thinkcap.controller.quote import Quote
from thinkcap.controller.recorder import Recorder
from thinkcap.controller.resuming import attempts_of
from thinkcap.controller.retries import Retries
from thinkcap.controller.seen import Seen
from thinkcap.controller.sending import sooner
from thinkcap.controller.tools import read_tools
from thinkcap.controller.wire import Request, ResponseFormat, opening
from thinkcap.policies import (
    Arm,
    Attempt,
    BadInput,
    Call,
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
    episode,
    extractor,
    verifier,
)

__all__ = ["Grade", "OnAttempt", "Solve", "Solver", "check_format"]

OnAttempt = Callable[[Question, Attempt], None]

Grade = Callable[[str | None], bool | None]
"""Says whether an answer is right, for the recording alone; no policy hears of it."""


@dataclass(frozen=True)
class Solve(Generic[Client]):
    """One call of ``solve``: its question, its account and its governed clients."""

    question: Question
    ask: Ask
    agent: Agent | None
    account: Account
    clients: Mapping[str, Client]
    retry: Mapping[str, Any]
    on_attempt: OnAttempt | None
    before: tuple[Attempt, ...]
    where: Where
    grade: Grade | None


class Solver(Generic[Client]):
    """What both controllers share: everything but performing an effect."""

    _kind: type[Any]
    _awaits: bool

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
        self._expected = ExpectedSoFar(self.policy)

    def _start(
        self,
        question: Asked,
        *,
        id: str | None,  # noqa: A002 - the word of every record
        before: Sequence[Attempt] | None,
        ceiling: Ceiling | Dollars | None,
        extract: Extract | None,
        verifier_spec: Any,
        agent: Agent | None,
        tools: Iterable[Callable[..., Any]],
        response_format: ResponseFormat | None,
        max_steps: int,
        on_attempt: OnAttempt | None,
        where: Where | None = None,
        grade: Grade | None = None,
    ) -> Solve[Client]:
        _check_count(max_steps, "max_steps")
        check_format(response_format)
        opening(question, self.arms[0])  # refuses an empty question before an account is opened for it
        checker = None if verifier_spec is None else verifier(verifier_spec)
        reader = None if extract is None else extractor(extract)
        toolbox = read_tools(tools, coroutines=self._awaits)
        if agent is not None:
            check_agent(agent, coroutines=self._awaits, tools=toolbox, response_format=response_format)
        limit = self.ceiling if ceiling is None else Ceiling.of(ceiling)
        name = str(id) if id else self._name(question)
        if self.account is not None:
            own = name if where is None or where.dataset is None else f"{where.dataset}\0{name}"
            account = self.account.child(_child_name(own, again=before is not None), limit)
        elif limit is not None:
            account = Account(limit, name=_printable(name))
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
        return Solve(
            Question(name, comparable=comparable, verifiable=checker is not None, agent=agent is not None),
            ask,
            agent,
            account,
            {key: govern_with(client, meters[key]) for key, client in self.clients.items()},
            self.retries.settings(lambda: account.seconds_left),
            on_attempt,
            tuple(before or ()),
            where or Where(name),
            grade,
        )

    def _before(self, question_id: str | None, *, resume: bool) -> tuple[Attempt, ...] | None:
        """The attempts to go on from; None if the question is new."""
        if not resume:
            return None
        if self.account is None:
            raise BadInput("resume=True needs account=: Account(..., name=, ledger=) knows what was spent before")
        return attempts_of(self.recorder, question_id, self.arms)

    def _run(self, solve: Solve[Client]) -> Any:
        """The episode, performed to its end: its outcome, or what is awaited for it."""
        raise NotImplementedError

    def _name(self, question: Asked) -> str:
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

    def _steps(self, solve: Solve[Client]) -> Generator[Effect, Any, Outcome]:
        """The episode as effects: each attempt in turn, each recorded as soon as it is made."""
        quotes = self._quotes(solve)
        game = episode(self.policy, solve.question, self.arms, lambda: self._room(solve, quotes), solve.before)
        try:
            call = next(game)
            for number in itertools.count(len(solve.before) + 1):
                started = time.time()
                attempt = yield from self._attempt(solve, quotes, call, number)
                self._note(solve, attempt, started)
                call = game.send(attempt)
        except StopIteration as end:
            outcome: Outcome = end.value
        self._raise_if_nothing_was_possible(solve, quotes, outcome)
        return replace(outcome, receipt={**solve.account.receipt(), **self._expected.after(outcome)})

    def _attempt(
        self, solve: Solve[Client], quotes: Mapping[str, tuple[Quote, int]], call: Call, number: int
    ) -> Generator[Effect, Any, Attempt]:
        if solve.agent is None:
            return make_attempt(solve.ask, call, number)

        def open_slice(call: Call, number: int) -> Slice:
            return self._slice(solve, *quotes[call.arm.label], call, number)

        return make_run(solve.ask, solve.agent, open_slice, call, number)

    def _slice(self, solve: Solve[Client], quote: Quote, cap: int, call: Call, number: int) -> Slice:
        """A child of the question's account for one run, and a client that pays from it."""
        client, left = self.clients[call.arm.client], solve.account.seconds_left
        if left is not None:
            client = client.with_options(timeout=sooner(client.timeout, max(left, 0.01)))
        least = quote.worst(meter_of(solve.clients[call.arm.client]).least(quote, cap))
        limit = slice_of(solve.account.available, call.share or 1.0, least)
        account = solve.account.child(f"attempt {number} #{secrets.token_hex(6)}", limit)
        meter = RunMeter(
            account,
            self.prices,
            str(client.base_url),
            seen=self._seen,
            default_output_tokens=call.max_output_tokens or cap,
            least_output_tokens=self._min_output_tokens,
        )
        return Slice(account, meter, govern_with(client, meter), capped_arm(call))

    def _quotes(self, solve: Solve[Client]) -> dict[str, tuple[Quote, int]]:
        """By arm: what a first call comes to, and the output cap it would have."""
        quotes = {}
        for arm in self.arms:
            meter = meter_of(solve.clients[arm.client])
            quote = meter.quote(solve.ask.request(arm, opening(solve.ask.question, arm), None).body, arm.api)
            quotes[arm.label] = (quote, arm.max_output_tokens or self._default_output_tokens)
        return quotes

    def _room(self, solve: Solve[Client], quotes: Mapping[str, tuple[Quote, int]]) -> Room:
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

    def _note(self, solve: Solve[Client], attempt: Attempt, started: float) -> None:
        if self.recorder is not None:
            self.recorder.write(
                attempt,
                solve.where,
                correct=attempt.verified if solve.grade is None else solve.grade(attempt.answer),
                started_at=round(started, 3),
                price_date=self.price_date(attempt.arm),
                more={"adaptive": True, **({"agent": True} if solve.question.agent else {})},
            )
        if solve.on_attempt is not None:
            solve.on_attempt(solve.question, attempt)

    def price_date(self, arm: Arm) -> str | None:
        """The day for which an arm's prices were looked up, as an ISO date; None for prices of the caller's own."""
        return self.prices.lookup(arm.model, str(self.clients[arm.client].base_url)).date or None

    def usd_per_mtok(self) -> dict[str, tuple[float, float]]:
        """Dollars that a million input tokens and a million output tokens cost, by the arm's label."""
        return {
            arm.label: self.prices.lookup(arm.model, str(self.clients[arm.client].base_url)).usd_per_mtok
            for arm in self.arms
        }

    def only(self, arm: Arm) -> Self:
        """The same controller with this arm alone, paying from the same account."""
        other = copy.copy(self)
        other.arms = (arm,)
        return other

    def _raise_if_nothing_was_possible(
        self, solve: Solve[Client], quotes: Mapping[str, tuple[Quote, int]], outcome: Outcome
    ) -> None:
        if not outcome.attempts:
            if outcome.reason is Reason.DEADLINE:
                raise BadInput("the deadline passed before a single call could be made; give more seconds")
            least = {
                arm.label: (quotes[arm.label][0], meter_of(solve.clients[arm.client]).least(*quotes[arm.label]))
                for arm in self.arms
            }
            raise too_small(least, solve.account)
        if any(attempt.calls or attempt.text is not None for attempt in outcome.attempts):
            return
        failed = [attempt for attempt in outcome.attempts if attempt.finish == "error"]
        if failed and solve.agent is not None:
            return  # the agent's own failure, told in the attempts
        if failed:
            raise ProviderFailed(f"arm {failed[-1].arm.label}: {failed[-1].error}{advice(failed[-1])}")
        money = solve.account.balance.money
        raise CeilingReached(
            f"{outcome.attempts[-1].error}",
            free=solve.account.available.nusd,
            account=solve.account.name,
            ceiling=money.ceiling,
            spent=money.spent,
            reserved=money.reserved,
        )


def _check_count(count: object, what: str) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise BadInput(f"{what} must be a whole number from 1, not {count!r}")


def check_format(response_format: object) -> None:
    """Refuse what no answer could be held against.

    Raises:
        BadInput: if it is neither a pydantic model nor a dict nor None.
    """
    if response_format is None or isinstance(response_format, Mapping):
        return
    if not (isinstance(response_format, type) and issubclass(response_format, pydantic.BaseModel)):
        raise BadInput(f"response_format must be a pydantic model or a dict, not {response_format!r}")


def _printable(name: str) -> str:
    """A name an account may have: no slashes, printable, not too long."""
    plain = "".join(letter if letter.isprintable() and letter != "/" else "-" for letter in name).strip()[:150]
    return plain or "question"


def _child_name(question_id: str, *, again: bool) -> str:
    """A question's name among the children of an account: one of its own, or the one to go on with."""
    plain = _printable(question_id)
    if not again:
        return f"{plain} #{secrets.token_hex(6)}"
    return plain if plain == question_id else f"{plain} #{hashlib.sha256(question_id.encode()).hexdigest()[:12]}"


def _spare(meter: Meter, request: Request) -> int | None:
    """The largest output cap a step can have while a closing answer after it can still be paid; None if unlimited."""
    free = meter.account.available
    if free.nusd is None and free.output_tokens is None and free.calls is None:
        return None
    quote = meter.quote(request.body, request.api)
    cap = quote.asked or meter.default_output_tokens
    least = meter.least(quote, cap)
    closing = replace(quote, prompt=quote.prompt + cap + least)
    left = free._replace(
        nusd=None if free.nusd is None else max(0, free.nusd - closing.worst(least)),
        output_tokens=None if free.output_tokens is None else max(0, free.output_tokens - least),
        calls=None if free.calls is None else max(0, free.calls - 1),
    )
    return quote.most(left)
