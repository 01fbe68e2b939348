"""What earlier calls taught: the least output cap that is worth a call."""

from __future__ import annotations

import itertools
import random
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.governing import PRICES, Side
from tests.loopback import LoopbackServer, Reply
from thinkcap.controller import govern
from thinkcap.controller.govern import meter_of
from thinkcap.controller.seen import LEAST_OUTPUT_TOKENS, Seen


def taught(*lengths: int, cut: bool = False) -> int:
    """The least useful cap after answers of these lengths."""
    seen = Seen()
    for tokens in lengths:
        seen.learn("m", 1, input_tokens=1, output_tokens=tokens, cut=cut)
    return seen.enough("m")


def test_before_an_answer_it_is_a_default() -> None:
    """Of a model that was never asked nothing is known, whatever another model showed."""
    seen = Seen()
    seen.learn("other", 1, input_tokens=1, output_tokens=7, cut=False)
    assert seen.enough("m") == LEAST_OUTPUT_TOKENS


@pytest.mark.parametrize(
    ("lengths", "enough"),
    [((40,), 80), ((40, 100), 200), ((700,), 1024), ((1500,), 1500), (tuple(range(10, 19)), 18), ((0,), 1)],
)
def test_few_answers_count_double_as_long_as_they_are_short(lengths: tuple[int, ...], enough: int) -> None:
    """Below nine answers it is twice the longest, but no more than 1,024 for that; nine tell by themselves."""
    assert taught(*lengths) == enough


def test_nine_in_ten_finish_under_it() -> None:
    """Of 99 answers the 90th shortest is as long as nine in ten of the next: 90 / (99 + 1)."""
    lengths = list(range(1, 100))
    random.Random(0).shuffle(lengths)
    assert taught(*lengths) == 90


def test_even_odds_and_ample() -> None:
    """Of 99 answers the 50th is even odds; four times the longest, and 1,024 at least, is ample; eight cannot tell."""
    seen = Seen()
    for tokens in range(1, 9):
        seen.learn("m", 1, input_tokens=1, output_tokens=tokens, cut=False)
    assert (seen.enough("m", 5), seen.ample("m"), seen.ample("other")) == (seen.enough("m"), None, None)
    for tokens in range(9, 100):
        seen.learn("m", 1, input_tokens=1, output_tokens=tokens, cut=False)
    assert (seen.enough("m", 5), seen.enough("m"), seen.ample("m")) == (50, 90, LEAST_OUTPUT_TOKENS)
    seen.learn("m", 1, input_tokens=1, output_tokens=300, cut=False)
    assert seen.ample("m") == 1_200


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=400), st.integers(0, 2**32))
def test_it_is_the_same_whatever_the_order_and_forgets_old_answers(lengths: list[int], seed: int) -> None:
    """The order of the latest 256 answers does not matter, and no answer before them does."""
    latest = lengths[-256:]
    mixed = random.Random(seed).sample(latest, len(latest))
    assert taught(*lengths) == taught(*mixed)


def test_the_next_answer_finishes_as_often_as_promised() -> None:
    """Over 4,000 series of answers of one kind, the next one fits nine times in ten, whatever their number."""
    draws = random.Random(5)
    for count in (9, 20, 63):
        fits = 0
        for _ in range(4000):
            *lengths, following = (round(draws.lognormvariate(5, 0.8)) for _ in range(count + 1))
            fits += following <= taught(*lengths)
        assert 0.885 <= fits / 4000 <= 0.97


def test_a_cut_answer_teaches_that_more_is_needed() -> None:
    """A call is not made again at a cap that cut an answer: the least useful cap is four times that one."""
    assert taught(100, cut=True) == max(400, min(800, LEAST_OUTPUT_TOKENS))
    assert taught(5000, cut=True) == 20_000


def test_a_signal_handler_may_come_in_at_any_step() -> None:
    """What a handler learns and asks in the middle of learning and asking is neither lost nor in the way."""

    def interrupted_at(step: int, seen: Seen) -> bool:
        left = step

        def handler() -> None:
            sys.settrace(None)
            seen.learn("m", 2, input_tokens=1, output_tokens=77, cut=False)
            seen.enough("m")
            seen.ample("m")

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal left
            if not frame.f_code.co_filename.endswith("seen.py") or "tests" in frame.f_code.co_filename:
                return None
            frame.f_trace_opcodes = True
            left -= event == "opcode"
            if left == 0:
                handler()
                return None
            return trace

        before = sys.gettrace()
        try:
            sys.settrace(trace)
            seen.learn("m", 1, input_tokens=1, output_tokens=5, cut=False)
            seen.enough("m")
        finally:
            sys.settrace(before)
        return left <= 0

    for known in (0, 1, 256):
        for step in itertools.count(1):
            seen = Seen()
            for tokens in range(1000, 1000 + known):
                seen.learn("m", 1, input_tokens=1, output_tokens=tokens, cut=False)
            seen.enough("m")
            came = interrupted_at(step, seen)
            lengths = seen._lengths["m"]._sort()
            assert len(lengths) == min(256, known + 1 + came)
            assert {5, 77} & set(lengths) == ({5, 77} if came else {5})
            if not came:
                assert step > 10
                break


def test_choices_are_measured_one_by_one() -> None:
    """Eight choices of 30 tokens teach that an answer takes 30 tokens, not 240 and not the cap."""
    with Side("sync", "chat") as side, LoopbackServer(Reply(text="yes", output_tokens=30)) as server:
        client = govern(side.client(server), 1, prices=PRICES)
        side.ask(client, n=8, max_completion_tokens=500)
        assert meter_of(client).seen.enough("m") == 60


def test_callers_without_a_cap_recover_from_a_cut() -> None:
    """Where sharing cut an answer, the next call that names no cap is given enough to end by itself."""
    with Side("sync", "chat") as side, LoopbackServer(Reply(text="yes", output_tokens=3000)) as server:
        client = govern(side.client(server), "0.10", prices=PRICES)  # 10,000 tokens of output
        assert [side.ask(client).choices[0].finish_reason for _ in range(2)] == ["length", "stop"]
