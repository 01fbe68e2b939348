"""What one decision costs: microseconds of ``Policy.decide`` in states that episodes really pass through.

    python benchmarks/decision.py [FILE --dataset D] [--orders 3]

Without a file: the curve that ships, on the recording that ships. With one: a curve is fitted on it first. Each of the
curve's policies is replayed once in each order, its states are kept, and then every state is decided on again, timed
one by one. Beside it stands the median of ``json.dumps`` of a small request, to put it in proportion: a call takes
several of those.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections import Counter

import numpy as np

from thinkcap.demo import curve_path, recording_path
from thinkcap.evals import Recording, fit_curve, load_recording
from thinkcap.evals.tape import Tape
from thinkcap.policies import Call, Policy, State, in_words
from thinkcap.policies.curves import Curve
from thinkcap.policies.episode import next_move

QUESTIONS = 100


def states_of(policy: Policy, recording: Recording, orders: int) -> list[State]:
    """All states that a policy decides in, at some of the questions."""
    states = []
    for place in range(min(QUESTIONS, len(recording.questions))):
        tape = Tape(recording, place, recording.arms, orders, 0, "this benchmark")
        for order in range(orders):
            state, used = State(tape.question, recording.arms), Counter[str]()
            states.append(state)
            while isinstance(move := next_move(policy, state), Call):
                label = move.arm.label
                state = state.after(tape.attempt(move, order, used[label], len(state.attempts) + 1))
                used[label] += 1
                states.append(state)
    return states


def microseconds(policy: Policy, states: list[State]) -> np.ndarray:
    """Of each decision, the least of three."""
    found = np.full((3, len(states)), np.nan)
    for repeat in range(3):
        for place, state in enumerate(states):
            begun = time.perf_counter_ns()
            policy.decide(state)
            found[repeat, place] = (time.perf_counter_ns() - begun) / 1000
    least: np.ndarray = found.min(axis=0)
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?")
    parser.add_argument("--dataset")
    parser.add_argument("--orders", type=int, default=3)
    asked = parser.parse_args()
    recording = load_recording(asked.file or recording_path(), dataset=asked.dataset)
    curve = fit_curve(recording) if asked.file else Curve.load(curve_path())
    request = {"model": "m", "messages": [{"role": "user", "content": "What is six times seven?" * 10}], "n": 1}
    beside = []
    for _ in range(10_000):
        begun = time.perf_counter_ns()
        json.dumps(request)
        beside.append((time.perf_counter_ns() - begun) / 1000)
    print(f"json.dumps of a small request: {np.median(beside):.1f} microseconds at the median")
    print("policy | states | median | 99th percentile, microseconds")
    points = curve.frontier()
    means = [point.expected.usd.mean for point in points]
    wishes = [curve.policy(mean_usd=(low + high) / 2).policy for low, high in itertools.pairwise(means)]
    for policy in [*(point.policy for point in points), *wishes]:
        states = states_of(policy, recording, asked.orders)
        took = microseconds(policy, states)
        print(f"{in_words(policy)[:80]} | {len(states)} | {np.median(took):.1f} | {np.quantile(took, 0.99):.1f}")


if __name__ == "__main__":
    main()
