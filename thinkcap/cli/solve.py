"""``thinkcap solve``: answer one question under a ceiling."""

from __future__ import annotations

import secrets
import sys
from contextlib import ExitStack
from typing import Annotated, Any

import typer

from thinkcap.cli.options import (
    ApiOption,
    ArmOption,
    BaseUrlOption,
    JsonOption,
    LocalOption,
    MaxOutputOption,
    PriceOption,
    TemperatureOption,
    read_arms,
    where,
)
from thinkcap.cli.show import bar, print_json, table
from thinkcap.policies import Attempt, BadInput, Outcome, Question, parse_policy, show_usd

__all__ = ["solve"]


def solve(
    question: Annotated[str, typer.Argument(help="The question; - reads it from standard input.")],
    arm: ArmOption = None,
    ceiling: Annotated[str, typer.Option("--ceiling", help="Dollars this question may cost at most.")] = "0.05",
    policy: Annotated[
        str | None,
        typer.Option("--policy", help="fixed, vote:K, lead:K, adaptive-consistency:T, esc:W, ladder:ARM>ARM."),
    ] = None,
    extract: Annotated[
        str | None,
        typer.Option("--extract", help="How to read the answer: number, choice, boxed, json:FIELD or text."),
    ] = None,
    verify: Annotated[
        str | None, typer.Option("--verify", help="A regular expression that a right answer matches as a whole.")
    ] = None,
    seconds: Annotated[float | None, typer.Option("--seconds", help="Seconds it may take at most.")] = None,
    base_url: BaseUrlOption = None,
    price: PriceOption = None,
    api: ApiOption = "chat",
    max_output_tokens: MaxOutputOption = None,
    temperature: TemperatureOption = None,
    record: Annotated[str | None, typer.Option("--record", help="Append the attempts to this recording.")] = None,
    ledger: Annotated[
        str | None, typer.Option("--ledger", help="Keep the account in this file (SQLite) instead of in memory.")
    ] = None,
    local: LocalOption = False,
    as_json: JsonOption = False,
) -> None:
    """Answer one question, spending at most the ceiling.

    Without --extract or --verify answers cannot be compared, and one call is made. Ctrl-C ends it with the
    receipt of what was spent so far.
    """
    text = sys.stdin.read() if question == "-" else question
    arms = read_arms(arm, api=api, max_output_tokens=max_output_tokens, temperature=temperature, local=local)
    made: list[Attempt] = []
    with ExitStack() as stack:
        place = stack.enter_context(where(base_url, price, local=local))
        from thinkcap.controller import Account, Ceiling, Controller, Recorder

        # in a ledger that is shared, every question has an account of its own
        name = "solve" if ledger is None else f"solve #{secrets.token_hex(6)}"
        limit = Ceiling(usd=ceiling, seconds=seconds)
        account = stack.enter_context(Account(limit, name=name, ledger=ledger))
        recorder = None if record is None else stack.enter_context(Recorder(record))
        controller = Controller(
            place.client,
            arms,
            None if policy is None else parse_policy(policy),
            account=account,
            prices=place.prices,
            recorder=recorder,
        )
        with bar("asking") as show:

            def note(_: Question, attempt: Attempt) -> None:
                made.append(attempt)
                show(len(made), None, f"attempt {len(made)}, {show_usd(sum(a.cost_nusd for a in made))} spent")

            try:
                outcome = controller.solve(
                    text,
                    extract=extract or ("number" if local and verify is None else None),
                    verifier=None if verify is None else _pattern(verify),
                    on_attempt=note,
                )
            except KeyboardInterrupt:
                _show_interrupted(made, account.receipt(), as_json=as_json)
                raise typer.Exit(130) from None
        _show(outcome, account.receipt(), as_json=as_json)


def _pattern(text: str) -> Any:
    import re

    try:
        return re.compile(text)
    except re.error as error:
        raise BadInput(f"--verify {text!r} is not a regular expression: {error}") from None


def _show(outcome: Outcome, receipt: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "answer": outcome.answer,
                "text": outcome.text,
                "reason": outcome.reason.value,
                "agreement": outcome.agreement,
                "spent_usd": receipt["spent_usd"],
                "ceiling_usd": receipt["ceiling_usd"],
                "attempts": [_attempt(attempt) for attempt in outcome.attempts],
                "receipt": receipt,
            }
        )
        return
    typer.echo("no answer" if outcome.answer is None else outcome.answer)
    _attempts(outcome.attempts, f"{outcome.reason.value}: ${receipt['spent_usd']} of ${receipt['ceiling_usd']} spent")


def _show_interrupted(made: list[Attempt], receipt: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json({"interrupted": True, "attempts": [_attempt(attempt) for attempt in made], "receipt": receipt})
        return
    typer.echo("interrupted")
    _attempts(made, f"${receipt['spent_usd']} of ${receipt['ceiling_usd']} spent")


def _attempts(attempts: Any, caption: str) -> None:
    rows = [
        [
            str(attempt.number),
            attempt.arm.label,
            "-" if attempt.answer is None else attempt.answer[:60],
            attempt.finish if attempt.error is None else attempt.error[:60],
            str(attempt.usage.output_tokens) if attempt.usage else "?",
            show_usd(attempt.cost_nusd),
        ]
        for attempt in attempts
    ]
    table("attempts", ["#", "arm", "answer", "ended", "output tokens", "cost"], rows, caption)


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "arm": attempt.arm.label,
        "answer": attempt.answer,
        "finish": attempt.finish,
        "verified": attempt.verified,
        "calls": attempt.calls,
        "input_tokens": attempt.usage.input_tokens if attempt.usage else None,
        "output_tokens": attempt.usage.output_tokens if attempt.usage else None,
        "max_output_tokens": attempt.max_output_tokens,
        "cost_usd": show_usd(attempt.cost_nusd)[1:],
        "seconds": attempt.seconds,
        "error": attempt.error,
    }
