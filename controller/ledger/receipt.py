"""Where an account's money went, ready for JSON."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from thinkcap.controller.ledger.values import Entry, Statement
from thinkcap.policies.money import usd
from thinkcap.policies.values import Usage

__all__ = ["entry_line", "exact_usd", "receipt"]


def receipt(statement: Statement) -> dict[str, Any]:
    """An account's receipt: of itself and its descendants, as of one instant.

    Money is text in dollars (``"0.0125"``), because a JSON number would lose exactness; the rest are numbers. None
    means "not limited" or "not known". ``bounded_usd`` is the part of ``spent_usd`` that was charged at a bound,
    because nobody said what the call took; ``output_tokens`` includes those bounds, ``usage`` only what is known.
    """
    level, entries = statement.level, statement.entries
    balance, ceiling = level.balance, level.ceiling
    settled = [entry for entry in entries if entry.status == "settled"]
    return {
        "account": level.path,
        "ceiling_usd": exact_usd(balance.money.ceiling),
        "spent_usd": exact_usd(balance.money.spent),
        "reserved_usd": exact_usd(balance.money.reserved),
        "free_usd": exact_usd(balance.money.free),
        "overrun_usd": exact_usd(balance.money.overrun),
        "bounded_usd": exact_usd(sum(entry.charged_nusd for entry in settled if entry.provenance == "bounded")),
        "limits": {
            "output_tokens": balance.output_tokens.ceiling,
            "calls": balance.calls.ceiling,
            "seconds": None if ceiling is None else ceiling.seconds,
        },
        "calls": balance.calls.spent,
        "output_tokens": balance.output_tokens.spent,
        "usage": _usage(settled),
        "by_model": {model or "": _of_model(settled, model) for model in _models(settled)},
        "price_sources": sorted({entry.price_source for entry in entries if entry.price_source is not None}),
        "entries": [entry_line(entry) for entry in entries],
    }


def _models(entries: Iterable[Entry]) -> list[str | None]:
    return list(dict.fromkeys(entry.model for entry in entries))


def _of_model(settled: list[Entry], model: str | None) -> dict[str, Any]:
    of_model = [entry for entry in settled if entry.model == model]
    charges = [entry.charged for entry in of_model if entry.charged is not None]
    return {
        "calls": sum(charged.calls for charged in charges),
        "spent_usd": exact_usd(sum(charged.nusd for charged in charges)),
        "output_tokens": sum(charged.output_tokens for charged in charges),
        "usage": _usage(of_model),
    }


def _usage(entries: Iterable[Entry]) -> dict[str, int | None] | None:
    known = [entry.usage for entry in entries if entry.usage is not None]
    if not known:
        return None
    return _tokens(sum(known[1:], start=known[0]))


def _tokens(usage: Usage) -> dict[str, int | None]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "cached_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
    }


def entry_line(entry: Entry) -> dict[str, Any]:
    """One entry, ready for JSON."""
    return {
        "id": entry.id,
        "account": entry.account,
        "status": entry.status,
        "model": entry.model,
        "api": entry.api,
        "reserved_usd": exact_usd(entry.reserved_nusd),
        "charged_usd": None if entry.charged is None else exact_usd(entry.charged.nusd),
        "overrun_usd": exact_usd(entry.overrun_nusd),
        "usage": None if entry.usage is None else _tokens(entry.usage),
        "provenance": entry.provenance,
        "cap_asked": entry.cap_asked,
        "cap_sent": entry.cap_sent,
        "started_at": entry.started_at,
        "settled_at": entry.settled_at,
        "price_source": entry.price_source,
        "note": entry.note,
        "response": entry.response,
    }


def exact_usd(nano: int | None) -> str | None:
    """Dollars exactly, without trailing zeros: ``"0.0125"``, ``"3"``."""
    if nano is None:
        return None
    dollars: Decimal = usd(nano)
    text = f"{dollars:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
