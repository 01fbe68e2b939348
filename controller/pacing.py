"""Questions that come one by one, under one budget: how each is opened, and what it came to.

:class:`Paced` is what both controllers share. How much the next question may spend is decided by
:class:`thinkcap.policies.budgets.Pace`; the budget is an account that every question draws on.
"""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

from thinkcap.controller.account import Account
from thinkcap.controller.asking import (
    Asking,
    check_concurrency,
    first_cap,
    levels_for,
    open_budget,
    read_asking,
    read_item,
)
from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.effects import Asked
from thinkcap.controller.expecting import ExpectedSoFar
from thinkcap.controller.govern import Client
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
)
from thinkcap.policies.money import NANO

if TYPE_CHECKING:
    from thinkcap.policies.budgets import Share
    from thinkcap.policies.curves import Curve

__all__ = ["Opened", "Paced", "total_of"]

_FAILURES = 5
"""Questions that fail one after another before the stream is given up."""


def total_of(questions: object, total: int | None) -> int:
    """How many questions will come: as said, or as the questions themselves can say.

    Raises:
        BadInput: if nobody says, or it is no number of questions.
    """
    if total is None:
        try:
            total = len(questions)  # type: ignore[arg-type] # fine if it has one
        except TypeError:
            raise BadInput("say how many questions will come: total=, a guess will do") from None
    if type(total) is not int or total < 1:
        raise BadInput(f"total= must be a whole number of questions from 1, not {total!r}")
    return total


class _Left(Exception):
    """Ends a question in flight after its attempt, once nobody waits for it."""


class Paced(Generic[Client]):
    """One stream. Questions are opened by one thread, and ended by any.

    Args:
        solver: the controller.
        budget: dollars for all questions.
        total: questions that will come.
        curve: says what more attempts are worth; None leaves it to the controller's policy.
        asking: how questions are asked.
        concurrency: questions in flight at most.
        name: of the budget's account.

    Attributes:
        is_left: nobody waits for its outcomes any more: questions in flight ask nothing more.
    """

    def __init__(
        self,
        solver: Solver[Client],
        budget: Ceiling | Dollars,
        total: int,
        curve: Curve | None,
        asking: Asking,
        concurrency: int,
        name: str | None,
    ) -> None:
        from thinkcap.policies.budgets import Pace

        self.concurrency = check_concurrency(concurrency)
        self._options = read_asking(solver, asking)
        self._levels = levels_for(solver, curve)
        self._pace = Pace(self._levels, total)
        self.account = open_budget(solver, budget, name)
        self._solver: Solver[Client] = copy.copy(solver)
        self._solver.account = self.account
        self._solver._expected = ExpectedSoFar(Fixed())  # the policy changes from question to question
        self._numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.is_left = False
        self._in_a_row = self._worst = 0
        self._error: str | None = None

    def has_room(self, running: int) -> bool:
        """Whether another question may begin: only if what is unspent pays for one more call beside each in flight."""
        return not running or (running < self.concurrency and self._unspent >= (running + 1) * self._worst)

    def begin(self, question: Asked | Item) -> Opened:
        """The next question, with its share of the budget.

        Raises:
            ProviderFailed: if those before it did not get through.
            BadInput: if it cannot be asked.
        """
        if self._in_a_row >= _FAILURES:
            raise ProviderFailed(f"{self._in_a_row} questions in a row failed: {self._error}")
        (_, name), asked, own = read_item(question, next(self._numbers), self._solver.recorder)
        with self.lock:
            share = self._pace.next(self._unspent / NANO)
        solver = copy.copy(self._solver)
        solver.policy = share.policy
        options = {**self._options, **own, "on_attempt": self._note}
        solve = solver._start(asked, id=name, before=None, agent=None, **options)
        quotes = solver._quotes(solve)
        firsts = (quotes[arm.label][0].worst(first_cap(solver, arm, self._levels)) for arm in solver.arms)
        self._worst = max(self._worst, *firsts)
        return Opened(self, share, name, solve.account, lambda: solver._run(solve))

    def _note(self, question: Question, attempt: Attempt) -> None:
        if (told := self._options["on_attempt"]) is not None:
            told(question, attempt)
        if self.is_left:
            raise _Left

    def took(self, share: Share, spent_nusd: int, error: str | None) -> int:
        """Note what a question cost, and how it failed if it did; returns how many have failed in a row."""
        with self.lock:
            self._pace.took(share, spent_nusd / NANO)
            self._in_a_row = 0 if error is None else self._in_a_row + 1
            self._error = error
            return self._in_a_row

    @property
    def _unspent(self) -> int:
        return self.account.balance.money.reserved + (self.account.available.nusd or 0)


@dataclass(frozen=True, slots=True)
class Opened:
    """One question of a stream.

    Attributes:
        paced: its stream.
        share: of the budget.
        name: the question's.
        account: what it draws on.
        run: answers it, or returns what is to be awaited.
    """

    paced: Paced[Any]
    share: Share
    name: str
    account: Account
    run: Callable[[], Any]

    def ended(self, outcome: Outcome) -> Outcome:
        """Its outcome, noted."""
        failed = outcome.reason is Reason.FAILED and outcome.answer is None
        self._took(f"{outcome.attempts[-1].error}" if failed else None)
        return outcome

    def failed(self, error: Exception) -> Outcome:
        """Its outcome where answering it raised: none for want of money or time, or after the provider's failure.

        Raises:
            Exception: any other error; the provider's once a few have failed in a row.
        """
        late, unpaid = self.account.seconds_left == 0, not self.account.balance.money.spent
        in_a_row = self._took(str(error) if isinstance(error, ProviderFailed) else None)
        if isinstance(error, CeilingReached):
            return self._nothing(Reason.CEILING)
        if isinstance(error, BadInput) and late and unpaid:
            return self._nothing(Reason.DEADLINE)
        if isinstance(error, ProviderFailed) and (late or in_a_row < _FAILURES):
            return self._nothing(Reason.DEADLINE if late else Reason.FAILED)
        raise error

    def _nothing(self, reason: Reason) -> Outcome:
        return Outcome(self.name, None, reason, (), None)

    def _took(self, error: str | None) -> int:
        return self.paced.took(self.share, self.account.balance.money.spent, error)
