"""What a ledger in a file holds beyond the contract: processes, crashes, and disks that fail."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger import Amount, Charge, Purpose, SqliteLedger
from thinkcap.controller.ledger.turn import is_mine
from thinkcap.policies.errors import BadInput, CeilingReached, LedgerFailed
from thinkcap.policies.values import Usage

THOUSAND = Ceiling(usd="1000e-9")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "team.db"


@pytest.fixture
def ledger(file: Path) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger(file, busy_s=0.05)
    ledger.open("a", THOUSAND, at=3.5)
    yield ledger
    ledger.close()


def spend_until_refused(file: Path, name: str, done: multiprocessing.Queue[int]) -> None:
    """One of several processes: reserve 20, settle at 7, until refused."""
    ledger = SqliteLedger(file)
    ledger.open("a", THOUSAND, at=0.0)
    ledger.open(f"a/{name}", None, at=0.0)
    billed = 0
    while True:
        try:
            ticket = ledger.reserve(f"a/{name}", Amount(20, 0, 1), at=1.0)
        except CeilingReached:
            break
        billed += ledger.settle(ticket, Charge(7, provenance="provider"), at=2.0).charged_nusd
    ledger.close()
    done.put(billed)


def test_processes_never_pass_the_ceiling(file: Path) -> None:
    """Three processes on one new file bill together what one would, to the last nano-dollar that fits."""
    spawn = multiprocessing.get_context("spawn")
    done: multiprocessing.Queue[int] = spawn.Queue()
    workers = [spawn.Process(target=spend_until_refused, args=(file, f"worker{i}", done)) for i in range(3)]
    for worker in workers:
        worker.start()
    billed = [done.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    ledger = SqliteLedger(file)
    statement = ledger.statement("a")
    ledger.close()
    assert statement.spent == statement.level.spent
    assert statement.reserved == Amount()
    assert sum(billed) == statement.level.spent.nusd
    # a process stops at the first refusal, while at most two others hold 20 each: at least 1000 - 60 is billed
    assert 940 < sum(billed) <= 1000


CRASHER = """
import sys
from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger import Amount, Charge, SqliteLedger
ledger = SqliteLedger(sys.argv[1])
ledger.open("a", Ceiling(usd="1000e-9"), at=0.0)
ledger.settle(ledger.reserve("a", Amount(300), at=1.0), Charge(250), at=2.0)
ledger.reserve("a", Amount(400), at=3.0)
print("open", flush=True)
sys.stdin.read()
"""


def test_a_killed_process_leaves_its_reservations_counted(file: Path) -> None:
    """After kill -9 what was settled is spent, what was open is reserved, and only the rest is free."""
    with subprocess.Popen(
        [sys.executable, "-c", CRASHER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        process.send_signal(signal.SIGKILL)
    ledger = SqliteLedger(file)
    ledger.open("a", THOUSAND, at=9.0)
    money = ledger.balance("a").money
    assert (money.spent, money.reserved, money.free) == (250, 400, 350)
    with pytest.raises(CeilingReached):
        ledger.reserve("a", Amount(351), at=9.0)
    (open_,) = [entry for entry in ledger.entries("a") if entry.status == "reserved"]
    ledger.settle(open_.id, Charge(), at=9.0)
    assert ledger.balance("a").money.spent == 650
    ledger.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_opens_its_own_connection(ledger: SqliteLedger) -> None:
    """Parent and forked child go on with one file and lose no update between them."""
    ticket = ledger.reserve("a", Amount(100), at=1.0)
    child = os.fork()
    if child == 0:
        try:
            ledger.settle(ticket, Charge(60), at=2.0)
            ledger.reserve("a", Amount(500), at=2.0)
            ledger.close()
        except BaseException:
            os._exit(1)
        os._exit(0)
    ledger.reserve("a", Amount(300), at=2.0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    money = ledger.balance("a").money
    assert (money.spent, money.reserved, money.free) == (60, 800, 140)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_inherits_no_connection(ledger: SqliteLedger) -> None:
    """At a fork there is no open connection that a child could inherit, and the lock is free on both sides."""
    assert ledger._home().connection is not None
    child = os.fork()
    if child == 0:
        inherited = [home for home in ledger._homes.values() if home.connection is not None or is_mine(home.lock)]
        os._exit(len(inherited))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ledger.balance("a").money.free == 1000


def test_all_of_an_entry_survives_the_file(ledger: SqliteLedger, file: Path) -> None:
    """Whatever was said of a call reads back equal from another connection."""
    purpose = Purpose("gpt-5", "chat", cap_asked=900, cap_sent=64, price_source="list 2026-11-01", note="clamped")
    first = ledger.reserve("a", Amount(100, 64, 1), purpose, at=1.25)
    done = ledger.settle(
        first, Charge(90, usage=Usage(10, 20, 15, 4, 0), provenance="provider", price_source="tier", note="x"), at=2.5
    )
    second = ledger.reserve("a", Amount(5), Purpose(), at=3.0)
    third = ledger.settle(ledger.reserve("a", Amount(6, 7, 1), at=4.0), Charge(), at=5.0)
    other = SqliteLedger(file)
    assert other.entries("a") == (done, ledger.entry(second), third)
    assert (done.purpose.price_source, done.note, done.settled_at) == ("tier", "clamped; x", 2.5)
    assert other.levels("a") == ledger.levels("a")
    assert other.levels("a")[0].opened_at == 3.5
    other.close()


@pytest.mark.parametrize(
    "ceiling",
    [
        Ceiling(usd=1e9),
        Ceiling(usd="0.000000001"),
        Ceiling(seconds=0.1),
        Ceiling(output_tokens=1),
        Ceiling(calls=10**15),
    ],
)
def test_every_ceiling_survives_the_file(ledger: SqliteLedger, file: Path, ceiling: Ceiling) -> None:
    """A ceiling opened again from the file is the one that was given, to the last digit."""
    ledger.open("b", ceiling, at=0.0)
    other = SqliteLedger(file)
    assert other.open("b", ceiling, at=9.0)[0].ceiling == ceiling
    other.close()


def test_only_the_owner_can_read_the_file(ledger: SqliteLedger, file: Path) -> None:
    """The file, SQLite's two and the owner's one beside it are readable and writable by their owner only."""
    ledger.reserve("a", Amount(1), at=0.0)
    files = sorted(file.parent.iterdir())
    names = [path.name.split("owner-")[0] for path in files]
    assert names == ["team.db", "team.db-", "team.db-shm", "team.db-wal"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_closed_ledger_opens_again(ledger: SqliteLedger) -> None:
    """Closing ends the connection, not the ledger: settling afterwards works."""
    ticket = ledger.reserve("a", Amount(10), at=0.0)
    ledger.close()
    ledger.close()
    assert ledger.settle(ticket, Charge(4), at=1.0).charged_nusd == 4


def test_the_file_does_not_move_with_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path means the file it meant at first."""
    monkeypatch.chdir(tmp_path)
    ledger = SqliteLedger("team.db")
    ledger.open("a", THOUSAND, at=0.0)
    ledger.close()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert ledger.balance("a").money.ceiling == 1000
    ledger.close()


def test_a_file_that_vanished_is_not_begun_anew(ledger: SqliteLedger, file: Path) -> None:
    """A ledger whose file was deleted fails; it never goes on with an empty one."""
    ledger.close()
    file.unlink()
    with pytest.raises(LedgerFailed, match="cannot be opened"):
        ledger.balance("a")
    assert not file.exists()


# --- files and disks that do not do


def one_line(error: pytest.ExceptionInfo[LedgerFailed], file: Path) -> None:
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_newer_file_is_refused(ledger: SqliteLedger, file: Path) -> None:
    """A file written by a newer program is left alone."""
    ledger.close()
    with sqlite3.connect(file) as other:
        other.execute("PRAGMA user_version = 4")
    other.close()
    with pytest.raises(LedgerFailed, match=r"newer thinkcap \(file version 4\): upgrade thinkcap$") as error:
        SqliteLedger(file)
    one_line(error, file)


def test_another_programs_database_is_left_alone(file: Path) -> None:
    """Somebody else's SQLite file is refused, and not one byte of it changes."""
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE precious (x)")
    other.close()
    before = file.read_bytes()
    with pytest.raises(LedgerFailed, match="another program's database") as error:
        SqliteLedger(file)
    one_line(error, file)
    assert file.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(file: Path) -> None:
    """Any other file is refused, and not one byte of it changes."""
    file.write_bytes(b"dear diary " * 100)
    with pytest.raises(LedgerFailed, match="is not a ledger") as error:
        SqliteLedger(file)
    one_line(error, file)
    assert file.read_bytes() == b"dear diary " * 100


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """A file in a folder that does not exist cannot be created, and says so."""
    with pytest.raises(LedgerFailed, match="its folder must exist and be writable") as error:
        SqliteLedger(tmp_path / "nowhere" / "team.db")
    one_line(error, tmp_path / "nowhere" / "team.db")


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    """A folder given for a file is refused."""
    with pytest.raises(LedgerFailed, match="cannot be opened"):
        SqliteLedger(tmp_path)


@pytest.mark.parametrize("path", ["", ":memory:", "file:team.db", b"team.db"])
def test_paths_that_are_no_files_are_refused(path: str) -> None:
    """What SQLite would not take for the name of a file is the caller's error."""
    with pytest.raises(BadInput, match=r"must be a path such as 'team\.db'"):
        SqliteLedger(path)


@pytest.mark.parametrize("busy_s", [0, -1, float("nan"), 10**6])
def test_the_time_to_wait_must_make_sense(file: Path, busy_s: float) -> None:
    """Waiting takes more than no time and at most an hour."""
    with pytest.raises(BadInput, match="busy_s"):
        SqliteLedger(file, busy_s=busy_s)


def test_a_file_locked_for_too_long_is_reported(ledger: SqliteLedger, file: Path) -> None:
    """If another process holds the file beyond the time to wait, nothing is reserved and the error says why."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerFailed, match="stayed locked by another process") as error:
        ledger.reserve("a", Amount(1), at=0.0)
    one_line(error, file)
    other.execute("ROLLBACK")
    other.close()
    assert ledger.entries("a") == ()
    ledger.reserve("a", Amount(1), at=0.0)


def test_a_disk_that_cannot_be_written_keeps_the_reservation(ledger: SqliteLedger, file: Path) -> None:
    """If settling cannot be written, the money stays reserved, and settling later works."""
    ticket = ledger.reserve("a", Amount(10), at=0.0)
    connection = ledger._home().connection
    assert connection is not None
    connection.execute("PRAGMA query_only = ON")
    with pytest.raises(LedgerFailed, match="cannot be written: make it and its folder writable") as error:
        ledger.settle(ticket, Charge(4), at=1.0)
    one_line(error, file)
    assert ledger.balance("a").money.reserved == 10
    connection.execute("PRAGMA query_only = OFF")
    ledger.settle(ticket, Charge(4), at=1.0)
    assert ledger.balance("a").money.spent == 4


def test_a_full_disk_changes_nothing(ledger: SqliteLedger, file: Path) -> None:
    """When the file cannot grow, the whole step fails: sums and entries still agree."""
    connection = ledger._home().connection
    assert connection is not None
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        for _ in range(1000):
            ledger.reserve("a", Amount(1), Purpose(note="x" * 500), at=0.0)

    with pytest.raises(LedgerFailed, match="free some disk space") as error:
        fill()
    one_line(error, file)
    statement = ledger.statement("a")
    assert statement.reserved == statement.level.reserved
    assert statement.reserved.nusd == len(statement.entries) > 0


def test_figures_changed_by_another_program_are_noticed(ledger: SqliteLedger, file: Path) -> None:
    """A reservation that another program wiped from the sums cannot make a sum negative."""
    ticket = ledger.reserve("a", Amount(10), at=0.0)
    with sqlite3.connect(file) as other:
        other.execute("UPDATE account SET reserved_nusd = 0")
    other.close()
    with pytest.raises(LedgerFailed, match="do not add up"):
        ledger.settle(ticket, Charge(), at=1.0)


def test_an_interrupt_in_a_step_keeps_none_of_it(ledger: SqliteLedger) -> None:
    """An interrupt between two writes of one step rolls both back, and the ledger goes on."""
    (before,) = ledger.levels("a")

    def interrupted(rows: Any) -> None:
        rows.put_sums([before._replace(spent=Amount(999))])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger._do(interrupted)
    assert ledger.balance("a").money.spent == 0
    ledger.reserve("a", Amount(1), at=0.0)


def test_many_threads_open_one_new_file_at_once(file: Path) -> None:
    """Whoever comes first makes the tables; nobody fails, and there is one account."""
    made: list[SqliteLedger] = []
    failures: list[BaseException] = []
    start = threading.Barrier(6)

    def work() -> None:
        start.wait()
        try:
            ledger = SqliteLedger(file)
            made.append(ledger)
            ledger.open("a", THOUSAND, at=0.0)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert made[0].balance("a").money.ceiling == 1000
    for ledger in made:
        ledger.close()


def test_a_durable_ledger_waits_for_the_disk(tmp_path: Path) -> None:
    """``durable=True`` is SQLite's synchronous=FULL on every connection; otherwise it is NORMAL."""
    for durable, level in ((True, 2), (False, 1)):
        ledger = SqliteLedger(tmp_path / f"{durable}.db", durable=durable)
        ledger.open("a", Ceiling(usd=1), at=0.0)
        connection = ledger._home().connection
        assert connection is not None
        assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
        ledger.close()
