"""What one solved attempt costs in time, beside the bare SDK: pairs in random order, a server with no latency.

    python benchmarks/solve.py [--pairs 2000] [--ledger]

The server runs in a process of its own. Each pair is one call by the bare SDK and one by thinkcap, one right after the
other; printed are the medians, and the median of the pairs' ratios with a 95 % bootstrap interval. `govern` is one call
through a governed client, `solve` a whole question of one attempt: account, policy, prompt bound, reserve, settle,
answer, receipt. `--ledger` keeps the accounts in SQLite.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from openai import OpenAI

from tests.loopback import LoopbackServer, Reply
from thinkcap.controller import Account, Controller, Price, govern
from thinkcap.policies import Fixed

PRICES = {"m": Price.per_mtok(input="0.25", output=2)}
QUESTION = "How many positive integers below 1000 are divisible by 7 or by 11?"


def serve(pipe: Connection) -> None:
    with LoopbackServer(Reply(text="The answer is 220.", output_tokens=40)) as server:
        pipe.send(server.base_url)
        pipe.recv()


def pairs_of(bare: Callable[[], object], ours: Callable[[], object], pairs: int) -> np.ndarray:
    """Seconds of both, a row a pair.  (pairs, 2)"""
    luck = random.Random(0)
    seconds = np.empty((pairs, 2))
    for pair in range(-50, pairs):  # the first fifty warm up
        for which in luck.sample((0, 1), 2):
            started = time.perf_counter()
            (bare, ours)[which]()
            seconds[pair, which] = time.perf_counter() - started
    return seconds


def show(name: str, seconds: np.ndarray) -> None:
    ratios = seconds[:, 1] / seconds[:, 0]
    draws = np.random.default_rng(0).integers(0, len(ratios), (2000, len(ratios)))
    low, high = np.percentile(np.median(ratios[draws], axis=1), [2.5, 97.5])
    bare, ours = np.median(seconds, axis=0) * 1e3
    print(
        f"{name:8} bare {bare:.3f} ms, thinkcap {ours:.3f} ms, ratio {np.median(ratios):.3f} ({low:.3f} to {high:.3f})"
        f", median difference {np.median(seconds[:, 1] - seconds[:, 0]) * 1e3:.3f} ms, {len(ratios):,} pairs"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--ledger", action="store_true")
    asked = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    with ExitStack() as stack:
        ledger = Path(stack.enter_context(tempfile.TemporaryDirectory()), "ledger.db") if asked.ledger else None
        client = OpenAI(base_url=ours.recv(), api_key="none", max_retries=0)
        account = Account(1000, name="benchmark", ledger=ledger)
        governed = govern(client, account, prices=PRICES)
        controller = Controller(client, ["m"], Fixed(), ceiling="0.05", account=account, prices=PRICES)

        def call(asker: OpenAI) -> object:
            messages = [{"role": "user", "content": QUESTION}]
            return asker.chat.completions.create(model="m", messages=messages, max_completion_tokens=500)  # type: ignore[arg-type]

        show("govern", pairs_of(lambda: call(client), lambda: call(governed), asked.pairs))
        show("solve", pairs_of(lambda: call(client), lambda: controller.solve(QUESTION, extract="number"), asked.pairs))
    ours.send("done")
    server.join(5)


if __name__ == "__main__":
    main()
