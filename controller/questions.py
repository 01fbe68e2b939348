"""Reading a file of questions: JSON lines, one question a line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from thinkcap.policies import BadInput, Item, canonical
from thinkcap.policies.canonical import is_number

__all__ = ["read_questions"]

_KNOWN = {"question_id", "id", "question", "answer", "extract", "verify", "dataset", "group"}


def read_questions(path: str | os.PathLike[str], *, extract: str | None = None) -> list[Item]:
    """The questions of a JSON-lines file.

    Each line is an object with ``question`` and, where known, ``question_id`` (or ``id``; by default the line's
    number), ``answer``, ``extract``, ``verify``, ``dataset`` and ``group``; see :class:`thinkcap.policies.Item`.

    Args:
        path: the file.
        extract: how answers are read where a line does not say; by default ``"number"`` if the line's answer
            is one, else ``"text"``.

    Raises:
        BadInput: naming the line and what is wrong with it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read the questions in {path}: {error}") from None
    items: list[Item] = []
    seen: set[tuple[str | None, str]] = set()
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            item = _read(line, f"{path}, line {number}", number, extract)
            if (item.dataset, item.question_id) in seen:
                raise BadInput(f"{path}, line {number}: the question id {item.question_id!r} stands there twice")
            seen.add((item.dataset, item.question_id))
            items.append(item)
    if not items:
        raise BadInput(f'{path} holds no questions; write one a line: {{"question": "...", "answer": "..."}}')
    return items


def _read(line: str, where: str, number: int, extract: str | None) -> Item:
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}: not JSON ({error})") from None
    if not isinstance(found, dict) or not isinstance(found.get("question"), str):
        raise BadInput(f'{where}: each line must be an object with a text under "question"')
    for name in ("dataset", "group", "extract"):
        if not isinstance(found.get(name), str | None):
            raise BadInput(f"{where}: {name} must be text or null, not {found[name]!r}")
    unknown = found.keys() - _KNOWN
    if unknown:
        raise BadInput(f"{where}: unknown field {min(unknown)!r}; known are {', '.join(sorted(_KNOWN))}")
    answer = found.get("answer")
    if answer is not None and not isinstance(answer, str):
        answer = canonical(answer)  # true, 7 and [1, 2] as an answer read from a text is written
    try:
        return Item(
            question_id=_name(found, number),
            question=found["question"],
            answer=answer,
            extract=found.get("extract") or extract or ("number" if answer and is_number(answer) else "text"),
            verify=found.get("verify"),
            dataset=found.get("dataset"),
            group=found.get("group"),
        )
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None


def _name(found: dict[str, Any], number: int) -> str:
    given = [found[name] for name in ("question_id", "id") if found.get(name) is not None] or [number]
    if isinstance(given[0], bool) or not isinstance(given[0], str | int):
        raise BadInput(f"a question's id must be text or a whole number, not {given[0]!r}")
    return str(given[0])
