"""Replay: what a policy would have done, and cost, on recorded attempts.

Each question is answered again many times; each time, every arm's recorded attempts come in another random
order and are used at most once. The order depends on the seed, the permutation, the question and the arm
only, so that all policies meet the same luck (common random numbers) and differ by what they decide. The
episode is the one that runs live; only the driver differs. Policies that ask in an order fixed beforehand are
replayed many episodes at a time (:mod:`thinkcap.evals.engine`), with the same figures to the last bit.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.cappable import cappable
from thinkcap.evals.desk import Desk, Part
from thinkcap.evals.engine import Plan, deal, plans_of, read_grades
from thinkcap.evals.rates import output_rates
from thinkcap.evals.recording import Recording
from thinkcap.evals.results import Replay
from thinkcap.evals.tape import Till, till_for
from thinkcap.policies.errors import BadInput
from thinkcap.policies.money import NANO, Dollars
from thinkcap.policies.policy import Policy
from thinkcap.policies.values import Arm, Reason

__all__ = ["Engine", "replay", "sweep"]

Progress = Callable[[int, int], None]
"""Told of questions done and questions in all."""


Engine = Literal["auto", "reference"]

_BLOCK = 250_000  # episodes dealt at once
_MANY = 20_000_000  # episodes of all policies from which on other processes are worth their start


def replay(
    recording: Recording,
    policy: Policy,
    *,
    permutations: int | None = 100,
    seed: int = 0,
    ceiling: Dollars | None = None,
    arms: Sequence[str] | None = None,
    name: str | None = None,
    engine: Engine = "auto",
    progress: Progress | None = None,
) -> Replay:
    """Answer every question of a recording again, as a policy would.

    Under a ceiling, an arm's worst case is its dearest recorded attempt at any question, or what an attempt costs that
    is cut at its call's cap, so a replayed episode never passes the ceiling. A chosen answer is right as the recording
    grades it (whichever arm gave it); no answer is wrong; an answer that was never graded is neither, and is left out
    of the mean. Caps that a curve's policy sets (:class:`thinkcap.policies.Finishing`) are kept at arms whose costs
    follow tokens and of which no attempt was cut when it was recorded.

    Args:
        recording: the attempts.
        policy: who decides.
        permutations: random orders in which each question is answered; None answers each once, in the order
            of the recording.
        seed: of the orders.
        ceiling: dollars per question; None for no ceiling.
        arms: labels of the arms a policy may ask, by convention cheapest first; None for all, so ordered.
        name: what tables call the policy; None takes its ``repr``.
        engine: ``"auto"`` replays many episodes at once where the policy's calls follow an order fixed beforehand and
            there is no ceiling; ``"reference"`` replays every episode by itself. The figures are the same.
        progress: called as questions are done, with how many are and how many there are.

    Raises:
        BadInput: if a policy asks for more attempts than are recorded, for an output cap that would have cut a
            recorded attempt, or for a larger one than a recorded attempt was cut at.
    """
    (found,) = sweep(
        recording,
        [(name or repr(policy), policy)],
        permutations=permutations,
        seed=seed,
        ceiling=ceiling,
        arms=arms,
        engine=engine,
        jobs=1,
        progress=progress,
    )
    return found


def sweep(
    recording: Recording,
    policies: Mapping[str, Policy] | Iterable[tuple[str, Policy]],
    *,
    permutations: int | None = 100,
    seed: int = 0,
    ceiling: Dollars | None = None,
    arms: Sequence[str] | None = None,
    engine: Engine = "auto",
    jobs: int | None = None,
    progress: Progress | None = None,
) -> tuple[Replay, ...]:
    """Replay many policies: the orders are drawn once for all of them, block by block of questions.

    Args:
        recording: the attempts.
        policies: by the name that tables call them; or pairs of name and policy, where a name may come twice.
        permutations, seed, ceiling, arms, engine: as :func:`replay` takes them.
        jobs: processes to use, if joblib is installed; None takes all cores where the work is large.
        progress: called as questions are done, with how many are and how many there are.

    Returns:
        One replay a policy, in their order.

    Raises:
        BadInput: as :func:`replay`, and where there is no policy.
    """
    if permutations is not None and (type(permutations) is not int or permutations < 1):
        raise BadInput(f"permutations must be a whole number of at least 1, or None, not {permutations!r}")
    if engine not in ("auto", "reference"):
        raise BadInput(f"engine must be 'auto' or 'reference', not {engine!r}")
    given = policies.items() if isinstance(policies, Mapping) else policies
    named = tuple((name, cappable(policy, recording)) for name, policy in given)
    if not named:
        raise BadInput("there is no policy to replay: give at least one")
    asked = recording.arms if arms is None else tuple(recording.find_arm(text) for text in arms)
    if not asked or len(set(asked)) < len(asked):
        raise BadInput("replay needs at least one arm, and each arm once")
    till = till_for(recording, asked, ceiling)
    at_once = engine == "auto" and till is None
    questions = len(recording.questions)
    work = _Work(recording, named, asked, permutations, seed, till, at_once)
    size = max(1, _BLOCK // (permutations or 1)) if at_once else 1
    blocks = [range(start, min(start + size, questions)) for start in range(0, questions, size)]
    if jobs is None:
        jobs = (os.cpu_count() or 1) if questions * (permutations or 1) * len(named) >= _MANY else 1
    parts: list[list[Part]] = [[] for _ in named]
    done = 0
    with _mapped(work, blocks, jobs) as found:
        for block, ones in zip(blocks, found, strict=True):
            for mine, part in zip(parts, ones, strict=True):
                mine.append(part)
            done += len(block)
            if progress is not None:
                progress(done, questions)
    return tuple(
        _joined(name, ones, recording, asked, permutations or 1) for (name, _), ones in zip(named, parts, strict=True)
    )


class _Work:
    """What is to be done with each block; it may go to another process."""

    def __init__(
        self,
        recording: Recording,
        policies: Sequence[tuple[str, Policy]],
        arms: tuple[Arm, ...],
        permutations: int | None,
        seed: int,
        till: Till | None,
        at_once: bool,
    ) -> None:
        self.recording, self.policies, self.arms = recording, policies, arms
        self.grades = read_grades(recording, arms)
        self.permutations, self.seed, self.till, self.at_once = permutations, seed, till, at_once

    def __call__(self, block: range) -> list[Part]:
        """Every policy at a block of questions."""
        plans = [self._plans(policy) for _, policy in self.policies]
        wanted = sorted({arm for ones in plans for plan in ones for arm in (*plan.steps, plan.favourite)})
        places = {arm: place for place, arm in enumerate(wanted)}
        dealt = tuple(self.arms[arm] for arm in wanted)
        given = deal(self.recording, self.grades, block, dealt, self.permutations, self.seed) if dealt else None
        return [
            Desk(
                self.recording,
                self.grades,
                policy,
                [plan.moved(places) for plan in ones],
                name,
                self.arms,
                self.permutations,
                self.seed,
                self.till,
                lambda: self.rates,
            ).part(block, given)
            for (name, policy), ones in zip(self.policies, plans, strict=True)
        ]

    @cached_property
    def rates(self) -> NDArray[np.float64]:
        """What an output token of each arm costs."""
        return output_rates(self.recording)

    def _plans(self, policy: Policy) -> tuple[Plan, ...]:
        return plans_of(policy, self.arms) if self.at_once else ()


@contextmanager
def _mapped(work: _Work, blocks: Sequence[range], jobs: int) -> Iterator[Iterator[Any]]:
    """The work on each block in turn, by other processes where there are several and joblib is there."""
    if jobs > 1:
        try:
            from joblib import Parallel, delayed
        except ImportError:
            jobs = 1
    if jobs <= 1 or (len(blocks) == 1 and len(work.policies) == 1):
        yield map(work, blocks)
        return
    yield iter(Parallel(n_jobs=jobs, return_as="generator")(delayed(work)(block) for block in blocks))


def _joined(name: str, parts: Sequence[Part], recording: Recording, arms: Sequence[Arm], permutations: int) -> Replay:
    accuracy = np.concatenate([part.accuracy for part in parts])
    reasons: Counter[Reason] = Counter()
    for part in parts:
        reasons.update(part.reasons)
    used = frozenset[str]().union(*(part.used for part in parts))
    asked = [place for place, arm in enumerate(arms) if arm.label in used]
    never, sometimes = int(np.isnan(accuracy).sum()), sum(part.sometimes for part in parts)
    return Replay(
        policy=name,
        arms=tuple(arms[place].label for place in asked),
        questions=recording.questions,
        groups=recording.groups,
        permutations=permutations,
        accuracy=accuracy,
        usd=np.concatenate([part.nusd for part in parts]) / NANO,
        usd_by_arm=np.concatenate([part.by_arm for part in parts])[:, asked] / NANO,
        output_tokens=np.concatenate([part.tokens for part in parts]),
        attempts=np.concatenate([part.made for part in parts]),
        most_nusd=max((part.most_nusd for part in parts), default=0),
        reasons=dict(reasons),
        mc_error=_mc_error(parts, permutations),
        notes=(*recording.notes, *_notes(recording, never, sometimes)),
    )


def _notes(recording: Recording, never: int, sometimes: int) -> list[str]:
    notes = []
    if never:
        notes.append(f"{never:,} questions left out: no answer chosen there is graded")
    if sometimes:
        notes.append(f"at {sometimes:,} questions some chosen answers are not graded, and do not count")
    adaptive = int(recording.adaptive.sum())
    if adaptive:
        notes.append(
            f"at {adaptive:,} questions the answers decided how many attempts there are: in random orders that favours "
            "what stopped early; fit a curve on this log instead, or record as many attempts everywhere"
        )
    both = sum(bool(((grades > 0) & (grades < 1)).any()) for grades in recording.grades())
    if both:
        notes.append(f"at {both:,} questions equal answers are graded both ways: their mean counts")
    return notes


def _mc_error(parts: Sequence[Part], permutations: int) -> float:
    """Standard error, over permutations, of the mean over questions; NaN for a single permutation."""
    right, known = np.sum([part.right for part in parts], axis=0)  # (permutations,) each
    means = right[known > 0] / known[known > 0]
    if permutations < 2 or len(means) < 2:
        return float("nan")
    return float(means.std(ddof=1) / np.sqrt(len(means)))
