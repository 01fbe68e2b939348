"""Does what a plan promises of a curve hold on questions the curve never saw?

    python benchmarks/plan.py FILE.parquet --dataset gsm8k --target .92 --target .94 [--splits 10]

Questions are halved; a curve is fitted on one half, the plan's cheapest way to the target is replayed on the other.
Prints, over the splits, the target beside the accuracy that came out, the dollars a question planned beside those
spent, and how often the accuracy that came out lies within the planned interval (widened for the other half's luck).
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from thinkcap.evals import Recording, fit_curve, load_recording, replay
from thinkcap.policies import BadInput
from thinkcap.policies.plan import curve_option, make_plan


def halves(path: str, dataset: str | None, seed: int, folder: Path) -> tuple[Recording, Recording]:
    """The recording's questions in two halves."""
    rows = pq.read_table(path)
    if dataset is not None:
        rows = rows.filter(pc.equal(rows["dataset"], dataset))
    names = sorted(set(rows["question_id"].to_pylist()))
    np.random.default_rng(seed).shuffle(names)
    found = []
    for part, half in enumerate((names[::2], names[1::2])):
        file = folder / f"{part}.parquet"
        pq.write_table(rows.filter(pc.is_in(rows["question_id"], pa.array(half))), file)
        found.append(load_recording(file))
    return found[0], found[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--dataset")
    parser.add_argument("--target", type=float, action="append", required=True)
    parser.add_argument("--splits", type=int, default=10)
    asked = parser.parse_args()
    came: dict[float, list[tuple[float, float, float, bool]]] = {target: [] for target in asked.target}
    refused = dict.fromkeys(asked.target, 0)
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(asked.splits):
            first, other = halves(asked.file, asked.dataset, seed, Path(folder))
            curve = fit_curve(first, seed=seed)
            for target in asked.target:
                plan = make_plan([curve_option("curve", curve)], demand=1, target=target)
                way = plan.ways[0]
                if way.total is None:
                    refused[target] += 1
                    continue
                try:
                    chosen = curve.policy(accuracy=target)
                except BadInput:
                    refused[target] += 1
                    continue
                got = replay(other, chosen.policy, permutations=50, seed=seed)
                right, usd = float(got.accuracy.mean()), float(got.usd.mean())
                expected = chosen.expected.accuracy
                n = len(other.questions)
                luck = 1.96 * math.sqrt(right * (1 - right) / n)  # an upper bound: replay averages over attempts
                below, above = expected.mean - expected.low, expected.high - expected.mean
                inside = -math.hypot(below, luck) <= right - expected.mean <= math.hypot(above, luck)
                came[target].append((right, way.total.usd_per_question, usd, inside))
    print("target | right (sd over splits) | $ planned | $ spent | within the interval | out of reach")
    for target, rows in came.items():
        if not rows:
            print(f"{100 * target:g} % | - | - | - | - | {refused[target]} of {asked.splits}")
            continue
        scores, planned, spent, held = np.array(rows, dtype=float).T
        print(
            f"{100 * target:g} % | {100 * scores.mean():.2f} % ({100 * scores.std():.2f}) | {planned.mean():.3g} | "
            f"{spent.mean():.3g} | {int(held.sum())} of {len(rows)} | {refused[target]} of {asked.splits}"
        )


if __name__ == "__main__":
    main()
