"""Policies side by side on the same questions: what a comparison holds, and what may be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals import Interval, bootstrap_mean, paired_difference
from thinkcap.policies import Expectation, Expected, Policy, show_usd, usd

__all__ = ["Comparison", "Side", "predicted", "verdict"]

_TWO = 1.96


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What one policy came to, question by question.

    Attributes:
        accuracy: 0 or 1 live; the mean over orders in replay.  (questions,)
        usd: dollars.  (questions,)
        attempts: how many were made.  (questions,)
        most_nusd: the most it spent on one question, in nano-dollars.
    """

    accuracy: NDArray[np.float64]
    usd: NDArray[np.float64]
    attempts: NDArray[np.float64]
    most_nusd: int

    @property
    def interval(self) -> Interval:
        """Its accuracy, with a 95 % bootstrap interval over questions."""
        return bootstrap_mean(self.accuracy)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Policies on the same questions.

    Attributes:
        live: the model was asked just now; False where the shipped recording was replayed.
        model: the model's name.
        seed: of the questions (live), or of the recorded questions.
        asked: questions there were to answer; those that not every policy finished are left out of the figures.
        ceiling_nusd: nano-dollars one question may cost.
        sides: by policy: low, high and thinkcap.
        predicted: what thinkcap's policy was expected to come to before it was asked; None if nothing was.
        ended: why some questions were left out; None if none was.
    """

    live: bool
    model: str
    seed: int
    asked: int
    ceiling_nusd: int
    sides: Mapping[str, Side]
    predicted: Expectation | None = None
    ended: str | None = None

    @property
    def questions(self) -> int:
        """Questions that every policy finished."""
        return len(next(iter(self.sides.values())).accuracy)

    @property
    def most_nusd(self) -> int:
        """The most any policy spent on one question, in nano-dollars."""
        return max(side.most_nusd for side in self.sides.values())

    @property
    def held(self) -> bool:
        """No question cost more than the ceiling."""
        return self.most_nusd <= self.ceiling_nusd

    def gain(self, policy: str, over: str) -> Interval:
        """How much more accurate one policy is than another on the same questions (paired), in shares of one."""
        return paired_difference(self.sides[policy].accuracy, self.sides[over].accuracy)

    def cost_share(self, policy: str, of: str) -> float:
        """What one policy cost as a share of another."""
        return float(self.sides[policy].usd.sum() / self.sides[of].usd.sum())

    def as_predicted(self) -> dict[str, bool]:
        """Whether accuracy and cost of so many questions lie within two standard errors of what was predicted.

        The error has both parts: that of the prediction, and that of answering only so many questions.
        """
        assert self.predicted is not None
        side = self.sides["thinkcap"]
        pairs = {"accuracy": (self.predicted.accuracy, side.accuracy), "usd": (self.predicted.usd, side.usd)}
        found = {}
        for what, (told, came) in pairs.items():
            known = ((told.high - told.low) / (2 * _TWO)) ** 2
            luck = float(came.var(ddof=1)) / len(came) if len(came) > 1 else inf
            found[what] = abs(float(came.mean()) - told.mean) <= _TWO * sqrt(known + luck)
        return found

    def to_json(self) -> dict[str, Any]:
        """The figures, ready for JSON; ``usd`` and ``attempts`` are means per question."""
        return {
            "live": self.live,
            "model": self.model,
            "seed": self.seed,
            "questions": self.questions,
            "asked": self.asked,
            "ceiling_usd": float(usd(self.ceiling_nusd)),
            "max_spent_usd": float(usd(self.most_nusd)),
            "held": self.held,
            "ended": self.ended,
            **self._predicted_json(),
            "policies": {name: _figures(side) for name, side in self.sides.items()} if self.questions else {},
        }

    def _predicted_json(self) -> dict[str, Any]:
        told = self.predicted
        if told is None:
            return {}
        return {
            "predicted_accuracy": told.accuracy.mean,
            "predicted_accuracy_low": told.accuracy.low,
            "predicted_accuracy_high": told.accuracy.high,
            "predicted_usd": told.usd.mean,
            "predicted_usd_low": told.usd.low,
            "predicted_usd_high": told.usd.high,
            "as_predicted": self.as_predicted() if self.questions else None,
        }


def _figures(side: Side) -> dict[str, float]:
    accuracy = side.interval
    return {
        "accuracy": accuracy.mean,
        "accuracy_low": accuracy.low,
        "accuracy_high": accuracy.high,
        "usd": round(float(side.usd.mean()), 12),
        "attempts": float(side.attempts.mean()),
        "max_spent_usd": float(usd(side.most_nusd)),
    }


def predicted(policies: Mapping[str, Policy]) -> Expectation | None:
    """What is expected of thinkcap's policy among these; None if nothing is."""
    ours = policies["thinkcap"]
    return ours.expected if isinstance(ours, Expected) else None


def verdict(found: Comparison) -> list[str]:
    """What the figures say, in plain sentences: also where they did not come out as hoped."""
    lines = []
    gain = found.gain("high", "low")
    sure = "" if gain.low > 0 else " (not more than chance may do)"
    lines.append(
        f"high over low: {100 * gain.mean:+.1f} points, 95 % interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f}"
        f", at {1 / found.cost_share('low', 'high'):.1f} times the cost{sure}"
    )
    ours, high = found.sides["thinkcap"].interval, found.sides["high"].interval
    share = found.cost_share("thinkcap", "high")
    as_good = ours.mean >= high.low
    if share < 1 and as_good:
        lines.append(
            f"thinkcap: {100 * share:.0f} % of the cost of high, "
            f"{100 * ours.mean:.1f} % right, high {100 * high.mean:.1f} %"
        )
    else:
        missed = " and ".join(
            what
            for what, hit in (("no cheaper than high", share < 1), ("less accurate than high's interval", as_good))
            if not hit
        )
        lines.append(f"this run did not come out as it should: thinkcap was {missed}")
    if found.predicted is not None:
        lines.append(_kept(found, found.predicted))
    most, ceiling = show_usd(found.most_nusd), show_usd(found.ceiling_nusd)
    lines.append(
        f"every question stayed under its ceiling of {ceiling}: the dearest cost {most}"
        if found.held
        else f"THE CEILING DID NOT HOLD: a question cost {most} of {ceiling}"
    )
    if found.ended is not None:
        lines.append(f"{found.questions} of {found.asked} questions: {found.ended}")
    return lines


def _kept(found: Comparison, told: Expectation) -> str:
    """What was predicted beside what came of it."""
    side, kept = found.sides["thinkcap"], found.as_predicted()
    missed = " and ".join(what for what, held in zip(("accuracy", "cost"), kept.values(), strict=True) if not held)
    when = "before asking" if found.live else "from these questions"
    promise = f"{100 * told.accuracy.mean:.1f} % right at ${1000 * told.usd.mean:.4f} per 1,000"
    came = f"{100 * side.accuracy.mean():.1f} % at ${1000 * side.usd.mean():.4f}"
    end = f"{missed} not as predicted" if missed else "as predicted, within two standard errors"
    return f"predicted {when}: {promise}; achieved {came}: {end}"
