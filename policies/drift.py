"""Whether a deployed policy comes to what was expected of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from thinkcap.policies.expected import Expectation
from thinkcap.policies.money import NANO
from thinkcap.policies.values import Outcome, Reason

__all__ = ["SoFar"]

_ENOUGH = 40
"""Questions before which nothing is said."""
_ERRORS = 4.0
"""Standard errors apart: looked at after every question, so that looking often does not cry wolf."""
_ENDS = 1.96
_AGREED = frozenset({Reason.AGREED, Reason.VERIFIED})


@dataclass(frozen=True, slots=True)
class SoFar:
    """What a policy's questions came to so far, as sums.

    Attributes:
        questions: how many.
        usd: dollars.
        usd_squared: dollars squared, question by question.
        agreed: questions that ended because answers agree, or one passed the verifier.
    """

    questions: int = 0
    usd: float = 0.0
    usd_squared: float = 0.0
    agreed: int = 0

    def after(self, outcome: Outcome) -> SoFar:
        """The sums with one more question."""
        usd = outcome.spent_nusd / NANO
        return SoFar(
            self.questions + 1,
            self.usd + usd,
            self.usd_squared + usd * usd,
            self.agreed + (outcome.reason in _AGREED),
        )

    def differs(self, expected: Expectation) -> tuple[str, ...]:
        """In what it differs from what was expected by more than luck explains: a line each.

        Cost is held against its mean with the error of both (the sample's, and the interval's of what was expected),
        agreement against its share with the binomial error. Four standard errors are asked for, and 40 questions.
        """
        if self.questions < _ENOUGH:
            return ()
        found = []
        count, usd = self.questions, self.usd / self.questions
        spread = max(self.usd_squared / count - usd * usd, 0.0) / (count - 1)
        known = ((expected.usd.high - expected.usd.low) / (2 * _ENDS)) ** 2
        if abs(usd - expected.usd.mean) > _ERRORS * sqrt(spread + known):
            found.append(f"{count} questions cost ${usd:.3g} each, where ${expected.usd.mean:.3g} was expected")
        if expected.agreed is not None:
            share, luck = self.agreed / count, max(expected.agreed * (1 - expected.agreed), 1 / count) / count
            if abs(share - expected.agreed) > _ERRORS * sqrt(luck):
                found.append(f"{share:.0%} of {count} questions ended agreed, where {expected.agreed:.0%} was expected")
        return tuple(found)
