"""Recorded attempts, checked and held as columns.

Four things a file leaves open are settled here, and said in :attr:`Recording.notes` where they matter:

- **Labels.** An arm's label is the ``arm`` column, else ``MODEL:EFFORT`` with the effort as the file spells it
  (``none`` and ``default`` too), else ``MODEL``. Efforts null, ``none`` and ``default`` mean that there was no
  dial: such an :class:`Arm` has no effort to send.
- **Which answers are equal.** Recorded answers are compared as they are, over all attempts at a question
  (``answers_agree="always"``), or only inside one ``run_id`` (``"run"``), for sources that shuffle the choices
  in each run. By default the file's own header says; without one, equal answers that different runs grade
  differently, and no single run does, show that they are not the same answer: then it is ``"run"``.
- **Answers that were not written down.** In a dataset where an attempt without an answer is graded right, the
  source lost answers: there every graded attempt without one stands for itself and agrees with no other.
- **Failures.** An attempt with neither token counts nor an answer that is not graded right is a call that failed:
  it takes no tokens, and costs what is recorded, or nothing where the file does not say.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thinkcap.evals.columns import Columns, any_inside, codes, count_of
from thinkcap.evals.reading import Table, read_table
from thinkcap.evals.runs import name_runs, runs_said
from thinkcap.evals.sameness import Agree, same_answers
from thinkcap.policies.errors import BadInput
from thinkcap.policies.money import NANO
from thinkcap.policies.values import Arm, Finish, Usage

__all__ = ["FINISHES", "Recording", "load_recording"]

FINISHES: tuple[Finish, ...] = get_args(Finish)
"""The ends of an attempt, by their code in :attr:`Recording.finish`."""

_FINISH: dict[str, Finish] = {
    **{finish: finish for finish in FINISHES},
    "max_tokens": "length",
    "max_output_tokens": "length",
    "refusal": "refused",
    "content_filter": "refused",
}
_SLIPS = 0.05
_NO_DIAL = (None, "none", "default")
_OF_QUESTIONS = ("question_dataset", "comparable", "verifiable", "agent", "adaptive")
_OF_ATTEMPTS = (
    *("question", "arm", "attempt", "correct", "verified", "answer", "input_tokens", "cached_tokens"),
    *("cache_write_tokens", "output_tokens", "cost_nusd", "latency_s", "finish", "cap", "calls"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Recorded attempts as columns, sorted by question, arm and attempt.

    Attributes:
        source: the file.
        datasets: names of the benchmarks in it (``""`` where the file names none).
        arms: the ways of asking, from the cheapest mean cost of an attempt to the dearest.
        questions: the questions' ids, in the order of the file.
        groups: each question's family (None where the file names none).  (questions,)
        answers: the texts of each question's answers, by answer code.  (questions,)
        question_dataset: code of each question's dataset.  (questions,)
        comparable: answers of this question's dataset can be compared.  (questions,)
        verifiable: a verifier judged answers of this question's dataset.  (questions,)
        agent: an attempt at this question was a whole agent run.  (questions,)
        adaptive: what the answers were decided how many attempts there are at this question.  (questions,)
        question, arm, attempt: codes of question and arm, and the attempt's number in the file.  (attempts,)
        correct: 1 right, 0 wrong, -1 not graded.  (attempts,)
        verified: 1 passed the verifier, 0 failed it, -1 not verified.  (attempts,)
        answer: code of the answer among its question's answers; -1 for none.  (attempts,)
        input_tokens: prompt tokens, including cached ones; -1 where not recorded.  (attempts,)
        cached_tokens, cache_write_tokens: of these, read from the cache and written to it; -1 where not recorded.
            (attempts,)
        output_tokens: tokens generated, including hidden reasoning.  (attempts,)
        cost_nusd: nano-dollars, rounded to the nearest.  (attempts,)
        latency_s: seconds; NaN where not recorded.  (attempts,)
        finish: code of how it ended, in :data:`FINISHES`.  (attempts,)
        cap: the output cap it was recorded under; -1 for none or not recorded.  (attempts,)
        calls: billed calls in it.  (attempts,)
        answers_agree: ``"always"`` or ``"run"``: see the top of this module.
        price_date: the latest date of its prices; None where the file names none.
        notes: what was left out or settled, a line each.
    """

    source: str
    datasets: tuple[str, ...]
    arms: tuple[Arm, ...]
    questions: tuple[str, ...]
    groups: tuple[str | None, ...]
    answers: tuple[tuple[str, ...], ...]
    question_dataset: NDArray[np.int32]
    comparable: NDArray[np.bool_]
    verifiable: NDArray[np.bool_]
    agent: NDArray[np.bool_]
    adaptive: NDArray[np.bool_]
    question: NDArray[np.int32]
    arm: NDArray[np.int32]
    attempt: NDArray[np.int64]
    correct: NDArray[np.int8]
    verified: NDArray[np.int8]
    answer: NDArray[np.int32]
    input_tokens: NDArray[np.int64]
    cached_tokens: NDArray[np.int64]
    cache_write_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    cost_nusd: NDArray[np.int64]
    latency_s: NDArray[np.float64]
    finish: NDArray[np.int8]
    cap: NDArray[np.int64]
    calls: NDArray[np.int64]
    answers_agree: Literal["always", "run"]
    price_date: str | None
    notes: tuple[str, ...]

    def find_arm(self, text: str) -> Arm:
        """The arm with this label; else the only arm of the model with this name.

        Raises:
            BadInput: if there is none, or the model has several arms.
        """
        for arm in self.arms:
            if arm.label == text:
                return arm
        same = [arm for arm in self.arms if arm.model == text]
        if len(same) == 1:
            return same[0]
        if same:
            raise BadInput(f"{text!r} was recorded in several ways: choose {_either(arm.label for arm in same)}")
        labels = ", ".join(sorted(arm.label for arm in self.arms))
        raise BadInput(f"{self.source} has no arm {text!r}; it has {labels}")

    def rows(self, question: int, arm: int) -> slice:
        """The attempts at one question (by its index) with one arm (by its index), in recorded order."""
        sought = np.int32(question)  # of the column's own type: another would have the whole column converted
        first = int(np.searchsorted(self.question, sought))
        last = int(np.searchsorted(self.question, sought, side="right"))
        inside = self.arm[first:last]
        low, high = np.searchsorted(inside, np.int32(arm)), np.searchsorted(inside, np.int32(arm), side="right")
        return slice(first + int(low), first + int(high))

    def only(self, questions: ArrayLike) -> Recording:
        """The same attempts at some of the questions: to fit on these, and to judge on the others.

        Args:
            questions: indices, or one truth value a question; the order of the file is kept.

        Raises:
            BadInput: if there is none.
        """
        wanted = np.asarray(questions)
        places = np.unique(np.arange(len(self.questions))[wanted]) if wanted.size else wanted
        if not len(places):
            raise BadInput(f"none of the questions of {self.source} is left")
        rows = np.flatnonzero(np.isin(self.question, places))
        few = {name: getattr(self, name)[rows] for name in _OF_ATTEMPTS}
        few |= {name: getattr(self, name)[places] for name in _OF_QUESTIONS}
        for name in ("questions", "groups", "answers"):
            values = getattr(self, name)
            few[name] = tuple(values[place] for place in places.tolist())
        few["question"] = np.searchsorted(places, few["question"]).astype(np.int32)
        return replace(self, **few)

    def repriced(
        self, cost_of: Callable[[Arm], Callable[[Usage], int]], note: str, *, price_date: str | None = None
    ) -> Recording:
        """The same attempts at other prices; a call that failed without tokens keeps its cost.

        Args:
            cost_of: for an arm, what so many tokens cost in nano-dollars.
            note: says which prices they are.
            price_date: their date; None where they have none.

        Raises:
            BadInput: where prompt tokens are not recorded, so that no price can be put on them.
        """
        cost = self.cost_nusd.copy()
        for place, arm in enumerate(self.arms):
            rows = np.flatnonzero((self.arm == place) & ((self.output_tokens > 0) | (self.input_tokens >= 0)))
            if (self.input_tokens[rows] < 0).any():
                raise BadInput(f"{self.source} has no prompt_tokens for {arm.label}: it cannot be priced anew")
            price = cost_of(arm)
            cost[rows] = [
                price(Usage(read, written, None, cached if cached >= 0 else None, stored if stored >= 0 else None))
                for read, written, cached, stored in zip(
                    self.input_tokens[rows].tolist(),
                    self.output_tokens[rows].tolist(),
                    self.cached_tokens[rows].tolist(),
                    self.cache_write_tokens[rows].tolist(),
                    strict=True,
                )
            ]
        return replace(self, cost_nusd=cost, price_date=price_date, notes=(*self.notes, note))

    def grades(self) -> tuple[NDArray[np.float64], ...]:
        """For each question the mean grade of each of its answers (0 to 1); NaN where never graded."""
        sizes = [len(texts) for texts in self.answers]
        starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)  # (questions + 1,)
        graded = (self.answer >= 0) & (self.correct >= 0)
        flat = starts[self.question[graded]] + self.answer[graded]
        total = np.bincount(flat, minlength=int(starts[-1]))
        right = np.bincount(flat, weights=self.correct[graded], minlength=int(starts[-1]))
        mean = np.divide(right, total, out=np.full(len(total), np.nan), where=total > 0)
        return tuple(mean[start : start + size] for start, size in zip(starts, sizes, strict=False))

    def fewest(self, label: str) -> int:
        """The smallest number of attempts with this arm at any question that was asked with it at all.

        So many attempts replay can draw at every question; a question that was never asked with the arm does not
        count as none.

        Raises:
            BadInput: if no arm has this label.
        """
        arm = self.arms.index(self.find_arm(label))
        made = np.bincount(self.question[self.arm == arm], minlength=len(self.questions))  # (questions,)
        return int(made[made > 0].min())

    def graded(self) -> NDArray[np.bool_]:
        """Which questions have at least one graded attempt.  (questions,)"""
        found = np.zeros(len(self.questions), dtype=np.bool_)
        found[self.question[self.correct >= 0]] = True
        return found


def load_recording(
    path: str | Path,
    *,
    dataset: str | None = None,
    arms: Iterable[str] | None = None,
    answers_agree: Agree = "auto",
    intersect: bool = False,
    runs_apart: bool = False,
) -> Recording:
    """Read and check a recording (``.jsonl``, ``.jsonl.gz``, or ``.parquet`` with pyarrow installed).

    Only what is selected is checked, so that one arm's bad rows need not spoil the others. Arms without costs
    are left out, with a note, unless they are asked for by name; so are a few attempts of negative cost or tokens.

    Args:
        path: the file.
        dataset: read only this benchmark's questions; None reads all.
        arms: read only these arms, by label or by model where it has one arm; None reads all.
        answers_agree: where equal answers are the same answer; see the top of this module.
        intersect: keep only the questions that were asked with every arm.
        runs_apart: make each ``run_id`` an arm of its own, ``LABEL@RUN``, where runs of one arm asked the same
            questions (:mod:`thinkcap.evals.runs`).

    Raises:
        BadInput: for a file that cannot be opened, an unknown dataset or an unknown arm, or no question in common.
        BadRecording: for columns that are missing or values that cannot be meant; rows and columns are named.
    """
    if answers_agree not in get_args(Agree):
        raise BadInput(f"answers_agree must be one of {', '.join(get_args(Agree))}, not {answers_agree!r}")
    table = read_table(path)
    notes = list(table.notes)
    rows, labels = _select(table, dataset, None if arms is None else list(arms), notes if runs_apart else None)
    columns = Columns(table, rows)
    possible = _possible(columns, labels, notes)
    if len(possible) < len(rows):
        rows, labels = [rows[i] for i in possible], [labels[i] for i in possible]
        columns = Columns(table, rows)
    kept = _priced(columns, labels, arms is None, notes)
    if intersect:
        kept = _common(columns, labels, kept, notes)
    if len(kept) < len(rows):
        columns, labels = Columns(table, [rows[i] for i in kept]), [labels[i] for i in kept]
    return _build(columns, labels, answers_agree, notes)


def _select(
    table: Table, dataset: str | None, arms: list[str] | None, apart: list[str] | None
) -> tuple[list[int], list[str]]:
    """Indices of the rows asked for, and their arms' labels; with a list for notes, runs are arms of their own."""
    every = Columns(table, range(len(table.places)))
    every.refuse([i for i, model in enumerate(every.values("model")) if not _is_name(model)], "no model's name")
    labels = _labels(every)
    plain = labels
    if apart is not None:
        labels = name_runs(every, labels)
    datasets = [value or "" for value in every.text("dataset")]
    if dataset is not None and dataset not in datasets:
        raise BadInput(f"{table.path} has no dataset {dataset!r}; it has {', '.join(sorted(set(datasets)))}")
    rows = [i for i, name in enumerate(datasets) if dataset is None or name == dataset]
    if arms is not None:
        models = every.values("model")
        wanted = {_asked(table, text, {labels[i]: models[i] for i in rows}) for text in arms}
        rows = [i for i in rows if labels[i] in wanted]
    if not rows:
        raise BadInput(f"{table.path}: arms= names no arm")
    if apart is not None:
        apart += runs_said((plain[i], labels[i]) for i in rows)
    return rows, [labels[i] for i in rows]


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _labels(columns: Columns) -> list[str]:
    models, efforts, arms = columns.values("model"), columns.text("effort"), columns.text("arm")
    named = zip(models, efforts, arms, strict=True)
    labels = [arm or (model if effort is None else f"{model}:{effort}") for model, effort, arm in named]
    meaning: dict[str, tuple[str, str | None]] = {}
    for i, label in enumerate(labels):
        asked = (models[i], None if efforts[i] in _NO_DIAL else efforts[i])
        if meaning.setdefault(label, asked) != asked:
            columns.refuse([i], f"arm {label!r} is {_way(*meaning[label])} elsewhere but {_way(*asked)}")
    return labels


def _way(model: str, effort: str | None) -> str:
    return model if effort is None else f"{model} at effort {effort}"


def _asked(table: Table, text: str, models: dict[str, str]) -> str:
    """The label a caller means; the same rule as :meth:`Recording.find_arm`."""
    if text in models:
        return text
    same = sorted(label for label, model in models.items() if model == text or label.startswith(f"{text}@"))
    if len(same) == 1:
        return same[0]
    if same:
        raise BadInput(f"{text!r} was recorded in several ways: choose {_either(same)}")
    raise BadInput(f"{table.path} has no arm {text!r}; it has {', '.join(sorted(models))}")


def _either(labels: Iterable[str]) -> str:
    return " or ".join(labels)


def _possible(columns: Columns, labels: list[str], notes: list[str]) -> list[int]:
    """Indices of the rows whose figures can be: a few with less than no tokens, or no cost, are left out, with a note.

    Logs hold such rows where a provider counted wrong. More than one in twenty of an arm's is no slip, and is refused
    where the column is read.
    """
    named = [columns.values(name) for name in ("cost_usd", "completion_tokens", "prompt_tokens")]
    bad = [i for i, values in enumerate(zip(*named, strict=True)) if any(map(_is_below_zero, values))]
    if not bad:
        return list(range(len(columns)))
    made, slips = Counter(labels), Counter(labels[i] for i in bad)
    out = {i for i in bad if slips[labels[i]] <= _SLIPS * made[labels[i]]}
    if out:
        where = ", ".join(sorted({labels[i] for i in out}))
        count = f"{len(out):,} attempt{'s' if len(out) > 1 else ''}"
        notes.append(f"{count} with a cost or tokens below zero left out: {where}")
    return [i for i in range(len(columns)) if i not in out]


def _is_below_zero(value: Any) -> bool:
    return isinstance(value, (int, float)) and value < 0


def _priced(columns: Columns, labels: list[str], may_leave_out: bool, notes: list[str]) -> list[int]:
    """Indices of the rows whose arms have a cost and tokens for every attempt that did not fail."""
    failed = _failed(columns)
    unknown = [
        i
        for i, (cost, tokens) in enumerate(
            zip(columns.values("cost_usd"), columns.values("completion_tokens"), strict=True)
        )
        if not failed[i] and (cost is None or tokens is None)
    ]
    without = sorted({labels[i] for i in unknown})
    if not without:
        return list(range(len(columns)))
    kept = [i for i, label in enumerate(labels) if label not in without]
    if not may_leave_out or not kept:
        columns.refuse(unknown, f"no cost_usd or completion_tokens for {', '.join(without)}")
    notes.append(f"left out, because not every attempt has a cost and tokens: {', '.join(without)}")
    return kept


def _common(columns: Columns, labels: list[str], rows: list[int], notes: list[str]) -> list[int]:
    """Of these rows, those of questions that were asked with every arm."""
    datasets, ids = columns.values("dataset"), columns.values("question_id")
    asked: defaultdict[tuple[Any, Any], set[str]] = defaultdict(set)
    for i in rows:
        asked[datasets[i], ids[i]].add(labels[i])
    every = {labels[i] for i in rows}
    common = {key for key, arms in asked.items() if arms == every}
    said = _rarest(asked.values(), every) if len(common) < len(asked) / 2 else ""
    if not common:
        raise BadInput(
            f"{columns.table.path}: no question was asked with all {len(every)} arms: choose fewer of them{said}"
        )
    if len(common) < len(asked):
        notes.append(
            f"{len(common):,} of {len(asked):,} questions were asked with all {len(every)} arms; the rest is left out"
            + said
        )
    return [i for i in rows if (datasets[i], ids[i]) in common]


def _rarest(asked: Iterable[set[str]], every: set[str]) -> str:
    """The arm without which the most questions were asked with all the others, for a note."""
    lacking = Counter(arm for arms in asked if len(missing := every - arms) == 1 for arm in missing)
    if not lacking:
        return ""
    arm, more = max(lacking.items(), key=lambda one: (one[1], one[0]))
    return f"; without {arm} there are {more:,} more"


def _failed(columns: Columns) -> list[bool]:
    """Calls that failed: neither tokens nor an answer, and not graded right."""
    rows = zip(*(columns.values(name) for name in ("completion_tokens", "answer", "correct")), strict=True)
    return [tokens is None and answer is None and not right for tokens, answer, right in rows]


def _build(columns: Columns, labels: list[str], answers_agree: Agree, notes: list[str]) -> Recording:
    """The checked rows as a recording."""
    failed = np.array(_failed(columns), dtype=np.bool_)
    if failed.any():
        notes.append(f"{count_of(failed)} failed without token counts: no tokens, and the recorded cost or none")
    cost = columns.amount("cost_usd")
    cost_nusd = np.rint(np.nan_to_num(cost) * NANO).astype(np.int64)
    output_tokens = np.where(failed, 0, columns.count("completion_tokens"))
    attempt = columns.count("attempt")
    columns.refuse(np.flatnonzero(attempt < 0), "no attempt's number")
    correct = columns.flag("correct")

    ids = columns.check("question_id", _is_id, "text or a whole number")
    columns.refuse([i for i, value in enumerate(ids) if value is None], "no question_id")
    datasets = [value or "" for value in columns.text("dataset")]
    keys = list(zip(datasets, map(str, ids), strict=True))
    names, question = codes(keys)
    benchmarks, question_dataset = codes([benchmark for benchmark, _ in names])
    order = _by_mean_cost(labels, cost_nusd)
    places = {label: place for place, label in enumerate(order)}
    arm = np.array([places[label] for label in labels], dtype=np.int32)
    _refuse_twins(columns, question, arm, attempt)

    verified = columns.flag("verified")
    finish = _finishes(columns, failed)
    ended_well = finish == FINISHES.index("stop")
    agree, answer, texts, comparable = same_answers(columns, answers_agree, question, arm, correct, ended_well, notes)
    row_dataset = question_dataset[question]
    cap = columns.count("max_output_tokens", least=1)
    calls = columns.count("calls", least=0)
    ungraded = int(np.count_nonzero(correct < 0))
    if ungraded:
        notes.append(f"{count_of(correct < 0)} not graded: neither right nor wrong")
    sort = np.lexsort((attempt, arm, question))
    return Recording(
        source=columns.table.path,
        datasets=tuple(benchmarks),
        arms=_arms(columns, labels, order, cap),
        questions=tuple(name for _, name in names),
        groups=_groups(columns, question, len(names)),
        answers=texts,
        question_dataset=question_dataset,
        comparable=any_inside(comparable, row_dataset)[question_dataset],
        verifiable=any_inside(verified >= 0, row_dataset)[question_dataset],
        agent=any_inside(columns.flag("agent") > 0, question),
        adaptive=any_inside(columns.flag("adaptive") > 0, question),
        question=question[sort],
        arm=arm[sort],
        attempt=attempt[sort],
        correct=correct[sort],
        verified=verified[sort],
        answer=answer[sort],
        input_tokens=columns.count("prompt_tokens")[sort],
        cached_tokens=columns.count("cached_tokens")[sort],
        cache_write_tokens=columns.count("cache_write_tokens")[sort],
        output_tokens=output_tokens[sort],
        cost_nusd=cost_nusd[sort],
        latency_s=columns.amount("latency_s")[sort],
        finish=finish[sort],
        cap=cap[sort],
        calls=np.where(calls < 0, 1, calls)[sort],
        answers_agree=agree,
        price_date=max((date for date in columns.text("price_date") if date is not None), default=None),
        notes=tuple(notes),
    )


def _is_id(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""


def _by_mean_cost(labels: Sequence[str], cost_nusd: NDArray[np.int64]) -> list[str]:
    names, places = codes(labels)
    mean = np.bincount(places, weights=cost_nusd) / np.bincount(places)
    return sorted(names, key=lambda name: (mean[names.index(name)], name))


def _refuse_twins(
    columns: Columns, question: NDArray[np.int32], arm: NDArray[np.int32], attempt: NDArray[np.int64]
) -> None:
    seen: set[tuple[int, int, int]] = set()
    twins = []
    for i, key in enumerate(zip(question.tolist(), arm.tolist(), attempt.tolist(), strict=True)):
        if key in seen:
            twins.append(i)
        seen.add(key)
    columns.refuse(twins, "the same dataset, question_id, arm and attempt as an earlier one")


def _finishes(columns: Columns, failed: NDArray[np.bool_]) -> NDArray[np.int8]:
    reasons, errors, answers = (columns.text(name) for name in ("finish_reason", "error", "answer"))
    codes = []
    for i, reason in enumerate(reasons):
        ended = _FINISH.get((reason or "").lower())
        if ended in (None, "stop") and answers[i] is None and (failed[i] or errors[i] is not None):
            ended = "error"
        codes.append(FINISHES.index(ended or "stop"))
    return np.array(codes, dtype=np.int8)


def _arms(columns: Columns, labels: Sequence[str], order: Sequence[str], cap: NDArray[np.int64]) -> tuple[Arm, ...]:
    """The arms in order; one that was always recorded under the same output cap has that cap."""
    asked = dict(zip(labels, zip(columns.values("model"), columns.values("effort"), strict=True), strict=True))
    caps: defaultdict[str, set[int]] = defaultdict(set)
    for label, value in zip(labels, cap.tolist(), strict=True):
        caps[label].add(value)
    arms = []
    for label in order:
        model, effort = asked[label]
        only = next(iter(caps[label])) if len(caps[label]) == 1 else -1
        effort = None if effort in _NO_DIAL else effort
        arms.append(Arm(model, effort, name=label, max_output_tokens=only if only > 0 else None))
    return tuple(arms)


def _groups(columns: Columns, question: NDArray[np.int32], questions: int) -> tuple[str | None, ...]:
    groups: list[str | None] = [None] * questions
    for i, group in enumerate(columns.text("group")):
        if group is not None:
            groups[question[i]] = group
    return tuple(groups)
