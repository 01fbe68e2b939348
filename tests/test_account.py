"""The user's handle: ceilings, figures, children, deadlines, receipts."""

from __future__ import annotations

import gc
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thinkcap.controller.account import Account
from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger import Amount, Charge, Limits, MemoryLedger, Purpose
from thinkcap.policies.errors import BadInput, CeilingReached
from thinkcap.policies.values import Reason, Usage

CENT = 10_000_000  # nano-dollars


class Clock:
    """A clock that is moved by hand."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


# --- ceilings


@given(st.integers(1, 10**18))
def test_however_dollars_are_written_they_mean_the_same(nano: int) -> None:
    """A Decimal and its text make equal ceilings, with exactly their nano-dollars."""
    dollars = Decimal(nano).scaleb(-9)
    assert Ceiling(usd=dollars) == Ceiling(usd=str(dollars)) == Ceiling.of(dollars)
    assert hash(Ceiling(usd=dollars)) == hash(Ceiling(usd=str(dollars)))
    assert Ceiling(usd=dollars).nano == nano


def test_a_float_is_read_by_its_shortest_decimal() -> None:
    """0.05 means five cents exactly."""
    assert Ceiling.of(0.05).nano == 5 * CENT
    assert Ceiling.of(0.05) == Ceiling.of("0.05") == Ceiling(usd=Decimal("0.05"))


def test_a_ceiling_is_itself() -> None:
    """What is a ceiling already is passed on as it is."""
    ceiling = Ceiling(calls=3)
    assert Ceiling.of(ceiling) is ceiling
    assert ceiling.nano is None


def test_a_ceiling_needs_a_limit() -> None:
    """A ceiling that limits nothing is refused, and None is no amount of dollars."""
    with pytest.raises(BadInput, match="at least one limit"):
        Ceiling()
    with pytest.raises(BadInput, match="the ceiling must be a number of dollars"):
        Ceiling.of(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("usd", [0, -1, True, "x", float("nan"), float("inf"), "1e-10", 10**10])
def test_dollars_that_cannot_be_meant_are_refused(usd: object) -> None:
    """Zero, negative, boolean, endless, absurd and non-numeric dollars are the caller's error."""
    with pytest.raises(BadInput, match="the ceiling must be"):
        Ceiling(usd=usd)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, -1, True, 1.5, "3", 10**16])
@pytest.mark.parametrize("what", ["calls", "output_tokens"])
def test_counts_that_cannot_be_meant_are_refused(what: str, count: object) -> None:
    """Calls and output tokens are whole numbers above zero."""
    with pytest.raises(BadInput, match=f"a ceiling's {what} must be a whole number"):
        Ceiling(**{what: count})  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [0, -1.5, True, float("nan"), float("inf"), "60", 10**400])
def test_seconds_that_cannot_be_meant_are_refused(seconds: object) -> None:
    """Seconds are a finite number above zero."""
    with pytest.raises(BadInput, match="a ceiling's seconds must be a finite number"):
        Ceiling(seconds=seconds)  # type: ignore[arg-type]


def test_a_ceiling_says_what_it_limits() -> None:
    """People read the limits that were given, in order."""
    text = str(Ceiling(usd=0.5, output_tokens=20_000, calls=100, seconds=60))
    assert text == "$0.50, 20,000 output tokens, 100 calls, 60 s"
    assert str(Ceiling(seconds=1.5)) == "1.5 s"


# --- figures


def test_figures_are_exact_dollars() -> None:
    """Half a dollar, 20 cents held and 3 of 10 cents billed leave 27 cents."""
    account = Account(0.50)
    account.reserve(Amount(20 * CENT, 100, 1))
    entry = account.settle(account.reserve(Amount(10 * CENT, 50, 1)), Charge(3 * CENT, provenance="provider"))
    assert (account.spent, account.reserved, account.free) == (Decimal("0.03"), Decimal("0.2"), Decimal("0.27"))
    assert account.balance.money.free == 27 * CENT
    assert entry.charged_nusd == 3 * CENT
    assert [line.status for line in account.entries()] == ["reserved", "settled"]


def test_without_dollars_nothing_is_free_in_dollars() -> None:
    """An account that does not limit money has no free money to tell, and still counts what is spent."""
    account = Account(Ceiling(calls=2))
    account.settle(account.reserve(Amount(10 * CENT, 5, 1)))
    assert (account.spent, account.free) == (Decimal("0.1"), None)
    assert account.available == Limits(None, None, 1)


def test_without_a_charge_the_whole_reservation_is_charged() -> None:
    """Settling without saying what was billed charges all of it, marked as bounded."""
    account = Account(1)
    entry = account.settle(account.reserve(Amount(7, 8, 1)))
    assert (entry.charged, entry.provenance) == (Amount(7, 8, 1), "bounded")


def test_releasing_gives_all_of_it_back() -> None:
    """After a release the account is as before."""
    account = Account(1)
    before = account.balance
    account.release(account.reserve(Amount(7, 8, 1)))
    assert account.balance == before


def test_times_come_from_the_clock_passed_in() -> None:
    """Entries carry the wall clock's seconds."""
    wall = Clock(1000.0)
    account = Account(1, wall=wall)
    ticket = account.reserve(Amount(1))
    wall.now = 1007.5
    entry = account.settle(ticket)
    assert (entry.started_at, entry.settled_at) == (1000.0, 1007.5)


# --- children


def test_a_child_never_outspends_its_parent() -> None:
    """What a child reserves is taken from its parent too, and siblings share what is free."""
    account = Account(0.10)
    one, two = account.child("one", 0.08), account.child("two")
    one.reserve(Amount(7 * CENT))
    assert account.reserved == Decimal("0.07")
    assert (two.free, two.available.nusd) == (None, 3 * CENT)
    assert (one.free, one.available.nusd) == (Decimal("0.01"), CENT)
    with pytest.raises(CeilingReached, match=r"account 'account': the call needs up to \$0.04") as error:
        two.reserve(Amount(4 * CENT))
    assert (error.value.needed, error.value.free) == (4 * CENT, 3 * CENT)
    with pytest.raises(CeilingReached, match="account 'account/one'"):
        one.reserve(Amount(2 * CENT))
    two.reserve(Amount(3 * CENT))
    assert account.free == 0


def test_grandchildren_are_counted_on_every_ancestor() -> None:
    """A charge two levels down is spent on all three accounts."""
    account = Account(1)
    low = account.child("a").child("b", Ceiling(calls=1))
    assert low.name == "account/a/b"
    low.settle(low.reserve(Amount(5, 1, 1)))
    assert [level.spent for level in low.ledger.levels(low.name)] == [Amount(5, 1, 1)] * 3


@pytest.mark.parametrize("name", ["", "a/b", "/", " a", "a\n", 5, None])
def test_a_childs_name_is_one_name(name: str) -> None:
    """A child's name is printable, without slash or blanks around it."""
    with pytest.raises(BadInput, match="an account's name"):
        Account(1).child(name)


def test_one_name_twice_at_once_is_an_error() -> None:
    """While a child's handle is open its name is taken; once closed or forgotten the child goes on by its name."""
    account = Account(1)
    first = account.child("task", 0.5)
    with pytest.raises(BadInput, match="'account/task' is still open here"):
        account.child("task", 0.5)
    first.settle(first.reserve(Amount(CENT)))
    first.close()
    again = account.child("task", "0.5")
    assert again.spent == Decimal("0.01")
    del again
    gc.collect()
    with pytest.raises(BadInput, match=r"was opened with a ceiling of \$0.50, not a ceiling of \$0.40"):
        account.child("task", 0.4)


def test_a_closed_account_reserves_nothing_and_settles_still() -> None:
    """Leaving the block ends reserving, through its children too; what is open is settled or released as ever."""
    account = Account(1)
    with account.child("task") as task:
        deep = task.child("deep")
        ticket, other = task.reserve(Amount(5)), deep.reserve(Amount(3))
    for handle in (task, deep):
        with pytest.raises(BadInput, match="account 'account/task' was closed"):
            handle.reserve(Amount(1))
    with pytest.raises(BadInput, match="was closed"):
        task.child("late")
    assert account.balance.money.reserved == 8
    task.settle(ticket)
    deep.release(other)
    assert (account.balance.money.spent, account.balance.money.reserved) == (5, 0)
    account.reserve(Amount(1))


# --- deadlines and other ends


def test_the_deadline_counts_from_the_opening() -> None:
    """Sixty seconds after the opening nothing more is reserved, and what is open can be settled."""
    clock = Clock(50.0)
    account = Account(Ceiling(usd=1, seconds=60), clock=clock)
    ticket = account.reserve(Amount(1))
    clock.now = 109.0
    assert (account.seconds_left, account.closed) == (1.0, None)
    clock.now = 110.0
    assert (account.seconds_left, account.closed) == (0.0, Reason.DEADLINE)
    with pytest.raises(CeilingReached, match="its seconds are over") as error:
        account.reserve(Amount(1))
    assert (error.value.needed, error.value.free) == (None, 10**9 - 1)
    account.settle(ticket)


def test_a_child_has_the_nearest_deadline() -> None:
    """A child's own seconds count from its own opening, and its parent's still end it."""
    clock, wall = Clock(0.0), Clock(0.0)
    account = Account(Ceiling(seconds=60), clock=clock, wall=wall)
    clock.now = wall.now = 20.0
    assert account.child("a", Ceiling(seconds=10)).seconds_left == 10.0
    assert account.child("b", Ceiling(seconds=100)).seconds_left == 40.0
    assert account.child("c").seconds_left == 40.0
    assert Account(1).seconds_left is None


def test_the_deadline_outlives_the_process(tmp_path: Path) -> None:
    """In a file the opening's wall time counts; a clock that was set back is taken as no time passed."""
    ceiling, file = Ceiling(usd=1, seconds=60), tmp_path / "team.db"
    with Account(ceiling, ledger=file, clock=Clock(5.0), wall=Clock(1000.0)) as first:
        assert first.seconds_left == 60.0
    with Account(ceiling, ledger=file, clock=Clock(7.0), wall=Clock(1045.0)) as later:
        assert later.seconds_left == 15.0
    with Account(ceiling, ledger=file, clock=Clock(7.0), wall=Clock(900.0)) as set_back:
        assert set_back.seconds_left == 60.0
    with Account(ceiling, ledger=file, clock=Clock(7.0), wall=Clock(1061.0)) as over:
        assert over.closed is Reason.DEADLINE


@pytest.mark.parametrize("ceiling", [Ceiling(calls=1), Ceiling(output_tokens=5)])
def test_used_up_calls_or_tokens_close_an_account_and_its_children(ceiling: Ceiling) -> None:
    """With no call or no output token left, no call can be made, here or below."""
    account = Account(ceiling)
    child = account.child("task")
    assert child.closed is None
    child.settle(child.reserve(Amount(0, 5, 1)))
    assert account.closed is child.closed is Reason.CEILING


# --- ledgers


def test_an_account_in_a_file_goes_on_by_its_name(tmp_path: Path) -> None:
    """What was spent before is spent; another ceiling is an error until it is raised explicitly."""
    file = str(tmp_path / "team.db")
    with Account(0.5, name="research", ledger=file) as account:
        ticket = account.reserve(Amount(20 * CENT))
        account.settle(account.reserve(Amount(10 * CENT)))
    account.settle(ticket, Charge(CENT))
    account.close()
    with Account("0.50", name="research", ledger=file) as again:
        assert again.spent == Decimal("0.11")
    with pytest.raises(BadInput, match="give the same ceiling to go on with it, raise it first"):
        Account(0.6, name="research", ledger=file)


def test_a_child_can_be_opened_by_its_path(tmp_path: Path) -> None:
    """Another process opens only the child, and its parent's ceiling holds there too."""
    file = tmp_path / "team.db"
    with Account(0.05, name="research", ledger=file) as parent, parent.child("sum", 0.04):
        with Account(0.04, name="research/sum", ledger=file) as elsewhere:
            elsewhere.reserve(Amount(3 * CENT))
            assert parent.reserved == Decimal("0.03")
        with pytest.raises(BadInput, match="open 'other' first"):
            Account(0.04, name="other/sum", ledger=file)


def test_two_accounts_share_a_ledger_that_is_passed_in() -> None:
    """A ledger passed in is used as it is, and closing an account does not end it."""
    ledger = MemoryLedger()
    with Account(1, name="one", ledger=ledger) as one:
        one.reserve(Amount(5))
    two = Account(1, name="two", ledger=ledger)
    assert two.ledger is ledger
    assert (two.balance.money.reserved, ledger.balance("one").money.reserved) == (0, 5)


# --- receipts


def test_a_receipt_tells_where_the_money_went() -> None:
    """Two models, a bounded charge, an overrun and an open call, each where it belongs, and JSON all through."""
    wall = Clock(100.0)
    account = Account(Ceiling(usd=0.5, calls=10, seconds=60), name="research", wall=wall, clock=Clock(0.0))
    task = account.child("task", 0.25)
    small = Purpose("small", "chat", cap_asked=100, cap_sent=80, price_source="list 2026-11-01")
    large = Purpose("large", "responses", price_source="assumed list")
    usage = Usage(10, 20, 15, 4)
    task.settle(task.reserve(Amount(2 * CENT, 80, 1), small), Charge(CENT, usage=usage, provenance="provider"))
    account.settle(account.reserve(Amount(3 * CENT, 50, 1), small))
    account.settle(
        account.reserve(Amount(CENT, 9, 1), large), Charge(4 * CENT, usage=Usage(1, 9), provenance="counted")
    )
    account.release(account.reserve(Amount(CENT, 1, 1), large))
    account.reserve(Amount(12_345_678, 7, 1), large)
    receipt = account.receipt()
    assert json.loads(json.dumps(receipt)) == receipt
    lines = receipt.pop("entries")
    assert receipt == {
        "account": "research",
        "ceiling_usd": "0.5",
        "spent_usd": "0.08",
        "reserved_usd": "0.012345678",
        "free_usd": "0.407654322",
        "overrun_usd": "0",
        "bounded_usd": "0.03",
        "limits": {"output_tokens": None, "calls": 10, "seconds": 60},
        "calls": 3,
        "output_tokens": 79,
        "usage": {
            "input_tokens": 11,
            "output_tokens": 29,
            "reasoning_tokens": 15,
            "cached_tokens": 4,
            "cache_write_tokens": None,
        },
        "by_model": {
            "small": {
                "calls": 2,
                "spent_usd": "0.04",
                "output_tokens": 70,
                "usage": {
                    "input_tokens": 10,
                    "output_tokens": 20,
                    "reasoning_tokens": 15,
                    "cached_tokens": 4,
                    "cache_write_tokens": None,
                },
            },
            "large": {
                "calls": 1,
                "spent_usd": "0.04",
                "output_tokens": 9,
                "usage": {
                    "input_tokens": 1,
                    "output_tokens": 9,
                    "reasoning_tokens": None,
                    "cached_tokens": None,
                    "cache_write_tokens": None,
                },
            },
        },
        "price_sources": ["assumed list", "list 2026-11-01"],
    }
    assert [line["status"] for line in lines] == ["settled", "settled", "settled", "released", "reserved"]
    assert lines[0] == {
        "id": "1",
        "account": "research/task",
        "status": "settled",
        "model": "small",
        "api": "chat",
        "reserved_usd": "0.02",
        "charged_usd": "0.01",
        "overrun_usd": "0",
        "usage": receipt["by_model"]["small"]["usage"],
        "provenance": "provider",
        "cap_asked": 100,
        "cap_sent": 80,
        "started_at": 100.0,
        "settled_at": 100.0,
        "price_source": "list 2026-11-01",
        "note": None,
        "response": None,
    }
    assert (lines[2]["overrun_usd"], lines[2]["note"]) == ("0.03", "billed $0.03 above its reservation")
    assert (lines[3]["charged_usd"], lines[4]["charged_usd"]) == (None, None)


def test_a_receipt_without_dollars_or_usage_says_so() -> None:
    """What is not limited or not known is null; a child without a ceiling of its own has no limits to tell."""
    task = Account(Ceiling(calls=5)).child("task")
    task.settle(task.reserve(Amount(3 * 10**9, 2, 1)))
    receipt = task.receipt()
    assert (receipt["ceiling_usd"], receipt["free_usd"], receipt["spent_usd"]) == (None, None, "3")
    assert receipt["limits"] == {"output_tokens": None, "calls": None, "seconds": None}
    assert receipt["usage"] is None
    assert list(receipt["by_model"]) == [""]


def test_printing_an_account_asks_no_ledger() -> None:
    """The handle's text names it and its ceiling."""
    account = Account(0.5, name="research")
    assert repr(account) == "Account('research', ceiling=$0.50)"
    assert repr(account.child("task")) == "Account('research/task', ceiling=None)"
