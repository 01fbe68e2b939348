"""One question's recorded attempts as a driver of episodes: the tape, and the till that keeps a ceiling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import floor, isnan

import numpy as np
from numpy.typing import NDArray

from thinkcap.evals.orders import orders_of
from thinkcap.evals.rates import output_rates
from thinkcap.evals.recording import FINISHES, Recording
from thinkcap.policies.episode import drive, episode
from thinkcap.policies.errors import BadInput
from thinkcap.policies.money import Dollars, nano_usd
from thinkcap.policies.policy import Policy
from thinkcap.policies.values import Arm, Attempt, Call, Offer, Outcome, Question, Room, Usage

__all__ = ["Tape", "Till", "play", "till_for"]

_ANY_CAP = 2**53  # output tokens: no recorded attempt has as many


class Tape:
    """One question's recorded attempts, in the order in which each permutation meets them."""

    def __init__(
        self,
        recording: Recording,
        question: int,
        arms: Iterable[Arm],
        permutations: int | None,
        seed: int,
        policy: str,
        rates: Callable[[], NDArray[np.float64]] | None = None,
    ) -> None:
        self._rates = rates or (lambda: output_rates(recording))
        self.recording, self.permutations, self.seed, self.policy = recording, permutations, seed, policy
        self.arms = tuple(arms)
        self.index = question
        self.question = Question(
            recording.questions[question],
            group=recording.groups[question],
            comparable=bool(recording.comparable[question]),
            verifiable=bool(recording.verifiable[question]),
            agent=bool(recording.agent[question]),
        )
        self._orders: dict[str, list[list[int]]] = {}
        self._read: dict[int, Attempt] = {}

    def order(self, arm: Arm, permutation: int) -> list[int]:
        """Rows of the recording, in the order in which this permutation meets an arm's attempts."""
        if arm.label not in self._orders:
            recorded = self.recording.find_arm(arm.label)
            rows = self.recording.rows(self.index, self.recording.arms.index(recorded))
            orders = orders_of(self.recording, self.index, arm.label, self.permutations, self.seed)
            self._orders[arm.label] = (orders + rows.start).tolist()
        return self._orders[arm.label][permutation]

    def attempt(self, call: Call, permutation: int, used: int, number: int) -> Attempt:
        """The next recorded attempt for a call, after ``used`` at its arm and ``number - 1`` in all."""
        order = self.order(call.arm, permutation)
        if used >= len(order):
            raise BadInput(self._ran_out(call.arm, len(order)))
        row = order[used]
        if call.max_output_tokens is not None and self._is_cut(call, row):
            return replace(self._cut(call.arm, row, call.max_output_tokens), number=number)
        read = self._read.get(row)
        if read is None:
            read = self._read[row] = self._attempt(call.arm, row)
        return read if number == 1 else replace(read, number=number)

    def _attempt(self, arm: Arm, row: int) -> Attempt:
        recording = self.recording
        code, verified, cap = int(recording.answer[row]), int(recording.verified[row]), int(recording.cap[row])
        seconds = float(recording.latency_s[row])
        return Attempt(
            number=1,
            arm=arm,
            answer=None if code < 0 else recording.answers[self.index][code],
            cost_nusd=int(recording.cost_nusd[row]),
            usage=Usage(max(0, int(recording.input_tokens[row])), int(recording.output_tokens[row])),
            finish=FINISHES[recording.finish[row]],
            verified=None if verified < 0 else bool(verified),
            max_output_tokens=None if cap < 0 else cap,
            calls=int(recording.calls[row]),
            seconds=None if np.isnan(seconds) else seconds,
        )

    def _is_cut(self, call: Call, row: int) -> bool:
        """Whether a call's cap cuts the recorded attempt."""
        asked, cap = call.max_output_tokens or 0, int(self.recording.cap[row])
        tokens = int(self.recording.output_tokens[row])
        where = f"question {self.question.id}, {call.arm.label}, attempt {self.recording.attempt[row]}"
        if asked < tokens and not 0 < cap <= asked:
            if np.isnan(self._rate(call.arm)):
                raise BadInput(
                    f"{self.policy} caps a call at {asked:,} output tokens where {tokens:,} are recorded ({where}): "
                    "what a token cost does not follow from the costs; replay without the cap, or record with it"
                )
            return True
        if 0 < cap < asked and FINISHES[self.recording.finish[row]] == "length":
            raise BadInput(
                f"{self.policy} allows {asked:,} output tokens where the recording was cut at {cap:,} ({where}): "
                "what would have followed is not in the recording; record with a larger cap"
            )
        return False

    def _cut(self, arm: Arm, row: int, cap: int) -> Attempt:
        """The attempt as it would have been under a cap: billed up to there, and without an answer."""
        whole = self._attempt(arm, row)
        assert whole.usage is not None
        saved = floor((whole.usage.output_tokens - cap) * self._rate(arm))
        return replace(
            whole,
            answer=None,
            verified=None,
            finish="length",
            cost_nusd=max(0, whole.cost_nusd - saved),
            usage=replace(whole.usage, output_tokens=cap),
            max_output_tokens=cap,
        )

    def _rate(self, arm: Arm) -> float:
        return float(self._rates()[self.recording.arms.index(self.recording.find_arm(arm.label))])

    def _ran_out(self, arm: Arm, recorded: int) -> str:
        where = f"{arm.label} on question {self.question.id}"
        if not recorded:
            several = len(self.recording.datasets) > 1
            choose = f"dataset= ({', '.join(self.recording.datasets)})" if several else "arms="
            return (
                f"{self.policy} asks {where}, where nothing is recorded: choose with {choose}, record it, or compare "
                "on the questions that all arms have (--intersect)"
            )
        return (
            f"{self.policy} asks for attempt {recorded + 1} of {where}, where {recorded} are recorded: "
            f"allow at most {recorded} (for example lead:3/{recorded}) or record more"
        )


def play(policy: Policy, tape: Tape, permutation: int, till: Till | None = None) -> Outcome:
    """One episode on one permutation of a tape."""
    used: Counter[str] = Counter()

    def perform(call: Call) -> Attempt:
        label = call.arm.label
        attempt = tape.attempt(call, permutation, used[label], used.total() + 1)
        used[label] += 1
        if till is not None:
            till.pay(attempt.cost_nusd)
        return attempt

    room = till.room if till is not None else Room
    return drive(episode(policy, tape.question, tape.arms, room), perform)


class Till:
    """What a ceiling leaves during one replayed episode.

    Args:
        ceiling_nusd: nano-dollars for an episode.
        arms: by arm, what an attempt can come to.
    """

    def __init__(self, ceiling_nusd: int, arms: Sequence[Worst]) -> None:
        self._ceiling, self._arms = ceiling_nusd, arms
        self._free = ceiling_nusd

    def fresh(self) -> Till:
        """A full till under the same ceiling, for the next episode."""
        return Till(self._ceiling, self._arms)

    def pay(self, nusd: int) -> None:
        """Take an attempt's cost, in nano-dollars."""
        self._free -= nusd

    def room(self) -> Room:
        """An arm is on offer while its worst case fits what is left, or that of the cap which its call carries."""
        return Room(tuple(arm.offer(self._free) for arm in self._arms), free_nusd=self._free)


@dataclass(frozen=True, slots=True)
class Worst:
    """What an attempt at an arm can come to.

    Attributes:
        nusd: nano-dollars of the dearest recorded attempt at any question.
        tokens: of the longest; at least 1.
        base_nusd: nano-dollars of the dearest prompt: what an attempt costs beside its output.
        rate: nano-dollars of an output token; NaN where costs do not follow tokens, and an attempt cannot be cut.
    """

    nusd: int
    tokens: int
    base_nusd: float
    rate: float

    def offer(self, free: int) -> Offer:
        """A call without a cap is made whole or not at all; one with a cap where what the cap allows can be paid."""
        if self.nusd <= free:
            return Offer(_ANY_CAP, self.tokens, self.tokens, self.nusd)
        most = 0 if isnan(self.rate) else max(0, floor((free - self.base_nusd) / self.rate))
        return Offer(min(most, self.tokens - 1), self.tokens, self.tokens, self.nusd)


def till_for(recording: Recording, arms: Sequence[Arm], ceiling: Dollars | None) -> Till | None:
    """The till for a ceiling per question."""
    if ceiling is None:
        return None
    rates = output_rates(recording)
    return Till(nano_usd(ceiling), [_worst(recording, recording.arms.index(arm), rates) for arm in arms])


def _worst(recording: Recording, arm: int, rates: NDArray[np.float64]) -> Worst:
    rows = recording.arm == arm
    nusd, tokens, rate = recording.cost_nusd[rows], recording.output_tokens[rows], float(rates[arm])
    base = float((nusd - tokens * rate).max()) + 1  # a cut attempt's cost is rounded up to a nano-dollar
    return Worst(int(nusd.max()), max(1, int(tokens.max())), base, rate)
