"""The comparison, live: every question answered by every policy, asked of the model now."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from thinkcap.controller import Account, AsyncController, Ceiling, Price, Retries
from thinkcap.demo.compare import Comparison, Side, predicted
from thinkcap.policies import Arm, Item, Outcome, Policy, Reason, nano_usd, usd

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["compare_live"]

Progress = Callable[[int, int, int], None]
"""Told of episodes done, episodes in all, and nano-dollars spent so far."""

_AT_ONCE = 8


class Server(Protocol):
    """What is asked: the running local server, or anything else that gives a client."""

    def async_client(self) -> AsyncOpenAI:
        """A client of it."""
        ...


def compare_live(
    server: Server,
    items: Sequence[Item],
    arms: Sequence[Arm],
    policies: Mapping[str, Policy],
    *,
    prices: Mapping[str, Price],
    ceiling_usd: str,
    seed: int,
    seconds: float,
    progress: Progress | None = None,
) -> Comparison:
    """Answer the questions with each policy, until they are done, the time is up, or Ctrl-C.

    Args:
        server: the running server to ask.
        items: the questions.
        arms: the ways to ask, cheapest first.
        policies: by name.
        prices: of the models.
        ceiling_usd: dollars one question may cost one policy.
        seed: the questions' seed, for the record.
        seconds: how long it may take; then nothing more is asked.
        progress: told after every episode.
    """
    run = _Run(server, items, arms, policies, prices, ceiling_usd, seconds, progress)
    ended = asyncio.run(run.all())
    return run.result(seed, ended)


class _Run:
    def __init__(
        self,
        server: Server,
        items: Sequence[Item],
        arms: Sequence[Arm],
        policies: Mapping[str, Policy],
        prices: Mapping[str, Price],
        ceiling_usd: str,
        seconds: float,
        progress: Progress | None,
    ) -> None:
        self.items, self.names = items, list(policies)
        self.ceiling = nano_usd(ceiling_usd)
        self.until = time.monotonic() + seconds
        self.progress = progress
        self.predicted = predicted(policies)
        self.outcomes: dict[tuple[int, str], Outcome] = {}
        self.account = Account(Ceiling(usd=usd(len(items) * len(policies) * self.ceiling)), name="demo")
        self.accounts = {name: self.account.child(name) for name in policies}
        self.client = server.async_client()
        self.controllers = {
            name: AsyncController(
                self.client,
                arms,
                policy,
                ceiling=ceiling_usd,
                account=self.accounts[name],
                prices=prices,
                retries=Retries(attempts=1),
                min_output_tokens=1,
            )
            for name, policy in policies.items()
        }

    async def all(self) -> str | None:
        """Every question at every policy; why it ended early, or None."""
        places = asyncio.Semaphore(_AT_ONCE)
        tasks = [
            asyncio.create_task(self._one(places, index, name))
            for index in range(len(self.items))
            for name in self.names
        ]
        ended = None
        try:
            done, running = await asyncio.wait(
                tasks, timeout=max(0.0, self.until - time.monotonic()), return_when=asyncio.FIRST_EXCEPTION
            )
            if running:
                ended = "the time was up"
            for task in done:
                task.result()
        except asyncio.CancelledError:  # Ctrl-C: what is done is shown
            ended = "interrupted"
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.client.close()
        return ended

    async def _one(self, places: asyncio.Semaphore, index: int, name: str) -> None:
        item = self.items[index]
        async with places:
            outcome = await self.controllers[name].solve(
                item.question,
                extract=item.extract,
                verifier=item.verifier,
                id=f"{item.question_id} {name}",
            )
        self.outcomes[index, name] = outcome
        if self.progress is not None:
            total = len(self.items) * len(self.names)
            self.progress(len(self.outcomes), total, self.account.balance.money.spent)

    def result(self, seed: int, ended: str | None) -> Comparison:
        """The figures of the questions that every policy finished."""
        whole = [
            index
            for index in range(len(self.items))
            if all(
                (index, name) in self.outcomes and self.outcomes[index, name].reason is not Reason.FAILED
                for name in self.names
            )
        ]
        if ended is None and len(whole) < len(self.items):
            ended = "at the others a call failed"
        return Comparison(
            live=True,
            model=next(iter(self.controllers.values())).arms[0].model,
            seed=seed,
            asked=len(self.items),
            ceiling_nusd=self.ceiling,
            sides={name: self._side(name, whole) for name in self.names},
            predicted=self.predicted,
            ended=ended,
        )

    def _side(self, name: str, whole: Sequence[int]) -> Side:
        outcomes = [self.outcomes[index, name] for index in whole]
        right = [self.items[index].grade(self.outcomes[index, name].answer) for index in whole]
        spent: Counter[str] = Counter()  # by question, those that were left in the middle too
        for entry in self.accounts[name].entries():
            spent[entry.account] += entry.charged_nusd
        return Side(
            accuracy=np.array(right, dtype=np.float64),
            usd=np.array([float(outcome.spent_usd) for outcome in outcomes]),
            attempts=np.array([len(outcome.attempts) for outcome in outcomes], dtype=np.float64),
            most_nusd=max(spent.values(), default=0),
        )
