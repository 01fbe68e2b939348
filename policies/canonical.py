"""The canonical form of an answer: two answers are the same exactly if their canonical forms are equal.

Votes, verifiers and grades all compare canonical forms, so that ``0.5``, ``1/2``, ``.50`` and ``5e-1`` are one
answer. Numbers are compared exactly, never as floats, and in work that grows with the length of their text:
``1e999999999`` is kept as an exponent and not written out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from fractions import Fraction

__all__ = ["canonical", "is_number", "last_number"]

_MINUS = "-\u2212\u2013"  # hyphen, minus sign, en dash
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")

_SIGN = r"[-+\u2212\u2013]"
_CURRENCY = "[$€£¥₹]"
_DECIMAL = r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<!\.)\.[0-9]+)"
_TIMES_TEN = r" ?(?:[xX*\u00d7\u00b7]|\\times|\\cdot) ?10 ?"
_POWER = (
    rf"[eE](?P<exponent>{_SIGN}?[0-9]+)"
    rf"|{_TIMES_TEN}(?:(?:\^|\*\*) ?\{{?(?P<power>{_SIGN}?[0-9]+)\}}?|(?P<raised>[⁻⁺]?[⁰¹²³⁴-⁹]+))"
)
_BELOW = rf" ?/ ?(?P<below>{_SIGN}?{_DECIMAL})"
_PREFIX = rf"(?P<prefix>{_CURRENCY} ?{_SIGN}|(?:(?<![)\]}}%]){_SIGN})?(?:{_CURRENCY} ?)?)"
_NUMBER = rf"{_PREFIX}(?P<digits>{_DECIMAL})(?:{_POWER}|{_BELOW})?"

_WHOLE = re.compile(rf"{_NUMBER}\.?(?: ?(?:\\?%|{_CURRENCY}))?")
# Not inside a word (x1), not inside a number, and not the tail of 1.2.3.
_INSIDE = re.compile(rf"(?<![A-Za-z0-9_])(?<![0-9]\.){_NUMBER}")

_MOST_ZEROS = 30  # a number is written out with at most this many zeros added, then with an exponent
_MOST_EXPONENT_DIGITS = 18
_MOST_RATIO_DIGITS = 300  # either side of a/b; a longer one is compared as text


def canonical(value: object) -> str | None:
    """Write a value in the form in which answers are compared; None for None and for blank text.

    - Numbers, and text that is nothing but a number: integers and finite decimals are written plainly (``1000``,
      ``0.5``), others as a reduced fraction (``1/3``), and very large or small ones with an exponent
      (``1.5e999``). Thousands commas, a currency sign and a per cent sign are dropped: ``50%`` is ``50``, not
      ``0.5``, because questions that ask for a percentage are answered both with and without the sign.
    - ``True`` and ``False`` are ``true`` and ``false``; NaN and infinities are text (``nan``, ``inf``).
    - Lists, tuples, sets and mappings are JSON with every member in canonical form; sets and keys are sorted.
    - Any other value is the text ``str`` gives: runs of white space become one blank and case is folded, but a
      single letter is a capital, as choices are written.

    Idempotent: ``canonical(canonical(value)) == canonical(value)``.
    """
    if value is None:
        return None
    text = _folded(_text(value))
    if not text:
        return None
    if len(text) == 1 and "a" <= text <= "z":
        return text.upper()
    return _whole_number(text) or text


def is_number(text: str) -> bool:
    """Whether a text is nothing but a number that :func:`canonical` compares as one."""
    return _whole_number(_folded(text)) is not None


def last_number(text: str) -> str | None:
    """The last number written in a text, in canonical form; None if there is none.

    English notation: ``1,000.5``, ``-$5``, ``3/4``, ``6.02e23``, ``6.02 x 10^23``. A minus sign counts if it
    touches the number and does not follow a digit, a letter or a closing bracket: ``10-12`` ends in 12. Digits
    glued behind a letter (``x1``) are a name. Mixed numbers (``2 1/2``) and powers (``2^10``) are not worked out.
    """
    for match in reversed(list(_INSIDE.finditer(text))):
        number = _number(match)
        if number is not None:
            return number
    return None


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _whole_number(folded: str) -> str | None:
    match = _WHOLE.fullmatch(folded)
    return _number(match) if match else None


def _text(value: object) -> str:
    if isinstance(value, (list, tuple, AbstractSet, Mapping)):
        return json.dumps(_members(value), ensure_ascii=False, sort_keys=True)
    if isinstance(value, (int, Fraction)) and not isinstance(value, bool):
        top, below = Decimal(value.numerator), Decimal(value.denominator)  # str(int) refuses long integers
        return f"{top:f}" if below == 1 else f"{top:f}/{below:f}"
    return str(value)


def _members(value: object) -> object:
    if isinstance(value, Mapping):
        return {canonical(key) or "": _members(member) for key, member in value.items()}
    if isinstance(value, AbstractSet):
        return sorted(canonical(member) or "" for member in value)
    if isinstance(value, (list, tuple)):
        return [_members(member) for member in value]
    return canonical(value)


def _number(match: re.Match[str]) -> str | None:
    """A matched number in canonical form; None if it has no value (1/0) or would take too much work."""
    negative = any(sign in match["prefix"] for sign in _MINUS)
    if match["below"] is not None:
        return _ratio(negative, match["digits"], match["below"])
    exponent = _integer(match["exponent"] or match["power"] or (match["raised"] or "0").translate(_SUPERSCRIPTS))
    return None if exponent is None else _decimal(negative, match["digits"], exponent)


def _integer(text: str) -> int | None:
    digits = text.lstrip("+" + _MINUS).lstrip("0") or "0"
    if len(digits) > _MOST_EXPONENT_DIGITS:
        return None
    return -int(digits) if text[0] in _MINUS else int(digits)


def _ratio(negative: bool, above: str, below: str) -> str | None:
    if max(len(above), len(below)) > _MOST_RATIO_DIGITS:
        return None
    divisor = Fraction(below.lstrip("+" + _MINUS).replace(",", ""))
    if divisor == 0:
        return None
    value = Fraction(above.replace(",", "")) / divisor
    negative ^= below[0] in _MINUS
    places = value.denominator.bit_length()
    if 10**places % value.denominator == 0:  # a finite decimal
        return _decimal(negative, str(value.numerator * 10**places // value.denominator), -places)
    return f"{'-' if negative else ''}{value}"


def _decimal(negative: bool, digits: str, exponent: int) -> str:
    """Digits (with commas and a point) times a power of ten, by moving the point: no big integer is ever made."""
    whole, _, part = digits.replace(",", "").partition(".")
    significant = (whole + part).lstrip("0")
    kept = significant.rstrip("0")
    if not kept:
        return "0"
    exponent += len(significant) - len(kept) - len(part)
    point = len(kept) + exponent  # digits before the point
    if 0 <= exponent <= _MOST_ZEROS:
        body = kept + "0" * exponent
    elif exponent < 0 < point:
        body = f"{kept[:point]}.{kept[point:]}"
    elif -_MOST_ZEROS <= point <= 0:
        body = f"0.{'0' * -point}{kept}"
    else:
        body = f"{kept[0]}{'.' if kept[1:] else ''}{kept[1:]}e{point - 1}"
    return f"{'-' if negative else ''}{body}"
