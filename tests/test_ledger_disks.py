"""A ledger on disks that are full, read-only, far away or slow to let go, and files of other versions."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.elsewhere import Elsewhere
from thinkcap.controller.account import Account
from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger import Amount, Charge, SqliteLedger, disks, schema
from thinkcap.controller.ledger.schema import APPLICATION, TABLES, VERSION
from thinkcap.policies.errors import LedgerFailed

THOUSAND = Ceiling(usd="1000e-9")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "team.db"


# --- network file systems

MOUNTS = """\
/dev/vda / ext4 rw 0 0
server:/share /mnt/team\\040share nfs4 rw 0 0
tmpfs /mnt/team\\040share/local tmpfs rw 0 0
//server/x /mnt/x cifs rw 0 0
/dev/vdb /mnt/x ext4 rw 0 0
user@host: /mnt/far fuse.sshfs rw 0 0
"""


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def mount(text: str) -> None:
        (tmp_path / "mounts").write_text(text)
        monkeypatch.setattr(disks, "MOUNTS", tmp_path / "mounts")

    return mount


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/team.db", None),
        ("/mnt/team share/team.db", "nfs4"),
        ("/mnt/team share/deep/down/team.db", "nfs4"),
        ("/mnt/team share/local/team.db", None),
        ("/mnt/team shared/team.db", None),
        ("/mnt/x/team.db", None),
        ("/mnt/far/team.db", "fuse.sshfs"),
    ],
)
def test_the_mount_that_holds_a_file_is_the_deepest_and_the_latest(
    mounted: Callable[[str], None], path: str, kind: str | None
) -> None:
    """A disk mounted below a network's or over it is a disk again; names that only begin alike do not count."""
    mounted(MOUNTS)
    assert disks.network_type(Path(path)) == kind


def test_a_link_is_where_it_leads(mounted: Callable[[str], None], file: Path, tmp_path: Path) -> None:
    """A local link to a file on a network is on the network."""
    (tmp_path / "far").mkdir()
    file.symlink_to(tmp_path / "far" / "team.db")
    mounted(f"/dev/vda / ext4 rw 0 0\nserver:/x {tmp_path}/far nfs rw 0 0\n")
    with pytest.raises(LedgerFailed, match=r"network file system \(nfs\)"):
        SqliteLedger(file)


@pytest.mark.parametrize("text", ["", "no mounts at all", "a b", "/dev / ext4\n\n", "x /\\777 nfs"])
def test_what_cannot_be_told_is_taken_for_a_disk(mounted: Callable[[str], None], file: Path, text: str) -> None:
    """A list of mounts that makes no sense refuses nothing."""
    mounted(text)
    SqliteLedger(file).close()


def test_without_a_list_of_mounts_a_ledger_opens(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system keeps no such list it goes on."""
    monkeypatch.setattr(disks, "MOUNTS", file.parent / "nothing")
    SqliteLedger(file).close()


def test_a_network_file_system_is_refused_unless_forced(mounted: Callable[[str], None], file: Path) -> None:
    """The refusal names the type and the way on, and makes no file; forced, no owner is taken for dead."""
    mounted(f"server:/x {file.parent} nfs4 rw 0 0\n")
    with pytest.raises(LedgerFailed, match=r"network file system \(nfs4\).*network=True"):
        Account(1, ledger=file)
    assert not file.exists()
    ledger, other = SqliteLedger(file, network=True), SqliteLedger(file, network=True)
    ledger.open("a", THOUSAND, at=0.0)
    other.reserve("a", Amount(10), at=0.0)
    assert [hold.owner.state for hold in ledger.survey().holds] == ["alive"]
    del other
    assert [hold.owner.state for hold in ledger.survey().holds] == ["unknown"]
    assert ledger.reconcile(at=1.0) == ()
    ledger.close()


# --- full and read-only disks, for real

FILL = """
import json, resource, signal, sys
from thinkcap.controller.account import Account
from thinkcap.controller.ledger import Amount, Charge, Purpose
from thinkcap.policies.errors import LedgerFailed
account = Account(1, name="a", ledger=sys.argv[1])
if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
told, held, error = {}, {}, ""
try:
    while True:
        ticket = account.reserve(Amount(10), Purpose(note="x" * 400))
        held[ticket] = 10
        told[ticket] = account.settle(ticket, Charge(7, provenance="provider")).charged_nusd
        del held[ticket]
except LedgerFailed as failed:
    error = str(failed)
statement = account.ledger.statement("a")
same = (statement.spent, statement.reserved) == (statement.level.spent, statement.level.reserved)
print(json.dumps([told, held, error, same]))
"""


def fill(*command: str) -> tuple[dict[str, int], dict[str, int], str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told, held, error, same = json.loads(done.stdout)
    assert same
    return told, held, error


def nothing_is_lost(file: Path, told: dict[str, int], held: dict[str, int]) -> None:
    """What was settled is settled, what was held is held or billed, and nothing else is there."""
    with Account(1, name="a", ledger=file) as account:
        entries = {entry.id: entry for entry in account.entries()}
        assert {ticket: entries[ticket].charged_nusd for ticket in told} == told
        assert set(entries) == set(told) | set(held)
        assert account.balance.money.spent == sum(told.values())
        assert account.balance.money.reserved == sum(held.values())


def test_a_file_that_may_not_grow_loses_nothing(file: Path) -> None:
    """At the limit of a file's size the step fails in one line, and all that was told before holds."""
    pytest.importorskip("resource")
    told, held, error = fill(sys.executable, "-c", FILL, str(file), "300000")
    assert error.startswith(f"the ledger {file} cannot ")
    assert "\n" not in error
    assert len(told) > 5
    nothing_is_lost(file, told, held)


def in_a_mount_of_its_own(script: str) -> list[str]:
    """A command that runs where it may mount what it likes; skips where that is not allowed."""
    apart = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"]
    trial = [*apart, "mount -t tmpfs -o size=1m none /mnt"]
    if shutil.which("unshare") is None or subprocess.run(trial, capture_output=True).returncode:
        pytest.skip("no mounts here: unshare is missing or not allowed")
    return [*apart, script, "sh"]


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """On a disk of 400 kB that runs full the step fails in one line, and all that was told before holds."""
    small, copy = tmp_path / "small" / "team.db", tmp_path / "copy" / "team.db"
    small.parent.mkdir()
    copy.parent.mkdir()
    script = 'mount -t tmpfs -o size=400k none "$1"; "$2" -c "$3" "$1/team.db"; cp "$1"/team.db* "$4"'
    where = (str(small.parent), sys.executable, FILL, str(copy.parent))
    told, held, error = fill(*in_a_mount_of_its_own(script), *where)
    assert "free some disk space" in error or "check the disk" in error
    assert "\n" not in error
    assert len(told) > 5
    nothing_is_lost(copy, told, held)


READ_ONLY = """
import sys
from thinkcap.controller.ledger import Amount, SqliteLedger
from thinkcap.policies.errors import LedgerFailed
for step in (
    lambda: SqliteLedger(sys.argv[1]).reserve("a", Amount(1), at=0.0),
    lambda: SqliteLedger(sys.argv[1] + ".new"),
):
    try:
        step()
    except LedgerFailed as error:
        print(error)
"""


def test_a_read_only_disk_is_named(tmp_path: Path) -> None:
    """On a disk that cannot be written, a ledger that is there and one that is not both fail in a line."""
    (tmp_path / "disk").mkdir()
    file = tmp_path / "disk" / "team.db"
    with Account(1, name="a", ledger=file):
        pass
    before = file.read_bytes()
    script = 'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"; shift; "$@"'
    command = [*in_a_mount_of_its_own(script), str(file.parent), sys.executable, "-c", READ_ONLY, str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr == ""
    there, new = done.stdout.splitlines()
    assert "its folder must exist and be writable" in there or "make it and its folder writable" in there
    assert "cannot be created (Read-only file system)" in new
    assert file.read_bytes() == before


def test_a_ledger_that_another_holds_gives_up_in_time_and_loses_nothing(file: Path) -> None:
    """While another program keeps the file locked nothing is held and nothing settled; afterwards all goes on."""
    ledger = SqliteLedger(file, busy_s=0.05)
    ledger.open("a", THOUSAND, at=0.0)
    ticket = ledger.reserve("a", Amount(10), at=0.0)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for step in (
        lambda: ledger.reserve("a", Amount(1), at=0.0),
        lambda: ledger.settle(ticket, Charge(5), at=0.0),
        lambda: ledger.release(ticket, at=0.0),
        lambda: ledger.reconcile(at=0.0),
        lambda: ledger.raise_to("a", Ceiling(usd=1)),
    ):
        with pytest.raises(LedgerFailed, match="stayed locked by another process"):
            step()
    assert ledger.balance("a").money.reserved == 10
    other.execute("ROLLBACK")
    other.close()
    assert ledger.settle(ticket, Charge(5), at=0.0).charged_nusd == 5
    ledger.close()


# --- files of other versions


def write_version_1(file: Path) -> None:
    """A file as version 1 wrote it: entries without an owner, and without the id of an answer."""
    (account, entry, index, *_) = TABLES
    with sqlite3.connect(file) as old:
        for statement in (account, entry.replace("        owner TEXT,\n        response TEXT,\n", ""), index):
            old.execute(statement)
        old.execute("INSERT INTO account VALUES ('a', 1.5, 1000, NULL, NULL, NULL, 200, 0, 0, 300, 0, 0)")
        columns = "account, reserved_nusd, reserved_output_tokens, reserved_calls, started_at, status"
        old.execute(f"INSERT INTO entry ({columns}) VALUES ('a', 300, 0, 0, 2.5, 'reserved')")
        old.execute(
            f"INSERT INTO entry ({columns}, charged_nusd, charged_output_tokens, charged_calls, provenance) "
            "VALUES ('a', 250, 0, 0, 2.5, 'settled', 200, 0, 0, 'provider')"
        )
        old.execute(f"PRAGMA application_id = {APPLICATION}")
        old.execute("PRAGMA user_version = 1")
    old.close()


def test_an_older_file_is_brought_up_to_date(file: Path) -> None:
    """Version 1 kept no owners: all it knew is kept, and who holds its reservations cannot be told."""
    write_version_1(file)
    ledger = SqliteLedger(file)
    money = ledger.balance("a").money
    assert (money.spent, money.reserved, money.free) == (200, 300, 500)
    (hold,) = ledger.survey().holds
    assert (hold.entry.id, hold.entry.owner, hold.owner.state) == ("1", None, "unknown")
    assert ledger.reconcile(at=3.0) == ()
    assert ledger.settle("1", Charge(100), at=3.0).charged_nusd == 100
    ledger.reserve("a", Amount(700), at=4.0)
    ledger.close()
    with sqlite3.connect(file) as now:
        assert now.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert now.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    now.close()


def test_a_new_file_and_one_brought_up_to_date_are_alike(tmp_path: Path) -> None:
    """Both have the same columns and the same indexes."""
    write_version_1(tmp_path / "old.db")
    seen = []
    for name in ("old.db", "new.db"):
        SqliteLedger(tmp_path / name).close()
        with sqlite3.connect(tmp_path / name) as file:
            columns = [
                {row[1:4] for row in file.execute(f"PRAGMA table_info({table})")} for table in ("account", "entry")
            ]
            indexes = set(file.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOT NULL"))
            seen.append((columns, indexes))
        file.close()
    assert seen[0] == seen[1]


def test_many_that_bring_a_file_up_to_date_at_once_do_it_once(file: Path) -> None:
    """Six threads, each with a connection of its own, open one old file: nobody fails, and nothing is doubled."""
    write_version_1(file)
    made: list[SqliteLedger] = []
    failures: list[BaseException] = []
    start = threading.Barrier(6)

    def work() -> None:
        start.wait()
        try:
            made.append(SqliteLedger(file))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert {ledger.balance("a").money.reserved for ledger in made} == {300}
    for ledger in made:
        ledger.close()


def test_processes_that_bring_a_file_up_to_date_at_once_do_it_once(file: Path) -> None:
    """Four processes on one old file: each goes on with what was there."""
    write_version_1(file)
    others = [Elsewhere(file) for _ in range(4)]
    for other in others:
        other.pipe.send(("reserve", ("a", Amount(100)), {"at": 5.0}))
    assert [other.pipe.recv()[0] for other in others] == [False] * 4
    ledger = SqliteLedger(file)
    assert ledger.balance("a").money.free == 100
    ledger.close()
    for other in others:
        other.kill()


def test_an_upgrade_that_fails_changes_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full in the middle of it leaves the older file as it was."""
    write_version_1(file)
    monkeypatch.setitem(schema.UPGRADES, 1, (*schema.UPGRADES[1], "INSERT INTO no_such_table VALUES (1)"))
    with pytest.raises(LedgerFailed):
        SqliteLedger(file)
    with sqlite3.connect(file) as old:
        assert old.execute("PRAGMA user_version").fetchone() == (1,)
        assert "owner" not in [row[1] for row in old.execute("PRAGMA table_info(entry)")]
    old.close()


def test_a_program_of_the_older_version_that_is_running_goes_on(file: Path) -> None:
    """Its statements, prepared for the older tables, still work on the newer ones."""
    write_version_1(file)
    old = sqlite3.connect(file, isolation_level=None)
    columns = "account, reserved_nusd, reserved_output_tokens, reserved_calls, started_at, status"
    insert = f"INSERT INTO entry ({columns}) VALUES ('a', 0, 0, 0, 2.5, 'reserved')"
    old.execute(insert)
    ledger = SqliteLedger(file)
    old.execute(insert)
    old.close()
    assert [hold.owner.state for hold in ledger.survey().holds] == ["unknown"] * 3
    ledger.close()
