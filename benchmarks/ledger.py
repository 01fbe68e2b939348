"""How many calls a second a ledger can keep account of: reserve and settle, beside plain SQLite commits.

    python benchmarks/ledger.py [--pairs 5000] [--depth 2] [--processes 4]

Each pair is one reservation and one settlement, each its own commit, on an account `depth` levels deep. The plain
insert writes one row of the same size for each commit, two commits a pair, with the same settings of the same SQLite.
"""

from __future__ import annotations

import argparse
import multiprocessing
import multiprocessing.synchronize
import sqlite3
import tempfile
import time
from pathlib import Path

from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger import Amount, Charge, Ledger, MemoryLedger, Purpose, SqliteLedger
from thinkcap.policies.values import Usage

CEILING = Ceiling(usd=1000)
PURPOSE = Purpose("gpt-5-mini", "chat", cap_asked=4096, cap_sent=4096, price_source="genai-prices 2026-11-01")
AMOUNT = Amount(8_192_000, 4096, 1)
CHARGE = Charge(12_345, usage=Usage(100, 200, 150, 0, 0), provenance="provider")


def path_of(depth: int) -> str:
    return "/".join(f"level{i}" for i in range(depth))


def opened(ledger: Ledger, depth: int) -> str:
    for below in range(1, depth + 1):
        ledger.open(path_of(below), CEILING, at=0.0)
    return path_of(depth)


def pairs(ledger: Ledger, path: str, count: int) -> float:
    """Seconds for this many reserve-and-settle pairs."""
    start = time.perf_counter()
    for _ in range(count):
        ledger.settle(ledger.reserve(path, AMOUNT, PURPOSE, at=1.0), CHARGE, at=2.0)
    return time.perf_counter() - start


def plain(file: Path, count: int) -> float:
    """Seconds for two single-row commits a pair."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(
        "CREATE TABLE line (id INTEGER PRIMARY KEY, model TEXT, a INTEGER, b INTEGER, c INTEGER, d TEXT)"
    )
    start = time.perf_counter()
    for _ in range(2 * count):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "INSERT INTO line (model, a, b, c, d) VALUES (?, ?, ?, ?, ?)", ("gpt-5-mini", 8_192_000, 4096, 1, "x" * 90)
        )
        connection.execute("COMMIT")
    seconds = time.perf_counter() - start
    connection.close()
    return seconds


def worker(file: Path, depth: int, count: int, start: multiprocessing.synchronize.Barrier) -> None:
    ledger = SqliteLedger(file, busy_s=60)
    path = opened(ledger, depth)
    start.wait()
    pairs(ledger, path, count)
    start.wait()
    ledger.close()


def together(file: Path, depth: int, count: int, processes: int) -> float:
    """Seconds for this many pairs shared out among processes on one file."""
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(processes + 1)
    workers = [spawn.Process(target=worker, args=(file, depth, count // processes, start)) for _ in range(processes)]
    for process in workers:
        process.start()
    start.wait()
    began = time.perf_counter()
    start.wait()
    seconds = time.perf_counter() - began
    for process in workers:
        process.join()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5000, help="pairs for each line of the table")
    parser.add_argument("--depth", type=int, default=2, help="levels from the root to the account")
    parser.add_argument("--processes", type=int, default=4, help="processes on one file in the last line")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder)
        base = plain(files / "plain.db", asked.pairs)
        memory = MemoryLedger()
        in_memory = pairs(memory, opened(memory, asked.depth), asked.pairs)
        ledger = SqliteLedger(files / "one.db")
        in_file = pairs(ledger, opened(ledger, asked.depth), asked.pairs)
        ledger.close()
        durable = SqliteLedger(files / "durable.db", durable=True)
        few = max(1, asked.pairs // 20)
        synced = pairs(durable, opened(durable, asked.depth), few) * asked.pairs / few
        durable.close()
        shared = together(files / "many.db", asked.depth, asked.pairs, asked.processes)
    print(f"{'':<28}{'pairs/s':>10}{'us/pair':>10}{'x plain':>10}")
    for name, seconds in (
        ("plain SQLite, 2 inserts", base),
        ("memory", in_memory),
        ("SQLite, 1 process", in_file),
        ("SQLite, durable", synced),
        (f"SQLite, {asked.processes} processes", shared),
    ):
        print(f"{name:<28}{asked.pairs / seconds:>10,.0f}{seconds / asked.pairs * 1e6:>10.1f}{base / seconds:>10.2f}")


if __name__ == "__main__":
    main()
