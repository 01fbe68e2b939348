"""Which kinds of question the small model gets better at when it is given more, measured.

    python benchmarks/families.py [--seed 1] [--each 24] [--attempts 8] [--family NAME ...] [--arm NAME ...]

Asks the local model every question at every arm a number of times, through `thinkcap.record`, and prints for each
family and arm: one attempt, the vote of all, any of all, output and prompt tokens. It takes some minutes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from openai import OpenAI

from thinkcap.controller import Account, Price, Recorder, record
from thinkcap.controller.local import MODEL_NAME, LocalServer, fetch_model
from thinkcap.demo.families import FAMILIES, make_questions
from thinkcap.evals import load_recording, majority_accuracy, pass_at_k
from thinkcap.policies import Arm

EXAMPLES = {  # by name: question, a worked step, the answer alone
    "sum": ("What is 4 + 9?", "4 + 9 = 13.", "13"),
    "story": ("Sara has 6 pears and finds 8 more. How many pears does Sara have now?", "6 + 8 = 14.", "14"),
    "large": ("What is 52 + 27?", "52 + 27 = 79.", "79"),
    "larger": ("What is 38 + 45?", "38 + 45 = 83.", "83"),
    "story2": ("Rosa has 12 hats and gets 5 more. How many hats does Rosa have now?", "12 + 5 = 17.", "17"),
    "times": ("What is 3 times 6?", "3 x 6 = 18.", "18"),
    "multiple": ("Name a multiple of 5 between 31 and 39.", "5 x 7 = 35.", "35"),
    "multiple2": ("Name a multiple of 9 between 50 and 70.", "9 x 6 = 54.", "54"),
    "pair": ("Name two numbers that add up to 12.", "5 + 7 = 12.", "5 and 7"),
    "factor": ("Name two numbers whose product is 35.", "5 x 7 = 35.", "5 and 7"),
    "word": ("Name a word that begins with b and has 4 letters.", "boat.", "boat"),
    "boxes": (
        "Paul has 7 balls, buys 2 boxes of 4 balls each and gives 2 away. How many balls does Paul have now?",
        "2 x 4 = 8, 7 + 8 = 15, 15 - 2 = 13.",
        "13",
    ),
}
STEP, ANSWER = 1, 2


def prompt(form: int, *names: str) -> str:
    """Examples in a row, then the question."""
    return "".join(f"Q: {EXAMPLES[name][0]}\nA: {EXAMPLES[name][form]}\n\n" for name in names) + "Q: {question}\nA:"


def arm(name: str, template: str, cap: int) -> Arm:
    return Arm(MODEL_NAME, name=name, template=template, temperature=0.7, stop=("\n",), max_output_tokens=cap)


ALL = ("sum", "story", "multiple", "large", "larger", "boxes", "multiple2", "word")
ARMS = {
    one.label: one
    for one in (
        arm("bare", "Q: {question}\nA:", 24),
        arm("answer-3", prompt(ANSWER, "sum", "story", "multiple"), 12),
        arm("answer-8", prompt(ANSWER, *ALL), 12),
        arm("steps-3", prompt(STEP, "sum", "story", "multiple"), 48),
        arm("steps-6", prompt(STEP, "sum", "story", "multiple", "large", "story2", "larger"), 48),
        arm("steps-8", prompt(STEP, *ALL), 48),
        arm("answers-p", prompt(ANSWER, "sum", "pair", "story"), 12),
        arm("steps-p3", prompt(STEP, "sum", "story", "pair"), 32),
        arm("steps-p4", prompt(STEP, "sum", "story", "pair", "large"), 32),
        arm("answers-f", prompt(ANSWER, "sum", "story", "factor"), 12),
        arm("steps-f4", prompt(STEP, "sum", "story", "factor", "word"), 32),
        arm("answers-m3", prompt(ANSWER, "word", "story", "large"), 12),  # shipped as low
        arm("steps-m1", prompt(STEP, "large"), 32),
        arm("steps-m3", prompt(STEP, "word", "story", "large"), 32),
        arm("steps-m4", prompt(STEP, "sum", "word", "story", "large"), 32),  # shipped as medium
        arm("steps-m6", prompt(STEP, "times", "story2", "sum", "word", "story", "large"), 32),  # shipped as high
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=24)
    parser.add_argument("--attempts", type=int, default=8)
    parser.add_argument("--family", action="append", choices=list(FAMILIES))
    parser.add_argument("--arm", action="append", choices=list(ARMS))
    asked = parser.parse_args()
    arms = [ARMS[name] for name in asked.arm or ARMS]
    prices = {MODEL_NAME: Price.per_mtok(input=0.05, output=0.40)}
    print(f"{'family':12} {'arm':12} {'one':>6} {'vote':>6} {'any':>6} {'out':>6} {'prompt':>7} {'no answer':>9}")
    with tempfile.TemporaryDirectory() as folder, LocalServer(fetch_model()) as server:
        client = OpenAI(base_url=server.base_url, api_key="none", max_retries=0)
        for family in asked.family or FAMILIES:
            path = Path(folder, f"{family}.jsonl")
            started = time.monotonic()
            with Recorder(path, keep_answers=True) as recorder:
                record(
                    client,
                    make_questions(asked.seed, asked.each, [family]),
                    arms,
                    recorder,
                    attempts=asked.attempts,
                    account=Account(100),
                    prices=prices,
                )
            found = load_recording(path)
            for one in arms:
                rows = found.arm == [known.label for known in found.arms].index(one.label)
                print(
                    f"{family:12} {one.label:12} {found.correct[rows].mean():6.3f}"
                    f" {np.nanmean(majority_accuracy(found, one.label, asked.attempts)):6.3f}"
                    f" {np.nanmean(pass_at_k(found, one.label, asked.attempts)):6.3f}"
                    f" {found.output_tokens[rows].mean():6.1f} {found.input_tokens[rows].mean():7.1f}"
                    f" {(found.answer[rows] < 0).mean():9.3f}",
                    flush=True,
                )
            print(f"# {family}: {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
