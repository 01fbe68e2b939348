"""Writing attempts down as they are made: JSON lines, private by default.

No prompt and no output text is written, and the answer only as a keyed hash of its canonical form: equality is
all that voting, and so replay, needs. The key lies beside the file, readable by its owner only; without it the
hashes cannot be turned back by trying likely answers.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from thinkcap.policies.answers import ANSWER_VERSION
from thinkcap.policies.errors import BadInput
from thinkcap.policies.row import SCHEMA, Where, header, row
from thinkcap.policies.values import Attempt

__all__ = ["Recorder"]

_LENGTH = 20
"""Hexadecimal digits of a hashed answer: 80 bits, so that two answers never share a hash by accident."""


class Recorder:
    """Appends attempts to a recording that replay can read.

    Args:
        path: the file, ``*.jsonl``; it is created, or appended to, readable by its owner only.
        keep_answers: write answers as they are, instead of keyed hashes.
        keep_text: write the output text too.
        about: what the first line of a new file says of how it was made.

    Attributes:
        holds: the attempts the file holds: (dataset, question, arm's label, attempt from 0).
        keeps_answers: answers are written as they are.

    Safe to use from several threads. Each attempt is one line, written and flushed at once: what was paid for is
    on disk before the next call is made.

    Raises:
        BadInput: if the file cannot be written, holds something else than a recording, or holds answers in another
            form than they would be written in now (as they are, or hashed with a key that is gone).
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep_answers: bool = False,
        keep_text: bool = False,
        about: dict[str, Any] | None = None,
    ) -> None:
        self.path = Path(path)
        if not self.path.name.endswith(".jsonl"):
            raise BadInput(f"a recording is written as JSON lines: call it something.jsonl, not {self.path.name!r}")
        self.keeps_answers = keep_answers
        self._keep_text = keep_text
        self._about = about or {}
        self._lock = threading.Lock()
        self._made: Counter[tuple[str | None, str, str]] = Counter()
        self.holds: set[tuple[str | None, str, str, int]] = set()
        self._hashed = False  # an answer in the file is hashed
        self._file = self._open()
        try:
            self._key = b"" if keep_answers else _key(self.path.with_name(f"{self.path.name}.key"), old=self._hashed)
        except BadInput:
            self._file.close()
            raise

    def write(
        self,
        attempt: Attempt,
        where: Where,
        *,
        correct: bool | None = None,
        index: int | None = None,
        started_at: float | None = None,
        price_date: str | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        """Append one attempt; ``index`` counts the attempts at this question and arm from 0 (by itself if left out)."""
        extra: dict[str, Any] = {"answer_version": ANSWER_VERSION, **(more or {})}
        if self._keep_text:
            extra["text"] = attempt.text
        place = (where.dataset, where.question_id, attempt.arm.label)
        with self._lock:
            if index is None:
                index = self._made[place]
            line = row(
                attempt,
                where,
                index=index,
                answer=self.seal(attempt.answer),
                correct=correct,
                started_at=started_at,
                price_date=price_date,
                more=extra,
            )
            try:
                self._file.write(json.dumps(line) + "\n")
                self._file.flush()
            except OSError as error:
                raise BadInput(f"cannot write the recording {self.path}: {error.strerror}") from None
            self._remember(*place, index)

    def seal(self, answer: str | None) -> str | None:
        """The answer as it is written down."""
        if answer is None or self.keeps_answers:
            return answer
        return hmac.new(self._key, answer.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:_LENGTH]

    def name(self, question: object) -> str:
        """A name for a question that was given none: a keyed hash, the same whenever the same is asked."""
        text = json.dumps(question, sort_keys=True, default=repr)
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:_LENGTH]

    def close(self) -> None:
        """Close the file; nothing is lost if this is never called."""
        with suppress(OSError):  # of a line that could not be written: write() has said so
            self._file.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> TextIO:
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise BadInput(f"cannot write the recording {self.path}: {error.strerror}") from None
        file = os.fdopen(descriptor, "r+", encoding="utf-8", errors="replace", newline="\n")
        try:
            if not self._resume(file):
                file.write(json.dumps(header(answers=self._form, **self._about)) + "\n")
                file.flush()
        except OSError as error:
            with suppress(OSError):
                file.close()
            raise BadInput(f"cannot write the recording {self.path}: {error.strerror}") from None
        except BadInput:
            file.close()
            raise
        return file

    @property
    def _form(self) -> str:
        return "plain" if self.keeps_answers else "keyed hash"

    def _resume(self, file: TextIO) -> bool:
        """Count what the file holds, and end a last line that an earlier run was killed in; False for an empty file."""
        file.seek(0)
        begun, last = False, "\n"
        for last in file:
            found = _read(last)
            if found is not None and "schema" in found and "question_id" not in found:
                self._check(found)
                begun = True
            elif not begun and last.strip() and not _is_cut_header(last):
                raise BadInput(f"{self.path} holds something else than a recording: record to another file")
            elif found is not None:
                self._count(found)
        file.seek(0, os.SEEK_END)
        if not last.endswith("\n"):
            file.write("\n")
        return begun

    def _check(self, head: dict[str, Any]) -> None:
        """Refuse a recording whose rows would not be like those written now."""
        if head["schema"] != SCHEMA or head.get("answer_version", ANSWER_VERSION) != ANSWER_VERSION:
            raise BadInput(f"{self.path} was recorded in another format ({head['schema']}): record to another file")
        if head.get("answers", self._form) != self._form:
            raise BadInput(
                f"{self.path} holds answers as {head['answers']}, not as {self._form}: "
                "record to another file, or the same way as before"
            )

    def _count(self, found: dict[str, Any]) -> None:
        if "question_id" in found and isinstance(index := found.get("attempt"), int):
            self._remember(found.get("dataset"), str(found["question_id"]), str(found.get("arm")), index)
            self._hashed = self._hashed or found.get("answer") is not None

    def _remember(self, dataset: str | None, question_id: str, arm: str, index: int) -> None:
        place = (dataset, question_id, arm)
        self._made[place] = max(self._made[place], index + 1)
        self.holds.add((*place, index))


def _is_cut_header(line: str) -> bool:
    """An earlier run was killed while it wrote the first line."""
    begins = json.dumps(header()).removesuffix("}")[: len(line)]  # more may follow, of how it was made
    return not line.endswith("\n") and line[: len(begins)] == begins and _read(line) is None


def _read(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _key(path: Path, *, old: bool) -> bytes:
    """The key beside the recording, made on first use; ``old``: the recording needs the one it was made with."""
    if old and not path.exists():
        raise BadInput(f"the recording's key {path} is gone: put it back, or record to another file")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        try:
            key = path.read_bytes()
        except OSError as error:
            raise BadInput(f"cannot read the recording's key {path}: {error.strerror}") from None
        if len(key) < 32:
            raise BadInput(f"{path} is not a recording's key; move it away, or record to another file") from None
        return key
    except OSError as error:
        raise BadInput(f"cannot write the recording's key {path}: {error.strerror}") from None
    key = secrets.token_bytes(32)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
    return key
