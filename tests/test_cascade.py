"""Cascades and mixes: when the next arm is asked, whose answer counts, and which question gets which policy."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thinkcap.policies import (
    AdaptiveConsistency,
    Arm,
    Attempt,
    BadInput,
    Call,
    Cascade,
    Fixed,
    Mix,
    Outcome,
    Question,
    Reason,
    Usage,
    Vote,
    drive,
    episode,
    parse_policy,
)

LOW, HIGH = Arm("low"), Arm("high")


def played(policy: Cascade | Mix | AdaptiveConsistency, low: str, high: str = "", name: str = "q") -> Outcome:
    """An episode in which each arm answers letter by letter; ``-`` is no answer."""
    tapes = {"low": iter(low), "high": iter(high)}

    def perform(call: Call) -> Attempt:
        letter = next(tapes[call.arm.label])
        return Attempt(1, call.arm, None if letter == "-" else letter, 10, Usage(5, 5))

    return drive(episode(policy, Question(name), (LOW, HIGH)), perform)


CASCADE = Cascade((("low", 3), ("high", 2)), 0.6)


@pytest.mark.parametrize(
    ("low", "high", "answer", "attempts", "reason"),
    [
        ("aab", "", "a", 3, Reason.AGREED),
        ("abc", "dd", "d", 5, Reason.AGREED),
        ("abc", "de", "d", 5, Reason.ATTEMPTS),
        ("---", "--", None, 5, Reason.ATTEMPTS),
        ("a--", "--", "a", 5, Reason.ATTEMPTS),
    ],
)
def test_a_cascade_by_hand(low: str, high: str, answer: str | None, attempts: int, reason: Reason) -> None:
    """Two of three agree: it stops. They do not: the next arm's own majority counts, and what it says if it has one."""
    found = played(CASCADE, low, high)
    assert (found.answer, len(found.attempts), found.reason) == (answer, attempts, reason)


def test_a_cascade_is_written_as_text() -> None:
    """Arms in turn, attempts and threshold where they are named, else three and 0.6."""
    assert parse_policy("cascade:low*2>high*5@0.75") == Cascade((("low", 2), ("high", 5)), 0.75)
    assert parse_policy("cascade:low>high") == Cascade((("low", 3), ("high", 3)), 0.6)
    for text in ("cascade:", "cascade:low>", "cascade:low@x"):
        with pytest.raises(BadInput, match="a cascade is written"):
            parse_policy(text)
    for rungs, threshold in (((), 0.5), ((("low", 0),), 0.5), ((("low", 1), ("low", 1)), 0.5), ((("low", 1),), 1.5)):
        with pytest.raises(BadInput, match="cascade:"):
            Cascade(rungs, threshold)


@given(st.floats(0, 1), st.integers(0, 5), st.text(max_size=5))
def test_a_question_always_gets_the_same_policy(share: float, seed: int, name: str) -> None:
    """Which policy a question gets depends on its id and the seed alone; at shares of 0 and 1 there is no choice."""
    one, other = Vote(1, "low"), Vote(2, "high")
    assert Mix(one, other, share, seed).chosen(name) is Mix(one, other, share, seed).chosen(name)
    assert Mix(one, other, 1.0, seed).chosen(name) is one
    assert Mix(one, other, 0.0, seed).chosen(name) is other


def test_a_mix_deals_out_its_share() -> None:
    """Of 4,000 questions the first policy gets its share, within four standard deviations; a larger share adds some."""
    one, other = Fixed("low"), Fixed("high")
    names = [f"q{n}" for n in range(4000)]
    for share in (0.1, 0.5, 0.8):
        counted = Counter(Mix(one, other, share).chosen(name) is one for name in names)
        assert abs(counted[True] - 4000 * share) < 4 * (4000 * share * (1 - share)) ** 0.5
    small = {name for name in names if Mix(one, other, 0.3).chosen(name) is one}
    assert small <= {name for name in names if Mix(one, other, 0.6).chosen(name) is one}
    with pytest.raises(BadInput, match="share"):
        Mix(one, other, 1.5)


def test_a_mix_plays_the_chosen_policy() -> None:
    """Its calls, its answer and its favourite arm are the chosen policy's."""
    cheap, dear = Vote(1, "low"), Vote(3, "high")
    assert len(played(Mix(cheap, dear, 1.0), "a").attempts) == 1
    found = played(Mix(cheap, dear, 0.0), "", "abb")
    assert (found.answer, len(found.attempts)) == ("b", 3)


def test_adaptive_consistency_is_the_published_one() -> None:
    """Draw for draw it stops where the package of the paper's authors does."""
    package = pytest.importorskip("adaptive_consistency")
    import random

    luck = random.Random(1)
    for threshold in (0.8, 0.95):
        criterion = package.AC(max_gens=20, stop_criteria=package.BetaStoppingCriteria(threshold))
        for _ in range(200):
            letters = "".join(luck.choices("abcd", weights=[4, 2, 1, 1], k=20))
            theirs = next((n for n in range(1, 21) if criterion.should_stop(list(letters[:n]))), 20)
            assert len(played(AdaptiveConsistency(threshold, 20, "low"), letters).attempts) == theirs
