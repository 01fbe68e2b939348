"""``thinkcap ledger``: what it shows, charges, raises and exports, and errors in one line."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.elsewhere import Elsewhere
from tests.test_cli import Run, run
from thinkcap.controller.account import Account
from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger import Amount, Charge, Purpose, SqliteLedger
from thinkcap.policies.values import Usage

__all__ = ["run"]  # a fixture

CENT = 10_000_000  # nano-dollars
CHAT = Purpose("gpt-5-mini", "chat")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two accounts: 12 cents billed, and 5 left reserved two hours ago by a process that was killed."""
    file = tmp_path / "team.db"
    with Account(Ceiling(usd=0.5, calls=100), name="research", ledger=file) as account:
        task = account.child("sum [red]", 0.2)
        task.settle(
            task.reserve(Amount(15 * CENT, 9, 1), CHAT), Charge(12 * CENT, usage=Usage(1, 9), provenance="provider")
        )
        gone = Elsewhere(file)
        gone("reserve", "research", Amount(5 * CENT, 70, 1), CHAT, at=time.time() - 7200)
        gone.kill()
    return file


@pytest.mark.parametrize("words", [("show",), ("reconcile",), ("raise", "a", "1"), ("export",)])
def test_a_file_that_is_no_ledger_is_left_alone(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    """Missing, empty, no database, another program's or newer: one line, exit code 2, and not a byte is written."""
    name, *rest = words
    file = tmp_path / "team.db"
    assert "there is no ledger" in run("ledger", name, file, *rest).error()
    assert list(tmp_path.iterdir()) == []
    file.touch()
    assert "it holds nothing" in run("ledger", name, file, *rest).error()
    assert file.read_bytes() == b""
    file.write_text("dear diary " * 100)
    assert "is not a ledger" in run("ledger", name, file, *rest).error()
    assert file.read_text() == "dear diary " * 100
    file.unlink()
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE precious (x)")
    other.close()
    before = file.read_bytes()
    assert "another program's database" in run("ledger", name, file, *rest).error()
    assert file.read_bytes() == before
    file.unlink()
    SqliteLedger(file).close()
    with sqlite3.connect(file) as other:
        other.execute("PRAGMA user_version = 9")
    other.close()
    assert "upgrade thinkcap" in run("ledger", name, file, *rest).error()
    assert [path.name for path in tmp_path.iterdir()] == ["team.db"]


def test_show_prints_the_tree_and_who_holds_what(run: Run, file: Path) -> None:
    """Figures for people, a child under its parent, names as they are, and what to do about what is left."""
    out = run("ledger", "show", file).out
    lines = [line.split() for line in out.splitlines()]
    assert ["research", "$0.50,", "100", "calls", "$0.12", "$0.05", "$0.33", "1"] in lines
    assert ["sum", "[red]", "$0.20", "$0.12", "$0", "$0.08", "1"] in lines
    (held,) = (line for line in lines if "2" in line[:1])
    assert held[:7] == ["2", "research", "gpt-5-mini", "$0.05", "2", "h", "dead"]
    assert out.index("research") < out.index("sum [red]")
    assert "1 left by processes that ended: thinkcap ledger reconcile" in " ".join(out.split())


def test_show_json_is_exact(run: Run, file: Path) -> None:
    """Money is exact text, and every open reservation says who holds it and for how long."""
    books = SqliteLedger(file)
    books.reserve("research/sum [red]", Amount(30_000_001, 5, 1), at=time.time() + 1e6)  # a clock that was ahead
    found = run("ledger", "show", file, "--json").json()
    assert [account["account"] for account in found["accounts"]] == ["research", "research/sum [red]"]
    account = found["accounts"][0]
    figures = [account[f"{what}_usd"] for what in ("ceiling", "spent", "reserved", "free", "overrun")]
    assert figures == ["0.5", "0.12", "0.080000001", "0.299999999", "0"]
    assert account["calls"] == {"ceiling": 100, "spent": 1, "reserved": 2}
    dead, mine = found["open"]
    assert (dead["id"], dead["reserved_usd"], dead["owner"]["state"]) == ("2", "0.05", "dead")
    assert 7200 <= dead["age_s"] < 7300
    assert (mine["owner"]["state"], mine["owner"]["pid"], mine["age_s"]) == ("alive", os.getpid(), 0)


def test_show_tells_an_overrun(run: Run, tmp_path: Path) -> None:
    """What a provider billed above a ceiling is shown as it is."""
    file = tmp_path / "team.db"
    with Account(0.01, ledger=file) as account:
        account.settle(account.reserve(Amount(CENT, 1, 1)), Charge(3 * CENT, provenance="provider"))
    assert "$0.02 over" in run("ledger", "show", file).out
    assert run("ledger", "show", file, "--json").json()["accounts"][0]["overrun_usd"] == "0.02"


@pytest.mark.parametrize("as_json", [True, False])
def test_watch_looks_again_until_interrupted(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    """Each look shows what is there by then; Ctrl-C ends it with exit code 0."""
    other, looks = SqliteLedger(file), 0

    def wait(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise KeyboardInterrupt
        other.reconcile(at=1.0)

    monkeypatch.setattr(time, "sleep", wait)
    ended = run("ledger", "show", file, "--watch", *(["--json"] if as_json else []))
    assert (ended.code, looks) == (0, 3)
    if as_json:
        reserved = [json.loads(line)["accounts"][0]["reserved_usd"] for line in ended.out.splitlines()]
        assert reserved == ["0.05", "0", "0"]
    else:
        assert ended.out.count("research") >= 3
        assert ended.out.count("dead") == 1
    other.close()


def test_reconcile_charges_the_dead_and_leaves_the_living(run: Run, file: Path) -> None:
    """The killed process's 5 cents are charged, this one's stay; a second time there is nothing to do."""
    books = SqliteLedger(file)
    books.reserve("research", Amount(CENT), at=1.0)
    ended = run("ledger", "reconcile", file)
    assert "charged in full: $0.05" in ended.out
    assert "1 held by running processes: left alone" in ended.out
    found = run("ledger", "reconcile", file, "--json").json()
    assert found == {"charged_usd": "0", "charged": [], "left": {"alive": 1, "dead": 0, "unknown": 0}}
    assert "nothing to reconcile" in run("ledger", "reconcile", file).out
    assert books.balance("research").money.spent == 17 * CENT
    books.close()


def test_reconcile_asks_before_it_charges_the_unknown(run: Run, file: Path) -> None:
    """Without its owner's file a reservation is charged only if somebody vouches that nobody runs."""
    for mark in file.parent.glob("*-owner-*"):
        mark.unlink()
    assert "--unknown charges them too" in run("ledger", "reconcile", file).out
    assert run("ledger", "reconcile", file, "--account", "research/sum [red]", "--unknown", "--json").json() == {
        "charged_usd": "0",
        "charged": [],
        "left": {"alive": 0, "dead": 0, "unknown": 1},
    }
    found = run("ledger", "reconcile", file, "--unknown", "--json").json()
    assert (found["charged_usd"], found["charged"][0]["provenance"]) == ("0.05", "bounded")
    assert "no account 'x'" in run("ledger", "reconcile", file, "--account", "x").error()


def test_raise_changes_the_dollars_and_nothing_else(run: Run, file: Path) -> None:
    """The account then opens with the new ceiling and not the old one; its calls stay limited."""
    assert run("ledger", "raise", file, "research", "0.75", "--json").json()["ceiling_usd"] == "0.75"
    with Account(Ceiling(usd=0.75, calls=100), name="research", ledger=file) as account:
        assert account.balance.money.free == 58 * CENT
    assert "$0.17" in run("ledger", "raise", file, "research", "0.17").out
    for wrong, why in (("0.1699", "at least $0.17"), ("x", "number of dollars"), ("0", "above zero")):
        assert why in run("ledger", "raise", file, "research", wrong).error()
    assert "no account 'x'" in run("ledger", "raise", file, "x", "1").error()


def test_a_child_without_a_ceiling_can_be_given_one(run: Run, tmp_path: Path) -> None:
    """An account that only its ancestors limited has a ceiling of its own from then on."""
    file = tmp_path / "team.db"
    with Account(1, name="a", ledger=file) as account:
        account.child("b")
    run("ledger", "raise", file, "a/b", "0.25")
    with Account(0.25, name="a/b", ledger=file) as child:
        assert child.free == child.ceiling.usd if child.ceiling else False


def test_export_has_all_of_it_and_only_its_owner_reads_it(run: Run, file: Path, tmp_path: Path) -> None:
    """Accounts, then entries, each a line of JSON; a file that exists, above all a ledger, is never written over."""
    out = tmp_path / "out.jsonl"
    ended = run("ledger", "export", file, "-o", out)
    assert (ended.out, "4 lines" in ended.err) == ("", True)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert out.read_text("utf-8") == run("ledger", "export", file).out
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [line["kind"] for line in lines] == ["account", "account", "entry", "entry"]
    assert [(line["status"], line["charged_usd"], line["reserved_usd"]) for line in lines[2:]] == [
        ("settled", "0.12", "0.15"),
        ("reserved", None, "0.05"),
    ]
    assert lines[2]["owner"] != lines[3]["owner"]
    for taken in (out, file):
        assert "exists: give a new file" in run("ledger", "export", file, "-o", taken).error()
    assert "cannot be written" in run("ledger", "export", file, "-o", tmp_path / "no" / "x").error()


def test_export_to_a_reader_that_stops_is_no_error(tmp_path: Path) -> None:
    """``thinkcap ledger export team.db | head -1`` ends quietly."""
    file = tmp_path / "team.db"
    with Account(1, ledger=file) as account:
        for _ in range(300):
            account.settle(account.reserve(Amount(1, 1, 1), CHAT))
    command = [sys.executable, "-m", "thinkcap", "ledger", "export", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["kind"] == "account"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_a_command_without_a_command_says_so(run: Run) -> None:
    """``thinkcap ledger`` alone is one line that says where to look."""
    assert run("ledger").error() == "Missing command (see thinkcap ledger --help)"
