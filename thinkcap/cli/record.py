"""``thinkcap record``: ask a set of questions many times and write every attempt down."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

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
from thinkcap.cli.show import bar, print_json
from thinkcap.policies import header, nano_usd, show_usd

__all__ = ["record"]


def record(
    questions: Annotated[str, typer.Argument(help="JSON lines: question, answer, and optionally id and extract.")],
    budget: Annotated[str, typer.Option("--budget", help="Dollars this run may spend at most.")],
    output: Annotated[
        str, typer.Option("--output", "-o", help="The recording (.jsonl or .parquet); an existing one goes on.")
    ],
    arm: ArmOption = None,
    attempts: Annotated[int, typer.Option("--attempts", help="Attempts of each question at each arm.", min=1)] = 8,
    concurrency: Annotated[int, typer.Option("--concurrency", help="Calls in flight at most.", min=1)] = 8,
    extract: Annotated[
        str | None,
        typer.Option("--extract", help="How to read answers where a question does not say: number, choice, boxed ..."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the order, which is shuffled.")] = 0,
    keep_answers: Annotated[
        bool, typer.Option("--keep-answers", help="Write answers as they are, instead of as keyed hashes.")
    ] = False,
    keep_text: Annotated[bool, typer.Option("--keep-text", help="Write the output texts too.")] = False,
    base_url: BaseUrlOption = None,
    price: PriceOption = None,
    api: ApiOption = "chat",
    max_output_tokens: MaxOutputOption = None,
    temperature: TemperatureOption = None,
    local: LocalOption = False,
    as_json: JsonOption = False,
) -> None:
    """Ask every question at every arm a number of times, and write each attempt down.

    Every attempt is on disk as soon as it is paid for. Run the same command again after an interruption, or with
    more attempts: what the file holds is not asked, or paid, twice. A .parquet file is written at the end of each run,
    from the JSON lines beside it.
    """
    arms = read_arms(arm, api=api, max_output_tokens=max_output_tokens, temperature=temperature, local=local)
    from thinkcap.controller import Account, Recorder, read_questions
    from thinkcap.controller import record as make

    items = read_questions(questions, extract=extract)
    nano_usd(budget, "--budget")  # refused by the option's own name
    account = Account(budget, name="record")
    lines = f"{output}.jsonl" if output.endswith(".parquet") else output
    about = {"command": shlex.join(["thinkcap", *sys.argv[1:]]), "seed": seed}
    with (
        where(base_url, price, local=local) as place,
        Recorder(lines, keep_answers=keep_answers, keep_text=keep_text, about=about) as recorder,
        bar("recording", len(items) * len(arms) * attempts) as show,
    ):
        done = make(
            place.client,
            items,
            arms,
            recorder,
            attempts=attempts,
            account=account,
            concurrency=concurrency,
            seed=seed,
            prices=place.prices,
            progress=lambda state: show(
                state.before + state.made, state.wanted, f"recording, {show_usd(state.spent_nusd)} spent"
            ),
        )
    if lines != output:
        _as_parquet(lines, output)
    if as_json:
        print_json(
            {
                "recording": output,
                "wanted": done.wanted,
                "before": done.before,
                "made": done.made,
                "failed": done.failed,
                "spent_usd": show_usd(done.spent_nusd)[1:],
                "stopped": done.stopped,
            }
        )
    else:
        typer.echo(
            f"{output}: {done.before + done.made} of {done.wanted} attempts, {done.made} made now for "
            f"{show_usd(done.spent_nusd)}"
        )
        if done.failed:
            typer.echo(f"{done.failed} attempts did not get through; run the same command again to make them")
        if done.stopped:
            typer.echo(f"ended early: {done.stopped}; run it again with a larger --budget to go on")
    if done.stopped:
        raise typer.Exit(3)


def _as_parquet(lines: str, output: str) -> None:
    """Write what was recorded as one Parquet file, with the header of the JSON lines."""
    from thinkcap.evals import write_recording

    about, rows = header(), []
    for line in Path(lines).read_text("utf-8").splitlines():
        found = json.loads(line)
        if "question_id" in found:
            rows.append(found)
        elif "schema" in found:
            about = found
    if rows:
        write_recording(output, rows, about)
