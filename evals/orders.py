"""The order in which each permutation meets the recorded attempts at a question with one arm.

It depends on the seed, the question and the arm only, whatever else is replayed, so that all policies meet the same
luck (common random numbers), one by one or many at once.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.recording import Recording

__all__ = ["orders_of"]


def orders_of(
    recording: Recording, question: int, label: str, permutations: int | None, seed: int
) -> NDArray[np.int64]:
    """Places of a question's attempts with an arm, in drawing order; the recorded order without permutations.

    Args:
        recording: the attempts.
        question: the question's index.
        label: the arm's label.
        permutations: how many orders; None for the recorded one alone.
        seed: of the orders.

    Returns:
        Places among the attempts at the question with the arm, from 0.  (permutations, attempts)
    """
    rows = recording.rows(question, recording.arms.index(recording.find_arm(label)))
    attempts = rows.stop - rows.start
    if permutations is None:
        return np.arange(attempts)[None, :]
    dataset = recording.datasets[recording.question_dataset[question]]
    luck = _draws(seed, f"{dataset}\0{recording.questions[question]}", label)
    return luck.random((permutations, attempts)).argsort(axis=1)


def _draws(seed: int, question: str, arm: str) -> np.random.Generator:
    """Random numbers that depend on these three only."""
    digest = hashlib.blake2b(f"{seed}\0{question}\0{arm}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "big")))
