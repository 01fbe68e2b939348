"""Who holds a reservation: processes that live, end, fork, are killed, and can never be taken for one another."""

from __future__ import annotations

import gc
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from tests.elsewhere import Elsewhere
from thinkcap.controller.account import Account
from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger import Amount, Charge, SqliteLedger, owners
from thinkcap.policies.errors import CeilingReached, LedgerFailed
from thinkcap.policies.values import Usage

THOUSAND = Ceiling(usd="1000e-9")
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "team.db"


@pytest.fixture
def ledger(file: Path) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger(file)
    ledger.open("a", THOUSAND, at=0.0)
    ledger.open("a/b", None, at=0.0)
    yield ledger
    ledger.close()


def states(ledger: SqliteLedger) -> list[str]:
    return [hold.owner.state for hold in ledger.survey().holds]


def marks(file: Path) -> list[Path]:
    return sorted(file.parent.glob(f"{file.name}-owner-*"))


def money(ledger: SqliteLedger, path: str = "a") -> tuple[int, int, int | None]:
    tally = ledger.balance(path).money
    return tally.spent, tally.reserved, tally.free


@forks
def test_what_a_killed_process_held_is_charged_in_full_and_what_others_hold_is_left_alone(
    ledger: SqliteLedger, file: Path
) -> None:
    """Killed with 400 open: reconciling charges 400, marked as bounded; the living process's 100 stay reserved."""
    killed, living = Elsewhere(file), Elsewhere(file)
    lost = killed("reserve", "a/b", Amount(400, 30, 1), at=1.0)
    kept = living("reserve", "a", Amount(100), at=1.0)
    assert ledger.reconcile(at=2.0) == ()
    killed.kill()
    assert money(ledger) == (0, 500, 500)
    with pytest.raises(CeilingReached):
        ledger.reserve("a", Amount(501), at=2.0)
    assert states(ledger) == ["dead", "alive"]
    (done,) = ledger.reconcile(at=7.0)
    assert (done.id, done.status, done.charged, done.provenance) == (lost, "settled", Amount(400, 30, 1), "bounded")
    assert (done.note, done.settled_at) == ("its process ended: charged in full", 7.0)
    assert (money(ledger), money(ledger, "a/b")[:2]) == ((400, 100, 500), (400, 0))
    assert ledger.reconcile(at=8.0) == ()
    assert living("settle", kept, Charge(60), at=9.0).charged_nusd == 60
    living.kill()


@forks
def test_only_one_account_can_be_reconciled(ledger: SqliteLedger, file: Path) -> None:
    """Reconciling an account charges what is held there and below, and nothing above or beside."""
    other = Elsewhere(file)
    above, inside = (other("reserve", path, Amount(10), at=1.0) for path in ("a", "a/b"))
    other.kill()
    with Account(THOUSAND, name="a", ledger=file) as account:
        assert [entry.id for entry in ledger.reconcile("a/b", at=2.0)] == [inside]
        assert [entry.id for entry in account.reconcile()] == [above]


@forks
def test_two_that_reconcile_at_once_charge_once(ledger: SqliteLedger, file: Path) -> None:
    """Whoever comes second finds nothing left to charge."""
    gone = Elsewhere(file)
    for _ in range(5):
        gone("reserve", "a", Amount(10), at=1.0)
    gone.kill()
    others = [Elsewhere(file) for _ in range(3)]
    for other in others:
        other.pipe.send(("reconcile", (), {"at": 2.0}))
    found = [other.pipe.recv() for other in others]
    assert sorted(len(done) for _, done in found) == [0, 0, 5]
    for other in others:
        other.kill()
    assert money(ledger) == (50, 0, 950)


def test_nothing_held_leaves_nothing_behind(ledger: SqliteLedger, file: Path) -> None:
    """An owner's file exists from the first reservation until it closes with nothing held."""
    assert marks(file) == []
    ticket = ledger.reserve("a", Amount(10), at=5.5)
    (mark,) = marks(file)
    assert stat.S_IMODE(mark.stat().st_mode) == 0o600
    assert json.loads(mark.read_text()) == {"pid": os.getpid(), "host": os.uname().nodename, "since": 5.5}
    ledger.close()
    assert marks(file) == [mark]
    assert states(ledger) == ["alive"]
    ledger.settle(ticket, Charge(4), at=6.0)
    ledger.close()
    assert marks(file) == []
    ledger.settle(ledger.reserve("a", Amount(1), at=7.0), Charge(), at=8.0)
    assert marks(file) != [mark]


@forks
def test_marks_of_the_dead_that_hold_nothing_are_swept(ledger: SqliteLedger, file: Path) -> None:
    """The next owner, and whoever reconciles, removes them; a mark under which something is held stays."""
    holds_nothing, holds = Elsewhere(file), Elsewhere(file)
    holds_nothing("settle", holds_nothing("reserve", "a", Amount(1), at=1.0), Charge(), at=1.0)
    holds("reserve", "a", Amount(1), at=1.0)
    holds_nothing.kill()
    holds.kill()
    assert len(marks(file)) == 2
    ledger.reserve("a", Amount(1), at=2.0)
    assert len(marks(file)) == 2
    ledger.reconcile(at=3.0)
    assert len(marks(file)) == 1
    assert states(ledger) == ["alive"]


def test_a_handle_that_is_dropped_leaves_what_it_held(file: Path) -> None:
    """Nobody can settle what a dropped handle held but through another, so it counts as ended."""
    first, second = SqliteLedger(file), SqliteLedger(file)
    first.open("a", THOUSAND, at=0.0)
    first.reserve("a", Amount(10), at=1.0)
    second.reserve("a", Amount(20), at=1.0)
    del first
    gc.collect()
    assert states(second) == ["dead", "alive"]
    assert [entry.reserved_nusd for entry in second.reconcile(at=2.0)] == [10]
    second.close()


# --- nobody is mistaken for another


@forks
def test_a_process_number_used_again_changes_nothing(ledger: SqliteLedger, file: Path) -> None:
    """What a dead owner's file says of its process may fit a living one, this very one: it is dead all the same."""
    other = Elsewhere(file)
    other("reserve", "a", Amount(10), at=1.0)
    (mark,) = marks(file)
    other.kill()
    mark.write_text(json.dumps({"pid": os.getpid(), "host": os.uname().nodename, "since": 1.0}))
    (hold,) = ledger.survey().holds
    assert (hold.owner.state, hold.owner.pid) == ("dead", os.getpid())


CONTAINER = """
import sys
from thinkcap.controller.ledger import Amount, SqliteLedger
ledger = SqliteLedger(sys.argv[1])
ledger.reserve("a", Amount(10), at=1.0)
print("open", flush=True)
sys.stdin.read()
"""


def test_containers_with_numbers_of_their_own_are_told_apart(ledger: SqliteLedger, file: Path) -> None:
    """Two processes that are number 1 on a host of their own are two owners, alive and dead each by itself."""
    apart = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--uts", "--mount-proc"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("no containers here: unshare is missing or not allowed")
    command = [*apart, sys.executable, "-c", CONTAINER, str(file)]
    inside: list[Any] = []
    for _ in range(2):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        inside.append(process)
    first, second = ledger.survey().holds
    assert (first.owner.pid, second.owner.pid) == (1, 1)
    assert first.entry.owner != second.entry.owner
    inside[0].communicate("")
    assert states(ledger) == ["dead", "alive"]
    inside[1].communicate("")
    assert states(ledger) == ["dead", "dead"]


@forks
def test_a_forked_child_is_another_owner(ledger: SqliteLedger, file: Path) -> None:
    """A child reserves under its own mark and does not keep its parent's alive; what it inherits it can settle."""
    ticket = ledger.reserve("a", Amount(100), at=1.0)
    other = Elsewhere(file)  # forked while this process is an owner
    other("settle", ticket, Charge(60), at=2.0)
    other("reserve", "a", Amount(7), at=2.0)
    mine = ledger.reserve("a", Amount(5), at=3.0)
    tokens = {hold.entry.owner for hold in ledger.survey().holds}
    assert len(tokens) == 2
    other.kill()
    assert states(ledger) == ["dead", "alive"]
    assert [entry.reserved_nusd for entry in ledger.reconcile(at=4.0)] == [7]
    assert ledger.entry(mine).status == "reserved"


@forks
def test_a_child_that_outlives_its_parent_does_not_keep_it_alive(file: Path) -> None:
    """The parent is killed; its child, forked while the parent held money, lives on: the parent is dead."""
    code = f"""
import os, sys
from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger import Amount, SqliteLedger
ledger = SqliteLedger({str(file)!r})
ledger.open("a", Ceiling(usd="1000e-9"), at=0.0)
ledger.reserve("a", Amount(10), at=1.0)
if os.fork() == 0:
    ledger.reserve("a", Amount(20), at=2.0)
    print(os.getpid(), flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    ledger = SqliteLedger(file)
    assert states(ledger) == ["dead", "alive"]
    os.kill(child, signal.SIGKILL)
    parent.stdout.read()  # until the child has let go of its end
    assert states(ledger) == ["dead", "dead"]
    ledger.close()
    parent.communicate()


@forks
def test_a_fork_in_the_middle_of_a_transaction_harms_neither_side(ledger: SqliteLedger) -> None:
    """A fork in the middle of a transaction, in a signal handler, leaves parent and child with what they had."""
    ledger.reserve("a", Amount(10), at=1.0)

    def fork(_: object) -> int:
        child = os.fork()
        if child == 0:
            os._exit(len(states(SqliteLedger(ledger.path))))
        return child

    child = ledger._do(fork)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert states(ledger) == ["alive"]


# --- what cannot be told


@forks
def test_an_owner_without_its_file_is_unknown_and_left_alone_unless_asked(ledger: SqliteLedger, file: Path) -> None:
    """A ledger copied without its owners' files: nothing is charged before somebody vouches that none runs."""
    other = Elsewhere(file)
    other("reserve", "a", Amount(10), at=1.0)
    other.kill()
    (mark,) = marks(file)
    mark.unlink()
    assert states(ledger) == ["unknown"]
    assert ledger.reconcile(at=2.0) == ()
    assert [entry.reserved_nusd for entry in ledger.reconcile(at=2.0, unknown=True)] == [10]
    assert money(ledger) == (10, 0, 990)


def test_without_locks_every_owner_is_unknown(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no such locks owners leave no files, and only those who vouch can reconcile."""
    monkeypatch.setattr(owners, "fcntl", None)
    ledger = SqliteLedger(file)
    ledger.open("a", THOUSAND, at=0.0)
    ticket = ledger.reserve("a", Amount(10), at=1.0)
    assert marks(file) == []
    assert states(ledger) == ["unknown"]
    assert ledger.reconcile(at=2.0) == ()
    ledger.settle(ticket, Charge(5), at=3.0)
    ledger.close()


@pytest.mark.parametrize("text", ["", "[]", "no JSON", "[" * 900, '{"pid": true, "host": "\\u001b[31m", "since": "x"}'])
def test_what_an_owners_file_says_is_data(ledger: SqliteLedger, file: Path, text: str) -> None:
    """Whatever is written there, the state is the lock's, and what cannot be meant is not shown."""
    ledger.reserve("a", Amount(10), at=1.0)
    (mark,) = marks(file)
    mark.write_text(text)
    (hold,) = ledger.survey().holds
    assert (hold.owner.state, hold.owner.pid, hold.owner.host, hold.owner.since) == ("alive", None, None, None)


def test_a_token_that_is_a_path_is_no_token(ledger: SqliteLedger, file: Path) -> None:
    """A token that another program wrote opens no file."""
    ledger.reserve("a", Amount(10), at=1.0)
    for token in ("../../etc/passwd", "A" * 32, "", None):
        assert owners.look(file, token).state == "unknown"


def test_links_lead_to_the_same_owners(ledger: SqliteLedger, file: Path, tmp_path: Path) -> None:
    """Whoever opens the ledger by another path sees the same owners."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "link.db").symlink_to(file)
    ledger.reserve("a", Amount(10), at=1.0)
    other = SqliteLedger(tmp_path / "elsewhere" / "link.db")
    other.reserve("a", Amount(5), at=1.0)
    assert states(other) == states(ledger) == ["alive", "alive"]
    other.close()


def test_a_mark_that_cannot_be_made_reserves_nothing(
    ledger: SqliteLedger, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the owner's file cannot be made the call is not admitted, and the error is one line."""

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", full)
        with pytest.raises(LedgerFailed, match=r"cannot have a file made beside it \(No space left") as error:
            ledger.reserve("a", Amount(10), at=1.0)
    assert "\n" not in str(error.value)
    assert money(ledger) == (0, 0, 1000)
    ledger.reserve("a", Amount(10), at=1.0)


# --- late and out of order


@forks
def test_a_bill_that_comes_after_reconciling_is_never_lost(ledger: SqliteLedger, file: Path) -> None:
    """An owner that was vouched dead and lives: its dearer bill is charged, a cheaper one changes nothing."""
    other = Elsewhere(file)
    cheap, dear = (other("reserve", "a", Amount(100, 5, 1), at=1.0) for _ in range(2))
    for mark in marks(file):
        mark.unlink()
    assert len(ledger.reconcile(at=2.0, unknown=True)) == 2
    assert other("settle", cheap, Charge(60, provenance="provider"), at=3.0).charged_nusd == 100
    late = other("settle", dear, Charge(130, usage=Usage(1, 9), provenance="provider"), at=3.0)
    assert (late.charged, late.overrun_nusd) == (Amount(130, 9, 1), 30)
    assert late.note == "its process ended: charged in full; billed $0.00000003 above its reservation"
    assert money(ledger) == (230, 0, 770)
    other.kill()


def test_a_clock_that_was_set_back_changes_no_sum(ledger: SqliteLedger) -> None:
    """Times are written as they are told; nothing depends on their order."""
    first = ledger.reserve("a", Amount(10), at=1000.0)
    second = ledger.reserve("a", Amount(20), at=5.0)
    ledger.settle(second, Charge(7), at=4.0)
    ledger.settle(first, Charge(3), at=-1.0)
    assert [entry.id for entry in ledger.entries("a")] == [first, second]
    assert money(ledger) == (10, 0, 990)


# --- kill -9 at any moment


def bill_until_killed(file: Path, seed: int, told: int) -> None:
    """A process that tells of every bill before it settles it, and of every settlement after."""
    draw = random.Random(seed)
    ledger = SqliteLedger(file)
    while True:
        most = draw.randint(1, 100)
        ticket = ledger.reserve("a/b", Amount(most), at=1.0)
        billed = draw.randint(0, most)
        os.write(told, f"billed {ticket} {billed}\n".encode())
        ledger.settle(ticket, Charge(billed, provenance="provider"), at=2.0)
        os.write(told, f"settled {ticket} {billed}\n".encode())


def started(file: Path, seed: int) -> tuple[int, IO[str]]:
    """That process and what it tells."""
    told, telling = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            bill_until_killed(file, seed, telling)
        finally:
            os._exit(1)
    os.close(telling)
    return process, os.fdopen(told)


@forks
def test_killed_at_any_moment_nothing_billed_is_lost(file: Path) -> None:
    """Twelve processes killed at random moments: what was settled stands, and all that was billed is charged."""
    ledger = SqliteLedger(file)
    ledger.open("a", Ceiling(usd="1e-3"), at=0.0)
    ledger.open("a/b", None, at=0.0)
    draw = random.Random(5)
    said: list[list[str]] = []
    for process, telling in [started(file, seed) for seed in range(12)]:
        with telling:
            read = [telling.readline() for _ in range(draw.randint(1, 60))]
            os.kill(process, signal.SIGKILL)
            said += [line.split() for line in (*read, *telling)]
        os.waitpid(process, 0)
    left = {entry.id: entry for entry in ledger.reconcile(at=3.0)}
    charged = {entry.id: entry.charged_nusd for entry in ledger.entries("a")}
    billed = {ticket: int(nusd) for word, ticket, nusd in said if word == "billed"}
    settled = {ticket: int(nusd) for word, ticket, nusd in said if word == "settled"}
    assert all(charged[ticket] == nusd for ticket, nusd in settled.items())
    assert all(charged[ticket] >= nusd for ticket, nusd in billed.items())
    assert all(entry.charged == entry.reserved for entry in left.values())
    assert not set(left) & set(settled)
    spent, reserved, _ = money(ledger)
    assert reserved == 0
    assert sum(billed.values()) <= spent == sum(charged.values())
    ledger.close()


def test_a_program_that_ends_with_reservations_open_leaves_them_counted(file: Path) -> None:
    """A normal exit settles nothing by itself: what may have been billed stays counted until it is reconciled."""
    code = f"""
from thinkcap.controller.account import Account
from thinkcap.controller.ledger import Amount
account = Account(1, name="a", ledger={str(file)!r})
account.reserve(Amount(300))
account.settle(account.reserve(Amount(50)))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    with Account(1, name="a", ledger=file) as account:
        assert (account.balance.money.spent, account.balance.money.reserved) == (50, 300)
        assert [entry.charged_nusd for entry in account.reconcile()] == [300]


# --- interrupts

INTERRUPTED = """
import signal, sys
from thinkcap.controller.account import Account
from thinkcap.controller.ledger import Amount, Charge
from thinkcap.policies.errors import CeilingReached

def strike(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, strike)
ledger = sys.argv[1] if len(sys.argv) > 1 else None
account = Account("1", name="a", ledger=ledger)
struck, kept = 0, []
for turn in range(400):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.00002 + turn % 40 * 0.00001)
        while True:
            account.settle(account.reserve(Amount(10)), Charge(7, provenance="provider"))
    except KeyboardInterrupt as error:
        struck += 1
        kept.append(error)  # with its traceback, as a notebook does
        account.settle(account.reserve(Amount(10)), Charge(7, provenance="provider"))
        if turn % 10 == 0:
            account.close()
            account = Account("1", name="a", ledger=ledger) if ledger else account
            if not ledger:
                account._is_closed = False
statement = account.ledger.statement("a")
assert struck == 400
assert statement.spent == statement.level.spent
assert statement.reserved == statement.level.reserved
print(len(statement.entries))
"""


@pytest.mark.parametrize("where", ["memory", "file"])
def test_an_interrupt_at_any_moment_leaves_a_ledger_that_works(file: Path, where: str) -> None:
    """Struck 400 times, wherever that is: sums and entries agree, and the ledger is usable in the very handler."""
    command = [sys.executable, "-c", INTERRUPTED, *([str(file)] if where == "file" else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 400
