"""The pages of docs keep their word: their Python runs, and their commands on the shipped recording do."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.test_cli import Run, run  # noqa: F401 - a fixture

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ("replay.md", "evaluate.md", "laws.md", "plan.md")

pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="the source is not here: the wheel is tested")


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[list[str]]:
    """The words of each command that needs no file of the reader's own."""
    lines = [line.partition("#")[0].strip() for block in blocks(page, "sh") for line in block.splitlines()]
    words = [shlex.split(line)[1:] for line in lines if line.startswith("thinkcap ")]
    return [each for each in words if not any(word.startswith("run.") for word in each)]


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_page_runs(page: str) -> None:
    """Each page's Python runs as printed, block after block."""
    names: dict[str, Any] = {}
    for block in blocks(page, "python"):
        exec(block, names)


@pytest.mark.parametrize("words", [words for page in PAGES for words in commands(page)], ids=" ".join)
def test_the_commands_of_a_page_run(
    run: Run,  # noqa: F811
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each command on the shipped recording ends well, and writes the files it names."""
    monkeypatch.chdir(tmp_path)
    assert run(*words).code == 0
    for word, value in pairwise(words):
        if word in ("--rows", "--report", "--plot", "-o"):
            assert (tmp_path / value).stat().st_size > 100
