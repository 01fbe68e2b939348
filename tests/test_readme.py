"""The README keeps its word: its code runs, its links lead somewhere, its commands are the ones CI runs."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import LoopbackServer, Reply

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"

pytestmark = pytest.mark.skipif(not (ROOT / "policies").exists(), reason="the source is not here: the wheel is tested")


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_python_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code for one's own client runs as printed, spends from one account, and stays under it."""
    with LoopbackServer(Reply(text="The answer is 220.", output_tokens=40)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        names: dict[str, Any] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the loopback's prices are assumed
            for block in blocks("python"):
                exec(block, names)
        for client in (names["client"], names["controller"].clients["default"]):
            client.close()
    account, outcome = names["account"], names["outcome"]
    assert outcome.answer == "220"
    assert 0 < outcome.spent_usd < account.spent < 0.5
    assert len(server.billed) == 1 + len(outcome.attempts)


def test_every_link_leads_somewhere() -> None:
    """Every relative link and picture in the README and in docs is a file or folder of the project."""
    for page in (README, *sorted((ROOT / "docs").glob("*.md"))):
        for link in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_the_two_commands_stand_in_it() -> None:
    """The demo's command and the test command are printed, each whole on one line."""
    lines = "".join(blocks("sh")).splitlines()
    start = "python3 -m venv .venv && .venv/bin/pip install -q "
    assert f"{start}'.[local]' && .venv/bin/thinkcap demo" in lines
    assert f"{start}-e '.[dev]' && .venv/bin/python -m pytest" in lines
