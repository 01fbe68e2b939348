"""``thinkcap evaluate``: the policy that would have been chosen, cross-fitted, beside every baseline."""

from __future__ import annotations

from typing import Annotated

import typer

from thinkcap.cli.evaluated import of_note, show_evaluation
from thinkcap.cli.options import JsonOption
from thinkcap.cli.recorded import (
    ChosenArmOption,
    DatasetOption,
    FoldsOption,
    IntersectOption,
    PerfectVerifierOption,
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
from thinkcap.cli.show import bar

__all__ = ["evaluate"]


def evaluate(
    recording: RecordingArgument = None,
    arm: ChosenArmOption = None,
    dataset: DatasetOption = None,
    intersect: IntersectOption = False,
    reprice: RepriceOption = None,
    price: PriceOption = None,
    perfect_verifier: PerfectVerifierOption = False,
    folds: FoldsOption = 5,
    repeats: RepeatsOption = 20,
    permutations: PermutationsOption = 100,
    seed: Annotated[int, typer.Option("--seed", help="Seed of orders, folds and samples.")] = 0,
    ablation: Annotated[
        bool, typer.Option("--ablation", help="Also show what each class of policy added, at equal cost.")
    ] = False,
    rows: RowsOption = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """What choosing a policy by its value would have come to, on questions it was not chosen on.

    At each price (what a right answer is worth) a policy is chosen from nested classes on part of the questions and
    measured on the rest. It is held against every baseline, at that one's cost and at its accuracy; baselines are not
    fitted. Mean budgets are met by mixing policies. With --perfect-verifier the policies are chains of attempts until
    one passes, fitted on the same part of the questions.
    """
    from thinkcap.evals import RowsOf, evaluate_verified, perfectly_verified, write_rows
    from thinkcap.evals import evaluate as evaluate_votes

    found = read_recording(
        recording,
        dataset=dataset,
        arms=arm,
        intersect=intersect,
        reprice=reprice,
        price=price,
        perfect_verifier=perfect_verifier,
    )
    with bar("evaluating", None) as show:

        def progress(what: str, done: int, total: int) -> None:
            show(done, total, what)

        if perfect_verifier:
            permutations = 1  # the figures are exact over all of them
            result = evaluate_verified(
                found, arm, folds=folds, repeats=repeats, seed=seed, ablation=ablation, progress=progress
            )
            found = perfectly_verified(found)
        else:
            result = evaluate_votes(
                found,
                arm,
                folds=folds,
                repeats=repeats,
                permutations=permutations,
                seed=seed,
                ablation=ablation,
                progress=progress,
            )
    if rows is not None:
        dealt = result.crossfit.folds.tolist()
        ours = [RowsOf(each, point=each.arms[0], folds=dealt) for each in result.ours]
        known = [] if result.oracle is None else [RowsOf(result.oracle)]
        about = {} if result.verifier is None else {"verifier": result.verifier}
        write_rows(rows, [*(RowsOf(each) for each in result.baselines), *known, *ours], about)
    if report is not None:
        shown = [*result.baselines, *of_note(result.ours)]
        write_report(found, shown, permutations=permutations, seed=seed, page=report, plot=None)
    show_evaluation(result, as_json=as_json)
