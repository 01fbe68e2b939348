"""``thinkcap fit``: a curve from recorded attempts, and what it says."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
    RepriceOption,
    read_recording,
)
from thinkcap.cli.show import bar, print_json, table
from thinkcap.policies import in_words
from thinkcap.policies.money import NANO

if TYPE_CHECKING:
    from thinkcap.evals import Recording
    from thinkcap.policies.curves import ArmCurve, Curve, Measured
    from thinkcap.policies.interval import Interval

__all__ = ["fit"]

_ENDS = (
    "each line is worth its money where one more right answer is worth as much as its last column says; between two "
    "lines lies every mix of them, and beyond the last more attempts buy nothing"
)


def fit(
    recording: RecordingArgument = None,
    dataset: DatasetOption = None,
    arm: ChosenArmOption = None,
    intersect: IntersectOption = False,
    reprice: RepriceOption = None,
    price: PriceOption = None,
    perfect_verifier: PerfectVerifierOption = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the curve to this file, as JSON.", metavar="FILE")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw it to this file: .png, .svg or .pdf.", metavar="FILE")
    ] = None,
    policies: Annotated[
        bool,
        typer.Option("--policies/--no-policies", help="Choose, by replay, the policies worth having."),
    ] = True,
    folds: FoldsOption = 5,
    repeats: RepeatsOption = 20,
    permutations: PermutationsOption = 100,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the folds and of the resampled questions.", min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Fit a test-time scaling curve: what each arm's attempts buy, at what cost, and where that ends.

    Prints what it found, with 95 % intervals over questions, and what to record next; then the policies that are worth
    having, from the cheapest price to the dearest, with what each came to on questions that its choice never saw.
    "thinkcap solve --curve FILE" and "thinkcap replay --policy curve:FILE" take one of them, or a mix of two.
    """
    from thinkcap.evals import PERFECT, fit_curve, perfectly_verified
    from thinkcap.policies.curves import Curve

    found = read_recording(
        recording,
        dataset=dataset,
        arms=arm,
        intersect=intersect,
        reprice=reprice,
        price=price,
        perfect_verifier=perfect_verifier,
    )
    verifier = PERFECT if perfect_verifier else None
    labels = None if arm is None else [found.find_arm(label).label for label in arm]
    with bar("fitting", None) as show:
        if policies:
            curve = fit_curve(
                found,
                labels,
                folds=folds,
                repeats=repeats,
                permutations=permutations,
                seed=seed,
                perfect_verifier=perfect_verifier,
                progress=lambda what, done, total: show(done, total, what),
            )
        else:
            curve = Curve.fit(
                perfectly_verified(found) if perfect_verifier else found,
                arms=labels,
                seed=seed,
                price_date=found.price_date,
                progress=lambda done, total: show(done, total, None),
            )
    if output is not None:
        curve.save(output)
    if plot is not None:
        curve.plot(plot, measured=_measured(found, curve))
    notes = list(dict.fromkeys([*(perfectly_verified(found) if perfect_verifier else found).notes, *curve.notes]))
    if as_json:
        for note in notes:
            warnings.warn(note, stacklevel=2)  # on standard error, beside the JSON
        print_json({**({} if verifier is None else {"verifier": verifier}), **_json(curve)})
        return
    _show(curve, notes, "" if verifier is None else f" ({verifier})")


def _measured(recording: Recording, curve: Curve) -> dict[str, list[Measured]]:
    """Votes of a few sizes as they were recorded, exactly counted, to mark in the picture."""
    from thinkcap.evals import bootstrap_mean, majority_accuracy
    from thinkcap.policies.curves import Measured

    found: dict[str, list[Measured]] = {}
    for arm in curve.arms:
        label = arm.arm.label
        for votes in (3, 5, 9, 15, 25):
            if arm.votes and votes < recording.fewest(label):
                each = majority_accuracy(recording, label, votes)
                interval = bootstrap_mean(each[each == each], replicates=500)
                found.setdefault(label, []).append(Measured("vote", votes, interval))
    return found


def _show(curve: Curve, notes: list[str], under: str) -> None:
    from thinkcap.policies.curves import reach

    shares = ["one attempt, %", "votes come to, %", "any of 2n, %"]
    columns = ["arm", "questions", *shares, "tokens, p95", "$ each", "family"]
    rows = []
    for arm in curve.arms:
        label = arm.arm.label
        law = arm.tokens
        rows.append(
            [
                label,
                f"{arm.questions:,} x {arm.most}",
                _points(curve.interval(label)),
                _votes(curve, arm),
                _points(curve.interval(label, reach(arm), how="verified")) if arm.most > 1 else "-",
                f"{law.median:,.0f}, {law.quantile(0.95):,.0f}",
                f"{arm.nusd() / NANO:.3g}",
                arm.rightness.family,
            ]
        )
    said = [advice.text for advice in curve.advice[:3]]
    caption = "\n".join([*notes, *(f"to record next: {text}" for text in said)])
    table(f"curve{under}", columns, rows, caption)
    if curve.points:
        heads = ["policy", "right, %", "$ / 1,000 questions", "output tokens", "attempts", "from a worth of"]
        table(f"what money buys{under}", heads, _points_rows(curve), _ENDS)


def _points_rows(curve: Curve) -> list[list[str]]:
    rows, before = [], None
    for point in curve.points:
        expected = point.expected
        slope = "-"
        if before is not None:
            gain = expected.accuracy.mean - before.accuracy.mean
            slope = f"${(expected.usd.mean - before.usd.mean) / gain:.3g}"
        before = expected
        rows.append(
            [
                in_words(point.policy),
                _points(expected.accuracy),
                f"{1000 * expected.usd.mean:.4g}",
                f"{expected.output_tokens:,.0f}",
                f"{expected.attempts:.2f}",
                slope,
            ]
        )
    return rows


def _votes(curve: Curve, arm: ArmCurve) -> str:
    if not arm.votes:
        return "-"
    best = curve.more_votes_hurt(arm.arm.label)
    text = _points(curve.plateau(arm.arm.label))
    return text if best is None else f"{text}, best with {best}"


def _points(interval: Interval) -> str:
    return f"{100 * interval.mean:.1f} ({100 * interval.low:.1f}-{100 * interval.high:.1f})"


def _json(curve: Curve) -> dict[str, Any]:
    return {
        "points": [
            {
                "policy": in_words(point.policy),
                "accuracy": _figures(point.expected.accuracy),
                "usd": point.expected.usd.mean,
                "usd_low": point.expected.usd.low,
                "usd_high": point.expected.usd.high,
                "output_tokens": point.expected.output_tokens,
                "attempts": point.expected.attempts,
                "agreed": point.expected.agreed,
            }
            for point in curve.points
        ],
        "source": curve.source,
        "fingerprint": curve.fingerprint,
        "questions": curve.questions,
        "converged": curve.converged,
        "price_date": curve.price_date,
        "residual_correlation": curve.residual,
        "wrong_agreement": [list(row) for row in curve.agreement],
        "arms": [_arm_json(curve, arm) for arm in curve.arms],
        "advice": [{"arm": one.arm, "questions": list(one.questions), "text": one.text} for one in curve.advice],
    }


def _arm_json(curve: Curve, arm: ArmCurve) -> dict[str, Any]:
    from thinkcap.policies.curves import reach

    label = arm.arm.label
    law = arm.tokens
    return {
        "arm": label,
        "questions": arm.questions,
        "attempts": arm.attempts,
        "converged": arm.converged,
        "family": arm.rightness.family,
        "held_out": {choice.rightness.family: choice.held_out for choice in arm.choices},
        "once": _figures(curve.interval(label)),
        "vote_plateau": _figures(curve.plateau(label)) if arm.votes else None,
        "best_votes": curve.more_votes_hurt(label) if arm.votes else None,
        "wrong_share": arm.wrong_share if arm.votes else None,
        "coverage": {"attempts": reach(arm), **_figures(curve.interval(label, reach(arm), how="verified"))},
        "coverage_by_family": arm.by_family("verified", reach(arm)),
        "coverage_plateau": _figures(curve.plateau(label, how="verified")),
        "tokens_median": law.median,
        "tokens_p95": law.quantile(0.95),
        "usd": arm.nusd() / NANO,
        "loading": arm.loading,
    }


def _figures(interval: Interval) -> dict[str, float]:
    return {"accuracy": interval.mean, "low": interval.low, "high": interval.high}
