"""Frontiers, regret and matched comparisons: hand-computed figures, and the laws that hold for any points."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from math import inf, isnan, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from thinkcap.demo import recording_path
from thinkcap.evals import (
    Field,
    Recording,
    Replay,
    Resamples,
    RowsOf,
    accuracy_at,
    aiq,
    best_in_hindsight,
    dual_bound,
    hull,
    load_recording,
    log_area,
    oracle_value,
    pareto,
    regret,
    sweep,
    usd_at,
    write_rows,
)
from thinkcap.policies import BadInput, parse_policy

COSTS = [1.0, 2.0, 3.0, 4.0, 4.0]
RIGHTS = [0.2, 0.7, 0.6, 0.8, 0.5]
POINTS = st.lists(
    st.tuples(st.integers(0, 50).map(float), st.integers(0, 20).map(lambda right: right / 20)), min_size=1, max_size=12
)


def test_the_sets_by_hand() -> None:
    """Of five policies the third and the fifth are beaten; the rest are corners, until a bend inwards drops one."""
    assert pareto(COSTS, RIGHTS) == (0, 1, 3)
    assert hull(COSTS, RIGHTS) == (0, 1, 3)
    assert pareto([1, 2, 3], [0.1, 0.2, 0.9]) == (0, 1, 2)
    assert hull([1, 2, 3], [0.1, 0.2, 0.9]) == (0, 2)


def test_between_corners_lies_their_mix() -> None:
    """Halfway between two corners in cost is halfway in accuracy, and the other way round."""
    assert accuracy_at(COSTS, RIGHTS, 1.5) == pytest.approx(0.45)
    assert usd_at(COSTS, RIGHTS, 0.75) == pytest.approx(3.0)
    assert isnan(accuracy_at(COSTS, RIGHTS, 0.5))
    assert accuracy_at(COSTS, RIGHTS, 99) == 0.8
    assert usd_at(COSTS, RIGHTS, 0.9) == inf
    assert usd_at(COSTS, RIGHTS, 0.0) == 1.0


def test_areas_by_hand() -> None:
    """From 1 to 5 dollars: trapezoids of .45 and 2 x .75 and a flat .8, over 4; over the logarithm in closed form."""
    assert aiq(COSTS, RIGHTS, 1, 5) == pytest.approx((0.45 + 1.5 + 0.8) / 4)
    assert aiq(COSTS, RIGHTS, 0, 2) == pytest.approx(0.45 / 2)
    assert log_area([1.0], [0.5], 1, 10) == pytest.approx(0.5)
    slope, start = 0.5, -0.3  # from (1, .2) to (2, .7) the accuracy is -.3 + .5 x cost
    assert log_area(COSTS, RIGHTS, 1, 2) == pytest.approx((start * log(2) + slope) / log(2))
    for low, high in ((2, 1), (-1, 1), (1, inf)):
        with pytest.raises(BadInput, match="range"):
            aiq(COSTS, RIGHTS, low, high)
    with pytest.raises(BadInput, match="range"):
        log_area(COSTS, RIGHTS, 0, 1)


@given(POINTS)
def test_corners_of_corners_are_themselves(points: list[tuple[float, float]]) -> None:
    """The hull is part of the Pareto set, is concave and rising, and is its own hull."""
    cost, right = np.array(points).T
    corners, undominated = hull(cost, right), pareto(cost, right)
    assert set(corners) <= set(undominated)
    kept = list(corners)
    assert hull(cost[kept], right[kept]) == tuple(range(len(kept)))
    assert (np.diff(cost[kept]) > 0).all()
    assert (np.diff(right[kept]) > 0).all()
    slopes = np.diff(right[kept]) / np.diff(cost[kept])
    assert (np.diff(slopes) <= 1e-12).all()


@given(POINTS, st.floats(0, 60))
def test_no_policy_lies_above_the_hull(points: list[tuple[float, float]], budget: float) -> None:
    """At every cost the hull is at least as accurate as any policy that is as cheap; more money never buys less."""
    cost, right = np.array(points).T
    at = accuracy_at(cost, right, budget)
    affordable = right[cost <= budget]
    assert isnan(at) == (len(affordable) == 0)
    if len(affordable):
        assert at >= affordable.max() - 1e-12
        assert accuracy_at(cost, right, budget + 1) >= at - 1e-12


@given(POINTS, st.floats(0.1, 10))
def test_another_currency_changes_no_accuracy(points: list[tuple[float, float]], rate: float) -> None:
    """With all costs in another unit the same policies are on the frontier, and what is reached is the same."""
    cost, right = np.array(points).T
    assume(cost.max() > 0)
    middle = float(cost.max()) / 2
    assert accuracy_at(cost * rate, right, middle * rate) == pytest.approx(
        accuracy_at(cost, right, middle), nan_ok=True
    )
    assert aiq(cost * rate, right, 0, rate * cost.max()) == pytest.approx(aiq(cost, right, 0, cost.max()))


# ---- regret


PLANS = st.integers(1, 4).flatmap(
    lambda plans: st.integers(1, 5).flatmap(
        lambda questions: st.tuples(
            *(
                st.lists(st.lists(numbers, min_size=questions, max_size=questions), min_size=plans, max_size=plans)
                for numbers in (st.integers(1, 20).map(float), st.integers(0, 4).map(lambda right: right / 4))
            )
        )
    )
)


def test_regret_by_hand() -> None:
    """Two plans at two questions: one is right everywhere at 3, the other at one question at 1."""
    cost, right = [[3.0, 3.0], [1.0, 1.0]], [[1.0, 1.0], [1.0, 0.0]]
    assert best_in_hindsight(cost, right, 10) == 0  # 10 - 3 against 5 - 1
    assert best_in_hindsight(cost, right, 3) == 1  # 0 against .5
    assert oracle_value(cost, right, 10) == pytest.approx((9 + 7) / 2)
    found = regret([1.0, 1.0], [1.0, 0.0], (cost, right), 10)
    assert (found.value, found.hindsight, found.oracle) == pytest.approx((4, 3, 4))
    assert dual_bound(cost, right, 2) == pytest.approx(1.0)  # the dear plan where it matters, the cheap one elsewhere
    assert dual_bound(cost, right, 1) == pytest.approx(0.5)
    with pytest.raises(BadInput, match="budget"):
        dual_bound(cost, right, 0.5)


@given(PLANS, st.floats(0, 50), st.data())
def test_foresight_is_worth_at_least_nothing(plans: Any, worth: float, data: st.DataObject) -> None:
    """No choice of plans has a higher value than the oracle's, nor a single plan than the best one in hindsight."""
    cost, right = map(np.array, plans)
    chosen = np.array([data.draw(st.integers(0, len(cost) - 1)) for _ in range(cost.shape[1])])
    each = np.arange(cost.shape[1])
    found = regret(cost[chosen, each], right[chosen, each], (cost, right), worth)
    assert found.oracle >= -1e-9
    assert found.oracle >= found.hindsight - 1e-9
    assert regret(cost[0], right[0], (cost, right), worth).hindsight >= -1e-9


@given(PLANS, st.data())
def test_no_choice_passes_the_dual_bound(plans: Any, data: st.DataObject) -> None:
    """Weak duality: whatever plan each question gets, at its mean cost the bound is no lower than its accuracy."""
    cost, right = map(np.array, plans)
    chosen = np.array([data.draw(st.integers(0, len(cost) - 1)) for _ in range(cost.shape[1])])
    each = np.arange(cost.shape[1])
    budget = float(cost[chosen, each].mean())
    assert dual_bound(cost, right, budget) >= right[chosen, each].mean() - 1e-6


# ---- replays side by side


@pytest.fixture(scope="session")
def shipped() -> Recording:
    return load_recording(recording_path())


@pytest.fixture(scope="session")
def replays(shipped: Recording) -> tuple[Replay, ...]:
    rules = ["fixed", "lead:2", "lead:3", "vote:3", "vote:8"]
    pairs = [(rule, parse_policy(rule, arm, most=16)) for rule in rules for arm in ("low", "high")]
    return sweep(shipped, pairs, permutations=20)


def test_a_policy_against_itself_gains_nothing(replays: tuple[Replay, ...]) -> None:
    """A frontier of one policy, held against that policy, gains nothing at one time its cost, without any spread."""
    field = Field(replays, replicates=50)
    match = field.match([3], 3)
    assert (match.accuracy_gain.mean, match.accuracy_gain.low, match.accuracy_gain.high) == pytest.approx((0, 0, 0))
    assert (match.usd_ratio.mean, match.usd_ratio.low, match.usd_ratio.high) == pytest.approx((1, 1, 1))


def test_a_frontier_never_loses_to_its_own_members(replays: tuple[Replay, ...]) -> None:
    """Interpolated within each sample, the hull of all is nowhere below one of them, and never needs more money."""
    field = Field(replays, replicates=60)
    for place in range(len(replays)):
        match = field.match(range(len(replays)), place)
        assert match.accuracy_gain.low >= -1e-12
        assert match.usd_ratio.high <= 1 + 1e-12


def test_differences_turn_round(replays: tuple[Replay, ...]) -> None:
    """What one gains on another, the other loses on it, with the ends of the interval changed over."""
    field = Field(replays, replicates=80)
    for there, back in zip(field.difference(1, 2), field.difference(2, 1), strict=True):
        assert (back.mean, back.low, back.high) == pytest.approx((-there.mean, -there.high, -there.low))


def test_the_cheapest_that_is_good_enough(replays: tuple[Replay, ...]) -> None:
    """It has the accuracy asked for, everything cheaper does not, and beyond the best there is none."""
    field = Field(replays)
    cost, right = field.usd.mean(axis=1), field.accuracy.mean(axis=1)
    place = field.cheapest(0.4)
    assert place is not None
    assert right[place] >= 0.4
    assert (right[cost < cost[place]] < 0.4).all()
    assert field.cheapest(0.999) is None


def test_samples_are_common_and_weigh_questions_alike() -> None:
    """The same sample is used for every row; the mean of a row of ones is one, whatever the groups."""
    resamples = Resamples(5, replicates=40, groups=["a", "a", "b", "b", "b"])
    one, other = resamples.means([[1, 2, 3, 4, 5], [2, 4, 6, 8, 10]])
    assert other == pytest.approx(2 * one)
    assert resamples.means(np.ones(5)) == pytest.approx(1)


def test_others_can_recompute_the_figures(replays: tuple[Replay, ...], tmp_path: Path) -> None:
    """The script beside the benchmarks, which knows nothing of thinkcap, finds the same means and matched figures."""
    pytest.importorskip("pyarrow")
    rows = [RowsOf(each, point=" + ".join(each.arms)) for each in replays]
    ours = [replace(each, policy="thinkcap") for each in replays[2:6]]
    rows += [RowsOf(each, point=f"{place}", folds=[0] * 200) for place, each in enumerate(ours)]
    assert write_rows(tmp_path / "rows.parquet", rows) == 200 * len(rows)
    script = Path(__file__).parents[1] / "benchmarks" / "recompute.py"
    ran = subprocess.run(
        [sys.executable, script, tmp_path / "rows.parquet"], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    field = Field([*replays, *ours], replicates=2)
    for place, line in enumerate(lines[: len(field.replays)]):
        assert line["accuracy"] == pytest.approx(field.accuracy[place].mean())
        assert line["usd"] == pytest.approx(field.usd[place].mean())
        assert line["attempts"] == pytest.approx(field.replays[place].attempts.mean())
    for place, line in enumerate(lines[len(field.replays) :]):
        match = field.match(range(len(replays), len(field.replays)), place, along="path")
        gain, ratio = line["accuracy_gain_at_its_cost"], line["cost_ratio_at_its_accuracy"]
        assert (gain is None) == isnan(match.accuracy_gain.mean)
        assert gain is None or gain == pytest.approx(match.accuracy_gain.mean)
        assert (ratio is None) == (match.usd_ratio.mean == inf)
        assert ratio is None or ratio == pytest.approx(match.usd_ratio.mean)


def test_what_cannot_be_compared_is_refused(replays: tuple[Replay, ...], tmp_path: Path) -> None:
    """Nothing, other questions, no grades, and a place that cannot be written: one line each."""
    with pytest.raises(BadInput, match="at least one replay"):
        Field([])
    with pytest.raises(BadInput, match="different questions"):
        Field([replays[0], replace(replays[1], questions=replays[1].questions[::-1])])
    with pytest.raises(BadInput, match="no question is graded"):
        Field([replace(replays[0], accuracy=np.full(200, np.nan))])
    with pytest.raises(BadInput, match="name another file"):
        write_rows(tmp_path / "no" / "rows.parquet", [RowsOf(replays[0])])
