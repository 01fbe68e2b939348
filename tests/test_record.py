"""Making a recording: every question at every arm, each attempt paid, written and made once, under a budget."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.governing import AT_ONCE, PRICES, Side, billed, spent
from tests.loopback import Fault, LoopbackServer, Received, Reply, Script
from thinkcap.controller import Account, Ceiling, Recorded, Recorder, Retries, record
from thinkcap.evals import load_recording
from thinkcap.policies import Arm, BadInput, CeilingReached, Item, ProviderFailed, UnknownPrice

CAP = 300
ARM = Arm("m", max_output_tokens=CAP)
BIG = Arm("big", max_output_tokens=CAP)
QUESTIONS = [Item("six", "six times seven?", "42", "number"), Item("two", "two and two?", "4", "number", group="sums")]
ONCE = Retries(attempts=1)

WORST = 3_400_000
"""Nano-dollars that one attempt at ARM reserves at most: 300 x 10,000 for its output, 300 x 1,250 for its prompt."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.fixture
def client() -> Iterator[Callable[[LoopbackServer], openai.OpenAI]]:
    with Side("sync", "chat") as side:
        yield side.client


def make(path: Path, client: openai.OpenAI, account: Account | None = None, **options: Any) -> Recorded:
    """A recording of both questions, by default two attempts at one arm, one call at a time."""
    given: dict[str, Any] = {"attempts": 2, "concurrency": 1, "prices": PRICES, "retries": AT_ONCE, **options}
    questions, arms = given.pop("questions", QUESTIONS), given.pop("arms", [ARM])
    with Recorder(path) as recorder:
        return record(client, questions, arms, recorder, account=account or Account(1), **given)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()[1:]]


def cells(path: Path) -> list[tuple[str, str, int]]:
    return sorted((row["question_id"], row["arm"], row["attempt"]) for row in rows(path))


def every(attempts: int, *arms: str) -> list[tuple[str, str, int]]:
    return sorted((item.question_id, arm, i) for item in QUESTIONS for arm in arms for i in range(attempts))


# The whole of it.


def test_every_question_is_asked_at_every_arm(path: Path, client: Any) -> None:
    """Each attempt of each question at each arm is one request and one row, and the rows cost what was billed."""
    account = Account(1)
    with LoopbackServer(Reply(text="It is 42.")) as server:
        done = make(path, client(server), account, attempts=3, arms=[ARM, BIG], concurrency=4, run_id="run-1")
        assert done == Recorded(wanted=12, before=0, made=12, spent_nusd=billed(server))
        assert spent(account) == billed(server) > 0
        assert len(server.requests) == 12
    assert cells(path) == every(3, "m", "big")
    found = load_recording(path)
    assert int(found.cost_nusd.sum()) == done.spent_nusd
    assert {row["correct"] for row in rows(path) if row["question_id"] == "six"} == {True}
    assert {(row["correct"], row["group"]) for row in rows(path) if row["question_id"] == "two"} == {(False, "sums")}
    assert {row["run_id"] for row in rows(path)} == {"run-1"}


def test_questions_are_judged_as_they_say(path: Path, client: Any) -> None:
    """A verifier judges where there is one; where nobody can judge, an attempt is not graded rather than wrong."""
    questions = [Item("any", "what do you think?"), Item("even", "an even number?", verify={"regex": "[0-9]*[02468]"})]
    with LoopbackServer(Reply(text="42")) as server:
        make(path, client(server), questions=questions, attempts=1)
    judged = {row["question_id"]: (row["correct"], row["verified"]) for row in rows(path)}
    assert judged == {"any": (None, None), "even": (True, True)}


def test_a_second_run_makes_only_what_is_missing(path: Path, client: Any) -> None:
    """The same run again asks nothing; with more attempts or another arm it asks just those."""
    with LoopbackServer(Reply()) as server:
        for options, wanted, before in (
            ({}, 4, 0),
            ({}, 4, 4),
            ({"attempts": 3}, 6, 4),
            ({"attempts": 3, "arms": [ARM, BIG]}, 12, 6),
        ):
            done = make(path, client(server), **options)
            assert (done.wanted, done.before, done.made) == (wanted, before, wanted - before)
        assert len(server.requests) == 12
    assert cells(path) == every(3, "m", "big")


def test_one_recorder_serves_two_runs(path: Path, client: Any) -> None:
    """What a recorder wrote itself is not made again either: no attempt is ever in the file twice."""
    with LoopbackServer(Reply()) as server, Recorder(path) as recorder:
        for attempts in (1, 3):
            record(client(server), QUESTIONS, [ARM], recorder, attempts=attempts, account=Account(1), prices=PRICES)
    assert cells(path) == every(3, "m")


def test_the_order_is_shuffled_by_the_seed(path: Path, client: Any) -> None:
    """Arms and questions come mixed, in the same order for the same seed: a provider's drift falls on all alike."""
    orders: list[list[str]] = []
    for seed in (0, 0, 1):
        with LoopbackServer(Reply()) as server:
            make(path.with_name(f"{len(orders)}.jsonl"), client(server), attempts=10, arms=[ARM, BIG], seed=seed)
            orders.append([request.body["model"] for request in server.requests])
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] not in (sorted(orders[0]), sorted(orders[0], reverse=True))


def test_progress_is_told_after_every_attempt(path: Path, client: Any) -> None:
    """Who asks for progress hears of every attempt, the last time with what the run returns."""
    told: list[Recorded] = []
    with LoopbackServer(Reply()) as server:
        done = make(path, client(server), progress=told.append)
    assert [state.made for state in told] == [1, 2, 3, 4]
    assert told[-1] == done


# The budget.


def test_an_attempt_has_its_whole_cap_or_is_not_made(path: Path, client: Any) -> None:
    """The budget never shortens an attempt: all rows of an arm were recorded under one cap."""
    with LoopbackServer(Reply(output_tokens=CAP)) as server:
        done = make(path, client(server), Account("0.010"), attempts=9)
        assert {request.body["max_completion_tokens"] for request in server.requests} == {CAP}
        assert done.stopped == "the budget is used up"
        assert 0 < done.made < done.wanted
    assert {row["max_output_tokens"] for row in rows(path)} == {CAP}


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_budget_that_is_used_up_ends_the_run(path: Path, client: Any, concurrency: int) -> None:
    """At its budget a run stops, having used it until not one more attempt fits; a later run makes the rest."""
    account = Account("0.020")
    with LoopbackServer(Reply(output_tokens=200)) as server:
        done = make(path, client(server), account, attempts=10, concurrency=concurrency)
        assert done.stopped == "the budget is used up"
        assert done.spent_nusd == spent(account) == billed(server) <= 20_000_000
        assert 20_000_000 - done.spent_nusd < WORST
        assert len(cells(path)) == done.made
        rest = make(path, client(server), Account(1), attempts=10, concurrency=concurrency)
        assert (rest.before, rest.made, rest.stopped) == (done.made, 20 - done.made, None)
    assert cells(path) == every(10, "m")


def test_a_budget_too_small_for_one_attempt_says_what_it_takes(path: Path, client: Any) -> None:
    """Where not a single attempt fits nothing is sent, and the error says how much is needed and free."""
    with LoopbackServer(Reply()) as server:
        with pytest.raises(CeilingReached, match=r"m needs up to \$0\.003\d* and \$0\.001 is free") as reached:
            make(path, client(server), Account("0.001"))
        assert reached.value.free == 1_000_000
        assert 3_000_000 < (reached.value.needed or 0) <= WORST
        assert server.requests == []
    assert rows(path) == []


def test_a_deadline_ends_the_run(path: Path, client: Any) -> None:
    """When the account's seconds are over the run stops and keeps what it has, as at the end of its money."""
    now = [0.0]

    def script(request: Received) -> Reply:
        now[0] += 40
        return Reply()

    def clock() -> float:
        return now[0]

    with LoopbackServer(script) as server:
        done = make(path, client(server), Account(Ceiling(usd=1, seconds=100), clock=clock))
        assert (done.made, done.stopped) == (3, "its seconds are over")
        assert done.spent_nusd == billed(server)
        with pytest.raises(BadInput, match="the deadline passed before a single call"):
            make(path, client(server), Account(Ceiling(usd=1, seconds=0.5), clock=iter_clock()))
    assert len(cells(path)) == 3


def iter_clock() -> Callable[[], float]:
    """A clock on which a second passes whenever it is read."""
    ticks = iter(range(1_000_000))
    return lambda: float(next(ticks))


ANSWERS = st.lists(
    st.one_of(
        st.builds(Reply, output_tokens=st.integers(1, 400), usage=st.sampled_from(["total", "total", "missing"])),
        st.builds(Reply, refusal=st.just("no")),
        st.builds(Fault, st.just("status"), code=st.just(500), billed=st.booleans()),
        st.builds(Fault, st.just("status"), code=st.sampled_from([400, 429]), billed=st.just(False)),
        st.builds(Fault, st.sampled_from(["malformed", "disconnect"]), billed=st.booleans()),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40)
@given(ANSWERS, st.integers(1, 30), st.integers(1, 4))
def test_no_run_passes_its_budget(
    tmp_path_factory: pytest.TempPathFactory, answers: list[Reply | Fault], attempts_of_money: int, concurrency: int
) -> None:
    """Whatever the provider does: never above the budget, never below the bills, and no attempt is made twice."""
    path = tmp_path_factory.mktemp("record") / "run.jsonl"
    budget = attempts_of_money * WORST
    account = Account(f"{budget / 1e9:.9f}")
    with Side("sync", "chat") as side, LoopbackServer(answers) as server:
        try:
            done = make(path, side.client(server), account, attempts=3, concurrency=concurrency)
            assert done.spent_nusd == spent(account)
            assert done.made == len(cells(path)) <= done.wanted
            assert done.made == done.wanted or done.failed or done.stopped
        except (ProviderFailed, CeilingReached):
            assert rows(path) == []
        assert billed(server) <= spent(account) <= budget
    assert len(cells(path)) == len(set(cells(path)))


# What goes wrong.


def failing_after(good: int) -> Callable[[Received], Reply | Fault]:
    return lambda request: Reply() if request.number <= good else Fault("status", code=400)


def test_a_provider_that_never_answers_is_given_up(path: Path, client: Any) -> None:
    """If the first five attempts all fail, the run raises what went wrong instead of asking on."""
    with LoopbackServer(Fault("status", code=401)) as server:
        with pytest.raises(ProviderFailed, match=r"arm m: AuthenticationError.*check the API key"):
            make(path, client(server), attempts=50, retries=ONCE)
        assert len(server.requests) == 5
    assert rows(path) == []


def test_failures_among_successes_are_made_later(path: Path, client: Any) -> None:
    """An attempt that does not get through is counted and left out; the next run makes it."""
    script: Script = [Reply(), Fault("status", code=500, billed=True), Reply(), Reply()]
    account = Account(1)
    with LoopbackServer(script) as server:
        done = make(path, client(server), account, retries=ONCE)
        assert (done.made, done.failed, done.stopped) == (3, 1, None)
        assert done.spent_nusd == spent(account) >= billed(server)
        again = make(path, client(server))
        assert (again.before, again.made, again.failed) == (3, 1, 0)
    assert cells(path) == every(2, "m")


def test_a_provider_that_stops_answering_ends_the_run(path: Path, client: Any) -> None:
    """After 25 failures in a row, having succeeded before, the run ends, says why, and keeps what it has."""
    with LoopbackServer(failing_after(3)) as server:
        done = make(path, client(server), attempts=50, retries=ONCE)
        assert (done.made, done.failed) == (3, 25)
        assert "BadRequestError" in (done.stopped or "")
        assert len(server.requests) == 28
    assert len(cells(path)) == 3


def test_an_interrupt_keeps_what_is_paid(path: Path, client: Any) -> None:
    """Ctrl-C starts nothing more, and what was paid for until then is in the file."""

    def interrupt(_: Recorded) -> None:
        raise KeyboardInterrupt

    account = Account(1)
    with LoopbackServer(Reply()) as server:
        with pytest.raises(KeyboardInterrupt):
            make(path, client(server), account, attempts=50, progress=interrupt)
        assert len(server.requests) == len(cells(path)) == 1
        assert spent(account) == billed(server)


def test_a_recording_that_cannot_be_written_ends_the_run(path: Path, client: Any) -> None:
    """An attempt that cannot be written down is the last one paid for."""
    with LoopbackServer(Reply()) as server, Recorder(path) as recorder:

        class Full(Recorder):
            def write(self, *_: Any, **__: Any) -> None:
                raise BadInput("cannot write the recording: No space left on device")

        recorder.__class__ = Full
        with pytest.raises(BadInput, match="No space left"):
            record(
                client(server), QUESTIONS, [ARM], recorder, attempts=9, account=Account(1), concurrency=1, prices=PRICES
            )
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"attempts": 0}, "at least 1 attempt"),
        ({"concurrency": 0}, "concurrency of at least 1"),
        ({"questions": [*QUESTIONS, QUESTIONS[0]]}, "two questions have the id 'six'"),
        ({"arms": [ARM, "m"]}, "two arms are called 'm'"),
        ({"arms": []}, "at least one arm"),
        ({"arms": [Arm("m", "huge")]}, "the SDK knows the efforts none, .*, not 'huge'"),
    ],
)
def test_a_run_that_cannot_be_meant_is_refused(path: Path, client: Any, options: dict[str, Any], says: str) -> None:
    """Arguments that cannot be meant are refused in one line before anything is sent."""
    with LoopbackServer(Reply()) as server:
        with pytest.raises(BadInput, match=says) as refused:
            make(path, client(server), **options)
        assert "\n" not in str(refused.value)
        assert server.requests == []


def test_an_unknown_price_ends_the_run_at_once(path: Path, client: Any) -> None:
    """A model that nobody priced is found before another arm has been paid for."""
    with LoopbackServer(Reply()) as server:
        with pytest.raises(UnknownPrice, match="nobody-priced-this"):
            make(path, client(server), arms=[ARM, "nobody-priced-this"])
        assert server.requests == []
