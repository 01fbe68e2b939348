"""Whether what a curve predicts comes true on questions that it never saw.

    python benchmarks/calibration.py [FILE --dataset D --arm A ...] [--splits 20] [--planted]

The questions are split in two at random, 20 times (where a question's family is known, families are split). On the one
half a curve is fitted and its policies are chosen; they are replayed on the other half. A prediction is the mean over
such questions with its 95 % interval; over a finite set of other questions the figure strays further, so its interval
is that interval times sqrt(1 + fitted / judged questions). Three kinds of prediction are held against what came:

- *policies*: accuracy and cost of each policy of the curve's frontier;
- *budgets*: the same of ``curve.policy(mean_usd=)`` at five budgets between the cheapest and the dearest; which of two
  policies a question gets is luck too, and its part is added;
- *votes*: accuracy of 1, 3, 5, 9, 15 ... votes with each arm, as the fitted law gives it (not where a verifier judged:
  a replay takes what passes).

Printed are the share of intervals that hold what came, the median of their width over that of the achieved figure's own
bootstrap, and for budgets the mean cost over the budget. ``--planted`` splits recordings of a known law instead, a new
one each time, and holds the plain intervals against the law's own figures: those of a very large recording.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping
from math import hypot, sqrt

import numpy as np

from thinkcap.demo import recording_path
from thinkcap.evals import Interval, Planted, Recording, Resamples, fit_curve, load_recording, plant, sweep
from thinkcap.policies import Expectation, Fixed, Mix, Policy, Vote
from thinkcap.policies.curves import Curve, Rightness, Shape

VOTES = (1, 3, 5, 9, 15, 25, 40)
BUDGETS = (0.1, 0.3, 0.5, 0.7, 0.9)
LARGE = 20_000
Told = tuple[str, str, Policy, Interval, Interval | None, float | None]
"""Kind, name, policy, accuracy, dollars, and the budget that was asked for."""


def told(curve: Curve, judged: Recording) -> list[Told]:
    """All that a curve predicts, and the other recording can be held against it."""
    found: list[Told] = []
    points = curve.frontier()
    for place, point in enumerate(points):
        found.append(("policies", f"policy {place}", point.policy, point.expected.accuracy, point.expected.usd, None))
    low, high = points[0].expected.usd.mean, points[-1].expected.usd.mean
    for part in BUDGETS if high > low else ():
        budget = low + part * (high - low)
        wish = curve.policy(mean_usd=budget, finish=None)
        found.append(("budgets", f"{part:.0%}", wish.policy, wish.expected.accuracy, wish.expected.usd, budget))
    for arm in curve.arms:
        label = arm.arm.label
        most = judged.fewest(label) if arm.votes and not judged.verifiable.any() else 1
        for attempts in (number for number in VOTES if number <= most):
            interval = curve.interval(label, attempts)
            policy = Fixed(label) if attempts == 1 else Vote(attempts, label)
            found.append(("votes", f"{attempts} at {label}", policy, interval, None, None))
    return found


def halves(recording: Recording, luck: np.random.Generator) -> tuple[Recording, Recording]:
    """A random half of the questions, and the other."""
    families = [group or name for group, name in zip(recording.groups, recording.questions, strict=True)]
    names = sorted(set(families))
    first = set(luck.permutation(names)[: len(names) // 2].tolist())
    mask = np.array([family in first for family in families])
    return recording.only(mask), recording.only(~mask)


def _wider(interval: Interval, factor: float) -> Interval:
    mean = interval.mean
    return Interval(mean, mean - (mean - interval.low) * factor, mean + (interval.high - mean) * factor)


class Tally:
    """What came, by kind of prediction."""

    def __init__(self) -> None:
        self.inside: dict[str, list[bool]] = defaultdict(list)
        self.widths: dict[str, list[float]] = defaultdict(list)
        self.paid: dict[str, list[float]] = defaultdict(list)
        self.errors: dict[str, list[float]] = defaultdict(list)

    def note(self, kind: str, predicted: Interval, came: Interval) -> None:
        self.inside[kind].append(predicted.low <= came.mean <= predicted.high)
        self.errors[kind].append(predicted.mean - came.mean)
        if came.high > came.low:
            self.widths[kind].append((predicted.high - predicted.low) / (came.high - came.low))

    def show(self, splits: int) -> None:
        print(f"\n{splits} splits | figures | inside 95 % | median width / bootstrap's | mean error | sd")
        for kind, inside in self.inside.items():
            wide = np.median(self.widths[kind]) if self.widths[kind] else float("nan")
            errors = np.array(self.errors[kind])
            scale, unit = (100, " points") if kind.endswith("right") else (1, "")
            print(
                f"{kind} | {len(inside)} | {np.mean(inside):.1%} | {wide:.2f} | {scale * errors.mean():+.3g}{unit}"
                f" | {scale * errors.std():.3g}"
            )
        for part, ratios in self.paid.items():
            each = np.array(ratios)
            error = each.std(ddof=1) / sqrt(len(each)) if len(each) > 1 else float("nan")
            ends = f"{each.min():.3f} to {each.max():.3f}"
            print(f"budget at {part}: paid {each.mean():.4f} of it, s.e. {error:.4f}, {ends}")


def split(recording: Recording, splits: int, permutations: int) -> Tally:
    """Fit on one half, judge on the other, both ways round."""
    tally, luck = Tally(), np.random.default_rng(2026)
    for number in range(splits):
        parts = halves(recording, luck)
        fitted, judged = parts if number % 2 else parts[::-1]
        curve = fit_curve(fitted, repeats=10, permutations=permutations, seed=number)
        found = told(curve, judged)
        expected = {point.policy: point.expected for point in curve.frontier()}
        replays = sweep(
            judged, [(name, policy) for _, name, policy, *_ in found], permutations=permutations, seed=number
        )
        strays = sqrt(1 + len(fitted.questions) / len(judged.questions))
        for (kind, name, policy, right, usd, budget), replay in zip(found, replays, strict=True):
            known = ~np.isnan(replay.accuracy)
            groups = [g or q for g, q in zip(replay.groups, replay.questions, strict=True)]
            samples = Resamples(int(known.sum()), groups=[g for g, k in zip(groups, known, strict=True) if k])
            dealt = luck_of(policy, expected, int(known.sum()))
            tally.note(
                f"{kind}, right", _blurred(_wider(right, strays), dealt[0]), samples.mean(replay.accuracy[known])
            )
            if usd is not None:
                told_usd = _blurred(_wider(usd, strays), dealt[1])
                tally.note(
                    f"{kind}, dollars", _over(told_usd, usd.mean), _over(samples.mean(replay.usd[known]), usd.mean)
                )
            if budget is not None:
                tally.paid[name].append(float(replay.usd.mean()) / budget)
        print(f"split {number + 1} of {splits}", flush=True)
    return tally


def luck_of(policy: Policy, expected: Mapping[Policy, Expectation], questions: int) -> tuple[float, float]:
    """Variance, of accuracy and of dollars, that comes from which question gets which policy of a mix."""
    if not isinstance(policy, Mix):
        return 0.0, 0.0
    first, second = expected[policy.first], expected[policy.second]
    dealt = policy.share * (1 - policy.share) / questions
    right, usd = first.accuracy.mean - second.accuracy.mean, first.usd.mean - second.usd.mean
    return dealt * right**2, dealt * usd**2


def _blurred(interval: Interval, variance: float) -> Interval:
    mean = interval.mean
    low, high = (hypot(mean - interval.low, 1.96 * sqrt(variance)), hypot(interval.high - mean, 1.96 * sqrt(variance)))
    return Interval(mean, mean - low, mean + high)


def _over(interval: Interval, by: float) -> Interval:
    return Interval(interval.mean / by, interval.low / by, interval.high / by)


LAWS = (
    [Planted("one", Rightness("beta", 1.2, 0.5), Shape(0.0, 1.5, 1.0))],
    [
        Planted("low", Rightness("beta", 1.0, 1.0), loading=0.9),
        Planted("high", Rightness("beta", 1.6, 0.7), loading=0.9, tokens=(7.2, 0.7, 0.0, 0.4)),
    ],
)


def planted(recordings: int, permutations: int) -> Tally:
    """Fit planted recordings, and hold what is predicted against the law's own figures."""
    tally = Tally()
    for laws in LAWS:
        truth = plant(laws, LARGE, 16, seed=999)
        for number in range(recordings):
            recording = plant(laws, 300, 16, seed=number)
            found = told(fit_curve(recording, repeats=10, permutations=permutations, seed=number), truth)
            replays = sweep(truth, [(name, policy) for _, name, policy, *_ in found], permutations=2)
            for (kind, _, _, right, usd, _), replay in zip(found, replays, strict=True):
                exact = float(replay.accuracy.mean())
                tally.note(f"{kind}, right", right, Interval(exact, exact, exact))
                if usd is not None:
                    ratio = float(replay.usd.mean()) / usd.mean
                    tally.note(f"{kind}, dollars", _over(usd, usd.mean), Interval(ratio, ratio, ratio))
            print(f"planted {number + 1} of {recordings}", flush=True)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?")
    parser.add_argument("--dataset")
    parser.add_argument("--arm", action="append")
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--permutations", type=int, default=40)
    parser.add_argument("--planted", action="store_true")
    asked = parser.parse_args()
    if asked.planted:
        planted(asked.splits, asked.permutations).show(asked.splits)
        return
    recording = load_recording(asked.file or recording_path(), dataset=asked.dataset, arms=asked.arm)
    split(recording, asked.splits, asked.permutations).show(asked.splits)


if __name__ == "__main__":
    main()
