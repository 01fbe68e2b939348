"""Chains and the oracle as replays: exact over all orders, so that there is no luck of drawing in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.recording import Recording
from thinkcap.evals.results import Replay
from thinkcap.evals.verified.menu import Steps
from thinkcap.evals.verified.tries import Draws, walked
from thinkcap.policies.chain import Chain
from thinkcap.policies.money import NANO
from thinkcap.policies.rules import Fixed
from thinkcap.policies.values import Reason

__all__ = ["chain_of", "exact_replay", "oracle"]


def chain_of(draws: Sequence[Draws], steps: Steps) -> Chain | Fixed:
    """The policy: attempts at one arm that follow each other are one rung, and a single attempt is one call."""
    if len(steps) == 1:
        return Fixed(draws[steps[0]].label)
    rungs: list[tuple[str, int]] = []
    for step in steps:
        label = draws[step].label
        if rungs and rungs[-1][0] == label:
            rungs[-1] = (label, rungs[-1][1] + 1)
        else:
            rungs.append((label, 1))
    return Chain(tuple(rungs))


def exact_replay(recording: Recording, draws: Sequence[Draws], steps: Steps, name: str) -> Replay:
    """What a chain comes to, in expectation over all orders.

    Reasons are expected counts, rounded, and the most that an episode costs is what it would cost if the dearest
    attempts at a question were those that are made.
    """
    walk = walked(draws, steps)
    asked = list(dict.fromkeys(steps))
    of_step = np.array(steps)
    by_arm = np.stack([walk.spent[of_step == arm].sum(axis=0) for arm in asked], axis=1)
    made = np.array([np.bincount(of_step, minlength=len(draws))[arm] for arm in asked])
    dearest = np.stack([_dearest(recording, draws[arm].label) for arm in asked])
    passed = round(float(walk.accuracy[-1].sum()))
    return Replay(
        policy=name,
        arms=tuple(draws[arm].label for arm in asked),
        questions=recording.questions,
        groups=recording.groups,
        permutations=1,
        accuracy=walk.accuracy[-1],
        usd=walk.usd[-1],
        usd_by_arm=by_arm,
        output_tokens=walk.tokens[-1],
        attempts=walk.attempts[-1],
        most_nusd=int((made @ dearest).max()),
        reasons={Reason.VERIFIED: passed, Reason.HOPELESS: len(recording.questions) - passed},
        mc_error=0.0,
        notes=recording.notes,
    )


def _dearest(recording: Recording, label: str) -> NDArray[np.int64]:
    """The dearest attempt of an arm, in nano-dollars.  (questions,)"""
    found = np.zeros(len(recording.questions), dtype=np.int64)
    mine = recording.arm == recording.arms.index(recording.find_arm(label))
    np.maximum.at(found, recording.question[mine], recording.cost_nusd[mine])
    return found


def oracle(recording: Recording, labels: Sequence[str]) -> Replay:
    """Who knows every recorded attempt: buys the cheapest that passes, and nothing where none does."""
    questions = len(recording.questions)
    asked = [recording.arms.index(recording.find_arm(label)) for label in labels]
    passed = np.flatnonzero((recording.verified == 1) & np.isin(recording.arm, asked))
    passed = passed[np.lexsort((recording.cost_nusd[passed], recording.question[passed]))]
    which, first = np.unique(recording.question[passed], return_index=True)
    rows = passed[first]
    figures = np.zeros((3, questions))
    figures[:, which] = np.ones(len(rows)), recording.cost_nusd[rows] / NANO, recording.output_tokens[rows]
    return Replay(
        policy="oracle",
        arms=("the cheapest attempt that passes",),
        questions=recording.questions,
        groups=recording.groups,
        permutations=1,
        accuracy=figures[0],
        usd=figures[1],
        usd_by_arm=figures[1][:, None],
        output_tokens=figures[2],
        attempts=figures[0].copy(),
        most_nusd=int(recording.cost_nusd[rows].max(initial=0)),
        reasons={Reason.VERIFIED: len(which), Reason.HOPELESS: questions - len(which)},
        mc_error=0.0,
        notes=recording.notes,
    )
