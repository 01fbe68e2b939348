"""What a scaling law is here: its formula, its constants with their errors, where it holds, and where it is from."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Constant", "Law", "Source"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a law or a constant was published.

    Attributes:
        work: authors, year and title.
        where: section, equation, table or figure.
        url: where to read it; an arXiv address where there is one.
    """

    work: str
    where: str
    url: str

    def __str__(self) -> str:
        return f"{self.work}, {self.where}, {self.url}"


@dataclass(frozen=True, slots=True)
class Constant:
    """One constant of a law.

    Attributes:
        name: the symbol in the formula.
        value: as published, without rounding of ours.
        unit: of the value; "1" for pure numbers.
        error: its published standard error; None where none was published.
        set: which of several published sets of constants it belongs to; "" where there is one.
    """

    name: str
    value: float
    unit: str = "1"
    error: float | None = None
    set: str = ""


@dataclass(frozen=True, slots=True)
class Law:
    """A scaling law as data, for people and for tables.

    Attributes:
        name: a short name, as the command takes it.
        summary: what it says, in one sentence.
        formula: in plain text, one line each.
        units: what the symbols are, one line each.
        constants: all of them, set by set.
        domain: where it was measured, and where it is not to be trusted.
        sources: where it was published.
        notes: what one has to know to quote it rightly.
    """

    name: str
    summary: str
    formula: tuple[str, ...]
    units: tuple[str, ...]
    constants: tuple[Constant, ...]
    domain: str
    sources: tuple[Source, ...]
    notes: tuple[str, ...] = ()
