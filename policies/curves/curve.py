"""The fitted test-time scaling curve: what accuracy a way of asking buys, at what cost, with an interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from thinkcap.policies.curves.advice import Advice
from thinkcap.policies.curves.agreement import Agreement
from thinkcap.policies.curves.arm import ArmCurve, How, Measured
from thinkcap.policies.curves.counts import fingerprint
from thinkcap.policies.curves.difficulty import Belief
from thinkcap.policies.curves.draw import draw
from thinkcap.policies.curves.fitting import fit_parts
from thinkcap.policies.curves.guard import MOST_VOTES, REACH, guard, reach
from thinkcap.policies.curves.points import Point, choose
from thinkcap.policies.curves.predicted import predicted
from thinkcap.policies.curves.recorded import Recorded
from thinkcap.policies.curves.store import read, text, write
from thinkcap.policies.errors import BadInput
from thinkcap.policies.expected import Expected
from thinkcap.policies.finishing import LEAST_CHANCE, Finishing, Length
from thinkcap.policies.interval import Interval
from thinkcap.policies.money import NANO
from thinkcap.policies.policy import Policy
from thinkcap.policies.values import Arm

__all__ = ["Curve", "Prediction"]

_HURTS = 0.002

FINISH_CHANCE = 0.999
"""With which an attempt finishes under the cap that a curve's policy sets, unless the caller says otherwise."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What so many attempts with an arm come to, for a mean question.

    Attributes:
        arm: its label.
        how: the most frequent answer is given (``"vote"``), or the first that a verifier passes (``"verified"``).
        attempts: at most so many are made.
        made: so many are made on average; fewer only with a verifier, which stops at the first right answer.
        cap: output tokens at which an attempt is cut, which leaves it without an answer; None for none.
        accuracy: share of questions answered right, 0 to 1.
        usd: mean dollars a question.
        usd_p95: dollars that 95 % of the questions stay within, if every attempt is made; None where costs do not
            follow tokens.
        output_tokens: mean a question, including hidden reasoning.
        spread: lowest and highest accuracy among the families; None unless it lies far beyond what was recorded.
    """

    arm: str
    how: How
    attempts: int
    made: float
    cap: int | None
    accuracy: float
    usd: float
    usd_p95: float | None
    output_tokens: float
    spread: tuple[float, float] | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Curve:
    """A fitted curve. Two curves are equal if they say the same of everything.

    Attributes:
        arms: one curve an arm.
        source: the recording it was fitted on.
        datasets: names of the benchmarks in it; empty where it names none.
        fingerprint: SHA-256 of what was read of it.
        price_date: date of the recording's prices; None if nobody said.
        questions: how many the recording has.
        seed: of the fit.
        bound: upper 95 % bound of the best arm's share of questions whose most frequent answer is right: no plateau
            of votes is quoted above it; None where votes have no meaning.
        residual: the largest correlation of two arms that the shared difficulty does not explain.
        agreement: for each pair of arms, in their order, the chance that two wrong answers to one question are the same
            answer; None where the recording does not tell.
        notes: what was left out or did not go well, a line each.
        advice: what to record next, the widest interval first.
        points: policies worth having, cheapest first, each with what it came to on questions that its choice never saw
            (:func:`thinkcap.evals.fit_curve` chooses them); empty if none were chosen.
    """

    arms: tuple[ArmCurve, ...]
    source: str
    fingerprint: str
    price_date: str | None
    questions: int
    seed: int
    bound: float | None
    residual: float
    agreement: Agreement
    notes: tuple[str, ...]
    advice: tuple[Advice, ...]
    points: tuple[Point, ...] = ()
    datasets: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls,
        recording: Recorded,
        *,
        arms: Sequence[str] | None = None,
        seed: int = 0,
        price_date: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Curve:
        """Fit a curve by maximum likelihood on the counts of recorded attempts.

        :func:`thinkcap.evals.fit_curve` does this and chooses policies by replay, too.

        Args:
            recording: the attempts (:func:`thinkcap.evals.load_recording`); fit on training questions only.
            arms: labels of the arms to fit, in this order; None fits all.
            seed: of the folds and of the resampled questions: the same seed gives the same curve.
            price_date: date of the prices in the recording.
            progress: told after each arm how many are done, and of how many.

        Raises:
            BadInput: for an unknown arm, too few questions, or if scipy is not installed.
        """
        parts = fit_parts(recording, arms, seed, progress)
        return cls(
            arms=parts.arms,
            source=recording.source,
            datasets=tuple(sorted(name for name in recording.datasets if name)),
            fingerprint=fingerprint(recording),
            price_date=price_date,
            questions=len(recording.questions),
            seed=seed,
            bound=parts.bound,
            residual=parts.residual,
            agreement=parts.agreement,
            notes=parts.notes,
            advice=parts.advice,
        )

    @property
    def converged(self) -> bool:
        """Every part of the fit ended at a maximum."""
        return all(arm.converged for arm in self.arms)

    def arm(self, label: str | None = None) -> ArmCurve:
        """The part of an arm, by its label, or by its model where that has one arm; the only arm for None.

        Raises:
            BadInput: if there is no such arm.
        """
        same = [arm for arm in self.arms if label in (None, arm.arm.label)]
        same = same or [arm for arm in self.arms if arm.arm.model == label]
        if len(same) == 1:
            return same[0]
        labels = ", ".join(arm.arm.label for arm in self.arms)
        raise BadInput(
            f"say which arm: {labels}" if label is None else f"the curve has no arm {label!r}; it has {labels}"
        )

    def predict(
        self,
        arm: str | None = None,
        attempts: int = 1,
        *,
        how: How = "vote",
        cap: int | None = None,
        extrapolate: bool = False,
    ) -> Prediction:
        """What so many attempts with an arm come to.

        Args:
            arm: its label; None for the only one.
            attempts: at least 1; one attempt is the same by vote and with a verifier.
            how: give the most frequent answer (``"vote"``), or the first that a verifier passes (``"verified"``).
            cap: output tokens at which each attempt is cut: it is billed up to there, and brings no answer.
            extrapolate: quote figures for more than twice the recorded attempts (or tokens), with the spread
                between the families.

        Raises:
            BadInput: for an unknown arm, votes the recording cannot tell, or figures too far beyond it.
        """
        curve = self.arm(arm)
        beyond = guard(curve, how, attempts, cap, extrapolate)
        spread = None
        if beyond:
            found = curve.by_family(how, attempts).values()
            spread = (min(found), max(found))
        made = curve.made(how, attempts, cap)
        return Prediction(
            arm=curve.arm.label,
            how=how,
            attempts=attempts,
            made=made,
            cap=cap,
            accuracy=curve.accuracy(how, attempts, cap),
            usd=made * curve.nusd(cap) / NANO,
            usd_p95=curve.tail_nusd(attempts, 0.95, cap, self.seed) / NANO if curve.price.exact else None,
            output_tokens=made * curve.tokens.expected(cap),
            spread=spread,
        )

    def interval(
        self,
        arm: str | None = None,
        attempts: int = 1,
        *,
        how: How = "vote",
        cap: int | None = None,
        questions: int | None = None,
        extrapolate: bool = False,
    ) -> Interval:
        """The accuracy :meth:`predict` gives, with its 95 % interval: where another set of such questions would put it.

        Args:
            arm, attempts, how, cap, extrapolate: as for :meth:`predict`.
            questions: how many new questions will be answered, each once: then the interval is that of their share of
                right answers, whose luck is added. None gives the interval of the accuracy itself.

        Raises:
            BadInput: as :meth:`predict` does.
        """
        curve = self.arm(arm)
        guard(curve, how, attempts, cap, extrapolate)
        if questions is not None and (type(questions) is not int or questions < 1):
            raise BadInput(f"questions must be a whole number of at least 1, not {questions!r}")
        return curve.interval(how, attempts, cap, questions)

    def plateau(self, arm: str | None = None, *, how: How = "vote") -> Interval:
        """The accuracy that ever more attempts come to, with its 95 % interval.

        Votes never come above the share of questions whose most frequent answer is right; the fitted one is cut at
        :attr:`bound`.

        Raises:
            BadInput: for an unknown arm, or votes the recording cannot tell.
        """
        curve = self.arm(arm)
        if how == "vote":
            guard(curve, how, 2, None, extrapolate=True)
        found = curve.limit(how)
        if how == "vote" and self.bound is not None:
            found = Interval(min(found.mean, self.bound), min(found.low, self.bound), min(found.high, self.bound))
        return found

    def more_votes_hurt(self, arm: str | None = None) -> int | None:
        """The attempts beyond which more votes make an arm worse, since too often its most frequent answer is wrong.

        None where they do not, or hurt by less than 0.2 points.

        Raises:
            BadInput: as :meth:`plateau` does.
        """
        curve, last = self.arm(arm), self.plateau(arm).mean
        odd = range(1, min(reach(curve), MOST_VOTES) + 1, 2)
        reached = [curve.accuracy("vote", attempts) for attempts in odd]
        best = int(np.argmax(reached))
        return odd[best] if reached[best] > last + _HURTS else None

    def belief(self) -> Belief:
        """Tables that say how difficult a question is, and what to expect at each arm, given the attempts so far."""
        return Belief({arm.arm.label: arm.coupling() for arm in self.arms})

    def policy(
        self,
        *,
        accuracy: float | None = None,
        mean_usd: float | None = None,
        worth_usd: float | None = None,
        finish: float | None = FINISH_CHANCE,
    ) -> Expected:
        """The policy that meets one wish: exactly one of the three is given. Printing it says what to expect.

        It is chosen from :attr:`points`, or between two of them by mixing. A curve without any chooses among single
        calls and votes, by its own predictions.

        Args:
            accuracy: the least share of right answers, 0 to 1, at the lowest cost.
            mean_usd: dollars a question may cost in the mean, with the most right answers.
            worth_usd: dollars that one more right answer is worth.
            finish: chance with which each attempt is to finish under the output cap it gets, from what the question's
                attempts took so far (:meth:`finishing`); None sets no caps.

        Raises:
            BadInput: for none of them or several, one that nothing meets, or a chance that is none.
        """
        found = choose(self.frontier(), accuracy=accuracy, mean_usd=mean_usd, worth_usd=worth_usd)
        return found if finish is None else replace(found, policy=self.finishing(found.policy, finish))

    def finishing(self, policy: Policy, chance: float = FINISH_CHANCE) -> Policy:
        """A policy with an output cap on each call, under which that attempt finishes with a chance.

        No cap is set where arm or policy name one, nor at arms that were recorded with one (what is beyond it is not
        known) or whose recorded costs do not follow tokens, nor above twice the longest recorded attempt.

        Args:
            policy: who decides.
            chance: from 0.5, below 1.

        Raises:
            BadInput: for a chance that is none.
        """
        lengths = tuple(_length(arm, chance) for arm in self.arms if arm.price.exact)
        return Finishing(policy, lengths, chance) if any(length.most for length in lengths) else policy

    def frontier(self, arm: str | None = None) -> tuple[Point, ...]:
        """Policies worth having, cheapest first: :attr:`points`, or, without any, single calls and votes as predicted.

        Args:
            arm: only single calls and votes of this one, as predicted; None for all.

        Raises:
            BadInput: for an unknown arm.
        """
        if arm is not None:
            return predicted([self.arm(arm)], self)
        return self.points or predicted(self.arms, self)

    def check(self, arms: Sequence[Arm], prices: Mapping[str, tuple[float, float]] | None = None) -> tuple[str, ...]:
        """Whether the curve may be used for these arms and prices.

        Args:
            arms: as they will be asked.
            prices: dollars per million input and output tokens, by label; those it does not name are not checked.

        Returns:
            What differs from the recording without making the curve useless, a line each.

        Raises:
            BadInput: for an arm that the curve was not fitted on, or that is asked otherwise under the same label.
        """
        notes = []
        for arm in arms:
            fitted = self.arm(arm.label)
            asked, recorded = (arm.model, arm.effort), (fitted.arm.model, fitted.arm.effort)
            if asked != recorded:
                raise BadInput(f"arm {arm.label}: the curve was fitted on {_way(*recorded)}, not on {_way(*asked)}")
            if arm.max_output_tokens != fitted.arm.max_output_tokens:
                notes.append(
                    f"{arm.label}: recorded with an output cap of {fitted.arm.max_output_tokens or 'none'}, "
                    f"now {arm.max_output_tokens or 'none'}"
                )
            if prices and arm.label in prices:
                notes += _price_notes(fitted, *prices[arm.label])
        return tuple(notes)

    def plot(self, path: str | Path | None = None, *, measured: Mapping[str, Sequence[Measured]] | None = None) -> Any:
        """Draw accuracy against cost, a line an arm, and save it where a path is given.

        Args:
            path: a file whose ending says the format (``.png``, ``.svg``, ``.pdf``); None saves nothing.
            measured: further figures of the recording to mark, by label.

        Returns:
            The matplotlib figure.

        Raises:
            BadInput: if matplotlib is not installed, or the file cannot be written.
        """
        plateaus = {arm.arm.label: self.plateau(arm.arm.label) for arm in self.arms if arm.votes}
        return draw(self.arms, plateaus, Path(self.source).name, path, measured or {})

    def save(self, path: str | Path) -> None:
        """Write the curve as JSON; packed by gzip where the path ends in ``.gz``.

        Raises:
            BadInput: if the file cannot be written.
        """
        write(path, self._fields())

    @classmethod
    def load(cls, path: str | Path) -> Curve:
        """Read a curve that was saved, checking all of it; numpy is enough.

        Raises:
            BadInput: for a file that cannot be read or is no curve.
        """
        return cls(**read(path))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Curve) and text(self._fields()) == text(other._fields())

    def __hash__(self) -> int:
        return hash((self.fingerprint, self.seed, len(self.arms)))

    def __repr__(self) -> str:
        labels = ", ".join(arm.arm.label for arm in self.arms)
        return f"Curve({labels}; {self.questions:,} questions of {Path(self.source).name})"

    def __str__(self) -> str:
        lines = [repr(self)]
        for arm in self.arms:
            label = arm.arm.label
            once = self.interval(label)
            line = f"  {label}: {_points(once)} with one attempt at ${arm.nusd() / NANO:.3g}"
            if arm.votes:
                line += f", {_points(self.plateau(label))} with ever more votes"
            top = reach(arm)
            if top > 1:
                line += f", {_points(self.interval(label, top, how='verified'))} with a verifier and {top} attempts"
            lines.append(line)
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    def _fields(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _length(curve: ArmCurve, chance: float) -> Length:
    law = curve.tokens
    if not 0.5 <= chance < 1:
        raise BadInput(f"the chance to finish must be at least 0.5 and below 1, not {chance!r}")
    luck, least = (max(law.luck(share), 1e-9) for share in (chance, min(chance, LEAST_CHANCE)))
    most = 0 if curve.arm.max_output_tokens else REACH * law.most
    return Length(curve.arm.label, law.mean, law.shared, law.own, law.within, luck, least, most)


def _points(interval: Interval) -> str:
    return f"{interval.mean:.1%} ({interval.low:.1%} to {interval.high:.1%})"


def _way(model: str, effort: str | None) -> str:
    return model if effort is None else f"{model} at effort {effort}"


def _price_notes(curve: ArmCurve, usd_in: float, usd_out: float) -> list[str]:
    """Where a price per million tokens is not the recording's: a nano-dollar a token is $0.001 per million."""
    label, price = curve.arm.label, curve.price
    if not price.exact or price.input_nusd is None:
        return [f"{label}: its recorded costs do not tell prices per token, so they were not compared"]
    notes = []
    for what, now, then in (("input", usd_in, price.input_nusd / 1e3), ("output", usd_out, price.output_nusd / 1e3)):
        if abs(now - then) > 0.05 * max(then, 1e-9):
            notes.append(f"{label}: {what} costs ${now:g} per million tokens, and cost ${then:.3g} in the recording")
    return notes
