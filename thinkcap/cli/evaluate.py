"""``thinkcap evaluate``: the policy that would have been chosen, cross-fitted, beside every baseline."""

from __future__ import annotations

import warnings
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thinkcap.cli.options import JsonOption
from thinkcap.cli.recorded import (
    ChosenArmOption,
    DatasetOption,
    FoldsOption,
    IntersectOption,
    PermutationsOption,
    PriceOption,
    RecordingArgument,
    RepeatsOption,
    ReportOption,
    RepriceOption,
    RowsOption,
    read_recording,
)
from thinkcap.cli.report import write_report
from thinkcap.cli.show import bar, print_json, table

if TYPE_CHECKING:
    from thinkcap.evals import Evaluation, Replay

__all__ = ["evaluate"]


def evaluate(
    recording: RecordingArgument = None,
    arm: ChosenArmOption = None,
    dataset: DatasetOption = None,
    intersect: IntersectOption = False,
    reprice: RepriceOption = None,
    price: PriceOption = None,
    folds: FoldsOption = 5,
    repeats: RepeatsOption = 20,
    permutations: PermutationsOption = 100,
    seed: Annotated[int, typer.Option("--seed", help="Seed of orders, folds and samples.")] = 0,
    rows: RowsOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """What choosing a policy by its value would have come to, on questions it was not chosen on.

    At each price (what a right answer is worth) a policy is chosen from nested classes on part of the questions and
    measured on the rest. It is held against every baseline, at that one's cost and at its accuracy; baselines are not
    fitted. Between prices policies are mixed.
    """
    from thinkcap.evals import RowsOf, write_rows
    from thinkcap.evals import evaluate as run

    found = read_recording(recording, dataset=dataset, arms=arm, intersect=intersect, reprice=reprice, price=price)
    with bar("evaluating", None) as show:
        result = run(
            found,
            arm,
            folds=folds,
            repeats=repeats,
            permutations=permutations,
            seed=seed,
            progress=lambda what, done, total: show(done, total, what),
        )
    if rows is not None:
        dealt = result.crossfit.folds.tolist()
        ours = [RowsOf(each, point=each.arms[0], folds=dealt) for each in result.ours]
        write_rows(rows, [*(RowsOf(each) for each in result.baselines), *ours])
    if report is not None:
        shown = [*result.baselines, *_some(result.ours)]
        write_report(found, shown, permutations=permutations, seed=seed, page=report, plot=None)
    _show(result, as_json=as_json)


def _some(ours: tuple[Replay, ...]) -> list[Replay]:
    """Ours at prices at which it came to something else than at the one before."""
    found: list[Replay] = []
    for each in ours:
        if not found or abs(each.usd.mean() / max(found[-1].usd.mean(), 1e-12) - 1) > 0.15:
            found.append(each)
    return found


def _show(result: Evaluation, *, as_json: bool) -> None:
    if as_json:
        for note in result.notes:
            warnings.warn(note, stacklevel=2)  # on standard error, beside the JSON
        print_json(_json(result))
        return
    chosen = [
        [
            f"${worth:.3g}",
            f"{each.accuracy.mean():.1%}",
            f"${1000 * each.usd.mean():.4g}",
            f"{each.output_tokens.mean():,.0f}",
            f"{each.attempts.mean():.2f}",
            _classes(result, place),
        ]
        for place, (worth, each) in enumerate(zip(result.crossfit.worths.tolist(), result.ours, strict=True))
        if each in _some(result.ours)
    ]
    heads = ["a right answer is worth", "right", "$ / 1,000 questions", "output tokens", "attempts", "class"]
    table(f"thinkcap, chosen by cross-fitting: {result.questions:,} questions", heads, chosen)
    rows = [
        [
            match.policy,
            f"{replay.accuracy.mean():.1%}",
            f"${1000 * replay.usd.mean():.4g}",
            _points(match.accuracy_gain.mean),
            f"{_points(match.accuracy_gain.low)} to {_points(match.accuracy_gain.high)}",
            _part(match.usd_ratio.mean),
            f"{_part(match.usd_ratio.low)} to {_part(match.usd_ratio.high)}",
        ]
        for match, replay in zip(result.matches, result.baselines, strict=True)
    ]
    heads = ["baseline", "right", "$ / 1,000", "gain at its cost", "95 %", "cost at its accuracy", "95 %"]
    left = [each.hindsight / each.worth_usd for each in result.regrets]
    lines = [
        *result.notes,
        f"regret to the best single arm in hindsight, over {len(left)} prices: "
        f"{100 * sum(left) / len(left):.2f} points in the mean, {100 * max(left):.2f} at the worst",
    ]
    table("thinkcap beside the baselines", heads, rows, "\n".join(lines))


def _classes(result: Evaluation, place: int) -> str:
    counted = result.crossfit.levels[place]
    return ", ".join(f"{level}: {100 * count / counted.sum():.0f} %" for level, count in enumerate(counted) if count)


def _points(share: float) -> str:
    return "-" if share != share else f"{100 * share:+.2f}"


def _part(share: float) -> str:
    return "never" if not isfinite(share) else f"{share:.2f}"


def _number(value: float) -> float | None:
    return value if isfinite(value) else None


def _json(result: Evaluation) -> dict[str, Any]:
    worths = result.crossfit.worths.tolist()
    pairs = [*((None, each) for each in result.baselines), *zip(worths, result.ours, strict=True)]
    return {
        "questions": result.questions,
        "rows": [
            {
                "policy": each.policy,
                "price": price,
                "accuracy": float(each.accuracy.mean()),
                "usd": float(each.usd.mean()),
                "output_tokens": float(each.output_tokens.mean()),
                "attempts": float(each.attempts.mean()),
            }
            for price, each in pairs
        ],
        "comparison": [
            {
                "baseline": match.policy,
                "accuracy_gain_at_its_cost": _number(match.accuracy_gain.mean),
                "low": _number(match.accuracy_gain.low),
                "high": _number(match.accuracy_gain.high),
                "cost_ratio_at_its_accuracy": _number(match.usd_ratio.mean),
                "cost_low": _number(match.usd_ratio.low),
                "cost_high": _number(match.usd_ratio.high),
            }
            for match in result.matches
        ],
        "regret": [
            {"worth_usd": each.worth_usd, "value": each.value, "hindsight": each.hindsight, "oracle": each.oracle}
            for each in result.regrets
        ],
    }
