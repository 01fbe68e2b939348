"""On which line of a plan a value stands, so that a mistake is told with its line."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["line_of"]


def line_of(text: str, where: Sequence[int | str]) -> int:
    """The line, from 1, of a value in TOML text.

    Args:
        text: the file.
        where: the way to the value, as pydantic tells it: ``("option", 1, "points", 0, "usd")``. What is not found,
            such as a key that is missing, is told by the line of what holds it.
    """
    lines = [line.partition("#")[0] for line in text.splitlines()]
    first, last, found = 0, len(lines), 1
    header = ""
    for name, place in _steps(where):
        header = f"{header}.{name}" if header else name
        starts = [n for n in range(first, last) if re.fullmatch(rf"\s*\[\[\s*{re.escape(header)}\s*\]\]\s*", lines[n])]
        if place is not None and place < len(starts):
            first = starts[place]
            last = starts[place + 1] if place + 1 < len(starts) else last
            found = first + 1
            continue
        keys = [n for n in range(first, last) if re.match(rf"\s*{re.escape(name)}\s*=", lines[n])]
        if not keys:
            return found
        first = keys[0]
        found = first + 1
        if place is not None:
            braces = [n for n in range(first, last) for _ in range(lines[n].count("{"))]
            return braces[place] + 1 if place < len(braces) else found
    return found


def _steps(where: Sequence[int | str]) -> list[tuple[str, int | None]]:
    """Names with the number that follows each, where one does."""
    steps: list[tuple[str, int | None]] = []
    for part in where:
        if isinstance(part, int) and steps:
            steps[-1] = (steps[-1][0], part)
        elif isinstance(part, str):
            steps.append((part, None))
    return steps
