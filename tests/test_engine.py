"""Many episodes at once: the same figures, draw for draw, as one by one."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinkcap.evals import Interval, Recording, load_recording, replay, sweep
from thinkcap.evals.engine import plan_of
from thinkcap.evals.orders import orders_of
from thinkcap.policies import (
    ESC,
    AdaptiveConsistency,
    BadInput,
    Expectation,
    Expected,
    Finishing,
    Fixed,
    Ladder,
    Lead,
    Length,
    Mix,
    Policy,
    Reason,
    Short,
    Spend,
    Vote,
)

ARMS = ("m:low", "m:high")
FIELDS = ("accuracy", "usd", "output_tokens", "attempts")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


ATTEMPT = st.fixed_dictionaries(
    {
        "answer": st.sampled_from(["a", "b", "c", "d", None]),
        "correct": st.sampled_from([True, False, None]),
        "completion_tokens": st.integers(1, 90),
        "cost_usd": st.integers(1, 1000).map(lambda micro: micro / 1e6),
    },
    optional={
        "finish_reason": st.sampled_from(["stop", "stop", "length", "refusal"]),
        "verified": st.sampled_from([None, None, True, False]),
    },
)
QUESTION = st.fixed_dictionaries({arm: st.lists(ATTEMPT, min_size=7, max_size=9) for arm in ("low", "high")})
SETS = st.lists(st.lists(QUESTION, min_size=1, max_size=4), min_size=1, max_size=2)


def recorded(folder: Path, sets: list[list[dict[str, list[dict[str, Any]]]]]) -> Recording:
    """A recording of these questions, in one dataset each list."""
    rows = [
        {"dataset": f"d{d}", "question_id": f"q{q}", "model": "m", "effort": effort, "attempt": number, **attempt}
        for d, questions in enumerate(sets)
        for q, question in enumerate(questions)
        for effort, attempts in question.items()
        for number, attempt in enumerate(attempts)
    ]
    path = folder / "run.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_recording(path)


LABELS = st.sampled_from([None, *ARMS])
NOTHING = Expectation(Interval(0, 0, 0), Interval(0, 0, 0), 0, 0)
SINGLE = st.one_of(
    st.builds(Fixed, LABELS),
    st.builds(Vote, st.integers(1, 7), LABELS),
    st.builds(Lead, st.integers(1, 3), st.integers(1, 7), LABELS),
    st.builds(AdaptiveConsistency, st.sampled_from([0.6, 0.8, 0.95]), st.integers(1, 7), LABELS),
    st.builds(ESC, st.integers(2, 3), st.integers(3, 7), LABELS),
    st.builds(
        lambda first, second, lead, weights: Ladder(((ARMS[0], first), (ARMS[1], second)), lead, weights),
        st.integers(1, 4),
        st.integers(1, 5),
        st.sampled_from([1, 2, 2.5, 3]),
        st.sampled_from([(), (1.0, 1.0), (0.1, 0.3), (1.0, 2.5)]),
    ),
    st.builds(
        lambda first, second, lead, weights, short, dear: Spend(
            ((ARMS[0], first), (ARMS[1], second)), lead, weights, short, *dear
        ),
        st.integers(1, 4),
        st.integers(1, 5),
        st.sampled_from([1, 1.7, 2, 3]),
        st.sampled_from([(), (1.0, 2.5)]),
        st.sampled_from([None, Short(0.8, 0.3), Short(0.5, 0.0)]),
        st.sampled_from([(None, 0), (600_000, 1), (1_000_000, 0)]),
    ),
)
POLICIES = st.one_of(
    SINGLE,
    st.builds(
        lambda policy, attempts, usd, tokens: policy.capped(attempts=attempts, usd=usd, output_tokens=tokens),
        SINGLE,
        st.integers(1, 6),
        st.sampled_from([None, "0.0008"]),
        st.sampled_from([None, 120]),
    ),
    st.builds(lambda one, other: one | other, SINGLE, SINGLE),
    st.builds(Mix, SINGLE, SINGLE, st.sampled_from([0.0, 0.3, 0.7, 1.0]), st.integers(0, 3)),
    st.builds(lambda policy: Expected(policy, NOTHING), SINGLE),
)
LENGTHS = (Length("m:low", 3.5, 0.4, 0.2, 0.3, 0.4, 0.4, 1), Length("m:high", 3.8, 0.5, 0.0, 0.4, 0.5, 0.5, 1))
CAPPED = st.builds(
    lambda policy, most, chance: Finishing(policy, tuple(replace(law, most=most) for law in LENGTHS), chance),
    st.one_of(SINGLE, st.builds(Mix, SINGLE, SINGLE, st.sampled_from([0.3, 0.7]), st.integers(0, 3))),
    st.sampled_from([20, 40, 500]),
    st.sampled_from([0.5, 0.9]),
)


@settings(max_examples=250, deadline=None)
@given(SETS, POLICIES, st.sampled_from([None, 1, 3]), st.integers(0, 5))
def test_at_once_is_as_one_by_one(folder: Path, sets: Any, policy: Policy, permutations: int | None, seed: int) -> None:
    """Accuracy, money, tokens, attempts, reasons and their spread are equal to the last bit, whatever was recorded."""
    same_figures(recorded(folder, sets), policy, permutations, seed)


@settings(max_examples=150, deadline=None)
@given(SETS, CAPPED, st.sampled_from([None, 1, 3]), st.integers(0, 5))
def test_caps_at_once_are_as_one_by_one(
    folder: Path, sets: Any, policy: Policy, permutations: int | None, seed: int
) -> None:
    """The same where caps cut some attempts: what is played at once is what no cap touches."""
    for attempt in (attempt for questions in sets for arms in questions for ones in arms.values() for attempt in ones):
        attempt["completion_tokens"] *= attempt["completion_tokens"] > 9  # some have none
        attempt["cost_usd"] = (3 + 2 * attempt["completion_tokens"]) / 1e6
        if attempt.get("finish_reason") == "length":
            del attempt["finish_reason"]
    same_figures(recorded(folder, sets), policy, permutations, seed)


def same_figures(recording: Recording, policy: Policy, permutations: int | None, seed: int) -> None:
    """At once and one by one."""
    both = [
        replay(recording, policy, permutations=permutations, seed=seed, engine=engine)
        for engine in ("auto", "reference")
    ]
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(both[0], field), getattr(both[1], field))
    np.testing.assert_allclose(both[0].usd_by_arm, both[1].usd_by_arm, rtol=1e-12)
    np.testing.assert_allclose(both[0].usd_by_arm.sum(axis=1), both[0].usd, rtol=1e-12)
    assert both[0].reasons == both[1].reasons
    assert (both[0].arms, both[0].most_nusd, both[0].notes) == (both[1].arms, both[1].most_nusd, both[1].notes)
    np.testing.assert_equal(both[0].mc_error, both[1].mc_error)


@settings(max_examples=40, deadline=None)
@given(SETS, st.lists(POLICIES, min_size=1, max_size=4))
def test_a_sweep_is_each_by_itself(folder: Path, sets: Any, policies: list[Policy]) -> None:
    """Policies that are replayed together meet the same orders as each by itself, so their figures are the same."""
    recording = recorded(folder, sets)
    together = sweep(recording, {f"{i}": policy for i, policy in enumerate(policies)}, permutations=3)
    for found, policy in zip(together, policies, strict=True):
        alone = replay(recording, policy, permutations=3)
        for field in FIELDS:
            np.testing.assert_array_equal(getattr(found, field), getattr(alone, field))


SMALL: list[list[dict[str, list[dict[str, Any]]]]] = [
    [
        {
            arm: [{"answer": "ab"[n % 2], "correct": True, "completion_tokens": 5, "cost_usd": 0.001} for n in range(4)]
            for arm in ("low", "high")
        }
    ]
]


def test_a_tape_that_runs_out_says_the_same(folder: Path) -> None:
    """Asked for more than is recorded, both say which attempt of which arm at which question is missing."""
    recording = recorded(folder, SMALL)
    said = []
    for engine in ("auto", "reference"):
        with pytest.raises(BadInput, match=r"asks for attempt 5 of m:low on question q0") as caught:
            replay(recording, Vote(5, "m:low"), permutations=2, engine=engine, name="vote:5")
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_processes_do_not_change_the_figures(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks shared out among two processes come to what one process makes of them."""
    monkeypatch.setattr(sys.modules[sweep.__module__], "_BLOCK", 2)
    recording = recorded(folder, [SMALL[0] * 3])
    policies = {"lead": Lead(2, 4, "m:low"), "vote": Vote(3, "m:high")}
    one, two = (sweep(recording, policies, permutations=2, jobs=jobs) for jobs in (1, 2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.accuracy, b.accuracy)
        np.testing.assert_array_equal(a.usd, b.usd)


def test_orders_are_permutations_that_depend_on_question_and_arm(folder: Path) -> None:
    """Every order holds each attempt once; another seed, question or arm has another order."""
    question = dict.fromkeys(("low", "high"), SMALL[0][0]["low"] * 10)
    recording = recorded(folder, [[question, question]])
    found = {
        (question, arm, seed): orders_of(recording, question, arm, 2, seed)
        for question in (0, 1)
        for arm in ARMS
        for seed in (0, 1)
    }
    assert all((np.sort(order, axis=1) == np.arange(40)).all() for order in found.values())
    assert len({order.tobytes() for order in found.values()}) == 8
    assert orders_of(recording, 0, ARMS[0], None, 0).tolist() == [list(range(40))]


def test_a_cap_may_end_an_episode_before_its_tape_does(folder: Path) -> None:
    """Answers a, b, a with b's attempt cut: a leads by two with a cap, and runs out of attempts without one."""
    rows = [
        {"answer": answer, "correct": True, "completion_tokens": tokens, "cost_usd": tokens / 1e6}
        for answer, tokens in (("a", 20), ("b", 90), ("a", 21))
    ]
    recording = recorded(folder, [[{"low": rows, "high": rows}]])
    lengths = (replace(LENGTHS[0], most=30),)
    policy = Finishing(Lead(2, 9, "m:low"), lengths, 0.5)
    for engine in ("auto", "reference"):
        found = replay(recording, policy, permutations=None, engine=engine)
        assert (found.attempts.tolist(), found.output_tokens.tolist()) == ([3], [71])
    with pytest.raises(BadInput, match="asks for attempt 4"):
        replay(recording, policy.policy, permutations=None)


class Own(Lead):
    """Decides as it likes: what a subclass does is not in its parent's plan."""


def test_only_what_is_known_has_a_plan(folder: Path) -> None:
    """A subclass of a known policy, and one that is joined of two, are replayed one by one."""
    arms = recorded(folder, SMALL).arms
    assert plan_of(Lead(2, 3), arms) is not None
    assert plan_of(Own(2, 3), arms) is None
    assert plan_of(Lead(2, 3) | Vote(2), arms) is None
    assert plan_of(Lead(2, 3).capped(max_output_tokens=9), arms) is None


def test_bad_options_are_told() -> None:
    """An unknown engine and a sweep of nothing are refused in one line."""
    recording: Any = None
    with pytest.raises(BadInput, match="engine must be"):
        replay(recording, Vote(1), engine="fast")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="no policy"):
        sweep(recording, {})


def test_an_allowance_does_not_hide_why_a_policy_stopped(folder: Path) -> None:
    """A question that is dear after the one attempt allowed ended agreed, as the policy itself would say."""
    dear = {"answer": "a", "correct": True, "completion_tokens": 9, "cost_usd": 0.001}
    cheap = {**dear, "cost_usd": 0.0001}
    recording = recorded(folder, [[{"low": [dear] * 3}, {"low": [cheap] * 3}]])
    policy = Spend((("m:low", 3),), 2.0, (), None, 600_000, 1.0).capped(attempts=1)
    found = replay(recording, policy)
    assert found.reasons == replay(recording, policy, engine="reference").reasons
    assert found.reasons == {Reason.AGREED: 100, Reason.ATTEMPTS: 100}
