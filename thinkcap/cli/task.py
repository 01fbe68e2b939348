"""A task of ``thinkcap solve``: a question whose account, options and attempts outlive the process.

The account is in the ledger, under the task's name. Beside the ledger lies the task's recording: its first line holds
the options the task was begun with, and each further line an attempt, with its answer and text. (The recorder keeps
only hashes of answers elsewhere; a task must be able to print the answer it comes to.) Both files are readable by
their owner only.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pydantic

from thinkcap.controller import Ceiling, Recorder
from thinkcap.controller.ledger import SqliteLedger
from thinkcap.controller.resuming import read_attempts
from thinkcap.policies import Arm, Attempt, BadInput

__all__ = ["Options", "Task", "file_name", "open_task"]


class Options(pydantic.BaseModel):
    """What a question is asked with: the options of ``thinkcap solve`` that a task remembers."""

    model_config = pydantic.ConfigDict(frozen=True, strict=True, extra="forbid")

    question: str | None
    arm: list[str] | None
    ceiling: str
    policy: str | None
    extract: str | None
    verify: str | None
    seconds: float | None
    base_url: str | None
    price: list[str] | None
    api: str
    max_output_tokens: int | None
    temperature: float | None
    local: bool
    accuracy: float | None = None
    mean_usd: float | None = None
    worth_usd: float | None = None


_OF_THE_LEDGER = frozenset({"ceiling", "seconds"})
_MAY_CHANGE = frozenset({"base_url"})
"""The same model may be served elsewhere, or at another port, when a task goes on."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task that no other process is working on.

    Attributes:
        name: its account's name.
        options: what it is asked with.
        ceiling: its account's.
        path: its recording.
        begun: it was begun by an earlier process.
    """

    name: str
    options: Options
    ceiling: Ceiling
    path: Path
    begun: bool

    def recorder(self) -> Recorder:
        """Its recording, to go on with."""
        return Recorder(self.path, keep_answers=True, keep_text=True, about={"task": self.options.model_dump()})

    def attempts(self, arms: Iterable[Arm]) -> tuple[Attempt, ...]:
        """What it has paid for so far."""
        return read_attempts(self.path, self.name, arms)


@contextmanager
def open_task(
    name: str, ledger: str | None, options: Options, given: Collection[str], *, resume: bool
) -> Iterator[Task]:
    """Begin a task, or go on with one; no other process can as long as the block runs.

    Args:
        name: its name.
        ledger: the file its account is in.
        options: as they were typed.
        given: the names of those that were typed; the others have their defaults.
        resume: go on with a task that was begun.

    Raises:
        BadInput: if it was begun and is not to go on, is being worked on, or was begun with other options.
        LedgerFailed: if the ledger cannot be used.
    """
    if ledger is None:
        raise BadInput("--task needs --ledger FILE: the file its account is kept in")
    path = Path(f"{ledger}.{file_name(name)}.jsonl")
    existed = path.exists()
    with _alone(path, name):
        ceiling = _ceiling_of(name, ledger)
        if ceiling is None:
            _empty(path, name)
            _check(options)
            yield Task(name, options, Ceiling(usd=options.ceiling, seconds=options.seconds), path, begun=False)
            return
        if not existed:
            path.unlink()
            raise BadInput(f"the recording of task {name!r}, {path}, is gone: put it back, or take another name")
        if not resume:
            raise BadInput(f"task {name!r} was begun before: add --resume to go on with it, or take another name")
        before = _stored(path, name)
        for option in sorted(given):
            if option not in _OF_THE_LEDGER | _MAY_CHANGE and getattr(options, option) != getattr(before, option):
                raise BadInput(
                    f"task {name!r} was begun with another {_spelled(option)} ({getattr(before, option)!r}): "
                    "leave it out to go on, or begin another task"
                )
        before = before.model_copy(update={option: getattr(options, option) for option in _MAY_CHANGE & set(given)})
        if _OF_THE_LEDGER & set(given):
            ceiling = Ceiling(
                usd=options.ceiling if "ceiling" in given else ceiling.usd,
                seconds=options.seconds if "seconds" in given else ceiling.seconds,
            )
        yield Task(name, before, ceiling, path, begun=True)


def file_name(name: str) -> str:
    """The name as part of a file's; told apart from other names that would be written alike."""
    plain = re.sub(r"[^\w.-]+", "-", name)[:80]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _spelled(option: str) -> str:
    return option if option == "question" else f"--{option.replace('_', '-')}"


@contextmanager
def _alone(path: Path, name: str) -> Iterator[None]:
    """Hold the task's file; another process that holds it is told of, and the lock of a killed one is free."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise BadInput(f"cannot write the task's recording {path}: {error.strerror}") from None
    try:
        _lock(descriptor, name)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, name: str) -> None:
    try:
        import fcntl
    except ImportError:  # pragma: no cover - where there is none, two processes may work on one task
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise BadInput(f"another process is working on task {name!r}: wait for it, or end it") from None


def _ceiling_of(name: str, ledger: str) -> Ceiling | None:
    """The ceiling of the task's account; None if there is no such account yet."""
    if not Path(ledger).exists():
        return None
    books = SqliteLedger(ledger)
    try:
        ceiling: Ceiling | None = books.levels(name)[0].ceiling
    except BadInput:
        return None
    finally:
        books.close()
    if ceiling is None:
        raise BadInput(f"account {name!r} in {ledger} has no ceiling of its own, so it is no task: take another name")
    return ceiling


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for line in file:
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(found, dict):
                yield found


def _empty(path: Path, name: str) -> None:
    """Forget what a process wrote that was killed before it opened the account; never an attempt."""
    if any("question_id" in line for line in _lines(path)):
        raise BadInput(f"{path} holds attempts of a task {name!r} that the ledger does not know: take another name")
    os.truncate(path, 0)


def _stored(path: Path, name: str) -> Options:
    for line in _lines(path):
        if "question_id" not in line and "task" in line:
            try:
                return Options.model_validate(line["task"])
            except pydantic.ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"])
                raise BadInput(f"{path} cannot be a task's recording: {where}: {first['msg']}") from None
    raise BadInput(f"{path} does not say what task {name!r} asks: take another name")


def _check(options: Options) -> None:
    if options.question is None:
        raise BadInput("say what to ask: thinkcap solve QUESTION --task NAME ... (see thinkcap solve --help)")
    if options.base_url is not None and urlsplit(options.base_url).username is not None:
        raise BadInput("a task writes its --base-url down: leave the key out of it, and set OPENAI_API_KEY instead")
