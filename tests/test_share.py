"""An agent run's share of what is free, and when an arm is given up: decisions, so no client is needed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thinkcap.policies import (
    AdaptiveConsistency,
    Arm,
    Attempt,
    BadInput,
    Call,
    Fixed,
    Ladder,
    Lead,
    Offer,
    Outcome,
    Policy,
    Question,
    Reason,
    Room,
    State,
    Stop,
    Vote,
    drive,
    episode,
)
from thinkcap.policies.share import fair_share
from thinkcap.policies.values import Finish

M, BIG = Arm("m"), Arm("big")
AGENT = Question("q", agent=True)


def state(*attempts: Attempt, free: int | None = 1_000, question: Question = AGENT) -> State:
    """Two arms, the second ten times as dear."""
    offers = (Offer(10_000, 1, 100, 10), Offer(10_000, 1, 100, 100))
    return State(question, (M, BIG), attempts, Room(offers, free))


def made(number: int, answer: str | None = "a", finish: Finish = "stop", nusd: int = 5, arm: Arm = M) -> Attempt:
    return Attempt(number, arm, answer, nusd, finish=finish)


def play(policy: Policy, *attempts: Attempt, free: int = 1_000) -> tuple[list[Call], Outcome]:
    """An episode of these runs, at whichever arms they are asked for."""
    room, left = state(free=free).room, list(attempts)
    calls: list[Call] = []

    def perform(call: Call) -> Attempt:
        calls.append(call)
        return left.pop(0)

    outcome = drive(episode(policy, AGENT, (M, BIG), lambda: room), perform)
    assert not left
    return calls, outcome


@pytest.mark.parametrize(
    ("policy", "before", "share"),
    [
        (Fixed(), [], 1),
        (Vote(4), [], 1 / 4),
        (Vote(4), [made(1)], 1 / 3),
        (Lead(2, most=9), [], 1 / 2),
        (Lead(2, most=9), [made(1)], 1),
        (Lead(2, most=9), [made(1), made(2, "b")], 1 / 2),  # both answers are as far from a lead of two
        (Lead(3, most=9) & Vote(5), [], 1 / 5),
        (AdaptiveConsistency(), [], 1 / 4),  # four that agree: 1 - 1/2**5 is above 0.95
        (Ladder((("m", 1), ("big", 1)), lead=9), [], 10 / 110),
        (Ladder((("m", 1), ("big", 1)), lead=9), [made(1)], 1),
    ],
)
def test_the_share_leaves_what_a_decision_still_needs(policy: Policy, before: list[Attempt], share: float) -> None:
    """A run may take its part of the runs the policy would make if all agreed, weighed by their arms' calls."""
    now = state(*before)
    call = policy.decide(now)
    assert isinstance(call, Call)
    assert fair_share(policy, now, call) == pytest.approx(share)


def test_answers_that_cannot_be_compared_need_one_run() -> None:
    """Where votes mean nothing one run is made, and may take everything."""
    alone = state(question=Question("q", comparable=False, agent=True))
    assert fair_share(Vote(9), alone, Call(M)) == 1


def test_a_run_that_was_cut_short_shows_what_the_next_needs() -> None:
    """After a run that spent 300 and was cut short without an answer the next may take 600 of the 800 free."""
    assert fair_share(Vote(5), state(made(1, None, "ceiling", 300), free=800), Call(M)) == pytest.approx(6 / 8)
    assert fair_share(Vote(5), state(made(1, None, "ceiling", 300), free=500), Call(M)) == 1
    assert fair_share(Vote(5), state(made(1, "a", "ceiling", 300), free=800), Call(M)) == pytest.approx(1 / 4)
    assert fair_share(Vote(5), state(made(1, None, "ceiling", 300, BIG), free=800), Call(M)) == pytest.approx(1 / 4)


def test_a_policy_may_name_the_share() -> None:
    """A call that names its share keeps it; the episode gives one to a call that does not, for agents alone."""

    class Half(Policy):
        def decide(self, state: State) -> Call | Stop:
            return Call(M, share=0.5) if not state.attempts else self.stop(state, Reason.AGREED)

    assert [call.share for call in play(Half(), made(1))[0]] == [0.5]
    assert [call.share for call in play(Vote(2), made(1), made(2))[0]] == [1 / 2, 1]
    assert next(episode(Vote(2), Question("q"), [M])).share is None


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan")])
def test_a_share_lies_between_none_and_all(share: float) -> None:
    """A share of nothing, of more than there is, or of no number is refused."""
    with pytest.raises(BadInput, match="share of what is free"):
        Call(M, share=share)


def test_a_failed_run_is_made_again_but_not_for_ever() -> None:
    """Three runs at an arm may fail without an answer, then the next arm is asked; for plain calls it is one."""
    failures = [made(number, None, "error") for number in (1, 2, 3)]
    calls, outcome = play(Vote(5), *failures, made(4, arm=BIG), made(5, arm=BIG))
    assert [call.arm.label for call in calls] == ["m", "m", "m", "big", "big"]
    assert (outcome.answer, outcome.reason) == ("a", Reason.ATTEMPTS)
    plain = episode(Vote(5), Question("q"), [M, BIG])
    next(plain)
    assert plain.send(failures[0]).arm is BIG


def test_no_run_is_made_where_less_is_free_than_one_needed() -> None:
    """An arm whose run was cut short without an answer is not asked again with no more than that run spent."""
    calls, outcome = play(Vote(5), made(1, None, "ceiling", 300), free=300)
    assert (len(calls), outcome.reason, outcome.answer) == (1, Reason.CEILING, None)
    calls, _ = play(Vote(2), made(1, None, "ceiling", 300), made(2), free=301)
    assert [call.arm.label for call in calls] == ["m", "m"]


def test_an_episode_goes_on_from_attempts_made_before() -> None:
    """With attempts made before, the next decision is the one that followed them, and the outcome holds them all."""
    before = [made(1, "a"), made(2, "b")]
    game = episode(Lead(2, most=9), Question("q"), [M], before=before)
    assert next(game).arm is M
    assert game.send(made(3, "a")).arm is M
    with pytest.raises(StopIteration) as end:
        game.send(made(4, "a"))
    outcome: Outcome = end.value.value
    assert (outcome.answer, outcome.reason, len(outcome.attempts)) == ("a", Reason.AGREED, 4)


@given(
    st.sampled_from([Fixed(), Vote(3), Vote(60), Lead(2, 5), AdaptiveConsistency(), Ladder((("m", 2), ("big", 3)))]),
    st.lists(
        st.builds(
            made,
            st.just(1),
            st.sampled_from(["a", "b", None]),
            st.sampled_from(["stop", "error", "ceiling"]),
            st.integers(0, 900),
            st.sampled_from([M, BIG]),
        ),
        max_size=6,
    ),
    st.one_of(st.none(), st.integers(0, 10_000)),
)
def test_a_share_is_always_one(policy: Policy, before: list[Attempt], free: int | None) -> None:
    """Whatever was tried and whatever is free, a share lies above 0 and is at most 1."""
    assert 0 < fair_share(policy, state(*before, free=free), Call(M)) <= 1
