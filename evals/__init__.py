"""Evaluation: recordings of attempts, replay of policies on them, exact votes and intervals."""

from __future__ import annotations

from thinkcap.evals.exact import majority_accuracy, pass_at_k
from thinkcap.evals.picture import Panel, Point, picture
from thinkcap.evals.reading import DamagedRecording
from thinkcap.evals.recording import Recording, load_recording
from thinkcap.evals.replay import replay, sweep
from thinkcap.evals.results import Replay, Summary
from thinkcap.evals.statistics import Interval, bootstrap_mean, paired_difference

__all__ = [
    "DamagedRecording",
    "Interval",
    "Panel",
    "Point",
    "Recording",
    "Replay",
    "Summary",
    "bootstrap_mean",
    "load_recording",
    "majority_accuracy",
    "paired_difference",
    "pass_at_k",
    "picture",
    "replay",
    "sweep",
]
