"""Many questions under one budget: which attempts to begin now, and what came of those that ended.

:class:`Rounds` is what both controllers share; they differ in how they run several attempts at once. What is bought
next is decided by :class:`thinkcap.policies.budgets.Batch`, and the budget is an account that every question draws on:
its ceiling holds whatever the curve says.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic

from thinkcap.controller.account import Account
from thinkcap.controller.asking import (
    Asking,
    check_concurrency,
    check_told,
    levels_for,
    open_budget,
    read_asking,
    read_items,
    worst_of,
)
from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.effects import Asked
from thinkcap.controller.expecting import ExpectedSoFar
from thinkcap.controller.govern import Client
from thinkcap.controller.ledger import Limits
from thinkcap.controller.resuming import read_all_attempts, resumable
from thinkcap.controller.solving import Solver
from thinkcap.policies import (
    Attempt,
    BadInput,
    CeilingReached,
    Dollars,
    Fixed,
    Item,
    Outcome,
    ProviderFailed,
    Question,
    Reason,
    State,
)
from thinkcap.policies.money import NANO

if TYPE_CHECKING:
    from thinkcap.policies.budgets import Certificate, Turn
    from thinkcap.policies.curves import Curve

__all__ = ["Many", "OnProgress", "Rounds"]

OnProgress = Callable[[int, int], None]
"""Told of nano-dollars spent, and questions that have an answer."""

_FAILURES = 5
"""Attempts that fail one after another, with none succeeding, before the batch is given up."""

_FAILURES_LATER = 25
"""The same once some have succeeded."""


@dataclass(frozen=True, slots=True)
class Many:
    """What a batch came to.

    Attributes:
        outcomes: one a question, in the order given.
        budget_nusd: nano-dollars there were for all of them.
        spent_nusd: nano-dollars they cost, an earlier process's included.
        certificate: how far the allocation can be from the best one, by the curve; None without a curve.
        stopped: why it ended with money and questions left; None if it did not.
        receipt: of the account they drew on.
    """

    outcomes: tuple[Outcome, ...]
    budget_nusd: int
    spent_nusd: int
    certificate: Certificate | None
    stopped: str | None
    receipt: Mapping[str, Any]


@dataclass(slots=True)
class _Begun:
    """A turn in flight.

    Attributes:
        beside: others were in flight at any time while it was.
        made: its attempts so far.
        account: the question's, once it is open.
    """

    beside: bool = False
    made: list[Attempt] = field(default_factory=list)
    account: Account | None = None

    def is_late(self) -> bool:
        """Whether the question's seconds are over."""
        return self.account is not None and self.account.seconds_left == 0

    def is_at_its_own(self, free: Limits) -> bool:
        """Whether the question's own ceiling leaves it no more than the budget does."""
        if self.account is None:
            return False
        own = self.account.balance
        pairs = ((own.money, free.nusd), (own.output_tokens, free.output_tokens), (own.calls, free.calls))
        return any(tally.free is not None and (most is None or tally.free <= most) for tally, most in pairs)


class Rounds(Generic[Client]):
    """One batch: says what to begin, and takes what came of it. Turns are begun by any thread, the rest is done by one.

    Args:
        solver: the controller.
        questions: what to ask.
        budget: dollars for all of them.
        curve: says what more attempts are worth; None leaves it to the controller's policy.
        asking: how they are asked.
        concurrency: attempts in flight at most.
        name: of the budget's account.
        resume: go on from the attempts that the controller's recorder holds.
        progress: told how far the batch is.
    """

    def __init__(
        self,
        solver: Solver[Client],
        questions: Iterable[Asked | Item],
        budget: Ceiling | Dollars,
        curve: Curve | None,
        asking: Asking,
        concurrency: int,
        name: str | None,
        *,
        resume: bool,
        progress: OnProgress | None,
    ) -> None:
        from thinkcap.policies.budgets import Batch

        self.concurrency = self._limit = check_concurrency(concurrency)
        self._options = read_asking(solver, asking)
        check_told(progress, "progress")
        levels = levels_for(solver, curve)
        self._items = read_items(questions, solver.recorder)
        names = [name for name, _, _ in self._items]
        self._worst = worst_of(solver, (asked for _, asked, _ in self._items), self._options, levels)
        held = read_all_attempts(resumable(solver.recorder), names, solver.arms) if resume else {}
        self.account = open_budget(solver, budget, name, resume=resume)
        self._held_before = self.account.balance.money.reserved  # by processes that ended: it does not come back
        self._solver: Solver[Client] = copy.copy(solver)
        self._solver.account = self.account
        self._solver._expected = ExpectedSoFar(Fixed())  # a turn is no whole question: nothing is expected of it
        states = [State(self._question(name[1], own), solver.arms, held.get(name, ())) for name, _, own in self._items]
        self._batch = Batch(levels, states, self._money / NANO)
        self._is_certified = curve is not None
        self._progress = progress
        self._begun: dict[int, _Begun] = {}
        self._next: Turn | None = None
        self._retried: set[int] = set()
        self._why: dict[int, Reason] = {}
        self._in_a_row = self._in_a_row_well = 0
        self._succeeded = False
        self._first_error: BaseException | None = None
        self._stopped: str | None = None
        self._otherwise = Reason.CEILING

    def _question(self, name: str, own: Mapping[str, Any]) -> Question:
        asked = {**self._options, **own}
        verifiable = asked["verifier_spec"] is not None
        comparable = verifiable or asked["extract"] is not None or asked["response_format"] is not None
        return Question(name, comparable=comparable, verifiable=verifiable)

    def ready(self) -> list[Turn]:
        """The attempts to begin beside those in flight."""
        turns: list[Turn] = []
        while self._stopped is None and len(self._begun) < self._limit:
            unspent = self._unspent
            turn = self._next or self._batch.next(unspent / NANO)
            if turn is None:
                break
            if self._begun and sum(self._worst[place] for place in (*self._begun, turn.place)) > unspent:
                self._next = turn  # beside the others it would be refused, or cut short
                break
            self._next = None
            turns.append(turn)
            self._begun[turn.place] = _Begun()
        if turns and len(self._begun) > 1:
            for begun in self._begun.values():
                begun.beside = True
        return turns

    def begin(self, turn: Turn) -> Callable[[], Any]:
        """One attempt, opened: call what is returned to make it."""
        state, (name, asked, own) = self._batch.states[turn.place], self._items[turn.place]
        solver = copy.copy(self._solver)
        solver.policy = turn.policy.capped(attempts=len(state.attempts) + 1)
        begun = self._begun[turn.place]
        options = {**self._options, **own}
        told = options["on_attempt"]

        def note(question: Question, attempt: Attempt) -> None:
            begun.made.append(attempt)
            if told is not None:
                told(question, attempt)

        options["on_attempt"] = note
        solve = solver._start(asked, id=name[1], before=state.attempts, agent=None, **options)
        begun.account = solve.account
        return lambda: solver._run(solve)

    def ended(self, turn: Turn, outcome: Outcome | BaseException) -> None:
        """What came of a turn.

        Raises:
            Exception: what it raised, unless it is for want of money or the provider's failure.
        """
        begun, state = self._begun.pop(turn.place), self._batch.states[turn.place]
        made = begun.made
        if made and made[-1].finish == "ceiling" and not made[-1].calls:
            made = made[:-1]  # refused before it was sent
        late = isinstance(outcome, BadInput) and not made and begun.is_late()
        if isinstance(outcome, BaseException) and not (late or isinstance(outcome, CeilingReached | ProviderFailed)):
            raise outcome
        failed = isinstance(outcome, ProviderFailed) or any(attempt.finish == "error" for attempt in made)
        if self.account.closed is Reason.DEADLINE:
            self._stop("its seconds are over", Reason.DEADLINE, outcome)
        if not made and not failed:
            reason = outcome.reason if isinstance(outcome, Outcome) else Reason.DEADLINE if late else Reason.CEILING
            if reason is Reason.CEILING and self._stopped is None and self._may_fit(turn.place, begun):
                self._batch.again(turn)
                return
            self._why[turn.place] = reason
        for attempt in made:
            state = state.after(attempt)
        self._batch.took(turn, state)
        if failed:
            self._in_a_row += 1
            if self._in_a_row >= (_FAILURES_LATER if self._succeeded else min(_FAILURES, len(self._items))):
                error = made[-1].error if made else str(outcome)
                self._stop(f"{self._in_a_row} attempts in a row failed: {error}", Reason.FAILED, outcome)
        elif made:
            self._in_a_row, self._succeeded = 0, True
            self._in_a_row_well += 1
            if self._limit < self.concurrency and self._in_a_row_well >= self._limit:
                self._limit, self._in_a_row_well = self._limit + 1, 0
        elif isinstance(outcome, BaseException):
            self._first_error = self._first_error or outcome
        if self._progress is not None:
            self._progress(self.account.balance.money.spent, self._batch.answered)

    def result(self) -> Many:
        """What the batch came to.

        Raises:
            CeilingReached: if the budget does not pay for a single call.
            ProviderFailed: if not one call got through.
        """
        got_through = any(a.calls or a.text is not None for state in self._batch.states for a in state.attempts)
        if self._first_error is not None and not got_through:
            raise self._first_error
        outcomes = tuple(
            self._batch.outcome(place, self._why.get(place, self._otherwise)) for place in range(len(self._items))
        )
        return Many(
            outcomes,
            self._money,
            self.account.balance.money.spent,
            self._batch.certificate() if self._is_certified else None,
            self._stopped,
            self.account.receipt(),
        )

    def _may_fit(self, place: int, begun: _Begun) -> bool:
        """Whether what was refused may fit once those beside it have ended; if so, fewer are begun at once."""
        if not begun.beside:
            return False
        if begun.is_at_its_own(self.account.available):
            known = place in self._retried
            self._retried.add(place)
            return not known
        self._limit, self._in_a_row_well = max(1, min(self._limit, len(self._begun))), 0
        return True

    def _stop(self, why: str, reason: Reason, outcome: object) -> None:
        if self._stopped is None:
            self._stopped, self._otherwise = why, reason
        if isinstance(outcome, BaseException):
            self._first_error = self._first_error or outcome

    @property
    def _money(self) -> int:
        ceiling = self.account.ceiling
        assert ceiling is not None
        return ceiling.nano or 0

    @property
    def _unspent(self) -> int:
        """Nano-dollars that are not spent: free, or held by those in flight."""
        free = self.account.available.nusd
        return max(0, self.account.balance.money.reserved - self._held_before) + (free or 0)
