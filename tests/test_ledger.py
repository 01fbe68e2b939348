"""The ledger's laws one by one, in memory and in a file."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger import (
    Amount,
    Charge,
    Ledger,
    MemoryLedger,
    Purpose,
    SqliteLedger,
    Tally,
    check_ledger,
)
from thinkcap.policies.errors import BadInput, CeilingReached, LedgerFailed
from thinkcap.policies.values import Usage

MakeLedger = Callable[[], Ledger]


@pytest.fixture(params=["memory", "sqlite"])
def make_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeLedger]:
    made: list[SqliteLedger] = []

    def make() -> Ledger:
        if request.param == "memory":
            return MemoryLedger()
        made.append(SqliteLedger(tmp_path / f"{len(made)}.db"))
        return made[-1]

    yield make
    for ledger in made:
        ledger.close()


def test_both_ledgers_hold_the_contract(make_ledger: MakeLedger) -> None:
    """Every law of the shipped contract holds for both ledgers."""
    check_ledger(make_ledger, seed=7, steps=120)


class Forgetful(MemoryLedger):
    """Breaks one law: settling frees nothing."""

    def settle(self, ticket: str, charge: Charge, *, at: float):  # type: ignore[no-untyped-def]
        entry = self.entry(ticket)
        return entry._replace(status="settled", charged=Amount(charge.nusd or 0))


class Generous(MemoryLedger):
    """Breaks one law: what does not fit on an account is taken from its root alone."""

    def reserve(self, path: str, amount: Amount, purpose: Purpose = Purpose(), *, at: float) -> str:  # noqa: B008
        try:
            return super().reserve(path, amount, purpose, at=at)
        except CeilingReached:
            return super().reserve(path.split("/")[0], amount, purpose, at=at)


@pytest.mark.parametrize("broken", [Forgetful, Generous])
def test_the_contract_finds_a_broken_ledger(broken: type[MemoryLedger]) -> None:
    """The shipped contract fails on a ledger that breaks a law."""
    with pytest.raises(AssertionError):
        check_ledger(broken)


# --- many at once


def test_threads_never_pass_the_ceiling(make_ledger: MakeLedger) -> None:
    """Eight threads that reserve and settle on two children get exactly what fits, and never more."""
    ledger = make_ledger()
    ledger.open("a", Ceiling(usd="1000e-9"), at=0.0)
    ledger.open("a/x", None, at=0.0)
    ledger.open("a/y", None, at=0.0)
    admitted: list[int] = []
    failures: list[BaseException] = []
    start = threading.Barrier(8)

    def work(path: str) -> None:
        start.wait()
        try:
            for _ in range(60):
                try:
                    ticket = ledger.reserve(path, Amount(10, 1, 1), at=1.0)
                except CeilingReached:
                    continue
                money = ledger.balance("a").money
                if money.spent + money.reserved > 1000:
                    raise AssertionError(money)
                admitted.append(ledger.settle(ticket, Charge(10), at=2.0).charged_nusd)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(("a/x", "a/y")[i % 2],)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(admitted) == 1000
    assert ledger.balance("a").money == Tally(1000, 1000, 0)
    assert len(ledger.entries("a")) == 100


def test_tasks_never_pass_the_ceiling(make_ledger: MakeLedger) -> None:
    """Fifty tasks on one account are admitted exactly as long as there is money, whatever their order."""
    ledger = make_ledger()
    ledger.open("a", Ceiling(usd="100e-9"), at=0.0)

    async def one() -> bool:
        try:
            ticket = ledger.reserve("a", Amount(5), at=1.0)
        except CeilingReached:
            return False
        await asyncio.sleep(0)
        ledger.settle(ticket, Charge(), at=2.0)
        return True

    async def everyone() -> list[bool]:
        return await asyncio.gather(*(one() for _ in range(50)))

    assert sum(asyncio.run(everyone())) == 20
    assert ledger.balance("a").money == Tally(100, 100, 0)


def test_a_thread_that_comes_back_while_inside_is_told(make_ledger: MakeLedger) -> None:
    """A finalizer that runs while its own thread is in the ledger gets an error instead of a deadlock."""
    ledger = make_ledger()
    ledger.open("a", Ceiling(usd=1), at=0.0)

    def come_back(_: object) -> None:
        with pytest.raises(LedgerFailed, match="settle later"):
            ledger.reserve("a", Amount(5), at=1.0)

    ledger._do(come_back, write=False)  # type: ignore[attr-defined]
    assert ledger.balance("a").money.reserved == 0
    ledger.reserve("a", Amount(5), at=1.0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_memory_is_refused_after_a_fork() -> None:
    """A forked process cannot spend an account in memory a second time."""
    ledger = MemoryLedger()
    ledger.open("a", Ceiling(usd=1), at=0.0)
    child = os.fork()
    if child == 0:
        try:
            ledger.reserve("a", Amount(5), at=1.0)
        except BadInput:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


# --- by hand


def test_a_failing_write_leaves_memory_untouched() -> None:
    """An exception in the middle of a step, an interrupt above all, keeps none of it."""
    ledger = MemoryLedger()
    (before,) = ledger.open("a", Ceiling(usd=1), at=0.0)

    def interrupted(rows: Any) -> None:
        rows.put_sums([before._replace(reserved=Amount(5))])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger._do(interrupted)
    assert ledger.levels("a") == (before,)


def test_an_interrupt_at_any_step_leaves_memory_whole_and_free() -> None:
    """Wherever in a transaction an interrupt strikes, all of it is done or nothing, and the next one is let in."""

    def interrupted_at(step: int, act: Callable[[], object]) -> bool:
        left = step

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal left
            if "ledger" not in frame.f_code.co_filename:
                return None
            frame.f_trace_opcodes = True
            left -= event == "opcode"
            if left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        try:
            sys.settrace(trace)
            act()
        except KeyboardInterrupt:
            return True
        except CeilingReached:
            return False
        finally:
            sys.settrace(before)
        return False

    done = 0
    for step in itertools.count(1):
        ledger = MemoryLedger()
        ledger.open("a", Ceiling(usd=1), at=0.0)
        ledger.reserve("a", Amount(5, 5, 1), at=0.0)
        reserving = interrupted_at(step, lambda: ledger.reserve("a", Amount(7, 7, 1), at=1.0))  # noqa: B023
        settling = interrupted_at(step, lambda: ledger.settle("1", Charge(3), at=2.0))  # noqa: B023
        refusing = interrupted_at(step, lambda: ledger.reserve("a", Amount(10**9), at=2.0))  # noqa: B023
        elsewhere = threading.Thread(target=ledger.reserve, args=("a", Amount()), kwargs={"at": 3.0}, daemon=True)
        elsewhere.start()
        elsewhere.join(10)
        assert not elsewhere.is_alive()
        statement = ledger.statement("a")
        assert (statement.spent, statement.reserved) == (statement.level.spent, statement.level.reserved)
        done += statement.level.reserved.nusd in (7, 12)
        if not (reserving or settling or refusing):
            break
    assert 0 < done < step


def test_refusals_say_who_what_and_how_much(make_ledger: MakeLedger) -> None:
    """A refusal names the tightest account, what was needed and what is free, and fits on one line."""
    ledger = make_ledger()
    ledger.open("team", Ceiling(usd=1, output_tokens=100, calls=2), at=0.0)
    ledger.open("team/one", Ceiling(usd="0.5"), at=0.0)
    ledger.reserve("team", Amount(700_000_000, 10, 1), at=0.0)
    with pytest.raises(CeilingReached) as money:
        ledger.reserve("team/one", Amount(600_000_000, 10, 1), at=0.0)
    assert (money.value.needed, money.value.free) == (600_000_000, 300_000_000)
    assert str(money.value) == (
        "account 'team': the call needs up to $0.60 and $0.30 of $1.00 is free ($0 spent, $0.70 reserved): "
        "lower its output cap or raise the ceiling"
    )
    with pytest.raises(
        CeilingReached, match=r"^account 'team': the call may take 91 output tokens and 90 of 100"
    ) as few:
        ledger.reserve("team/one", Amount(1, 91, 1), at=0.0)
    assert (few.value.needed, few.value.free) == (None, 300_000_000)
    with pytest.raises(CeilingReached, match=r"^account 'team': 1 of its 2 calls are free \(0 spent, 1 reserved\)"):
        ledger.reserve("team/one", Amount(1, 1, 2), at=0.0)


def test_a_charge_above_the_ceiling_is_recorded_as_it_is(make_ledger: MakeLedger) -> None:
    """Ceiling 100, reserved 60 + 40, billed 75: overrun 15 until the other call settles for less."""
    ledger = make_ledger()
    ledger.open("a", Ceiling(usd="100e-9"), at=0.0)
    first = ledger.reserve("a", Amount(60), at=0.0)
    second = ledger.reserve("a", Amount(40), at=0.0)
    done = ledger.settle(first, Charge(75, provenance="provider", note="dearer model answered: m2"), at=1.0)
    assert done.overrun_nusd == 15
    assert done.note == "dearer model answered: m2; billed $0.000000015 above its reservation"
    money = ledger.balance("a").money
    assert (money.spent, money.reserved, money.free, money.overrun) == (75, 40, 0, 15)
    ledger.settle(second, Charge(20, provenance="provider"), at=1.0)
    money = ledger.balance("a").money
    assert (money.spent, money.reserved, money.free, money.overrun) == (95, 0, 5, 0)


def test_a_free_call_passes_where_money_is_spent(make_ledger: MakeLedger) -> None:
    """A call that costs nothing (a local model's) is not refused for money, even after an overrun."""
    ledger = make_ledger()
    ledger.open("a", Ceiling(usd="10e-9", calls=2), at=0.0)
    ledger.settle(ledger.reserve("a", Amount(10, 0, 1), at=0.0), Charge(12), at=0.0)
    ledger.reserve("a", Amount(0, 5, 1), at=0.0)
    with pytest.raises(CeilingReached, match="0 of its 2 calls are free"):
        ledger.reserve("a", Amount(0, 5, 1), at=0.0)


BAD_AMOUNTS = [Amount(-1), Amount(0, -1), Amount(0, 0, -1), Amount(True), Amount(1.5), Amount(10**15 + 1), 5]  # type: ignore[arg-type]


@pytest.mark.parametrize("amount", BAD_AMOUNTS)
def test_amounts_that_cannot_be_meant_are_refused(make_ledger: MakeLedger, amount: Amount) -> None:
    """A negative, fractional, boolean or absurd amount is the caller's error and changes nothing."""
    ledger = make_ledger()
    ledger.open("a", Ceiling(calls=5), at=0.0)
    with pytest.raises(BadInput, match=r"must be a whole number from 0 to 10\*\*15|takes an Amount"):
        ledger.reserve("a", amount, at=0.0)
    assert ledger.entries("a") == ()


def test_absurd_charges_are_refused_before_they_reach_a_ledger() -> None:
    """What a provider says is data: negative, huge, boolean or fractional figures make no charge."""
    for nusd in (-1, 10**16, True, 1.5):
        with pytest.raises(BadInput, match="nusd must be"):
            Charge(nusd)  # type: ignore[arg-type]
    for usage in (Usage(-1, 0), Usage(0, 10**16), Usage(None, 0), Usage(0, 0, -5), Usage(0, 0, None, 1.5)):  # type: ignore[arg-type]
        with pytest.raises(BadInput, match="must be a whole number"):
            Charge(5, usage=usage)
    with pytest.raises(BadInput, match="provenance is"):
        Charge(5, provenance="guessed")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="needs nusd"):
        Charge(provenance="provider")


@pytest.mark.parametrize("path", ["", "/", "a/", "/a", "a//b", " a", "a\n", "x" * 201, 5, None])
def test_paths_that_cannot_be_meant_are_refused(make_ledger: MakeLedger, path: str) -> None:
    """A name is one to 200 printable characters without a slash or blanks around it."""
    with pytest.raises(BadInput, match="an account's"):
        make_ledger().open(path, Ceiling(usd=1), at=0.0)


def test_what_is_not_there_is_named(make_ledger: MakeLedger) -> None:
    """Unknown accounts and tickets are errors that name them; a look-alike of a ticket is no ticket."""
    ledger = make_ledger()
    ledger.open("a", Ceiling(usd=1), at=0.0)
    ticket = ledger.reserve("a", Amount(1), at=0.0)
    for ask in (ledger.balance, ledger.entries, ledger.levels, ledger.statement):
        with pytest.raises(BadInput, match="no account 'b'"):
            ask("b")
    for wrong in ("", "0", "-1", "99", "0" + ticket, ticket + " ", "x", "9" * 5000, "\u0661", None, 1):
        with pytest.raises(BadInput, match="no ticket"):
            ledger.settle(wrong, Charge(), at=0.0)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="needs a ceiling"):
        ledger.open("b", None, at=0.0)
    with pytest.raises(BadInput, match="open 'b' first"):
        ledger.open("b/c/d", None, at=0.0)
    with pytest.raises(BadInput, match="takes a Ceiling"):
        ledger.open("b", 0.5, at=0.0)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=r"opened with a ceiling of \$1.00, not no ceiling of its own"):
        ledger.open("a", None, at=0.0)


def test_names_that_only_begin_alike_are_strangers(make_ledger: MakeLedger) -> None:
    """Entries of 'a/b' are below 'a', those of 'ab', 'a.b' and 'a0' are not."""
    ledger = make_ledger()
    for path in ("a", "a/b", "ab", "a.b", "a0", "a-", "A"):
        ledger.open(path, Ceiling(usd=1), at=0.0)
        ledger.reserve(path, Amount(1), Purpose(path), at=0.0)
    assert [entry.model for entry in ledger.entries("a")] == ["a", "a/b"]
    assert ledger.balance("a").money.reserved == 2
