"""The command's frame: its subcommands, and how errors end it."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from thinkcap.policies import ThinkcapError

__all__ = ["app", "main"]

app = typer.Typer(
    name="thinkcap",
    help="Put a cap on what a question may cost, and spend what is under the cap where thinking helps most.",
    no_args_is_help=True,
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


def _register() -> None:
    from thinkcap.cli.demo import demo
    from thinkcap.cli.record import record
    from thinkcap.cli.replay import replay
    from thinkcap.cli.solve import solve

    app.command("demo")(demo)
    app.command("solve")(solve)
    app.command("record")(record)
    app.command("replay")(replay)


def main() -> NoReturn:
    """Run the command: an error of the user's or the provider's is one line, and exit code 2."""
    _register()
    warnings.showwarning = _warn
    try:
        app(standalone_mode=True)
    except ThinkcapError as error:
        _say(f"thinkcap: {error}")
        sys.exit(2)
    except KeyboardInterrupt:
        _say("thinkcap: interrupted")
        sys.exit(130)
    sys.exit(0)


def _warn(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if issubclass(category, UserWarning):
        _say(f"thinkcap: note: {message}")


def _say(line: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(" ".join(line.split()))
