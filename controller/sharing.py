"""What one call without a cap may take of what is free, so that others can call beside it."""

from __future__ import annotations

from collections.abc import Iterable

from thinkcap.controller.ledger.machine import least_free
from thinkcap.controller.ledger.values import Level, Limits

__all__ = ["SHARES", "fair_share"]

SHARES = 20
"""The part of what is free that a call without a cap takes at most, if nobody else is calling: one twentieth.

Each call in flight makes the next one's part smaller, so one caller alone is hardly held back, and fifty at once have
at least forty calls in flight wherever fifty of the least useful length fit at all.
"""


def fair_share(levels: Iterable[Level], shares: int) -> Limits:
    """What one more call may take: on each account what is free, over ``shares`` and the calls in flight; the least.

    Args:
        levels: the account and its ancestors, as of one instant.
        shares: the shares that what is free is cut into while nobody is calling.
    """
    nusd: int | None = None
    output_tokens: int | None = None
    for level in levels:
        ceiling, spent, held = level.ceiling, level.spent, level.reserved
        if ceiling is None:
            continue
        parts = shares + held.calls
        nusd = least_free(nusd, ceiling.nano, spent.nusd + held.nusd, parts)
        output_tokens = least_free(
            output_tokens, ceiling.output_tokens, spent.output_tokens + held.output_tokens, parts
        )
    return Limits(nusd, output_tokens)
