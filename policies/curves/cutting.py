"""Who is cut at a cap: right attempts and wrong ones at the same question need not be equally long."""

from __future__ import annotations

import numpy as np

from thinkcap.policies.curves.grid import CHANCES
from thinkcap.policies.curves.quadrature import Array, normal_cdf, normal_quantile

__all__ = ["kept"]


def kept(finish: float, lean: float) -> tuple[Array, Array]:
    """The chance that a right attempt ends within a cap, and that a wrong one does, at each chance of being right.

    Args:
        finish: the chance of an attempt of the question's mean length.
        lean: by how many standard deviations of attempts at one question right ones are longer than wrong ones.

    Returns:
        (chances,) each
    """
    if finish <= 0 or finish >= 1 or lean == 0:
        same = np.full(len(CHANCES), min(max(finish, 0.0), 1.0))
        return same, same
    within = float(normal_quantile(finish))
    return normal_cdf(within - lean * (1 - CHANCES)), normal_cdf(within + lean * CHANCES)
