"""Verified tasks: chains bought until one passes, fitted where they are not measured, and said to be what they are."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_cli import Run, run  # noqa: F401 - a fixture
from tests.test_shared_data import data  # noqa: F401 - a fixture
from thinkcap.demo import recording_path
from thinkcap.evals import (
    PERFECT,
    Recording,
    evaluate_verified,
    fit_curve,
    load_recording,
    perfectly_verified,
    replay,
)
from thinkcap.evals.crossfit import Crossfit, Menu
from thinkcap.evals.mixing import crossfit_mixed, mixed
from thinkcap.evals.verified import by_cost, by_index, chain_of, chains, draws_of, exact_replay, oracle, walked
from thinkcap.policies import (
    Arm,
    Attempt,
    BadInput,
    BadRecording,
    Chain,
    Fixed,
    Mix,
    Outcome,
    Question,
    Reason,
    asks,
    drive,
    episode,
    in_words,
    parse_policy,
)
from thinkcap.policies.written import policy_of, written


def attempt(
    question: str, model: str, number: int, correct: bool | None, usd: float | None, **more: Any
) -> dict[str, Any]:
    row = {"question_id": question, "model": model, "attempt": number, "correct": correct, "answer": None}
    return {**row, "completion_tokens": 10, "cost_usd": usd, **more}


def written_down(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


Table = dict[str, tuple[list[list[bool]], list[list[float]]]]
"""By arm: whether each attempt at each question passed, and what it cost."""


def recorded(path: Path, table: Table) -> Recording:
    rows = [
        attempt(f"q{question}", model, number, right, cost)
        for model, (rights, costs) in table.items()
        for question, (mine, paid) in enumerate(zip(rights, costs, strict=True))
        for number, (right, cost) in enumerate(zip(mine, paid, strict=True))
    ]
    return perfectly_verified(load_recording(written_down(path / "run.jsonl", rows)))


def once(path: Path, passes: dict[str, Sequence[int]], usd: dict[str, float]) -> Recording:
    """One attempt an arm, each at one price."""
    return recorded(
        path,
        {model: ([[bool(one)] for one in each], [[usd[model]]] * len(each)) for model, each in passes.items()},
    )


@pytest.fixture
def three(tmp_path: Path) -> Recording:
    """Cheap ($1) passes the first of three questions, dear ($4) the first two."""
    return once(tmp_path, {"cheap": [1, 0, 0], "dear": [1, 1, 0]}, {"cheap": 1.0, "dear": 4.0})


# ---- the policy


def test_a_chain_buys_in_turn_until_one_passes() -> None:
    """It asks its arms in order and stops at the first pass; where none passes, it is hopeless."""
    arms, chain = (Arm("a"), Arm("b")), Chain((("a", 2), ("b", 1), ("a", 1)))

    def play(passes: Sequence[bool]) -> Outcome:
        given = iter(passes)
        ask = Question("q", verifiable=True)
        return drive(
            episode(chain, ask, arms),
            lambda call: Attempt(1, call.arm, "x", 1, verified=next(given)),
        )

    found = play([False, False, True])
    assert ([each.arm.label for each in found.attempts], found.reason) == (["a", "a", "b"], Reason.VERIFIED)
    found = play([False] * 4)
    assert ([each.arm.label for each in found.attempts], found.reason) == (["a", "a", "b", "a"], Reason.HOPELESS)


def test_a_chain_is_text_and_data_and_words() -> None:
    """It is read from text, written as data and read back, and says which arms it asks."""
    chain = Chain((("m:low", 2), ("big", 1)))
    assert parse_policy("chain:m:low*2>big") == chain
    assert policy_of(json.loads(json.dumps(written(chain)))) == chain
    assert in_words(chain) == "until an answer passes: 2 times m:low, then big"
    assert asks(Chain((("a", 1), ("b", 1), ("a", 1)))) == ("a", "b")
    for text in ("chain:", "chain:a>>b"):
        with pytest.raises(BadInput, match="a chain is written"):
            parse_policy(text)
    with pytest.raises(BadInput, match="at least one"):
        Chain(())
    with pytest.raises(BadInput, match="at least 1 attempt"):
        Chain((("a", 0),))


def test_a_chain_needs_a_verifier(run: Run) -> None:  # noqa: F811
    """Where answers can be compared and nothing verifies them it is refused, before a call, live and in replay."""
    with pytest.raises(BadInput, match="give a verifier"):
        next(episode(Chain((("a", 2),)), Question("q"), (Arm("a"),)))
    said = run("replay", "--dataset", "sums", "--policy", "chain:low>high", "--permutations", "2").error()
    assert "give a verifier" in said


# ---- what chains come to


def test_three_questions_by_hand(three: Recording) -> None:
    """Cheap then dear costs 1, 5 and 5 dollars and is right twice; the oracle pays 1, 4 and nothing for the same."""
    draws = draws_of(three, ["cheap", "dear"])
    found = exact_replay(three, draws, (0, 1), "chain")
    np.testing.assert_allclose(found.usd, [1, 5, 5])
    np.testing.assert_allclose(found.accuracy, [1, 1, 0])
    np.testing.assert_allclose(found.usd_by_arm, [[1, 0], [1, 4], [1, 4]])
    np.testing.assert_allclose(found.attempts, [1, 2, 2])
    assert found.reasons == {Reason.VERIFIED: 2, Reason.HOPELESS: 1}
    known = oracle(three, ["cheap", "dear"])
    np.testing.assert_allclose(known.usd, [1, 4, 0])
    np.testing.assert_allclose(known.accuracy, [1, 1, 0])
    result = evaluate_verified(three, folds=3, repeats=1, replicates=20)
    figures = {each.policy: [float(each.accuracy.mean()), float(each.usd.mean())] for each in result.baselines}
    assert figures["fixed cheap"] == pytest.approx([1 / 3, 1])
    assert figures["fixed dear"] == pytest.approx([2 / 3, 4])
    assert figures["cheapest first:2"] == pytest.approx([2 / 3, 11 / 3])
    assert result.best is not None
    assert result.best.arm == "dear"
    assert result.best.usd == pytest.approx(4)


def test_the_replay_says_the_same(three: Recording) -> None:
    """With one attempt an arm, chain, engine and reference replay come to the same at every question."""
    draws = draws_of(three, ["cheap", "dear"])
    for steps in ((0,), (1,), (0, 1), (1, 0)):
        exact = exact_replay(three, draws, steps, "chain")
        for engine in ("auto", "reference"):
            found = replay(three, chain_of(draws, steps), permutations=2, engine=engine)
            for field in ("accuracy", "usd", "attempts", "output_tokens"):
                np.testing.assert_allclose(getattr(found, field), getattr(exact, field))


def test_many_orders_at_once_are_as_one_by_one() -> None:
    """On several attempts an arm the two engines replay chains, and mixes of them, to the same figures and reasons."""
    judged = perfectly_verified(load_recording(recording_path(), dataset="words"))
    short, long = Chain((("low", 2), ("high", 3))), Chain((("medium", 1), ("low", 1), ("medium", 4)))
    for policy in (short, long, Mix(short, long, 0.4)):
        one, other = (replay(judged, policy, permutations=7, engine=engine) for engine in ("auto", "reference"))
        for field in ("accuracy", "usd", "usd_by_arm", "output_tokens", "attempts"):
            np.testing.assert_allclose(getattr(one, field), getattr(other, field))
        assert one.reasons == other.reasons


small = st.integers(1, 3).flatmap(
    lambda count: st.lists(st.tuples(st.booleans(), st.integers(1, 9)), min_size=count, max_size=count)
)


@given(small, small, st.data())
def test_exact_is_the_mean_over_all_orders(one: list[Any], other: list[Any], luck: st.DataObject) -> None:
    """Accuracy, cost and attempts of a chain are the means over every order of every arm's attempts."""
    hands = [one, other]
    with tempfile.TemporaryDirectory() as folder:
        named = {
            name: ([[bool(right) for right, _ in hand]], [[float(cost) for _, cost in hand]])
            for name, hand in zip("ab", hands, strict=True)
        }
        recording = recorded(Path(folder), named)
    pool = [place for place, hand in enumerate(hands) for _ in hand]
    steps = tuple(luck.draw(st.permutations(pool)))[: luck.draw(st.integers(1, len(pool)))]
    sums = np.zeros(3)
    orders = list(product(permutations(one), permutations(other)))
    for order in orders:
        used = [0, 0]
        for arm in steps:
            right, cost = order[arm][used[arm]]
            used[arm] += 1
            sums += (right, cost, 1)
            if right:
                break
    walk = walked(draws_of(recording, ["a", "b"]), steps)
    found = [each[-1, 0] for each in (walk.accuracy, walk.usd, walk.attempts)]
    np.testing.assert_allclose(found, sums / len(orders))


@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 3))
def test_a_chain_costs_at_most_the_sum_of_its_members(seed: int, arms: int, attempts: int) -> None:
    """Longer chains cost more and pass more, never more than all their attempts together, nor more than the oracle."""
    luck = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        table: Table = {
            f"m{arm}": (
                (luck.random((6, attempts)) < luck.random()).tolist(),
                luck.integers(1, 100, (6, attempts)).astype(float).tolist(),
            )
            for arm in range(arms)
        }
        recording = recorded(Path(folder), table)
    labels = [f"m{arm}" for arm in range(arms)]
    draws = draws_of(recording, labels)
    for correlated in (False, True):
        order = by_index(draws, np.arange(6), correlated=correlated)
        assert sorted(order) == sorted(arm for arm in range(arms) for _ in range(attempts))
        walk = walked(draws, order)
        assert (np.diff(walk.accuracy, axis=0) >= -1e-12).all()
        assert (np.diff(walk.usd, axis=0) >= -1e-12).all()
        total = sum(np.array(costs).sum(axis=1) for _, costs in table.values())
        assert (walk.usd[-1] <= total + 1e-9).all()
        best = oracle(recording, labels)
        np.testing.assert_allclose(walk.accuracy[-1], best.accuracy)
        assert (walk.usd[-1] >= best.usd - 1e-9).all()


# ---- fitting


def test_a_planted_order_is_found(tmp_path: Path) -> None:
    """With arms that fail independently the order is that of chance per dollar, which is neither that of cost nor of
    chance."""
    luck = np.random.default_rng(1)
    chance, usd = {"a": 0.2, "b": 0.6, "c": 0.75}, {"a": 1.0, "b": 1.5, "c": 2.5}
    passes = {name: (luck.random(3000) < each).astype(int).tolist() for name, each in chance.items()}
    draws = draws_of(once(tmp_path, passes, usd), ["a", "b", "c"])
    everyone = np.arange(3000)
    assert by_cost(draws, everyone) == (0, 1, 2)
    for correlated in (False, True):
        assert by_index(draws, everyone, correlated=correlated) == (1, 2, 0)


def test_an_arm_that_fails_where_the_first_failed_comes_last(tmp_path: Path) -> None:
    """A copy of the first arm has a high chance per dollar and nothing to add: only the correlated order knows."""
    first = [1] * 60 + [0] * 40
    other = [0] * 60 + [1] * 30 + [0] * 10
    draws = draws_of(
        once(tmp_path, {"a": first, "copy": first, "other": other}, {"a": 1.0, "copy": 1.01, "other": 2.0}),
        ["a", "copy", "other"],
    )
    everyone = np.arange(100)
    assert by_index(draws, everyone, correlated=False) == (0, 1, 2)
    assert by_index(draws, everyone, correlated=True) == (0, 2, 1)


def test_repeats_are_bought_where_luck_decides(tmp_path: Path) -> None:
    """An arm that passes every other time everywhere is asked again before a dearer one that is certain."""
    half, sure = ([[True, False]] * 50, [[1.0, 1.0]] * 50), ([[True, True]] * 50, [[9.0, 9.0]] * 50)
    draws = draws_of(recorded(tmp_path, {"half": half, "sure": sure}), ["half", "sure"])
    assert by_index(draws, np.arange(50), correlated=True)[:2] == (0, 0)
    np.testing.assert_allclose(walked(draws, (0, 0)).usd[-1], 1.5)


def test_dominated_arms_are_dropped(tmp_path: Path) -> None:
    """An arm that passes less than a cheaper one, and nothing else, is in no policy that is worth having."""
    luck = np.random.default_rng(2)
    good = (luck.random(200) < 0.6).astype(int)
    worse = good * (luck.random(200) < 0.5)
    dear = np.maximum(good, luck.random(200) < 0.8).astype(int)
    recording = once(
        tmp_path,
        {"good": good.tolist(), "worse": worse.tolist(), "dear": dear.tolist()},
        {"good": 0.1, "worse": 0.2, "dear": 1.0},
    )
    curve = fit_curve(recording, repeats=2, perfect_verifier=True)
    asked = {label for point in curve.points for label in asks(point.policy) or ()}
    assert asked == {"good", "dear"}
    assert any(PERFECT in note for note in curve.notes)
    assert isinstance(curve.points[0].policy, Fixed)
    assert isinstance(curve.points[-1].policy, Chain)


@given(st.integers(0, 2**32))
def test_what_is_held_back_fits_nothing(seed: int) -> None:
    """Chains fitted on some questions are the same whatever the others came to."""
    luck = np.random.default_rng(seed)
    found = []
    passes = luck.random((3, 20)) < 0.5
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            named = {name: mine.astype(int).tolist() for name, mine in zip("abc", passes, strict=True)}
            recording = once(Path(folder), named, {"a": 1.0, "b": 2.0, "c": 3.0})
        draws = draws_of(recording, ["a", "b", "c"])
        found.append(chains(draws, np.arange(15))[0])
        passes[:, 15:] = luck.random((3, 5)) < 0.5
    assert found[0] == found[1]


def test_choosing_gains_what_was_planted(tmp_path: Path) -> None:
    """Where two cheap arms split what a dear one passes, ours is as accurate at the two cheap ones' cost."""
    luck = np.random.default_rng(3)
    kind = luck.random(300)
    passes = {
        "left": (kind < 0.45).astype(int).tolist(),
        "right": ((kind >= 0.45) & (kind < 0.9)).astype(int).tolist(),
        "dear": (kind < 0.9).astype(int).tolist(),
    }
    result = evaluate_verified(once(tmp_path, passes, {"left": 0.01, "right": 0.01, "dear": 1.0}), repeats=2)
    assert result.best is not None
    assert result.best.arm == "dear"
    assert result.best.usd_ratio.mean < 0.02
    assert result.best.usd_ratio.high < 0.05
    gains = dict(result.best.gains)
    assert abs(gains[1 / 8].mean) < 0.005
    assert all(each.accuracy_gain.mean == each.accuracy_gain.mean for each in result.matches)  # none is missing
    matches = {each.policy: each for each in result.matches}
    assert matches["cheapest first:2"].accuracy_gain.mean == pytest.approx(0, abs=0.02)
    assert result.oracle is not None
    assert all(each.oracle >= -1e-12 for each in result.regrets)


def test_a_budget_is_met_by_neighbours_on_the_hull() -> None:
    """Half way in cost between two corners each has half; below all the cheapest is taken, beyond all the dearest."""
    accuracy, usd = np.array([0.2, 0.3, 0.6, 0.5]), np.array([1.0, 2.0, 3.0, 4.0])
    places, share, price = mixed(accuracy, usd, np.array([0.5, 1.0, 2.0, 3.0, 9.0]))
    taken = share * usd[places[0]] + (1 - share) * usd[places[1]]
    np.testing.assert_allclose(taken, [1, 1, 2, 3, 3])
    np.testing.assert_allclose((share * accuracy[places[0]] + (1 - share) * accuracy[places[1]])[2], 0.4)
    np.testing.assert_allclose(price, [0, 0, 5, 5, np.inf])
    assert mixed(accuracy[:1], usd[:1], np.array([0.5, 2.0]))[0].tolist() == [[0, 0], [0, 0]]


def test_a_mix_on_questions_it_was_not_fitted_on() -> None:
    """Whatever a question comes to, how it is answered in its own fold does not change; a menu of one is what it is."""
    luck = np.random.default_rng(4)
    figures = luck.random((4, 5, 12))
    levels = np.array([0, 0, 1, 2, 2])
    budgets, worths = np.linspace(0.3, 0.7, 5), np.array([0.1, 10.0])

    def measured(given: np.ndarray) -> Crossfit:
        menu = Menu(levels, given)
        return crossfit_mixed(lambda _seen: menu, 12, budgets, worths, classes=3, folds=4, repeats=1, seed=1)

    before = measured(figures)
    np.testing.assert_allclose(before.levels.sum(axis=1), 4)
    for question in range(12):
        other = figures.copy()
        other[0, :, question] = luck.random(5)
        np.testing.assert_allclose(measured(other).usd[:, question], before.usd[:, question])
    one = Menu(levels[:1], figures[:, :1])
    found = crossfit_mixed(lambda _seen: one, 12, budgets, worths, classes=1, folds=3, repeats=2)
    np.testing.assert_allclose(found.accuracy, np.tile(figures[0, 0], (5, 1)))


# ---- what is read


def two_runs(path: Path) -> Path:
    """One model run twice on the same questions (a score missing), another once; a question only some were asked."""
    rows = [attempt(f"q{q}", "m", 0, q < 2, 0.1, run_id="first") for q in range(6)]
    rows += [attempt(f"q{q}", "m", 0, q < 4 or None, 0.3, run_id="second") for q in range(6)]
    rows += [attempt(f"q{q}", "big", 0, q != 1, 1.0, run_id="third") for q in range(5)]
    return written_down(path / "two.jsonl", rows)


def test_each_run_is_an_arm(tmp_path: Path) -> None:
    """Runs of one model on the same questions are told apart; a missing score is a failure that was billed."""
    recording = load_recording(two_runs(tmp_path), runs_apart=True, intersect=True)
    assert [arm.label for arm in recording.arms] == ["m@first", "m@second", "big"]
    assert len(recording.questions) == 5
    judged = perfectly_verified(recording)
    second = replay(judged, Fixed("m@second"), permutations=1)
    np.testing.assert_allclose(second.accuracy, [1, 1, 1, 1, 0])
    np.testing.assert_allclose(second.usd, 0.3)
    assert any("1 attempt without a score" in note for note in judged.notes)
    with pytest.raises(BadInput, match="choose m@first or m@second"):
        load_recording(two_runs(tmp_path), runs_apart=True, arms=["m"])
    with pytest.raises(BadRecording, match="the same dataset, question_id, arm and attempt"):
        load_recording(two_runs(tmp_path))


def test_an_arm_that_leaves_few_questions_is_named(tmp_path: Path) -> None:
    """Where most questions are left out for want of one arm, the note says which, and what it costs."""
    rows = [attempt(f"q{q}", "m", 0, True, 0.1) for q in range(9)] + [attempt("q0", "rare", 0, True, 0.1)]
    recording = load_recording(written_down(tmp_path / "rare.jsonl", rows), intersect=True)
    assert any("without rare there are 8 more" in note for note in recording.notes)


def test_attempts_that_not_every_question_has_are_not_bought(tmp_path: Path) -> None:
    """With two attempts at some questions and one at others an arm is asked once, and a note says so."""
    rows = [attempt(f"q{q}", "m", n, n == 1, 0.1 + n) for q in range(4) for n in range(2 if q else 1)]
    result = evaluate_verified(
        load_recording(written_down(tmp_path / "uneven.jsonl", rows)), folds=2, repeats=1, replicates=10
    )
    assert [each.policy for each in result.baselines] == ["fixed m"]
    np.testing.assert_allclose(result.baselines[0].accuracy, [0, 0.5, 0.5, 0.5])
    assert any("m (1 of up to 2)" in note for note in result.notes)


def test_runs_that_share_no_question_are_one_arm(tmp_path: Path) -> None:
    """A recording made in parts stays whole, and so do several attempts of one run."""
    rows = [attempt(f"q{q}", "m", number, True, 0.1, run_id=f"r{q % 2}") for q in range(4) for number in range(3)]
    recording = load_recording(written_down(tmp_path / "parts.jsonl", rows), runs_apart=True)
    assert [arm.label for arm in recording.arms] == ["m"]
    assert recording.fewest("m") == 3


def test_a_failure_without_a_cost_is_billed(tmp_path: Path) -> None:
    """A call that failed with neither tokens nor a cost is charged the mean of its arm, and a note says so."""
    rows = [attempt(f"q{q}", "m", 0, True, 0.2 + 0.2 * q) for q in range(2)]
    rows.append({**attempt("q2", "m", 0, None, None), "completion_tokens": None})
    judged = perfectly_verified(load_recording(written_down(tmp_path / "failed.jsonl", rows)))
    np.testing.assert_allclose(replay(judged, Fixed("m"), permutations=1).usd, [0.2, 0.4, 0.3])
    assert any("charged the mean of their arm" in note for note in judged.notes)


# ---- the commands


def test_the_words_stand_everywhere(run: Run, tmp_path: Path) -> None:  # noqa: F811
    """Every table, JSON, report, file of rows and curve says that correctness is used as a perfect verifier."""
    file = two_runs(tmp_path)
    page, rows, kept = tmp_path / "page.html", tmp_path / "rows.parquet", tmp_path / "curve.json"
    few = ("--folds", "2", "--repeats", "1")
    for command in (
        ("evaluate", file, "--perfect-verifier", *few),
        ("replay", file, "--perfect-verifier", "--policy", "chain:m@first>big"),
        ("fit", file, "--perfect-verifier", *few, "-o", kept),
    ):
        out = " ".join(run(*command).out.split())
        tables = out.count(f"({PERFECT})")
        assert tables == {"evaluate": 3, "replay": 1, "fit": 2}[str(command[0])]
    assert PERFECT in kept.read_text("utf-8")
    found = run("evaluate", file, "--perfect-verifier", *few, "--json", "--report", page, "--rows", rows).json()
    assert found["verifier"] == PERFECT
    assert found["questions"] == 5
    assert found["best_single_arm"]["arm"] == "m@second"  # as often right as big, and cheaper
    assert {"oracle", "thinkcap", "fixed m@first"} <= {row["policy"] for row in found["rows"]}
    assert f"({PERFECT})" in page.read_text("utf-8")  # in its title
    from pyarrow import parquet

    assert parquet.read_schema(rows).metadata[b"verifier"] == PERFECT.encode()
    assert run("replay", file, "--perfect-verifier", "--json").json()[0]["verifier"] == PERFECT
    assert run("fit", file, "--perfect-verifier", *few, "--json").json()["verifier"] == PERFECT
    chosen = run("replay", file, "--perfect-verifier", "--policy", f"curve:{kept}", "--worth-usd", "100")
    assert chosen.code == 0, chosen.err


def test_one_arm_and_few_questions(run: Run, tmp_path: Path) -> None:  # noqa: F811
    """With one arm, asked once or several times, or two questions, there is still a table."""
    for attempts, questions in ((1, 2), (4, 3)):
        rows = [attempt(f"q{q}", "m", n, (q + n) % 2 == 0, 0.1) for q in range(questions) for n in range(attempts)]
        file = written_down(tmp_path / f"one{attempts}.jsonl", rows)
        found = run("evaluate", file, "--perfect-verifier", "--folds", "2", "--repeats", "2", "--json").json()
        assert found["questions"] == questions
        assert found["best_single_arm"]["cost_ratio_at_its_accuracy"] is not None
        named = {row["policy"] for row in found["rows"]}
        assert ("until passed:4 m" in named) == (attempts == 4)


@pytest.mark.parametrize(
    ("rows", "options", "says"),
    [
        ([attempt("q0", "m", 0, True, 0.1)], (), "at most one a question"),
        ([attempt("q0", "m", 0, True, 0.1), attempt("q1", "n", 0, True, 0.1)], (), "no question was asked with all 2"),
        ([attempt("q0", "m", 0, True, None)], (), "no cost_usd"),
        ([attempt("q0", "m", 0, True, 0.1)], ("--arm", "x"), "no arm 'x'"),
        ([attempt("q0", "m", 0, True, -1.0)], (), "cost_usd must be"),
        ([attempt("q0", "m", 0, True, 0.1, run_id=3)], (), "run_id must be"),
    ],
)
def test_bad_input_is_one_line(run: Run, tmp_path: Path, rows: list[Any], options: tuple[str, ...], says: str) -> None:  # noqa: F811
    """Each recording that cannot be evaluated is refused in one line that says why."""
    file = written_down(tmp_path / "bad.jsonl", rows)
    assert says in run("evaluate", file, "--perfect-verifier", *options).error()


def test_arms_without_costs_are_left_out(tmp_path: Path) -> None:
    """An arm of which costs are missing is left out with a note, and does not take its questions along."""
    rows = [attempt(f"q{q}", "m", 0, q % 2 == 0, 0.1) for q in range(6)]
    rows += [attempt(f"q{q}", "unpriced", 0, True, None) for q in range(3)]
    recording = load_recording(written_down(tmp_path / "r.jsonl", rows), runs_apart=True, intersect=True)
    result = evaluate_verified(recording, repeats=1, replicates=10)
    assert result.questions == 6
    assert any("left out" in note and "unpriced" in note for note in result.notes)


# ---- recordings of others


def test_swebench_floors(data: Path) -> None:  # noqa: F811
    """On SWE-bench Verified the best model's solve rate takes no more than an eighth of its cost, and a quarter of it
    buys at least 4 points more than any single model."""
    recording = load_recording(data / "epoch_swebench.parquet", runs_apart=True, intersect=True)
    result = evaluate_verified(recording, replicates=500)
    best = result.best
    assert best is not None
    assert (result.questions, len(recording.arms)) == (483, 32)
    assert best.arm == "anthropic/claude-opus-4-7:max"
    assert best.accuracy == pytest.approx(0.834, abs=0.001)
    assert best.usd_ratio.mean <= 1 / 8
    gain = dict(best.gains)[1 / 4]
    assert gain.mean >= 0.04
    assert gain.low > 0.04
    mean = np.mean([each.accuracy_gain.mean for each in result.matches])
    assert mean > 0.1
    assert min(each.accuracy_gain.low for each in result.matches) > -0.03
