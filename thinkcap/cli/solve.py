"""``thinkcap solve``: answer one question under a ceiling."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

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
from thinkcap.cli.show import bar, print_json, say, table
from thinkcap.cli.wish import AccuracyOption, MeanUsdOption, Wish, WorthUsdOption
from thinkcap.policies import Arm, Attempt, BadInput, Outcome, Policy, Question, asks, show_usd

if TYPE_CHECKING:
    from thinkcap.cli.task import Options, Task
    from thinkcap.policies.curves import Curve

__all__ = ["solve"]


def solve(
    context: typer.Context,
    question: Annotated[str | None, typer.Argument(help="The question; - reads it from standard input.")] = None,
    arm: ArmOption = None,
    ceiling: Annotated[str, typer.Option("--ceiling", help="Dollars this question may cost at most.")] = "0.05",
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy",
            help="fixed, vote:K, lead:K, adaptive-consistency:T, esc:W, ladder:ARM>ARM, cascade:ARM>ARM@T, "
            "chain:ARM>ARM or curve:FILE.",
        ),
    ] = None,
    curve: Annotated[
        str | None,
        typer.Option("--curve", help="The same as --policy curve:FILE; with one of the next three.", metavar="FILE"),
    ] = None,
    accuracy: AccuracyOption = None,
    mean_usd: MeanUsdOption = None,
    worth_usd: WorthUsdOption = None,
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
    task: Annotated[
        str | None, typer.Option("--task", help="A name under which --resume can go on; needs --ledger.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the task: what it has paid for is not paid again.")
    ] = False,
    local: LocalOption = False,
    as_json: JsonOption = False,
) -> None:
    """Answer one question, spending at most the ceiling.

    Without --extract or --verify answers cannot be compared, and one call is made. Ctrl-C ends it with the
    receipt of what was spent so far.

    A task outlives its process: "thinkcap solve --task NAME --ledger FILE --resume" goes on with it, however it ended.
    """
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}
    if task is None:
        if resume:
            raise BadInput("--resume needs --task NAME and --ledger FILE")
        if question is None:
            raise BadInput("Missing argument 'question' (see thinkcap solve --help)")
    elif record is not None:
        raise BadInput("a task keeps a recording of its own, beside its ledger: leave out --record")
    if curve is not None:
        if policy is not None:
            raise BadInput("--curve and --policy exclude each other")
        policy = f"curve:{curve}"
        given.add("policy")
    from thinkcap.cli.task import Options, open_task

    options = Options(
        question=sys.stdin.read() if question == "-" else question,
        arm=arm,
        ceiling=ceiling,
        policy=policy,
        extract=extract,
        verify=verify,
        seconds=seconds,
        base_url=base_url or (None if task is None or local else os.environ.get("OPENAI_BASE_URL")),
        price=price,
        api=api,
        max_output_tokens=max_output_tokens,
        temperature=temperature,
        local=local,
        accuracy=accuracy,
        mean_usd=mean_usd,
        worth_usd=worth_usd,
    )
    with ExitStack() as stack:
        kept = None
        if task is not None:
            kept = stack.enter_context(
                open_task(task, ledger, options, given & set(Options.model_fields), resume=resume)
            )
            options = kept.options
            if resume and not kept.begun:
                say(f"thinkcap: note: there is nothing of task {task!r} yet: it begins now")
        _solve(options, kept, record, ledger, stack, as_json=as_json)


def _solve(
    options: Options, kept: Task | None, record: str | None, ledger: str | None, stack: ExitStack, *, as_json: bool
) -> None:
    wish = Wish(options.accuracy, options.mean_usd, options.worth_usd)
    wish.check_used([options.policy or ""])
    policy = None if options.policy is None else wish.policy(options.policy)
    curve = wish.curve_of(options.policy)
    arms = (
        _asked(curve, policy)
        if curve is not None and not options.arm and not options.local
        else read_arms(
            options.arm,
            api=options.api,
            max_output_tokens=options.max_output_tokens,
            temperature=options.temperature,
            local=options.local,
        )
    )
    place = stack.enter_context(where(options.base_url, options.price, local=options.local))
    from thinkcap.controller import Account, Ceiling, Controller, Recorder

    made: list[Attempt] = []
    if kept is not None:
        # the recording is there before the account is: an account without one has lost what it paid for
        recorder: Recorder | None = stack.enter_context(kept.recorder())
        account = stack.enter_context(Account(kept.ceiling, name=kept.name, ledger=ledger))
        made.extend(kept.attempts(arms))
    else:
        # in a ledger that is shared, every question has an account of its own
        name = "solve" if ledger is None else f"solve #{secrets.token_hex(6)}"
        limit = Ceiling(usd=options.ceiling, seconds=options.seconds)
        account = stack.enter_context(Account(limit, name=name, ledger=ledger))
        recorder = None if record is None else stack.enter_context(Recorder(record))
    controller = Controller(
        place.client,
        arms,
        policy,
        account=account,
        prices=place.prices,
        recorder=recorder,
    )
    if curve is not None and policy is not None:
        asked = asks(policy) or ()
        for differs in curve.check([arm for arm in arms if arm.label in asked], controller.usd_per_mtok()):
            say(f"thinkcap: note: {differs}")
        say(f"thinkcap: {policy}")
    with bar("asking") as show:

        def note(_: Question, attempt: Attempt) -> None:
            made.append(attempt)
            show(len(made), None, f"attempt {len(made)}, {show_usd(sum(a.cost_nusd for a in made))} spent")

        try:
            outcome = controller.solve(
                options.question or "",
                extract=options.extract or ("number" if options.local and options.verify is None else None),
                verifier=None if options.verify is None else _pattern(options.verify),
                on_attempt=note,
                id=None if kept is None else kept.name,
                resume=kept is not None,
            )
        except KeyboardInterrupt:
            _show_interrupted(made, account.receipt(), as_json=as_json)
            if kept is not None:
                again = ["thinkcap", "solve", "--task", kept.name, "--ledger", str(ledger), "--resume"]
                say(f"thinkcap: note: go on with {shlex.join(again)}")
            raise typer.Exit(130) from None
    _show(outcome, account.receipt(), as_json=as_json)


def _asked(curve: Curve, policy: Policy | None) -> list[Arm]:
    """The arms that a curve's policy asks, as they were asked in the recording."""
    return [curve.arm(label).arm for label in asks(policy) or ()] if policy is not None else []


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
    _attempts(outcome.attempts, f"{outcome.reason.value}: {_spent(receipt)}")


def _show_interrupted(made: list[Attempt], receipt: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json({"interrupted": True, "attempts": [_attempt(attempt) for attempt in made], "receipt": receipt})
        return
    typer.echo("interrupted")
    _attempts(made, _spent(receipt))


def _spent(receipt: dict[str, Any]) -> str:
    held = receipt["reserved_usd"]
    more = "" if held == "0" else f", ${held} held for what was interrupted"
    return f"${receipt['spent_usd']} of ${receipt['ceiling_usd']} spent{more}"


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
