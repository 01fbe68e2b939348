"""Questions with known answers, made from a seed: families from easy to hopeless for a very small model.

A family makes questions of one kind. Most have one right number; ``multiples`` and ``letters`` have many right answers
and a checker that knows one when it sees it, so that trying again pays off without a vote.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from thinkcap.policies import BadInput, Item

__all__ = [
    "FAMILIES",
    "RECORDED_EACH",
    "RECORDED_SEED",
    "SHIPPED",
    "Family",
    "fresh_questions",
    "fresh_seed",
    "make_questions",
]

_NAMES = ("Tom", "Anna", "Ben", "Mia", "Sam", "Lucy", "Max", "Ella", "Leo", "Nora")
_THINGS = ("apples", "books", "coins", "cards", "pens", "shells", "stamps", "marbles", "eggs", "cups")


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of question.

    Attributes:
        name: its name; the dataset of its questions.
        make: from a source of luck, the text of a question and its right answer or checker.
        extract: how the answer is read.
    """

    name: str
    make: Callable[[random.Random], tuple[str, int | dict[str, str]]]
    extract: str = "number"


def _sums_to_20(luck: random.Random) -> tuple[str, int]:
    a, b = luck.randint(2, 12), luck.randint(2, 12)
    return f"What is {a} + {b}?", a + b


def _sums(luck: random.Random) -> tuple[str, int]:
    a, b = luck.randint(11, 88), luck.randint(11, 88)
    return f"What is {a} + {b}?", a + b


def _differences(luck: random.Random) -> tuple[str, int]:
    a, b = luck.randint(31, 99), luck.randint(11, 29)
    return f"What is {a} - {b}?", a - b


def _products(luck: random.Random) -> tuple[str, int]:
    a, b = luck.randint(2, 12), luck.randint(2, 12)
    return f"What is {a} times {b}?", a * b


def _one_step(luck: random.Random) -> tuple[str, int]:
    who, what = luck.choice(_NAMES), luck.choice(_THINGS)
    a, b = luck.randint(2, 20), luck.randint(2, 20)
    said = luck.choice(("finds {b} more", "gets {b} more", "buys {b} more", "is given {b} more")).format(b=b)
    return f"{who} has {a} {what} and {said}. How many {what} does {who} have now?", a + b


def _two_steps(luck: random.Random) -> tuple[str, int]:
    who, what = luck.choice(_NAMES), luck.choice(_THINGS)
    a, b, c = luck.randint(5, 20), luck.randint(3, 15), luck.randint(2, 5)
    return (
        f"{who} has {a} {what}, buys {c} boxes of {b} {what} each and gives 2 away. "
        f"How many {what} does {who} have now?",
        a + b * c - 2,
    )


def _larger(luck: random.Random) -> tuple[str, int]:
    a, b = luck.sample(range(11, 99), 2)
    return f"Which number is larger, {a} or {b}?", max(a, b)


def _series(luck: random.Random) -> tuple[str, int]:
    first, step = luck.randint(1, 20), luck.randint(2, 9)
    shown = ", ".join(str(first + step * i) for i in range(4))
    return f"What comes next: {shown}?", first + step * 4


def _multiples(luck: random.Random) -> tuple[str, dict[str, str]]:
    of, low = luck.choice((6, 7, 8, 9, 11, 12, 13)), luck.randint(20, 70)
    high = low + 25
    right = [number for number in range(low + 1, high) if number % of == 0]
    return f"Name a multiple of {of} between {low} and {high}.", {"regex": "|".join(map(str, right))}


def _small_multiples(luck: random.Random) -> tuple[str, dict[str, str]]:
    of, times = luck.randint(3, 9), luck.randint(3, 8)
    low, high = of * times - luck.randint(1, of), of * (times + 2) + luck.randint(1, of)
    right = [number for number in range(low + 1, high) if number % of == 0]
    return f"Name a multiple of {of} between {low} and {high}.", {"regex": "|".join(map(str, right))}


def _pairs(luck: random.Random) -> tuple[str, dict[str, str]]:
    total = luck.randint(11, 60)
    pairs = "|".join(rf"{a} (?:\+|and) {total - a}" for a in range(1, total))
    return f"Name two numbers that add up to {total}.", {"regex": rf"(?:{pairs})(?: = {total})?"}


def _factors(luck: random.Random) -> tuple[str, dict[str, str]]:
    product = luck.randint(2, 10) * luck.randint(2, 10)
    pairs = "|".join(rf"{a} (?:x|and|times) {product // a}" for a in range(1, product + 1) if product % a == 0)
    return f"Name two numbers whose product is {product}.", {"regex": rf"(?:{pairs})(?: = {product})?"}


def _between(luck: random.Random) -> tuple[str, dict[str, str]]:
    low = luck.randint(20, 80)
    high = low + luck.randint(8, 16)
    return f"Name a number between {low} and {high}.", {"regex": "|".join(map(str, range(low + 1, high)))}


def _words(luck: random.Random) -> tuple[str, dict[str, str]]:
    first, length = luck.choice("abcdefghijklmnoprstw"), luck.randint(3, 7)
    return f"Name a word that begins with {first} and has {length} letters.", {"regex": f"{first}[a-z]{{{length - 1}}}"}


def _sums_with_digit(luck: random.Random) -> tuple[str, int]:
    a, b = luck.randint(11, 89), luck.randint(2, 9)
    return f"What is {a} + {b}?", a + b


def _three_terms(luck: random.Random) -> tuple[str, int]:
    a, b, c = (luck.randint(2, 9) for _ in range(3))
    return f"What is {a} + {b} + {c}?", a + b + c


def _letters(luck: random.Random) -> tuple[str, dict[str, str]]:
    first, last = luck.choice("bcdfghlmprst"), luck.choice("degklnrsty")
    return (
        f"Name a word that begins with {first} and ends with {last}.",
        {"regex": rf"(?s)(?:.*\bthe answer is )?{first}[a-z]+{last}"},
    )


def _backwards(luck: random.Random) -> tuple[str, int]:
    number = luck.randint(1234, 9876)
    return f"What is {number} written backwards, with its last digit first?", int(str(number)[::-1])


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("sums-to-20", _sums_to_20),
        Family("sums", _sums),
        Family("differences", _differences),
        Family("products", _products),
        Family("one-step", _one_step),
        Family("two-steps", _two_steps),
        Family("larger", _larger),
        Family("series", _series),
        Family("multiples", _multiples),
        Family("small-multiples", _small_multiples),
        Family("pairs", _pairs, "text"),
        Family("factors", _factors, "text"),
        Family("between", _between),
        Family("words", _words, "text"),
        Family("sums-with-digit", _sums_with_digit),
        Family("three-terms", _three_terms),
        Family("letters", _letters, "text"),
        Family("backwards", _backwards),
    )
}
"""Every family that was measured, by name."""

SHIPPED = ("products", "one-step", "words", "sums", "two-steps")

"""Families of the demo and of the recording, from easy to hopeless."""

RECORDED_SEED, RECORDED_EACH = 2026, 40
"""The questions of the shipped recording: their seed, and how many there are of each family."""


def make_questions(
    seed: int, each: int, families: Iterable[str] = SHIPPED, *, without: Collection[str] = ()
) -> list[Item]:
    """Questions of each family, no text twice; the same seed makes the same questions.

    Args:
        seed: of the luck; part of each question's id.
        each: questions of each family.
        families: names of families, in the order in which the questions come.
        without: texts of questions that must not be among them.

    Raises:
        BadInput: for an unknown family, or one that has fewer such questions.
    """
    items: list[Item] = []
    for name in families:
        if name not in FAMILIES:
            raise BadInput(f"there is no family {name!r}; there are {', '.join(FAMILIES)}")
        items += _of(FAMILIES[name], seed, each, set(without))
    return items


def _of(family: Family, seed: int, each: int, used: set[str]) -> list[Item]:
    luck = random.Random(f"{family.name} {seed}")  # noqa: S311 - questions, not secrets
    items: list[Item] = []
    for _ in range(200 * each):
        if len(items) == each:
            return items
        text, right = family.make(luck)
        if text in used:
            continue
        used.add(text)
        items.append(
            Item(
                f"{family.name}-{seed}-{len(items) + 1}",
                text,
                answer=None if isinstance(right, dict) else str(right),
                extract=family.extract,
                verify=right if isinstance(right, dict) else None,
                dataset=family.name,
            )
        )
    if len(items) < each:
        raise BadInput(f"the family {family.name} has no {each} questions beside those left out; ask for fewer")
    return items


def fresh_seed() -> int:
    """A seed no one has used on purpose; printed with the results, it repeats the questions."""
    return secrets.randbelow(10**6)


def fresh_questions(seed: int, count: int) -> list[Item]:
    """Questions of the shipped families in turn, none of them in the shipped recording."""
    recorded = {item.question for item in make_questions(RECORDED_SEED, RECORDED_EACH)}
    each = -(-count // len(SHIPPED))
    items = make_questions(seed, each, without=recorded)
    turns = [item for place in range(each) for item in items[place::each]]  # a family's questions stand together
    return turns[:count]
