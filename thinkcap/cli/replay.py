"""``thinkcap replay``: what policies would have cost and scored on recorded attempts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thinkcap.cli.options import JsonOption
from thinkcap.cli.recorded import (
    ChosenArmOption,
    DatasetOption,
    IntersectOption,
    PerfectVerifierOption,
    PermutationsOption,
    PriceOption,
    RecordingArgument,
    ReportOption,
    RepriceOption,
    RowsOption,
    read_recording,
)
from thinkcap.cli.report import write_report
from thinkcap.cli.show import bar, print_json, say, table
from thinkcap.cli.wish import AccuracyOption, MeanUsdOption, Wish, WorthUsdOption
from thinkcap.policies import Expected, Policy, one_arm

if TYPE_CHECKING:
    from thinkcap.evals import Field, Recording, Replay, Summary

__all__ = ["replay"]


def replay(
    recording: RecordingArgument = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            "--policy",
            help="fixed, vote:K, lead:K, adaptive-consistency:T, esc:W, ladder:ARM>ARM, cascade:ARM>ARM@T, "
            "chain:ARM>ARM, curve:FILE (with one of the next three options) or MODULE:NAME. Repeat it.",
        ),
    ] = None,
    accuracy: AccuracyOption = None,
    mean_usd: MeanUsdOption = None,
    worth_usd: WorthUsdOption = None,
    arm: ChosenArmOption = None,
    dataset: DatasetOption = None,
    intersect: IntersectOption = False,
    reprice: RepriceOption = None,
    price: PriceOption = None,
    perfect_verifier: PerfectVerifierOption = False,
    ceiling: Annotated[str | None, typer.Option("--ceiling", help="Dollars a question may cost at most.")] = None,
    permutations: PermutationsOption = 100,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the orders.")] = 0,
    rows: RowsOption = None,
    report: ReportOption = None,
    plot: Annotated[
        str | None, typer.Option("--plot", help="Draw the frontier (.png, .svg or .pdf).", metavar="FILE")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What each policy would have cost and scored, with a 95 % interval over questions.

    A rule about one arm (fixed, vote, lead, adaptive-consistency, esc) is replayed on each arm.
    """
    from thinkcap.evals import PERFECT, RowsOf, perfectly_verified, sweep, write_rows

    found = read_recording(
        recording,
        dataset=dataset,
        arms=arm,
        intersect=intersect,
        reprice=reprice,
        price=price,
        perfect_verifier=perfect_verifier,
    )
    if perfect_verifier:
        found = perfectly_verified(found)
    verifier = PERFECT if perfect_verifier else None
    wish = Wish(accuracy, mean_usd, worth_usd)
    wish.check_used(policy or [])
    plans = [plan for text in policy or ["fixed"] for plan in _plans(text, found, arm, wish)]
    with bar("replaying", len(found.questions)) as show:
        results = sweep(
            found,
            plans,
            permutations=permutations,
            seed=seed,
            ceiling=ceiling,
            arms=arm,
            progress=lambda done, total: show(done, total, None),
        )
    if rows is not None:
        about = {} if verifier is None else {"verifier": verifier}
        write_rows(rows, [RowsOf(result, point=" + ".join(result.arms)) for result in results], about)
    if report is not None or plot is not None:
        write_report(found, results, permutations=permutations, seed=seed, page=report, plot=plot)
    notes = list(dict.fromkeys([*found.notes, *(note for result in results for note in result.notes)]))
    _show(results, notes, verifier, as_json=as_json)


def _plans(text: str, recording: Recording, arms: Sequence[str] | None, wish: Wish) -> list[tuple[str, Policy]]:
    """The policies a text means: a rule about one arm is one policy for each arm."""
    if not one_arm(text):
        policy = wish.policy(text)
        if isinstance(policy, Expected):
            say(f"thinkcap: {text}: {policy}")
        return [(text, policy)]
    labels = [recording.find_arm(label).label for label in arms] if arms else [one.label for one in recording.arms]
    most = min(recording.fewest(label) for label in labels)
    return [(text, wish.policy(text, label, most=most)) for label in labels]


def _show(results: Sequence[Replay], notes: Sequence[str], verifier: str | None, *, as_json: bool) -> None:
    from thinkcap.evals import Field

    rows, field = [result.summary() for result in results], Field(results)
    if as_json:
        for note in notes:
            warnings.warn(note, stacklevel=2)  # on standard error, beside the JSON
        said = {} if verifier is None else {"verifier": verifier}
        print_json([{**said, **_json(row, place, field)} for place, row in enumerate(rows)])
        return
    cells = [
        [
            row.policy,
            row.arm,
            f"{row.questions:,}",
            f"{row.accuracy:.1%}",
            f"{row.accuracy_low:.1%} to {row.accuracy_high:.1%}",
            f"${row.usd:.3g}" if row.usd else "$0",
            f"{row.output_tokens:,.0f}",
            f"{row.attempts:.2f}",
            _mark(place, field),
        ]
        for place, row in enumerate(rows)
    ]
    columns = ["policy", "arm", "questions", "accuracy", "95 % interval", "$ / question", "output tokens", "attempts"]
    if len(rows) > 1:
        columns.append("frontier")
        notes = [*notes, "frontier: * no other is better, ** nor a mix of two others"]
    else:
        cells = [cell[:-1] for cell in cells]
    table("replay" if verifier is None else f"replay ({verifier})", columns, cells, "\n".join(notes) or None)


def _mark(place: int, field: Field) -> str:
    return "**" if place in field.hull else "*" if place in field.pareto else ""


def _json(row: Summary, place: int, field: Field) -> dict[str, Any]:
    return {
        "policy": row.policy,
        "arm": row.arm,
        "questions": row.questions,
        "accuracy": row.accuracy,
        "accuracy_low": row.accuracy_low,
        "accuracy_high": row.accuracy_high,
        "usd": row.usd,
        "usd_low": row.usd_low,
        "usd_high": row.usd_high,
        "output_tokens": row.output_tokens,
        "attempts": row.attempts,
        "mc_error": None if row.mc_error != row.mc_error else row.mc_error,
        "pareto": place in field.pareto,
        "hull": place in field.hull,
    }
