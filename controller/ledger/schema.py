"""The tables of a ledger's file, and how a row and a value become each other."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger.values import Amount, Entry, Level, Purpose
from thinkcap.policies.money import usd
from thinkcap.policies.values import Usage

__all__ = [
    "APPLICATION",
    "TABLES",
    "UPGRADES",
    "VERSION",
    "entry_of",
    "level_of",
    "level_row",
    "limits_row",
    "outcome_row",
    "reservation_row",
    "sums_row",
]

APPLICATION = 0x74636C67
"""The file's application_id (``tclg``): tells a ledger from any other SQLite file."""

VERSION = 3
"""The file's user_version: a file with a higher one was written by a newer program."""

_BY_RESPONSE = "CREATE INDEX entry_response ON entry (response) WHERE response IS NOT NULL"

TABLES = (
    """
    CREATE TABLE account (
        path TEXT PRIMARY KEY,
        opened_at REAL NOT NULL,
        ceiling_nusd INTEGER CHECK (ceiling_nusd > 0),
        ceiling_output_tokens INTEGER CHECK (ceiling_output_tokens > 0),
        ceiling_calls INTEGER CHECK (ceiling_calls > 0),
        ceiling_seconds REAL CHECK (ceiling_seconds > 0),
        spent_nusd INTEGER NOT NULL CHECK (spent_nusd >= 0),
        spent_output_tokens INTEGER NOT NULL CHECK (spent_output_tokens >= 0),
        spent_calls INTEGER NOT NULL CHECK (spent_calls >= 0),
        reserved_nusd INTEGER NOT NULL CHECK (reserved_nusd >= 0),
        reserved_output_tokens INTEGER NOT NULL CHECK (reserved_output_tokens >= 0),
        reserved_calls INTEGER NOT NULL CHECK (reserved_calls >= 0)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE entry (
        number INTEGER PRIMARY KEY,
        account TEXT NOT NULL,
        model TEXT,
        api TEXT,
        cap_asked INTEGER,
        cap_sent INTEGER,
        price_source TEXT,
        note TEXT,
        reserved_nusd INTEGER NOT NULL CHECK (reserved_nusd >= 0),
        reserved_output_tokens INTEGER NOT NULL CHECK (reserved_output_tokens >= 0),
        reserved_calls INTEGER NOT NULL CHECK (reserved_calls >= 0),
        started_at REAL NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('reserved', 'settled', 'released')),
        charged_nusd INTEGER CHECK (charged_nusd >= 0),
        charged_output_tokens INTEGER CHECK (charged_output_tokens >= 0),
        charged_calls INTEGER CHECK (charged_calls >= 0),
        input_tokens INTEGER,
        output_tokens INTEGER,
        reasoning_tokens INTEGER,
        cached_tokens INTEGER,
        cache_write_tokens INTEGER,
        provenance TEXT CHECK (provenance IN ('provider', 'counted', 'bounded')),
        settled_at REAL,
        owner TEXT,
        response TEXT,
        CHECK ((status = 'settled') = (charged_nusd IS NOT NULL))
    ) STRICT
    """,
    "CREATE INDEX entry_account ON entry (account)",
    _BY_RESPONSE,
)  # an index of what is reserved would cost every call 10 % more, and save a look at 500,000 entries 50 ms

UPGRADES = {  # from each older version to the next; programs of the older one that have the file open can go on
    1: ("ALTER TABLE entry ADD COLUMN owner TEXT",),
    2: ("ALTER TABLE entry ADD COLUMN response TEXT", _BY_RESPONSE),
}


def level_row(level: Level) -> tuple[Any, ...]:
    """An account as a row: path, opened_at, its ceiling, spent and reserved."""
    return (level.path, level.opened_at, *limits_row(level), *_parts(level.spent), *_parts(level.reserved))


def limits_row(level: Level) -> tuple[Any, ...]:
    """An account's ceiling: nano-dollars, output tokens, calls, seconds."""
    ceiling = level.ceiling
    if ceiling is None:
        return None, None, None, None
    return ceiling.nano, ceiling.output_tokens, ceiling.calls, ceiling.seconds


def sums_row(level: Level) -> tuple[Any, ...]:
    """What an account has spent and reserved, then its path."""
    return (*_parts(level.spent), *_parts(level.reserved), level.path)


def level_of(row: Sequence[Any]) -> Level:
    """The account of a row (in the order of :func:`level_row`)."""
    path, opened_at = row[:2]
    return Level(path, _ceiling(*row[2:6]), opened_at, Amount(*row[6:9]), Amount(*row[9:]))


@functools.lru_cache(maxsize=1024)
def _ceiling(nano: int | None, output_tokens: int | None, calls: int | None, seconds: float | None) -> Ceiling | None:
    if nano is None and output_tokens is None and calls is None and seconds is None:
        return None
    dollars = None if nano is None else usd(nano)
    return Ceiling(usd=dollars, output_tokens=output_tokens, calls=calls, seconds=seconds)


def reservation_row(account: str, what: Purpose, reserved: Amount, at: float, owner: str | None) -> tuple[Any, ...]:
    """A new entry as a row: account, purpose, what is reserved, when, status and owner."""
    said = (what.model, what.api, what.cap_asked, what.cap_sent, what.price_source, what.note)
    return (account, *said, reserved.nusd, reserved.output_tokens, reserved.calls, at, "reserved", owner)


def outcome_row(entry: Entry) -> tuple[Any, ...]:
    """What became of an entry as a row: status, what settling may change of the purpose, charge, usage, response."""
    charged = (None, None, None) if entry.charged is None else _parts(entry.charged)
    said = (entry.status, entry.price_source, entry.note)
    return (*said, *charged, *_tokens(entry.usage), entry.provenance, entry.settled_at, entry.response)


def entry_of(row: Sequence[Any]) -> Entry:
    """The entry of a whole row of the table, in its order."""
    number, account, model, api, cap_asked, cap_sent, price_source, note, *rest = row
    *reserved, started_at, status, nusd, tokens, calls, inputs, outputs, reasoning, cached, written = rest[:-4]
    provenance, settled_at, owner, response = rest[-4:]
    return Entry(
        str(number),
        account,
        Purpose(model, api, cap_asked=cap_asked, cap_sent=cap_sent, price_source=price_source, note=note),
        Amount(*reserved),
        started_at,
        status,
        None if nusd is None else Amount(nusd, tokens, calls),
        None if inputs is None else Usage(inputs, outputs, reasoning, cached, written),
        provenance,
        settled_at,
        owner,
        response,
    )


def _tokens(usage: Usage | None) -> tuple[int | None, ...]:
    if usage is None:
        return (None,) * 5
    hidden, cached, written = usage.reasoning_tokens, usage.cached_tokens, usage.cache_write_tokens
    return usage.input_tokens, usage.output_tokens, hidden, cached, written


def _parts(amount: Amount) -> tuple[int, int, int]:
    return amount.nusd, amount.output_tokens, amount.calls
