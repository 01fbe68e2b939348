"""Runs inside a subject's own environment: takes a job, makes its calls through an adapter, tells what happened.

``python caller.py ADAPTER.py`` reads the job as one line of JSON, says ``ready``, waits for another line, and prints
one line of JSON at the end. It imports nothing but the standard library, and the adapter nothing but its subject.
An adapter has ``connect(job)``, which returns how a call is made, and which errors are the subject's refusals.
"""

from __future__ import annotations

import json
import runpy
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

Ask = Callable[[dict[str, Any]], Any]
Refused = Callable[[BaseException], bool]


class Tally:
    """What became of all calls of this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.answered = self.left = self.refused = 0
        self.failed: Counter[str] = Counter()
        self.last = time.monotonic()  # when a call was let through last
        self.waited_most_s = 0.0

    def began(self, seconds: float) -> None:
        """Note how long after it was first asked for an answer began."""
        with self.lock:
            self.waited_most_s = max(self.waited_most_s, seconds)

    def let_through(self, *, left: bool = False, error: BaseException | None = None) -> None:
        """Note a call that was sent, however it ended."""
        with self.lock:
            self.last = time.monotonic()
            if error is not None:
                self.failed[f"{type(error).__name__}: {str(error)[:60]}"] += 1
            elif left:
                self.left += 1
            else:
                self.answered += 1

    def told(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        counts = {"answered": self.answered, "left": self.left, "refused": self.refused}
        return {**counts, "failed": dict(self.failed), "waited_most_s": self.waited_most_s}


def read(answer: Any, *, leave: bool) -> None:
    """Take an answer in; of a stream that is to be left, two events."""
    if not hasattr(answer, "__next__"):
        return
    for number, _ in enumerate(answer, start=1):
        if leave and number == 2:
            answer.close()
            return


def work(job: dict[str, Any], ask: Ask, refused: Refused, tally: Tally, worker: int) -> None:
    """One caller: asks until it was let through so many times, or was refused for so long."""
    calls, asked_since = 0, 0.0
    while calls < job["calls"]:
        asked_since = asked_since or time.monotonic()
        leave = bool(job["leave_every"]) and calls % job["leave_every"] == job["leave_every"] - 1
        try:
            answer = ask(dict(job["body"]))
            tally.began(time.monotonic() - asked_since)
            read(answer, leave=leave)
        except Exception as error:
            if refused(error):
                now = time.monotonic()
                with tally.lock:
                    tally.refused += 1
                    over = now - max(tally.last, asked_since) > job["patience_s"]
                if over:
                    return
                time.sleep(job["poll_s"] * (0.5 + (worker % 8) / 8))
                continue
            tally.let_through(error=error)
        else:
            tally.let_through(left=leave)
        calls += 1
        asked_since = 0.0


def main() -> None:
    job = json.loads(sys.stdin.readline())
    told, sys.stdout = sys.stdout, sys.stderr  # some subjects print of their own accord
    ask, refused = runpy.run_path(sys.argv[1])["connect"](job)
    print("ready", file=told, flush=True)
    sys.stdin.readline()
    tally = Tally()
    workers = [
        threading.Thread(target=work, args=(job, ask, refused, tally, worker), daemon=True)
        for worker in range(job["workers"])
    ]
    for thread in workers:
        thread.start()
    give_up = time.monotonic() + job["timeout_s"]
    for thread in workers:
        thread.join(max(0.0, give_up - time.monotonic()))
    stuck = sum(thread.is_alive() for thread in workers)
    print(json.dumps({**tally.told(), "stuck": stuck}), file=told, flush=True)


if __name__ == "__main__":
    main()
