"""The bootstrap over questions: hand-computed cases, pairing, groups, and coverage by simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinkcap.evals import Interval, Resamples, bootstrap_mean, paired_difference
from thinkcap.evals import statistics as module
from thinkcap.policies import BadInput

NUMBERS = st.lists(st.floats(-100, 100), min_size=1, max_size=20)


def test_two_questions_by_hand() -> None:
    """With values 0 and 1 a replicate's mean is 0, 1/2 or 1 with chances 1/4, 1/2, 1/4: the quartiles are known."""
    assert bootstrap_mean([0, 1], level=0.95) == Interval(0.5, 0.0, 1.0)
    assert bootstrap_mean([0, 1], level=0.20) == Interval(0.5, 0.5, 0.5)  # expanded for two questions, 0.36 are inside


def test_equal_values_leave_no_doubt() -> None:
    """Where all questions have the same value, the interval is that value."""
    assert bootstrap_mean([0.25] * 7) == Interval(0.25, 0.25, 0.25)


def test_a_group_is_drawn_as_one() -> None:
    """Two families of two equal questions say no more than two questions: only 0, 1/2 and 1 can be drawn."""
    values, families = [0, 0, 1, 1], ["a", "a", "b", "b"]
    assert bootstrap_mean(values, groups=families) == bootstrap_mean([0, 1])
    assert bootstrap_mean(values, groups=["one"] * 4) == Interval(0.5, 0.5, 0.5)


def test_groups_of_unequal_size_weigh_questions_alike() -> None:
    """Families of one (value 1) and three (value 0) have replicate means 0, 1/4 and 1, and the plain mean 1/4."""
    interval = bootstrap_mean([1, 0, 0, 0], groups=["a", "b", "b", "b"])
    assert interval == Interval(0.25, 0.0, 1.0)


def test_pairing_cancels_what_a_question_brings_to_both() -> None:
    """A constant difference has no spread, however much the questions differ."""
    easy_and_hard = np.linspace(0, 1, 50)
    interval = paired_difference(easy_and_hard + 0.1, easy_and_hard)
    assert (interval.mean, interval.low, interval.high) == pytest.approx((0.1, 0.1, 0.1))


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=1, max_size=20))
def test_the_difference_turned_round_is_its_mirror(pairs: list[tuple[float, float]]) -> None:
    """b - a has the interval of a - b with its ends changed over and signs turned."""
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    there, back = paired_difference(a, b, replicates=50), paired_difference(b, a, replicates=50)
    assert (back.mean, back.low, back.high) == pytest.approx((-there.mean, -there.high, -there.low), abs=1e-9)


@settings(max_examples=40)
@given(NUMBERS, st.integers(0, 3))
def test_the_interval_lies_within_the_values(values: list[float], seed: int) -> None:
    """No replicate's mean can leave the range of the values."""
    interval = bootstrap_mean(values, replicates=50, seed=seed)
    assert min(values) - 1e-9 <= interval.low <= interval.high <= max(values) + 1e-9


def test_a_seed_decides_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed gives the same interval, however much is held in memory at a time; another seed another one."""
    values = np.random.default_rng(5).normal(size=37)
    whole = bootstrap_mean(values, replicates=300)
    assert bootstrap_mean(values, replicates=300) == whole
    assert bootstrap_mean(values, replicates=300, seed=1) != whole
    monkeypatch.setattr(module, "_AT_ONCE", 74)
    assert bootstrap_mean(values, replicates=300) == whole


def test_replicates_spread_as_theory_says() -> None:
    """The half-width for 400 values is close to 1.96 standard deviations over the root of 400."""
    values = np.random.default_rng(3).normal(size=400)
    interval = bootstrap_mean(values)
    assert (interval.high - interval.low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.06)
    assert interval.mean == pytest.approx(values.mean())


def test_intervals_cover_and_means_are_unbiased() -> None:
    """Over 400 simulated sets of 60 questions, 95 % intervals hold the true mean in 90 % to 98 % of them."""
    draws = np.random.default_rng(11)
    intervals = [bootstrap_mean(draws.random(60) < 0.3, replicates=300, seed=i) for i in range(400)]
    covered = np.mean([interval.low <= 0.3 <= interval.high for interval in intervals])
    assert 0.90 <= covered <= 0.98
    spread = np.sqrt(0.3 * 0.7 / 60 / 400)
    assert abs(np.mean([interval.mean for interval in intervals]) - 0.3) < 4 * spread


def test_the_interval_covers_what_it_says() -> None:
    """Over 1,000 simulated sets of 300 questions, 95 % intervals hold the true mean in 93 % to 97 % of them."""
    draws = np.random.default_rng(2)
    covered = 0
    for seed in range(1000):
        kind, share = draws.random(300), draws.beta(2, 1, 300)
        values = np.where(kind < 0.5, 1.0, np.where(kind < 0.58, 0.0, share))
        interval = bootstrap_mean(values, replicates=500, seed=seed)
        covered += interval.low <= 0.5 + 0.42 * 2 / 3 <= interval.high
    assert 0.93 <= covered / 1000 <= 0.97


@pytest.mark.parametrize(
    ("values", "options", "says"),
    [
        ([], {}, "at least one question"),
        ([[1.0]], {}, "one number a question"),
        ([1.0, float("nan")], {}, "finite"),
        ([1.0], {"replicates": 0}, "replicates"),
        ([1.0], {"replicates": True}, "replicates"),
        ([1.0], {"level": 1.0}, "level"),
        ([1.0], {"groups": ["a", "b"]}, "groups"),
    ],
)
def test_what_makes_no_sense_is_refused(values: list[float], options: dict[str, Any], says: str) -> None:
    """Values and options that cannot be meant are refused in one line that names them."""
    with pytest.raises(BadInput, match=says) as refused:
        bootstrap_mean(values, **options)
    assert "\n" not in str(refused.value)


def test_pairs_need_partners() -> None:
    """A paired difference of different numbers of questions is refused."""
    with pytest.raises(BadInput, match="not 2 and 1"):
        paired_difference([1, 2], [1])


def test_a_share_keeps_its_interval_open() -> None:
    """Fifteen right of fifteen leave room below: Wilson's interval with Student's t, by hand."""
    found = Resamples(15).share(np.ones(15))
    t = 2.1448  # Student's, 14 degrees of freedom
    size = 15.0  # (0 + .5) / (0 + .5) times as many: nothing is known of the dispersion
    assert found.low == pytest.approx(size / (size + t * t), abs=1e-3)
    assert (found.mean, found.high) == (1.0, 1.0)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=60), st.integers(0, 3))
@settings(max_examples=40)
def test_a_share_is_never_narrower_than_the_bootstrap(values: list[float], seed: int) -> None:
    """A share's interval holds the bootstrap's within 0 and 1, and its mean is the values'."""
    samples = Resamples(len(values), replicates=300, seed=seed)
    share, plain = samples.share(values), samples.mean(values)
    assert 0 <= share.low <= max(plain.low, 0) + 1e-12
    assert min(plain.high, 1) - 1e-12 <= share.high <= 1
    assert share.mean == pytest.approx(plain.mean)


def test_of_many_questions_a_share_is_the_bootstrap() -> None:
    """With a thousand questions the two intervals are the same to a tenth of a point."""
    values = np.random.default_rng(1).beta(0.7, 0.3, 1000)
    share, plain = Resamples(1000).share(values), Resamples(1000).mean(values)
    assert share.low == pytest.approx(plain.low, abs=1e-3)
    assert share.high == pytest.approx(plain.high, abs=1e-3)
