"""What one output token cost in a recording: from attempts with the same prompt and different lengths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.recording import Recording

__all__ = ["output_rates"]


def output_rates(recording: Recording) -> NDArray[np.float64]:
    """Nano-dollars of one output token of each arm, as the recorded costs imply it; NaN where they imply none.

    Two attempts at one question with the same prompt differ in cost by their difference in length. A rate is implied
    only if every such pair of neighbours says the same, up to what rounding to a nano-dollar does.

    Returns:
        One rate an arm.  (arms,)
    """
    rates = np.full(len(recording.arms), np.nan)
    for arm in range(len(recording.arms)):
        rows = np.flatnonzero((recording.arm == arm) & (recording.output_tokens > 0))
        order = np.lexsort((recording.output_tokens[rows], recording.input_tokens[rows], recording.question[rows]))
        rows = rows[order]
        same = (np.diff(recording.question[rows]) == 0) & (np.diff(recording.input_tokens[rows]) == 0)
        tokens = np.diff(recording.output_tokens[rows])[same]
        nusd = np.diff(recording.cost_nusd[rows])[same]
        longer = tokens > 0
        if not longer.any():
            continue
        rate = float(nusd[longer].sum() / tokens[longer].sum())
        if rate > 0 and (np.abs(nusd - rate * tokens) <= 2 + 1e-6 * np.abs(nusd)).all():
            rates[arm] = rate
    return rates
