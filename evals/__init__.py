"""Evaluation: recordings of attempts, replay of policies on them, exact votes and intervals."""

from __future__ import annotations

from thinkcap.evals.ablation import Added
from thinkcap.evals.choosing import fit_curve
from thinkcap.evals.comparison import Field, Match
from thinkcap.evals.evaluating import evaluate
from thinkcap.evals.evaluation import Best, Evaluation
from thinkcap.evals.exact import majority_accuracy, pass_at_k
from thinkcap.evals.frontier import accuracy_at, aiq, hull, log_area, pareto, usd_at
from thinkcap.evals.leads import lead_outcome
from thinkcap.evals.picture import Panel, Point, picture
from thinkcap.evals.planted import Planted, plant
from thinkcap.evals.reading import DamagedRecording
from thinkcap.evals.recording import Recording, load_recording
from thinkcap.evals.regret import Regret, best_in_hindsight, dual_bound, oracle_value, regret
from thinkcap.evals.replay import replay, sweep
from thinkcap.evals.results import Replay, Summary
from thinkcap.evals.rows import RowsOf, write_rows
from thinkcap.evals.shared import SharedReplay, replay_shared
from thinkcap.evals.statistics import Interval, Resamples, bootstrap_mean, paired_difference
from thinkcap.evals.verified import PERFECT, evaluate_verified, perfectly_verified
from thinkcap.evals.writing import write_recording

__all__ = [
    "PERFECT",
    "Added",
    "Best",
    "DamagedRecording",
    "Evaluation",
    "Field",
    "Interval",
    "Match",
    "Panel",
    "Planted",
    "Point",
    "Recording",
    "Regret",
    "Replay",
    "Resamples",
    "RowsOf",
    "SharedReplay",
    "Summary",
    "accuracy_at",
    "aiq",
    "best_in_hindsight",
    "bootstrap_mean",
    "dual_bound",
    "evaluate",
    "evaluate_verified",
    "fit_curve",
    "hull",
    "lead_outcome",
    "load_recording",
    "log_area",
    "majority_accuracy",
    "oracle_value",
    "paired_difference",
    "pareto",
    "pass_at_k",
    "perfectly_verified",
    "picture",
    "plant",
    "regret",
    "replay",
    "replay_shared",
    "sweep",
    "usd_at",
    "write_recording",
    "write_rows",
]
