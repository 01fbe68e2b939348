"""Several attempts, or questions, at once: in threads or in tasks. What is begun, and when, is decided elsewhere."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from thinkcap.controller.effects import Asked
from thinkcap.controller.later import collecting, watch_collections
from thinkcap.controller.many import Many, Rounds
from thinkcap.controller.pacing import Opened, Paced
from thinkcap.policies import Item, Outcome

if TYPE_CHECKING:
    from thinkcap.policies.budgets import Turn

__all__ = ["in_tasks", "in_threads", "stream_in_tasks", "stream_in_threads"]

_OVER: Any = object()


def in_threads(rounds: Rounds[Any]) -> Many:
    """A batch to its end; on an error or Ctrl-C nothing more is begun, and what is in flight is waited for."""
    with rounds.account, ThreadPoolExecutor(rounds.concurrency) as pool:
        running: dict[Future[Outcome], Turn] = {}
        while True:
            for turn in rounds.ready():
                running[pool.submit(_turn, rounds, turn)] = turn
            if not running:
                return rounds.result()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                rounds.ended(running.pop(future), future.exception() or future.result())


def _turn(rounds: Rounds[Any], turn: Turn) -> Outcome:
    outcome: Outcome = rounds.begin(turn)()
    return outcome


async def in_tasks(rounds: Rounds[Any]) -> Many:
    """A batch to its end; on an error or a cancel what is in flight is cancelled, and charged."""
    running: dict[asyncio.Task[Outcome], Turn] = {}

    async def make(turn: Turn) -> Outcome:
        outcome: Outcome = await rounds.begin(turn)()
        return outcome

    try:
        with rounds.account:
            while True:
                for turn in rounds.ready():
                    running[asyncio.create_task(make(turn))] = turn
                if not running:
                    return rounds.result()
                for task in (await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED))[0]:
                    rounds.ended(running.pop(task), task.exception() or task.result())
    finally:
        await _cancelled(running)


def stream_in_threads(paced: Paced[Any], questions: Iterable[Asked | Item]) -> Iterator[Outcome]:
    """A stream's outcomes, in the order of its questions; one that is there is given before another is begun.

    When it is left early, what is in flight is waited for, and nothing more is asked.
    """
    watch_collections()
    coming, is_over = iter(questions), False
    broke: Exception | None = None
    window: deque[Future[Outcome]] = deque()
    with paced.account:
        pool = ThreadPoolExecutor(paced.concurrency)
        try:
            while window or not is_over:
                if window and window[0].done():
                    yield window.popleft().result()
                elif not is_over and paced.has_room(sum(not future.done() for future in window)):
                    try:
                        question = next(coming, _OVER)
                        is_over = question is _OVER
                        if not is_over:
                            window.append(pool.submit(_made, paced.begin(question)))
                    except Exception as error:
                        broke, is_over = error, True  # what was asked before is given first
                else:
                    wait([future for future in window if not future.done()], return_when=FIRST_COMPLETED)
        finally:
            paced.is_left = True
            pool.shutdown(wait=not collecting())  # a collection may hold the lock that those in flight wait for
    if broke is not None:
        raise broke


def _made(opened: Opened) -> Outcome:
    try:
        return opened.ended(opened.run())
    except Exception as error:
        return opened.failed(error)


async def stream_in_tasks(
    paced: Paced[Any], questions: Iterable[Asked | Item] | AsyncIterable[Asked | Item]
) -> AsyncIterator[Outcome]:
    """The same in tasks; the questions may come asynchronously."""
    coming, is_over = aiter(_each(questions)), False
    broke: Exception | None = None
    window: deque[asyncio.Task[Outcome]] = deque()
    try:
        with paced.account:
            while window or not is_over:
                if window and window[0].done():
                    yield window.popleft().result()
                elif not is_over and paced.has_room(sum(not task.done() for task in window)):
                    try:
                        question = await anext(coming, _OVER)
                        is_over = question is _OVER
                        if not is_over:
                            window.append(asyncio.create_task(_awaited(paced.begin(question))))
                    except Exception as error:
                        broke, is_over = error, True
                else:
                    running = [task for task in window if not task.done()]
                    await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancelled(window)
    if broke is not None:
        raise broke


async def _awaited(opened: Opened) -> Outcome:
    try:
        return opened.ended(await opened.run())
    except Exception as error:
        return opened.failed(error)


async def _each(questions: Iterable[Asked | Item] | AsyncIterable[Asked | Item]) -> AsyncIterator[Asked | Item]:
    if isinstance(questions, AsyncIterable):
        async for question in questions:
            yield question
    else:
        for question in questions:
            yield question


async def _cancelled(tasks: Iterable[asyncio.Task[Outcome]]) -> None:
    """Cancel what is in flight, and wait until it is charged."""
    left = list(tasks)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
