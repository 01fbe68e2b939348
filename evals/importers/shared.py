"""What importers have in common: how a cost is found, and how a grade is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from thinkcap.policies.values import Usage

__all__ = ["CostOf", "Row", "graded"]

Row: TypeAlias = dict[str, Any]

CostOf: TypeAlias = Callable[[str, Usage], int]
"""What so many tokens of a model cost, in nano-dollars; raises where its price is not known."""

_RIGHT = frozenset(("c", "true", "1", "1.0", "yes", "correct"))
_WRONG = frozenset(("i", "n", "false", "0", "0.0", "no", "incorrect"))


def graded(value: Any) -> bool | None:
    """Whether a grade says right or wrong; None for partly right, and for what says neither."""
    said = str(value).strip().lower()
    return True if said in _RIGHT else False if said in _WRONG else None
