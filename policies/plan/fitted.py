"""An option whose points are the policies of a fitted curve: model x effort x policy, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from thinkcap.policies.asks import asks
from thinkcap.policies.errors import BadInput
from thinkcap.policies.money import NANO
from thinkcap.policies.plan.option import Option, Step
from thinkcap.policies.plan.tokens import Paid, Rates, TokenStep, tokens_option
from thinkcap.policies.words import in_words

if TYPE_CHECKING:
    from thinkcap.policies.curves import ArmCurve, Curve, Point

__all__ = ["curve_option"]

_SAME = 0.05  # prices this near, relatively, count as the same
_PER_MILLION = 1e6 / NANO  # a nano-dollar a token, as dollars per million


def curve_option(
    name: str,
    curve: Curve,
    *,
    arm: str | None = None,
    paid: Paid | None = None,
    request_tokens_per_s: float | None = None,
    fixed_usd: float = 0.0,
) -> Option:
    """The policies of a curve as an option. Accuracies above its best policy, its asymptote, are out of reach.

    Args:
        name: what it is called.
        curve: the fitted curve.
        arm: only single calls and votes of this arm, as predicted; None for the policies the curve chose.
        paid: pays the curve's tokens at these prices, or on this hardware; None pays what the recording did.
        request_tokens_per_s: tokens a second that one request writes; attempts follow one another, so a question takes
            as long as all its output.
        fixed_usd: dollars a month on top.

    Raises:
        BadInput: for an unknown arm, no costs at all, or tokens that cannot be paid otherwise: of several models, or of
            prompts whose length the recording does not tell.
    """
    points = curve.frontier(arm)
    notes = [] if curve.converged else [f"{name}: the fit of its curve did not converge"]
    if arm is not None or not curve.points:
        notes += [f"{name}: {note}" for note in curve.notes]
    if paid is None:
        if points[0].expected.usd.mean <= 0:
            raise BadInput(f"{name}: the recording behind the curve has no costs: give prices, or hardware by the hour")
        when = "at" if curve.price_date is None else f"of {curve.price_date}, at"
        notes.append(f"{name}: prices are those {when} which its curve was recorded")
        steps = tuple(_step(point, request_tokens_per_s) for point in points)
        return Option(name, steps, fixed_usd=fixed_usd, fitted=True, evidence=curve.fingerprint, notes=tuple(notes))
    _one_model(name, curve, points)
    prompts = [_prompt_tokens(curve, point) for point in points]
    if None in prompts:
        if isinstance(paid, Rates):
            raise BadInput(
                f"{name}: the recording behind the curve does not tell how long prompts are, so it cannot be priced "
                "anew: leave the prices out, or fit again with thinkcap fit --price"
            )
        notes.append(f"{name}: its curve does not tell how long prompts are, so reading them is not counted")
    if isinstance(paid, Rates):
        notes += _other_prices(name, curve, points, paid)
    return tokens_option(
        name,
        [
            TokenStep(
                point.expected.output_tokens,
                point.expected.accuracy.mean,
                prompt or 0.0,
                low=point.expected.accuracy.low,
                high=point.expected.accuracy.high,
                name=in_words(point.policy),
            )
            for point, prompt in zip(points, prompts, strict=True)
        ],
        paid,
        request_tokens_per_s=request_tokens_per_s,
        fixed_usd=fixed_usd,
        fitted=True,
        evidence=curve.fingerprint,
        notes=tuple(notes),
    )


def _step(point: Point, request_tokens_per_s: float | None) -> Step:
    expected = point.expected
    seconds = None if request_tokens_per_s is None else max(expected.output_tokens / request_tokens_per_s, 1e-9)
    accuracy = expected.accuracy
    return Step(
        expected.usd.mean, accuracy.mean, seconds, low=accuracy.low, high=accuracy.high, name=in_words(point.policy)
    )


def _asked(curve: Curve, point: Point) -> list[ArmCurve]:
    labels = asks(point.policy)
    return list(curve.arms) if labels is None else [curve.arm(label) for label in labels]


def _one_model(name: str, curve: Curve, points: Sequence[Point]) -> None:
    models = sorted({arm.arm.model for point in points for arm in _asked(curve, point)})
    if len(models) > 1:
        raise BadInput(
            f"{name}: its curve asks {' and '.join(models)}, which one price does not pay: fit one curve a model "
            "(thinkcap fit --arm), name one with arm, or fit again at other prices (thinkcap fit --price)"
        )


def _prompt_tokens(curve: Curve, point: Point) -> float | None:
    """Tokens a question takes to read, over all attempts; None where the recording does not tell.

    One arm: its prompt, which is what an attempt costs before it says a word over the price of a token, for each
    attempt. Several at the same prices: what is left of the cost after the output, over the price of a token.
    """
    rates = []
    for arm in _asked(curve, point):
        price = arm.price
        if not price.exact or not price.input_nusd:
            return None
        rates.append((price.input_nusd, price.output_nusd, price.base_nusd / price.input_nusd))
    reads, writes, prompt = rates[0]
    expected = point.expected
    if len({each for *_, each in rates}) == 1:
        return prompt * expected.attempts
    if any(not _near(one, reads) or not _near(other, writes) for one, other, _ in rates):
        return None
    return max(expected.usd.mean * NANO - expected.output_tokens * writes, 0.0) / reads


def _other_prices(name: str, curve: Curve, points: Sequence[Point], paid: Rates) -> list[str]:
    found = {arm.arm.label: arm.price for point in points for arm in _asked(curve, point)}
    for label, price in found.items():
        then = ((price.input_nusd or 0.0) * _PER_MILLION, price.output_nusd * _PER_MILLION)
        now = (paid.input_usd_per_million, paid.output_usd_per_million)
        if not all(_near(one, other) for one, other in zip(now, then, strict=True)):
            return [
                f"{name}: {label} was recorded at ${then[0]:.3g} and ${then[1]:.3g} per million tokens and is priced "
                f"anew at ${now[0]:g} and ${now[1]:g}; policies were chosen at the old prices"
            ]
    return []


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= _SAME * max(abs(one), abs(other))
