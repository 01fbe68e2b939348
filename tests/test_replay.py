"""Replay: what it figures, that all policies meet the same luck, and what it refuses to guess."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinkcap.evals import Recording, load_recording, majority_accuracy, pass_at_k, replay
from thinkcap.evals.tape import Tape, play
from thinkcap.policies import (
    Attempt,
    BadInput,
    Call,
    Fixed,
    Ladder,
    Lead,
    Policy,
    Question,
    Reason,
    State,
    Stop,
    Usage,
    Vote,
    drive,
    episode,
    parse_policy,
)


def make_row(attempt: int, answer: str | None, correct: bool | None, **values: Any) -> dict[str, Any]:
    """A row as common logs have it; ``values`` replace or add columns."""
    return {
        "question_id": "q",
        "model": "m",
        "attempt": attempt,
        "correct": correct,
        "answer": answer,
        "completion_tokens": 10,
        "cost_usd": 0.001,
        **values,
    }


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Write rows as JSON lines and load them."""
    path = tmp_path_factory.mktemp("recordings") / "run.jsonl"

    def record(rows: list[dict[str, Any]], **options: Any) -> Recording:
        path.write_text("".join(json.dumps(each) + "\n" for each in rows))
        return load_recording(path, **options)

    return record


def draws(answers: str, gold: str = "a", **values: Any) -> list[dict[str, Any]]:
    """One attempt a letter; ``-`` is an attempt without an answer."""
    return [make_row(i, None if x == "-" else x, x == gold, **values) for i, x in enumerate(answers)]


class Probe(Policy):
    """Makes given calls in turn, then stops with the last answer."""

    def __init__(self, *calls: tuple[str, int | None]) -> None:
        self.calls = calls

    def decide(self, state: State) -> Call | Stop:
        made = len(state.attempts)
        if made == len(self.calls):
            return Stop(Reason.ATTEMPTS, state.attempts[-1].answer)
        label, cap = self.calls[made]
        return Call(state.arm(label), cap)


# ---- figures


def test_fixed_is_the_mean_of_the_attempts(record: Any) -> None:
    """One call has the recorded share of right answers, mean cost and mean tokens, within the luck of the orders."""
    rows = draws("aaab", gold="a", cost_usd=0.002) + draws("bb", question_id="r", completion_tokens=30)
    found = replay(record(rows), Fixed(), permutations=4000, name="fixed")
    assert found.accuracy == pytest.approx([0.75, 0.0], abs=0.03)
    assert found.usd == pytest.approx([0.002, 0.001])
    assert found.output_tokens == pytest.approx([10, 30])
    assert found.attempts == pytest.approx([1, 1])
    assert found.reasons == {Reason.ONE_CALL_IS_BEST: 8000}
    assert found.mc_error == pytest.approx(np.sqrt(0.75 * 0.25 / 4) / np.sqrt(4000), rel=0.1)


def test_the_summary_adds_up(record: Any) -> None:
    """A summary holds means over questions, its intervals hold them, and it names policy and arms."""
    rows = draws("aa") + draws("bb", question_id="r", cost_usd=0.003) + draws("ab", question_id="s", effort="high")
    row = replay(record(rows, arms=["m"]), Vote(2), permutations=5, name="vote:2").summary(bootstrap=200)
    assert (row.policy, row.arm, row.questions) == ("vote:2", "m", 2)
    assert (row.accuracy, row.accuracy_low, row.accuracy_high) == (0.5, 0.0, 1.0)
    assert (row.usd, row.usd_low, row.usd_high) == pytest.approx((0.004, 0.002, 0.006))
    assert (row.output_tokens, row.attempts, row.mc_error) == (20, 2, 0)


def test_questions_of_a_family_are_drawn_together(record: Any) -> None:
    """Where the recording names families, the interval is that of families: with one family there is no spread."""
    rows = draws("aa", group="g") + draws("bb", question_id="r", group="g")
    row = replay(record(rows), Fixed(), permutations=2).summary(bootstrap=50)
    assert (row.accuracy_low, row.accuracy_high) == (0.5, 0.5)


def test_the_recorded_order_is_replayed_once(record: Any) -> None:
    """Without permutations the attempts come as recorded, so a tie goes to the answer recorded first."""
    found = replay(record(draws("baab")), Vote(4), permutations=None)
    assert found.accuracy.tolist() == [0.0]
    assert found.permutations == 1
    assert np.isnan(found.mc_error)


def test_whoever_gave_it_the_answer_is_worth_its_grade(record: Any) -> None:
    """A chosen answer is right as any attempt at the question was graded, whichever arm gave it."""
    rows = [make_row(0, "x", None, effort="low"), make_row(0, "x", True, effort="high", cost_usd=1)]
    assert replay(record(rows), Fixed("m:low"), permutations=1).accuracy.tolist() == [1.0]


def test_no_answer_is_wrong_and_ungraded_is_neither(record: Any) -> None:
    """No answer is wrong where the question is graded; an ungraded answer is left out, and said so."""
    rows = [
        *draws("a-", question_id="silent"),
        make_row(0, "x", None, question_id="half"),
        make_row(1, "y", True, question_id="half"),
        make_row(0, "x", None, question_id="never"),
    ]
    found = replay(record(rows), Fixed(), permutations=400)
    assert found.accuracy[0] == pytest.approx(0.5, abs=0.1)
    assert found.accuracy[1] == 1.0
    assert np.isnan(found.accuracy[2])
    assert "1 questions left out: no answer chosen there is graded" in found.notes
    assert "at 1 questions some chosen answers are not graded, and do not count" in found.notes
    assert found.summary(bootstrap=10).questions == 2


def test_without_any_grade_there_is_no_summary(record: Any) -> None:
    """A recording nobody graded can be replayed for its costs, and has no accuracy."""
    found = replay(record([make_row(0, "x", None)]), Fixed(), permutations=2)
    assert found.usd.tolist() == [0.001]
    with pytest.raises(BadInput, match="not one answer is graded"):
        found.summary()


def test_equal_answers_graded_both_ways_count_their_mean(record: Any) -> None:
    """Where the file contradicts itself the mean grade counts, and a note says so."""
    found = replay(record([make_row(0, "x", True), make_row(1, "x", False)]), Fixed(), permutations=3)
    assert found.accuracy.tolist() == [0.5]
    assert "at 1 questions equal answers are graded both ways: their mean counts" in found.notes


def test_answers_nobody_wrote_down_get_one_call(record: Any) -> None:
    """In a dataset without answers a vote buys one attempt, right or wrong as that attempt was graded."""
    rows = [make_row(i, None, i < 3) for i in range(4)]
    found = replay(record(rows), Vote(3), permutations=2000)
    assert found.attempts.tolist() == [1]
    assert found.reasons == {Reason.NOTHING_TO_COMPARE: 2000}
    assert found.accuracy == pytest.approx([0.75], abs=0.05)


def test_a_verified_attempt_ends_a_replay(record: Any) -> None:
    """A recorded verifier's yes ends the episode, and its no takes the vote away."""
    rows = [make_row(0, "b", False, verified=False), make_row(1, "a", True, verified=True)]
    found = replay(record(rows), Vote(2), permutations=50)
    assert found.accuracy.tolist() == [1.0]
    assert found.reasons == {Reason.VERIFIED: 50}
    assert 1 < found.attempts[0] < 2


def test_progress_is_told_as_questions_are_done(record: Any) -> None:
    """The hook hears of each question done, out of all."""
    heard: list[tuple[int, int]] = []
    rows = draws("a") + draws("b", question_id="r")
    replay(record(rows), Fixed(), permutations=1, progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (2, 2)
    replay(
        record(rows),
        Fixed(),
        permutations=1,
        engine="reference",
        progress=lambda done, total: heard.append((done, total)),
    )
    assert heard[-2:] == [(1, 2), (2, 2)]


# ---- luck


def test_all_policies_meet_the_same_luck(record: Any) -> None:
    """An arm's order at a question depends on seed, permutation, question and arm, and on nothing else."""
    rows = draws("abcdefgh") + draws("abcdefgh", effort="high", cost_usd=1) + draws("abcd", question_id="r")
    both, single = record(rows), record(rows[:8][::-1])

    def orders(recording: Recording, seed: int, permutations: int, question: int = 0, arm: int = 0) -> list[list[int]]:
        tape = Tape(recording, question, recording.arms, permutations, seed, "test")
        return [tape.order(recording.arms[arm], p) for p in range(permutations)]

    assert orders(both, 0, 5) == orders(single, 0, 5) == orders(both, 0, 9)[:5]
    assert all(sorted(order) == list(range(8)) for order in orders(both, 0, 5))
    assert orders(both, 0, 5) != orders(both, 1, 5)
    high = [[row - 8 for row in order] for order in orders(both, 0, 5, arm=1)]
    assert orders(both, 0, 5) != high


def test_orders_are_uniform(record: Any) -> None:
    """Each of the six orders of three attempts comes up as often as the others."""
    recording = record(draws("abc"))
    tape = Tape(recording, 0, recording.arms, 6000, 0, "test")
    seen = [tuple(tape.order(recording.arms[0], p)) for p in range(6000)]
    assert all(abs(seen.count(each) - 1000) < 150 for each in itertools.permutations(range(3)))


def test_a_replay_is_its_seeds(record: Any) -> None:
    """The same seed gives the same figures; another seed other ones."""
    recording = record(draws("aabbbc"))
    first, again, other = (replay(recording, Lead(2, 6), permutations=30, seed=seed) for seed in (4, 4, 5))
    assert first.accuracy.tolist() == again.accuracy.tolist()
    assert first.attempts.tolist() == again.attempts.tolist()
    assert first.attempts.tolist() != other.attempts.tolist()


RULES = ["fixed", "vote:3", "lead:2/6", "esc:2/6", "adaptive-consistency:0.8/6", "ladder:m:low>m:high*5"]
LETTERS = st.text("ab-", min_size=5, max_size=5)


@settings(max_examples=30)
@given(LETTERS, LETTERS, st.sampled_from(RULES), st.integers(0, 3))
def test_replay_is_the_episode_on_each_order(record: Any, low: str, high: str, rule: str, seed: int) -> None:
    """A replay's figures are those of episodes driven by hand over the attempts in each permutation's order."""
    recording = record(draws("a" + low, effort="low") + draws("b" + high, effort="high", cost_usd=0.004))
    policy, arms = parse_policy(rule), recording.arms
    tape = Tape(recording, 0, arms, 3, seed, rule)
    outcomes = []
    for permutation in range(3):
        rows = {arm.label: iter(tape.order(arm, permutation)) for arm in arms}
        made = itertools.count(1)

        def perform(call: Call, rows: Any = rows, made: Any = made) -> Attempt:
            row = next(rows[call.arm.label])
            letter = (low if row < 6 else high)[row % 6 - 1] if row % 6 else "ab"[row // 6]
            cost = 1_000_000 if row < 6 else 4_000_000
            return Attempt(next(made), call.arm, None if letter == "-" else letter, cost, Usage(0, 10))

        outcome = drive(episode(policy, Question("q"), arms), perform)
        assert play(policy, tape, permutation) == outcome
        outcomes.append(outcome)
    found = replay(recording, policy, permutations=3, seed=seed)
    assert found.accuracy[0] == pytest.approx(np.mean([outcome.answer == "a" for outcome in outcomes]))
    assert found.usd[0] == pytest.approx(np.mean([float(outcome.spent_usd) for outcome in outcomes]))
    assert found.attempts[0] == pytest.approx(np.mean([len(outcome.attempts) for outcome in outcomes]))
    assert sum(found.reasons.values()) == 3


# ---- ceilings


@settings(max_examples=40)
@given(LETTERS, st.lists(st.integers(1, 9), min_size=10, max_size=10), st.integers(1, 60), st.sampled_from(RULES))
def test_a_ceiling_is_never_passed(record: Any, low: str, costs: list[int], ceiling: int, rule: str) -> None:
    """Whatever was recorded and whatever the policy, no episode costs more than its ceiling."""
    rows = draws("a" + low, effort="low") + draws("b" + low, effort="high")
    for each, cost in zip(rows, [*costs, 1, 9], strict=True):
        each["cost_usd"] = cost / 1000
    recording = record(rows)
    found = replay(recording, parse_policy(rule), permutations=6, ceiling=ceiling / 1000)
    assert found.usd[0] <= ceiling / 1000 + 1e-12
    tape = Tape(recording, 0, recording.arms, 6, 0, rule)
    free = [play(parse_policy(rule), tape, permutation) for permutation in range(6)]
    if ceiling > 60 - 9 and all(float(outcome.spent_usd) <= (ceiling - 9) / 1000 for outcome in free):
        assert found.usd[0] == pytest.approx(np.mean([float(outcome.spent_usd) for outcome in free]))


def test_a_ceiling_ends_the_episode_with_the_best_answer_so_far(record: Any) -> None:
    """Where another worst case does not fit, the episode stops for the ceiling, and keeps its answer."""
    recording = record(draws("aaaaaaaa"))
    found = replay(recording, Vote(8), permutations=3, ceiling="0.0035")
    assert found.attempts.tolist() == [3]
    assert found.reasons == {Reason.CEILING: 3}
    assert found.accuracy.tolist() == [1.0]
    nothing = replay(recording, Vote(8), permutations=3, ceiling=0.0001)
    assert (nothing.attempts.tolist(), nothing.accuracy.tolist()) == ([0], [0.0])


def test_a_ceiling_too_low_for_an_arm_takes_a_cheaper_one(record: Any) -> None:
    """Where the dear arm's worst case does not fit and the cheap arm's does, the cheap one is asked."""
    recording = record(draws("aa", effort="low") + draws("bb", effort="high", cost_usd=0.5))
    found = replay(recording, Fixed("m:high"), permutations=3, ceiling=0.4)
    assert found.arms == ("m:low",)
    assert found.accuracy.tolist() == [1.0]


def test_the_worst_case_is_the_dearest_recorded_anywhere(record: Any) -> None:
    """An arm's worst case is its dearest attempt at any question, so a cheap question is refused as well."""
    rows = draws("a") + draws("a", question_id="dear", cost_usd=0.5)
    found = replay(record(rows), Fixed(), permutations=1, ceiling=0.4)
    assert found.attempts.tolist() == [0, 0]


# ---- what is not in the recording


def test_the_tape_running_out_is_loud(record: Any) -> None:
    """A policy that asks for more than is recorded is refused with policy, arm, question and number."""
    with pytest.raises(
        BadInput, match=r"lead:9 asks for attempt 3 of m on question q, where 2 are recorded: .*lead:3/2"
    ):
        replay(record(draws("ab")), Lead(9), name="lead:9")


def test_an_arm_without_attempts_is_loud(record: Any) -> None:
    """A question an arm was never asked is refused, with the choice that leaves it out."""
    rows = draws("a") + draws("a", question_id="r", model="n", dataset="d")
    with pytest.raises(BadInput, match=r"fixed asks m on question r, where nothing is recorded: choose with dataset="):
        replay(record(rows), Fixed("m"), name="fixed")


def test_a_cap_cuts_as_it_would_have(record: Any) -> None:
    """Cut at a cap an attempt is billed up to there, at the rate that the recorded costs imply, and gives no answer."""
    rows = [make_row(n, "a", True, completion_tokens=10 + n, cost_usd=0.001 + 0.0001 * n) for n in range(3)]
    found = replay(record(rows), Probe(("m", 4)), permutations=None)
    assert (found.accuracy[0], found.output_tokens[0], found.usd[0]) == pytest.approx((0.0, 4, 0.001 - 6 * 0.0001))
    whole = replay(record(rows), Probe(("m", 10)), permutations=None)
    assert (whole.accuracy[0], whole.usd[0]) == pytest.approx((1.0, 0.001))


def test_a_cap_whose_cut_has_no_price_is_refused(record: Any) -> None:
    """Where costs imply no rate a cap that cuts is refused by name; one that would not have cut is replayed."""
    recording = record(draws("a"))
    assert replay(recording, Probe(("m", 10)), permutations=1).accuracy.tolist() == [1.0]
    with pytest.raises(
        BadInput, match=r"caps a call at 9 output tokens where 10 are recorded \(question q, m, attempt 0"
    ):
        replay(recording, Probe(("m", 9)), permutations=1)


def test_what_follows_a_cut_is_not_guessed(record: Any) -> None:
    """A larger cap than a recorded attempt was cut at is refused; one it did not reach changes nothing."""
    cut = make_row(0, None, False, max_output_tokens=10, finish_reason="length")
    done = make_row(1, "a", True, max_output_tokens=20, completion_tokens=12)
    recording = record([cut, done])
    with pytest.raises(BadInput, match="allows 40 output tokens where the recording was cut at 10"):
        replay(recording, Probe(("m", 40)), permutations=None)
    finished = record([done])
    assert replay(finished, Probe(("m", 40)), permutations=None).accuracy.tolist() == [1.0]


def test_an_overrun_of_its_own_cap_is_replayed(record: Any) -> None:
    """An attempt billed above the cap it was sent with is replayed under that cap as it was."""
    recording = record([make_row(0, "a", True, max_output_tokens=8)])
    assert replay(recording, Fixed(), permutations=1, ceiling=1).output_tokens.tolist() == [10]


def test_an_arm_cut_at_its_own_cap_is_not_asked_again(record: Any) -> None:
    """As live: where an arm's every attempt has one cap and one was cut there, a vote does not go on with it."""
    rows = [make_row(i, None, False, max_output_tokens=10, finish_reason="length") for i in range(3)]
    found = replay(record([*rows, *draws("a", question_id="r", max_output_tokens=10)]), Vote(1), permutations=2)
    assert found.attempts.tolist() == [1, 1]
    found = replay(record(rows), Vote(3), permutations=2)
    assert found.attempts.tolist() == [1]
    assert found.reasons == {Reason.HOPELESS: 2}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"permutations": 0}, "permutations"),
        ({"permutations": True}, "permutations"),
        ({"arms": []}, "at least one arm"),
        ({"arms": ["m", "m"]}, "each arm once"),
        ({"arms": ["n"]}, "no arm 'n'"),
        ({"ceiling": 0}, "above zero"),
    ],
)
def test_options_that_cannot_be_meant(record: Any, options: dict[str, Any], says: str) -> None:
    """Bad options are refused in one line."""
    with pytest.raises(BadInput, match=says):
        replay(record(draws("a")), Fixed(), **options)


# ---- exact figures


def by_hand(answers: str, k: int) -> tuple[float, float]:
    """Vote and coverage over every way to take k attempts, one by one."""
    votes, covered = [], []
    for taken in itertools.combinations(answers, k):
        counts = {x: taken.count(x) for x in taken if x != "-"}
        top = [x for x, count in counts.items() if count == max(counts.values())]
        votes.append(top.count("a") / len(top) if top else 0.0)
        covered.append("a" in taken)
    return float(np.mean(votes)), float(np.mean(covered))


@settings(max_examples=60)
@given(st.text("abc-", min_size=1, max_size=8), st.data())
def test_exact_votes_and_coverage_are_the_mean_over_all_subsets(record: Any, answers: str, data: st.DataObject) -> None:
    """The closed forms equal the mean over every subset, counted one by one."""
    k = data.draw(st.integers(1, len(answers)))
    recording = record(draws(answers))
    vote, covered = by_hand(answers, k)
    assert majority_accuracy(recording, "m", k) == pytest.approx([vote])
    assert pass_at_k(recording, "m", k) == pytest.approx([covered])


def test_exact_vote_by_hand(record: Any) -> None:
    """Two of a, one of b, take two: aa one way, ab two ways at one half each: 2/3. Coverage is certain."""
    recording = record(draws("aab"))
    assert majority_accuracy(recording, "m", 2) == pytest.approx([2 / 3])
    assert pass_at_k(recording, "m", 2).tolist() == [1.0]


def test_a_replayed_vote_comes_to_the_exact_vote(record: Any) -> None:
    """Averaged over orders, the earliest of equals wins as often as a fair draw among equals."""
    recording = record(draws("aabbc-") + draws("abcc--", question_id="r"))
    found = replay(recording, Vote(4), permutations=3000)
    assert found.accuracy == pytest.approx(majority_accuracy(recording, "m", 4), abs=0.03)


def test_ungraded_answers_are_left_out_of_exact_figures(record: Any) -> None:
    """Of one right, one wrong and one ungraded answer, a single draw that is graded is right half of the time."""
    rows = [make_row(0, "a", True), make_row(1, "b", False), make_row(2, "x", None)]
    recording = record([*rows, make_row(0, "x", None, question_id="never")])
    assert majority_accuracy(recording, "m", 1) == pytest.approx([0.5, np.nan], nan_ok=True)
    assert pass_at_k(recording, "m", 1) == pytest.approx([0.5, np.nan], nan_ok=True)


@pytest.mark.parametrize("exact", [majority_accuracy, pass_at_k])
def test_exact_figures_need_enough_attempts(record: Any, exact: Any) -> None:
    """More attempts than recorded, and no attempts, are refused in one line."""
    recording = record(draws("aab"))
    with pytest.raises(BadInput, match=r"m has 3 attempts to take at question q, fewer than k=4"):
        exact(recording, "m", 4)
    with pytest.raises(BadInput, match="k must be a whole number"):
        exact(recording, "m", 0)
    with pytest.raises(BadInput, match="no arm 'n'"):
        exact(recording, "n", 1)


def test_large_numbers_of_attempts_stay_exact(record: Any) -> None:
    """With 1,200 attempts, where plain doubles overflow, coverage and vote are still exact."""
    recording = record(draws("a" * 900 + "b" * 300))
    assert majority_accuracy(recording, "m", 600)[0] == pytest.approx(1.0)
    assert pass_at_k(recording, "m", 1)[0] == 0.75


def test_arms_are_kept_in_the_order_given(record: Any) -> None:
    """The first of ``arms`` is the one a rule without an arm asks."""
    recording = record(draws("a", effort="low") + draws("b", effort="high", cost_usd=1))
    assert replay(recording, Fixed(), permutations=1).arms == ("m:low",)
    assert replay(recording, Fixed(), permutations=1, arms=["m:high", "m:low"]).arms == ("m:high",)
    both = replay(recording, Ladder((("m:low", 1), ("m:high", 1))), permutations=1)
    assert both.arms == ("m:low", "m:high")
    assert both.summary(bootstrap=1).arm == "m:low + m:high"
