"""Going on with a question that an earlier process began: its recorded attempts, as the episode goes on from them.

They are read, never made again, so they cost nothing; what was in flight when the process ended is not among them,
and stays reserved in a ledger on disk.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated, Any

import pydantic

from thinkcap.controller.recorder import Recorder
from thinkcap.policies.errors import BadInput
from thinkcap.policies.money import NANO
from thinkcap.policies.values import Arm, Attempt, Finish, Usage

__all__ = ["Name", "attempts_of", "read_all_attempts", "read_attempts", "resumable"]

Name = tuple[str | None, str]
"""A question's dataset, where it has one, and its id."""

_LONGEST_LINE = 64 * 2**20
"""Characters of a line beyond which it is not read: no attempt is as long."""

Count = Annotated[int, pydantic.Field(ge=0, le=2**53)]


class _Row(pydantic.BaseModel):
    """The columns of a recording that an attempt is made of."""

    model_config = pydantic.ConfigDict(strict=True)

    arm: str
    answer: str | None
    cost_usd: Annotated[float, pydantic.Field(ge=0, le=2**53 / NANO)]
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    finish_reason: Finish
    verified: bool | None = None
    max_output_tokens: Count | None = None
    calls: Count
    latency_s: float | None = None
    error: str | None = None
    text: str | None = None

    def attempt(self, number: int, arm: Arm) -> Attempt:
        usage = None
        if self.prompt_tokens is not None and self.completion_tokens is not None:
            usage = Usage(
                self.prompt_tokens,
                self.completion_tokens,
                self.reasoning_tokens,
                self.cached_tokens,
                self.cache_write_tokens,
            )
        return Attempt(
            number,
            arm,
            self.answer,
            round(self.cost_usd * NANO),
            usage=usage,
            finish=self.finish_reason,
            verified=self.verified,
            max_output_tokens=self.max_output_tokens,
            calls=self.calls,
            seconds=self.latency_s,
            error=self.error,
            text=self.text,
        )


def attempts_of(recorder: Recorder | None, question_id: str | None, arms: Iterable[Arm]) -> tuple[Attempt, ...]:
    """The attempts that a controller's recorder holds of a question.

    Raises:
        BadInput: if there is no recorder, it keeps hashes instead of answers, or the question has no name; and as
            :func:`read_attempts`.
    """
    if not question_id:
        raise BadInput("resume=True needs id=, the question's name, and a controller with a recorder=")
    return read_attempts(resumable(recorder), str(question_id), arms)


def resumable(recorder: Recorder | None) -> Path:
    """The recording that a controller can go on from.

    Raises:
        BadInput: if there is no recorder, or it keeps hashes instead of answers.
    """
    if recorder is None:
        raise BadInput("resume=True needs id=, the question's name, and a controller with a recorder=")
    if not recorder.keeps_answers:
        raise BadInput("resume=True needs the answers themselves: Recorder(..., keep_answers=True)")
    return recorder.path


def read_attempts(path: Path, question_id: str, arms: Iterable[Arm]) -> tuple[Attempt, ...]:
    """The attempts at a question that a recording holds, in the order they were made.

    Raises:
        BadInput: if one was made at another arm than these, or cannot be read.
    """
    return read_all_attempts(path, [(None, question_id)], arms)[None, question_id]


def read_all_attempts(path: Path, names: Iterable[Name], arms: Iterable[Arm]) -> dict[Name, tuple[Attempt, ...]]:
    """The attempts at several questions (dataset and id), as :func:`read_attempts` reads those at one."""
    by_label = {arm.label: arm for arm in arms}
    attempts: dict[Name, list[Attempt]] = {name: [] for name in names}
    try:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                name, row = _row(line, f"{path}, line {number}", attempts)
                if row is None or (row.finish_reason == "ceiling" and not row.calls):
                    continue  # what was refused before it was sent is still to be made
                if row.arm not in by_label:
                    raise BadInput(
                        f"{name[1]!r} was begun with the arm {row.arm!r}, which is not among these "
                        f"({', '.join(by_label)}): give the same arms to go on with it"
                    )
                attempts[name].append(row.attempt(len(attempts[name]) + 1, by_label[row.arm]))
    except OSError as error:
        raise BadInput(f"cannot read the recording {path}: {error.strerror}") from None
    return {name: tuple(made) for name, made in attempts.items()}


def _row(line: str, where: str, names: Collection[Name]) -> tuple[Name, _Row | None]:
    """The line as a row of one of the questions; None if it is another's, or was cut when a process was killed."""
    other = (None, "")
    if len(line) > _LONGEST_LINE:
        raise BadInput(f"{where} is too long for an attempt: this is no recording of thinkcap's")
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        return other, None
    if not isinstance(found, dict):
        return other, None
    dataset, question_id = found.get("dataset"), found.get("question_id")
    if not isinstance(question_id, str) or not isinstance(dataset, str | None) or (dataset, question_id) not in names:
        return other, None
    try:
        return (dataset, question_id), _Row.model_validate(found)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        column = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{where} cannot be an attempt: {column}: {first['msg']}") from None
