"""Which recorded answers are the same answer, as the top of :mod:`thinkcap.evals.recording` says."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.columns import Columns, any_inside, codes, count_of

__all__ = ["Agree", "same_answers"]

Agree = Literal["auto", "always", "run"]
"""Where equal answers are the same answer: over all attempts at a question, or inside one ``run_id`` only."""


def same_answers(
    columns: Columns,
    answers_agree: Agree,
    question: NDArray[np.int32],
    arm: NDArray[np.int32],
    correct: NDArray[np.int8],
    ended_well: NDArray[np.bool_],
    notes: list[str],
) -> tuple[Literal["always", "run"], NDArray[np.int32], tuple[tuple[str, ...], ...], NDArray[np.bool_]]:
    """Where answers agree, the answers' codes, each question's texts, and which rows have an answer to compare."""
    texts, runs = columns.text("answer"), columns.text("run_id")
    agree = _agreement(columns, answers_agree, question, correct, texts, runs)
    if agree == "run":
        notes.append("equal answers are the same answer inside one run_id only")
        notes.extend(_cannot_agree(question, arm, runs))
    recorded = np.array([text is not None for text in texts], dtype=np.bool_)
    benchmark = codes([value or "" for value in columns.text("dataset")])[1]
    loses = any_inside(~recorded & (correct == 1), benchmark)[benchmark]
    lost = ~recorded & (correct >= 0) & loses & ended_well
    if lost.any():
        notes.append(f"{count_of(lost)} graded without a recorded answer: each agrees with no other")
    answer = np.full(len(texts), -1, dtype=np.int32)
    of_question: list[dict[tuple[str, str | None], int]] = [{} for _ in range(int(question.max()) + 1)]
    for i, text in enumerate(texts):
        if text is not None or lost[i]:
            key = (f"(not recorded, {i})", None) if text is None else (text, runs[i] if agree == "run" else None)
            known = of_question[question[i]]
            answer[i] = known.setdefault(key, len(known))
    shown = tuple(tuple(text if run is None else f"{text} ({run})" for text, run in known) for known in of_question)
    return agree, answer, shown, recorded


def _agreement(
    columns: Columns,
    answers_agree: Agree,
    question: NDArray[np.int32],
    correct: NDArray[np.int8],
    texts: Sequence[str | None],
    runs: Sequence[str | None],
) -> Literal["always", "run"]:
    if answers_agree == "auto":
        answers_agree = columns.table.about.get("answers_agree", "auto")
    if answers_agree in ("always", "run"):
        return answers_agree
    over_runs: defaultdict[tuple[int, str], set[int]] = defaultdict(set)
    inside: defaultdict[tuple[int, str, str | None], set[int]] = defaultdict(set)
    for q, text, run, grade in zip(question.tolist(), texts, runs, correct.tolist(), strict=True):
        if text is not None and grade >= 0:
            over_runs[q, text].add(grade)
            inside[q, text, run].add(grade)
    shuffled = any(len(grades) > 1 for grades in over_runs.values())
    return "run" if shuffled and all(len(grades) == 1 for grades in inside.values()) else "always"


def _cannot_agree(question: NDArray[np.int32], arm: NDArray[np.int32], runs: Sequence[str | None]) -> list[str]:
    inside = Counter(zip(question.tolist(), arm.tolist(), runs, strict=True))
    total = Counter(zip(question.tolist(), arm.tolist(), strict=True))
    if max(inside.values()) == 1 and max(total.values()) > 1:
        return ["every run asked each question once, so that votes can never agree"]
    return []
