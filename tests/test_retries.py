"""When a call is tried again, and how long is waited before: no test here waits."""

from __future__ import annotations

import email.utils
from typing import Any

import httpx2
import openai
import pytest
import tenacity
from hypothesis import given
from hypothesis import strategies as st

from thinkcap.controller.retries import Retries, retry_after
from thinkcap.policies import BadInput, CeilingReached

REQUEST = httpx2.Request("POST", "http://127.0.0.1/v1")


def status(code: int, *, name: str | None = None, **headers: str) -> openai.APIStatusError:
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    response = httpx2.Response(code, headers=given, request=REQUEST)
    return openai.APIStatusError("said no", response=response, body={"code": name})


def tries(retries: Retries, error: BaseException, left: float | None = None) -> tuple[int, list[float]]:
    """How often a call that always fails so is made, and the waits between."""
    waits: list[float] = []
    made = 0

    def call() -> None:
        nonlocal made
        made += 1
        raise error

    with pytest.raises(type(error)):
        tenacity.Retrying(**retries.settings(lambda: left), sleep=waits.append)(call)
    return made, waits


@pytest.mark.parametrize("code", [408, 409, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_tried_again(code: int) -> None:
    """Rate limits, overload and conflicts are tried as often as allowed."""
    assert tries(Retries(attempts=4), status(code))[0] == 4


@pytest.mark.parametrize("code", [400, 401, 403, 404, 413, 422])
def test_what_will_not_pass_is_not(code: int) -> None:
    """A wrong key and a bad request are not tried again."""
    assert tries(Retries(attempts=4), status(code)) == (1, [])


@pytest.mark.parametrize("name", ["insufficient_quota", "billing_hard_limit_reached"])
def test_an_empty_purse_is_not_waited_for(name: str) -> None:
    """A 429 that says the account's money is used up is final."""
    assert tries(Retries(), status(429, name=name)) == (1, [])


@pytest.mark.parametrize("error", [openai.APIConnectionError(request=REQUEST), openai.APITimeoutError(REQUEST)])
def test_a_broken_connection_is_tried_again(error: Exception) -> None:
    """Connections that broke or timed out are tried again."""
    assert tries(Retries(), error)[0] == 3


@pytest.mark.parametrize("error", [CeilingReached("no"), ValueError("no"), BadInput("no")])
def test_nothing_else_is_tried_again(error: Exception) -> None:
    """The ceiling, and mistakes of the caller or the program, end the call at once."""
    assert tries(Retries(), error) == (1, [])


def test_the_server_says_how_long() -> None:
    """Retry-After is waited for exactly."""
    assert tries(Retries(), status(429, retry_after="7"))[1] == [7.0, 7.0]


def test_a_server_that_asks_for_too_much_is_not_waited_for() -> None:
    """A Retry-After beyond the longest wait ends the call."""
    assert tries(Retries(longest_wait_s=5), status(429, retry_after="6")) == (1, [])
    assert tries(Retries(longest_wait_s=6), status(429, retry_after="6"))[0] == 3


@given(st.integers(1, 8), st.floats(0, 10), st.floats(0, 100))
def test_waits_stay_within_their_bounds(attempts: int, first: float, longest: float) -> None:
    """Each wait is at most twice the one before's bound, and none is beyond the longest."""
    made, waits = tries(Retries(attempts, first, longest), status(500))
    assert made == attempts == len(waits) + 1
    for number, wait in enumerate(waits):
        assert 0 <= wait <= min(longest, first * 2**number)


def test_no_wait_goes_past_the_deadline() -> None:
    """Where the wait is as long as what is left, the call is not tried again."""
    assert tries(Retries(), status(429, retry_after="7"), left=7.0) == (1, [])
    assert tries(Retries(), status(429, retry_after="7"), left=7.1)[0] == 3


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3.0), ("0.5", 0.5), ("-4", 0.0), ("soon", None), ("nan", None), ("inf", None), ("", None)],
)
def test_retry_after_is_read(value: str, seconds: float | None) -> None:
    """Seconds are read as they are, at least 0; what is no number and no date counts as not said."""
    assert retry_after(status(429, retry_after=value)) == seconds


def test_retry_after_may_be_a_date() -> None:
    """A date is read as the seconds until then; a past one as none."""
    date = email.utils.formatdate(1_000_000, usegmt=True)
    assert retry_after(status(429, retry_after=date), lambda: 999_970.0) == 30.0
    assert retry_after(status(429, retry_after=date), lambda: 1_000_009.0) == 0.0


def test_an_error_without_a_response_says_nothing() -> None:
    """Errors that never had an answer ask for no wait."""
    assert retry_after(ValueError()) is None


@pytest.mark.parametrize(
    "bad",
    [{"attempts": 0}, {"attempts": True}, {"attempts": 1.5}, {"first_wait_s": -1}, {"longest_wait_s": float("nan")}],
)
def test_retries_that_cannot_be_meant_are_refused(bad: dict[str, Any]) -> None:
    """Fewer than one try, and waits below zero or without end, are BadInput in one line."""
    with pytest.raises(BadInput, match="retries: ") as refused:
        Retries(**bad)
    assert "\n" not in str(refused.value)
