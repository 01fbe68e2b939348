"""What a curve's money buys: one wish, the policy that meets it, and what was promised of it."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_cli import Run, run  # noqa: F401 - a fixture
from thinkcap.demo import recording_path
from thinkcap.evals import Interval, Planted, Recording, fit_curve, load_recording, plant
from thinkcap.evals import replay as play
from thinkcap.policies import (
    ESC,
    AdaptiveConsistency,
    BadInput,
    Cascade,
    Expectation,
    Fixed,
    Ladder,
    Lead,
    Mix,
    Policy,
    Short,
    Spend,
    Vote,
    asks,
    in_words,
)
from thinkcap.policies.curves import Curve, Point, worth_having
from thinkcap.policies.curves.points import choose
from thinkcap.policies.hull import hull
from thinkcap.policies.written import policy_of, written


def point(policy: Policy, accuracy: float, usd: float) -> Point:
    """A policy that comes to this, give or take a tenth."""
    around = (accuracy * 0.9, accuracy * 1.1), (usd * 0.9, usd * 1.1)
    return Point(policy, Expectation(Interval(accuracy, *around[0]), Interval(usd, *around[1]), 100 * usd, 2, 0.5))


POINTS = (point(Fixed("a"), 0.4, 1.0), point(Lead(2, 9, "a"), 0.6, 2.0), point(Vote(9, "b"), 0.7, 6.0))


@pytest.fixture(scope="module")
def two_arms() -> tuple[Recording, Curve]:
    """A cheap arm and a dear one that is better, 120 questions, 8 attempts, and the curve of them."""
    recording = plant([Planted("cheap"), Planted("dear", tokens=(7.0, 0.7, 0.0, 0.4), loading=0.5)], 120, 8, seed=1)
    return recording, fit_curve(recording, repeats=3, permutations=20)


# ---- choosing


def test_a_right_answers_worth_decides() -> None:
    """The corners give way to each other where the slope between them is the worth: at $5 and at $40 here."""
    for worth, policy in ((4.9, POINTS[0]), (5.1, POINTS[1]), (39, POINTS[1]), (41, POINTS[2])):
        assert choose(POINTS, worth_usd=worth).policy == policy.policy


def test_a_mean_budget_is_met_by_mixing() -> None:
    """$3 lies a quarter of the way from $2 to $6: a quarter of the questions get the dearer, and all figures follow."""
    found = choose(POINTS, mean_usd=3.0)
    assert found.policy == Mix(POINTS[2].policy, POINTS[1].policy, 0.25)
    assert found.expected.usd.mean == pytest.approx(3.0)
    assert found.expected.accuracy.mean == pytest.approx(0.6 + 0.25 * 0.1)
    assert found.expected.accuracy.low == pytest.approx(0.54 + 0.25 * 0.09)


def test_an_accuracy_is_met_at_the_lowest_cost() -> None:
    """Half of the way from 60 to 70 % costs half of the way from $2 to $6; what the cheapest has is the cheapest's."""
    found = choose(POINTS, accuracy=0.65)
    assert found.expected.accuracy.mean == pytest.approx(0.65)
    assert found.expected.usd.mean == pytest.approx(4.0)
    assert choose(POINTS, accuracy=0.1).policy == POINTS[0].policy
    assert choose(POINTS, accuracy=0.7).policy == POINTS[2].policy


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({}, r"exactly one of accuracy= .* mean_usd= .* worth_usd="),
        ({"accuracy": 0.5, "mean_usd": 1}, "exactly one"),
        ({"accuracy": 0.71}, r"no policy comes to 71.0%: the asymptote .* 70.0% \(63.0% to 77.0%\)"),
        ({"accuracy": 95}, "95 % is written 0.95"),
        ({"mean_usd": 0.5}, r"cheapest policy costs \$1"),
        ({"worth_usd": 0}, "positive"),
        ({"mean_usd": float("nan")}, "positive"),
        ({"accuracy": True}, "positive"),
    ],
)
def test_a_wish_that_nothing_meets_is_refused(wish: dict[str, float], says: str) -> None:
    """None, several, beyond the asymptote, below the cheapest, or no number: one line that says what to give."""
    with pytest.raises(BadInput, match=says):
        choose(POINTS, **wish)


def test_money_that_buys_nothing_is_not_spent() -> None:
    """A budget above the dearest policy gets that policy and a note; a single call says that more does not pay."""
    rich = choose(POINTS, mean_usd=100)
    assert rich.policy == POINTS[2].policy
    assert "not spent" in str(rich)
    assert "one call" in str(choose(POINTS, worth_usd=0.1))


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 1)), min_size=1, max_size=12))
def test_the_hull_is_what_is_worth_having(found: list[tuple[float, float]]) -> None:
    """At every worth the best corner is as good as the best of all, and slopes fall from corner to corner."""
    usd, right = [one for one, _ in found], [one for _, one in found]
    corners = hull(usd, right)
    for worth in (0.01, 0.3, 1.0, 7.0, 1000.0):
        best = max(r - u / worth for u, r in found)
        assert max(right[place] - usd[place] / worth for place in corners) == pytest.approx(best)
    steps = itertools.pairwise(corners)
    slopes = [(right[b] - right[a]) / (usd[b] - usd[a]) for a, b in steps]
    assert slopes == sorted(slopes, reverse=True)
    assert [worth.policy for worth in worth_having([point(Vote(n + 1), r, u) for n, (u, r) in enumerate(found)])] == [
        Vote(place + 1) for place in corners
    ]


# ---- written down


KINDS: list[Policy] = [
    Fixed(),
    Fixed("a:b"),
    Vote(3, "a"),
    Lead(2, 9),
    AdaptiveConsistency(0.9, 12, "a"),
    ESC(3, 9),
    Ladder((("a", 1), ("b", 8)), 3, (1.0, 2.5)),
    Cascade((("a", 2), ("b", 3)), 0.7),
    Spend((("a", 2), ("b", 5)), 2.6, (1.0, 3.0), Short(0.82, 0.3), 5000, 0.5),
    Mix(Spend((("a", 4),), 2.0), Mix(Fixed("a"), Vote(3, "b"), 0.5), 0.25, 7),
]


@pytest.mark.parametrize("policy", KINDS, ids=[type(policy).__name__ + str(n) for n, policy in enumerate(KINDS)])
def test_what_is_written_is_read(policy: Policy) -> None:
    """Every kind of policy goes through JSON unchanged, and is said in words on one line."""
    assert policy_of(json.loads(json.dumps(written(policy)))) == policy
    assert in_words(policy)
    assert "\n" not in in_words(policy)


class Own(Policy):
    """A rule of one's own."""

    def decide(self, state: object) -> object:  # type: ignore[override]
        raise AssertionError


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([], "an object with its kind"),
        ({"kind": "os.system"}, "no policy of kind 'os.system'"),
        ({"kind": "vote", "k": 0}, "k"),
        ({"kind": "vote", "k": 3, "cmd": "x"}, "has no 'cmd'"),
        ({"kind": "lead", "by": "x"}, "lead"),
        ({"kind": "fixed", "arm": 5}, "arm"),
        ({"kind": "spend", "rungs": [[5, "a"]], "lead": 2}, "rungs"),
        ({"kind": "spend", "rungs": 5, "lead": 2}, "rungs"),
        ({"kind": "spend", "rungs": [["a", 2]], "lead": 2, "short": {"x": 1}}, "short"),
        ({"kind": "mix", "first": {"kind": "fixed"}, "share": 0.5}, "mix"),
    ],
)
def test_what_is_no_policy_is_refused(data: object, says: str) -> None:
    """A file's policy is data from anywhere: an unknown kind, field or value is one line, and nothing is run."""
    with pytest.raises(BadInput, match=says):
        policy_of(data)


def test_ones_own_cannot_be_written() -> None:
    """A policy of one's own is code, which a file does not hold."""
    with pytest.raises(BadInput, match="Own cannot be written"):
        written(Own())


def test_the_arms_a_policy_asks() -> None:
    """Every kind names its arms in the order asked; one that takes the first arm given, or one's own, names none."""
    found = {type(policy).__name__ + str(n): asks(policy) for n, policy in enumerate(KINDS)}
    assert found["Fixed0"] is None
    assert found["Spend8"] == ("a", "b")
    assert found["Mix9"] == ("b", "a")
    assert asks(Own()) is None
    assert asks(choose(POINTS, worth_usd=1000)) == ("b",)


# ---- chosen on a recording


def test_a_curve_promises_what_its_policies_come_to(two_arms: tuple[Recording, Curve], tmp_path: Path) -> None:
    """Replayed on the recording, each point comes to about its promise; saved and loaded, it promises the same."""
    recording, curve = two_arms
    assert len(curve.points) >= 2
    usd = [one.expected.usd.mean for one in curve.points]
    assert usd == sorted(usd)
    for one in curve.points:
        came = play(recording, one.policy, permutations=20).summary(bootstrap=100)
        assert one.expected.accuracy.low - 0.02 <= came.accuracy <= one.expected.accuracy.high + 0.02
        assert came.usd == pytest.approx(one.expected.usd.mean, rel=0.05)
        assert one.expected.agreed is not None
        assert 0 <= one.expected.agreed <= 1
    curve.save(tmp_path / "c.json")
    loaded = Curve.load(tmp_path / "c.json")
    assert loaded == curve
    assert loaded.policy(worth_usd=0.01) == curve.policy(worth_usd=0.01)


def test_what_is_expected_was_not_seen_by_the_choice(two_arms: tuple[Recording, Curve]) -> None:
    """Where no policy is better than another but by luck, the promise is not the luckiest one's figure."""
    recording, _ = two_arms
    luck = np.random.default_rng(3)
    fair = replace(recording, correct=luck.integers(0, 2, len(recording.correct)).astype(np.int8))
    curve = fit_curve(fair, repeats=5, permutations=10)
    best = max(one.expected.accuracy.mean for one in curve.points)
    assert best < 0.53  # the menu's luckiest member comes to more


def test_a_curve_without_points_predicts_its_own(two_arms: tuple[Recording, Curve]) -> None:
    """Single calls and votes are chosen by the curve's own figures, which are those of predict()."""
    bare = replace(two_arms[1], points=())
    found = bare.policy(mean_usd=1.0, finish=None)
    assert isinstance(found.policy, Vote)
    told = bare.predict(found.policy.arm, found.policy.k)
    assert found.expected.accuracy.mean == told.accuracy
    assert found.expected.usd.mean == pytest.approx(told.usd)
    assert bare.policy(worth_usd=1e-9, finish=None).policy == Fixed("cheap")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda point: point["policy"].update(kind="shell"),
        lambda point: point["expected"].update(attempts=-1),
        lambda point: point["expected"].pop("usd"),
        lambda point: point.update(more=1),
    ],
)
def test_a_spoilt_point_is_refused(two_arms: tuple[Recording, Curve], tmp_path: Path, spoil: object) -> None:
    """A curve's file whose points are not what they should be is named in one line."""
    path = tmp_path / "c.json"
    two_arms[1].save(path)
    whole = json.loads(path.read_text())
    spoil(whole["points"][0])  # type: ignore[operator]
    path.write_text(json.dumps(whole))
    with pytest.raises(BadInput, match="is no curve"):
        Curve.load(path)


# ---- the commands


def test_fit_then_replay(run: Run, tmp_path: Path) -> None:  # noqa: F811
    """fit writes the points that it prints; replay plays the one that a wish chooses; a wish needs a curve."""
    path = tmp_path / "curve.json"
    rows = [
        {
            "dataset": "d",
            "question_id": f"q{q}",
            "model": "m",
            "effort": effort,
            "attempt": attempt,
            "answer": str((q * 7 + attempt * (1 + q % 3)) % (2 if effort == "high" else 4)),
            "correct": (q * 7 + attempt * (1 + q % 3)) % (2 if effort == "high" else 4) == 0,
            "prompt_tokens": 10,
            "completion_tokens": 10 + q % 5 + attempt,
            "cost_usd": 0.001 if effort == "low" else 0.004,
        }
        for q in range(40)
        for effort in ("low", "high")
        for attempt in range(4)
    ]
    recording = tmp_path / "run.jsonl"
    recording.write_text("".join(json.dumps(row) + "\n" for row in rows))
    few = ("--repeats", "2", "--permutations", "5")
    told = json.loads(run("fit", recording, "-o", path, "--json", *few).out)
    assert [one["usd"] for one in told["points"]] == [one.expected.usd.mean for one in Curve.load(path).points]
    shown = run("fit", recording, *few)
    assert "what money buys" in shown.out
    played = run("replay", recording, "--policy", f"curve:{path}", "--worth-usd", "1", "--json", *few[2:])
    assert "expected" in played.err
    assert json.loads(played.out)[0]["usd"] <= 0.05
    assert "needs one wish" in run("replay", recording, "--policy", f"curve:{path}").error()
    assert "add --policy curve:FILE" in run("replay", recording, "--mean-usd", "1").error()
    assert "exclude" in run("solve", "q", "--curve", path, "--policy", "vote:3").error()
    assert json.loads(run("fit", recording, "--no-policies", "--json").out)["points"] == []


def test_the_shipped_recording_has_something_to_choose() -> None:
    """Between one call and many votes there are corners that simple rules do not have: arms in turn."""
    recording = load_recording(recording_path())
    curve = fit_curve(recording, ["medium", "high"], repeats=2, permutations=10)
    assert any(isinstance(one.policy, Spend) and len(one.policy.rungs) == 2 for one in curve.points)
