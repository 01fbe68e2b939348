"""From a recording to a curve's parts, in order: rightness, shape of wrong answers, difficulty, tokens, price."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from thinkcap.policies.curves.advice import Advice, advise
from thinkcap.policies.curves.agreement import Agreement, agreement
from thinkcap.policies.curves.arm import ArmCurve, Choice, around
from thinkcap.policies.curves.counts import Counts, count
from thinkcap.policies.curves.difficulty import coupling, fit_loadings, residual_correlation
from thinkcap.policies.curves.families import Families, fit_families
from thinkcap.policies.curves.lengths import Lengths, fit_lengths
from thinkcap.policies.curves.mass import Mass, fit_mass
from thinkcap.policies.curves.measured import measure, mode_right
from thinkcap.policies.curves.price import EXACT, fit_price
from thinkcap.policies.curves.quadrature import Array
from thinkcap.policies.curves.recorded import Recorded
from thinkcap.policies.curves.rightness import Rightness
from thinkcap.policies.errors import BadInput

__all__ = ["Parts", "fit_parts"]

DRAWS = 128
"""Resampled sets of questions behind every interval."""

_FEWEST = 5
_FEW = 30
_SIZES = (-2.0, -1.0, 0.0, 1.0, 2.0)
_LARGE = 0.25  # of a correlation that the shared difficulty should have explained


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What a fit comes to.

    Attributes:
        arms: one curve an arm.
        bound: upper 95 % bound of the best arm's share of questions whose most frequent answer is right.
        residual: see :func:`residual_correlation`.
        agreement: see :data:`Agreement`.
        advice: what to record next.
        notes: what was left out or did not go well, a line each.
    """

    arms: tuple[ArmCurve, ...]
    bound: float | None
    residual: float
    agreement: Agreement
    advice: tuple[Advice, ...]
    notes: tuple[str, ...]


def fit_parts(
    recording: Recorded,
    arms: Sequence[str] | None,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> Parts:
    """Fit everything.

    Args:
        recording: the attempts.
        arms: labels of the arms; None fits all.
        seed: of the folds and of the resampled questions.
        progress: told after each arm how many are done, and of how many.

    Raises:
        BadInput: for an unknown arm, too few questions, or without scipy.
    """
    counts = count(recording, arms)
    _refuse_too_little(recording.source, counts)
    resampled = _resample(counts, seed)
    notes: list[str] = []
    fitted: list[Families] = []
    masses: list[Mass] = []
    voting = [_votes(counts, place) for place in range(len(counts.arms))]
    for place in range(len(counts.arms)):
        fitted.append(fit_families(counts.right[place], counts.made[place], counts.unit, resampled, seed))
        masses.append(_mass(counts, place, voting[place], fitted[place], resampled))
        if progress is not None:
            progress(place + 1, len(counts.arms))
    fitted, masses = _settle_size(counts, voting, fitted, masses, resampled, notes)
    loadings, joint, _ = fit_loadings(counts.right, counts.made, [mass.chances for mass in masses])
    couplings = [coupling(mass.chances, loading) for mass, loading in zip(masses, loadings, strict=True)]
    residual = residual_correlation(counts.right, counts.made, couplings, seed)
    if abs(residual) > _LARGE:
        notes.append(f"two arms have more in common than one difficulty explains: correlation {residual:+.2f}")
    lengths = fit_lengths(counts, joint, resampled)
    curves = tuple(
        _arm(counts, place, fitted[place], masses[place], loadings[place], lengths, voting[place], resampled)
        for place in range(len(counts.arms))
    )
    notes += _notes(counts, curves)
    return Parts(
        arms=curves,
        bound=_bound(counts, voting, resampled),
        residual=residual,
        agreement=agreement(recording, counts.arms),
        advice=advise(counts, curves),
        notes=tuple(notes),
    )


def _refuse_too_little(source: str, counts: Counts) -> None:
    for place, arm in enumerate(counts.arms):
        graded = int(np.count_nonzero(counts.made[place]))
        groups = counts.groups(counts.made[place] > 0)
        if groups < _FEWEST:
            of = "" if groups == graded else f" of {groups} groups"
            raise BadInput(
                f"{source}: {arm.label} has {graded} graded questions{of}, too few to fit: record at least {_FEWEST}, "
                f"better {_FEW} or more"
            )
        if not counts.finished[place].any():
            raise BadInput(f"{source}: no attempt with {arm.label} has output tokens, so there is no cost to fit")


def _resample(counts: Counts, seed: int) -> Array:
    """How often each question is in each resampled set; groups of questions stay together.  (draws, questions)"""
    units = int(counts.unit.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), DRAWS)
    found: Array = drawn[:, counts.unit].astype(np.float64)
    return found


def _repeats(counts: Counts, place: int) -> bool:
    return bool((counts.made[place] > 1).any())


def _votes(counts: Counts, place: int) -> bool:
    """Whether votes have a meaning: where right answers were repeated, at least half of the pairs agree."""
    right = counts.right_votes[place]
    pairs = int((right * (right - 1) // 2).sum())
    return pairs > 0 and int(counts.agreeing[place].sum()) >= pairs / 2


def _mass(counts: Counts, place: int, votes: bool, families: Families, resampled: Array) -> Mass:
    columns = (counts.right, counts.made, counts.wrong, counts.top)
    voting = counts.votes if votes else np.zeros_like(counts.votes)
    found = fit_mass(families, np.stack([each[place] for each in columns], axis=1), voting, resampled)
    return replace(found, scores=_rounded(found.scores), directions=_rounded(found.directions))


def _settle_size(
    counts: Counts,
    voting: Sequence[bool],
    fitted: list[Families],
    masses: list[Mass],
    resampled: Array,
    notes: list[str],
) -> tuple[list[Families], list[Mass]]:
    """How much questions differ, at arms that were asked each once: what the arms have in common says it."""
    once = [place for place in range(len(fitted)) if not _repeats(counts, place)]
    if not once:
        return fitted, masses
    labels = ", ".join(counts.arms[place].label for place in once)
    notes.append(f"one attempt a question, so what a second one would bring is not known: {labels}")
    if len(fitted) == 1:
        return fitted, masses
    tried = []
    for size in _SIZES:
        these, those = list(fitted), list(masses)
        for place in once:
            (alone,) = fitted[place].fits
            moved = replace(alone.estimate, vector=alone.estimate.vector.copy(), draws=alone.estimate.draws.copy())
            moved.vector[1] = moved.draws[:, 1] = size
            these[place] = replace(fitted[place], fits=(replace(alone, estimate=moved),))
            those[place] = _mass(counts, place, voting[place], these[place], resampled[:0])
        told = fit_loadings(counts.right, counts.made, [mass.chances for mass in those])[2]
        tried.append((told, these))
    _, these = max(tried, key=lambda one: one[0])
    for place in once:
        masses[place] = _mass(counts, place, voting[place], these[place], resampled)
    return these, masses


def _arm(
    counts: Counts,
    place: int,
    families: Families,
    mass: Mass,
    loading: float,
    lengths: Lengths,
    votes: bool,
    resampled: Array,
) -> ArmCurve:
    means = np.stack([counts.average(sums, resampled)[:, place] for sums in (counts.nusd, counts.tokens)], axis=1)
    missed = int((counts.made[place] - counts.right[place]).sum())
    return ArmCurve(
        arm=counts.arms[place],
        choices=tuple(
            Choice(Rightness.read(fit.family, fit.estimate.vector.tolist()), fit.held_out) for fit in families.fits
        ),
        mass=mass,
        loading=loading,
        silent=float(counts.silent[place].sum()) / missed if missed else 0.0,
        votes=votes,
        tokens=lengths.tokens[place],
        token_draws=_rounded(lengths.draws[place]),
        price=fit_price(counts.nusd[place], counts.inputs[place], counts.tokens[place], counts.tried[place]),
        means=_rounded(means),
        measured=measure(counts, place, votes, resampled),
        questions=int(np.count_nonzero(counts.made[place])),
        groups=counts.groups(counts.made[place] > 0),
        attempts=int(counts.tried[place].sum()),
        most=int(counts.made[place].max()),
        converged=families.fits[0].estimate.converged and mass.converged and lengths.converged,
    )


def _bound(counts: Counts, voting: Sequence[bool], resampled: Array) -> float | None:
    best = None
    for place, votes in enumerate(voting):
        used = (counts.made[place] > 0) & counts.votes
        if votes and used.any():
            right, weights = mode_right(counts, place)[used], resampled[:, used]
            drawn = (weights @ right) / np.maximum(weights.sum(axis=1), 1e-9)
            interval = around(float(right.mean()), drawn, counts.groups(used))
            if best is None or interval.mean > best.mean:
                best = interval
    return None if best is None else best.high


def _notes(counts: Counts, curves: tuple[ArmCurve, ...]) -> list[str]:
    """What did not go well, one line each; arms with the same to say share a line."""
    lines: dict[str, list[str]] = {}

    def say(curve: ArmCurve, what: str) -> None:
        lines.setdefault(what, []).append(curve.arm.label)

    for place, curve in enumerate(curves):
        if not curve.converged:
            say(curve, f"the fit did not converge ({curve.questions} questions): record more of them")
        elif curve.groups < _FEW:
            kind = "questions" if curve.groups == curve.questions else "groups of questions"
            say(curve, f"{curve.groups} {kind} are few, and every interval is wide")
        if not curve.price.exact:
            say(curve, f"costs do not follow tokens to within {EXACT:.0%}, so that no tail of costs is quoted")
        if counts.votes.any() and not curve.votes:
            votes = int(counts.right_votes[place].sum())
            why = "right answers do not agree with each other" if votes > curve.questions else "too few repeats"
            say(curve, f"no figures of votes ({why})")
    notes = [f"{what}: {', '.join(labels)}" for what, labels in lines.items()]
    if counts.votes.any() and not counts.votes.all():
        notes.append("some questions are verified or cannot be compared: figures of votes are for the others' answers")
    return notes


def _rounded(values: Array) -> Array:
    """Six digits that count, which keeps a saved curve small."""
    return np.array([float(f"{value:.6g}") for value in values.ravel().tolist()]).reshape(values.shape)
