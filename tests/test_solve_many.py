"""Many questions under one budget, live: never above it, nothing paid twice, sync as async."""

from __future__ import annotations

import gc
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.governing import RATES, SIDES, Side, billed
from tests.loopback import Fault, LoopbackServer, Received, Reply
from thinkcap.controller import Account, Ceiling, Recorder, UnlikeExpected
from thinkcap.controller.ledger import Amount
from thinkcap.controller.ledger.turn import in_turn
from thinkcap.evals.oracle import FAULTS
from thinkcap.policies import (
    NANO,
    Attempt,
    BadInput,
    CeilingReached,
    Expectation,
    Finishing,
    Fixed,
    Item,
    Lead,
    Length,
    NotGoverned,
    Outcome,
    Policy,
    ProviderFailed,
    Reason,
    Vote,
    Where,
)
from thinkcap.policies.curves import Curve, Point
from thinkcap.policies.interval import Interval

ONE_CALL = 60_000 + 40 * RATES["m"][0]
"""About what an answer of six tokens costs, in nano-dollars."""


@pytest.fixture(params=SIDES[::2], ids="-".join)
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    with Side(*request.param) as made:
        yield made


class Told:
    """A curve that is told what its policies come to: only what a budget asks of one."""

    def __init__(self, *levels: tuple[Any, float, float, float]) -> None:
        self._levels = tuple(
            Point(policy, Expectation(Interval(right, right, right), Interval(usd, usd, usd), 6.0, attempts))
            for policy, right, usd, attempts in levels
        )

    def frontier(self) -> tuple[Point, ...]:
        """Its policies."""
        return self._levels

    def finishing(self, policy: Policy) -> Policy:
        """The policy, with caps at an arm that thinks for long; the arms of most tests name their own."""
        return Finishing(policy, (Length("m", 8.0, 0.5, 0.0, 0.3, 0.9, 0.4, 100_000),))

    def check(self, arms: Any, prices: Any) -> tuple[str, ...]:
        """The notes it was given: none."""
        return ()


def told(one_call: int = ONE_CALL) -> Any:
    usd = one_call / NANO
    return Told((Fixed("m"), 0.6, usd, 1), (Lead(2, 9, "m"), 0.8, 2.6 * usd, 2.6), (Lead(3, 9, "m"), 0.85, 4 * usd, 4))


def questions(count: int) -> list[Item]:
    return [Item(f"q{number}", f"Question {number} of some?", answer="42", extract="number") for number in range(count)]


def number_of(request: Received) -> int:
    found = re.search(r"Question (\d+)", str(request.body))
    assert found
    return int(found[1])


class Model:
    """Answers from a seed by question and attempt, whoever asks in whatever order."""

    def __init__(self, seed: int = 0, faults: float = 0.0) -> None:
        self.seed, self.faults, self.asked = seed, faults, Counter[int]()

    def __call__(self, request: Received) -> Reply | Fault:
        question = number_of(request)
        self.asked[question] += 1
        luck = random.Random(f"{self.seed} {question} {self.asked[question]}")
        right = luck.random() < (0.9, 0.5, 0.2)[question % 3]
        reply = Reply(text=f"{42 if right else luck.randint(1, 4)}", output_tokens=luck.randint(3, 9))
        if luck.random() < self.faults:
            kinds = ("429", "500", "500 after billing", "disconnect after billing", "usage missing", "malformed JSON")
            return FAULTS[luck.choice(kinds)](reply)
        return reply


def many(side: Side, controller: Any, items: Any, **options: Any) -> Any:
    return side.run(controller.solve_many(items, **options))


def stream(side: Side, controller: Any, items: Any, **options: Any) -> list[Outcome]:
    found = controller.solve_stream(items, **options)
    if side.mode == "sync":
        return list(found)

    async def all_of() -> list[Outcome]:
        return [outcome async for outcome in found]

    outcomes: list[Outcome] = side.run(all_of())
    return outcomes


def controller_of(side: Side, server: LoopbackServer, policy: Any = None, **options: Any) -> Any:
    options = {"account": Account(1000.0), **options}
    return side.controller(server, [side.arm(max_output_tokens=20)], policy or Fixed(), **options)


# A batch.


def test_every_question_is_answered_by_the_policy(side: Side) -> None:
    """Without a curve, and with money enough, a batch comes to what its policy comes to question by question."""
    with LoopbackServer(Model()) as server:
        batch = many(side, controller_of(side, server, Vote(3)), questions(7), budget=1.0)
    with LoopbackServer(Model()) as server:
        controller = controller_of(side, server, Vote(3))
        alone = [side.solve(controller, item.question, extract="number") for item in questions(7)]
    assert [one.answer for one in batch.outcomes] == [one.answer for one in alone]
    assert [len(one.attempts) for one in batch.outcomes] == [3] * 7
    assert [one.question_id for one in batch.outcomes] == [f"q{number}" for number in range(7)]
    assert {one.reason for one in batch.outcomes} == {Reason.ATTEMPTS}
    assert batch.certificate is None
    assert batch.stopped is None


@pytest.mark.parametrize("ask", [many, stream])
def test_a_curves_caps_are_sent(side: Side, ask: Any) -> None:
    """Batch and stream send the caps of the curve's policies: above the default at first, lower as lengths come."""
    with LoopbackServer(Model()) as server:
        controller = side.controller(server, [side.arm()], Fixed(), account=Account(1000.0))
        ask(side, controller, questions(6), budget=100.0, curve=told(), concurrency=3, extract="number")
        caps: dict[int, list[int]] = {}
        for request in server.requests:
            caps.setdefault(number_of(request), []).append(request.body[side.cap_name])
    assert len(caps) == 6
    assert {ones[0] for ones in caps.values()} == {Told().finishing(Fixed("m")).caps("m", ())[1]}  # type: ignore[attr-defined]
    assert min(ones[0] for ones in caps.values()) > 4096 > max(ones[-1] for ones in caps.values())


@pytest.mark.parametrize("calls", [0.7, 7, 13, 25, 60, 500])
@pytest.mark.parametrize("concurrency", [1, 5])
def test_a_batch_never_passes_its_budget(side: Side, calls: float, concurrency: int) -> None:
    """Whatever the budget and however many at once: billed and spent stay under it, and every cent is an attempt's."""
    budget = round(calls * ONE_CALL)
    with LoopbackServer(Model()) as server:
        controller = controller_of(side, server)
        try:
            batch = many(side, controller, questions(12), budget=budget / NANO, curve=told(), concurrency=concurrency)
        except CeilingReached:
            assert calls < 1
            assert not server.billed
            return
        assert billed(server) == batch.spent_nusd <= budget
        assert sum(one.spent_nusd for one in batch.outcomes) == batch.spent_nusd
        assert controller.account.balance.money.spent == batch.spent_nusd
        assert len(batch.outcomes) == 12
        if calls >= 60:
            assert all(one.reason is not Reason.CEILING for one in batch.outcomes)


@pytest.mark.parametrize("seed", range(6))
def test_faults_break_neither_the_budget_nor_the_batch(side: Side, seed: int) -> None:
    """With a third of the calls going wrong, what the provider billed is spent, and what is spent is in the budget."""
    budget = 200 * ONE_CALL  # what may have been billed is charged at its worst case, six times as much
    with LoopbackServer(Model(seed, faults=0.3)) as server:
        batch = many(
            side, controller_of(side, server), questions(12), budget=budget / NANO, curve=told(), concurrency=4
        )
        assert billed(server) <= batch.spent_nusd <= budget
        assert sum(one.spent_nusd for one in batch.outcomes) == batch.spent_nusd
        assert sum(one.answer is not None for one in batch.outcomes) >= 8


def test_everybody_is_asked_once_before_anybody_is_asked_twice(side: Side) -> None:
    """A batch begins with one attempt at every question."""
    order: list[str] = []
    with LoopbackServer(Model()) as server:
        many(
            side,
            controller_of(side, server),
            questions(9),
            budget=40 * ONE_CALL / NANO,
            curve=told(),
            concurrency=1,
            on_attempt=lambda question, attempt: order.append(question.id),
        )
    assert len(set(order[:9])) == 9
    assert len(order) > 9


def test_sync_and_async_buy_the_same() -> None:
    """With one attempt at a time both controllers make the same attempts in the same order."""
    found = []
    for mode in ("sync", "async"):
        order: list[str] = []
        with Side(mode, "chat") as side, LoopbackServer(Model(3)) as server:
            batch = many(
                side,
                controller_of(side, server),
                questions(9),
                budget=25 * ONE_CALL / NANO,
                curve=told(),
                concurrency=1,
                on_attempt=lambda question, attempt, order=order: order.append(question.id),
            )
        found.append((order, [(one.answer, one.reason, one.spent_nusd) for one in batch.outcomes], batch.certificate))
    assert found[0] == found[1]


def test_more_money_buys_levels_in_turn(side: Side) -> None:
    """Undecided questions get further attempts, decided ones none; the certificate's gap closes as money comes."""
    spent, gaps = [], []
    for calls in (14, 30, 80):
        with LoopbackServer(Model(1)) as server:
            batch = many(side, controller_of(side, server), questions(12), budget=calls * ONE_CALL / NANO, curve=told())
        spent.append(sum(len(one.attempts) for one in batch.outcomes))
        gaps.append(batch.certificate.gap)
        assert batch.certificate.bound_right <= 12 * 0.85 + 1e-9
    assert spent == sorted(spent)
    assert spent[0] < spent[1] < spent[2]
    assert gaps[-1] == pytest.approx(0)


def test_a_failing_question_does_not_end_the_others(side: Side) -> None:
    """A question that the provider always fails at is told as failed; the others have their answers."""

    def script(request: Received) -> Reply | Fault:
        return Fault("status", code=400) if number_of(request) == 2 else Reply(text="42")

    with LoopbackServer(script) as server:
        batch = many(side, controller_of(side, server), questions(6), budget=1.0, curve=told(), concurrency=2)
    assert [one.reason for one in batch.outcomes].count(Reason.FAILED) == 1
    assert batch.outcomes[2].reason is Reason.FAILED
    assert {one.answer for place, one in enumerate(batch.outcomes) if place != 2} == {"42"}


def test_a_provider_that_is_down_ends_the_batch(side: Side) -> None:
    """If the first five attempts fail, the others are not made, and the provider's error is raised."""
    with LoopbackServer(Fault("status", code=401)) as server:
        with pytest.raises(ProviderFailed):
            many(side, controller_of(side, server), questions(40), budget=1.0, curve=told(), concurrency=1)
        assert len(server.requests) == 5


def test_a_deadline_ends_the_batch(side: Side) -> None:
    """When the seconds are over, what was answered is returned, and it says so."""
    with LoopbackServer(Reply(text="42", latency_s=0.05)) as server:
        batch = many(
            side,
            controller_of(side, server),
            questions(200),
            budget=Ceiling(usd=1.0, seconds=1.0),
            curve=told(),
            concurrency=1,
        )
    assert batch.stopped == "its seconds are over"
    assert 0 < sum(one.answer is not None for one in batch.outcomes) < 200


class Stop(Exception):
    """Raised in the middle of a batch."""


def test_a_batch_goes_on_and_pays_nothing_twice(side: Side, tmp_path: Path) -> None:
    """A batch that was broken off goes on by its name: what is on record is not asked again, and all is one budget."""
    budget, items = 30 * ONE_CALL / NANO, questions(12)
    made: list[str] = []

    def enough(question: Any, attempt: Any) -> None:
        made.append(question.id)
        if len(made) == 7:
            raise Stop

    with LoopbackServer(Model()) as server:
        for again in (False, True):
            with (
                Account(1.0, name="all", ledger=tmp_path / "books.db") as account,
                Recorder(tmp_path / "run.jsonl", keep_answers=True) as recorder,
            ):
                controller = controller_of(side, server, account=account, recorder=recorder)
                options = {"budget": budget, "curve": told(), "concurrency": 1, "name": "batch", "resume": again}
                if not again:
                    with pytest.raises(Stop):
                        many(side, controller, items, on_attempt=enough, **options)
                    assert billed(server) == account.balance.money.spent > 0
                else:
                    batch = many(side, controller, items, **options)
        assert sum(len(one.attempts) for one in batch.outcomes) == len(server.billed) > 12
        assert billed(server) == batch.spent_nusd == sum(one.spent_nusd for one in batch.outcomes) <= budget * NANO
    graded = [line for line in (tmp_path / "run.jsonl").read_text().splitlines() if '"correct": true' in line]
    assert len(graded) > 3  # an item that knows its answer is graded in the recording


def test_datasets_may_share_ids(side: Side) -> None:
    """Questions of one id in several datasets are questions of their own, each under a ceiling of its own."""
    items = [Item("1", "Question 0 of some?", answer="42", extract="number", dataset=name) for name in "abcdef"]
    with LoopbackServer(Reply(text="42", latency_s=0.05)) as server:
        batch = many(
            side,
            controller_of(side, server),
            items,
            budget=1.0,
            curve=told(),
            concurrency=6,
            ceiling=7 * ONE_CALL / NANO,
        )
        assert billed(server) == batch.spent_nusd == sum(one.spent_nusd for one in batch.outcomes)
    assert [one.answer for one in batch.outcomes] == ["42"] * 6


def test_a_batch_of_texts_goes_on_with_another_list(side: Side, tmp_path: Path) -> None:
    """Texts without an id keep their own answers when a batch goes on in another order, with new ones between."""
    made: list[list[str | None]] = []
    with LoopbackServer(lambda request: Reply(text=f"{100 + number_of(request)}")) as server:
        for again, numbers in ((False, [0, 1, 2, 2]), (True, [9, 2, 1, 2, 0])):
            with (
                Account(1.0, name="all", ledger=tmp_path / "books.db") as account,
                Recorder(tmp_path / "run.jsonl", keep_answers=True) as recorder,
            ):
                controller = controller_of(side, server, account=account, recorder=recorder)
                texts = [f"Question {number} of some?" for number in numbers]
                batch = many(side, controller, texts, budget=0.1, name="batch", resume=again, extract="number")
                made.append([one.answer for one in batch.outcomes])
        assert made == [["100", "101", "102", "102"], ["109", "102", "101", "102", "100"]]
        assert len(server.requests) == 5
        assert billed(server) == batch.spent_nusd == sum(one.spent_nusd for one in batch.outcomes)


def test_what_cannot_be_asked_is_refused_before_anything_is_paid(side: Side) -> None:
    """A question or an option that cannot be used, wherever in the list: nothing is asked, and the name stays free."""
    audio = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
    with LoopbackServer(Model()) as server:
        controller = controller_of(side, server)
        for bad, options in (
            ("  ", {}),
            ([], {}),
            ("\ud800", {}),
            ([{"role": "user", "content": [audio]}], {}),
            ("Question 1?", {"on_attempt": 3}),
            ("Question 1?", {"progress": 3}),
            ("Question 1?", {"response_format": 3}),
            ("Question 1?", {"tools": [3]}),
        ):
            with pytest.raises((BadInput, NotGoverned)):
                many(side, controller, [*questions(9), bad], budget=1.0, concurrency=1, name="batch", **options)
        assert not server.requests
        assert len(many(side, controller, questions(2), budget=1.0, name="batch").outcomes) == 2


def test_answered_counts_the_outcomes_with_an_answer(side: Side) -> None:
    """What progress is told is spent and answered in the end: an answer that no verifier accepts is none."""
    items = [
        Item(f"q{n}", f"Question {n} of some?", verify={"equals": "427"[n % 3 :]}, extract="number") for n in range(9)
    ]
    seen: list[tuple[int, int]] = []
    with LoopbackServer(Reply(text="42")) as server:
        batch = many(
            side,
            controller_of(side, server),
            items,
            budget=1.0,
            curve=told(),
            progress=lambda *so_far: seen.append(so_far),
        )
    assert seen[-1] == (batch.spent_nusd, sum(one.answer is not None for one in batch.outcomes))
    assert seen == sorted(seen)


def test_questions_at_their_own_ceiling_do_not_hold_up_the_others(side: Side) -> None:
    """Questions that can spend no more under their own ceiling leave as many in flight as before."""
    flight, most, lock = 0, list[int](), threading.Lock()

    def script(request: Received) -> Reply:
        nonlocal flight
        with lock:
            flight += 1
            most.append(flight)
        time.sleep(0.02)
        with lock:
            flight -= 1
        return Reply(text=f"{len(most)}", output_tokens=5)

    with LoopbackServer(script) as server:
        batch = many(
            side,
            controller_of(side, server),
            questions(24),
            budget=1.0,
            curve=told(),
            concurrency=6,
            ceiling=8 * ONE_CALL / NANO,
        )
        assert billed(server) == batch.spent_nusd == sum(one.spent_nusd for one in batch.outcomes)
    assert {one.reason for one in batch.outcomes} == {Reason.CEILING}
    assert max(most[-20:]) > 2


def test_a_long_question_does_not_hold_up_the_short_ones(side: Side) -> None:
    """One question that takes most of the budget by itself is asked, and leaves the others side by side."""
    flight, most, lock = 0, list[int](), threading.Lock()

    def script(request: Received) -> Reply:
        nonlocal flight
        with lock:
            flight += 1
            most.append(flight)
        time.sleep(0.02)
        with lock:
            flight -= 1
        return Reply(text="42", input_tokens=len(f"{request.body}") // 4)

    items = questions(20)
    items[3] = replace(items[3], question=items[3].question + " and so on" * 1_000)
    budget = 0.014  # the long one's worst case is about 0.013, a short one's 0.0006
    with LoopbackServer(script) as server:
        batch = many(side, controller_of(side, server), items, budget=budget, concurrency=6)
        assert billed(server) == batch.spent_nusd <= budget * NANO
    assert all(one.answer == "42" for one in batch.outcomes)
    assert max(most) > 3


def test_no_attempt_is_cut_short_for_those_beside_it(side: Side) -> None:
    """A budget that pays for every question in full one after the other does so with several in flight, too."""
    worst = 600_000  # a little above all of the prompt's bound and an output of 20 tokens
    with LoopbackServer(Reply(text="42", output_tokens=20, input_tokens=40, latency_s=0.01)) as server:
        batch = many(
            side,
            controller_of(side, server, min_output_tokens=5),
            questions(13),
            budget=(12 * 240_000 + worst) / NANO,
            concurrency=8,
        )
        assert billed(server) == batch.spent_nusd == 13 * 240_000
        assert {request.body[side.cap_name] for request in server.requests} == {20}
    assert [one.answer for one in batch.outcomes] == ["42"] * 13


def test_a_question_that_is_late_is_told_so(side: Side) -> None:
    """A question whose own seconds are over before its first call ends as late; the others go on, in both forms."""
    slow = Ceiling(seconds=1e-6)
    with LoopbackServer(Reply(text="42", latency_s=0.3)) as server:
        controller = controller_of(side, server)
        with pytest.raises(BadInput, match="deadline passed"):
            many(side, controller, questions(3), budget=1.0, curve=told(), ceiling=slow)
        outcomes = stream(side, controller, questions(3), budget=1.0, curve=told(), ceiling=slow)
        assert [one.reason for one in outcomes] == [Reason.DEADLINE] * 3
        limit = Ceiling(usd=1.0, seconds=0.2)
        batch = many(side, controller, questions(3), budget=limit, curve=told(), concurrency=1)
        assert {one.reason for one in batch.outcomes[1:]} == {Reason.DEADLINE}
        assert not server.billed or controller.account.balance.money.spent


def test_a_late_batch_still_raises_what_the_caller_raised(side: Side) -> None:
    """What ``on_attempt`` raises is never taken for the deadline, and what was paid is spent."""

    def boom(question: Any, attempt: Any) -> None:
        time.sleep(0.7)
        raise Stop

    with LoopbackServer(Reply(text="42")) as server:
        controller = controller_of(side, server)
        options = {"budget": Ceiling(usd=1.0, seconds=0.6), "curve": told(), "concurrency": 1, "on_attempt": boom}
        for ask in (many, stream):
            with pytest.raises(Stop):
                ask(side, controller, questions(3), **options)
        assert 0 < billed(server) <= controller.account.balance.money.spent


def test_what_was_refused_is_asked_when_a_batch_goes_on(side: Side, tmp_path: Path) -> None:
    """A call that was refused before it was sent, and stands in the recording so, is no attempt at its question."""
    with LoopbackServer(Reply(text="42")) as server:
        account = Account(1.0, name="all")
        with Recorder(tmp_path / "run.jsonl", keep_answers=True) as recorder:
            refused = Attempt(1, side.arm(), None, 0, finish="ceiling", calls=0, error="too little")
            recorder.write(refused, Where("q0", None, None))
            controller = controller_of(side, server, account=account, recorder=recorder)
            batch = many(side, controller, questions(2), budget=0.1, name="batch", resume=True)
    assert [(one.answer, len(one.attempts)) for one in batch.outcomes] == [("42", 1)] * 2


def test_what_a_killed_process_holds_is_not_planned_with(side: Side) -> None:
    """A batch that goes on beside a reservation that never comes back spreads what is left over all its questions."""
    budget = 150 * ONE_CALL
    levels = Told((Fixed("m"), 0.5, ONE_CALL / NANO, 1), (Fixed("big"), 0.9, 4 * ONE_CALL / NANO, 1))
    account = Account(1.0)
    with account.child("batch", budget / NANO) as before:
        before.reserve(Amount(budget // 2, 1, 1))
    with LoopbackServer(Reply(text="42", output_tokens=6, input_tokens=40)) as server:
        arms = [side.arm(max_output_tokens=6), side.arm("big", max_output_tokens=20)]
        controller = side.controller(server, arms, Fixed(), account=account)
        batch = many(side, controller, questions(50), budget=budget / NANO, curve=levels, concurrency=1, name="batch")
    assert sum(one.answer is None for one in batch.outcomes) == 0


def test_everybody_is_asked_once_first_also_where_answers_cannot_be_compared(side: Side) -> None:
    """Attempts that are cut at their cap are made again, with more room, when everybody has had one."""
    order: list[str] = []
    with LoopbackServer(Reply(text="", output_tokens=50, reasoning_tokens=50)) as server:
        many(
            side,
            side.controller(server, [side.arm()], Fixed(), account=Account(1.0), default_max_output_tokens=20),
            [f"Question {number} of some?" for number in range(4)],
            budget=0.1,
            concurrency=1,
            on_attempt=lambda question, attempt: order.append(question.id),
        )
    assert len(set(order[:4])) == 4
    assert len(order) == 12


# A stream.


@pytest.mark.parametrize("calls", [0.5, 20, 60, 110, 150])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_stream_lasts_and_never_passes_its_budget(side: Side, calls: float, concurrency: int) -> None:
    """Outcomes come in order, the budget is never passed, and one that can be used up is used up to a few calls."""
    budget = round(calls * ONE_CALL)
    with LoopbackServer(Model()) as server:
        outcomes = stream(
            side,
            controller_of(side, server),
            questions(40),
            budget=budget / NANO,
            curve=told(),
            concurrency=concurrency,
        )
        assert billed(server) == sum(one.spent_nusd for one in outcomes) <= budget
    assert [one.question_id for one in outcomes] == [f"q{number}" for number in range(40)]
    if 60 <= calls <= 110:
        assert all(one.answer is not None for one in outcomes[:35])
        assert billed(server) > 0.9 * budget


def test_a_stream_without_a_curve_uses_the_policy(side: Side) -> None:
    """Without a curve every question is answered by the controller's policy, as long as the money lasts."""
    with LoopbackServer(Model()) as server:
        outcomes = stream(side, controller_of(side, server, Vote(3)), questions(5), budget=1.0)
    assert [len(one.attempts) for one in outcomes] == [3] * 5


def test_a_stream_takes_questions_as_they_come(side: Side) -> None:
    """A question is taken only when there is room for it, and leaving early asks nothing more."""
    taken: list[int] = []

    def coming() -> Iterator[str]:
        for number in range(100):
            taken.append(number)
            yield f"Question {number} of some?"

    with LoopbackServer(Model()) as server:
        controller = controller_of(side, server)
        found = controller.solve_stream(coming(), budget=1.0, total=100, curve=told(), extract="number")
        if side.mode == "sync":
            next(found)
            found.close()
        else:

            async def first() -> None:
                await anext(found)
                await found.aclose()

            side.run(first())
    assert len(taken) <= 2


def test_a_stream_outlives_a_failure_but_not_an_outage(side: Side) -> None:
    """One question that fails has no answer; five in a row end the stream with the provider's error."""

    def script(request: Received) -> Reply | Fault:
        number = number_of(request)
        return Fault("status", code=400) if number == 1 or number >= 4 else Reply(text="42")

    with LoopbackServer(script) as server:
        found = controller_of(side, server).solve_stream(questions(30), budget=1.0, curve=told())
        seen: list[Outcome] = []

        async def take() -> None:
            while True:
                seen.append(await anext(found))

        with pytest.raises(ProviderFailed):
            seen.extend(found) if side.mode == "sync" else side.run(take())
        failed = [number_of(request) for request in server.requests if number_of(request) >= 4]
    assert failed == [4, 5, 6, 7, 8]
    assert [one.reason is Reason.FAILED for one in seen] == [False, True, False, False, True, True, True, True]


def test_a_stream_that_breaks_gives_what_it_paid_for(side: Side) -> None:
    """A question that cannot be asked, or a source that raises, ends a stream after the outcomes of those before."""

    def coming() -> Iterator[str]:
        yield from (f"Question {number} of some?" for number in range(3))
        raise Stop

    texts = [*(f"Question {number} of some?" for number in range(3)), ""]
    with LoopbackServer(Reply(text="42", latency_s=0.05)) as server:
        for source, error in ((coming(), Stop), (texts, BadInput)):
            found = controller_of(side, server).solve_stream(source, budget=1.0, total=4, concurrency=4)
            seen: list[Outcome] = []

            async def take(found: Any = found, seen: list[Outcome] = seen) -> None:
                while True:
                    seen.append(await anext(found))

            with pytest.raises(error):
                seen.extend(found) if side.mode == "sync" else side.run(take())
            assert [one.answer for one in seen] == ["42"] * 3


def test_a_stream_ends_in_an_outage_that_bills(side: Side) -> None:
    """Five questions in a row that failed after they may have been billed end a stream as unbilled ones do."""
    with LoopbackServer(FAULTS["malformed JSON"](Reply(text="42"))) as server:
        controller = controller_of(side, server)
        found = controller.solve_stream(questions(30), budget=1.0, curve=told())
        seen: list[Outcome] = []

        async def take() -> None:
            while True:
                seen.append(await anext(found))

        with pytest.raises(ProviderFailed, match="5 questions in a row"):
            seen.extend(found) if side.mode == "sync" else side.run(take())
        assert len(server.requests) == 5
        assert controller.account.balance.money.spent == sum(one.spent_nusd for one in seen) > 0


def test_a_stream_that_is_left_asks_nothing_more(side: Side) -> None:
    """Left while questions are in flight, each of them ends with the call it is in, charged, and is asked no more."""
    go = threading.Event()

    def script(request: Received) -> Reply:
        if number_of(request):
            go.wait(5)
        return Reply(text="42")

    with LoopbackServer(script) as server:
        controller = controller_of(side, server, Vote(6))
        found = controller.solve_stream(questions(9), budget=1.0, concurrency=3)

        async def take() -> None:
            await anext(found)
            await found.aclose()

        if side.mode == "sync":
            next(found)
            threading.Timer(0.1, go.set).start()
            found.close()
        else:
            threading.Timer(0.3, go.set).start()
            side.run(take())
        go.wait(5)
        assert len(server.requests) <= 6 + 2
        assert billed(server) <= controller.account.balance.money.spent
        assert controller.account.balance.money.reserved == 0


def test_a_stream_may_be_dropped_inside_the_ledger() -> None:
    """Garbage is collected anywhere: a stream found where the ledger's lock is held waits for nobody."""
    with Side("sync", "chat") as side, LoopbackServer(Reply(text="42", latency_s=0.05)) as server:
        account = Account(1.0)
        controller = controller_of(side, server, account=account)
        cycle: list[Any] = [controller.solve_stream(questions(9), budget=0.1, concurrency=3)]
        cycle.append(cycle)
        next(cycle[0])
        del cycle
        done = threading.Event()

        def drop() -> None:
            in_turn(account.ledger._store(), lambda rows: gc.collect(), write=False)  # type: ignore[attr-defined]
            done.set()

        threading.Thread(target=drop, daemon=True).start()
        assert done.wait(5)


# Bad input.


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"budget": Ceiling(calls=5)}, "how many dollars"),
        ({"budget": -1}, "above zero|positive"),
        ({"budget": 1.0, "concurrency": 0}, "concurrency"),
        ({"budget": 1.0, "resume": True}, "recorder"),
        ({"budget": 1.0, "extrct": "number"}, "no extrct="),
        ({"budget": 1.0, "curve": Told((Fixed("other"), 0.5, 0.1, 1))}, "ask other, which the controller has no arm"),
    ],
)
def test_what_cannot_be_meant_is_refused(side: Side, options: dict[str, Any], says: str) -> None:
    """A budget, an option or a curve that cannot be meant is refused in one line, and nothing is asked."""
    with LoopbackServer(Model()) as server:
        with pytest.raises(BadInput, match=says):
            many(side, controller_of(side, server), questions(2), **options)
        assert not server.requests


def test_questions_that_cannot_be_meant_are_refused(side: Side) -> None:
    """No question, the same id twice, or a stream of unknown length: refused in one line."""
    with LoopbackServer(Model()) as server:
        controller = controller_of(side, server)
        with pytest.raises(BadInput, match="no question"):
            many(side, controller, [], budget=1.0)
        with pytest.raises(BadInput, match="two questions have the id 'q0'"):
            many(side, controller, questions(1) * 2, budget=1.0)
        with pytest.raises(BadInput, match="how many questions will come"):
            controller.solve_stream(iter(questions(2)), budget=1.0)
        with pytest.raises(BadInput, match="total= must be"):
            controller.solve_stream(questions(2), budget=1.0, total=0)


def test_other_prices_than_the_curves_are_told(side: Side, demo_curve: Curve) -> None:
    """A curve fitted at other prices than the controller pays is used, with a warning of each."""
    arms = [demo_curve.arm(arm.arm.label).arm for arm in demo_curve.arms]
    with LoopbackServer(Reply(text="42")) as server:
        from thinkcap.controller import Price

        controller = side.controller(
            server, arms, account=Account(1.0), prices={arm.model: Price.per_mtok(input=1, output=9) for arm in arms}
        )
        with pytest.warns(UnlikeExpected):
            many(side, controller, ["What is 6 times 7?"], budget=0.01, curve=demo_curve, extract="number")


@pytest.fixture(scope="session")
def demo_curve() -> Curve:
    from thinkcap.demo import curve_path

    return Curve.load(curve_path())
