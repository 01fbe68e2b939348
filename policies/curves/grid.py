"""The points on which a fitted curve keeps its distributions: chances of being right, and crowding of wrong answers.

:data:`CHANCES` are 49 chances from 0 to 1, closer together towards the ends, where many attempts tell chances apart.
:data:`CROWDING` are the values of the concentration of :mod:`thinkcap.policies.curves.wrong`, from "all wrong answers
are the same" to "no two are".
"""

from __future__ import annotations

import numpy as np

from thinkcap.policies.curves.quadrature import Array

__all__ = ["CHANCES", "CROWDING", "project"]

CHANCES: Array = np.sin(np.linspace(0, np.pi / 2, 49)) ** 2

CROWDING: Array = np.geomspace(0.03, 60, 10)


def project(points: Array, weights: Array) -> Array:
    """Move weights at arbitrary chances onto :data:`CHANCES`, each to its two neighbours, so that means are kept."""
    place = np.clip(np.searchsorted(CHANCES, points, side="right") - 1, 0, len(CHANCES) - 2)
    upper = np.clip((points - CHANCES[place]) / (CHANCES[place + 1] - CHANCES[place]), 0, 1)
    size = len(CHANCES)
    low, high = np.bincount(place, weights * (1 - upper), size), np.bincount(place + 1, weights * upper, size)
    return np.asarray(low + high, dtype=np.float64)
