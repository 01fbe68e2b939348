"""The demo: its questions, its comparison live and replayed, and what it says of them."""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.loopback import LoopbackServer, Received, Reply
from thinkcap.controller import AsyncController, Price
from thinkcap.controller.local import MODEL_SHA256
from thinkcap.demo import (
    CEILING_USD,
    FAMILIES,
    PRICES,
    RECORDED_EACH,
    RECORDED_SEED,
    SHIPPED,
    Comparison,
    Side,
    arms,
    compare_live,
    compare_recorded,
    curve_path,
    draw,
    fresh_questions,
    make_questions,
    policies,
    recording_path,
    verdict,
)
from thinkcap.evals import Interval, Recording, load_recording
from thinkcap.policies import Arm, BadInput, Expectation, Fixed, Item, Lead, Outcome, Reason, Vote, nano_usd
from thinkcap.policies.curves import Curve

# The questions


@given(family=st.sampled_from(sorted(FAMILIES)), seed=st.integers(0, 10**6))
def test_the_right_answer_is_right_and_another_is_not(family: str, seed: int) -> None:
    """A question's own answer is graded right and a wrong one wrong; a checker's list has at least one member."""
    (item,) = make_questions(seed, 1, [family])
    if item.answer is not None:
        assert item.grade(item.answer) is True
        assert item.grade(str(int(item.answer) + 1)) is False
    else:
        assert item.verify is not None
        assert item.grade("!") is False
        assert item.verifier is not None


@given(seed=st.integers(0, 10**6))
def test_checkers_know_what_they_ask_for(seed: int) -> None:
    """A word with the first letter and length asked for passes; one letter more, or another first letter, does not."""
    (item,) = make_questions(seed, 1, ["words"])
    asked = re.fullmatch(r"Name a word that begins with (.) and has (\d) letters\.", item.question)
    assert asked is not None
    first, length = asked[1], int(asked[2])
    assert item.grade(first + "e" * (length - 1)) is True
    assert item.grade(first + "e" * length) is False
    assert item.grade("z" + "e" * (length - 1)) is False


@given(seed=st.integers(0, 10**6), count=st.integers(1, 200))
def test_fresh_questions_are_held_back_and_repeatable(seed: int, count: int) -> None:
    """Fresh questions are as many as asked for, none twice, none recorded, and the same again for the same seed."""
    items = fresh_questions(seed, count)
    texts = [item.question for item in items]
    recorded = {item.question for item in make_questions(RECORDED_SEED, RECORDED_EACH)}
    assert (len(texts), len(set(texts)), recorded & set(texts)) == (count, count, set())
    assert fresh_questions(seed, count) == items


def test_families_take_turns() -> None:
    """Cut short anywhere, fresh questions hold each family equally often, give or take one."""
    names = [item.dataset for item in fresh_questions(7, 43)]
    for cut in range(1, 44):
        counts = [names[:cut].count(name) for name in SHIPPED]
        assert max(counts) - min(counts) <= 1


def test_a_family_that_is_used_up_says_so() -> None:
    """More questions than a family has, or an unknown family, is refused with what to do."""
    with pytest.raises(BadInput, match="ask for fewer"):
        make_questions(1, 500, ["words"])
    with pytest.raises(BadInput, match=r"no family .riddles.; there are sums-to-20"):
        make_questions(1, 1, ["riddles"])


def test_arms_differ_in_name_and_prompt() -> None:
    """The three arms have names and prompts of their own, in both APIs alike, and none sends an effort."""
    chat, responses = arms("chat"), arms("responses")
    assert [arm.label for arm in chat] == ["low", "medium", "high"]
    assert len({arm.template for arm in chat}) == 3
    assert [arm.template for arm in chat] == [arm.template for arm in responses]
    assert {arm.effort for arm in chat + responses} == {None}


# Live


class Scripted:
    """A server that answers from a script, as the local one answers from the model."""

    def __init__(self, server: LoopbackServer) -> None:
        self.server = server

    def async_client(self) -> openai.AsyncOpenAI:
        """A client of it."""
        return openai.AsyncOpenAI(base_url=self.server.base_url, api_key="none", max_retries=0)


ITEMS = [Item(f"q{i}", f"What is {i} + 1?", answer=str(i + 1), extract="number") for i in range(4)]
PLANS = {"low": Fixed("low"), "high": Vote(3, "high"), "thinkcap": Lead(2, 3, "high")}
TWO_ARMS = (
    Arm("m", name="low", max_output_tokens=10),
    Arm("m", name="high", max_output_tokens=10, template="think: {question}"),
)
IN, OUT = 1_000, 10_000  # nano-dollars a token, at 1 and 10 dollars per million


def compare(server: LoopbackServer, *, items: Sequence[Item] = ITEMS, seconds: float = 60) -> Comparison:
    """The comparison of three policies on a scripted server."""
    return compare_live(
        Scripted(server),
        items,
        TWO_ARMS,
        PLANS,
        prices={"m": Price.per_mtok(input=1, output=10)},
        ceiling_usd="0.01",
        seed=5,
        seconds=seconds,
    )


def knows_when_thinking(request: Received) -> Reply:
    """A model that is right only where the prompt makes it think."""
    text = request.body["messages"][-1]["content"]
    number = int(text.split()[-3]) + 1 if text.startswith("think") else 0
    return Reply(text=str(number), output_tokens=5, input_tokens=20)


def test_live_figures_are_the_servers_own() -> None:
    """Accuracy is what the grades say, attempts are the calls, and dollars are the server's book at the prices."""
    with LoopbackServer(knows_when_thinking) as server:
        found = compare(server)
    each = 20 * IN + 5 * OUT
    assert (found.live, found.model, found.seed) == (True, "m", 5)
    assert (found.questions, found.asked, found.ended) == (4, 4, None)
    assert {name: side.accuracy.tolist() for name, side in found.sides.items()} == {
        "low": [0] * 4,
        "high": [1] * 4,
        "thinkcap": [1] * 4,
    }
    assert {name: side.attempts.tolist() for name, side in found.sides.items()} == {
        "low": [1] * 4,
        "high": [3] * 4,
        "thinkcap": [2] * 4,
    }
    assert {name: side.most_nusd for name, side in found.sides.items()} == {
        "low": each,
        "high": 3 * each,
        "thinkcap": 2 * each,
    }
    total = sum(side.usd.sum() for side in found.sides.values())
    assert total == pytest.approx(len(server.billed) * each / 1e9)
    assert found.held


def test_a_question_where_a_call_failed_is_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question at which one policy had no arm left that did not fail counts for none, and the verdict says so."""
    solve = AsyncController.solve

    async def failing(self: AsyncController, question: str, **options: Any) -> Outcome:
        outcome = await solve(self, question, **options)
        return replace(outcome, reason=Reason.FAILED) if options["id"] == "q2 thinkcap" else outcome

    monkeypatch.setattr(AsyncController, "solve", failing)
    with LoopbackServer(knows_when_thinking) as server:
        found = compare(server)
    assert (found.questions, found.asked, found.ended) == (3, 4, "at the others a call failed")
    assert verdict(found)[-1] == "3 of 4 questions: at the others a call failed"


def test_at_the_limit_only_whole_questions_count() -> None:
    """When the time is up nothing more is asked, and a question counts only if every policy finished it."""
    ended = threading.Event()

    def stuck_at_the_last(request: Received) -> Reply:
        if "3 + 1" in request.body["messages"][-1]["content"]:
            ended.wait(30)
        return knows_when_thinking(request)

    with LoopbackServer(stuck_at_the_last) as server:
        found = compare(server, seconds=1.5)
        ended.set()
    assert found.ended == "the time was up"
    assert (found.questions, found.asked) == (3, 4)
    assert all(len(side.accuracy) == 3 for side in found.sides.values())


def test_a_server_that_fails_is_an_error_of_ours() -> None:
    """If not one call gets through, the comparison raises what a user can read, not the SDK's traceback."""
    with LoopbackServer(knows_when_thinking) as server:
        pass
    with pytest.raises(Exception, match="is the server running"):
        compare(server)


# What is said


def side(accuracy: Sequence[float], usd: float, most: int = 1) -> Side:
    """A policy with these grades, at one cost a question."""
    return Side(np.array(accuracy, float), np.full(len(accuracy), usd), np.ones(len(accuracy)), most)


GOOD = Comparison(
    live=True,
    model="m",
    seed=1,
    asked=20,
    ceiling_nusd=1000,
    sides={
        "low": side([0.0] * 20, 1e-6),
        "high": side([1.0] * 15 + [0.0] * 5, 1e-5),
        "thinkcap": side([1.0] * 15 + [0.0] * 5, 5e-6),
    },
)


def test_a_good_run_is_said_plainly() -> None:
    """Cheaper at an accuracy not below high's lower bound: the share of the cost and both accuracies are told."""
    lines = verdict(GOOD)
    assert lines[0].startswith("high over low: +75.0 points, 95 % interval +55.0 to +")
    assert lines[0].endswith("at 10.0 times the cost")
    assert lines[1] == "thinkcap: 50 % of the cost of high, 75.0 % right, high 75.0 %"
    assert lines[2].startswith("every question stayed under its ceiling of $0.000001")


@pytest.mark.parametrize(
    ("ours", "missed"),
    [
        (side([1.0] * 20, 2e-5), "no cheaper than high"),
        (side([0.0] * 20, 5e-6), "less accurate than high's interval"),
        (side([0.0] * 20, 2e-5), "no cheaper than high and less accurate than high's interval"),
    ],
)
def test_a_run_that_did_not_come_out_says_so(ours: Side, missed: str) -> None:
    """Dearer than high, or less accurate than its interval, is said as plainly as success."""
    found = replace(GOOD, sides={**GOOD.sides, "thinkcap": ours})
    assert verdict(found)[1] == f"this run did not come out as it should: thinkcap was {missed}"


PROMISE = Expectation(Interval(0.7, 0.65, 0.75), Interval(5e-6, 4.8e-6, 5.2e-6), 9, 2)


@pytest.mark.parametrize(
    ("usd", "right", "says"),
    [
        (5.05e-6, 15, "achieved 75.0 % at $0.0050: as predicted, within two standard errors"),
        (9e-6, 15, "cost not as predicted"),
        (5.05e-6, 1, "achieved 5.0 % at $0.0050: accuracy not as predicted"),
        (1e-6, 0, "accuracy and cost not as predicted"),
    ],
)
def test_what_was_predicted_stands_beside_what_came(usd: float, right: int, says: str) -> None:
    """70 % of 20 questions at $5 a million: 15 right at about that cost is as predicted, 1 right or $9 is not."""
    ours = side([1.0] * right + [0.0] * (20 - right), usd)
    found = replace(GOOD, sides={**GOOD.sides, "thinkcap": ours}, predicted=PROMISE)
    (line,) = [line for line in verdict(found) if line.startswith("predicted before asking: 70.0 % right at $0.0050")]
    assert line.endswith(says)
    told = found.to_json()
    assert (told["predicted_accuracy"], told["predicted_usd"]) == (0.7, 5e-6)
    assert told["as_predicted"] == {"accuracy": right == 15, "usd": usd == 5.05e-6}
    assert "predicted_usd" not in GOOD.to_json()


def test_a_ceiling_that_did_not_hold_cannot_be_overlooked() -> None:
    """One nano-dollar above the ceiling is not held, and is said in capitals."""
    over = replace(GOOD, sides={**GOOD.sides, "low": side([0.0] * 20, 1e-6, most=1001)})
    assert (GOOD.held, over.held) == (True, False)
    assert any(line.startswith("THE CEILING DID NOT HOLD") for line in verdict(over))
    assert over.to_json()["held"] is False


def test_an_early_end_is_told() -> None:
    """How many of how many questions, and why it ended, is the last line."""
    assert verdict(replace(GOOD, asked=40, ended="interrupted"))[-1] == "20 of 40 questions: interrupted"


def test_the_picture_is_one_file_that_names_every_point() -> None:
    """The SVG is well-formed, fetches nothing, and carries each policy's name and both published points."""
    text = draw(GOOD, Curve.load(curve_path()))
    ElementTree.fromstring(text)
    assert "href" not in text
    for label in ("low", "high", "thinkcap", "o3 low", "o3 high"):
        assert f">{label} " in text
    assert ">the fitted curve" in text


# The shipped recording


@pytest.fixture(scope="module")
def shipped() -> Recording:
    """The recording that ships."""
    return load_recording(recording_path())


def test_the_shipped_recording_says_how_it_was_made() -> None:
    """Its first line has the command, the seed, the model's hash and the date."""
    with gzip.open(recording_path(), "rt", encoding="utf-8") as file:
        about = json.loads(file.readline())
    assert about["model_sha256"] == MODEL_SHA256
    assert about["command"].startswith("thinkcap record questions.jsonl --local")
    assert about["seed"] == RECORDED_SEED
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", about["recorded"])


def test_the_shipped_recording_is_whole(shipped: Recording) -> None:
    """It holds 16 graded attempts at each of three arms of each of the 200 questions that its seed makes."""
    assert [arm.label for arm in shipped.arms] == ["low", "medium", "high"]
    assert len(shipped.questions) == RECORDED_EACH * len(SHIPPED) == 200
    assert len(shipped.correct) == 200 * 3 * 16
    assert all(shipped.fewest(arm.label) == 16 for arm in shipped.arms)
    assert (shipped.correct >= 0).all()
    assert set(shipped.questions) == {item.question_id for item in make_questions(RECORDED_SEED, RECORDED_EACH)}


def test_the_shipped_recording_scales(shipped: Recording) -> None:
    """From low to high is at least 15 points with its interval above zero, thinkcap is cheaper, and ceilings hold."""
    found = compare_recorded(shipped, policies(), ceiling_usd=CEILING_USD, seed=0, permutations=4)
    gain = found.gain("high", "low")
    assert gain.mean >= 0.15
    assert gain.low > 0
    assert found.cost_share("thinkcap", "high") < 1
    assert found.sides["thinkcap"].interval.mean >= found.sides["high"].interval.low
    assert found.most_nusd <= nano_usd(CEILING_USD)
    assert set(found.to_json()["policies"]) == {"low", "high", "thinkcap"}


def test_the_shipped_curve_is_the_shipped_recordings(shipped: Recording) -> None:
    """Its fingerprint is the recording's, its arms are asked as the demo asks them, and replay keeps its promise."""
    curve = Curve.load(curve_path())
    assert curve.fingerprint == Curve.fit(shipped).fingerprint
    assert curve.check(arms(), {arm.label: (0.05, 0.40) for arm in arms()}) == ()
    found = compare_recorded(shipped, policies(), ceiling_usd=CEILING_USD, seed=1, permutations=4)
    assert found.predicted is not None
    assert found.as_predicted() == {"accuracy": True, "usd": True}


@pytest.mark.live
def test_the_real_model_is_asked() -> None:
    """The local model answers fresh questions under every policy, and no question passes its ceiling."""
    from thinkcap.controller.local import LocalServer, fetch_model

    with LocalServer(fetch_model()) as server:
        found = compare_live(
            server,
            fresh_questions(3, 5),
            arms(),
            policies(),
            prices=PRICES,
            ceiling_usd=CEILING_USD,
            seed=3,
            seconds=120,
        )
    assert (found.questions, found.ended, found.held) == (5, None, True)
