"""What was chosen by cross-fitting, as replays beside others."""

from __future__ import annotations

from dataclasses import replace

from thinkcap.evals.crossfit import Crossfit
from thinkcap.evals.results import Replay

__all__ = ["OURS", "ours_of"]

OURS = "thinkcap"


def ours_of(like: Replay, found: Crossfit) -> list[Replay]:
    """What was chosen, point by point; each has a name of its own, and says at which price it is right.

    Args:
        like: a replay of the same questions.
        found: how it was chosen.
    """
    return [
        replace(
            like,
            policy=OURS,
            arms=(f"{place + 1}: worth ${worth:.3g}",),
            accuracy=found.accuracy[place],
            usd=found.usd[place],
            usd_by_arm=found.usd[place][:, None],
            output_tokens=found.output_tokens[place],
            attempts=found.attempts[place],
            notes=(),
        )
        for place, worth in enumerate(found.worths.tolist())
    ]
