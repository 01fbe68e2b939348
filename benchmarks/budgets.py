"""A budget shared by many questions, in replay: a batch and a stream beside simply mixing policies, and the dual bound.

    python benchmarks/budgets.py [FILE --dataset D] [--splits 4] [--permutations 10]

Half of the questions fit a curve, the other half is answered under one budget; both ways round. Budgets lie between
what the cheapest and the dearest of the curve's policies are expected to cost. Beside each stand:

- *mix*: ``curve.policy(mean_usd=)`` at the same expected cost, which no budget holds, with what it really cost;
- *hull*: what the same policies, mixed at their real cost on these very questions, come to at exactly the budget;
- *dual*: the most that any choice among these policies, question by question, could come to at the budget.

Accuracies are in percent; after ``@`` is the money spent over the budget, the least and the most of all orders.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.calibration import halves
from thinkcap.demo import recording_path
from thinkcap.evals import dual_bound, fit_curve, load_recording, replay_shared, sweep
from thinkcap.policies import BadInput

PARTS = (0.05, 0.15, 0.35, 0.6, 0.85)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?")
    parser.add_argument("--dataset")
    parser.add_argument("--splits", type=int, default=4)
    parser.add_argument("--permutations", type=int, default=10)
    asked = parser.parse_args()
    recording = load_recording(asked.file or recording_path(), dataset=asked.dataset)
    luck = np.random.default_rng(2026)
    found: dict[float, list[list[float]]] = {part: [] for part in PARTS}
    for number in range(asked.splits):
        parts = halves(recording, luck)
        fitted, judged = parts if number % 2 else parts[::-1]
        curve = fit_curve(fitted, repeats=10, permutations=40, seed=number)
        points, size = curve.frontier(), len(judged.questions)
        low, high = points[0].expected.usd.mean, points[-1].expected.usd.mean
        each = sweep(judged, [(str(place), point.policy) for place, point in enumerate(points)], permutations=40)
        usd, right = np.array([one.usd for one in each]), np.array([one.accuracy for one in each])
        for part in PARTS:
            budget = low + part * (high - low)
            (mix,) = sweep(judged, [("mix", curve.policy(mean_usd=budget).policy)], permutations=40)
            try:
                dual = dual_bound(usd, right, budget)
            except BadInput:  # these questions are dearer than expected
                dual = float("nan")
            row = [mix.accuracy.mean(), mix.usd.mean() / budget]
            row += [float(np.interp(budget, usd.mean(axis=1), right.mean(axis=1))), dual]
            for arrival in ("batch", "stream"):
                shared = replay_shared(
                    judged,
                    points,
                    budget * size,
                    arrival="batch" if arrival == "batch" else "stream",
                    permutations=asked.permutations,
                )
                assert (shared.usd <= shared.budget_usd).all(), "the budget was passed"
                spent = shared.usd / shared.budget_usd
                row += [shared.right.mean(), spent.mean(), spent.min(), spent.max(), shared.unanswered.mean()]
            found[part].append([float(figure) for figure in row])
        print(f"split {number + 1} of {asked.splits}", flush=True)
    print("budget | mix | hull | dual | batch | stream | unanswered by either")
    for part, rows in found.items():
        mix, paid, hull, dual, *both = np.nanmean(rows, axis=0)
        ends = [(min(row[i] for row in rows), max(row[i + 1] for row in rows)) for i in (6, 11)]
        ours = [
            f"{100 * both[start]:.2f} @ {both[start + 1]:.3f} ({least:.3f} to {most:.3f})"
            for start, (least, most) in zip((0, 5), ends, strict=True)
        ]
        print(
            f"{part:.0%} | {100 * mix:.2f} @ {paid:.3f} | {100 * hull:.2f} | {100 * dual:.2f} | {' | '.join(ours)}"
            f" | {both[4]:.1f}, {both[9]:.1f}"
        )


if __name__ == "__main__":
    main()
