"""How the answer is read out of what a model wrote.

Reading has two steps: an extractor finds the answer in a text, and :func:`canonical` writes it in the form in
which answers are compared. Both are pure and take time that grows with the length of the text, whatever it holds.
A recording names the rules it was made with (``answer_version``); they change only together with that number.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from thinkcap.policies.canonical import canonical, last_number
from thinkcap.policies.choice import last_choice
from thinkcap.policies.errors import BadInput
from thinkcap.policies.latex import last_boxed

__all__ = ["ANSWER_VERSION", "Extract", "Extractor", "Reading", "canonical", "extractor", "one_line"]

ANSWER_VERSION: int = 1
"""The version of the rules of extraction and of the canonical form; answers of two versions are not comparable."""

Extract = str | Callable[[str], object]
"""``"number"``, ``"choice"``, ``"boxed"``, ``"json:FIELD"``, ``"text"``, or a function of the text."""

_QUOTES = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb"


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from one text.

    Attributes:
        answer: the answer, in canonical form; None if there is none to read (it costs, and never votes).
        error: one line on why the extractor failed; None if it did not. A text without an answer is no failure.
    """

    answer: str | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Extractor:
    """Finds the answer in a text.

    Attributes:
        name: its name in recordings and messages.
        find: text in, answer out; None where there is none.
        as_written: leave what was found as it is instead of writing it in canonical form.
    """

    name: str
    find: Callable[[str], object]
    as_written: bool = False

    def read(self, text: str) -> Reading:
        """Read the answer from a text. An exception of ``find`` becomes the reading's error, on one line."""
        try:
            found = self.find(text)
            if inspect.iscoroutine(found):
                found.close()
                raise TypeError("it must be a plain function, not async")
            answer = (str(found) or None) if self.as_written and found is not None else canonical(found)
        except Exception as error:
            return Reading(None, f"the extractor {self.name} failed with {one_line(error)}")
        return Reading(answer)


def extractor(spec: Extract | None) -> Extractor:
    """The extractor that a caller means.

    - ``"number"``: the last number in the text (:func:`thinkcap.policies.canonical.last_number`).
    - ``"choice"``: the letter of a multiple choice, the last one stated (:mod:`thinkcap.policies.choice`).
    - ``"boxed"``: the last ``\\boxed{...}``, freed of LaTeX (:func:`thinkcap.policies.latex.last_boxed`).
    - ``"json:FIELD"``: a field of the last JSON object in the text, fenced or not. ``json:a.b.0`` goes into
      objects by key and into lists by index. A missing field and ``null`` are no answer.
    - ``"text"``: the whole text without quotes around it and without a full stop at its end.
    - a function: whatever it returns for the text; None is no answer.
    - None: the whole text as it is written, for verifiers and for work that is not compared.

    Raises:
        BadInput: for anything else.
    """
    if spec is None:
        return Extractor("whole", lambda text: text.strip() or None, as_written=True)
    if isinstance(spec, str):
        return _named(spec)
    given: object = spec  # callers are not all type-checked
    if not callable(given) or inspect.iscoroutinefunction(given):
        raise BadInput(f"extract must be one of {_EXISTING} or a plain function of the text, not {spec!r}")
    return Extractor(getattr(spec, "__name__", type(spec).__name__), spec)


def one_line(error: BaseException) -> str:
    """An exception's type and message on one line of at most 300 characters."""
    return " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")[:300]


def _named(spec: str) -> Extractor:
    kind, colon, field = spec.partition(":")
    if kind == "json" and colon and all(field.split(".")):
        return Extractor(spec, partial(_last_json_field, tuple(field.split("."))))
    if spec not in _FINDERS:
        raise BadInput(f"no extractor is called {spec!r}; use one of {_EXISTING} or a function of the text")
    return Extractor(spec, _FINDERS[spec])


def _bare(text: str) -> str:
    return text.strip().lstrip(_QUOTES).rstrip(_QUOTES + ". \t\r\n")


_FINDERS: dict[str, Callable[[str], str | None]] = {
    "number": last_number,
    "choice": last_choice,
    "boxed": last_boxed,
    "text": _bare,
}
_EXISTING = ", ".join([*_FINDERS, "json:FIELD"])

# Numbers stay as they are written: no float rounds them and no length is refused.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
_OPENING = re.compile(r'\{(?=[ \t\r\n]*["}])')


def _last_json_field(path: tuple[str, ...], text: str) -> object:
    value = _last_json_object(text)
    for name in path:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isascii() and name.isdigit() and len(name) < 10:
            value = value[int(name)] if int(name) < len(value) else None
        else:
            return None
    return value


def _last_json_object(text: str) -> object:
    """The last outermost object that is valid JSON.

    Each broken object costs what was parsed of it and a hundredth of the text (its error looks for line breaks up
    to there); a text whose broken objects cost ten times its length is given up.
    """
    last: object = None
    patience = 10 * len(text)
    opening = _OPENING.search(text)
    while opening:
        start = opening.start()
        try:
            last, end = _DECODER.raw_decode(text, start)
        except json.JSONDecodeError as error:
            patience -= error.pos - start + len(text) // 100
            if patience < 0:
                raise ValueError("the text holds too many broken JSON objects") from None
            end = start + 1
        opening = _OPENING.search(text, end)
    return last
