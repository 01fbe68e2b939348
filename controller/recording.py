"""Making a recording: every question asked at every arm a number of times, under a budget.

The order is shuffled, so that a provider's drift falls on all arms alike. Each attempt is on disk as soon as it is
paid for, and a second run over the same file makes only what is missing.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import openai

from thinkcap.controller.account import Account
from thinkcap.controller.controller import Controller
from thinkcap.controller.price import MOST_TOKENS, Price
from thinkcap.controller.recorder import Recorder
from thinkcap.controller.retries import Retries
from thinkcap.policies import (
    Arm,
    Attempt,
    BadInput,
    CeilingReached,
    Fixed,
    Item,
    ProviderFailed,
    Reason,
    ThinkcapError,
    Where,
)

__all__ = ["Recorded", "record"]

_FAILURES = 5
"""Attempts that fail one after another, with none succeeding, before the run is given up."""

_FAILURES_LATER = 25
"""The same once some have succeeded: more, since one bad question or arm may well fail a few times in a row."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """How far a recording is.

    Attributes:
        wanted: attempts asked for: questions x arms x attempts.
        before: of these, attempts the file held already.
        made: attempts made by this run.
        failed: attempts that did not get through (charged or not); they are not in the file, and another run makes
            them.
        spent_nusd: nano-dollars this run has spent.
        stopped: why it ended early; None if it did not.
    """

    wanted: int
    before: int
    made: int = 0
    failed: int = 0
    spent_nusd: int = 0
    stopped: str | None = None


def record(
    client: openai.OpenAI | Mapping[str, openai.OpenAI],
    questions: Iterable[Item],
    arms: Iterable[Arm | str],
    recorder: Recorder,
    *,
    attempts: int,
    account: Account,
    concurrency: int = 8,
    seed: int = 0,
    prices: Mapping[str, Price] | None = None,
    retries: Retries | None = None,
    run_id: str | None = None,
    progress: Callable[[Recorded], None] | None = None,
) -> Recorded:
    """Ask every question at every arm ``attempts`` times, and write each attempt down.

    An attempt is made at its arm's whole output cap or not at all, so that all rows of an arm are alike.

    Args:
        client: one client, or several by name.
        questions: what to ask and how to judge it.
        arms: the ways to ask.
        recorder: where attempts are written; what its file holds already is not made again.
        attempts: attempts of each question at each arm, in all.
        account: pays; at its ceiling the run ends, and says so.
        concurrency: calls in flight at most.
        seed: of the order.
        prices: the caller's own prices by model.
        retries: how often a call is tried again.
        run_id: written into each row, to tell runs apart.
        progress: told after every attempt how far the run is.

    Raises:
        BadInput: for arguments that cannot be meant.
        ProviderFailed: if the first attempts all fail: nothing is gained by going on.
        CeilingReached: if the account does not pay for a single attempt.
    """
    if attempts < 1 or concurrency < 1:
        raise BadInput("record needs at least 1 attempt and a concurrency of at least 1")
    run = _Run(client, list(questions), arms, recorder, account, prices, retries, run_id)
    todo = run.todo(attempts, seed)
    return run.make(todo, concurrency, progress)


class _Run:
    def __init__(
        self,
        client: openai.OpenAI | Mapping[str, openai.OpenAI],
        questions: Sequence[Item],
        arms: Iterable[Arm | str],
        recorder: Recorder,
        account: Account,
        prices: Mapping[str, Price] | None,
        retries: Retries | None,
        run_id: str | None,
    ) -> None:
        self.questions, self.recorder, self.account, self.run_id = questions, recorder, account, run_id
        whole = Controller(
            client, arms, Fixed(), account=account, prices=prices, retries=retries, min_output_tokens=MOST_TOKENS
        )
        self.arms = whole.arms
        for arm in self.arms:
            whole.price_date(arm)  # refuses an arm without a price before another is paid for
        names = [(item.dataset, item.question_id) for item in questions]
        twice = next((name for (_, name), count in Counter(names).items() if count > 1), None)
        if twice is not None:
            raise BadInput(f"two questions have the id {twice!r}; give one of them another")
        self.controllers = {arm.label: whole.only(arm) for arm in self.arms}
        self._stop = threading.Event()
        self._wanted = 0

    def todo(self, attempts: int, seed: int) -> list[tuple[Item, Arm, int]]:
        tasks = [(item, arm, index) for item in self.questions for arm in self.arms for index in range(attempts)]
        self._wanted = len(tasks)
        done = self.recorder.holds
        tasks = [task for task in tasks if (task[0].dataset, task[0].question_id, task[1].label, task[2]) not in done]
        random.Random(seed).shuffle(tasks)  # noqa: S311 - an order, not a secret
        return tasks

    def make(
        self,
        tasks: Sequence[tuple[Item, Arm, int]],
        concurrency: int,
        progress: Callable[[Recorded], None] | None,
    ) -> Recorded:
        before = self.account.balance.money.spent
        state = Recorded(self._wanted, self._wanted - len(tasks))
        left = list(reversed(tasks))
        first_error: Exception | None = None
        in_a_row = 0
        with ThreadPoolExecutor(concurrency) as pool:
            running: dict[Future[None], tuple[tuple[Item, Arm, int], bool]] = {}
            try:
                while True:
                    while state.stopped is None and len(running) < concurrency and left:
                        task = left.pop()
                        running[pool.submit(self._one, *task)] = (task, concurrency == 1)
                    if not running:
                        break
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        task, alone = running.pop(future)
                        error = future.exception()
                        made, failed, stopped = state.made, state.failed, state.stopped
                        if error is None:
                            made += 1
                            in_a_row = 0
                        elif self.account.closed is Reason.DEADLINE and isinstance(error, ThinkcapError):
                            stopped = "its seconds are over"
                            first_error = first_error or error
                        elif isinstance(error, CeilingReached) and not alone:
                            left.append(task)  # what the others hold may come back: try again beside fewer
                            concurrency = max(1, min(concurrency, len(running) + 1) // 2)
                        elif isinstance(error, CeilingReached):
                            stopped = "the budget is used up"
                            first_error = first_error or error
                        elif isinstance(error, ProviderFailed):
                            failed += 1
                            in_a_row += 1
                            first_error = first_error or error
                            if in_a_row >= (_FAILURES_LATER if made else min(_FAILURES, len(tasks))):
                                stopped = str(error)
                        else:
                            raise error
                        spent = self.account.balance.money.spent - before
                        state = Recorded(state.wanted, state.before, made, failed, spent, stopped)
                    if progress is not None:
                        progress(state)
            finally:
                self._stop.set()  # on an error or Ctrl-C: what is queued is not started, what is in flight is kept
        if not state.made and first_error is not None:
            raise first_error
        return state

    def _one(self, item: Item, arm: Arm, index: int) -> None:
        if self._stop.is_set():
            return
        made: list[Attempt] = []
        controller = self.controllers[arm.label]
        started = time.time()
        controller.solve(
            item.question,
            extract=item.extract,
            verifier=item.verifier,
            id=f"{item.question_id} {arm.label} {index}",
            on_attempt=lambda _, attempt: made.append(attempt),
        )
        for attempt in made:
            if attempt.finish == "error":
                raise ProviderFailed(f"arm {arm.label}: {attempt.error}")
            if attempt.finish == "ceiling":
                raise CeilingReached(f"arm {arm.label}: {attempt.error}")
            self.recorder.write(
                attempt,
                Where(item.question_id, item.dataset, item.group, self.run_id),
                correct=item.grade(attempt.answer),
                index=index,
                started_at=round(started, 3),
                price_date=controller.price_date(arm),
            )
