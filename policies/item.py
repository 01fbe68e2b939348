"""A question with all that is needed to ask and to judge it: what question files and generators hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from thinkcap.policies.answers import extractor
from thinkcap.policies.errors import BadInput
from thinkcap.policies.verifiers import Verifier, equals, grade, verifier

__all__ = ["Item"]


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a set.

    Attributes:
        question_id: its name, unique within its dataset.
        question: the text to ask.
        answer: the right answer; None if it is judged by its verifier, or not at all.
        extract: how an answer is read from a text (``"number"``, ``"text"`` ...).
        verify: a verifier in its JSON form (``{"regex": ...}``, ``{"equals": ...}``, ``{"schema": ...}``).
            With it, a program can say of any answer whether it is right, also while answering.
        dataset: the set it belongs to.
        group: the family it was made from, where questions of a family resemble each other.
    """

    question_id: str
    question: str
    answer: str | None = None
    extract: str = "text"
    verify: Mapping[str, Any] | None = field(default=None, hash=False)
    dataset: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        if not self.question_id or not self.question.strip():
            raise BadInput(f"a question needs an id and a text, not {self.question_id!r}: {self.question!r}")
        extractor(self.extract)
        if self.answer is not None:
            equals(self.answer)  # refuses a blank one, which no attempt could be graded by
        if self.verify is not None:
            verifier(self.verify)

    @property
    def verifier(self) -> Verifier | None:
        """The verifier, ready to call; None without one."""
        return None if self.verify is None else verifier(self.verify)

    def grade(self, answer: str | None) -> bool | None:
        """Whether an answer in canonical form is right; None if nobody can say."""
        return grade(answer, expected=self.answer, verifier=self.verifier)
