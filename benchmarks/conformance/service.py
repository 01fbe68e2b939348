"""Runs a subject that is a gateway: starts it, kills it when told to, starts it again.

``python service.py ADAPTER.py`` reads the job as one line of JSON and prints, once the gateway answers, how callers
reach it. ``crash`` on a line kills the gateway and starts it again; the end of the input ends it. An adapter has
``serve(job)``, which returns the commands: those that keep running (a store), the gateway, and the page that answers.
"""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any


def started(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a command, its output in a file."""
    with log.open("ab") as out:
        return subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)


def wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 30.0) -> None:
    """Wait until a page answers, whatever it says."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"the gateway does not answer at {url}")


def main() -> None:
    job = json.loads(sys.stdin.readline())
    plan: dict[str, Any] = runpy.run_path(sys.argv[1])["serve"](job)
    folder = Path(job["folder"])
    keep = [started(command, folder / "store.log") for command in plan["keep"]]
    time.sleep(0.3 if keep else 0.0)
    gateway = started(plan["gateway"], folder / "gateway.log")
    try:
        wait_for(plan["probe"], gateway)
        print(json.dumps(plan["client"]), flush=True)
        for line in sys.stdin:
            if line.strip() == "crash":
                gateway.kill()
                gateway.wait()
                gateway = started(plan["gateway"], folder / "gateway.log")
                wait_for(plan["probe"], gateway)
                print("again", flush=True)
    finally:
        for process in (gateway, *keep):
            process.terminate()
        for process in (gateway, *keep):
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


if __name__ == "__main__":
    main()
