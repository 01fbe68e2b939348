"""Which simple policy is best on the recording that ships, chosen on one half of the questions, reported on the other.

    python benchmarks/policies.py [--permutations 20]

Prints every candidate on all questions; then, for each half, the candidate that the other half chooses (the cheapest
whose accuracy is within one standard error of the best) and what it comes to here, beside high.
"""

from __future__ import annotations

import argparse

import numpy as np

from thinkcap.demo import CEILING_USD, recording_path
from thinkcap.evals import Replay, load_recording, paired_difference, replay
from thinkcap.policies import parse_policy

CANDIDATES = [
    ("fixed", "low"),
    ("fixed", "medium"),
    ("fixed", "high"),
    ("vote:3", "medium"),
    ("vote:8", "medium"),
    ("vote:3", "high"),
    ("vote:5", "high"),
    ("vote:8", "high"),
    ("lead:2/8", "medium"),
    ("lead:3/8", "medium"),
    ("lead:2/5", "high"),
    ("lead:2/8", "high"),
    ("lead:3/8", "high"),
    ("adaptive-consistency:0.9/8", "high"),
    ("esc:2/8", "high"),
    ("esc:3/8", "high"),
    ("ladder:medium*2>high*6", None),
    ("ladder:medium*3>high*5", None),
]
HIGH = "vote:8 high"


def choose(found: dict[str, Replay], half: np.ndarray) -> str:
    best = max(found.values(), key=lambda one: one.accuracy[half].mean())
    scores = best.accuracy[half]
    enough = scores.mean() - scores.std(ddof=1) / np.sqrt(len(scores))
    good = {name: one for name, one in found.items() if one.accuracy[half].mean() >= enough}
    return min(good, key=lambda name: good[name].usd[half].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--permutations", type=int, default=20)
    asked = parser.parse_args()
    recording = load_recording(recording_path())
    found: dict[str, Replay] = {}
    print(f"{'policy':36} {'right':>7} {'$ / 1,000':>10} {'attempts':>9}")
    for text, arm in CANDIDATES:
        name = text if arm is None else f"{text} {arm}"
        policy = parse_policy(text, arm)
        found[name] = replay(recording, policy, permutations=asked.permutations, ceiling=CEILING_USD, name=name)
        one = found[name].summary()
        print(f"{name:36} {one.accuracy:7.1%} {1000 * one.usd:10.4f} {one.attempts:9.2f}", flush=True)
    halves = np.arange(len(recording.questions)) % 2 == 0
    for here in (halves, ~halves):
        name = choose(found, ~here)
        ours, high = found[name], found[HIGH]
        gap = paired_difference(ours.accuracy[here], high.accuracy[here])
        print(
            f"chosen on the other half: {name}: {ours.accuracy[here].mean():.1%} at"
            f" {ours.usd[here].sum() / high.usd[here].sum():.0%} of the cost of high, which has"
            f" {high.accuracy[here].mean():.1%}; difference {gap.mean:+.1%} ({gap.low:+.1%} to {gap.high:+.1%})"
        )


if __name__ == "__main__":
    main()
