"""The letter of a multiple choice answer, as a model states it in prose, Markdown or LaTeX.

Ways of stating it are tried from the surest to the weakest, and within one way the last statement counts:

1. after words that announce an answer: ``The answer is (B)``, ``Answer: C.``, ``I choose D``;
2. boxed, in bold or alone on a line: ``\\boxed{B}``, ``**B**``, ``B.``;
3. marked inside a sentence: ``so it must be (B)``, ``option B``;
4. at the start of a line, if all such lines name one letter: ``B) Paris`` (a list of the options states nothing).

The article "A" and the pronoun "I" are letters only where the text around them leaves no other reading.
"""

from __future__ import annotations

import re

__all__ = ["last_choice"]

_GAP = r"[\s*_:=>\-\u2013\u2014]"
_ANNOUNCED = (
    r"\b(?:answers?|(?:correct|right|best) (?:option|choice|one)|choose|pick|select|go with)\b"
    r"(?: (?:to|for) [^.:\n]{1,80}? is\b)?"
    rf"(?:{_GAP}{{1,8}}(?:is|was|be|would|should|must|will|option|choice|letter|the|therefore|thus|clearly"
    rf"|most|likely|probably|final|correct|best)\b){{0,4}}{_GAP}{{0,8}}"
)
_OPENED = r"(?:[*_`\"'\u201c\u2018$]|\\(?:boxed|text|textbf|mathrm|mathbf) ?\{){0,6}"
_CLOSED = r"[*_`\"'\u201d\u2019)\]}$ ]{0,6}"
_BARE = (
    r"(?:[B-HJ](?![A-Za-z0-9_'\u2019]|-[A-Za-z])"
    rf"|A(?={_CLOSED}(?:[.,:;!?(\n\u2013\u2014-]|\Z|(?:because|since|as|and|is)\b))(?!-[A-Za-z])"
    rf"|I(?={_CLOSED}\.? {{0,2}}(?:\n|\Z)))"
)

_STATED = (
    re.compile(rf"(?i:{_ANNOUNCED}){_OPENED}(?:[(\[] ?([A-Ja-j]) ?[)\]]|({_BARE}))"),
    re.compile(
        r"\\boxed ?\{ ?(?:\\text ?\{)? ?\(?([A-Ja-j])\)? ?\}"
        r"|\*\*\(?([A-HJ])\)?[.:]?\*\*"
        r"|^[ \t>*_`\"'(\[$]{0,6}([A-J])[)\]*_`\"'$.:]{0,6}[ \t\r]{0,4}$",
        re.MULTILINE,
    ),
    re.compile(r"(?<=\S )[(\[]([A-Ja-hj])[)\]]|\b(?i:option|choice) ([A-HJ])\b(?!['\u2019])"),
)
_LINE = re.compile(r"^[ \t>*_-]{0,6}(?:[(\[]([A-Ja-hj])[)\]]|([A-HJ])[).:])", re.MULTILINE)
_LONE = re.compile(r"[\W_]{0,6}([A-Ja-j])[\W_]{0,6}")


def last_choice(text: str) -> str | None:
    """The letter (A to J) a text states as its choice, the last one if it states several; None if none."""
    lone = _LONE.fullmatch(text.strip())
    if lone:
        return lone[1].upper()
    for stated in _STATED:
        letters = _letters(stated, text)
        if letters:
            return letters[-1]
    starts = set(_letters(_LINE, text))
    return starts.pop() if len(starts) == 1 else None


def _letters(pattern: re.Pattern[str], text: str) -> list[str]:
    return [match[match.lastindex or 0].upper() for match in pattern.finditer(text)]
