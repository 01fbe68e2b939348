"""What an evaluation comes to: ours, chosen by cross-fitting, beside the baselines, the best arm and the oracle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from thinkcap.evals.ablation import Added
from thinkcap.evals.comparison import Field, Match
from thinkcap.evals.crossfit import Crossfit
from thinkcap.evals.regret import Regret
from thinkcap.evals.results import Replay
from thinkcap.evals.statistics import Interval

__all__ = ["Best", "Evaluation", "beside"]

_PARTS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)


@dataclass(frozen=True, slots=True)
class Best:
    """Ours against the best single arm in hindsight: the one with the most right answers.

    Attributes:
        arm: its label.
        accuracy, usd: what one call at it comes to.
        usd_ratio: the part of its cost at which ours is as accurate; infinite where it never is.
        gains: for some parts of its cost, how much more accurate ours is at that part, in shares of one; NaN where ours
            has nothing as cheap.
    """

    arm: str
    accuracy: float
    usd: float
    usd_ratio: Interval
    gains: tuple[tuple[float, Interval], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Ours beside the baselines, on the same questions and draws.

    Attributes:
        baselines: each fixed arm first, then the rules.
        ours: what was chosen at each price, measured where it was not chosen.
        crossfit: how it was chosen.
        matches: for each baseline, ours at its cost and at its accuracy; ours mixes neighbours in price.
        regrets: at each price, what ours leaves against the best arm in hindsight and against the oracle over arms.
        questions: those that all of them have graded.
        notes: what to know when reading the figures.
        best: ours against the best single arm, where a verifier decides; else None.
        oracle: who knows every recorded attempt, where a verifier decides; else None.
        verifier: what the verifier is, in words; None where there is none.
        added: what each class of policy added; empty where that was not asked for.
    """

    baselines: tuple[Replay, ...]
    ours: tuple[Replay, ...]
    crossfit: Crossfit
    matches: tuple[Match, ...]
    regrets: tuple[Regret, ...]
    questions: int
    notes: tuple[str, ...]
    best: Best | None = None
    oracle: Replay | None = None
    verifier: str | None = None
    added: tuple[Added, ...] = ()


def beside(
    others: Sequence[Replay],
    ours: Sequence[Replay],
    *,
    best: int | None = None,
    replicates: int = 2000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[tuple[Match, ...], Best | None]:
    """Ours at the cost and at the accuracy of each baseline, mixing neighbours in cost.

    Args:
        others: the baselines.
        ours: what was chosen, price by price.
        best: place of the best single arm among the baselines; None leaves it out.
        replicates, seed: of the samples of questions.
        progress: told of baselines done and of all.
    """
    field = Field([*others, *ours], replicates=replicates, seed=seed)
    mine = range(len(others), len(field.replays))
    matches = []
    for place in range(len(others)):
        matches.append(field.match(mine, place, along="path"))
        if progress is not None:
            progress(place + 1, len(others))
    if best is None:
        return tuple(matches), None
    arm = others[best]
    gains = tuple((part, field.match(mine, best, along="path", part=part).accuracy_gain) for part in _PARTS)
    usd_ratio = matches[best].usd_ratio
    return tuple(matches), Best(arm.arms[0], float(arm.accuracy.mean()), float(arm.usd.mean()), usd_ratio, gains)
