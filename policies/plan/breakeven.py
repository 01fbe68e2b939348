"""From which demand on one option is cheaper than another."""

from __future__ import annotations

from thinkcap.policies.plan.total import Total

__all__ = ["crossings"]

_CLOSE = 1e-9


def crossings(one: Total, other: Total) -> tuple[float, ...]:
    """Demands at which two totals cost the same, in questions a month, ascending.

    Each total is the higher of two straight lines, so these are crossings of lines, D = (F_j - F_i) / (c_i - c_j),
    kept where both lines hold. The order of the two does not matter. Stretches on which both cost the same count for
    nothing: there no demand decides.
    """
    found = []
    for fixed, each in one.lines:
        for other_fixed, other_each in other.lines:
            if each == other_each:
                continue
            demand = (other_fixed - fixed) / (each - other_each)
            if (
                demand > 0
                and _same(one.usd(demand), fixed + each * demand)
                and _same(one.usd(demand), other.usd(demand))
            ):
                found.append(demand)
    apart: list[float] = []
    for demand in sorted(found):
        if not apart or not _same(demand, apart[-1]):
            apart.append(demand)
    return tuple(demand for demand in apart if _changes(one, other, demand))


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= _CLOSE * max(abs(one), abs(other))


def _changes(one: Total, other: Total, demand: float) -> bool:
    below, above = (one.usd(by * demand) - other.usd(by * demand) for by in (1 - 1e-4, 1 + 1e-4))
    return below * above < 0
