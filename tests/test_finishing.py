"""Caps from a curve: the posterior of a question's length, what is asked after a cut, and what money allows."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thinkcap.evals import Planted, Recording, plant, replay
from thinkcap.evals.recording import FINISHES
from thinkcap.policies import (
    Arm,
    Attempt,
    BadInput,
    Call,
    Finishing,
    Fixed,
    Ladder,
    Lead,
    Length,
    Mix,
    Offer,
    Policy,
    Question,
    Room,
    State,
    Usage,
    Vote,
    asks,
    in_words,
)
from thinkcap.policies.curves import Curve
from thinkcap.policies.curves.quadrature import t_quantile
from thinkcap.policies.episode import next_move
from thinkcap.policies.finishing import LEAST_CAP, predictive
from thinkcap.policies.written import policy_of, written

LOW, HIGH = Arm("low"), Arm("high")
SHORT = Length("low", mean=5.0, shared=0.6, own=0.3, within=0.4, luck=0.9, least_luck=0.5, most=100_000)
LONG = Length("high", mean=7.0, shared=0.9, own=0.0, within=0.3, luck=0.8, least_luck=0.4, most=100_000)


def attempt(arm: Arm, tokens: int, *, cut_at: int | None = None) -> Attempt:
    """One that took so many tokens; one that was cut has no answer."""
    usage, finish = Usage(10, tokens), "stop" if cut_at is None else "length"
    answer = "a" if cut_at is None else None
    return Attempt(1, arm, answer, tokens, usage, finish=finish, max_output_tokens=cut_at)  # type: ignore[arg-type]


def state(*attempts: Attempt, offers: tuple[Offer, ...] = ()) -> State:
    """A question with these attempts."""
    return State(Question("q"), (LOW, HIGH), attempts, Room(offers))


def cap(policy: Policy, where: State) -> int | None:
    """Of the next call."""
    move = policy.decide(where)
    assert isinstance(move, Call)
    return move.max_output_tokens


TOKENS = st.integers(1, 20_000)
SEEN = st.lists(st.builds(attempt, st.sampled_from([LOW, HIGH]), TOKENS), max_size=6).map(tuple)


# ---- the law


def test_the_first_cap_is_the_quantile_of_all_attempts() -> None:
    """With nothing seen, log tokens have mean 7 and variance .81 between questions: z^2 .81 + .8^2 under the root."""
    z = 2.3263478740
    expected = math.ceil(math.exp(7 + math.sqrt(z**2 * 0.81 + 0.64)) - 0.5)
    assert cap(Finishing(Fixed("high"), (SHORT, LONG), 0.99), state()) == expected


def test_the_posterior_is_that_of_the_joint_normal_law() -> None:
    """Mean and variance equal those of conditioning the joint normal of all attempts, written out as a matrix."""
    laws = {"low": SHORT, "high": LONG}
    arms = ["low", "low", "high", "low"]  # the last is the next one
    shared = np.array([laws[arm].shared for arm in arms])
    same = np.array([[a == b for b in arms] for a in arms])
    own = np.array([laws[arm].own ** 2 for arm in arms])
    covariance = np.outer(shared, shared) + same * own + np.diag([0.16, 0.16, 0.09, 0.0])
    mean = np.array([laws[arm].mean for arm in arms])
    seen = np.log([300.0, 500.0, 4000.0])
    weights = covariance[3, :3] @ np.linalg.inv(covariance[:3, :3])
    above = float(np.log([300.0, 500.0]).sum()) - 10
    found = predictive(SHORT, [(SHORT, 2, above), (LONG, 1, math.log(4000) - 7)])
    assert found[0] == pytest.approx(mean[3] + weights @ (seen - mean[:3]))
    assert found[1] == pytest.approx(covariance[3, 3] - weights @ covariance[3, :3])


@given(st.sampled_from([SHORT, LONG]), st.integers(0, 5), st.integers(0, 5), st.sampled_from([0, 1]))
def test_lengths_seen_narrow_what_comes_next(length: Length, short: int, long: int, which: int) -> None:
    """One more attempt, at whichever arm, leaves less variance, whatever it took."""
    counts = [short, long]
    before = predictive(length, [(SHORT, short, 0.5 * short), (LONG, long, 0.1)])[1]
    counts[which] += 1
    after = predictive(length, [(SHORT, counts[0], -3.0), (LONG, counts[1], 9.0)])[1]
    assert after < before


@given(SEEN, st.floats(0.5, 0.9999), st.floats(0.5, 0.9999))
def test_a_larger_chance_has_no_smaller_cap(seen: tuple[Attempt, ...], one: float, other: float) -> None:
    """The cap grows with the chance to finish."""
    found = [
        Finishing(Vote(9, "low"), (replace(SHORT, luck=0.4 * t_quantile(chance, 5) + 1e-9), LONG), chance)
        for chance in sorted((one, other))
    ]
    caps = [policy.caps("low", seen) for policy in found]
    assert None not in caps
    assert caps[0] <= caps[1]  # type: ignore[operator]


@given(SEEN)
def test_same_state_same_cap(seen: tuple[Attempt, ...]) -> None:
    """Two policies with the same numbers put the same cap onto a call; the order of the attempts says nothing."""
    one, other = (Finishing(Vote(9, "low"), (SHORT, LONG)) for _ in range(2))
    assert one == other
    assert cap(one, state(*seen)) == cap(other, state(*seen))
    turned, whole = cap(one, state(*reversed(seen))), cap(one, state(*seen))
    assert turned == pytest.approx(whole, abs=1)  # sums of floats in another order


def test_long_attempts_at_one_arm_raise_the_cap_at_another() -> None:
    """Length belongs to the question: what the cheap arm took moves the dear arm's cap."""
    policy = Finishing(Fixed("high"), (SHORT, LONG))
    caps = [policy.caps("high", (attempt(LOW, tokens),)) for tokens in (30, 150, 2000)]
    assert caps[0] < caps[1] < caps[2]  # type: ignore[operator]


# ---- a cut, and what is asked after it


@given(st.lists(st.integers(LEAST_CAP, 40_000), min_size=1, max_size=5), SEEN)
def test_never_again_at_a_cap_that_cut(cuts: list[int], seen: tuple[Attempt, ...]) -> None:
    """After cuts at an arm its next cap is at least twice the largest of them, also where money is short."""
    before = (*seen, *(attempt(LOW, at, cut_at=at) for at in cuts))
    policy = Finishing(Vote(99, "low"), (SHORT, LONG), 0.9)
    found = policy.caps("low", before)
    assert found is not None
    assert min(found) >= 2 * max(cuts)


@given(st.integers(20, 5000))
def test_a_cut_attempt_counts_as_twice_its_cap(at: int) -> None:
    """It moves the other arm's cap as one would that took twice the tokens at which it was cut."""
    policy = Finishing(Fixed("high"), (SHORT, LONG))
    assert policy.caps("high", (attempt(LOW, at, cut_at=at),)) == policy.caps("high", (attempt(LOW, 2 * at),))


@given(SEEN, st.integers(0, 200_000), st.integers(1, 2000))
def test_a_cap_is_never_above_what_is_free(seen: tuple[Attempt, ...], most: int, least: int) -> None:
    """What is sent fits the offer; and if the offer pays for the least chance to finish, the arm is asked."""
    policy = Finishing(Vote(99, "low"), (SHORT, LONG))
    offers = (Offer(most, least, 4096, 100), Offer(0, least, 4096, 100))
    enough = policy.caps("low", seen)
    assert enough is not None
    other = Offer(sum(enough) // 2, 1, 1, 1)  # what another arm is offered changes nothing
    assert cap(policy, state(*seen, offers=(offers[0], other))) == cap(policy, state(*seen, offers=offers))
    move = next_move(policy, state(*seen, offers=offers))
    if isinstance(move, Call):
        assert move.max_output_tokens is not None
        assert move.max_output_tokens <= most
    assert isinstance(move, Call) or most < enough[0]


# ---- where no cap is set


def test_a_cap_that_arm_or_policy_names_stays() -> None:
    """A call whose arm or policy names a cap is as it was; so is an agent's, and one at an arm of unknown length."""
    named = Arm("low", max_output_tokens=50_000)
    policy = Finishing(Fixed(), (SHORT,))
    assert cap(policy, State(Question("q"), (named,))) is None
    capped = Finishing(Fixed("low").capped(max_output_tokens=70_000), (SHORT,))
    assert cap(capped, state()) == 70_000
    assert cap(policy, State(Question("q", agent=True), (LOW,))) is None
    assert cap(Finishing(Fixed("high"), (SHORT,)), state()) is None
    assert cap(policy.only(()), state()) is None
    assert cap(policy.only(("low",)), state()) == cap(policy, state())


@pytest.mark.parametrize("chance", [0.4, 1.0, 1.5, True])
def test_what_is_no_chance_is_refused(chance: Any) -> None:
    """A chance lies from 0.5 to below 1; lengths are finite, and one an arm."""
    with pytest.raises(BadInput, match="chance"):
        Finishing(Fixed(), (SHORT,), chance)
    with pytest.raises(BadInput, match="one length an arm"):
        Finishing(Fixed(), (SHORT, SHORT))
    with pytest.raises(BadInput, match="finite"):
        replace(SHORT, mean=math.nan)


# ---- written, and in words


def test_it_is_written_and_read_back() -> None:
    """JSON holds all of it; it says its chance in words, and asks what it caps asks."""
    policy = Finishing(Mix(Lead(2, 5, "low"), Fixed("high"), 0.25), (SHORT, LONG), 0.99)
    assert policy_of(json.loads(json.dumps(written(policy)))) == policy
    assert in_words(policy) == f"{in_words(policy.policy)}; each attempt capped where 99 % finish"
    assert asks(policy) == asks(policy.policy)
    with pytest.raises(BadInput, match="lengths are written"):
        policy_of({**written(policy), "lengths": [3]})


# ---- from a curve


@pytest.fixture(scope="module")
def planted() -> Recording:
    """Two arms, 150 questions, 12 attempts, log-normal lengths."""
    return plant(
        [Planted("low", tokens=(5.0, 0.6, 0.2, 0.4)), Planted("high", tokens=(7.0, 0.8, 0.0, 0.3))], 150, 12, seed=0
    )


@pytest.mark.parametrize(("chance", "most"), [(0.9, 0.13), (0.99, 0.02)])
def test_the_chance_to_finish_is_what_it_says(planted: Recording, chance: float, most: float) -> None:
    """On questions that the curve never saw, the share of attempts cut is the rest to one, to sampling error."""
    half = np.arange(150) < 75
    curve, judged = Curve.fit(planted.only(half)), planted.only(~half)
    policy = curve.finishing(Ladder((("low", 4), ("high", 4)), 99.0), chance)
    assert isinstance(policy, Finishing)
    cut = made = 0
    for question in range(75):
        before: list[Attempt] = []
        for label in ("low", "high"):
            rows = planted.only(~half).rows(question, [arm.label for arm in judged.arms].index(label))
            for tokens in judged.output_tokens[rows][:4].tolist():
                caps = policy.caps(label, before)
                assert caps is not None
                cut, made = cut + (tokens > caps[1]), made + 1
                before.append(attempt(Arm(label), tokens))
    assert (1 - chance) / 4 < cut / made < most


def test_a_curves_policy_caps_each_call(planted: Recording) -> None:
    """It caps with the chance asked for; not with None, nor where costs do not follow tokens or a cap was recorded."""
    curve = Curve.fit(planted)
    found = curve.policy(mean_usd=1.0, finish=0.95).policy
    assert isinstance(found, Finishing)
    assert (found.chance, {length.arm for length in found.lengths}) == (0.95, {"low", "high"})
    assert curve.policy(mean_usd=1.0, finish=None).policy == found.policy
    named = [replace(arm, arm=replace(arm.arm, max_output_tokens=9000)) for arm in curve.arms]
    assert replace(curve, arms=tuple(named)).policy(mean_usd=1.0).policy == found.policy
    half = replace(curve, arms=(named[0], curve.arms[1])).finishing(Fixed())
    assert isinstance(half, Finishing)
    assert [half.caps(arm.arm.label, ()) is None for arm in curve.arms] == [True, False]
    loose = replace(curve, arms=tuple(replace(arm, price=replace(arm.price, error=0.5)) for arm in curve.arms))
    assert loose.policy(mean_usd=1.0).policy == found.policy
    with pytest.raises(BadInput, match="chance"):
        curve.policy(mean_usd=1.0, finish=2.0)


def test_students_quantile_is_the_tables() -> None:
    """One-sided 99 %: 6.965 with 2 degrees of freedom, 3.365 with 5, 2.764 with 10; 95 % with 5: 2.015."""
    for share, freedom, expected in ((0.99, 2, 6.965), (0.99, 5, 3.365), (0.99, 10, 2.764), (0.95, 5, 2.015)):
        assert t_quantile(share, freedom) == pytest.approx(expected, abs=6e-4)


def test_a_heavy_tail_is_found(planted: Recording) -> None:
    """Lengths whose own luck is Student's t have a tail that the fit sees, and normal ones have next to none."""
    normal = Curve.fit(planted).arm("high").tokens
    assert normal.luck(0.999) == pytest.approx(0.3 * 3.09, rel=0.15)
    draws = np.random.default_rng(0)
    heavy = np.exp(5 + draws.standard_normal((150, 1)) + 0.2 * draws.standard_t(3, (150, 12)))
    place = [arm.label for arm in planted.arms].index("high")
    tokens = planted.output_tokens.copy()
    tokens[planted.arm == place] = np.maximum(1, np.round(heavy.ravel()))
    found = Curve.fit(replace(planted, output_tokens=tokens), arms=["high"]).arm("high").tokens
    assert found.luck(0.999) == pytest.approx(0.2 * 10.21, rel=0.25)  # t's quantile at .999 with 3 degrees
    assert found.within * 3.09 < 0.75 * found.luck(0.999)


# ---- in replay


def test_less_is_held_so_that_a_small_ceiling_admits_more(planted: Recording) -> None:
    """Without caps an attempt must leave room for the dearest recorded, with them for its cap; the ceiling holds."""
    curve = Curve.fit(planted)
    policy = Vote(5, "high")
    ceiling = 1.2 * float(planted.cost_nusd[planted.arm == 1].max()) / 1e9
    bare, capped = (
        replay(planted, each, permutations=2, ceiling=ceiling, arms=["high"])
        for each in (policy, curve.finishing(policy))
    )
    assert capped.attempts.mean() > 1.1 * bare.attempts.mean()
    assert capped.most_nusd <= round(ceiling * 1e9)


@given(st.integers(1, 60), st.sampled_from([0.5, 0.9]), st.integers(0, 10**6))
def test_a_replayed_ceiling_holds_with_caps(ceiling: int, chance: float, seed: int) -> None:
    """Whatever prompts cost and caps cut, no episode costs more than its ceiling; a call without a cap is whole."""
    recording = plant([Planted("low", tokens=(3.0, 0.8, 0.0, 0.6))], 6, 5, seed=seed % 50)
    draws = np.random.default_rng(seed)
    prompt = draws.integers(0, 40_000, len(recording.questions))[recording.question]
    recording = replace(recording, cost_nusd=prompt + 1000 * recording.output_tokens)
    law = replace(SHORT, mean=3.0, shared=0.8, own=0.0, within=0.6, luck=0.8, least_luck=0.3)
    dollars = ceiling * 5000 / 1e9
    for policy in (Finishing(Vote(5, "low"), (law,), chance), Vote(5, "low")):
        found = replay(recording, policy, permutations=3, ceiling=dollars)
        assert found.most_nusd <= ceiling * 5000
    longest = int(recording.cost_nusd.max())
    assert found.attempts.sum() == 0 or ceiling * 5000 >= longest


def test_an_arm_that_was_cut_when_recorded_is_replayed_without_caps(planted: Recording) -> None:
    """Nobody knows what a larger cap would have brought, so its attempts stay as they are; those of others are cut."""
    finish, cap_of = planted.finish.copy(), planted.cap.copy()
    row = int(np.flatnonzero(planted.arm == 0)[0])
    finish[row], cap_of[row] = FINISHES.index("length"), planted.output_tokens[row]
    odd = replace(planted, finish=finish, cap=cap_of)
    for label, is_cut in (("low", False), ("high", True)):
        inner = Vote(4, label)
        policy = Finishing(inner, (replace(SHORT, most=20), replace(LONG, most=20)), 0.6)
        both = [replay(odd, each, permutations=3) for each in (policy, inner)]
        assert bool((both[0].output_tokens != both[1].output_tokens).any()) is is_cut


def test_costs_that_do_not_follow_tokens_are_replayed_without_caps(planted: Recording) -> None:
    """Where nobody knows what a cut saves, a capped policy is replayed as what it caps."""
    costs = planted.cost_nusd + np.random.default_rng(0).integers(0, 10**6, len(planted.cost_nusd))
    odd = replace(planted, cost_nusd=costs)
    policy = Finishing(Lead(2, 5, "low"), (replace(SHORT, most=20), LONG), 0.6)
    both = [replay(odd, each, permutations=3) for each in (policy, policy.policy)]
    np.testing.assert_array_equal(both[0].usd, both[1].usd)
    cut = replay(planted, policy, permutations=3)
    assert cut.output_tokens.mean() != both[1].output_tokens.mean()
