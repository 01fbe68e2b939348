"""A curve from the log of a deployed policy: the law is fitted, and policies are tried on attempts drawn from it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.governing import Side
from tests.loopback import LoopbackServer, Reply
from thinkcap.controller import Account, Recorder
from thinkcap.evals import Planted, Recording, fit_curve, load_recording, majority_accuracy, plant, replay
from thinkcap.evals.imagined import imagine
from thinkcap.evals.recording import _OF_ATTEMPTS
from thinkcap.evals.tape import Tape
from thinkcap.policies import Call, Fixed, Item, Ladder, Lead, Policy, State
from thinkcap.policies.curves import Curve, Rightness, Shape
from thinkcap.policies.episode import next_move

LAW = Planted("m", Rightness("beta", 1.2, 0.5), Shape(0.0, 1.5, 1.0))


def log_of(recording: Recording, policy: Policy) -> Recording:
    """What a recorder holds after a policy answered every question once."""
    rows: list[int] = []
    for place in range(len(recording.questions)):
        tape = Tape(recording, place, recording.arms, 1, 0, "this log")
        state, used = State(tape.question, recording.arms), Counter[str]()
        while isinstance(move := next_move(policy, state), Call):
            label = move.arm.label
            rows.append(tape.order(move.arm, 0)[used[label]])
            state = state.after(tape.attempt(move, 0, used[label], len(state.attempts) + 1))
            used[label] += 1
    kept = np.sort(np.array(rows))
    columns = {name: getattr(recording, name)[kept] for name in _OF_ATTEMPTS}
    return replace(recording, adaptive=np.ones(len(recording.questions), dtype=np.bool_), **columns)


@pytest.fixture(scope="module")
def whole() -> Recording:
    return plant([LAW], 400, 40, seed=3)


@pytest.fixture(scope="module")
def refitted(whole: Recording) -> Curve:
    return fit_curve(log_of(whole, Lead(2, 40)), repeats=2, permutations=20)


def test_drawn_attempts_follow_the_curve(whole: Recording) -> None:
    """Votes and costs of a recording drawn from a curve are those the curve predicts, up to what chance does."""
    curve = Curve.fit(whole)
    drawn = imagine(curve, 3000, 24, seed=1)
    for votes in (1, 5, 24):
        right = majority_accuracy(drawn, "m", votes)
        error = right.std(ddof=1) / np.sqrt(3000)
        assert abs(right.mean() - curve.predict("m", votes).accuracy) < 4 * error
    assert drawn.cost_nusd.mean() / 1e9 == pytest.approx(curve.predict("m").usd, rel=0.05)


def test_the_law_of_a_log_is_not_biased_by_its_stopping(whole: Recording, refitted: Curve) -> None:
    """A log of first-to-lead-by-two tells what one attempt and 24 votes of the whole recording come to."""
    log = log_of(whole, Lead(2, 40))
    assert len(log.cost_nusd) < 5 * 400
    for votes in (1, 24):
        interval = refitted.interval("m", votes, extrapolate=True)
        assert interval.low <= majority_accuracy(whole, "m", votes).mean() <= interval.high
    shuffled = replay(log, Fixed("m"), permutations=40)  # what a replay of the log would have said of one attempt
    assert shuffled.accuracy.mean() > refitted.predict("m").accuracy
    assert any("decided how many attempts" in note for note in shuffled.notes)


def test_its_policies_do_what_they_promise(whole: Recording, refitted: Curve) -> None:
    """Policies chosen on drawn attempts come to what they promise on the real ones, within their intervals' width."""
    assert len(refitted.points) >= 3
    assert any("drawn from the fitted law" in note for note in refitted.notes)
    for point in refitted.points:
        came, told = replay(whole, point.policy, permutations=10), point.expected
        assert abs(came.accuracy.mean() - told.accuracy.mean) < told.accuracy.high - told.accuracy.low
        assert came.usd.mean() == pytest.approx(told.usd.mean, rel=0.3)


def test_an_arm_asked_only_where_others_failed_is_told() -> None:
    """In a ladder's log the dear arm was asked at some questions only, and a note says so."""
    recording = plant([replace(LAW, label="cheap"), Planted("dear", Rightness("beta", 3.0, 0.5))], 200, 8, seed=4)
    log = log_of(recording, Ladder((("cheap", 2), ("dear", 3)), lead=2))
    curve = fit_curve(log, repeats=2, permutations=8)
    assert any(note.startswith("dear was asked only at some of the 200 questions") for note in curve.notes)


def test_a_controller_marks_its_log_and_a_recording_run_does_not(tmp_path: Path) -> None:
    """Rows that a controller writes say that answers decided how many there are, so that a fit knows."""
    items = [Item(f"q{n}", f"What is {n} + 1?", answer=str(n + 1), extract="number") for n in range(6)]
    path = tmp_path / "log.jsonl"
    with Side("sync", "chat") as side, LoopbackServer(Reply(text="3")) as server, Recorder(path) as recorder:
        controller = side.controller(server, policy=Lead(2, 5), account=Account(1.0), recorder=recorder)
        controller.solve_many(items, budget=0.5)
    rows = [json.loads(line) for line in path.read_text().splitlines() if "question_id" in line]
    assert len(rows) == 12
    assert all(row["adaptive"] for row in rows)
    assert sum(row["correct"] for row in rows) == 2  # graded by the item's own answer
    assert load_recording(path).adaptive.all()
