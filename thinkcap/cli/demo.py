"""``thinkcap demo``: low, high and thinkcap side by side, on a real small model, under a ceiling."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thinkcap.cli.options import JsonOption
from thinkcap.cli.show import bar, print_json, say, table
from thinkcap.policies import BadInput, show_usd

if TYPE_CHECKING:
    from thinkcap.demo import Act1, Comparison

__all__ = ["demo"]

_PICTURE = "thinkcap-demo.svg"


def demo(
    recorded: Annotated[
        bool, typer.Option("--recorded", help="Show the shipped recording of the model instead of asking it.")
    ] = False,
    questions: Annotated[int, typer.Option("--questions", help="Questions to ask.", min=1, max=200)] = 40,
    seconds: Annotated[
        float, typer.Option("--seconds", help="Seconds to ask for at most; then what is done is shown.", min=1)
    ] = 90,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Repeats the questions of an earlier run; by default fresh ones.")
    ] = None,
    picture: Annotated[
        str | None, typer.Option("--picture", help=f"Where to draw the picture (SVG); by default {_PICTURE}.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Act 1: a bare client and a governed one. Act 2: a real small model at low, at high, and as thinkcap asks it.

    Needs no key. The model (93 MB) is fetched on first use. Exits with 0 only if no question cost more than
    its ceiling.
    """
    first = _first_act(as_json=as_json)
    started = time.monotonic()
    found = _replayed(seed) if recorded or not _server_here() else _asked(questions, seconds, seed)
    target = picture or (None if as_json else _PICTURE)
    if found.questions and target is not None:
        _draw(found, target)
    if as_json:
        print_json({**found.to_json(), "act1": first.to_json()})
    elif found.questions:
        _show(found, target, time.monotonic() - started)
    else:
        say(f"no question was finished by every policy: {found.ended}; give more --seconds")
    raise typer.Exit(_exit_code(found) if first.held else 1)


def _first_act(*, as_json: bool) -> Act1:
    """A provider that thinks out of sight, asked by a bare client and by a governed one: no model is needed."""
    from thinkcap.demo import act1, as_table

    found = act1()
    if not as_json:
        table(*as_table(found))
    return found


def _server_here() -> bool:
    """Whether the model can be asked here; says so in a line where it cannot."""
    from thinkcap.controller.local import is_installed

    if is_installed():
        return True
    say(
        "thinkcap: note: the local model's server is not installed (pip install 'thinkcap[local]'; not every platform "
        "has a wheel of it), so this is the recorded run"
    )
    return False


def _exit_code(found: Comparison) -> int:
    if not found.held:
        return 1
    if found.ended == "interrupted":
        return 130
    return 0 if found.questions else 2


def _asked(questions: int, seconds: float, seed: int | None) -> Comparison:
    """The comparison, live."""
    from thinkcap.cli.local import local_server
    from thinkcap.demo import CEILING_USD, PRICES, arms, compare_live, fresh_questions, fresh_seed, policies

    seed = fresh_seed() if seed is None else seed
    items = fresh_questions(seed, questions)
    with local_server() as server, bar("asking", len(items) * len(policies())) as show:
        return compare_live(
            server,
            items,
            arms(),
            policies(),
            prices=PRICES,
            ceiling_usd=CEILING_USD,
            seed=seed,
            seconds=seconds,
            progress=lambda done, total, spent: show(done, total, f"asking, {show_usd(spent)} spent"),
        )


def _replayed(seed: int | None) -> Comparison:
    from thinkcap.demo import CEILING_USD, compare_recorded, policies, recording_path
    from thinkcap.evals import load_recording

    recording = load_recording(recording_path())
    with bar("replaying", len(recording.questions) * len(policies())) as show:
        return compare_recorded(
            recording,
            policies(),
            ceiling_usd=CEILING_USD,
            seed=seed or 0,
            progress=lambda done, total: show(done, total),
        )


def _draw(found: Comparison, target: str) -> None:
    from thinkcap.demo import curve_path, draw
    from thinkcap.policies.curves import Curve

    try:
        Path(target).write_text(draw(found, Curve.load(curve_path())), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot write the picture {target}: {error.strerror}; name another with --picture") from None


def _show(found: Comparison, target: str | None, seconds: float) -> None:
    from thinkcap.demo import verdict

    rows = []
    for name, side in found.sides.items():
        accuracy = side.interval
        rows.append(
            [
                name,
                f"{accuracy.mean:.1%}",
                f"{accuracy.low:.1%} to {accuracy.high:.1%}",
                f"${1000 * side.usd.mean():.4f}",
                f"{side.attempts.mean():.2f}",
                show_usd(side.most_nusd),
                show_usd(found.ceiling_nusd),
            ]
        )
    how = (
        f"Act 2: {found.model}, asked live: {found.questions} questions, seed {found.seed}, {seconds:.0f} s"
        if found.live
        else f"Act 2: {found.model}, the shipped recording replayed: {found.questions} questions"
    )
    columns = ["policy", "right", "95 % interval", "$ / 1,000 questions", "attempts", "dearest question", "ceiling"]
    table(how, columns, rows)
    for line in verdict(found):
        typer.echo(line)
    typer.echo("o3 on ARC-AGI-1, as published: low 75.7 % at 0.33M tokens a task, high 87.5 % at 57M")
    if target is not None:
        typer.echo(f"picture: {target}")
