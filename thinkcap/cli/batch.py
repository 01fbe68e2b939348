"""``thinkcap batch``: answer a file of questions under one budget."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
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
    Where,
    read_arms,
    where,
)
from thinkcap.cli.show import bar, print_json, say
from thinkcap.cli.task import file_name
from thinkcap.policies import (
    Arm,
    Attempt,
    BadInput,
    Item,
    Outcome,
    Policy,
    Question,
    Reason,
    asks,
    nano_usd,
    parse_policy,
    show_usd,
    tally,
)

if TYPE_CHECKING:
    from thinkcap.controller import Account, Many, Recorder
    from thinkcap.policies.curves import Curve

__all__ = ["batch"]

_Made = dict[tuple[str | None, str], tuple[Attempt, ...]]
"""Attempts by a question's dataset and id."""

_HELD = "the account holds {} for calls of an earlier process that may have been billed: thinkcap ledger reconcile {}"


def batch(
    questions: Annotated[str, typer.Argument(help="JSON lines: question, and optionally id, answer, extract, verify.")],
    budget: Annotated[str, typer.Option("--budget", help="Dollars that all questions together may cost.")],
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Write the answers here, as JSON lines.", metavar="FILE")
    ] = None,
    arm: ArmOption = None,
    curve: Annotated[
        str | None,
        typer.Option("--curve", help="A fitted curve: it says where the next attempt is worth most.", metavar="FILE"),
    ] = None,
    policy: Annotated[
        str | None, typer.Option("--policy", help="Without a curve: how each question is answered, such as lead:2.")
    ] = None,
    ceiling: Annotated[str | None, typer.Option("--ceiling", help="Dollars that each question may cost.")] = None,
    concurrency: Annotated[int, typer.Option("--concurrency", help="Calls in flight at most.", min=1)] = 8,
    extract: Annotated[
        str | None,
        typer.Option("--extract", help="How to read answers where a question does not say: number, choice, boxed ..."),
    ] = None,
    base_url: BaseUrlOption = None,
    price: PriceOption = None,
    api: ApiOption = "chat",
    max_output_tokens: MaxOutputOption = None,
    temperature: TemperatureOption = None,
    ledger: Annotated[
        str | None, typer.Option("--ledger", help="Keep the account in this file (SQLite), so that --resume can go on.")
    ] = None,
    task: Annotated[str, typer.Option("--task", help="The account's name in the ledger.")] = "batch",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with it: what it has paid for is not paid again.")
    ] = False,
    local: LocalOption = False,
    as_json: JsonOption = False,
) -> None:
    """Answer a file of questions under one budget, which is never passed.

    Every question gets a first attempt; then, with a curve, the next attempt is made wherever it is worth most for its
    money, until the budget is used up or nothing more pays. Ctrl-C ends it with the answers so far.
    """
    from thinkcap.controller import Account, Recorder, read_questions

    items = read_questions(questions, extract=extract)
    nano_usd(budget, "--budget")  # refused by the option's own name
    if resume and ledger is None:
        raise BadInput("--resume needs --ledger FILE: the file the account is kept in")
    if curve is not None and policy is not None:
        raise BadInput("--curve and --policy exclude each other")
    if output is not None:
        _check_writable(output)
    fitted = _load(curve)
    arms = (
        _arms_of(fitted)
        if fitted is not None and not arm and not local
        else read_arms(arm, api=api, max_output_tokens=max_output_tokens, temperature=temperature, local=local)
    )
    chosen = None if policy is None else parse_policy(policy)
    with ExitStack() as stack:
        place = stack.enter_context(where(base_url, price, local=local))
        account, recorder = None, None
        if ledger is not None:
            account = stack.enter_context(Account(budget, name=task, ledger=ledger))
            recorder = stack.enter_context(Recorder(f"{ledger}.{file_name(task)}.jsonl", keep_answers=True))
            _check_begun(account, recorder, ledger, task, resume=resume)
        asked = _Asked(items, place, arms, chosen, fitted, account, recorder, budget, ceiling, concurrency, resume)
        found = asked.answered()
    if output is not None:
        _write(output, asked.rows(found))
    again = ["thinkcap", "batch", questions, "--budget", budget, "--ledger", str(ledger), "--task", task, "--resume"]
    if as_json:
        print_json(asked.to_json(found))
    else:
        _show(asked, found, output)
    if isinstance(found, dict):
        if ledger is not None:
            say(f"thinkcap: note: go on with {shlex.join(again)} and the options it was begun with")
        raise typer.Exit(130)
    if found.stopped is not None:
        raise typer.Exit(3)


class _Asked:
    """One run of the command."""

    def __init__(
        self,
        items: Sequence[Item],
        place: Where,
        arms: Sequence[Arm],
        policy: Policy | None,
        curve: Curve | None,
        account: Account | None,
        recorder: Recorder | None,
        budget: str,
        ceiling: str | None,
        concurrency: int,
        resume: bool,
    ) -> None:
        from thinkcap.controller import Account, Controller

        self.items, self.curve, self.budget, self.resume = items, curve, budget, resume
        self.account = account or Account(budget, name="batch")
        self.controller = Controller(
            place.client, arms, policy, account=self.account, ceiling=ceiling, prices=place.prices, recorder=recorder
        )
        self.concurrency, self.recorder = concurrency, recorder

    def answered(self) -> Many | _Made:
        """What the batch came to; after Ctrl-C the attempts so far, an earlier process's included."""
        total = nano_usd(self.budget)
        made: dict[str, list[Attempt]] = defaultdict(list)

        def note(question: Question, attempt: Attempt) -> None:
            made[question.id].append(attempt)

        with bar("answering", total) as show:
            try:
                return self.controller.solve_many(
                    self.items,
                    budget=self.budget,
                    curve=self.curve,
                    concurrency=self.concurrency,
                    name="questions",
                    resume=self.resume,
                    on_attempt=note,
                    progress=lambda spent, answered: show(
                        spent, total, f"{answered} of {len(self.items)} answered, {show_usd(spent)} spent"
                    ),
                )
            except KeyboardInterrupt:
                names = [(item.dataset, item.question_id) for item in self.items]
                if self.recorder is None:
                    return {name: tuple(made[name[1]]) for name in names}
                from thinkcap.controller.resuming import read_all_attempts

                return read_all_attempts(self.recorder.path, names, self.controller.arms)

    def rows(self, found: Many | _Made) -> list[dict[str, Any]]:
        """One row a question."""
        outcomes = (
            [
                Outcome(item.question_id, tally(made).leader, Reason.CEILING, made, None)
                for item in self.items
                for made in [found[item.dataset, item.question_id]]
            ]
            if isinstance(found, dict)
            else found.outcomes
        )
        return [
            {
                "question_id": item.question_id,
                "answer": outcome.answer,
                "correct": None if item.answer is None and item.verify is None else bool(item.grade(outcome.answer)),
                "reason": "interrupted" if isinstance(found, dict) else outcome.reason.value,
                "agreement": outcome.agreement,
                "attempts": len(outcome.attempts),
                "usd": float(outcome.spent_usd),
            }
            for item, outcome in zip(self.items, outcomes, strict=True)
        ]

    def to_json(self, found: Many | _Made) -> dict[str, Any]:
        """The whole of it."""
        rows = self.rows(found)
        graded = [row["correct"] for row in rows if row["correct"] is not None]
        shown: dict[str, Any] = {
            "questions": len(rows),
            "answered": sum(row["answer"] is not None for row in rows),
            "attempts": sum(row["attempts"] for row in rows),
            "budget_usd": float(self.budget),
            "spent_usd": float(self.account.spent),
            "graded": len(graded),
            "accuracy": sum(graded) / len(graded) if graded else None,
            "interrupted": isinstance(found, dict),
        }
        if not isinstance(found, dict):
            shown["stopped"] = found.stopped
            if found.certificate is not None:
                shown["expected_right"] = found.certificate.expected_right
                shown["bound_right"] = found.certificate.bound_right
                shown["gap"] = found.certificate.gap
            shown["receipt"] = found.receipt
        return {**shown, "outcomes": rows}


def _load(curve: str | None) -> Curve | None:
    if curve is None:
        return None
    from thinkcap.policies.curves import Curve

    return Curve.load(curve)


def _arms_of(curve: Curve) -> list[Arm]:
    """The arms that a curve's policies ask, as they were asked in the recording."""
    labels = dict.fromkeys(label for point in curve.frontier() for label in asks(point.policy) or ())
    return [arm.arm for arm in curve.arms if arm.arm.label in labels]


def _check_begun(account: Account, recorder: Recorder, ledger: str, task: str, *, resume: bool) -> None:
    """Refuse to begin what was begun; tell what an earlier process left in flight."""
    money = account.balance.money
    if (money.spent or recorder.holds) and not resume:
        raise BadInput(f"{task!r} was begun before in {ledger}: add --resume to go on with it, or take another --task")
    if money.spent and not recorder.holds:
        raise BadInput(f"the recording of {task!r}, {recorder.path}, is gone: put it back, or take another --task")
    if money.reserved:
        say(f"thinkcap: note: {_HELD.format(show_usd(money.reserved), ledger)}")


def _check_writable(path: str) -> None:
    """Refuse a place where answers could not be kept, before any is paid for."""
    try:
        Path(path).open("a", encoding="utf-8").close()
    except OSError as error:
        raise BadInput(f"cannot write the answers to {path}: {error.strerror}") from None


def _write(path: str, rows: Sequence[dict[str, Any]]) -> None:
    try:
        Path(path).write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot write the answers to {path}: {error.strerror}") from None


def _show(asked: _Asked, found: Many | _Made, output: str | None) -> None:
    figures = asked.to_json(found)
    if output is None:
        for row in figures["outcomes"]:
            typer.echo(f"{row['question_id']}\t{'-' if row['answer'] is None else row['answer']}")
    typer.echo(
        f"{figures['answered']} of {figures['questions']} answered, {figures['attempts']} attempts, "
        f"{show_usd(nano_usd(asked.account.spent) if asked.account.spent else 0)} of ${asked.budget} spent"
    )
    if figures["accuracy"] is not None:
        typer.echo(f"{100 * figures['accuracy']:.1f} % right of {figures['graded']} that can be graded")
    if figures["interrupted"]:
        typer.echo("interrupted")
    elif figures["stopped"]:
        typer.echo(f"ended early: {figures['stopped']}")
    elif "gap" in figures:
        typer.echo(
            f"by the curve: {figures['expected_right']:.1f} right, and at most {figures['gap']:.1f} more by any other "
            "split of this budget"
        )
