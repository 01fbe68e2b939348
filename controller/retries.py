"""Trying a call again where that can help: rate limits, overload, and connections that broke.

Each try passes the governed client by itself, so each is reserved, charged and recorded by itself. Errors that a
second try cannot mend (a wrong key, a bad request, an empty purse) are not retried, and neither is the ceiling.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import tenacity

from thinkcap.policies.errors import BadInput

__all__ = ["Retries"]

_OVER = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""Codes of a 429 that says the account's money is used up: waiting does not help."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how patiently a call is tried again.

    Attributes:
        attempts: tries of one call in all, at least 1 (1 retries nothing).
        first_wait_s: seconds of the first wait at most; it doubles from try to try, with full jitter.
        longest_wait_s: seconds of any wait at most; a server that asks for more (``Retry-After``) is not waited for.

    Raises:
        BadInput: for fewer than one attempt, or seconds below zero.
    """

    attempts: int = 3
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0

    def __post_init__(self) -> None:
        given: object = self.attempts
        if isinstance(given, bool) or not isinstance(given, int) or given < 1:
            raise BadInput(f"retries: attempts must be a whole number from 1 (1 retries nothing), not {given!r}")
        if not (0 <= self.first_wait_s < math.inf and 0 <= self.longest_wait_s < math.inf):
            raise BadInput(
                f"retries: waits must be finite seconds from 0, not {self.first_wait_s!r} and {self.longest_wait_s!r}"
            )

    def settings(self, seconds_left: Callable[[], float | None]) -> dict[str, Any]:
        """Keyword arguments for tenacity's ``Retrying`` and ``AsyncRetrying``, within the seconds left."""

        def late(state: tenacity.RetryCallState) -> bool:
            left = seconds_left()
            return left is not None and state.upcoming_sleep >= left

        return {
            "retry": tenacity.retry_if_exception(self.mends),
            "wait": self._wait,
            "stop": lambda state: state.attempt_number >= self.attempts or late(state),
            "reraise": True,
        }

    def mends(self, error: BaseException) -> bool:
        """Another try may get past this error."""
        import openai  # here alone, so that importing the controller stays light

        if isinstance(error, openai.APIConnectionError):
            return True
        if not isinstance(error, openai.APIStatusError):
            return False
        if error.status_code == 429 and error.code in _OVER:
            return False
        asked = retry_after(error)
        if asked is not None and asked > self.longest_wait_s:
            return False
        return error.status_code in (408, 409, 429) or error.status_code >= 500

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = retry_after(error) if error is not None else None
        if asked is not None:
            return asked
        jittered = tenacity.wait_random_exponential(multiplier=self.first_wait_s, max=self.longest_wait_s)
        return jittered(state)


def retry_after(error: BaseException, now: Callable[[], float] | None = None) -> float | None:
    """Seconds the server asks to wait (``Retry-After``, as a number or a date); None if it does not say."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    value = headers.get("retry-after") if headers is not None else None
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = _until(value, now)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _until(date: str, now: Callable[[], float] | None) -> float:
    import time

    try:
        return parsedate_to_datetime(date).timestamp() - (now or time.time)()
    except (TypeError, ValueError):
        return math.nan
