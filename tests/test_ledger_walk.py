"""A random walk over a tree of accounts, in memory and in a file that two processes share, against a model."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from tests.elsewhere import Elsewhere
from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger import Amount, Charge, Ledger, MemoryLedger, SqliteLedger
from thinkcap.policies.errors import BadInput, CeilingReached
from thinkcap.policies.values import Usage

Limits = tuple[int | None, int | None, int | None]

TREE: dict[str, Limits] = {
    "a": (1000, 400, 30),
    "a/b": (600, None, 12),
    "a/b/c": (None, None, None),
    "a/d": (300, 150, None),
    "e": (200, 90, 9),
}
PATHS = st.sampled_from(list(TREE))
AMOUNTS = st.builds(Amount, st.integers(0, 350), st.integers(0, 120), st.integers(0, 3))
LIMITS = st.tuples(*(st.none() | st.integers(1, most) for most in (1500, 600, 40)))


def ceiling_of(limits: Limits) -> Ceiling | None:
    nano, tokens, calls = limits
    if limits == (None, None, None):
        return None
    return Ceiling(usd=f"{nano}e-9" if nano else None, output_tokens=tokens, calls=calls)


def parts(amount: Amount) -> tuple[int, int, int]:
    return amount.nusd, amount.output_tokens, amount.calls


@dataclass(frozen=True)
class Line:
    """The model's only record: what was held, by whom, and what became of it."""

    path: str
    held: Amount
    holder: str  # "here", "there", or "gone" once its process has ended
    charged: Amount | None = None
    bounded: bool = False
    released: bool = False

    def below(self, path: str) -> bool:
        return self.path == path or self.path.startswith(path + "/")

    @property
    def open(self) -> bool:
        return self.charged is None and not self.released


class LedgerWalk(RuleBasedStateMachine):
    """The model keeps no sums: it adds up all lines anew whenever it is asked."""

    tickets = Bundle("tickets")

    # What a file's walk does otherwise

    def make(self) -> Ledger:
        return MemoryLedger()

    def through(self, there: bool, method: str, *arguments: Any, **named: Any) -> Any:
        return getattr(self.ledger, method)(*arguments, **named)

    def holder(self, there: bool) -> str:
        return "here"

    # The model

    @initialize()
    def plant(self) -> None:
        self.lines: dict[str, Line] = {}
        self.limits = dict(TREE)
        self.ledger = self.make()
        for path, limits in TREE.items():
            self.ledger.open(path, ceiling_of(limits), at=0.0)

    def sums(self, path: str) -> tuple[list[int], list[int]]:
        spent, held = [0, 0, 0], [0, 0, 0]
        for line in self.lines.values():
            if line.below(path) and not line.released:
                amount, into = (line.held, held) if line.charged is None else (line.charged, spent)
                for i, part in enumerate(parts(amount)):
                    into[i] += part
        return spent, held

    def fits(self, path: str, amount: Amount) -> bool:
        for above, limits in self.limits.items():
            if path == above or path.startswith(above + "/"):
                for limit, s, h, more in zip(limits, *self.sums(above), parts(amount), strict=True):
                    if limit is not None and more > 0 and s + h + more > limit:
                        return False
        return True

    # The steps

    @rule(target=tickets, path=PATHS, amount=AMOUNTS, there=st.booleans())
    def reserve(self, path: str, amount: Amount, there: bool):  # type: ignore[no-untyped-def]
        fits = self.fits(path, amount)
        try:
            ticket = self.through(there, "reserve", path, amount, at=1.0)
        except CeilingReached:
            assert not fits
            return multiple()
        assert fits
        assert ticket not in self.lines
        self.lines[ticket] = Line(path, amount, self.holder(there))
        return ticket

    @rule(
        ticket=tickets,
        nusd=st.none() | st.integers(0, 500),
        tokens=st.integers(0, 200),
        known=st.booleans(),
        there=st.booleans(),
    )
    def settle(self, ticket: str, nusd: int | None, tokens: int, known: bool, there: bool) -> None:
        line, known = self.lines[ticket], known and nusd is not None
        charge = Charge(
            nusd, usage=None if nusd is None else Usage(1, tokens), provenance=("bounded", "counted")[known]
        )
        if line.released:
            with pytest.raises(BadInput, match="was released"):
                self.through(there, "settle", ticket, charge, at=2.0)
            return
        entry = self.through(there, "settle", ticket, charge, at=2.0)
        dearer = line.charged is not None and line.bounded and known and (nusd or 0) > line.charged.nusd
        if line.open or dearer:
            charged = line.held if nusd is None else Amount(nusd, tokens, line.held.calls)
            self.lines[ticket] = line = replace(line, charged=charged, bounded=not known)
        assert (entry.id, entry.charged, entry.status) == (ticket, line.charged, "settled")

    @rule(ticket=tickets, there=st.booleans())
    def release(self, ticket: str, there: bool) -> None:
        line = self.lines[ticket]
        if line.charged is not None:
            with pytest.raises(BadInput, match="was settled"):
                self.through(there, "release", ticket, at=2.0)
            return
        assert self.through(there, "release", ticket, at=2.0).status == "released"
        self.lines[ticket] = replace(line, released=True)

    @rule(path=st.none() | PATHS, there=st.booleans())
    def reconcile(self, path: str | None, there: bool) -> None:
        left = [
            ticket
            for ticket, line in self.lines.items()
            if line.open and line.holder == "gone" and (path is None or line.below(path))
        ]
        done = self.through(there, "reconcile", path, at=3.0)
        assert [entry.id for entry in done] == sorted(left, key=int)
        for ticket in left:
            line = self.lines[ticket]
            self.lines[ticket] = replace(line, charged=line.held, bounded=True)

    @rule(path=PATHS, limits=LIMITS, there=st.booleans())
    def raise_to(self, path: str, limits: Limits, there: bool) -> None:
        ceiling = ceiling_of(limits)
        if ceiling is None:
            return
        spent, held = self.sums(path)
        if any(limit is not None and s + h > limit for limit, s, h in zip(limits, spent, held, strict=True)):
            with pytest.raises(BadInput, match="need a ceiling of at least"):
                self.through(there, "raise_to", path, ceiling)
            return
        self.through(there, "raise_to", path, ceiling)
        self.limits[path] = limits

    @rule(path=PATHS, there=st.booleans())
    def open(self, path: str, there: bool) -> None:
        self.through(there, "open", path, ceiling_of(self.limits[path]), at=5.0)
        with pytest.raises(BadInput, match="was opened with"):
            self.through(there, "open", path, Ceiling(usd=77), at=5.0)

    @invariant()
    def holds(self) -> None:
        for path, limits in self.limits.items():
            spent, held = self.sums(path)
            statement = self.ledger.statement(path)
            balance = statement.level.balance
            tallies = (balance.money, balance.output_tokens, balance.calls)
            for limit, s, h, tally in zip(limits, spent, held, tallies, strict=True):
                assert (tally.ceiling, tally.spent, tally.reserved) == (limit, s, h)
                assert min(tally.spent, tally.reserved, tally.overrun, tally.free or 0) >= 0
                if limit is not None:
                    assert tally.free is not None
                    assert limit + tally.overrun == s + h + tally.free
                    assert tally.overrun == 0 or tally.free == 0
            assert (statement.spent, statement.reserved) == (statement.level.spent, statement.level.reserved)

    @invariant()
    def nobody_is_mistaken(self) -> None:
        state = {"here": "alive", "there": "alive", "gone": "dead"}
        expected = {ticket: state[line.holder] for ticket, line in self.lines.items() if line.open}
        assert {hold.entry.id: hold.owner.state for hold in self.ledger.survey().holds} == expected


class FileWalk(LedgerWalk):
    """Two processes on one file; either may be killed, the one that walks by dropping its handle."""

    def make(self) -> Ledger:
        self.folder = tempfile.TemporaryDirectory()
        self.file = Path(self.folder.name) / "team.db"
        self.other: Elsewhere | None = None
        self.kept: list[Ledger] = []
        return SqliteLedger(self.file)

    def through(self, there: bool, method: str, *arguments: Any, **named: Any) -> Any:
        if not there:
            return super().through(there, method, *arguments, **named)
        self.other = self.other or Elsewhere(self.file)
        return self.other(method, *arguments, **named)

    def holder(self, there: bool) -> str:
        return "there" if there else "here"

    def gone(self, holder: str) -> None:
        for ticket, line in self.lines.items():
            if line.holder == holder:
                self.lines[ticket] = replace(line, holder="gone")

    @rule()
    def kill(self) -> None:
        if self.other is not None:
            self.other.kill()
            self.other = None
            self.gone("there")

    @rule(keep=st.booleans(), close=st.booleans())
    def another_handle(self, keep: bool, close: bool) -> None:
        assert isinstance(self.ledger, SqliteLedger)
        if close:
            self.ledger.close()
        if keep:
            self.kept.append(self.ledger)
        else:
            self.kept.clear()
            self.gone("here")
        self.ledger = SqliteLedger(self.file)

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            if self.other is not None:
                self.other.kill()
            self.kept.clear()
            assert isinstance(self.ledger, SqliteLedger)
            self.ledger.close()
            self.folder.cleanup()


TestMemoryWalk = LedgerWalk.TestCase
TestMemoryWalk.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
if hasattr(os, "fork"):
    TestFileWalk = FileWalk.TestCase
    TestFileWalk.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
