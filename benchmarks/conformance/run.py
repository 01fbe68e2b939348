"""Run the scenarios against the subjects and print the table: ``python -m benchmarks.conformance.run``.

Everything is on loopback. What a subject cost is read from the oracle's own book, never from the subject's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.conformance.catalogue import SUBJECTS, Subject
from benchmarks.conformance.environments import HERE, ensure, python_of, surroundings, versions
from benchmarks.conformance.report import Result, markdown
from benchmarks.conformance.scenarios import SCENARIOS, Scenario, full_size
from thinkcap.evals.oracle import Oracle

TIMEOUT_S = 60.0


class Helper:
    """A script that runs in a subject's environment and is talked to in lines."""

    def __init__(self, subject: Subject, script: str, adapter: str, folder: Path, job: dict[str, Any]) -> None:
        command = [str(python_of(subject.environment)), "-P", str(HERE / script)]
        self._log = (folder / f"{script}.log").open("ab")
        self.process = subprocess.Popen(
            [*command, str(HERE / "subjects" / f"{adapter}.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=folder,
            env=surroundings(folder),
        )
        self.say(json.dumps(job))

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        """The next line; an error if there is none."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the subject ended with {self.process.wait()}: {self._last_words()}")
        return line.strip()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()

    def _last_words(self) -> str:
        lines = Path(self._log.name).read_text("utf-8", "replace").strip().splitlines()
        return lines[-1][:200] if lines else "it said nothing"


def job_for(scenario: Scenario, subject: Subject, oracle: Oracle, folder: Path) -> dict[str, Any]:
    """All that an adapter is told."""
    body = {"model": scenario.model, **scenario.body}
    asked = [{"role": "user", "content": scenario.prompt}]
    return {
        "base_url": oracle.base_url,
        "api_key": "none",
        "headers": {},
        "body": {**body, "input": scenario.prompt} if scenario.api == "responses" else {**body, "messages": asked},
        "api": scenario.api,
        "model": scenario.model,
        "ceiling_usd": f"{scenario.ceiling_nusd / 1e9:.9f}",
        "ceiling_tokens": scenario.tokens,
        "settings": subject.settings,
        "workers": scenario.workers,
        "calls": scenario.calls,
        "leave_every": scenario.leave_every,
        "patience_s": scenario.patience_s,
        "poll_s": 0.05 if scenario.workers * scenario.processes < 40 else 0.25,
        "sdk_retries": scenario.sdk_retries,
        "shared": scenario.processes > 1 or scenario.kill_after_s is not None,
        "timeout_s": TIMEOUT_S,
        "folder": str(folder),
    }


def run(scenario: Scenario, subject: Subject) -> Result:
    """One scenario against one subject."""
    if scenario.name in subject.cannot:
        return Result.nothing(scenario.name, subject.name, subject.cannot[scenario.name])
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="conformance-") as name, scenario.oracle() as oracle:
        folder = Path(name)
        job = job_for(scenario, subject, oracle, folder)
        service: Helper | None = None
        try:
            if subject.service is not None:
                service = Helper(subject, "service.py", subject.service, folder, job)
                job |= json.loads(service.hear())
            told = drive(scenario, subject, folder, job, service)
        except (RuntimeError, ValueError) as error:
            return Result.nothing(scenario.name, subject.name, f"it did not run: {error}")
        finally:
            if service is not None:
                service.end()
        time.sleep(0.3)  # the provider may still be finding out that somebody left
        return Result.of(scenario, subject, oracle, told, seconds=time.monotonic() - began)


def drive(
    scenario: Scenario, subject: Subject, folder: Path, job: dict[str, Any], service: Helper | None
) -> list[dict[str, Any]]:
    """Let the callers go, and gather what they tell; whatever keeps the books is killed on the way if so planned."""

    def callers() -> list[Helper]:
        every = [Helper(subject, "caller.py", subject.caller, folder, job) for _ in range(scenario.processes)]
        for each in every:
            assert each.hear() == "ready"
        for each in every:
            each.say("go")
        return every

    first = callers()
    if scenario.kill_after_s is not None:
        time.sleep(scenario.kill_after_s)
        for each in first:
            each.process.kill()
            each.end()
        if service is not None:
            service.say("crash")
            service.hear()
        first = callers()
    try:
        return [json.loads(each.hear()) for each in first]
    finally:
        for each in first:
            each.end()


def main() -> None:
    """Run what was asked for, print it, and write the page if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subject", action="append", help="only this one (repeat for several)")
    parser.add_argument("--scenario", action="append", help="only this one (repeat for several)")
    parser.add_argument("--full", action="store_true", help="129 streams over 3 processes instead of 24")
    parser.add_argument("--json", type=Path, help="write the results here, too")
    parser.add_argument("--page", type=Path, help="write the page here")
    options = parser.parse_args()
    subjects = [each for each in SUBJECTS if not options.subject or each.name in options.subject]
    chosen = [each for each in SCENARIOS if not options.scenario or each.name in options.scenario]
    scenarios = [full_size(each) for each in chosen] if options.full else chosen
    broken = {name: ensure(name) for name in {each.environment for each in subjects}}
    results: list[Result] = []
    for scenario in scenarios:
        for subject in subjects:
            why = broken[subject.environment]
            result = run(scenario, subject) if why is None else Result.nothing(scenario.name, subject.name, why)
            results.append(result)
            print(result.line(), file=sys.stderr, flush=True)
    found = {name: versions(name) for name, why in broken.items() if why is None}
    page = markdown(results, scenarios, subjects, found, full=options.full)
    if options.json:
        options.json.write_text(json.dumps([each.told() for each in results], indent=1), "utf-8")
    if options.page:
        options.page.write_text(page, "utf-8")
    print(page)


if __name__ == "__main__":
    main()
