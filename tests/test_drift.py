"""What a deployed policy comes to, held against what was expected of it."""

from __future__ import annotations

import random

import pytest

from tests.governing import Side
from tests.loopback import LoopbackServer, Reply
from thinkcap.controller import UnlikeExpected
from thinkcap.evals import Interval
from thinkcap.policies import Arm, Attempt, Expectation, Expected, Lead, Outcome, Reason, SoFar, Usage

PROMISE = Expectation(Interval(0.8, 0.75, 0.85), Interval(1e-6, 0.95e-6, 1.05e-6), 100, 2, 0.9)


def outcome(nusd: int, reason: Reason = Reason.AGREED) -> Outcome:
    """A question that cost so much."""
    return Outcome("q", "1", reason, (Attempt(1, Arm("m"), "1", nusd, Usage(1, 1)),), 1.0)


def so_far(costs: list[int], agreed: int) -> SoFar:
    """Questions of these costs, of which so many end in agreement."""
    found = SoFar()
    for place, cost in enumerate(costs):
        found = found.after(outcome(cost, Reason.AGREED if place < agreed else Reason.ATTEMPTS))
    return found


def test_as_expected_says_nothing() -> None:
    """A hundred questions around the expected cost, nine in ten of them agreed, differ in nothing."""
    assert so_far([900, 1100] * 50, 90).differs(PROMISE) == ()


def test_what_differs_is_named() -> None:
    """Twice the cost, and half the agreement, are each a line with both figures."""
    cost, agreed = so_far([1900, 2100] * 50, 45).differs(PROMISE)
    assert cost == "100 questions cost $2e-06 each, where $1e-06 was expected"
    assert agreed == "45% of 100 questions ended agreed, where 90% was expected"
    assert so_far([1900, 2100] * 5, 2).differs(PROMISE) == ()  # ten questions are too few to tell


def test_luck_alone_is_not_reported() -> None:
    """Looked at after each of 500 questions of a heavy-tailed cost, it cries wolf in at most 2 of 100 runs."""
    luck, cried = random.Random(5), 0
    for _ in range(100):
        found = SoFar()
        for _ in range(500):
            cost = round(luck.lognormvariate(0, 0.8) * 1000 / 1.3771)  # the mean of exp(N(0, .8)) is exp(.32)
            agrees = Reason.AGREED if luck.random() < 0.9 else Reason.ATTEMPTS
            found = found.after(outcome(cost, agrees))
            if found.differs(PROMISE):
                cried += 1
                break
    assert cried <= 2


def test_a_controller_tells_once(recwarn: pytest.WarningsRecorder) -> None:
    """Each receipt has what was expected and what came so far; where they part company it is warned of once."""
    policy = Expected(Lead(1, 1, "m"), PROMISE)
    with Side("sync", "chat") as side, LoopbackServer([Reply(text="42", output_tokens=9)] * 50) as server:
        controller = side.controller(server, policy=policy, ceiling=0.05)
        for number in range(1, 46):
            receipt = side.solve(controller, extract="number").receipt
            assert receipt is not None
            assert receipt["expected"] == {"accuracy": 0.8, "usd": 1e-6, "attempts": 2, "agreed": 0.9}
            assert receipt["so_far"]["questions"] == number
            assert bool(receipt["so_far"]["differs"]) == (number >= 40)
        plain = side.solve(side.controller(server, policy=Lead(1, 1, "m"), ceiling=0.05), extract="number").receipt
    assert plain is not None
    assert "expected" not in plain
    (warned,) = [one for one in recwarn if issubclass(one.category, UnlikeExpected)]
    assert "40 questions cost" in str(warned.message)
    assert "record and fit again" in str(warned.message)
