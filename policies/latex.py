"""Answers in LaTeX: the last ``\\boxed{...}`` of a text, put into plain words and numbers."""

from __future__ import annotations

import re

from thinkcap.policies.canonical import is_number

__all__ = ["last_boxed"]

_BRACE = re.compile(r"\\f?boxed ?\{|\\.|[{}]", re.DOTALL)
_SPACING = re.compile(r"\\(?:left|right|displaystyle)(?![A-Za-z])|\\[!,;: ]|\\?\$|\^ ?\{? ?\\circ ?\}?")
_FRACTION = re.compile(r"\\[dtc]?frac(?: ?\{([^{}]*)\} ?\{([^{}]*)\}| ?([0-9]) ?([0-9]))")
_WORDS = re.compile(r"\\(?:text|textbf|textrm|textit|mbox|mathrm|mathbf) ?\{([^{}]*)\}")
_UNIT = re.compile(_WORDS.pattern + r"(?:\^ ?\{?-?[0-9]+\}?)? *\Z")
_WRAPPED = re.compile(r"\(([A-Za-z])\)|\{([^{}]*)\}")


def last_boxed(text: str) -> str | None:
    r"""The content of the last complete ``\boxed{...}`` (braces balanced), in plain notation; None if there is none.

    ``\frac``, ``\dfrac``, ``\tfrac`` and ``\cfrac`` become ``a/b``; ``\text{...}`` and its kin are dropped
    behind a number, where they are a unit, and are opened elsewhere; spacing commands, ``$`` and degree signs go;
    ``(B)`` is ``B``. Formulas are compared as they are written: ``x+1`` and ``1+x`` differ.
    """
    content = _last_box(text)
    if content is None:
        return None
    plain = _plain(content)
    if is_number(plain):
        return plain
    return re.sub(r" ?([-+*/=<>^()\[\]]) ?", r"\1", re.sub(r" ?, ?", ", ", plain))


def _last_box(text: str) -> str | None:
    """One pass over the braces; of boxes inside each other, the inner one is the last."""
    opened: list[int | None] = []  # for each open brace: where its box begins, None if it is no box
    first = last = -1
    for token in _BRACE.finditer(text):
        if token[0] == "{":
            opened.append(None)
        elif token[0] == "}" and opened:
            start = opened.pop()
            if start is not None and start > first:
                first, last = start, token.start()
        elif token[0].endswith("{") and "boxed" in token[0]:
            opened.append(token.end())
    return text[first:last] if first >= 0 else None


def _plain(content: str) -> str:
    plain = _SPACING.sub("", content.replace("{,}", ",")).replace("\\%", "%").replace("~", " ")
    plain = _FRACTION.sub(_ratio, " ".join(plain.split()))
    unit = _UNIT.search(plain)
    if unit and is_number(plain[: unit.start()]):
        plain = plain[: unit.start()]
    plain = " ".join(_WORDS.sub(r" \1 ", plain).split())
    inner = _WRAPPED.fullmatch(plain)
    return inner[1] or inner[2].strip() if inner else plain


def _ratio(match: re.Match[str]) -> str:
    sides = [side.strip() for side in match.groups() if side is not None]
    return "/".join(side if re.fullmatch(r"[\w.,\\]*", side) else f"({side})" for side in sides)
