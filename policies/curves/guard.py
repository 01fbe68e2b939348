"""What a curve does not say unless it is asked twice: figures far beyond what was recorded."""

from __future__ import annotations

from thinkcap.policies.curves.arm import ArmCurve, How
from thinkcap.policies.errors import BadInput

__all__ = ["MOST_VOTES", "REACH", "guard", "reach"]

REACH = 2
"""So many times the recorded attempts, or tokens, a curve is quoted without being told to extrapolate."""

MOST_VOTES = 400
"""Votes beyond which there is nothing to tell apart; their tables would only grow."""


def reach(curve: ArmCurve) -> int:
    """The most attempts a curve is quoted for: one where no question was asked twice, for nothing tells of a second."""
    return REACH * curve.most if curve.most > 1 else 1


def guard(curve: ArmCurve, how: How, attempts: int, cap: int | None, extrapolate: bool) -> bool:
    """Whether a figure lies beyond what was recorded.

    Raises:
        BadInput: for numbers that cannot be meant, votes without a meaning, or a figure beyond that was not asked
            for as one.
    """
    label = curve.arm.label
    if how not in ("vote", "verified"):
        raise BadInput(f"how must be 'vote' or 'verified', not {how!r}")
    if type(attempts) is not int or attempts < 1:
        raise BadInput(f"attempts must be a whole number of at least 1, not {attempts!r}")
    if cap is not None and (type(cap) is not int or cap < 1):
        raise BadInput(f"cap must be a whole number of output tokens of at least 1, not {cap!r}")
    if how == "vote" and attempts > 1 and not curve.votes:
        raise BadInput(f"{label}: the recording does not show which answers agree, so a vote has no figure")
    if how == "vote" and attempts > MOST_VOTES:
        raise BadInput(f"a vote has figures for at most {MOST_VOTES} attempts; plateau() says what more come to")
    if attempts > reach(curve) and not extrapolate:
        raise BadInput(
            f"{label} was recorded with at most {curve.most} attempts at a question, so {attempts} is a guess: "
            "record more, or pass extrapolate=True to see it with the spread between families"
        )
    if cap is not None and cap > REACH * curve.tokens.most and not extrapolate:
        raise BadInput(
            f"{label}'s longest recorded attempt took {curve.tokens.most:,} tokens, so a cap of {cap:,} is a guess: "
            "leave the cap out, or pass extrapolate=True"
        )
    return attempts > reach(curve)
