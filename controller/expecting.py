"""A controller's policy held against what was expected of it, question by question."""

from __future__ import annotations

import threading
import warnings
from typing import Any

from thinkcap.policies import Expected, Outcome, Policy, SoFar

__all__ = ["ExpectedSoFar", "UnlikeExpected"]


class UnlikeExpected(UserWarning):
    """A policy comes to something else than it was chosen for: record anew, and fit the curve again."""


class ExpectedSoFar:
    """Counts what a policy's questions come to, and warns once of each way in which that is not what was expected.

    Args:
        policy: only one that comes with an expectation (:class:`thinkcap.policies.Expected`) is held against anything.
    """

    def __init__(self, policy: Policy) -> None:
        self._expected = policy.expected if isinstance(policy, Expected) else None
        self._so_far = SoFar()
        self._most_warned = 0
        self._lock = threading.Lock()

    def after(self, outcome: Outcome) -> dict[str, Any]:
        """Count one more question, and say what a receipt says of it."""
        expected = self._expected
        if expected is None:
            return {}
        with self._lock:
            self._so_far = so_far = self._so_far.after(outcome)
            differs = so_far.differs(expected)
            warned, self._most_warned = self._most_warned, max(self._most_warned, len(differs))
        if len(differs) > warned:
            warnings.warn(
                f"{'; '.join(differs)}: prices, questions or the model may have changed; record and fit again",
                UnlikeExpected,
                stacklevel=2,
            )
        return {
            "expected": {
                "accuracy": expected.accuracy.mean,
                "usd": expected.usd.mean,
                "attempts": expected.attempts,
                "agreed": expected.agreed,
            },
            "so_far": {
                "questions": so_far.questions,
                "usd": so_far.usd / so_far.questions,
                "agreed": so_far.agreed / so_far.questions,
                "differs": list(differs),
            },
        }
