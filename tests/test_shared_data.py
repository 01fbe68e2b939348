"""Published figures, recomputed from recordings that are not part of the project.

The directory is named by the environment variable THINKCAP_DATA; without it these tests skip. Figures for
GSM8K (gpt-4o-mini) and AIME 2024 (o3-mini) are those of ConSol, arXiv 2503.17587: self-consistency over 40
attempts and its total output tokens. Accuracies of the adaptive rules were measured with 100 permutations.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from thinkcap.evals import Recording, load_recording, majority_accuracy, pass_at_k, replay
from thinkcap.policies import parse_policy

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


@pytest.mark.parametrize(
    ("rule", "accuracy", "tokens"),
    [("lead:2", 93.72, 357), ("lead:3", 94.13, 563), ("esc:3", 94.14, 724), ("adaptive-consistency:0.95", 94.20, 902)],
)
def test_adaptive_rules_on_gsm8k(gsm8k: Recording, rule: str, accuracy: float, tokens: int) -> None:
    """Early stopping keeps the accuracy of 40 attempts at a fraction of their 5,314 tokens.

    Ten permutations leave a standard error of some 0.1 points, on top of that of the measured figure.
    """
    row = replay(gsm8k, parse_policy(rule), permutations=10, name=rule).summary(bootstrap=200)
    assert 100 * row.accuracy == pytest.approx(accuracy, abs=0.3)
    assert row.output_tokens == pytest.approx(tokens, rel=0.02)
    assert row.accuracy_low < row.accuracy < row.accuracy_high
    assert row.mc_error < 0.0015


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
