"""A policy with what it is expected to come to: measured on recorded questions that its choice never saw."""

from __future__ import annotations

from dataclasses import dataclass

from thinkcap.policies.interval import Interval
from thinkcap.policies.policy import Policy
from thinkcap.policies.values import Arm, Call, State, Stop
from thinkcap.policies.words import in_words

__all__ = ["Expectation", "Expected"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a policy comes to, for a mean question.

    Attributes:
        accuracy: share of questions answered right, 0 to 1, with its 95 % interval over questions.
        usd: dollars a question, with its 95 % interval.
        output_tokens: a question, including hidden reasoning.
        attempts: a question.
        agreed: share of questions that end because answers agree, or one passes the verifier; None if not known.
    """

    accuracy: Interval
    usd: Interval
    output_tokens: float
    attempts: float
    agreed: float | None = None

    def mixed(self, other: Expectation, share: float) -> Expectation:
        """What giving a share of the questions to this policy, and the rest to the other, comes to.

        Ends of intervals are mixed too, as if both erred alike: never narrower than the mix's own.
        """

        def mix(mine: float, theirs: float) -> float:
            return share * mine + (1 - share) * theirs

        def between(mine: Interval, theirs: Interval) -> Interval:
            return Interval(mix(mine.mean, theirs.mean), mix(mine.low, theirs.low), mix(mine.high, theirs.high))

        known = self.agreed is not None and other.agreed is not None
        return Expectation(
            between(self.accuracy, other.accuracy),
            between(self.usd, other.usd),
            mix(self.output_tokens, other.output_tokens),
            mix(self.attempts, other.attempts),
            mix(self.agreed, other.agreed) if known else None,  # type: ignore[arg-type]
        )

    def __str__(self) -> str:
        right, cost = self.accuracy, self.usd
        return (
            f"{100 * right.mean:.1f} % right ({100 * right.low:.1f} to {100 * right.high:.1f}) "
            f"at ${cost.mean:.3g} a question (${cost.low:.3g} to ${cost.high:.3g})"
        )


@dataclass(frozen=True, slots=True)
class Expected(Policy):
    """A policy, and what to expect of it; it decides as the policy does.

    Attributes:
        policy: who decides.
        expected: what it comes to.
        note: what to know of the choice, a line; None if there is nothing.
    """

    policy: Policy
    expected: Expectation
    note: str | None = None

    def decide(self, state: State) -> Call | Stop:
        """The policy's move."""
        return self.policy.decide(state)

    def answer(self, state: State) -> str | None:
        """The policy's best answer so far."""
        return self.policy.answer(state)

    def favourite(self, state: State) -> Arm:
        """The policy's favourite arm."""
        return self.policy.favourite(state)

    def __str__(self) -> str:
        lines = [f"{in_words(self.policy)}: expected {self.expected}"]
        if self.note is not None:
            lines.append(f"  {self.note}")
        return "\n".join(lines)
