"""A recording's row: one attempt, as the recorder writes it and the replay reads it.

The columns are those of common evaluation logs. Costs are dollars and the attempt counts from 0 there,
because other tools read these files too; inside thinkcap money is nano-dollars and attempts count from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from thinkcap.policies.answers import ANSWER_VERSION
from thinkcap.policies.money import usd
from thinkcap.policies.values import Attempt

__all__ = ["OPTIONAL", "REQUIRED", "SCHEMA", "Where", "header", "row"]

SCHEMA = "thinkcap-recording/1"
"""Name and version of the format, in the first line of a JSON-lines file and in a parquet file's metadata."""

REQUIRED = ("question_id", "model", "attempt", "correct", "answer", "completion_tokens", "cost_usd")
"""Columns without which a file is no recording."""

OPTIONAL = (
    "dataset",
    "effort",
    "arm",
    "prompt_tokens",
    "latency_s",
    "run_id",
    "group",
    "verified",
    "reasoning_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "max_output_tokens",
    "finish_reason",
    "calls",
    "agent",
    "adaptive",
    "error",
    "started_at",
    "price_date",
    "propensity",
    "answer_version",
)
"""Columns that are read where they are there. Any other column is kept as it is."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where a row belongs: its dataset, question and run."""

    question_id: str
    dataset: str | None = None
    group: str | None = None
    run_id: str | None = None


def header(**about: Any) -> dict[str, Any]:
    """The first line of a JSON-lines recording: the format, and how the recording was made."""
    return {"schema": SCHEMA, "answer_version": ANSWER_VERSION, **about}


def row(
    attempt: Attempt,
    where: Where,
    *,
    index: int,
    answer: str | None,
    correct: bool | None,
    started_at: float | None = None,
    price_date: str | None = None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One attempt as a row.

    Args:
        attempt: what happened.
        where: the question it belongs to.
        index: number of this attempt at this question and arm, from 0.
        answer: the answer as it may be written down (a keyed hash of it, unless the caller opted in to more).
        correct: whether it is right; None if nobody can say.
        started_at: when it was sent, in seconds since 1970.
        price_date: date of the prices it was charged at.
        more: further columns.
    """
    usage = attempt.usage
    return {
        "dataset": where.dataset,
        "question_id": where.question_id,
        "group": where.group,
        "model": attempt.arm.model,
        "effort": attempt.arm.effort,
        "arm": attempt.arm.label,
        "attempt": index,
        "correct": correct,
        "verified": attempt.verified,
        "answer": answer,
        "prompt_tokens": usage.input_tokens if usage else None,
        "completion_tokens": usage.output_tokens if usage else None,
        "reasoning_tokens": usage.reasoning_tokens if usage else None,
        "cached_tokens": usage.cached_tokens if usage else None,
        "cache_write_tokens": usage.cache_write_tokens if usage else None,
        "cost_usd": float(usd(attempt.cost_nusd)),
        "latency_s": None if attempt.seconds is None else round(attempt.seconds, 3),
        "max_output_tokens": attempt.max_output_tokens,
        "finish_reason": attempt.finish,
        "calls": attempt.calls,
        "error": attempt.error,
        "run_id": where.run_id,
        "started_at": started_at,
        "price_date": price_date,
        **(more or {}),
    }
