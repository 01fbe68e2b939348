"""First to lead by k, exactly: as if every order of the attempts had been gone through."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinkcap.evals import Recording, lead_outcome, load_recording, majority_accuracy
from thinkcap.policies import BadInput


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("leads")


def recorded(folder: Path, answers: list[str | None]) -> Recording:
    """One question whose right answer is a, and whose answer c was never graded."""
    rows = [
        {
            "question_id": "q", "model": "m", "attempt": n, "answer": answer, "cost_usd": 0.001, "completion_tokens": 5,
            "correct": None if answer == "c" else answer == "a",
        }
        for n, answer in enumerate([*answers, "a"])
    ]  # fmt: skip
    path = folder / "run.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_recording(path)


def by_hand(answers: list[str | None], by: int, most: int) -> tuple[float, float]:
    """The mean over all orders, a tie at the end counting for each that leads alike."""
    right, known, made = 0.0, 0.0, 0
    orders = list(itertools.permutations([*answers, "a"]))
    for order in orders:
        votes: dict[str, int] = {}
        for drawn, answer in enumerate(order[:most], 1):
            if answer is not None:
                votes[answer] = votes.get(answer, 0) + 1
            first, second = (*sorted(votes.values(), reverse=True)[:2], 0, 0)[:2]
            if first - second >= by or drawn == most:
                break
        made += drawn
        leading: list[str | None] = [each for each, count in votes.items() if count == first] or [None]
        graded = [each for each in leading if each != "c"]
        right += sum(each == "a" for each in graded) / len(leading)
        known += len(graded) / len(leading)
    return (right / known if known else float("nan")), made / len(orders)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "d", "c", None]), min_size=1, max_size=5), st.integers(1, 3), st.data())
def test_it_is_the_mean_over_all_orders(folder: Path, answers: list[str | None], by: int, data: st.DataObject) -> None:
    """Accuracy and attempts are those of going through every order one by one."""
    most = data.draw(st.integers(1, len(answers) + 1))
    right, made = lead_outcome(recorded(folder, answers), "m", by, most)
    expected = by_hand(answers, by, most)
    assert right[0] == pytest.approx(expected[0], nan_ok=True)
    assert made[0] == pytest.approx(expected[1])


def test_a_lead_that_is_never_reached_is_a_vote(folder: Path) -> None:
    """Asked to lead by more than there are attempts, it is the vote over all of them."""
    recording = recorded(folder, ["a", "b", "b", "a", None, "d"])
    right, made = lead_outcome(recording, "m", 9, 5)
    assert right == pytest.approx(majority_accuracy(recording, "m", 5))
    assert made.tolist() == [5.0]


@pytest.mark.parametrize(("by", "most", "says"), [(0, 3, "whole numbers"), (1, 9, "fewer than 9"), (1, True, "whole")])
def test_what_cannot_be_meant_is_refused(folder: Path, by: int, most: Any, says: str) -> None:
    """Numbers below one, and more attempts than are recorded, are refused in one line."""
    with pytest.raises(BadInput, match=says):
        lead_outcome(recorded(folder, ["a", "b"]), "m", by, most)


def test_too_many_ways_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the states are too many it says to replay instead."""
    import sys

    monkeypatch.setattr(sys.modules["thinkcap.evals.leads"], "_MOST_STATES", 2)
    with pytest.raises(BadInput, match="replay them instead"):
        lead_outcome(recorded(folder, ["a", "b", "b", "d"]), "m", 3, 4)
    assert np.isfinite(lead_outcome(recorded(folder, ["a"]), "m", 1, 1)[1]).all()
