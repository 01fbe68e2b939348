"""The command's frame: its subcommands, and how errors end it."""

from __future__ import annotations

import functools
import sys
import warnings
from typing import Annotated, NoReturn

import typer

from thinkcap.cli.show import say
from thinkcap.policies import ThinkcapError

__all__ = ["app", "main"]

app = typer.Typer(
    name="thinkcap",
    help="Put a cap on what a question may cost, and spend what is under the cap where thinking helps most.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"thinkcap {version('thinkcap')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@functools.cache  # once, however often main() is called
def _register() -> None:
    from thinkcap.cli.batch import batch
    from thinkcap.cli.demo import demo
    from thinkcap.cli.evaluate import evaluate
    from thinkcap.cli.fit import fit
    from thinkcap.cli.importing import import_
    from thinkcap.cli.laws import laws
    from thinkcap.cli.ledger import ledger
    from thinkcap.cli.plan import plan
    from thinkcap.cli.record import record
    from thinkcap.cli.replay import replay
    from thinkcap.cli.solve import solve

    app.command("demo")(demo)
    app.command("solve")(solve)
    app.command("batch")(batch)
    app.command("record")(record)
    app.command("import")(import_)
    app.command("fit")(fit)
    app.command("replay")(replay)
    app.command("evaluate")(evaluate)
    app.command("plan")(plan)
    app.add_typer(ledger, name="ledger")
    app.add_typer(laws, name="laws")


def main() -> NoReturn:
    """Run the command: an error of the user's or the provider's is one line, and exit code 2."""
    _register()
    warnings.showwarning = _warn
    try:
        code = app(sys.argv[1:] or ["--help"], prog_name="thinkcap", standalone_mode=False)
    except ThinkcapError as error:
        _fail(str(error))
    except Exception as error:
        told = getattr(error, "format_message", None)  # typer keeps the classes of its usage errors to itself
        if told is None:
            raise
        command = getattr(getattr(error, "ctx", None), "command_path", "thinkcap")
        _fail(f"{told().rstrip('.')} (see {command} --help)")
    if code == _INTERRUPTED:
        say("thinkcap: interrupted")
    sys.exit(code or 0)


_INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count it."""


def _fail(what: str) -> NoReturn:
    say(f"thinkcap: {what}")
    sys.exit(2)


def _warn(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if issubclass(category, UserWarning):
        say(f"thinkcap: note: {message}")
