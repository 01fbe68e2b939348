"""The loop, written once: a policy decides, a driver asks, until the policy or the ceiling says stop.

:func:`episode` is a generator. It yields a :class:`Call`, is sent the :class:`Attempt` it came to, and returns
an :class:`Outcome`. Live, asynchronous and in replay it is the same generator; :func:`drive` and
:func:`drive_async` run it (or any generator of effects) in a few lines.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable
from dataclasses import replace
from typing import TypeVar

from thinkcap.policies.afford import afford
from thinkcap.policies.policy import Capped, Policy
from thinkcap.policies.share import fair_share
from thinkcap.policies.values import Arm, Attempt, Call, Outcome, Question, Reason, Room, State, Stop

__all__ = ["drive", "drive_async", "ended", "episode", "next_move"]

Effect = TypeVar("Effect")
Answer = TypeVar("Answer")
Result = TypeVar("Result")


def episode(
    policy: Policy,
    question: Question,
    arms: Iterable[Arm],
    room: Callable[[], Room] = Room,
    before: Iterable[Attempt] = (),
) -> Generator[Call, Attempt, Outcome]:
    """All attempts at one question.

    Args:
        policy: who decides.
        question: what is being answered.
        arms: the ways it may be asked, by convention cheapest first.
        room: says, at the moment of each decision, what the ceiling leaves; by default nothing is limited.
        before: attempts that were made already: the episode goes on from there.
    """
    state = State(question, tuple(arms), tuple(before), room())
    while isinstance(move := next_move(policy, state), Call):
        attempt = yield move
        state = replace(state.after(attempt), room=room())
    return ended(state, move)


def ended(state: State, stop: Stop) -> Outcome:
    """What an episode comes to that stops in this state."""
    return Outcome(state.question.id, stop.answer, stop.reason, state.attempts, _agreement(state, stop.answer))


def next_move(policy: Policy, state: State) -> Call | Stop:
    """The next move: what holds for every policy first, then the policy's, within what the ceiling leaves."""
    if state.verified is not None:
        return Stop(Reason.VERIFIED, state.verified.answer)
    if state.room.closed is not None:
        return policy.stop(state, state.room.closed)
    question = state.question
    if question.comparable or question.verifiable:
        move = policy.decide(state)
    elif any(attempt.answer is not None or attempt.finish == "stop" for attempt in state.attempts):
        move = policy.stop(state, Reason.NOTHING_TO_COMPARE)
    elif isinstance(policy, Capped):
        reached, one = policy.reached(state), Call(policy.favourite(state))
        move = policy.within(one) if reached is None else policy.stop(state, reached)
    else:
        move = Call(policy.favourite(state))
    if isinstance(move, Call):
        fitted = afford(move, state)
        if not isinstance(fitted, Call):
            return policy.stop(state, fitted)
        if question.agent and fitted.share is None:
            return replace(fitted, share=fair_share(policy, state, fitted))
        return fitted
    return move


def _agreement(state: State, answer: str | None) -> float | None:
    voters = [a for a in state.attempts if a.answer is not None and a.verified is not False]
    if not voters:
        return None
    return sum(voter.answer == answer for voter in voters) / len(voters)


def drive(steps: Generator[Effect, Answer, Result], perform: Callable[[Effect], Answer]) -> Result:
    """Run a generator of effects to its end; what ``perform`` raises is raised inside the generator."""
    try:
        effect = next(steps)
        while True:
            try:
                answer = perform(effect)
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(answer)
    except StopIteration as end:
        result: Result = end.value
        return result


async def drive_async(
    steps: Generator[Effect, Answer, Result], perform: Callable[[Effect], Awaitable[Answer]]
) -> Result:
    """The same, awaiting each effect."""
    try:
        effect = next(steps)
        while True:
            try:
                answer = await perform(effect)
            except BaseException as error:
                effect = steps.throw(error)
            else:
                effect = steps.send(answer)
    except StopIteration as end:
        result: Result = end.value
        return result
