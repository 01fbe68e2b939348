"""The loop, the rules and what the ceiling lets them do: decision tables by hand, and laws over random tapes."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinkcap.policies import (
    ESC,
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
    Usage,
    Vote,
    drive,
    drive_async,
    episode,
    leader_probability,
    parse_policy,
)
from thinkcap.policies.afford import afford
from thinkcap.policies.episode import next_move
from thinkcap.policies.values import Finish
from thinkcap.policies.votes import tally

LOW, HIGH = Arm("m", "low"), Arm("m", "high")
ARMS = (LOW, HIGH)
QUESTION = Question("q")


def attempts(answers: str, arm: Arm = LOW, **values: Any) -> tuple[Attempt, ...]:
    """One attempt a letter; ``-`` is an attempt without an answer."""
    return tuple(
        Attempt(i, arm, None if x == "-" else x, 1000, Usage(5, 10), **values) for i, x in enumerate(answers, 1)
    )


def after(answers: str, **values: Any) -> State:
    """The state once the cheap arm gave these answers."""
    return State(QUESTION, ARMS, attempts(answers, **values))


def stops(policy: Policy, answers: str) -> int | None:
    """After how many of the answers a policy stops; None if after none of them."""
    decided = (policy.decide(after(answers[:n])) for n in range(len(answers) + 1))
    return next((n for n, move in enumerate(decided) if isinstance(move, Stop)), None)


# ---- decision tables


def test_fixed_makes_one_call() -> None:
    """One call at the arm named, else the first; then stop with whatever came."""
    assert Fixed().decide(after("")) == Call(LOW)
    assert Fixed("m:high").decide(after("")) == Call(HIGH)
    assert Fixed().decide(after("a")) == Stop(Reason.ONE_CALL_IS_BEST, "a")
    assert Fixed().decide(after("-")) == Stop(Reason.ONE_CALL_IS_BEST, None)


def test_vote_counts_to_k() -> None:
    """k attempts, with or without answers; most votes win, the earliest of equals."""
    assert Vote(3).decide(after("ab")) == Call(LOW)
    assert Vote(3).decide(after("aaa")) == Stop(Reason.ATTEMPTS, "a")
    assert Vote(4).decide(after("baab")) == Stop(Reason.ATTEMPTS, "b")
    assert Vote(3).decide(after("-b-")) == Stop(Reason.ATTEMPTS, "b")
    assert Vote(2).decide(after("--")) == Stop(Reason.ATTEMPTS, None)


@pytest.mark.parametrize(
    ("by", "answers", "stop"),
    [(1, "a", 1), (2, "aa", 2), (3, "aaa", 3), (3, "abaaa", 5), (3, "aabbaaa", 7), (2, "ab" * 10, None), (2, "a-a", 3)],
)
def test_lead_stops_at_its_lead(by: int, answers: str, stop: int | None) -> None:
    """It stops at the first attempt where the leader is ahead by so many votes."""
    assert stops(Lead(by), answers) == stop


def test_lead_gives_up_at_its_most() -> None:
    """Without the lead it stops when its attempts are used up."""
    assert Lead(3, 4).decide(after("abab")) == Stop(Reason.ATTEMPTS, "a")
    assert Lead(3, 4).decide(after("-bbb")) == Stop(Reason.AGREED, "b")


@pytest.mark.parametrize("second", range(6))
def test_adaptive_consistency_at_95_needs_these_leads(second: int) -> None:
    """At threshold .95 the least lead is 4, 5, 6, 6, 7, 7 for 0 to 5 votes of the runner-up."""
    least = (4, 5, 6, 6, 7, 7)[second]
    policy = AdaptiveConsistency(0.95)
    enough = after("b" * second + "a" * (second + least))
    assert policy.decide(enough) == Stop(Reason.AGREED, "a")
    assert policy.decide(replace(enough, attempts=enough.attempts[:-1])) == Call(LOW)


@pytest.mark.parametrize(("threshold", "votes"), [(0.90, 3), (0.95, 4), (0.99, 6)])
def test_adaptive_consistency_when_all_agree(threshold: float, votes: int) -> None:
    """Unanimous answers stop it after 3, 4 and 6 attempts at thresholds .90, .95 and .99."""
    assert stops(AdaptiveConsistency(threshold), "a" * 10) == votes


def test_leader_probability_by_hand() -> None:
    """One vote to none: at most 1 head in 2 tosses, 3/4. Two to one: at most 2 of 4, 11/16. Equals: 1/2."""
    assert leader_probability(1, 0) == 3 / 4
    assert leader_probability(2, 1) == 11 / 16
    assert [leader_probability(n, n) for n in range(5)] == [0.5] * 5


def test_adaptive_consistency_asks_before_it_judges() -> None:
    """Attempts without an answer are no evidence, and it stops when its attempts are used up."""
    assert AdaptiveConsistency(0.6, 3).decide(after("--")) == Call(LOW)
    assert AdaptiveConsistency(0.95, 3).decide(after("---")) == Stop(Reason.ATTEMPTS, None)


@pytest.mark.parametrize(
    ("answers", "stop", "answer"),
    [
        ("aaa", 3, "a"),
        ("abaaaa", 6, "a"),
        ("abaaab", None, None),  # three in a row across two windows are not a window
        ("aabbbb", 6, "b"),  # the answer is the window's
        ("bbabba" + "ccc", 9, "c"),  # and not the vote's
        ("aa-aaa", 6, "a"),  # no answer breaks a window
        ("---", None, None),  # and matches nothing, not even itself
    ],
)
def test_esc_wants_a_whole_window(answers: str, stop: int | None, answer: str | None) -> None:
    """It stops at the first window whose answers are all equal, and answers with that window."""
    assert stops(ESC(3), answers) == stop
    if stop is not None:
        assert ESC(3).decide(after(answers[:stop])) == Stop(Reason.AGREED, answer)


def test_esc_votes_at_its_most() -> None:
    """Where no window agrees, all attempts vote at the end."""
    assert ESC(2, 5).decide(after("abaca")) == Stop(Reason.ATTEMPTS, "a")


def test_ladder_climbs_and_weighs() -> None:
    """Rungs in turn; a vote counts 1 on the first rung and 2 on the second; it stops at the weighted lead."""
    ladder = Ladder((("m:low", 1), ("m:high", 3)))
    assert ladder.decide(after("")) == Call(LOW)
    assert ladder.decide(after("a")) == Call(HIGH)

    def state(low: str, high: str) -> State:
        return State(QUESTION, ARMS, attempts(low) + attempts(high, HIGH))

    assert ladder.decide(state("a", "a")) == Stop(Reason.AGREED, "a")  # 1 + 2 = 3
    assert ladder.decide(state("a", "b")) == Call(HIGH)  # 2 - 1
    assert ladder.decide(state("a", "bb")) == Stop(Reason.AGREED, "b")  # 4 - 1 = 3
    assert ladder.decide(state("a", "bab")) == Stop(Reason.ATTEMPTS, "b")  # 4 - 3
    assert ladder.decide(state("a", "bac")) == Stop(Reason.ATTEMPTS, "a")  # 3 - 2
    assert replace(ladder, weights=(5, 1)).decide(after("a")) == Stop(Reason.AGREED, "a")
    assert ladder.favourite(after("")) == HIGH


def test_votes_are_counted_once() -> None:
    """No answer and a refuted one do not vote; the lead is over the runner-up; ties go to the earliest."""
    assert (tally(()).leader, tally(()).lead) == (None, 0)
    votes = tally(attempts("abbac-") + attempts("c", verified=False))
    assert (votes.leader, votes.first, votes.second, votes.total) == ("a", 2, 2, 5)
    assert tally(attempts("ab") + attempts("b", HIGH), {"m:high": 0.5}).lead == 0.5


# ---- the algebra


def test_either_stops_with_whoever_stops() -> None:
    """``a | b`` stops at the first stop of either, with its reason."""
    both = Lead(2) | Vote(5)
    assert both.decide(after("aa")) == Stop(Reason.AGREED, "a")
    assert both.decide(after("ababa")) == Stop(Reason.ATTEMPTS, "a")
    assert both.decide(after("abab")) == Call(LOW)


def test_both_stop_when_both_stop() -> None:
    """``a & b`` goes on while either does, and stops with the first one's reason."""
    both = Lead(2) & Vote(3)
    assert both.decide(after("aa")) == Call(LOW)
    assert both.decide(after("aaa")) == Stop(Reason.AGREED, "a")
    assert both.decide(after("aba")) == Call(LOW)
    assert (Fixed("m:high") & Vote(3)).decide(after("a")) == Call(LOW)  # the one that goes on says whom to ask


POLICIES = st.sampled_from(
    [
        "fixed",
        "vote:1",
        "vote:4",
        "lead:1/6",
        "lead:2/6",
        "esc:2/6",
        "adaptive-consistency:0.8/6",
        "ladder:m:low>m:high*4",
        "ladder:m:low*2>m:high*3",
    ]
).map(parse_policy)
ANSWERS = st.text("abc-", max_size=8)


@settings(max_examples=60)
@given(POLICIES, POLICIES, ANSWERS)
def test_the_algebra_is_or_and_and_of_stopping(first: Policy, second: Policy, answers: str) -> None:
    """Whether ``|`` and ``&`` stop is the or and the and of whether the two stop."""
    state = after(answers)
    one, two = (isinstance(policy.decide(state), Stop) for policy in (first, second))
    assert isinstance((first | second).decide(state), Stop) == (one or two)
    assert isinstance((first & second).decide(state), Stop) == (one and two)


def test_capped_keeps_an_allowance() -> None:
    """No further attempt once attempts, dollars or output tokens are used up; each call gets the cap."""
    assert Vote(9).capped(attempts=2).decide(after("ab")) == Stop(Reason.ATTEMPTS, "a")
    assert Vote(9).capped(usd="0.000002").decide(after("a")) == Call(LOW)
    assert Vote(9).capped(usd="0.000002").decide(after("ab")) == Stop(Reason.CEILING, "a")
    assert Vote(9).capped(output_tokens=20).decide(after("a")) == Call(LOW)
    assert Vote(9).capped(output_tokens=20).decide(after("ab")) == Stop(Reason.CEILING, "a")
    assert Vote(9).capped(max_output_tokens=64).decide(after("a")) == Call(LOW, 64)
    own = State(QUESTION, (replace(LOW, max_output_tokens=32),))
    assert Vote(9).capped(max_output_tokens=64).decide(own) == Call(own.arms[0], 32)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Vote(0),
        lambda: Vote(True),
        lambda: Lead(0),
        lambda: Lead(3, 0),
        lambda: AdaptiveConsistency(0.5),
        lambda: AdaptiveConsistency(1),
        lambda: AdaptiveConsistency(float("nan")),
        lambda: ESC(1),
        lambda: ESC(5, 4),
        lambda: Ladder(()),
        lambda: Ladder((("a", 0),)),
        lambda: Ladder((("a", 1), ("a", 1))),
        lambda: Ladder((("a", 1),), weights=(1, 2)),
        lambda: Ladder((("a", 1),), lead=0),
        lambda: Vote(1).capped(),
        lambda: Vote(1).capped(attempts=0),
        lambda: Fixed("none").decide(after("")),
    ],
)
def test_policies_that_cannot_be_meant_are_refused(make: Callable[[], object]) -> None:
    """A rule outside its range, and an arm that is not there, are refused in one line."""
    with pytest.raises(BadInput) as refused:
        make()
    assert "\n" not in str(refused.value)


# ---- one loop, three drivers


FINISHES: tuple[Finish, ...] = ("stop", "stop", "stop", "length", "error", "refused", "steps", "ceiling")
TAPES = st.lists(  # answer, finish, verified, cap; a short tape shrinks and prints well, and no rule here asks for more
    st.tuples(
        st.sampled_from("aabc-"),
        st.sampled_from(FINISHES),
        st.sampled_from([None, None, None, False, True]),
        st.sampled_from([None, 50, 100]),
    ),
    min_size=12,
    max_size=12,
).map(
    lambda tape: [
        Attempt(0, LOW, None if answer == "-" else answer, 100 + i, Usage(5, 10 * i), finish, verified, cap)
        for i, (answer, finish, verified, cap) in enumerate(tape)
    ]
)


def performer(tape: Sequence[Attempt], calls: list[Call] | None = None) -> Callable[[Call], Attempt]:
    """Give the tape's attempts in turn, each as if by the arm that was called."""
    numbered: Iterator[tuple[int, Attempt]] = iter(enumerate(tape, 1))

    def perform(call: Call) -> Attempt:
        if calls is not None:
            calls.append(call)
        number, attempt = next(numbered)
        cap = call.max_output_tokens or attempt.max_output_tokens
        return replace(attempt, number=number, arm=call.arm, max_output_tokens=cap)

    return perform


@settings(max_examples=80)
@given(POLICIES, TAPES, st.booleans(), st.booleans())
def test_sync_and_async_are_one_loop(policy: Policy, tape: list[Attempt], comparable: bool, verifiable: bool) -> None:
    """The same tape gives the same outcome, driven either way; it ends; its attempts are the tape's beginning."""
    question = Question("q", comparable=comparable, verifiable=verifiable)
    outcome = drive(episode(policy, question, ARMS), performer(tape))

    async def awaited() -> Outcome:
        perform = performer(tape)

        async def later(call: Call) -> Attempt:
            await asyncio.sleep(0)
            return perform(call)

        return await drive_async(episode(policy, question, ARMS), later)

    assert asyncio.run(awaited()) == outcome
    made = outcome.attempts
    assert [attempt.number for attempt in made] == list(range(1, len(made) + 1))
    assert [attempt.cost_nusd for attempt in made] == [attempt.cost_nusd for attempt in tape[: len(made)]]
    assert outcome.spent_nusd == sum(attempt.cost_nusd for attempt in made)


@settings(max_examples=60)
@given(POLICIES, TAPES)
def test_same_state_same_decision(policy: Policy, tape: list[Attempt]) -> None:
    """A policy decides by the state alone and is never changed: asked again, or as a copy, it decides the same."""
    before, mark, shown = copy.deepcopy(policy), hash(policy), repr(policy)
    outcome = drive(episode(policy, QUESTION, ARMS), performer(tape))
    for made in range(len(outcome.attempts) + 1):
        state = State(QUESTION, ARMS, outcome.attempts[:made])
        decision = policy.decide(state)
        assert policy.decide(state) == decision
        assert before.decide(copy.deepcopy(state)) == decision
    assert (policy, hash(policy), repr(policy)) == (before, mark, shown)


def test_what_a_driver_raises_ends_the_episode() -> None:
    """An error of the driver passes through the loop unchanged, sync and async."""

    def broken(_call: Call) -> Attempt:
        raise ZeroDivisionError("mine")

    async def later(call: Call) -> Attempt:
        return broken(call)

    with pytest.raises(ZeroDivisionError, match="mine"):
        drive(episode(Vote(2), QUESTION, ARMS), broken)
    with pytest.raises(ZeroDivisionError, match="mine"):
        asyncio.run(drive_async(episode(Vote(2), QUESTION, ARMS), later))


# ---- what holds for every policy


@settings(max_examples=60)
@given(POLICIES, TAPES)
def test_a_verified_answer_ends_it(policy: Policy, tape: list[Attempt]) -> None:
    """The first verified answer is the last attempt, and the answer; without one the reason is another."""
    outcome = drive(episode(policy, Question("q", verifiable=True), ARMS), performer(tape))
    verified = [attempt.number for attempt in outcome.attempts if attempt.verified]
    assert verified in ([], [len(outcome.attempts)])
    assert (outcome.reason is Reason.VERIFIED) == bool(verified)
    if verified:
        assert outcome.answer == outcome.attempts[-1].answer


@settings(max_examples=60)
@given(POLICIES, st.integers(0, 5), st.sampled_from(list(Reason)))
def test_a_closed_room_stops_it(policy: Policy, at: int, reason: Reason) -> None:
    """Once the room is closed no further attempt is made, and the reason is the room's."""
    rooms = itertools.chain([Room()] * at, itertools.repeat(Room(closed=reason)))
    outcome = drive(episode(policy, QUESTION, ARMS, lambda: next(rooms)), performer(attempts("ab" * 10)))
    assert len(outcome.attempts) <= at
    if len(outcome.attempts) == at:
        assert outcome.reason is reason


@settings(max_examples=60)
@given(POLICIES, st.sampled_from(["a", "-"]))
def test_nothing_comparable_makes_one_call(policy: Policy, first: str) -> None:
    """Where answers cannot be compared, every policy makes one call at its favourite arm, answer or not."""
    calls: list[Call] = []
    question = Question("q", comparable=False)
    outcome = drive(episode(policy, question, ARMS), performer(attempts(first + "b" * 50), calls))
    assert calls == [Call(policy.favourite(State(question, ARMS)))]
    assert outcome.reason is Reason.NOTHING_TO_COMPARE
    assert outcome.answer == (first if first != "-" else None)


def test_nothing_comparable_tries_another_arm_after_a_failure() -> None:
    """A favourite that failed gives way to another arm; that is one call that answered."""
    tape = [*attempts("-", finish="error"), *attempts("ab")]
    outcome = drive(episode(Vote(5), Question("q", comparable=False), ARMS), performer(tape))
    assert [attempt.arm for attempt in outcome.attempts] == [LOW, HIGH]
    assert (outcome.answer, outcome.reason) == ("a", Reason.NOTHING_TO_COMPARE)


OFFERS = st.builds(
    Offer,
    most_output_tokens=st.integers(0, 300),
    least_output_tokens=st.integers(1, 100),
    default_output_tokens=st.integers(1, 200),
    worst_nusd=st.integers(1, 100),
)
ROOMS = st.one_of(st.just(Room()), st.tuples(OFFERS, OFFERS).map(lambda offers: Room(offers, free_nusd=100)))


@pytest.mark.parametrize(
    ("allowance", "made", "reason"),
    [
        ({"attempts": 2}, 2, Reason.ATTEMPTS),
        ({"usd": "0.00000002"}, 2, Reason.CEILING),
        ({"max_output_tokens": 9}, 1, Reason.HOPELESS),
    ],
)
def test_an_allowance_holds_where_answers_cannot_be_compared(
    allowance: dict[str, Any], made: int, reason: Reason
) -> None:
    """Attempts that are cut without an answer are made again, with more room, only within the allowance."""
    state = State(Question("q", comparable=False), (LOW,))
    policy = Vote(5).capped(**allowance).capped(attempts=9)
    caps: list[int | None] = []
    while isinstance(move := next_move(policy, state), Call) and len(caps) < 5:
        caps.append(move.max_output_tokens)
        cap = move.max_output_tokens or 9
        state = state.after(Attempt(len(caps), LOW, None, 10, finish="length", max_output_tokens=cap))
    assert isinstance(move, Stop)
    assert (len(caps), move.reason) == (made, reason)
    assert caps[0] == allowance.get("max_output_tokens")


@settings(max_examples=150)
@given(POLICIES, TAPES, st.lists(ROOMS, min_size=1, max_size=8), st.sampled_from([None, 50, 120]))
def test_an_arm_that_was_cut_is_not_asked_for_less(
    policy: Policy, tape: list[Attempt], rooms: list[Room], own: int | None
) -> None:
    """After a cut without an answer, no arm is called again at the same cap or a smaller one; nor after other ends."""
    arms = tuple(replace(arm, max_output_tokens=own) for arm in ARMS)
    calls: list[Call] = []
    changing = itertools.cycle(rooms)
    outcome = drive(episode(policy, QUESTION, arms, lambda: next(changing)), performer(tape, calls))
    for n, call in enumerate(calls):
        for past in outcome.attempts[:n]:
            if past.arm == call.arm and past.answer is None and past.finish != "stop":
                assert past.finish == "length"
                assert past.max_output_tokens is not None
                assert call.max_output_tokens is not None
                assert call.max_output_tokens > past.max_output_tokens


@settings(max_examples=100)
@given(st.sampled_from(ARMS), st.sampled_from([None, 10, 150, 1000]), OFFERS, OFFERS, TAPES.map(lambda t: t[:3]))
def test_a_call_fits_what_is_offered(arm: Arm, asked: int | None, low: Offer, high: Offer, tape: list[Attempt]) -> None:
    """What may be called fits the free money, never exceeds what was asked, and is never below the least asked for."""
    offers = {LOW: low, HIGH: high}
    fitted = afford(Call(arm, asked), State(QUESTION, ARMS, tuple(tape), Room((low, high), 100)))
    if isinstance(fitted, Call):
        offer, cap = offers[fitted.arm], fitted.max_output_tokens
        assert cap is not None
        assert 1 <= cap <= offer.most_output_tokens
        if fitted.arm == arm and asked is not None:
            assert min(asked, offer.least_output_tokens) <= cap <= asked


def room(low: Offer, high: Offer) -> Room:
    return Room((low, high), free_nusd=1000)


def test_a_call_is_clamped_not_starved() -> None:
    """It gets what the money pays for, down to the least that is likely to finish; below it a cheaper arm is asked."""
    cheap = Offer(500, 20, 100, 10)

    def fit(most: int, asked: int | None = None) -> Call | Reason:
        return afford(Call(HIGH, asked), State(QUESTION, ARMS, (), room(cheap, Offer(most, 20, 100, 90))))

    assert fit(500) == Call(HIGH, 100)
    assert fit(60) == Call(HIGH, 60)
    assert fit(20) == Call(HIGH, 20)
    assert fit(19) == Call(LOW, 100)
    assert fit(500, 300) == Call(HIGH, 300)
    assert fit(15, 10) == Call(HIGH, 10)
    nothing = Offer(0, 20, 100, 10)
    assert afford(Call(HIGH), State(QUESTION, ARMS, (), room(nothing, nothing))) is Reason.CEILING


def test_short_money_never_buys_a_dearer_arm() -> None:
    """Where the cheap arm does not fit, the dear one is not asked instead, even if its offer would allow it."""
    state = State(QUESTION, ARMS, (), room(Offer(5, 20, 100, 10), Offer(500, 20, 100, 90)))
    assert afford(Call(LOW), state) is Reason.CEILING


def test_a_cut_at_a_default_cap_doubles_it() -> None:
    """An arm with no cap of its own that was cut is asked again at twice the cap, or not at all."""
    cut = attempts("-", finish="length", max_output_tokens=100)
    plenty, short = Offer(500, 20, 100, 10), Offer(199, 20, 100, 10)
    assert afford(Call(LOW), State(QUESTION, (LOW,), cut, Room((plenty,)))) == Call(LOW, 200)
    assert afford(Call(LOW), State(QUESTION, (LOW,), cut, Room((short,)))) is Reason.CEILING
    assert afford(Call(LOW, 100), State(QUESTION, (LOW,), cut)) is Reason.HOPELESS
    assert afford(Call(LOW, 101), State(QUESTION, (LOW,), cut)) == Call(LOW, 101)


def test_a_cut_under_a_clamp_is_not_repeated_lower() -> None:
    """An arm cut at 300 because money was short is not asked again at 250 when money is shorter still."""
    arm = replace(LOW, max_output_tokens=500)
    cut = attempts("-", arm, finish="length", max_output_tokens=300)
    state = State(QUESTION, (arm,), cut, Room((Offer(250, 20, 100, 10),)))
    assert afford(Call(arm), state) is Reason.CEILING


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("refused", Reason.REFUSED),
        ("steps", Reason.STEPS),
        ("error", Reason.FAILED),
        ("length", Reason.HOPELESS),
        ("ceiling", Reason.CEILING),
    ],
)
def test_when_no_arm_is_left_the_reason_says_why(finish: Any, reason: Reason) -> None:
    """After each arm ended without an answer, the episode stops for the way they ended."""
    outcome = drive(episode(Vote(5), QUESTION, ARMS), performer(attempts("-----", finish=finish)))
    assert [attempt.arm for attempt in outcome.attempts] == [LOW, HIGH]
    assert (outcome.reason, outcome.answer) == (reason, None)


def test_agreement_is_the_share_of_voters() -> None:
    """Two of three answers agree; the attempt without an answer does not count."""
    outcome = drive(episode(Vote(4), QUESTION, ARMS), performer(attempts("ab-a")))
    assert outcome.agreement == pytest.approx(2 / 3)
    assert drive(episode(Vote(2), QUESTION, ARMS), performer(attempts("--"))).agreement is None


# ---- as text


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("fixed", Fixed("x")),
        ("vote:8", Vote(8, "x")),
        ("lead:3", Lead(3, 40, "x")),
        ("lead:3/12", Lead(3, 12, "x")),
        ("adaptive-consistency", AdaptiveConsistency(0.95, 40, "x")),
        ("adaptive-consistency:0.9/8", AdaptiveConsistency(0.9, 8, "x")),
        ("esc", ESC(5, 40, "x")),
        ("esc:3/9", ESC(3, 9, "x")),
        ("ladder:a:low>b", Ladder((("a:low", 1), ("b", 8)))),
        ("ladder:a*2>b*4", Ladder((("a", 2), ("b", 4)))),
    ],
)
def test_policies_are_read_from_text(text: str, policy: Policy) -> None:
    """Each way of writing a policy gives that policy, at the arm named beside it."""
    assert parse_policy(text, "x") == policy


@pytest.mark.parametrize(
    "text",
    [
        "",
        "vote",
        "vote:x",
        "vote:0",
        "vote:3/5",
        "lead:",
        "lead:3/0",
        "lead:3/x",
        "fixed:2",
        "esc:1",
        "esc:5/4",
        "adaptive-consistency:2",
        "ladder:",
        "ladder:a>",
        "ladder:a*0",
        "nonsense",
        "no.such:thing",
        "os:path",
    ],
)
def test_text_that_is_no_policy_is_refused(text: str) -> None:
    """What cannot be read is refused in one line."""
    with pytest.raises(BadInput) as refused:
        parse_policy(text)
    assert "\n" not in str(refused.value)
