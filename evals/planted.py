"""Recordings made from a known law, to see whether a fit finds it again.

They are made as :mod:`thinkcap.policies.curves` describes recordings, but continuously: what it sums over the cells of
a grid is drawn from the law itself here.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.recording import Recording
from thinkcap.policies.curves import Rightness, Shape
from thinkcap.policies.errors import BadInput
from thinkcap.policies.values import Arm

__all__ = ["Planted", "answers", "build", "plant"]

_INPUT = 60


@dataclass(frozen=True, slots=True)
class Planted:
    """The law of one arm.

    Attributes:
        label: its name.
        rightness: how the chance of being right varies over questions.
        shape: how its wrong answers crowd.
        loading: how much of its luck is the difficulty that all arms share.
        tokens: mean, shared, own and within of its log tokens (:class:`thinkcap.policies.curves.Tokens`).
        tie: correlation of the questions' lengths with their difficulty.
        lean: by how many of these ``within`` right attempts are longer than wrong ones at the same question.
        usd_per_million: price of its output tokens; input tokens cost a quarter of it.
    """

    label: str
    rightness: Rightness = Rightness("beta", 2.0, 1.0)  # noqa: RUF009 - frozen
    shape: Shape = Shape(0.5, 1.0, 1.0)  # noqa: RUF009 - frozen
    loading: float = 1.0
    tokens: tuple[float, float, float, float] = (6.0, 0.7, 0.0, 0.4)
    tie: float = 0.5
    lean: float = 0.0
    usd_per_million: float = 4.0


def plant(laws: Sequence[Planted], questions: int, attempts: int, seed: int) -> Recording:
    """Draw a recording: the same questions, and so many attempts at each with every arm.

    Raises:
        BadInput: if scipy is not installed.
    """
    draws = np.random.default_rng(seed)
    difficulty, length = draws.standard_normal((2, questions))
    columns = [_draw(law, difficulty, length, attempts, draws) for law in laws]
    correct, answer, tokens = (
        np.stack([column[part] for column in columns], axis=1) for part in range(3)
    )  # (questions, arms, attempts)
    per_token = np.array([law.usd_per_million for law in laws]) * 1000
    cost = np.rint(per_token[:, None] * (tokens + _INPUT / 4)).astype(np.int64)
    return build("planted", [Arm(law.label) for law in laws], correct, answer, tokens, cost)


def build(
    source: str,
    arms: Sequence[Arm],
    correct: NDArray[np.int64],
    answer: NDArray[np.int64],
    tokens: NDArray[np.int64],
    cost_nusd: NDArray[np.int64],
    *,
    verifiable: bool = False,
) -> Recording:
    """A recording of drawn attempts.

    Args:
        source: what made it.
        arms: the ways of asking.
        correct, answer, tokens, cost_nusd: of each attempt; answer 0 is the right one, -1 none.
            (questions, arms, attempts)
        verifiable: a verifier says what is right.
    """
    questions, _, attempts = correct.shape
    question, arm, attempt = (
        part.ravel() for part in np.meshgrid(range(questions), range(len(arms)), range(attempts), indexing="ij")
    )
    size = len(question)
    most = int(answer.max()) + 1
    return Recording(
        source=source,
        datasets=("",),
        arms=tuple(arms),
        questions=tuple(f"q{place}" for place in range(questions)),
        groups=(None,) * questions,
        answers=(tuple(map(str, range(most))),) * questions,
        question_dataset=np.zeros(questions, dtype=np.int32),
        comparable=np.ones(questions, dtype=np.bool_),
        verifiable=np.full(questions, verifiable),
        agent=np.zeros(questions, dtype=np.bool_),
        adaptive=np.zeros(questions, dtype=np.bool_),
        question=question.astype(np.int32),
        arm=arm.astype(np.int32),
        attempt=attempt.astype(np.int64),
        correct=correct.ravel().astype(np.int8),
        verified=np.where(verifiable, correct.ravel(), -1).astype(np.int8),
        answer=answer.ravel().astype(np.int32),
        input_tokens=np.full(size, _INPUT, dtype=np.int64),
        cached_tokens=np.full(size, -1, dtype=np.int64),
        cache_write_tokens=np.full(size, -1, dtype=np.int64),
        output_tokens=tokens.ravel().astype(np.int64),
        cost_nusd=cost_nusd.ravel().astype(np.int64),
        latency_s=np.full(size, np.nan),
        finish=np.zeros(size, dtype=np.int8),
        cap=np.full(size, -1, dtype=np.int64),
        calls=np.ones(size, dtype=np.int64),
        answers_agree="always",
        price_date=None,
        notes=(),
    )


def _draw(
    law: Planted,
    difficulty: NDArray[np.float64],
    length: NDArray[np.float64],
    attempts: int,
    draws: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Right or not, answer (0 is the right one) and tokens of one arm's attempts.  (questions, attempts) each"""
    questions = len(difficulty)
    luck = -(law.loading * difficulty + math.sqrt(1 - law.loading**2) * draws.standard_normal(questions))
    chance = _quantile(law.rightness, luck)
    crowding = np.exp(
        law.shape.centre + law.shape.slope * (chance - 0.5) + law.shape.spread * draws.standard_normal(questions)
    )
    correct = (draws.random((questions, attempts)) < chance[:, None]).astype(np.int64)
    answer = answers(correct, crowding, draws)
    mean, shared, own, within = law.tokens
    own_length = law.tie * difficulty + math.sqrt(1 - law.tie**2) * length
    logs = mean + shared * own_length + own * draws.standard_normal(questions)
    logs = logs[:, None] + law.lean * within * (correct - chance[:, None])
    tokens = np.exp(logs + within * draws.standard_normal((questions, attempts)))
    return correct, answer, np.maximum(np.rint(tokens), 1).astype(np.int64)


def answers(correct: NDArray[np.int64], crowding: NDArray[np.float64], draws: np.random.Generator) -> NDArray[np.int64]:
    """Answers whose wrong ones crowd (Ewens's sampling formula, drawn by Hoppe's urn): 0 where right, else from 1 on.

    Args:
        correct: 1 where an attempt is right.  (questions, attempts)
        crowding: the concentration of each question's wrong answers.  (questions,)
        draws: the source of luck.
    """
    answer = np.zeros(correct.shape, dtype=np.int64)
    for place in range(len(correct)):
        votes: list[int] = []
        for number in np.flatnonzero(correct[place] == 0).tolist():
            # an earlier wrong answer in proportion to its votes, or a new one in proportion to the crowding
            at = draws.random() * (sum(votes) + crowding[place])
            chosen = int(np.searchsorted(np.cumsum(votes), at, side="right")) if votes else 0
            votes[chosen:] = [votes[chosen] + 1, *votes[chosen + 1 :]] if chosen < len(votes) else [1]
            answer[place, number] = chosen + 1
    return answer


def _quantile(law: Rightness, luck: NDArray[np.float64]) -> NDArray[np.float64]:
    """The chance of being right that stands where the luck stands among all questions."""
    try:
        special = importlib.import_module("scipy.special")
    except ImportError:
        raise BadInput("planting a recording needs scipy: pip install 'thinkcap[evals]'") from None
    place = np.array([NormalDist().cdf(z) for z in luck.tolist()])
    inside = np.clip((place - law.zero) / (1 - law.zero - law.one), 0, 1)
    found = law.scale * special.betaincinv(law.a, law.b, inside)
    return np.asarray(np.where(place < law.zero, 0.0, np.where(place > 1 - law.one, 1.0, found)))
