"""Correctness as a perfect verifier: what was graded right passed, and all else failed and was billed.

It says what a policy would come to if a checker told right from wrong without error, such as hidden tests that are run
after each attempt. A real checker errs, so these are the best figures that any checker could bring.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from thinkcap.evals.columns import count_of
from thinkcap.evals.recording import FINISHES, Recording

__all__ = ["PERFECT", "is_perfect", "perfectly_verified"]

PERFECT = "correctness as a perfect verifier"
"""The words that stand wherever it is used."""

_STOP = FINISHES.index("stop")


def is_perfect(recording: Recording) -> bool:
    """Whether correctness was used as a perfect verifier."""
    return any(PERFECT in note for note in recording.notes)


def perfectly_verified(recording: Recording) -> Recording:
    """The same attempts, each judged by its grade.

    An attempt without a grade failed, and costs what it cost. One that has neither a cost nor tokens is charged the
    mean of its arm's other attempts: that a failure was free is not known. Answers are not compared: an attempt passed,
    or it gave none.
    """
    right = recording.correct == 1
    notes = [f"graded by {PERFECT}: an attempt passes if, and only if, it was graded right"]
    ungraded = recording.correct < 0
    if ungraded.any():
        notes.append(f"{count_of(ungraded)} without a score count as failed, and are billed")
    cost = recording.cost_nusd.copy()
    charged = np.zeros(len(cost), dtype=np.bool_)
    unbilled = ~right & (cost == 0) & (recording.output_tokens == 0) & (recording.input_tokens < 0)
    for arm in range(len(recording.arms)):
        mine = recording.arm == arm
        if (mine & unbilled).any() and (mine & ~unbilled).any():
            cost[mine & unbilled] = int(np.rint(cost[mine & ~unbilled].mean()))
            charged |= mine & unbilled
    if charged.any():
        notes.append(f"{count_of(charged)} without a cost are charged the mean of their arm")
    settled = ("not graded", "answer", "failed without token counts")
    kept = [note for note in recording.notes if not any(words in note for words in settled)]
    questions = len(recording.questions)
    return replace(
        recording,
        answers=(("passed",),) * questions,
        comparable=np.zeros(questions, dtype=np.bool_),
        verifiable=np.ones(questions, dtype=np.bool_),
        correct=right.astype(np.int8),
        verified=right.astype(np.int8),
        answer=np.where(right, 0, -1).astype(np.int32),
        cost_nusd=cost,
        finish=np.full(len(right), _STOP, dtype=np.int8),
        notes=(*notes, *kept),
    )
