"""A recording that is killed: nothing is lost, nothing is paid twice, and the budget of each run holds."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.loopback import LoopbackServer, Received, Reply
from thinkcap.evals import load_recording

QUESTIONS, ATTEMPTS = 6, 4


class Killer:
    """Kills the process that asks at chosen requests, before or a little after they are answered."""

    def __init__(self, seed: int, most: int) -> None:
        self.luck, self.most = random.Random(seed), most
        self.kills = 0
        self.process: subprocess.Popen[str] | None = None

    def __call__(self, request: Received) -> Reply:
        assert self.process is not None
        if self.kills < self.most and self.luck.random() < 0.25:
            self.kills += 1
            if self.luck.random() < 0.5:
                self.process.kill()
            else:
                threading.Timer(self.luck.random() * 0.03, self.process.kill).start()
        return Reply(text="The answer is 4.", output_tokens=5)


@pytest.mark.parametrize(("seed", "suffix"), [(3, "jsonl"), (1, "parquet"), (2, "parquet")])
def test_a_killed_recording_goes_on(tmp_path: Path, seed: int, suffix: str) -> None:
    """SIGKILL at random points, and on: each attempt is there once, and at most what was in flight is paid again."""
    questions = tmp_path / "questions.jsonl"
    questions.write_text(
        "".join(
            json.dumps({"id": f"q{n}", "question": f"{n}?", "answer": "4", "extract": "number"}) + "\n"
            for n in range(QUESTIONS)
        )
    )
    output = tmp_path / f"run.{suffix}"
    killer, concurrency = Killer(seed, most=3), 2
    with LoopbackServer(killer) as server:
        words = [
            sys.executable, "-m", "thinkcap", "record", str(questions), "--arm", "m", "--attempts", str(ATTEMPTS),
            "--budget", "1", "--concurrency", str(concurrency), "--base-url", server.base_url, "--price", "m=1/10",
            "--max-output-tokens", "20", "-o", str(output),
        ]  # fmt: skip
        for _ in range(killer.most + 2):
            killer.process = subprocess.Popen(
                words,
                cwd=Path(__file__).parents[1],
                env={**os.environ, "OPENAI_API_KEY": "test"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            _, err = killer.process.communicate()
            if killer.process.returncode != -signal.SIGKILL:
                break
        server.errors[:] = [error for error in server.errors if not isinstance(error, json.JSONDecodeError)]
        assert killer.process is not None
        assert killer.process.returncode == 0, err
    lines = [
        json.loads(line)
        for line in (tmp_path / f"run.{suffix}{'.jsonl' * (suffix == 'parquet')}").read_text().splitlines()
    ]
    made = Counter((line["question_id"], line["attempt"]) for line in lines if "question_id" in line)
    assert set(made) == {(f"q{n}", attempt) for n in range(QUESTIONS) for attempt in range(ATTEMPTS)}
    assert set(made.values()) == {1}
    assert killer.kills == 3
    assert QUESTIONS * ATTEMPTS <= len(server.billed) <= QUESTIONS * ATTEMPTS + concurrency * killer.kills
    found = load_recording(output)
    assert len(found.question) == QUESTIONS * ATTEMPTS
    assert (found.correct == 1).all()
