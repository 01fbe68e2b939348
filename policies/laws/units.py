"""Quantities with their units: read from text, and refused where they cannot be meant.

A number may end in K, M, B or T (thousand, million, billion, trillion): ``70B``, ``1.4T``, ``70e9``.
A rate has a period (``1e6/month``), a duration has a unit (``36 hours``, ``2w``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from difflib import get_close_matches

from thinkcap.policies.errors import BadInput

__all__ = ["DAY_S", "above_zero", "nearest", "read_duration", "read_quantity", "read_rate", "share"]

DAY_S = 86_400.0
"""Seconds in a day."""

_YEAR_S = 365.25 * DAY_S
_PERIODS = {
    "second": 1.0,
    "minute": 60.0,
    "hour": 3_600.0,
    "day": DAY_S,
    "week": 7 * DAY_S,
    "month": _YEAR_S / 12,
    "year": _YEAR_S,
}
_SHORT = {"s": "second", "sec": "second", "min": "minute", "h": "hour", "d": "day", "w": "week", "y": "year"}
_SCALES = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_LEAST, _MOST = 1e-30, 1e60
_NUMBER = re.compile(r"([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*)", re.ASCII | re.DOTALL)


def above_zero(value: float, what: str) -> float:
    """The value, if it is a number above zero that can be meant: from 1e-30 to 1e60, so that nothing overflows.

    Raises:
        BadInput: if it is not.
    """
    if isinstance(value, bool) or math.isnan(value) or value <= 0:
        raise BadInput(f"{what} must be a number above zero, not {value!r}")
    if not _LEAST <= value <= _MOST:
        raise BadInput(f"{what} must lie between {_LEAST:g} and {_MOST:g}, not {value!r}")
    return float(value)


def share(value: float, what: str = "the accuracy") -> float:
    """The value, if it lies strictly between 0 and 1.

    Raises:
        BadInput: if it does not; 90 is told to be written 0.9.
    """
    if isinstance(value, bool) or not 0 < value < 1:
        hint = f": write {value / 100:g} for {value:g} %" if 1 < value < 100 else ""
        raise BadInput(f"{what} must lie between 0 and 1, not {value!r}{hint}")
    return float(value)


def nearest(name: str, names: Sequence[str]) -> str:
    """What to tell someone whose name is not among the names: the nearest one, or all of them."""
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"choose one of {', '.join(names)}"


def read_quantity(text: str, what: str) -> float:
    """A number above zero, such as ``70e9``, ``70B`` or ``1.4T``.

    Raises:
        BadInput: if it is none.
    """
    number, scale = _split(text, what, "a number such as 70e9 or 70B")
    if scale.upper() not in _SCALES:
        raise BadInput(f"{what} must be a number such as 70e9 or 70B, not {text!r}")
    return above_zero(number * _SCALES[scale.upper()], what)


def read_rate(text: str, what: str = "the demand") -> float:
    """So much a period, such as ``1e6/month``, as so much a second.

    Raises:
        BadInput: if it has no period, if the period is unknown, or if it is not above zero.
    """
    count, slash, period = text.partition("/")
    if not slash:
        raise BadInput(f"{what} needs a period: write {text.strip() or '1e6'}/month, or /day, /hour, /year")
    return read_quantity(count, what) / _period(period, what)


def read_duration(text: str, what: str = "the time") -> float:
    """A time with its unit, such as ``36 hours`` or ``2w``, in seconds.

    Raises:
        BadInput: if it has no unit, if the unit is unknown, or if it is not above zero.
    """
    number, unit = _split(text, what, "a time with its unit, such as 36 hours")
    if not unit:
        raise BadInput(f"{what} needs a unit: write {text.strip()} hours, or days, weeks, years")
    return above_zero(number * _period(unit, what), what)


def _split(text: str, what: str, wanted: str) -> tuple[float, str]:
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        raise BadInput(f"{what} must be {wanted}, not {text!r}")
    return float(found[1]), found[2].strip()


def _period(text: str, what: str) -> float:
    name = text.strip().lower()
    name = _SHORT.get(name, name)
    seconds = _PERIODS.get(name) or _PERIODS.get(name.removesuffix("s"))
    if seconds is None:
        raise BadInput(f"{what}: {text.strip()!r} is no period; write one of {', '.join(_PERIODS)}")
    return seconds
