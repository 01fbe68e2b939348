"""How often the bootstrap's 95 % interval holds the true mean, over simulated sets of questions.

    python benchmarks/coverage.py [--sets 2000]

Accuracies are 0, 1 or a share, as replay gives them; costs are log-normal; differences are mostly nothing. Three ways
to end the interval stand side by side: the percentiles as they are, expanded by Student's t (what thinkcap uses), and
Student's t itself.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from math import exp

import numpy as np

from thinkcap.evals import Resamples

Draw = Callable[[np.random.Generator, int], np.ndarray]


def accuracies(luck: np.random.Generator, count: int) -> np.ndarray:
    which, share = luck.random(count), luck.beta(2, 1, count)
    return np.where(which < 0.5, 1.0, np.where(which < 0.58, 0.0, share))


def easy(luck: np.random.Generator, count: int) -> np.ndarray:
    which = luck.random(count)
    return np.where(which < 0.9, 1.0, np.where(which < 0.94, 0.0, luck.random(count)))


def costs(luck: np.random.Generator, count: int) -> np.ndarray:
    return luck.lognormal(0, 1, count)


def differences(luck: np.random.Generator, count: int) -> np.ndarray:
    which = luck.random(count)
    return np.where(which < 0.85, 0.0, np.where(which < 0.93, 1.0, -1.0) * luck.random(count))


KINDS: dict[str, tuple[Draw, float]] = {
    "accuracy .78": (accuracies, 0.5 + 0.42 * 2 / 3),
    "accuracy .93": (easy, 0.9 + 0.06 / 2),
    "cost": (costs, exp(0.5)),
    "difference": (differences, 0.01 / 2),
}


def covered(draw: Draw, mean: float, questions: int, sets: int) -> list[float]:
    luck = np.random.default_rng(0)
    hits = np.zeros(3)
    for number in range(sets):
        values = draw(luck, questions)
        resamples = Resamples(questions, replicates=1000, seed=number)
        replicates = resamples.means(values)
        plain = np.quantile(replicates, [0.025, 0.975])
        expanded = resamples.mean(values)
        half = 1.96 * (1 + 1.2 / questions) * values.std(ddof=1) / questions**0.5  # close to t for 30 and more
        hits += [
            plain[0] <= mean <= plain[1],
            expanded.low <= mean <= expanded.high,
            abs(values.mean() - mean) <= half,
        ]
    return [float(share) for share in hits / sets]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=2000)
    asked = parser.parse_args()
    print(f"{'questions':>10}  {'values':<14}{'percentile':>12}{'expanded':>10}{'t':>8}")
    for questions in (30, 100, 300, 1318):
        for name, (draw, mean) in KINDS.items():
            plain, expanded, student = covered(draw, mean, questions, asked.sets)
            print(f"{questions:>10}  {name:<14}{plain:>12.3f}{expanded:>10.3f}{student:>8.3f}")


if __name__ == "__main__":
    main()
