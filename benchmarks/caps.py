"""Output caps from a curve: does one cut the share it says, what does it cost, and what does it admit under a ceiling?

    python benchmarks/caps.py FILE [--dataset D] [--arm A ...] [--splits 3] [--permutations 20] [--own-caps]

Questions are halved, ``--splits`` times at random; a curve is fitted on each half and judged on the other. Printed are

- *cut*: the share of attempts longer than their cap, by arm, for the first attempt at a question and for those after
  it, with the tail that was fitted (Student's t) and with a normal one;
- *no ceiling*: accuracy and cost of single calls and votes with caps, less without;
- *ceiling*: the same under a ceiling per question of some times the policy's mean cost. Without caps a call is made
  where the dearest attempt recorded at any question could be paid, with one where its cap could.

``--own-caps`` drops the caps that arms were recorded with: such arms get none from a curve.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from thinkcap.demo import recording_path
from thinkcap.evals import Recording, load_recording, sweep
from thinkcap.policies import Arm, Attempt, Finishing, Fixed, Lead, Policy, Usage, Vote
from thinkcap.policies.curves import Curve

CHANCES = (0.9, 0.95, 0.99, 0.999)
TIMES = (0.5, 1, 2, 4)
FIRST = 8  # attempts at each arm and question whose caps are looked at


def halves(recording: Recording, splits: int) -> Iterator[tuple[Recording, Recording]]:
    """Those to fit on and those to judge on."""
    draws = np.random.default_rng(0)
    for _ in range(splits):
        first = draws.permutation(len(recording.questions)) < len(recording.questions) // 2
        yield recording.only(first), recording.only(~first)
        yield recording.only(~first), recording.only(first)


def normal(curve: Curve) -> Curve:
    """The same with normal tails."""
    arms = [replace(arm, tokens=replace(arm.tokens, stretch=1.0, freedom=None)) for arm in curve.arms]
    return replace(curve, arms=tuple(arms))


def cuts(curve: Curve, judged: Recording, seed: int) -> dict[tuple[str, bool], list[list[bool]]]:
    """By arm and whether it is the question's first attempt: whether each attempt is cut, at each chance."""
    found = defaultdict(list)
    capping = [curve.finishing(Fixed(), chance) for chance in CHANCES]
    draws = np.random.default_rng(seed)
    for place, arm in enumerate(judged.arms):
        for question in range(len(judged.questions)):
            tokens = judged.output_tokens[judged.rows(question, place)]
            before: list[Attempt] = []
            for length in draws.permutation(tokens[tokens > 0])[:FIRST].tolist():
                caps = [policy.caps(arm.label, before) for policy in capping if isinstance(policy, Finishing)]
                found[arm.label, not before].append([cap is not None and length > cap[1] for cap in caps])
                before.append(Attempt(len(before) + 1, Arm(arm.label), "", 0, Usage(0, length)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", default=recording_path())
    parser.add_argument("--dataset")
    parser.add_argument("--arm", action="append")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--permutations", type=int, default=20)
    parser.add_argument("--own-caps", action="store_true")
    parser.add_argument("--once", action="store_true", help="single calls only: answers that cannot be compared")
    options = parser.parse_args()
    recording = load_recording(options.file, dataset=options.dataset, arms=options.arm)
    if options.own_caps:
        recording = replace(recording, arms=tuple(replace(arm, max_output_tokens=None) for arm in recording.arms))
    elif all(arm.max_output_tokens for arm in recording.arms):
        parser.error("every arm was recorded with a cap, and gets none from a curve: --own-caps drops them")
    share: dict[str, dict[tuple[str, bool], list[list[bool]]]] = {
        name: defaultdict(list) for name in ("Student's t", "normal")
    }
    free: dict[tuple[str, float | None], list[tuple[float, float]]] = defaultdict(list)
    tight: dict[tuple[str, float, bool], list[tuple[float, float, float]]] = defaultdict(list)
    policies: dict[str, Policy] = {f"one call, {arm.label}": Fixed(arm.label) for arm in recording.arms}
    if not options.once:
        policies |= {f"lead of 2, {arm.label}": Lead(2, 12, arm.label) for arm in recording.arms}
        policies |= {f"vote of 5, {arm.label}": Vote(5, arm.label) for arm in recording.arms}
    for number, (train, judged) in enumerate(halves(recording, options.splits)):
        curve = Curve.fit(train)
        for name, fitted in (("Student's t", curve), ("normal", normal(curve))):
            for key, cut in cuts(fitted, judged, number).items():
                share[name][key] += cut
        for name, policy in policies.items():
            ones = [("", policy), *(("", curve.finishing(policy, chance)) for chance in CHANCES)]
            for chance, one in zip(
                (None, *CHANCES), sweep(judged, ones, permutations=options.permutations), strict=True
            ):
                free[name, chance].append((float(np.nanmean(one.accuracy)), float(one.usd.mean())))
            for times in TIMES:
                ceiling = round(times * free[name, None][-1][1], 9)
                both = [("", policy), ("", curve.finishing(policy))]
                for capped, one in enumerate(sweep(judged, both, permutations=5, ceiling=ceiling)):
                    figures = float(np.nanmean(one.accuracy)), float(one.usd.mean()), float(one.attempts.mean())
                    tight[name, times, bool(capped)].append(figures)
    promised = " | ".join(f"{1 - chance:.1%}" for chance in CHANCES)
    for name, found in share.items():
        print(f"\ncut, {name} | attempts | {promised}")
        for (label, is_first), cut in found.items():
            seen = " | ".join(f"{part:.2%}" for part in np.mean(cut, axis=0))
            print(f"{label}, {'first' if is_first else 'later'} | {len(cut)} | {seen}")
    print(f"\nno ceiling | right | $ | {' | '.join(f'{chance:g}' for chance in CHANCES)} (points, cost)")
    for name in policies:
        right, usd = np.mean(free[name, None], axis=0)
        moved = [np.mean(free[name, chance], axis=0) for chance in CHANCES]
        told = " | ".join(f"{100 * (one[0] - right):+.2f}, {one[1] / usd - 1:+.1%}" for one in moved)
        print(f"{name} | {right:.2%} | {usd:.3g} | {told}")
    print(f"\nceiling, right and attempts without and with caps | {' | '.join(f'{times} x mean' for times in TIMES)}")
    for name in policies:
        pairs = [[np.mean(tight[name, times, capped], axis=0) for capped in (False, True)] for times in TIMES]
        told = " | ".join(f"{a[0]:.1%} {b[0]:.1%} ({a[2]:.2f} {b[2]:.2f})" for a, b in pairs)
        print(f"{name} | {told}")


if __name__ == "__main__":
    main()
