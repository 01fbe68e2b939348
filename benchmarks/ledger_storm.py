"""A storm of random ledger operations: how many there were, and whether anything was ever overspent.

    python benchmarks/ledger_storm.py [--operations 1000000] [--processes 3] [--kills 20] [--seed 0]

Half of the operations run in memory: alone beside a model that says after each what every account must hold, and
from four threads at once. The other half run on one SQLite file that several processes share, while some of them are
killed (kill -9) at random moments and replaced, and while another process looks at all accounts again and again.

Every process writes what it was billed into a book of its own before it settles. In the end the book, the entries and
the accounts must agree: nothing billed is missing, no sum is off by a nano-dollar, and no account ever held more
than its ceiling.
"""

from __future__ import annotations

import argparse
import multiprocessing
import multiprocessing.sharedctypes
import os
import random
import sqlite3
import struct
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger import Amount, Charge, Ledger, Level, MemoryLedger, SqliteLedger
from thinkcap.policies.errors import BadInput, CeilingReached
from thinkcap.policies.values import Usage

TREE = {
    "a": 900,
    "a/b": 500,
    "a/b/c": 300,
    "a/b/d": None,
    "a/e": 400,
    "f": 700,
    "f/g": 800,
    "f/h": None,
}  # nano-dollars
PATHS = tuple(TREE)
KINDS = ("reserve", "settle", "release", "again", "raise", "reconcile")
LINE = struct.Struct("<qq")  # a bill: the ticket, nano-dollars


def ceiling(nano: int | None) -> Ceiling | None:
    return None if nano is None else Ceiling(usd=f"{nano}e-9")


def plant(ledger: Ledger) -> None:
    for path, nano in TREE.items():
        ledger.open(path, ceiling(nano), at=0.0)


def lineage(path: str) -> list[str]:
    names = path.split("/")
    return ["/".join(names[: i + 1]) for i in range(len(names))]


def within(levels: list[Level] | tuple[Level, ...]) -> None:
    """Every account holds at most its ceiling, and its figures add up."""
    for level in levels:
        money = level.balance.money
        if money.ceiling is not None:
            assert money.overrun == 0, f"{level.path} holds more than its ceiling: {money}"
            assert money.ceiling == money.spent + money.reserved + (money.free or 0), money
        assert min(money.spent, money.reserved, money.free or 0) >= 0, money


class Walker:
    """One of those who spend: draws operations, and settles what it reserved at no more than that."""

    def __init__(self, ledger: Ledger, seed: int, book: int | None = None) -> None:
        self.ledger, self.draw, self.book = ledger, random.Random(seed), book
        self.open: list[tuple[str, str, int]] = []
        self.done: list[str] = []
        self.counts: Counter[str] = Counter()

    def step(self) -> Any:
        """One operation; what it changed: its kind, account, nano-dollars held and nano-dollars billed."""
        kind = self.draw.choices(KINDS, (45, 30, 12, 6, 6, 0.2))[0]
        if kind in ("settle", "release") and not self.open:
            kind = "reserve"
        if kind == "again" and not self.done:
            kind = "raise"
        self.counts[kind] += 1
        return getattr(self, f"_{kind}")()

    def _reserve(self) -> Any:
        path, nano = self.draw.choice(PATHS), self.draw.randint(0, 120)
        try:
            ticket = self.ledger.reserve(path, Amount(nano, nano, 1), at=1.0)
        except CeilingReached:
            self.counts["refused"] += 1
            return ("refused", path, nano, 0)
        self.open.append((ticket, path, nano))
        return ("reserve", path, nano, 0)

    def _settle(self) -> Any:
        ticket, path, nano = self.open.pop(self.draw.randrange(len(self.open)))
        billed = self.draw.randint(0, nano)
        if self.book is not None:
            os.write(self.book, LINE.pack(int(ticket), billed))
        entry = self.ledger.settle(ticket, Charge(billed, usage=Usage(1, billed), provenance="provider"), at=2.0)
        assert entry.charged_nusd == billed
        self.done.append(ticket)
        return ("settle", path, nano, billed)

    def _release(self) -> Any:
        ticket, path, nano = self.open.pop(self.draw.randrange(len(self.open)))
        self.ledger.release(ticket, at=2.0)
        return ("release", path, nano, 0)

    def _again(self) -> None:
        ticket = self.draw.choice(self.done[-50:])
        assert self.ledger.settle(ticket, Charge(10**9, provenance="provider"), at=3.0).charged_nusd < 10**9

    def _raise(self) -> Any:
        path = self.draw.choice([path for path, nano in TREE.items() if nano is not None])
        level = self.ledger.levels(path)[0]
        nano = level.spent.nusd + level.reserved.nusd + self.draw.randint(-40, 4000)
        try:
            self.ledger.raise_to(path, Ceiling(usd=f"{max(nano, 1)}e-9"))
        except BadInput:
            self.counts["raise refused"] += 1
            return None
        return ("raise", path, max(nano, 1), 0)

    def _reconcile(self) -> None:
        self.counts["reconciled"] += len(self.ledger.reconcile(at=4.0))


def beside_a_model(operations: int, seed: int) -> Counter[str]:
    """Alone in memory: after each operation the model says what every account must hold."""
    ledger = MemoryLedger()
    plant(ledger)
    walker = Walker(ledger, seed)
    limits, spent, held = dict(TREE), dict.fromkeys(TREE, 0), dict.fromkeys(TREE, 0)
    for _ in range(operations):
        before = {path: None if nano is None else nano - spent[path] - held[path] for path, nano in limits.items()}
        changed = walker.step()
        if changed is not None:
            kind, path, nano, billed = changed
            free = min(left for above in lineage(path) if (left := before[above]) is not None)
            if kind in ("reserve", "refused"):
                assert (kind == "reserve") == (nano == 0 or nano <= free), (changed, free)
            if kind == "raise":
                limits[path] = nano
            for above in lineage(path):
                if kind == "reserve":
                    held[above] += nano
                elif kind in ("settle", "release"):
                    held[above] -= nano
                    spent[above] += billed
            for level in ledger.levels(path):
                found = (level.balance.money.ceiling, level.spent.nusd, level.reserved.nusd)
                assert found == (limits[level.path], spent[level.path], held[level.path]), level
                within([level])
    return walker.counts


def with_threads(operations: int, seed: int, threads: int = 4) -> Counter[str]:
    """Four threads on one ledger in memory."""
    ledger = MemoryLedger()
    plant(ledger)
    walkers = [Walker(ledger, seed + number) for number in range(threads)]
    failures: list[BaseException] = []

    def run(walker: Walker) -> None:
        try:
            for _ in range(operations // threads):
                walker.step()
                if walker.draw.random() < 0.05:
                    within(ledger.survey().levels) if walker.draw.random() < 0.01 else within(ledger.levels("a/b/c"))
        except BaseException as error:
            failures.append(error)

    running = [threading.Thread(target=run, args=(walker,)) for walker in walkers]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if failures:
        raise failures[0]
    held = sum(nano for walker in walkers for _, _, nano in walker.open)
    assert held == sum(ledger.balance(root).money.reserved for root in ("a", "f"))
    for path in PATHS:
        statement = ledger.statement(path)
        within([statement.level])
        assert (statement.spent, statement.reserved) == (statement.level.spent, statement.level.reserved)
    return sum((walker.counts for walker in walkers), start=Counter())


def spend(file: Path, book: Path, seed: int, done: Any, slot: int, enough: int) -> None:
    """One process on the file, until all of them have done enough together; it may be killed at any moment."""
    ledger = SqliteLedger(file, busy_s=60)
    walker = Walker(ledger, seed, os.open(book, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600))
    base = slot * len(COUNTED)
    before: Counter[str] = Counter()
    while sum(done[place] for place in range(len(done)) if place % len(COUNTED) < len(KINDS)) < enough:
        for _ in range(20):
            walker.step()
        for place, kind in enumerate(COUNTED):
            done[base + place] += walker.counts[kind] - before[kind]
        before = walker.counts.copy()


COUNTED = (*KINDS, "refused", "raise refused", "reconciled")


def with_processes(
    folder: Path, operations: int, processes: int, kills: int, seed: int
) -> tuple[Counter[str], int, int]:
    """Several processes on one file; returns the counts, the looks at all accounts, and the kills."""
    file = folder / "storm.db"
    ledger = SqliteLedger(file, busy_s=60)
    plant(ledger)
    spawn = multiprocessing.get_context("spawn")
    done = spawn.RawArray("q", len(COUNTED) * processes)  # each process counts in places of its own: kills lose no sum
    draw, books = random.Random(seed), 0

    def start(slot: int) -> Any:
        nonlocal books
        books += 1
        process = spawn.Process(
            target=spend, args=(file, folder / f"{books}.book", seed + books, done, slot, operations)
        )
        process.start()
        return process

    running = [start(slot) for slot in range(processes)]
    killed, looks = 0, 0
    while any(process.is_alive() for process in running):
        within(ledger.survey().levels)
        looks += 1
        time.sleep(0.002)
        so_far = sum(done[place] for place in range(len(done)) if place % len(COUNTED) < len(KINDS))
        if killed < kills and so_far > operations * (killed + 0.5) / kills:
            slot = draw.randrange(processes)
            if running[slot].is_alive():
                running[slot].kill()
                running[slot].join()
                killed += 1
                running[slot] = start(slot)
    counts = Counter(dict.fromkeys(COUNTED, 0))
    for place, number in enumerate(done):
        counts[COUNTED[place % len(COUNTED)]] += number
    counts["reconciled"] += len(ledger.reconcile(at=5.0))
    assert all(process.exitcode == 0 for process in running), [process.exitcode for process in running]
    audit(file, folder)
    ledger.close()
    return counts, looks, killed


def audit(file: Path, folder: Path) -> None:
    """The books, the entries and the accounts agree; read with plain SQL, none of it by the ledger's own code."""
    connection = sqlite3.connect(file)
    billed: dict[int, int] = {}
    for book in folder.glob("*.book"):
        for ticket, nano in LINE.iter_unpack(book.read_bytes()):
            assert ticket not in billed
            billed[ticket] = nano
    rows = connection.execute("SELECT number, account, status, reserved_nusd, charged_nusd, note FROM entry").fetchall()
    charged = {number: nano for number, _, status, _, nano, _ in rows if status == "settled"}
    assert set(billed) <= set(charged), "a bill was lost"
    for number, _, _, reserved, nano, note in rows:
        if number in charged and note is None:
            assert nano == billed[number], "a settled entry was changed"
        elif number in charged:
            assert nano == reserved >= billed.get(number, 0), "reconciling undercounted"
    for path, limit, spent, reserved in connection.execute(
        "SELECT path, ceiling_nusd, spent_nusd, reserved_nusd FROM account"
    ):
        below = [row for row in rows if row[1] == path or row[1].startswith(f"{path}/")]
        assert spent == sum(row[4] or 0 for row in below), path
        assert reserved == sum(row[3] for row in below if row[2] == "reserved") == 0, path
        assert limit is None or spent + reserved <= limit, path
    connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=1_000_000, help="ledger operations in all")
    parser.add_argument("--processes", type=int, default=3, help="processes on the file at once")
    parser.add_argument("--kills", type=int, default=20, help="how many of them are killed and replaced")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    quarter, began = asked.operations // 4, time.perf_counter()
    parts: dict[str, Counter[str]] = {}
    parts["memory, beside a model"] = beside_a_model(quarter, asked.seed)
    parts["memory, 4 threads"] = with_threads(quarter, asked.seed + 1000)
    with tempfile.TemporaryDirectory() as folder:
        name = f"SQLite, {asked.processes} processes"
        parts[name], looks, killed = with_processes(
            Path(folder), asked.operations - 2 * quarter, asked.processes, asked.kills, asked.seed + 2000
        )
    total = 0
    print(f"{'':<24}" + "".join(f"{kind:>11}" for kind in (*KINDS, "refused", "all")))
    for name, counts in parts.items():
        all_of_it = sum(counts[kind] for kind in KINDS)
        total += all_of_it
        print(f"{name:<24}" + "".join(f"{counts[kind]:>11,}" for kind in (*KINDS, "refused")) + f"{all_of_it:>11,}")
    reconciled = sum(counts["reconciled"] for counts in parts.values())
    print(
        f"\n{total:,} operations in {time.perf_counter() - began:,.0f} s; {killed} processes killed, {reconciled} "
        f"reservations of theirs charged in full; all accounts looked at {looks:,} times meanwhile\n"
        "held: ceiling = spent + reserved + free, none negative, no account above its ceiling\n"
        "held: accounts = sums of their entries, to the nano-dollar\n"
        "held: everything billed is charged; settled entries are as billed, also by the killed\n"
        "overspent: 0 nano-dollars"
    )


if __name__ == "__main__":
    main()
