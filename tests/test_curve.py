"""The fitted curve: a planted one is found again, and what it says, refuses, saves and advises."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thinkcap.demo import curve_path, recording_path
from thinkcap.evals import Planted, Recording, plant
from thinkcap.policies import Arm, BadInput, asks
from thinkcap.policies.curves import Curve, Rightness, Shape, check_curve
from thinkcap.policies.curves.arm import around

pytest.importorskip("scipy", reason="fitting needs pip install 'thinkcap[evals]'")

LOW = Planted("low", Rightness("beta", 1.0, 1.0), Shape(0.5, 1.0, 0.8), loading=0.8, tokens=(6.0, 0.7, 0.2, 0.4))
HIGH = Planted("high", Rightness("beta", 3.0, 1.0), Shape(0.5, 1.0, 0.8), loading=0.9, tokens=(8.0, 0.9, 0.2, 0.3))


@pytest.fixture(scope="module")
def recording() -> Recording:
    return plant([LOW, HIGH], questions=400, attempts=12, seed=1)


@pytest.fixture(scope="module")
def curve(recording: Recording) -> Curve:
    return Curve.fit(recording)


def test_a_curve_keeps_its_contract(curve: Curve) -> None:
    """A fitted curve passes check_curve: what users run on curves of their own."""
    check_curve(curve)


def test_a_planted_curve_is_found_again(curve: Curve) -> None:
    """Accuracy, coverage, votes and lengths of a planted curve lie inside the fitted 95 % intervals, or near."""
    for law in (LOW, HIGH):
        label, truth = law.label, law.rightness
        assert near(curve, label, 1, truth.mean)
        assert near(curve, label, 4, float(truth.coverage(4)), how="verified")
        tokens = curve.arm(label).tokens
        mean, shared, own, within = law.tokens
        assert tokens.mean == pytest.approx(mean, abs=0.15)
        assert tokens.shared == pytest.approx(shared, abs=0.12)
        assert tokens.own == pytest.approx(own, abs=0.12)
        assert tokens.within == pytest.approx(within, abs=0.02)
        assert tokens.tie == pytest.approx(0.5, abs=0.15)
        assert curve.arm(label).price.output_nusd == pytest.approx(4000, rel=1e-3)
    assert curve.converged
    assert abs(curve.residual) < 0.25
    assert curve.plateau("low").mean > curve.predict("low").accuracy


def near(curve: Curve, label: str, attempts: int, truth: float, **options: Any) -> bool:
    interval = curve.interval(label, attempts, **options)
    slack = (interval.high - interval.low) / 2  # one seed in twenty lies just outside, so the interval is doubled
    return interval.low - slack <= truth <= interval.high + slack


@pytest.mark.parametrize("scaled", [Rightness("scaled", 2.0, 0.5, 0.7), Rightness("inflated", 2.0, 2.0, 1.0, 0.3, 0.1)])
def test_the_family_that_made_the_data_wins(scaled: Rightness) -> None:
    """Data of a family far from the others are told best by that family, on questions it has not seen."""
    found = Curve.fit(plant([Planted("arm", scaled)], questions=600, attempts=20, seed=3)).arm()
    assert found.rightness.family == scaled.family
    assert found.rightness.mean == pytest.approx(scaled.mean, abs=0.05)
    assert [one.held_out for one in found.choices] == sorted((one.held_out for one in found.choices), reverse=True)


def test_predicted_votes_are_those_of_the_recording(curve: Curve, recording: Recording) -> None:
    """At every number of votes the curve lies within a point of what the recorded votes come to, exactly counted."""
    from thinkcap.evals import majority_accuracy

    for label in ("low", "high"):
        for votes in (1, 3, 7, 12):
            recorded = float(np.nanmean(majority_accuracy(recording, label, votes)))
            assert curve.predict(label, votes).accuracy == pytest.approx(recorded, abs=0.01)


def test_an_interval_covers_what_was_planted() -> None:
    """Over 20 recordings of 60 questions, the 95 % interval of one attempt and of coverage holds the truth 16 times.

    Fewer than 16 of 20 has a chance of 0.3 % where the interval is honest.
    """
    law = Planted("arm", Rightness("beta", 1.5, 0.8))
    held = {1: 0, 4: 0}
    for seed in range(20):
        curve = Curve.fit(plant([law], questions=60, attempts=4, seed=100 + seed))
        for attempts in held:
            interval = curve.interval("arm", attempts, how="verified")
            held[attempts] += interval.low <= float(law.rightness.coverage(attempts)) <= interval.high
    assert all(16 <= number <= 20 for number in held.values()), held


def test_new_questions_have_luck_of_their_own() -> None:
    """Of 40 new sets of 50 questions, the interval for so many holds the share that is right 34 times or more."""
    law = Planted("arm", Rightness("beta", 1.5, 0.8))
    curve = Curve.fit(plant([law], questions=100, attempts=6, seed=11))
    interval, itself = curve.interval(questions=50), curve.interval()
    assert interval.low < itself.low < itself.high < interval.high
    shares = [float((plant([law], 50, 1, seed=500 + seed).correct == 1).mean()) for seed in range(40)]
    assert 34 <= sum(interval.low <= share <= interval.high for share in shares) <= 40
    with pytest.raises(BadInput, match="questions must be"):
        curve.interval(questions=0)


def test_the_same_seed_gives_the_same_curve(recording: Recording, curve: Curve) -> None:
    """Fitting again gives an equal curve; another seed another one."""
    assert Curve.fit(recording) == curve
    assert Curve.fit(recording, seed=1) != curve


def test_an_interval_at_the_edge() -> None:
    """Where every question is right, the interval reaches down as far as no failure in so many says."""
    found = around(1.0, np.ones(10), 100)
    assert found.high == 1
    assert found.low == pytest.approx(0.05 ** (1 / 100))


def test_figures_far_beyond_are_refused(curve: Curve) -> None:
    """More than twice the recorded attempts or tokens is refused with the way out, and shown with its spread."""
    with pytest.raises(BadInput, match=r"at most 12 attempts at a question, so 25 is a guess.*extrapolate=True"):
        curve.predict("low", 25)
    with pytest.raises(BadInput, match="extrapolate=True"):
        curve.predict("low", cap=3 * curve.arm("low").tokens.most)
    far = curve.predict("low", 100, how="verified", extrapolate=True)
    assert far.spread is not None
    assert far.spread[0] < far.spread[1]
    assert curve.predict("low", 24).spread is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"attempts": 0}, "at least 1"),
        ({"attempts": True}, "at least 1"),
        ({"how": "magic"}, "'vote' or 'verified'"),
        ({"cap": 0}, "cap must be"),
        ({"arm": "medium"}, "no arm 'medium'; it has low, high"),
        ({"arm": None}, "say which arm: low, high"),
        ({"attempts": 1000, "extrapolate": True}, "plateau"),
    ],
)
def test_figures_that_cannot_be_meant(curve: Curve, wrong: dict[str, Any], message: str) -> None:
    """What cannot be meant is refused in a line that says what can."""
    with pytest.raises(BadInput, match=message):
        curve.predict(**({"arm": "low"} | wrong))


def test_a_cap_cuts_accuracy_and_cost(curve: Curve) -> None:
    """A cap at the median length leaves half of the answers, the easier half, at more than half of the cost."""
    whole, tokens = curve.predict("high"), curve.arm("high").tokens
    capped = curve.predict("high", cap=round(tokens.median))
    assert 0.4 * whole.accuracy < capped.accuracy < 0.7 * whole.accuracy
    assert 0.2 * whole.usd < capped.usd < 0.8 * whole.usd
    assert capped.accuracy / whole.accuracy > tokens.finishes(round(tokens.median))  # length goes with difficulty


@pytest.mark.parametrize("lean", [-1.0, 1.0])
def test_who_is_cut_at_a_cap(lean: float) -> None:
    """Where right attempts are longer or shorter than wrong ones, accuracy under a cap is still the recorded one."""
    recording = plant([replace(HIGH, lean=lean)], questions=300, attempts=12, seed=8)
    curve = Curve.fit(recording)
    assert curve.arm().tokens.lean == pytest.approx(lean, abs=0.15)
    for cap in (1500, 3000, 6000):
        inside = float(np.mean((recording.correct == 1) & (recording.output_tokens <= cap)))
        assert curve.predict(cap=cap).accuracy == pytest.approx(inside, abs=0.025)


def test_cost_is_the_recorded_one(curve: Curve, recording: Recording) -> None:
    """A mean attempt costs what it cost in the recording; its 95 % tail lies above, and a verifier saves attempts."""
    for place, label in enumerate(("low", "high")):
        found = curve.predict(label)
        assert found.usd == pytest.approx(recording.cost_nusd[recording.arm == place].mean() / 1e9, rel=1e-6)
        assert found.usd_p95 is not None
        assert found.usd < found.usd_p95
    verified = curve.predict("high", 8, how="verified")
    assert 1 < verified.made < 2.5
    assert verified.usd == pytest.approx(verified.made * curve.predict("high").usd)


def test_votes_that_hurt_are_said() -> None:
    """Where wrong answers agree and being right is rare, more votes lower accuracy, and the curve says from where."""
    law = Planted("arm", Rightness("beta", 4.0, 8.0), Shape(-2.0, 0.0, 0.2))
    curve = Curve.fit(plant([law], questions=200, attempts=10, seed=2))
    assert curve.plateau().mean < curve.predict().accuracy - 0.05
    assert curve.more_votes_hurt() == 1
    kind = Planted("arm", Rightness("beta", 4.0, 2.0), Shape(2.0, 0.0, 0.2))
    assert Curve.fit(plant([kind], questions=200, attempts=10, seed=2)).more_votes_hurt() is None


def test_no_plateau_above_what_was_recorded(recording: Recording, curve: Curve) -> None:
    """A plateau of votes is cut at the upper bound of the best arm's recorded share of right modes."""
    assert curve.bound is not None
    lowered = replace(curve, bound=0.5)
    assert curve.plateau("high").mean > 0.5
    assert lowered.plateau("high").high == 0.5


def test_ungraded_and_failed_attempts(recording: Recording) -> None:
    """An ungraded answer counts as neither right nor wrong; an attempt that brought nothing counts as not right."""
    once = recording.attempt == 0
    answered = replace(recording, correct=np.where(once, -1, recording.correct).astype(np.int8))
    less = Curve.fit(answered).arm("low")
    assert less.most == 11
    silent = replace(answered, answer=np.where(once, -1, recording.answer).astype(np.int32))
    failed = Curve.fit(silent).arm("low")
    assert failed.most == 12
    assert failed.accuracy("verified", 1) == pytest.approx(less.accuracy("verified", 1) * 11 / 12, abs=0.01)
    assert failed.silent > 0.1


def test_answers_that_never_agree_have_no_votes(recording: Recording) -> None:
    """Where right answers are never the same answer, votes have no figures, and the note says why."""
    apart = replace(recording, answer=(recording.attempt + 1).astype(np.int32))
    curve = Curve.fit(apart)
    with pytest.raises(BadInput, match="does not show which answers agree"):
        curve.predict("low", 3)
    assert any("do not agree" in note for note in curve.notes)
    assert curve.predict("low", 3, how="verified").accuracy > 0.5
    check_curve(curve)


def test_one_attempt_a_question() -> None:
    """With one attempt a question per arm a curve is fitted from what the arms share, and says what it cannot know."""
    curve = Curve.fit(plant([LOW, HIGH], questions=300, attempts=1, seed=5))
    assert any("what a second one would bring is not known" in note for note in curve.notes)
    assert near(curve, "high", 1, HIGH.rightness.mean)
    belief = curve.belief()
    assert belief.next_right("high", {"low": (0, 1)}) < belief.next_right("high", {}) - 0.03
    check_curve(curve)


def test_too_little_is_refused(recording: Recording) -> None:
    """Four questions are refused with the figure and what to record; a dozen are fitted with a note."""
    with pytest.raises(BadInput, match="low has 4 graded questions, too few to fit: record at least 5"):
        Curve.fit(plant([LOW], questions=4, attempts=8, seed=0))
    related = replace(plant([LOW], questions=40, attempts=4, seed=0), groups=("one", "two") * 20)
    with pytest.raises(BadInput, match="40 graded questions of 2 groups, too few"):
        Curve.fit(related)
    silent = plant([LOW], questions=40, attempts=4, seed=0)
    with pytest.raises(BadInput, match="no attempt with low has output tokens"):
        Curve.fit(replace(silent, output_tokens=np.zeros_like(silent.output_tokens)))
    few = Curve.fit(plant([LOW], questions=12, attempts=8, seed=0))
    assert any("12 questions are few" in note for note in few.notes)
    with pytest.raises(BadInput, match="no single arm 'medium'; it has low, high"):
        Curve.fit(recording, arms=["medium"])


def test_an_arm_that_is_always_right() -> None:
    """Nothing but right answers is fitted too: near certain, and not certain beyond what so many questions say."""
    always = plant([Planted("arm", Rightness("inflated", 1, 1, 1.0, 0.0, 0.999))], questions=50, attempts=4, seed=0)
    curve = Curve.fit(replace(always, correct=np.ones_like(always.correct), answer=np.zeros_like(always.answer)))
    interval = curve.interval("arm")
    assert interval.mean > 0.97
    assert interval.low < 0.97
    check_curve(curve)


def test_very_many_attempts() -> None:
    """A thousand attempts a question are fitted as well, and coverage of them is the recorded one."""
    recording = plant([Planted("arm", Rightness("beta", 0.6, 1.2))], questions=12, attempts=1000, seed=4)
    curve = Curve.fit(recording)
    solved = [bool((recording.correct[recording.rows(place, 0)] == 1).any()) for place in range(12)]
    assert curve.predict("arm", 1000, how="verified").accuracy == pytest.approx(np.mean(solved), abs=0.05)
    assert curve.predict("arm").accuracy == pytest.approx(recording.correct.mean(), abs=0.01)


def test_groups_widen_intervals(recording: Recording, curve: Curve) -> None:
    """Questions of one group are drawn together: twenty alike in each make intervals as wide as so few groups do."""
    order = np.argsort([recording.correct[recording.rows(place, 0)].sum() for place in range(400)])
    groups = np.empty(400, dtype=object)
    groups[order] = [f"g{place // 20}" for place in range(400)]
    grouped = Curve.fit(replace(recording, groups=tuple(groups.tolist())))
    narrow, wide = curve.interval("low"), grouped.interval("low")
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    assert grouped.arm("low").groups == 20
    assert any("20 groups of questions are few" in note for note in grouped.notes)


@pytest.mark.parametrize("part", ["answer", "cost_nusd", "input_tokens"])
def test_columns_that_are_empty(recording: Recording, part: str, tmp_path: Path) -> None:
    """Without answers, prompt tokens or costs a curve is fitted, drawn and saved all the same."""
    pytest.importorskip("matplotlib", reason="drawing needs pip install 'thinkcap[evals]'")
    empty = np.full_like(getattr(recording, part), 0 if part == "cost_nusd" else -1)
    curve = Curve.fit(replace(recording, **{part: empty}))
    check_curve(curve)
    figure = curve.plot(tmp_path / "curve.png")
    assert ("tokens" in figure.axes[0].get_xlabel()) == (part == "cost_nusd")


def test_advice_names_where_the_recording_is_thin(curve: Curve) -> None:
    """Each arm's advice says its interval and what would narrow it; the widest comes first."""
    widths = [advice.half_width for advice in curve.advice]
    assert widths == sorted(widths, reverse=True)
    assert {advice.arm for advice in curve.advice} == {"low", "high"}
    thin = Curve.fit(plant([LOW], questions=200, attempts=2, seed=1)).advice[0]
    assert thin.by_questions < curve.advice[0].by_questions
    assert len(thin.questions) == 5


def test_a_curve_is_used_on_its_own_arms(curve: Curve) -> None:
    """Other arms, and other ways to ask under a label, are refused; other caps and prices are said."""
    low = Arm("low")
    assert curve.check([low], {"low": (1.0, 4.0)}) == ()
    with pytest.raises(BadInput, match="no arm 'medium'"):
        curve.check([Arm("medium")])
    with pytest.raises(BadInput, match="fitted on low, not on gpt-5 at effort high"):
        curve.check([Arm("gpt-5", "high", name="low")])
    notes = curve.check([Arm("low", max_output_tokens=100)], {"low": (1.0, 8.0)})
    assert any("output cap of none, now 100" in note for note in notes)
    assert any("output costs $8 per million tokens, and cost $4" in note for note in notes)


def test_a_saved_curve_is_read_with_numpy_alone(curve: Curve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A curve that was saved is equal once loaded, and neither loading nor using it imports scipy."""
    path = tmp_path / "curve.json"
    curve.save(path)
    for name in ("scipy", "scipy.optimize", "scipy.special"):
        monkeypatch.setitem(sys.modules, name, None)
    loaded = Curve.load(path)
    assert loaded == curve
    assert hash(loaded) == hash(curve)
    assert loaded.interval("low", 5, cap=500) == curve.interval("low", 5, cap=500)
    assert str(loaded) == str(curve)
    assert "low: " in str(curve)
    assert repr(curve) == "Curve(low, high; 400 questions of planted)"


def test_a_curve_names_the_datasets_it_was_fitted_on(recording: Recording, curve: Curve, tmp_path: Path) -> None:
    """Names of the recording's datasets are saved with the curve; a file of before there were any names none."""
    named = Curve.fit(replace(recording, datasets=("maths", "")), arms=["low"])
    assert named.datasets == ("maths",)
    named.save(tmp_path / "named.json")
    assert Curve.load(tmp_path / "named.json").datasets == ("maths",)
    assert curve.datasets == ()
    curve.save(tmp_path / "older.json")
    whole = json.loads((tmp_path / "older.json").read_text())
    del whole["datasets"]
    (tmp_path / "older.json").write_text(json.dumps(whole))
    assert Curve.load(tmp_path / "older.json") == curve


def test_the_frontier_of_one_arm(curve: Curve) -> None:
    """Without chosen policies the frontier is single calls and votes as predicted: of all arms, or of one."""
    best = curve.frontier()[-1].expected.accuracy.mean
    each = [curve.frontier(arm.arm.label) for arm in curve.arms]
    assert max(points[-1].expected.accuracy.mean for points in each) == best
    for arm, points in zip(curve.arms, each, strict=True):
        assert {policy_arm for point in points for policy_arm in asks(point.policy) or ()} == {arm.arm.label}
        costs = [point.expected.usd.mean for point in points]
        assert costs == sorted(costs)


def test_the_shipped_curve_names_no_folder() -> None:
    """What ships says which recording it is of by its name alone."""
    shipped = Curve.load(curve_path())
    assert shipped.source == recording_path().name
    assert shipped.datasets == ("one-step", "products", "sums", "two-steps", "words")


def test_fitting_without_scipy_says_what_to_install(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without scipy fitting ends in one line that names the extra."""
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(BadInput, match=r"needs scipy: pip install 'thinkcap\[evals\]'"):
        Curve.fit(recording)


def change(curve: Curve, path: Path, *keys: Any, value: Any) -> Path:
    """The saved curve with one value changed."""
    curve.save(path)
    whole = json.loads(path.read_text())
    inner = whole
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(whole))
    return path


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("schema",), "thinkcap-curve/2", "thinkcap-curve/1"),
        (("fingerprint",), "abc", "fingerprint"),
        (("arms",), [], "arms"),
        (("arms", 0, "loading"), 1.5, "loading"),
        (("arms", 0, "loading"), math.nan, "JSON|loading"),
        (("arms", 0, "label"), "other", "request"),
        (("arms", 1, "label"), "low", "twice"),
        (("arms", 0, "tokens", "within"), 0, "within"),
        (("arms", 0, "tokens", "mean"), "6", "mean"),
        (("arms", 0, "mass", "mean"), [[0.5]], "mass.mean is not of size 49 x 10"),
        (("arms", 0, "mass", "scores"), [], "draws"),
        (("arms", 0, "mass", "mean", 0, 0), 5.0, "no distribution"),
        (("arms", 0, "means"), [[1.0, 2.0], [3.0]], "means"),
        (("arms", 0, "request", "key"), "sk-1", "request.key"),
        (("arms", 0, "most"), 10**400, "JSON|most"),
    ],
)
def test_a_damaged_curve_is_refused(
    curve: Curve, tmp_path: Path, keys: tuple[Any, ...], value: Any, message: str
) -> None:
    """Whatever is wrong in a file, loading it ends in one line that names the file and the place."""
    path = change(curve, tmp_path / "curve.json", *keys, value=value)
    with pytest.raises(BadInput, match=message) as caught:
        Curve.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_curve(tmp_path: Path) -> None:
    """A missing file, other JSON, no JSON, deep nesting and far too large a file are refused in a line."""
    for content in ("", "[]", "{}", "[" * 100_000, '{"schema": 7}'):
        path = tmp_path / "no.json"
        path.write_text(content)
        with pytest.raises(BadInput, match="is no curve"):
            Curve.load(path)
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(BadInput, match="at most 64 MB"):
        Curve.load(large)
    with pytest.raises(BadInput, match="cannot be read"):
        Curve.load(tmp_path / "missing.json")
    (tmp_path / "latin.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(BadInput, match="cannot be read"):
        Curve.load(tmp_path / "latin.json")


def test_saving_where_one_cannot(curve: Curve, tmp_path: Path) -> None:
    """A folder that is not there is refused in a line."""
    with pytest.raises(BadInput, match="cannot be written"):
        curve.save(tmp_path / "missing" / "curve.json")


def test_a_picture_is_drawn(curve: Curve, tmp_path: Path) -> None:
    """The picture has a panel for votes and one for a verifier, a line an arm, and labelled plateaus."""
    pytest.importorskip("matplotlib", reason="drawing needs pip install 'thinkcap[evals]'")
    figure = curve.plot(tmp_path / "curve.svg")
    votes, verified = figure.axes
    assert [text.get_text() for text in votes.texts if "plateau" in text.get_text()]
    assert {line.get_label() for line in verified.lines} >= {"low", "high"}
    assert (tmp_path / "curve.svg").read_text().startswith("<?xml")
    with pytest.raises(BadInput, match="picture cannot be written"):
        curve.plot(tmp_path / "curve.nothing")


def test_wrong_answers_in_common(recording: Recording, curve: Curve) -> None:
    """Two wrong answers agree as often as the recording's pairs do; always if all are one, and unknown if none can."""
    low, high = curve.agreement
    assert low[1] == high[0]
    rows = [recording.answer[recording.rows(place, 0)] for place in range(len(recording.questions))]
    wrong = [answers[answers > 0] for answers in rows]
    shares = [
        (sum(int((answers == one).sum()) for one in answers) - len(answers)) / (len(answers) * (len(answers) - 1))
        for answers in wrong
        if len(answers) > 1
    ]
    assert low[0] == pytest.approx(np.mean(shares))
    same = replace(recording, answer=np.where(recording.correct == 1, 0, 1).astype(np.int32))
    assert Curve.fit(same).agreement == ((1.0, 1.0), (1.0, 1.0))
    apart = replace(recording, answer=(recording.attempt + 1).astype(np.int32))
    assert Curve.fit(apart).agreement[0][0] is None
