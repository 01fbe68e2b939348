"""One attempt: a conversation of one or more billed calls, written as a generator of effects.

The generator yields what is to be done (send a request, use a tool, check an answer: see :mod:`effects`) and is
sent what came of it. Calls are charged where they are made, in the governed client: nothing here can be parsed, or
fail, before it is paid for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pydantic

from thinkcap.controller.effects import Asked, Check, Effect, Send, Use
from thinkcap.controller.ledger import Entry
from thinkcap.controller.tools import Tool
from thinkcap.controller.wire import Reply, Request, ResponseFormat, build, opening, read_parsed, results
from thinkcap.policies.answers import Extractor
from thinkcap.policies.errors import CeilingReached, ThinkcapError
from thinkcap.policies.values import Arm, Attempt, Call, Finish, Usage
from thinkcap.policies.verifiers import Verdict, Verifier

__all__ = ["Ask", "conclude", "make_attempt", "one_line"]


@dataclass(frozen=True, slots=True)
class Ask:
    """One question as the controller was asked it.

    Attributes:
        question: the text, or messages as the Chat Completions API takes them.
        extractor: reads an answer from a text; None where answers cannot be compared.
        verifier: says whether an answer is right; None if nobody can.
        tools: what the model may call, by name.
        response_format: the structure the answer must have.
        most_steps: calls in one attempt at most (more than one only with tools).
        entries: the ledger entries of this question so far; the governed client adds to it.
        spare: given a request, the largest output cap it can have while an answer after it can still be paid.
        seconds_left: seconds until the deadline; None without one.
        clock: seconds, for latencies.
    """

    question: Asked
    extractor: Extractor | None
    verifier: Verifier | None
    tools: Mapping[str, Tool]
    response_format: ResponseFormat | None
    most_steps: int
    entries: list[Entry]
    spare: Callable[[Request], int | None]
    seconds_left: Callable[[], float | None]
    clock: Callable[[], float]

    def request(self, arm: Arm, conversation: Sequence[Any], cap: int | None, *, answer_now: bool = False) -> Request:
        """The next call of a conversation."""
        left = self.seconds_left()
        return build(
            arm,
            conversation,
            cap=cap,
            tools=self.tools.values(),
            response_format=self.response_format,
            answer_now=answer_now,
            timeout=None if left is None else max(left, 0.01),
        )


def make_attempt(ask: Ask, call: Call, number: int) -> Generator[Effect, Any, Attempt]:
    """One attempt at the call's arm: ask, let the model use tools, read and check the answer."""
    started, paid = ask.clock(), len(ask.entries)
    try:
        reply, finish, error = yield from _converse(ask, call)
    except CeilingReached as reached:
        reply, finish, error = None, "ceiling", str(reached)
    except Exception as failure:
        if isinstance(failure, ThinkcapError) and not ask.entries:
            raise  # the caller's mistake, or the disk's: nothing is paid that an outcome would have to tell of
        reply, finish, error = None, "error", one_line(failure)
    return (
        yield from conclude(
            ask,
            call,
            number,
            ask.entries[paid:],
            started,
            text=reply.text if reply else None,
            finish=finish,
            error=error,
            response=reply.response if reply else None,
        )
    )


def conclude(
    ask: Ask,
    call: Call,
    number: int,
    entries: Sequence[Entry],
    started: float,
    *,
    text: str | None,
    finish: Finish,
    error: str | None,
    response: Any,
) -> Generator[Effect, Any, Attempt]:
    """The attempt, once its text is known: read and checked, with what its entries come to.

    An entry that is still open counts at its reservation.
    """
    parsed, misfit = read_parsed(text, ask.response_format)
    answer, unread = (None, None) if finish in ("refused", "steps") else _answer(ask, text, parsed)
    verdict = Verdict(None, None)
    if answer is not None and ask.verifier is not None:
        verdict = yield Check(answer)
    return Attempt(
        number,
        call.arm,
        answer,
        sum(_cost(entry) for entry in entries),
        usage=_usage(entries),
        finish=finish,
        verified=verdict.passed,
        max_output_tokens=entries[-1].purpose.cap_sent if entries else call.max_output_tokens,
        calls=len(entries),
        seconds=ask.clock() - started,
        error=error or misfit or unread or verdict.error,
        text=text,
        parsed=parsed,
        response=response,
    )


def _converse(ask: Ask, call: Call) -> Generator[Effect, Any, tuple[Reply, Finish, str | None]]:
    """Calls until the model answers: the last one that steps or money allow may not use tools."""
    conversation = opening(ask.question, call.arm)
    cap = call.max_output_tokens
    for step in range(1, ask.most_steps + 1):
        request = ask.request(call.arm, conversation, cap)
        answer_now = bool(ask.tools) and step == ask.most_steps
        if ask.tools and not answer_now:
            spare = ask.spare(request)
            answer_now = spare is not None and spare < min(cap or spare, _least_step)
            if not answer_now and spare is not None and cap is not None and spare < cap:
                request = ask.request(call.arm, conversation, spare)
        if answer_now:
            request = ask.request(call.arm, conversation, cap, answer_now=True)
        reply: Reply = yield Send(request)
        if not reply.uses or answer_now:
            finish: Finish = "steps" if reply.uses and reply.text is None else reply.finish
            return reply, finish, "the model kept asking for tools" if finish == "steps" else None
        outputs = []
        for use in reply.uses:
            text: str = yield Use(use)
            outputs.append((use, text))
        conversation = [*conversation, *reply.items, *results(outputs, call.arm.api)]
    raise AssertionError("unreachable: the last step always answers")  # pragma: no cover


_least_step = 64
"""Output tokens below which a step that may call tools is not worth making: the model is asked to answer instead."""


def _answer(ask: Ask, text: str | None, parsed: Any) -> tuple[str | None, str | None]:
    """The answer in canonical form, and why it could not be read (None if it could, or there was nothing)."""
    if ask.extractor is not None:
        return (None, None) if text is None else _read(ask.extractor, text)
    if ask.response_format is None:
        return text, None
    if parsed is None:
        return None, None
    try:
        plain = parsed.model_dump(mode="json") if isinstance(parsed, pydantic.BaseModel) else parsed
        return json.dumps(plain, sort_keys=True, ensure_ascii=False), None
    except Exception as error:  # a model's own serializers may raise anything
        return None, f"not JSON again: {one_line(error)}"


def _read(extractor: Extractor, text: str) -> tuple[str | None, str | None]:
    reading = extractor.read(text)
    return reading.answer, reading.error


def _cost(entry: Entry) -> int:
    return entry.reserved_nusd if entry.status == "reserved" else entry.charged_nusd


def _usage(entries: Sequence[Entry]) -> Usage | None:
    total: Usage | None = None
    for entry in entries:
        if entry.usage is not None:
            total = entry.usage if total is None else total + entry.usage
    return total


def one_line(error: BaseException) -> str:
    """An error as one line: its kind and the first line of what it says."""
    first = (str(error).splitlines() or [""])[0].strip()
    return f"{type(error).__name__}: {first[:300]}"
