"""Attempts to get past a ceiling, or to lose count, through the handle that users have."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.elsewhere import Elsewhere
from thinkcap.controller.account import Account
from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger import Amount, Charge, MemoryLedger, Purpose, SqliteLedger
from thinkcap.policies.errors import BadInput, CeilingReached, LedgerFailed
from thinkcap.policies.values import Reason, Usage

CENT = 10_000_000  # nano-dollars
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "team.db"


@pytest.fixture(params=["memory", "file"])
def opened(request: pytest.FixtureRequest, file: Path) -> Callable[..., Account]:
    """Opens an account in memory, or in one file."""
    ledger = MemoryLedger()

    def opened(ceiling: Ceiling | float, name: str = "a") -> Account:
        return Account(ceiling, name=name, ledger=ledger if request.param == "memory" else file)

    return opened


def at_once(*steps: Callable[[], object]) -> list[object]:
    """What each step returns or raises, all of them begun together."""
    start = threading.Barrier(len(steps))
    results: list[object] = [None] * len(steps)

    def run(number: int) -> None:
        start.wait()
        try:
            results[number] = steps[number]()
        except BaseException as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(steps))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# --- names


@pytest.mark.parametrize(
    "name",
    [
        "'; DROP TABLE account; --",
        'a" OR "1"="1',
        "%",
        "_",
        "..",
        "a\u0301",  # with a combining accent
        "\u00e1",  # the same letter in one character
        "研究",
        "\U0001f4b8",
        "-1",
        "[red]",
        "x" * 200,
    ],
)
def test_a_name_is_only_a_name(opened: Callable[..., Account], name: str) -> None:
    """SQL, wildcards and letters of any script are characters of a name: they reach no other account."""
    other, account = opened(1, "b"), opened(0.1, name)
    other.reserve(Amount(3))
    child = account.child(name)
    child.settle(child.reserve(Amount(CENT)), Charge(CENT))
    assert (account.spent, other.reserved, child.name) == (Decimal("0.01"), Decimal("3e-9"), f"{name}/{name}")
    assert [entry.account for entry in account.entries()] == [child.name]
    assert len(other.entries()) == 1


@pytest.mark.parametrize("name", ["a\0b", "a\u202eb", "\ud800", "\u2028", "a\tb", "\u00a0a", "x" * 201, b"a", "a/b"])
def test_a_name_that_would_deceive_is_refused(name: str) -> None:
    """What cannot be printed, turns the line around or is blank at an end is no name."""
    with pytest.raises(BadInput, match="an account's name"):
        Account(1).child(name)


def test_accounts_are_not_nested_without_end(opened: Callable[..., Account]) -> None:
    """A program that makes a child of a child for ever is told, before it slows everyone down."""
    account = opened(1)
    for _ in range(99):
        account = account.child("a")
    with pytest.raises(BadInput, match="at most 99 ancestors"):
        account.child("a")
    account.reserve(Amount(1))
    assert account.ledger.balance("a").money.reserved == 1


# --- ceilings


def test_a_child_with_more_than_its_parent_gets_what_its_parent_has(opened: Callable[..., Account]) -> None:
    """A child's ceiling of $5 under a parent's of $0.10 admits 10 cents."""
    account = opened(0.10)
    child = account.child("rich", 5)
    assert (child.free, child.available.nusd) == (Decimal(5), 10 * CENT)
    child.reserve(Amount(10 * CENT))
    with pytest.raises(CeilingReached, match="account 'a'"):
        child.reserve(Amount(1))


def test_siblings_cannot_together_pass_their_parent(opened: Callable[..., Account]) -> None:
    """Eight children of 10 cents each under 25 cents, from a thread each, reserve 25 cents and no more."""
    account = opened(0.25)

    def spend(name: str) -> int:
        child, count = account.child(name, 0.10), 0
        for _ in range(12):
            try:
                child.reserve(Amount(CENT))
            except CeilingReached:
                continue
            count += 1
        return count

    names = [f"child{number}" for number in range(8)]
    counts = at_once(*[lambda name=name: spend(name) for name in names])
    assert sum(count for count in counts if isinstance(count, int)) == 25
    assert account.free == 0


def test_one_childs_name_from_many_threads_at_once_goes_to_one(opened: Callable[..., Account]) -> None:
    """Of eight threads that open one child at once, one gets it and seven are told that it is open."""
    account = opened(1)
    results = at_once(*[lambda: account.child("task", 0.5)] * 8)
    assert sorted(type(result).__name__ for result in results) == ["Account"] + ["BadInput"] * 7


def test_two_ceilings_for_one_name_at_once_end_as_one(file: Path) -> None:
    """Of handles that open one new account with different ceilings at once, those of the first one go on."""
    results = at_once(*[lambda usd=usd: Account(usd, name="a", ledger=file) for usd in (0.1, 0.2, 0.3, 0.1)])
    accounts = [result for result in results if isinstance(result, Account)]
    assert all("was opened with" in str(result) for result in results if not isinstance(result, Account))
    assert len({account.ceiling for account in accounts}) == 1
    assert {account.balance.money.ceiling for account in accounts} == {Ceiling.of(accounts[0].ceiling or 9).nano}


@forks
def test_two_processes_with_two_ceilings_at_once_end_as_one(file: Path) -> None:
    """Across processes too: the ledger holds one ceiling, and whoever asked for another is told."""
    SqliteLedger(file).close()
    others = [Elsewhere(file) for _ in range(4)]
    for number, other in enumerate(others):
        other.pipe.send(("open", ("a", Ceiling(usd=number % 2 + 1)), {"at": 0.0}))
    answers = [other.pipe.recv() for other in others]
    assert sorted(raised for raised, _ in answers) == [False, False, True, True]
    (ceiling,) = {levels[0].ceiling for raised, levels in answers if not raised}
    for other in others:
        other.kill()
    with Account(ceiling, name="a", ledger=file) as account:
        assert account.balance.money.spent == 0


def test_another_ceiling_is_raised_explicitly(opened: Callable[..., Account]) -> None:
    """Raised by one handle it holds for all; never below spent + reserved; later openings give the new one."""
    account, other = opened(0.10), opened(0.10)
    account.settle(account.reserve(Amount(4 * CENT)))
    other.reserve(Amount(3 * CENT))
    for usd in (0.05, "0.0699"):
        with pytest.raises(BadInput, match=r"\$0.04 spent and \$0.03 reserved need a ceiling of at least \$0.07"):
            account.raise_to(usd)
    account.raise_to("0.07")
    assert (account.ceiling, account.free, other.free) == (Ceiling(usd=0.07), Decimal(0), Decimal(0))
    account.raise_to(0.50)
    other.reserve(Amount(40 * CENT))
    with pytest.raises(BadInput, match=r"opened with a ceiling of \$0.50, not a ceiling of \$0.10"):
        opened(0.10)
    assert opened(0.50).free == Decimal("0.03")
    wrong: list[Any] = [0, -1, math.nan, math.inf, True, "x", None]
    for usd in wrong:
        with pytest.raises(BadInput):
            account.raise_to(usd)


def test_all_limits_are_replaced_by_a_raise(opened: Callable[..., Account]) -> None:
    """More calls, fewer tokens, no dollars: the ceiling that is given is the ceiling, for all who open it."""
    account = opened(Ceiling(usd=1, calls=1))
    account.settle(account.reserve(Amount(5, 50, 1)))
    assert account.closed is Reason.CEILING
    with pytest.raises(BadInput, match="held to 49 output tokens: 50 spent and 0 reserved"):
        account.raise_to(Ceiling(output_tokens=49))
    account.raise_to(Ceiling(output_tokens=60, calls=2, seconds=1000))
    again = opened(Ceiling(output_tokens=60, calls=2, seconds=1000))
    for handle in (account, again):
        assert (handle.free, handle.closed, handle.available.output_tokens) == (None, None, 10)
    assert 0 < (account.seconds_left or 0) <= 1000
    with pytest.raises(CeilingReached, match="output tokens"):
        account.reserve(Amount(10**15, 11, 1))
    account.reserve(Amount(10**15, 10, 1))


# --- amounts


def test_a_charge_above_the_reservation_is_told_and_ends_further_calls(opened: Callable[..., Account]) -> None:
    """Billed 30 of a reserved 5 under 10: spent 30, 20 over, nothing free, on every account above too."""
    account = opened("10e-9")
    child = account.child("task", "8e-9")
    entry = child.settle(child.reserve(Amount(5, 1, 1)), Charge(30, usage=Usage(1, 9), provenance="provider"))
    assert entry.overrun_nusd == 25
    for handle, over in ((account, 20), (child, 22)):
        money = handle.balance.money
        assert (money.spent, money.reserved, money.free, money.overrun) == (30, 0, 0, over)
        with pytest.raises(CeilingReached):
            handle.reserve(Amount(1))
    assert json.dumps(account.receipt())


def test_sums_beyond_what_a_file_can_hold_are_refused_in_a_line(file: Path) -> None:
    """Ten thousand calls of a million dollars each: the one that does not fit any more changes nothing."""
    with Account(Ceiling(calls=10**6), name="a", ledger=file) as account:
        account.reserve(Amount(10**15))
    with sqlite3.connect(file) as other:
        other.execute("UPDATE account SET reserved_nusd = ?", (2**63 - 10**15,))
    other.close()
    with Account(Ceiling(calls=10**6), name="a", ledger=file) as account:
        with pytest.raises(LedgerFailed, match="cannot hold sums above nine billion dollars"):
            account.reserve(Amount(10**15))
        assert len(account.entries()) == 1
        assert account.balance.money.reserved == 2**63 - 10**15


def test_figures_of_a_request_that_no_store_could_keep_stop_no_call(opened: Callable[..., Account]) -> None:
    """A cap of 10**30, a model's name with half a character, and a note of a megabyte are kept as well as can be."""
    account = opened(1)
    purpose = Purpose("m\ud800", "chat", cap_asked=10**30, cap_sent=5, note="two\nlines")
    entry = account.settle(
        account.reserve(Amount(5), purpose), Charge(3, provenance="provider", note="\x1b[2J" * 10**6)
    )
    assert (entry.model, entry.cap_asked, entry.cap_sent) == ("m\N{REPLACEMENT CHARACTER}", 10**15, 5)
    assert entry.note is not None
    assert entry.note.startswith("two\N{REPLACEMENT CHARACTER}lines; ")
    assert (len(entry.note), entry.note.isprintable()) == (500, True)
    assert account.entries() == (entry,)


# --- closing


def test_closing_while_others_reserve_loses_nothing(opened: Callable[..., Account]) -> None:
    """Threads that reserve while the account is closed succeed or are told so; what they hold can be settled."""
    account = opened(1)
    tickets: list[str] = []

    def reserve() -> None:
        tickets.extend(account.reserve(Amount(10)) for _ in range(200))

    results = at_once(reserve, reserve, reserve, account.close)
    assert all(result is None or "was closed" in str(result) for result in results)
    for ticket in tickets:
        account.settle(ticket, Charge(4))
    assert (account.balance.money.spent, account.balance.money.reserved) == (4 * len(tickets), 0)
    account.close()


def test_a_child_outlives_its_parents_close(opened: Callable[..., Account]) -> None:
    """Closed with its parent it reserves nothing more, settles what it holds, and tells its figures."""
    with opened(1) as account:
        child = account.child("task", 0.5)
        first, second = child.reserve(Amount(8)), child.reserve(Amount(9))
    with pytest.raises(BadInput, match="account 'a' was closed"):
        child.reserve(Amount(1))
    del account
    child.settle(first, Charge(5))
    child.release(second)
    money = child.balance.money
    assert (money.spent, money.reserved) == (5, 0)
    again = opened(1)
    assert again.child("task", 0.5).spent == again.spent == Decimal("5e-9")
    child.close()


# --- interrupts, forks, other processes


def test_an_interrupt_between_sending_and_settling_leaves_it_counted(opened: Callable[..., Account]) -> None:
    """Ctrl-C while the call is under way: what was held stays held, and settling it afterwards works."""
    account = opened("100e-9")
    ticket = ""

    def call() -> None:
        nonlocal ticket
        ticket = account.reserve(Amount(60))
        raise KeyboardInterrupt  # the answer was on its way

    with pytest.raises(KeyboardInterrupt):
        call()
    assert account.balance.money.free == 40
    with pytest.raises(CeilingReached):
        account.reserve(Amount(41))
    assert account.reconcile() == ()
    assert account.settle(ticket).charged_nusd == 60


@forks
def test_a_forked_child_cannot_spend_the_money_twice(file: Path) -> None:
    """In memory it is refused; in a file parent and child share what is free."""
    memory, shared = Account(1), Account("100e-9", name="a", ledger=file)
    shared.reserve(Amount(30))
    child = os.fork()
    if child == 0:
        code = 0
        for account, amount in ((memory, Amount(1)), (shared, Amount(71))):
            try:
                account.reserve(amount)
            except (BadInput, CeilingReached):
                code += 1
        shared.reserve(Amount(70))
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    assert shared.balance.money.free == 0
    assert [entry.reserved_nusd for entry in shared.reconcile()] == [70]
    shared.close()


@forks
def test_what_another_process_settled_stays_settled(file: Path) -> None:
    """Settled by another process, settling again returns that entry; released by another, settling is an error."""
    with Account("100e-9", name="a", ledger=file) as account:
        settled, released = account.reserve(Amount(40)), account.reserve(Amount(40))
        other = Elsewhere(file)
        first = other("settle", settled, Charge(7, provenance="provider"), at=1.0)
        other("release", released, at=1.0)
        other.kill()
        assert account.settle(settled, Charge(39, provenance="provider")) == first
        with pytest.raises(BadInput, match="was released"):
            account.settle(released, Charge(1))
        assert (account.balance.money.spent, account.balance.money.free) == (7, 93)


# --- clocks


class Clock:
    """A clock that is moved by hand."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_a_wall_clock_that_jumps_moves_no_deadline() -> None:
    """Set forward or back while the account is open, the wall clock changes neither the deadline nor the money."""
    clock, wall = Clock(0.0), Clock(1e9)
    account = Account(Ceiling(usd=1, seconds=60), clock=clock, wall=wall)
    first = account.reserve(Amount(10))
    wall.now = 5.0
    second = account.reserve(Amount(10))
    wall.now = 2e9
    clock.now = 59.0
    assert account.seconds_left == 1.0
    assert account.child("task").seconds_left == 1.0
    account.settle(first, Charge(1))
    wall.now = -7.0
    account.settle(second, Charge(2))
    assert account.balance.money.spent == 3
    clock.now = 60.0
    assert account.closed is Reason.DEADLINE
