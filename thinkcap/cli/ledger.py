"""``thinkcap ledger``: what is in a ledger's file, and what to do about what was left in it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from thinkcap.cli.options import JsonOption
from thinkcap.cli.show import print_json, say, table
from thinkcap.policies import BadInput
from thinkcap.policies.money import show_usd

if TYPE_CHECKING:
    from thinkcap.controller.ledger import Entry, Hold, Level, SqliteLedger, Survey

__all__ = ["ledger"]

ledger = typer.Typer(
    help="Look into a ledger's file, charge what ended processes left reserved, raise a ceiling, export.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="The ledger's file.", show_default=False)]
NetworkOption = Annotated[
    bool, typer.Option("--network", help="Use it on a network file system: sure only if one machine uses it.")
]

_EVERY_S = 1.0


@ledger.command()
def show(
    file: FileArgument,
    watch: Annotated[bool, typer.Option("--watch", help="Show it every second, until Ctrl-C.")] = False,
    network: NetworkOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show all accounts, and who holds what is reserved.

    With --watch and --json each look is one line. Exact figures are in the JSON; the table rounds.
    """
    with _opened(file, network) as books:
        try:
            while True:
                survey, now = books.survey(), time.time()
                if as_json:
                    found = _survey_json(survey, file, now)
                    print_json(found) if not watch else print(json.dumps(found, ensure_ascii=False), flush=True)
                else:
                    if watch:
                        Console().clear()  # nothing in a pipe
                    _show(survey, file, now)
                if not watch:
                    return
                time.sleep(_EVERY_S)
        except KeyboardInterrupt:
            if not watch:
                raise


@ledger.command()
def reconcile(
    file: FileArgument,
    account: Annotated[str | None, typer.Option("--account", help="Only this account and those below it.")] = None,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Also what is held by processes of which you know that none runs.")
    ] = False,
    network: NetworkOption = False,
    as_json: JsonOption = False,
) -> None:
    """Charge what ended processes left reserved.

    It is charged in full, because it may have been billed. What a running process holds is left alone.
    """
    from thinkcap.controller.ledger.receipt import entry_line, exact_usd

    with _opened(file, network) as books:
        charged = books.reconcile(account, at=time.time(), unknown=unknown)
        states = [hold.owner.state for hold in books.survey().holds]
    left = {state: states.count(state) for state in ("alive", "dead", "unknown")}
    total = sum(entry.charged_nusd for entry in charged)
    if as_json:
        lines = [entry_line(entry) for entry in charged]
        print_json({"charged_usd": exact_usd(total), "charged": lines, "left": left})
        return
    if charged:
        rows = [(entry.id, escape(entry.account), _model(entry), show_usd(entry.charged_nusd)) for entry in charged]
        table(f"charged in full: {show_usd(total)}", ("entry", "account", "model", "charged"), rows)
    else:
        typer.echo("nothing to reconcile")
    for state, what in (
        ("alive", "held by running processes: left alone"),
        ("dead", "held by processes that ended, on other accounts: left alone"),
        ("unknown", "held by processes of which it cannot be told whether they run: --unknown charges them too"),
    ):
        if left[state]:
            typer.echo(f"{left[state]} {what}")


@ledger.command("raise")
def raise_(
    file: FileArgument,
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its name, such as research/summarise.")],
    ceiling: Annotated[str, typer.Argument(metavar="CEILING", help="Dollars, not below what is spent and reserved.")],
    network: NetworkOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give an account another ceiling in dollars.

    Its other limits stay. Programs then open it with the new ceiling.
    """
    from thinkcap.controller import Ceiling

    asked = Ceiling.of(ceiling)
    with _opened(file, network) as books:
        before = books.levels(account)[0].ceiling
        after = asked
        if before is not None:
            after = Ceiling(
                usd=asked.usd, output_tokens=before.output_tokens, calls=before.calls, seconds=before.seconds
            )
        level = books.raise_to(account, after)
    if as_json:
        print_json(_level_json(level))
    else:
        _accounts((level,), f"{file}: {level.path}")


@ledger.command()
def export(
    file: FileArgument,
    output: Annotated[
        str | None, typer.Option("-o", "--output", help="A new file to write to; by default standard output.")
    ] = None,
    network: NetworkOption = False,
) -> None:
    """Write all accounts and entries as JSON lines.

    Money is exact text in dollars. The accounts come first, as of one instant; then the entries of each, oldest first.
    """
    with _opened(file, network) as books:
        if output is None:
            with suppress(BrokenPipeError):  # whoever reads has read enough
                sys.stdout.writelines(_lines(books))
                sys.stdout.flush()
                return
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
        try:
            # the file is new, so no ledger is written over; only its owner can read it
            with os.fdopen(os.open(output, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as out:
                count = 0
                for line in _lines(books):
                    out.write(line)
                    count += 1
        except FileExistsError:
            raise BadInput(f"{output} exists: give a new file") from None
        except OSError as error:
            raise BadInput(f"{output} cannot be written: {error.strerror}") from None
    say(f"{count:,} lines in {output}")


@contextmanager
def _opened(file: str, network: bool) -> Iterator[SqliteLedger]:
    """A ledger that exists; nothing is created."""
    from thinkcap.controller.ledger import SqliteLedger

    books = SqliteLedger(Path(file).expanduser(), new=False, network=network)
    try:
        yield books
    finally:
        books.close()


def _show(survey: Survey, file: str, now: float) -> None:
    _accounts(survey.levels, file)
    if not survey.holds:
        return
    rows = [
        (
            hold.entry.id,
            escape(hold.entry.account),
            _model(hold.entry),
            show_usd(hold.entry.reserved_nusd),
            _age(now - hold.entry.started_at),
            _owner(hold),
        )
        for hold in survey.holds
    ]
    dead = sum(hold.owner.state == "dead" for hold in survey.holds)
    caption = f"{dead} left by processes that ended: thinkcap ledger reconcile {escape(file)}" if dead else None
    table("reserved now", ("entry", "account", "model", "reserved", "since", "owner"), rows, caption)


def _accounts(levels: tuple[Level, ...], title: str) -> None:
    columns = ("account", "ceiling", "spent", "reserved", "free", "calls")
    top = min((level.path.count("/") for level in levels), default=0)
    table(escape(title), columns, [_row(level, level.path.count("/") - top) for level in levels])


def _row(level: Level, depth: int) -> tuple[str, ...]:
    money, calls = level.balance.money, level.balance.calls
    free = "-" if money.free is None else show_usd(money.free)
    if money.overrun:
        free = f"{show_usd(money.overrun)} over"
    return (
        "  " * depth + escape(level.path.rpartition("/")[2] if depth else level.path),
        "-" if level.ceiling is None else str(level.ceiling),
        show_usd(money.spent),
        show_usd(money.reserved),
        free,
        f"{calls.spent:,}",
    )


def _model(entry: Entry) -> str:
    return escape(entry.model or "-")


def _owner(hold: Hold) -> str:
    owner = hold.owner
    where = "" if owner.pid is None else f" (process {owner.pid}{f' on {escape(owner.host)}' if owner.host else ''})"
    return f"{owner.state}{where}"


def _age(seconds: float) -> str:
    """How long ago, in the largest unit; a clock that was set back is taken as no time."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(0, int(seconds))} s"


def _survey_json(survey: Survey, file: str, now: float) -> dict[str, Any]:
    from thinkcap.controller.ledger.receipt import entry_line

    return {
        "ledger": file,
        "accounts": [_level_json(level) for level in survey.levels],
        "open": [
            {
                **entry_line(hold.entry),
                "age_s": round(max(0.0, now - hold.entry.started_at), 3),
                "owner": {"state": hold.owner.state, "pid": hold.owner.pid, "host": hold.owner.host},
            }
            for hold in survey.holds
        ],
    }


def _level_json(level: Level) -> dict[str, Any]:
    from thinkcap.controller.ledger.receipt import exact_usd

    money, tokens, calls = level.balance.money, level.balance.output_tokens, level.balance.calls
    return {
        "account": level.path,
        "ceiling_usd": exact_usd(money.ceiling),
        "spent_usd": exact_usd(money.spent),
        "reserved_usd": exact_usd(money.reserved),
        "free_usd": exact_usd(money.free),
        "overrun_usd": exact_usd(money.overrun),
        "calls": {"ceiling": calls.ceiling, "spent": calls.spent, "reserved": calls.reserved},
        "output_tokens": {"ceiling": tokens.ceiling, "spent": tokens.spent, "reserved": tokens.reserved},
        "seconds": None if level.ceiling is None else level.ceiling.seconds,
        "opened_at": level.opened_at,
    }


def _lines(books: SqliteLedger) -> Iterator[str]:
    from thinkcap.controller.ledger.receipt import entry_line

    levels = books.survey().levels
    for level in levels:
        yield json.dumps({"kind": "account", **_level_json(level)}, ensure_ascii=False) + "\n"
    for level in levels:
        if "/" not in level.path:
            for entry in books.entries(level.path):
                line = {"kind": "entry", **entry_line(entry), "owner": entry.owner}
                yield json.dumps(line, ensure_ascii=False) + "\n"
