"""Curves of recordings of real models: the one that ships, and those that THINKCAP_DATA names.

The recordings of other models are not part of the project; without the environment variable their tests skip.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.test_cli import Run, run
from thinkcap.evals import Recording, load_recording, majority_accuracy, pass_at_k
from thinkcap.policies import BadInput
from thinkcap.policies.curves import Curve, check_curve

__all__ = ["run"]

pytest.importorskip("scipy", reason="fitting needs pip install 'thinkcap[evals]'")

CONSOL = "consol_gsm8k_aime24.parquet"


@pytest.fixture(scope="module")
def data() -> Path:
    """The directory of recordings."""
    named = os.environ.get("THINKCAP_DATA")
    if not named or not (Path(named) / CONSOL).is_file():
        pytest.skip(f"THINKCAP_DATA names no directory with {CONSOL}")
    pytest.importorskip("pyarrow", reason="reading parquet needs pip install 'thinkcap[evals]'")
    return Path(named)


def closeness(curve: Curve, recording: Recording, label: str, ways: dict[str, tuple[int, ...]]) -> float:
    """The largest distance between the curve and what the recording comes to, exactly counted."""
    away = []
    for votes in ways["vote"]:
        recorded = float(np.nanmean(majority_accuracy(recording, label, votes)))
        away.append(curve.predict(label, votes).accuracy - recorded)
    for attempts in ways["verified"]:
        recorded = float(np.nanmean(pass_at_k(recording, label, attempts)))
        away.append(curve.predict(label, attempts, how="verified").accuracy - recorded)
    return float(np.max(np.abs(away)))


def test_gsm8k(data: Path) -> None:
    """On GSM8K the curve is within 0.25 points of every recorded figure, and its plateau of votes at 94.2 %."""
    recording = load_recording(data / CONSOL, dataset="gsm8k")
    curve = Curve.fit(recording)
    label = "gpt-4o-mini:none"
    assert closeness(curve, recording, label, {"vote": (1, 3, 8, 40), "verified": (1, 2, 5, 15, 40)}) < 0.0025
    assert curve.predict(label).accuracy == pytest.approx(0.8885, abs=0.001)
    assert curve.predict(label, 40).accuracy == pytest.approx(0.942, abs=0.0015)
    assert curve.predict(label, 40, how="verified").accuracy == pytest.approx(0.983, abs=0.0015)
    plateau = curve.plateau(label)
    assert plateau.mean == pytest.approx(0.942, abs=0.005)
    assert plateau.low < 0.942 < plateau.high
    assert curve.converged
    check_curve(curve)


def test_aime_efforts(data: Path) -> None:
    """On AIME the efforts are ordered in accuracy, votes, cost and length, and within 3 points of the recorded ones."""
    recording = load_recording(data / CONSOL, dataset="aime24")
    curve = Curve.fit(recording)
    labels = ["o3-mini:low", "o3-mini:medium", "o3-mini:high"]
    for label in labels:
        assert closeness(curve, recording, label, {"vote": (1, 3, 8), "verified": (1, 2, 8)}) < 0.03
        low, high = (curve.arm(label).tokens.finishes(cap) for cap in (500, 20_000))
        assert low < high
    for of in (
        [curve.predict(label).accuracy for label in labels],
        [curve.plateau(label).mean for label in labels],
        [curve.predict(label).usd for label in labels],
        [curve.arm(label).tokens.median for label in labels],
    ):
        assert of == sorted(of)
    assert all(arm.loading > 0.8 for arm in curve.arms)
    assert curve.arm(labels[0]).tokens.tie > 0.5  # hard questions are long ones
    check_curve(curve)


def test_gpqa_votes_inside_one_run(data: Path) -> None:
    """On GPQA letters agree inside a run only: an arm has votes where its answers were kept, and they barely help."""
    labels = [f"openai/gpt-5.2-2025-12-11:{effort}" for effort in ("low", "xhigh")]
    lost = "openai/gpt-4-0314:default"
    recording = load_recording(data / "epoch_gpqa.parquet", arms=[*labels, lost])
    assert recording.answers_agree == "run"
    curve = Curve.fit(recording)
    for label in labels:
        assert closeness(curve, recording, label, {"vote": (1, 3, 8), "verified": (1, 4, 8)}) < 0.012
        assert curve.plateau(label).mean - curve.predict(label).accuracy < 0.03
    with pytest.raises(BadInput, match="which answers agree"):
        curve.plateau(lost)
    check_curve(curve)


def test_swebench_one_attempt_an_arm(data: Path) -> None:
    """On SWE-bench, asked once, failing with one model says something of another; a second attempt is not known."""
    labels = ["openai/gpt-5-mini-2025-08-07:high", "openai/gpt-5.4-2026-03-05:high", "zhipu/glm-5:default"]
    curve = Curve.fit(load_recording(data / "epoch_swebench.parquet", arms=labels))
    assert any("what a second one would bring is not known" in note for note in curve.notes)
    assert curve.predict("zhipu/glm-5:default").accuracy == pytest.approx(0.688, abs=0.01)  # a missing score failed
    belief = curve.belief()
    before, after = (belief.next_right(labels[1], counts) for counts in ({}, {labels[0]: (0, 1)}))
    assert after < before - 0.1
    with pytest.raises(BadInput, match="is a guess"):
        curve.predict(labels[0], 3, how="verified")
    check_curve(curve)


def test_fit_from_the_command(run: Run, tmp_path: Path) -> None:
    """``thinkcap fit`` fits the shipped recording, prints a row an arm and what to record next, and saves the curve."""
    path, picture = tmp_path / "curve.json", tmp_path / "curve.png"
    ended = run("fit", "--dataset", "one-step", "-o", path, "--plot", picture)
    assert ended.code == 0, ended.err
    assert "to record next" in ended.out
    curve = Curve.load(path)
    assert [arm.arm.label for arm in curve.arms] == ["low", "medium", "high"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert curve.arm("high").arm.max_output_tokens == 32


def test_fit_as_json(run: Run) -> None:
    """``--json`` prints the figures of the arms asked for, and nothing else."""
    whole = run("fit", "--dataset", "sums", "--arm", "high", "--json").json()
    (arm,) = whole["arms"]
    assert arm["arm"] == "high"
    assert 0 < arm["once"]["low"] < arm["once"]["accuracy"] < arm["once"]["high"] < 1
    assert arm["once"]["accuracy"] < arm["vote_plateau"]["accuracy"]
    assert set(arm["held_out"]) == {"beta", "scaled", "inflated"}
    assert json.dumps(whole, allow_nan=False)


def test_fit_says_what_is_wrong(run: Run, tmp_path: Path) -> None:
    """A missing file, an unknown arm and a folder that is not there end in one line and exit code 2."""
    assert "missing.jsonl" in run("fit", tmp_path / "missing.jsonl").error()
    assert "no arm" in run("fit", "--arm", "huge").error()
    nowhere = tmp_path / "nowhere" / "curve.json"
    assert "cannot be written" in run("fit", "--dataset", "sums", "--arm", "low", "-o", nowhere).error()
