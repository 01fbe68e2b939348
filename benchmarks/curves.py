"""Curves against what they were fitted on, and planted curves against their intervals.

``python benchmarks/curves.py FILE [--dataset D] [--arm ARM ...]`` prints for each arm the held-out log-likelihood of
each family relative to the beta family (per question), and how far the curve's votes and coverage are from the
recorded ones, exactly counted. ``python benchmarks/curves.py --planted 200`` fits so many planted recordings and prints
how often each 95 % interval holds the truth, its median width, and the figures' bias and spread.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict

import numpy as np

from thinkcap.evals import Planted, Recording, load_recording, majority_accuracy, plant
from thinkcap.policies.curves import ArmCurve, Curve, Rightness, Shape
from thinkcap.policies.curves.grid import project
from thinkcap.policies.curves.wrong import limit_table, vote_table
from thinkcap.policies.interval import Interval

PLANTED = (
    (Planted("beta, n = 8", Rightness("beta", 2.0, 1.0)), 200, 8),
    (Planted("beta, n = 16", Rightness("beta", 0.8, 0.3), Shape(0.0, 1.5, 1.0)), 300, 16),
    (Planted("beta, 40 questions", Rightness("beta", 0.8, 0.3), Shape(0.0, 1.5, 1.0)), 40, 16),
    (Planted("inflated, n = 6", Rightness("inflated", 3.0, 1.0, 1.0, 0.05, 0.1)), 150, 6),
)
LARGE = 400_000
SEED = 10_000


def compare(recording: Recording, arms: list[str] | None) -> None:
    """Print one recording's table."""
    begun = time.perf_counter()
    curve = Curve.fit(recording, arms=arms)
    print(f"{recording.source}: {len(curve.arms)} arms fitted in {time.perf_counter() - begun:.1f} s")
    print("arm | chosen | scaled - beta | inflated - beta | largest distance of votes | of coverage, in points")
    for arm in curve.arms:
        label = arm.arm.label
        held = {choice.rightness.family: choice.held_out for choice in arm.choices}
        gains = [held[family] - held["beta"] if family in held else float("nan") for family in ("scaled", "inflated")]
        fewest = recording.fewest(label)
        steps = sorted({k for k in (1, 2, 3, 5, 8, 15, 40) if k <= fewest} | {fewest})
        votes = [
            arm.accuracy("vote", k) - np.nanmean(majority_accuracy(recording, label, k)) for k in steps if arm.votes
        ]
        covers = [
            arm.accuracy("verified", one.attempts) - one.accuracy.mean for one in arm.measured if one.how == "verified"
        ]
        away = [f"{100 * max(np.abs(each)):.2f}" if len(each) else "-" for each in (votes, covers)]
        print(
            f"{label} | {arm.rightness.family} | {gains[0]:+.4f} | {gains[1]:+.4f} | {away[0]} | {away[1]}"
            f" | loading {arm.loading:.2f}, tie {arm.tokens.tie:+.2f}"
        )


def figures(arm: ArmCurve, attempts: int, cap: int) -> dict[str, Interval]:
    """The figures whose intervals are checked."""
    return {
        "one attempt": arm.interval("vote", 1),
        "vote of 5": arm.interval("vote", 5),
        f"vote of {attempts}": arm.interval("vote", attempts),
        "plateau": arm.limit("vote"),
        "any of 5": arm.interval("verified", 5),
        f"any of {attempts}": arm.interval("verified", attempts),
        f"one under {cap} tokens": arm.interval("vote", 1, cap),
    }


def true_figures(law: Planted, attempts: int, cap: int) -> dict[str, float]:
    """What the law itself comes to: sums over the curves' grid, and under a cap a very large recording."""
    joint = project(*law.rightness.nodes(128))[:, None] * law.shape.given()
    large = plant([law], LARGE, 1, seed=1)
    return {
        "one attempt": law.rightness.mean,
        "vote of 5": float((joint * vote_table(5, 0.0)).sum()),
        f"vote of {attempts}": float((joint * vote_table(attempts, 0.0)).sum()),
        "plateau": float((joint * limit_table(0.0)).sum()),
        "any of 5": float(law.rightness.coverage(5)),
        f"any of {attempts}": float(law.rightness.coverage(attempts)),
        f"one under {cap} tokens": float(np.mean((large.correct == 1) & (large.output_tokens <= cap))),
    }


def cover(law: Planted, questions: int, attempts: int, repeats: int) -> None:
    """Print how often the intervals hold what a very large recording of the same law comes to."""
    cap = round(1.5 * float(np.exp(law.tokens[0])))
    truth = true_figures(law, attempts, cap)
    found = defaultdict(list)
    for seed in range(SEED, SEED + repeats):
        arm = Curve.fit(plant([law], questions, attempts, seed=seed)).arm()
        for what, interval in figures(arm, attempts, cap).items():
            found[what].append(interval)
    print(f"{law.label}: {questions} questions x {attempts}, {repeats} recordings")
    for what, intervals in found.items():
        inside = np.mean([one.low <= truth[what] <= one.high for one in intervals])
        width = np.median([one.high - one.low for one in intervals])
        error = np.array([one.mean - truth[what] for one in intervals])
        print(f"  {what}: {inside:.1%} covered, width {width:.4f}, bias {error.mean():+.4f}, spread {error.std():.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("recording", nargs="?")
    parser.add_argument("--dataset")
    parser.add_argument("--arm", action="append")
    parser.add_argument("--planted", type=int, metavar="REPEATS")
    options = parser.parse_args()
    if options.planted:
        for law, questions, attempts in PLANTED:
            cover(law, questions, attempts, options.planted)
    if options.recording:
        recording = load_recording(options.recording, dataset=options.dataset, arms=options.arm)
        compare(recording, options.arm)


if __name__ == "__main__":
    main()
