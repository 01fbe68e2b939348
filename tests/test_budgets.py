"""A budget shared by many questions: who gets the next money, and how near that is to the best there is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thinkcap.evals import Planted, Recording, SharedReplay, fit_curve, plant, replay, replay_shared
from thinkcap.policies import (
    NANO,
    Arm,
    Attempt,
    BadInput,
    Call,
    Expectation,
    Fixed,
    Lead,
    Policy,
    Question,
    Reason,
    State,
)
from thinkcap.policies.budgets import Batch, Pace, Turn
from thinkcap.policies.curves import Point
from thinkcap.policies.interval import Interval

ARMS = (Arm("low"), Arm("high"))


def point(policy: Policy, right: float, usd: float, attempts: float = 1) -> Point:
    return Point(policy, Expectation(Interval(right, right, right), Interval(usd, usd, usd), 1.0, attempts))


LEVELS = (
    point(Fixed("low"), 0.5, 1.0),
    point(Lead(2, 9, "low"), 0.7, 3.0, 3),
    point(Lead(3, 9, "low"), 0.8, 5.0, 5),
)
TWO_ARMS = (point(Fixed("low"), 0.5, 1.0), point(Fixed("high"), 0.9, 5.0))


def fresh(count: int) -> list[State]:
    return [State(Question(f"q{place}"), ARMS) for place in range(count)]


def with_answer(state: State, answer: str, usd: float = 1.0, arm: Arm = ARMS[0]) -> State:
    return state.after(Attempt(len(state.attempts) + 1, arm, answer, round(usd * NANO)))


def run(batch: Batch, budget: float, answers: Sequence[Sequence[str]], usd: float = 1.0) -> list[Turn]:
    """A batch played to its end: each question's attempts give its answers in turn, at a dollar each."""
    turns, free = [], budget
    while (turn := batch.next(free)) is not None:
        turns.append(turn)
        state = batch.states[turn.place]
        if free < usd:
            batch.took(turn, state)
            continue
        free -= usd
        batch.took(turn, with_answer(state, answers[turn.place][len(state.attempts)], usd))
    return turns


# A batch.


def test_money_goes_to_the_undecided_first() -> None:
    """By hand: four questions, nine dollars: one attempt each, then second ones, and the split one goes on first."""
    answers = ["aaaaaaaaa", "abaabaaab", "aaaaaaaaa", "aaaaaaaaa"]
    batch = Batch(LEVELS, fresh(4), 9.0)
    turns = run(batch, 9.0, answers)
    assert [turn.place for turn in turns[:9]] == [0, 1, 2, 3, 0, 1, 1, 1, 2]
    assert [turn.level for turn in turns[:9]] == [0, 0, 0, 0, 1, 1, 1, 1, 1]
    outcomes = [batch.outcome(place) for place in range(4)]
    assert [len(outcome.attempts) for outcome in outcomes] == [2, 4, 2, 1]
    assert [outcome.reason for outcome in outcomes] == [*[Reason.AGREED] * 3, Reason.ONE_CALL_IS_BEST]
    assert [outcome.answer for outcome in outcomes] == ["a"] * 4


def test_the_certificate_by_hand() -> None:
    """Four questions, nine dollars: 2.25 each buys .625 of the step; three of four met the level of .7."""
    batch = Batch(LEVELS, fresh(4), 9.0)
    run(batch, 9.0, ["aaaaaaaaa", "abaabaaab", "aaaaaaaaa", "aaaaaaaaa"])
    certificate = batch.certificate()
    assert certificate.bound_right == pytest.approx(4 * (0.5 + 0.625 * 0.2))
    assert certificate.expected_right == pytest.approx(4 * (0.5 + 0.75 * 0.2))
    assert certificate.gap == 0


def test_what_is_unspent_is_a_gap() -> None:
    """A batch that is broken off after one attempt each has the whole next level as its gap."""
    batch = Batch(LEVELS, fresh(4), 12.0)
    for _ in range(4):
        turn = batch.next(12.0)
        assert turn is not None
        batch.took(turn, with_answer(batch.states[turn.place], "a"))
    certificate = batch.certificate()
    assert certificate.bound_right == pytest.approx(4 * 0.7)
    assert certificate.expected_right == pytest.approx(0)  # the level that the budget pays for is still to be bought
    assert certificate.gap == pytest.approx(2.8)


def test_beyond_the_last_level_nothing_is_bought() -> None:
    """With more money than the last level takes, every question comes to what the last level makes of it."""
    batch = Batch(LEVELS, fresh(3), 1000.0)
    turns = run(batch, 1000.0, ["aaaaaaaaa", "abaaaaaab", "ababababa"])
    assert [sum(turn.place == place for turn in turns) for place in range(3)] == [3, 5, 9]
    assert [batch.outcome(place).reason for place in range(3)] == [Reason.AGREED, Reason.AGREED, Reason.ATTEMPTS]
    assert batch.certificate().expected_right == batch.certificate().bound_right == pytest.approx(3 * 0.8)


def test_another_arm_is_begun_at_by_a_share() -> None:
    """Where the next level asks another arm, the share of questions begins there that the money allows, but one."""
    batch = Batch(TWO_ARMS, fresh(10), 30.0)
    free, begun = 30.0, []
    while (turn := batch.next(free)) is not None:
        begun.append(turn.level)
        usd = (1.0, 5.0)[turn.level]
        if usd > free:
            batch.took(turn, batch.states[turn.place])
            continue
        free -= usd
        batch.took(turn, with_answer(batch.states[turn.place], "a", usd, ARMS[turn.level]))
    assert sorted(begun) == [0] * 6 + [1] * 4
    assert free == 4


def test_dearer_attempts_than_expected_leave_something_for_everybody() -> None:
    """If attempts cost twice what was expected, later questions begin lower, and all have an answer."""
    batch = Batch(TWO_ARMS, fresh(40), 160.0)
    free = 160.0
    while (turn := batch.next(free)) is not None:
        usd = (1.0, 10.0)[turn.level]
        if usd > free:
            batch.took(turn, batch.states[turn.place])
            continue
        free -= usd
        batch.took(turn, with_answer(batch.states[turn.place], "a", usd, ARMS[turn.level]))
    assert all(state.attempts for state in batch.states)


def test_a_batch_that_goes_on_begins_at_what_it_has() -> None:
    """Attempts made before count: the questions that have one are not asked first again, the new ones are."""
    states = fresh(4)
    states[1] = with_answer(states[1], "a")
    batch = Batch(LEVELS, states, 100.0)
    turn = batch.next(99.0)
    assert turn is not None
    assert [turn.place, batch.answered] == [0, 1]


def test_money_that_is_held_is_waited_for() -> None:
    """While what is in flight may take all that is left, nothing more is begun; when it came back, it is."""
    batch = Batch(LEVELS, fresh(2), 3.0)
    first, second = batch.next(3.0), batch.next(3.0)
    assert first is not None
    assert second is not None
    batch.took(first, with_answer(batch.states[0], "a"))
    assert batch.next(1.5) is None  # the second may take one of them
    batch.again(second)
    again = batch.next(1.5)
    assert again is not None
    assert again.place == 1


@given(
    budget=st.floats(0.5, 60),
    answers=st.lists(st.text("abc", min_size=9, max_size=9), min_size=1, max_size=8),
)
def test_a_batch_ends_and_stays_in_its_budget(budget: float, answers: list[str]) -> None:
    """Whatever the answers: it ends, spends at most the budget, and asks nobody once more than the last level would."""
    batch = Batch(LEVELS, fresh(len(answers)), budget)
    turns = run(batch, budget, answers)
    made = sum(len(state.attempts) for state in batch.states)
    assert made <= budget
    assert len(turns) <= made + len(answers)
    assert all(len(state.attempts) <= 9 for state in batch.states)
    certificate = batch.certificate()
    assert 0 <= certificate.expected_right <= 0.8 * len(answers) + 1e-9
    assert certificate.bound_right <= 0.8 * len(answers) + 1e-9
    if made < len(answers):
        assert all(len(state.attempts) <= 1 for state in batch.states)


# A stream.


def test_a_stream_by_hand() -> None:
    """Ten questions, 20 dollars: two each, a mix of half one dollar and half three; what is left is dealt out anew."""
    pace = Pace(LEVELS, 10)
    share = pace.next(20.0)
    assert share.usd == pytest.approx(2.0)
    pace.took(share, 2.0)
    assert pace.next(18.0).usd == pytest.approx(2.0)
    assert pace.next(18.0).usd == pytest.approx(2.0)  # 2 of the 18 are in flight, 16 for 8


def test_a_stream_corrects_its_price() -> None:
    """Questions that cost more than expected make the next ones cheaper at once, before the money is gone."""
    pace = Pace(LEVELS, 100)
    free = 300.0
    for _ in range(20):
        share = pace.next(free)
        pace.took(share, 2 * share.usd)
        free -= 2 * share.usd
    # 20 questions at twice the expected price: with as much trust in either, 1.5 times is taken for true
    assert pace.next(free).usd == pytest.approx(max(1.0, free / 80 / 1.5), rel=1e-6)


def test_one_policy_needs_no_expectation() -> None:
    """A single policy of which nothing is expected paces by what its questions come to."""
    pace = Pace([point(Lead(2), 0.0, 0.0)], 4)
    share = pace.next(8.0)
    pace.took(share, 2.0)
    assert pace.next(6.0).usd == 0


def test_a_stream_goes_on_where_the_cheapest_is_free() -> None:
    """With an arm that costs nothing, a stream whose money is gone asks that arm."""
    pace = Pace([point(Fixed("low"), 0.5, 0.0), point(Fixed("high"), 0.9, 1.0)], 4)
    share = pace.next(1.0)
    pace.took(share, 1.0)
    share = pace.next(0.0)
    assert share.usd == 0
    assert share.policy.decide(fresh(1)[0]) == Call(ARMS[0])


@pytest.mark.parametrize("questions", [0, -1])
def test_a_stream_needs_questions(questions: int) -> None:
    """A stream of nothing is refused."""
    with pytest.raises(BadInput, match="how many questions"):
        Pace(LEVELS, questions)


# On recordings.


@pytest.fixture(scope="module")
def halves() -> tuple[Recording, tuple[Point, ...]]:
    """200 planted questions to judge on, and what 200 others say that money buys."""
    whole = plant([Planted("m")], 400, 20, seed=5)
    curve = fit_curve(whole.only(range(200)), repeats=3, permutations=20)
    return whole.only(range(200, 400)), curve.frontier()


def test_only_takes_questions_apart() -> None:
    """Two parts of a recording hold all its attempts, each question with its own, and nothing twice."""
    whole = plant([Planted("a"), Planted("b", loading=0.5)], 30, 4, seed=2)
    mask = np.arange(30) % 3 == 0
    some, rest = whole.only(mask), whole.only(~mask)
    assert some.questions == whole.questions[::3]
    assert len(some.cost_nusd) + len(rest.cost_nusd) == len(whole.cost_nusd)
    for place, name in enumerate(some.questions):
        mine, theirs = some.rows(place, 1), whole.rows(whole.questions.index(name), 1)
        assert (some.cost_nusd[mine] == whole.cost_nusd[theirs]).all()
        assert (some.correct[mine] == whole.correct[theirs]).all()
    with pytest.raises(BadInput, match="none of the questions"):
        whole.only([])


@pytest.mark.parametrize("arrival", ["batch", "stream"])
def test_a_budget_is_used_up_and_never_passed(halves: tuple[Recording, tuple[Point, ...]], arrival: str) -> None:
    """Between the cheapest and the dearest level: at most the budget, and at least 98 % of it in the mean of orders."""
    recording, levels = halves
    low, high = levels[0].expected.usd.mean, levels[-1].expected.usd.mean
    for part in (0.1, 0.3, 0.6):
        budget = 200 * (low + part * (high - low))
        found = replay_shared(recording, levels, budget, arrival=arrival, permutations=8)  # type: ignore[arg-type]
        assert (found.usd <= budget).all()
        assert found.usd.mean() >= 0.98 * budget
        assert found.unanswered.mean() <= 4


def test_a_batch_is_worth_what_the_hull_promises(halves: tuple[Recording, tuple[Point, ...]]) -> None:
    """A batch is at least as good as mixing its levels at the same cost, on questions the levels never saw."""
    recording, levels = halves
    each = [replay(recording, level.policy, permutations=20) for level in levels]
    usd, right = [float(one.usd.mean()) for one in each], [float(one.accuracy.mean()) for one in each]
    for part in (0.2, 0.5):
        budget = usd[0] + part * (usd[-1] - usd[0])
        found: SharedReplay = replay_shared(recording, levels, 200 * budget, permutations=20)
        noise = 3 * found.right.std(ddof=1) / np.sqrt(20)
        assert found.right.mean() >= np.interp(budget, usd, right) - noise
        assert found.accuracy.mean() == pytest.approx(found.right.mean())
        assert len(found.certificates) == 20
