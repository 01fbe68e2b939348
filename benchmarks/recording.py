"""Make the recording that ships with thinkcap: real attempts of the small model.

    python benchmarks/recording.py [--each 40] [--attempts 16] [--keep FOLDER]

Writes the questions to a file, runs `thinkcap record --local` on it (20 to 45 minutes; run it again with the same
folder to go on after an interruption), and packs the result into thinkcap/demo/ with how it was made in its first line.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import json
import subprocess
import sys
from pathlib import Path

from thinkcap.controller.local import MODEL_PACKAGE, MODEL_SHA256
from thinkcap.demo import RECORDED_EACH, RECORDED_SEED, make_questions

TARGET = Path(__file__).parents[1] / "thinkcap" / "demo" / "smollm2.jsonl.gz"
LEFT_OUT = ("price_date", "run_id", "group", "error", "reasoning_tokens", "cached_tokens", "effort")


def write_questions(path: Path, each: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for item in make_questions(RECORDED_SEED, each):
            line = {
                "question_id": item.question_id,
                "dataset": item.dataset,
                "question": item.question,
                "answer": item.answer,
                "extract": item.extract,
                "verify": item.verify,
            }
            file.write(json.dumps({key: value for key, value in line.items() if value is not None}) + "\n")


def pack(path: Path, each: int) -> int:
    """The recording, sorted, without columns that are empty in every row, and with its provenance."""
    first, *lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    empty = [key for key in LEFT_OUT if all(line.get(key) is None for line in lines)]
    rows = [{key: value for key, value in line.items() if key not in empty} for line in lines]
    rows.sort(key=lambda line: (line["dataset"], line["question_id"], line["arm"], line["attempt"]))
    about = {
        **first,
        "questions": f"thinkcap.demo.make_questions({RECORDED_SEED}, {each})",
        "model_package": MODEL_PACKAGE,
        "model_sha256": MODEL_SHA256,
        "recorded": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "prices": "nominal: 0.05 and 0.40 dollars per million tokens in and out",
    }
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in [about, *rows])
    TARGET.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    return len(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=RECORDED_EACH)
    parser.add_argument("--attempts", type=int, default=16)
    parser.add_argument("--keep", type=Path, default=Path("build/recording"))
    asked = parser.parse_args()
    asked.keep.mkdir(parents=True, exist_ok=True)
    write_questions(asked.keep / "questions.jsonl", asked.each)
    command = ["record", "questions.jsonl", "--local", "--attempts", str(asked.attempts), "--budget", "5"]
    command += ["--seed", str(RECORDED_SEED), "--keep-answers", "-o", "smollm2.jsonl"]
    subprocess.run([sys.executable, "-m", "thinkcap", *command], cwd=asked.keep, check=True)
    rows = pack(asked.keep / "smollm2.jsonl", asked.each)
    print(f"{TARGET}: {rows:,} attempts, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
