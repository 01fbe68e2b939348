"""How many episodes a second replay walks, beside a plain loop over the published package's own stop rule.

    python benchmarks/engine.py [--permutations 100] [--sweep 1000] [--scale]

On GSM8K (set THINKCAP_DATA; without it on a synthetic recording of the same size). The draw orders are made once and
given to all; their cost is printed apart. The package is `AdaptiveConsistency` from PyPI; where it is not installed its
line is left out. `--scale` shows time and memory from a thousand to a hundred thousand synthetic questions.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import itertools
import json
import os
import resource
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from thinkcap.evals import Recording, load_recording, sweep
from thinkcap.evals.engine import Deal, deal, plan_of, read_grades, walk
from thinkcap.policies import AdaptiveConsistency, Lead, Policy, Vote


def timed(work: Callable[[], Any], times: int = 5) -> tuple[float, Any]:
    """The least of some runs, in seconds, and what the last one returned."""
    best, found = float("inf"), None
    for _ in range(times):
        start = time.perf_counter()
        found = work()
        best = min(best, time.perf_counter() - start)
    return best, found


def synthetic(questions: int, attempts: int, folder: Path) -> Recording:
    """A recording of answers with a mode that is right at most questions."""
    luck = np.random.default_rng(0)
    path = folder / f"{questions}.jsonl"
    with path.open("w") as file:
        for question in range(questions):
            share = luck.beta(4, 1)
            for attempt in range(attempts):
                answer = 0 if luck.random() < share else int(luck.integers(1, 5))
                row = {"question_id": question, "model": "m", "attempt": attempt, "correct": answer == 0}
                row |= {"answer": str(answer), "completion_tokens": int(luck.integers(50, 200)), "cost_usd": 0.0001}
                file.write(json.dumps(row) + "\n")
    return load_recording(path)


def loop(given: Deal) -> Callable[[], float] | None:
    """The plain loop: every episode by itself, asking the package after each answer whether to stop."""
    try:
        package = importlib.import_module("adaptive_consistency")
    except ImportError:
        return None
    answers = given.hands[0].answer.T.tolist()  # (episodes, draws)

    def run() -> float:
        criterion = package.AC(max_gens=40, stop_criteria=package.BetaStoppingCriteria(0.95))
        drawn = 0
        for mine in answers[:: given.permutations]:  # one permutation of each question
            for made in range(1, len(mine) + 1):
                drawn += 1
                if criterion.should_stop(mine[:made]):
                    break
        return drawn / len(answers[:: given.permutations])

    return run


def many(count: int) -> dict[str, Policy]:
    """Policies of one arm, as many as asked for."""
    found: dict[str, Policy] = {}
    for most, kind in itertools.product(range(2, 41), range(26)):
        policy = Lead(1 + kind, most) if kind < 10 else AdaptiveConsistency(0.55 + 0.025 * (kind - 10), most)
        found[f"{policy}"] = policy
    return dict(itertools.islice(found.items(), count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--permutations", type=int, default=100)
    parser.add_argument("--sweep", type=int, default=1000, help="policies of the sweep; 0 leaves it out")
    parser.add_argument("--scale", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    data = os.environ.get("THINKCAP_DATA")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if data:
            recording = load_recording(Path(data) / "consol_gsm8k_aime24.parquet", dataset="gsm8k")
        else:
            recording = synthetic(1318, 40, folder)
        measure(recording, asked.permutations, asked.sweep)
        if asked.scale:
            scale(folder, asked.permutations)


def measure(recording: Recording, permutations: int, policies: int) -> None:
    questions = range(len(recording.questions))
    grades = read_grades(recording, recording.arms)
    seconds, given = timed(lambda: deal(recording, grades, questions, recording.arms, permutations, 0), 2)
    given.hands[0].nusd, given.hands[0].tokens
    print(f"{len(questions):,} questions x {permutations} orders = {given.episodes:,} episodes")
    print(f"drawing and dealing the orders, once: {seconds:.2f} s ({given.episodes / seconds / 1e6:.2f} M episodes/s)")
    speed = 0.0
    for label, policy in (
        ("adaptive-consistency:0.95", AdaptiveConsistency(0.95, 40)),
        ("lead:3", Lead(3, 40)),
        ("vote:40", Vote(40)),
    ):
        plan = plan_of(policy, recording.arms)
        assert plan is not None
        seconds, found = timed(lambda plan=plan: walk(given, plan, grades.compares, given.is_clean))  # type: ignore[misc]
        speed = speed or given.episodes / seconds
        print(f"{label:<28}{given.episodes / seconds / 1e6:8.2f} M episodes/s, {found.made.mean():.2f} attempts")
    plain = loop(given)
    if plain is None:
        print("the package AdaptiveConsistency is not installed: pip install AdaptiveConsistency")
    else:
        seconds, drawn = timed(plain, 2)
        theirs = len(questions) / seconds
        print(f"{'should_stop in a loop':<28}{theirs / 1e6:8.4f} M episodes/s, {drawn:.2f} attempts")
        print(f"adaptive-consistency:0.95 is {speed / theirs:,.0f} times as fast")
    if policies:
        chosen = many(policies)
        start = time.perf_counter()
        sweep(recording, chosen, permutations=permutations)
        seconds = time.perf_counter() - start
        print(f"a sweep of {len(chosen):,} policies, orders included: {seconds:.0f} s on {os.cpu_count()} cores")


def scale(folder: Path, permutations: int) -> None:
    for questions in (1_000, 10_000, 100_000):
        recording = synthetic(questions, 16, folder)
        gc.collect()
        start = time.perf_counter()
        sweep(recording, {"lead:3": Lead(3, 16), "vote:16": Vote(16)}, permutations=permutations, jobs=1)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{questions:>9,} questions x 16 attempts, two policies: {seconds:6.1f} s, at most {peak:.1f} GiB so far")


if __name__ == "__main__":
    main()
