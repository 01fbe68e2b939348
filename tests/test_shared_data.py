"""Published figures, recomputed from recordings that are not part of the project.

The directory is named by the environment variable THINKCAP_DATA; without it these tests skip. Figures for
GSM8K (gpt-4o-mini) and AIME 2024 (o3-mini) are those of ConSol, arXiv 2503.17587: self-consistency over 40
attempts and its total output tokens. Accuracies of the adaptive rules were measured with 100 permutations.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from thinkcap.evals import Recording, load_recording, majority_accuracy, pass_at_k, replay, sweep
from thinkcap.policies import BadRecording, parse_policy

CONSOL = "consol_gsm8k_aime24.parquet"


@pytest.fixture(scope="session")
def data() -> Path:
    """The directory of recordings."""
    named = os.environ.get("THINKCAP_DATA")
    if not named:
        pytest.skip("THINKCAP_DATA does not name a directory of recordings")
    if not (Path(named) / CONSOL).is_file():
        pytest.skip(f"THINKCAP_DATA={named} holds no {CONSOL}")
    pytest.importorskip("pyarrow", reason="reading parquet needs pip install 'thinkcap[evals]'")
    return Path(named)


@pytest.fixture(scope="session")
def gsm8k(data: Path) -> Recording:
    return load_recording(data / CONSOL, dataset="gsm8k")


@pytest.fixture(scope="session")
def aime(data: Path) -> Recording:
    return load_recording(data / CONSOL, dataset="aime24")


def one_digit(values: float | NDArray[np.float64]) -> float:
    """A share as the paper prints it: percent with one digit."""
    return round(100 * float(np.mean(values)), 1)


def test_self_consistency_on_aime_is_as_published(aime: Recording) -> None:
    """Votes over all 40 attempts as recorded, ties to the earliest: 70.0, 90.0 and 96.7 % for the three efforts.

    The tie rule matters: at low effort one question is a tie, and a fair draw there would make it 71.7 %.
    """
    votes = [replay(aime, parse_policy("vote:40", arm.label), permutations=None).accuracy for arm in aime.arms]
    assert [one_digit(vote) for vote in votes] == [70.0, 90.0, 96.7]
    exact = [majority_accuracy(aime, arm.label, 40) for arm in aime.arms]
    assert [one_digit(vote) for vote in exact] == [71.7, 90.0, 96.7]


def test_self_consistency_on_gsm8k_is_as_published(gsm8k: Recording) -> None:
    """Votes over all 40 attempts: 94.2 %, whether its four ties go to the earliest answer or by a fair draw."""
    assert one_digit(replay(gsm8k, parse_policy("vote:40"), permutations=None).accuracy) == 94.2
    assert one_digit(majority_accuracy(gsm8k, "gpt-4o-mini", 40)) == 94.2


def test_total_output_tokens_are_as_published(aime: Recording, gsm8k: Recording) -> None:
    """Output tokens add up to the published totals, token for token."""
    totals = [int(aime.output_tokens[aime.arm == arm].sum()) for arm in range(3)]
    assert totals == [1_965_052, 5_990_567, 12_898_010]
    assert int(gsm8k.output_tokens.sum()) == 7_004_327
    assert [arm.label for arm in aime.arms] == ["o3-mini:low", "o3-mini:medium", "o3-mini:high"]


def test_single_attempts_and_coverage(aime: Recording, gsm8k: Recording) -> None:
    """One attempt and any of 40: 61.3/79.8/88.0 and 90.0/93.3/100 % on AIME, 88.8 and 98.3 % on GSM8K."""
    once = [one_digit(pass_at_k(aime, arm.label, 1)) for arm in aime.arms]
    assert once == pytest.approx([61.3, 79.8, 88.0], abs=0.0501)
    assert [one_digit(pass_at_k(aime, arm.label, 40)) for arm in aime.arms] == [90.0, 93.3, 100.0]
    assert [one_digit(pass_at_k(gsm8k, "gpt-4o-mini", k)) for k in (1, 40)] == [88.8, 98.3]


def test_exact_votes_on_gsm8k(gsm8k: Recording) -> None:
    """Votes over 3 and over 15 of 40 attempts: 91.55 and 94.09 %."""
    votes = [100 * majority_accuracy(gsm8k, "gpt-4o-mini", k).mean() for k in (3, 15)]
    assert votes == pytest.approx([91.55, 94.09], abs=0.05)


FRONTIER = {  # accuracy in percent and output tokens a question, over 100 orders
    "fixed": (88.83, 133),
    "vote:3": (91.55, 399),
    "lead:2": (93.72, 357),
    "esc:2": (93.50, 382),
    "adaptive-consistency:0.8": (93.75, 385),
    "lead:3": (94.13, 563),
    "adaptive-consistency:0.9": (94.18, 675),
    "esc:3": (94.14, 724),
    "lead:4": (94.23, 760),
    "adaptive-consistency:0.95": (94.20, 902),
    "esc:5": (94.21, 1345),
    "vote:15": (94.09, 1993),
    "vote:40": (94.20, 5314),
}


def test_the_frontier_on_gsm8k(gsm8k: Recording) -> None:
    """Thirteen rules are within 0.2 points and 1 % of the tokens measured for them before."""
    found = sweep(gsm8k, {rule: parse_policy(rule) for rule in FRONTIER}, permutations=100)
    for row, (accuracy, tokens) in zip(found, FRONTIER.values(), strict=True):
        assert 100 * row.accuracy.mean() == pytest.approx(accuracy, abs=0.2), row.policy
        assert row.output_tokens.mean() == pytest.approx(tokens, rel=0.01), row.policy
        assert row.mc_error < 0.0007


def test_o3_low_and_high_solve_as_many_as_published(data: Path) -> None:
    """Of 400 tasks o3-preview solves 331 at low and 366 at high effort, with either of its two attempts."""
    path = data / "arc_agi1.parquet"
    if not path.is_file():
        pytest.skip("THINKCAP_DATA holds no arc_agi1.parquet")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = parquet.read_table(path).to_pydict()
    solved: dict[str, set[str]] = {"low": set(), "high": set()}
    asked = zip(rows["model"], rows["effort"], rows["question_id"], rows["correct"], strict=True)
    for model, effort, question, correct in asked:
        if correct and model.startswith("o3-preview"):
            solved[effort].add(question)
    assert {effort: len(tasks) for effort, tasks in solved.items()} == {"low": 331, "high": 366}


def test_coverage_of_game24(data: Path) -> None:
    """One chain of thought solves 4.0 % of the hundred problems, any of a hundred 49 %."""
    path = data / "game24.parquet"
    if not path.is_file():
        pytest.skip("THINKCAP_DATA holds no game24.parquet")
    with pytest.raises(
        BadRecording, match=r"cost_usd must be a number of at least 0.* rows 3201, 3202, 3203 and 97 more"
    ):
        load_recording(path, arms=["gpt-4:cot"])  # a hundred of its costs are below zero, so it is read as it is
    rows = pytest.importorskip("pyarrow.parquet").read_table(path).to_pydict()
    asked = zip(rows["question_id"], rows["effort"], rows["correct"], strict=True)
    right = Counter(question for question, effort, correct in asked if effort == "cot" and correct)
    assert (sum(right.values()), len(right)) == (403, 49)  # of 100 problems x 100 attempts: .040 and .49


def test_answers_shuffled_between_runs_are_found_out(data: Path) -> None:
    """In the GPQA logs letters are shuffled in each run: the loader sees it, and single calls score as published."""
    path = data / "epoch_gpqa.parquet"
    if not path.is_file():
        pytest.skip("THINKCAP_DATA holds no epoch_gpqa.parquet")
    recording = load_recording(path)
    assert recording.answers_agree == "run"
    model = "openai/gpt-5.2-2025-12-11"
    once = [pass_at_k(recording, f"{model}:{effort}", 1).mean() for effort in ("low", "medium", "high", "xhigh")]
    assert once == pytest.approx([0.827, 0.879, 0.882, 0.914], abs=0.0006)
