"""Calls that go wrong by a seeded schedule, and whether the ceiling held: ``python benchmarks/faulty_calls.py``.

Every round is an oracle with its own schedule, an account whose ceiling is too small for all of the calls, and four
threads that call both APIs, whole and streamed, with one choice and several, reading streams to their end or leaving
them. At the end the oracle's book must not be above the ceiling, nor above what the account says was spent.
"""

from __future__ import annotations

import argparse
import random
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import openai

from thinkcap.controller import Account, Price, govern
from thinkcap.evals.oracle import CHAT, RESPONSES, Oracle, Rates, Received, Reply, faulty
from thinkcap.policies import CeilingReached

MODEL = "m"
PRICES = {MODEL: Price.per_mtok(input=1, output=10)}
RATES = {MODEL: Rates(input=1, output=10)}
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
THREADS = 4


def answer(request: Received) -> Reply:
    """A good reply whose length and hidden part depend on the request's place alone."""
    draw = random.Random(request.number)
    output = draw.randint(1, 400)
    return Reply(text="word " * 20, output_tokens=output, reasoning_tokens=draw.randint(0, output))


def call(client: openai.OpenAI, draw: random.Random) -> str:
    """One call of a random kind; returns how it ended."""
    api, stream, asked = draw.choice([CHAT, RESPONSES]), draw.random() < 0.5, f"question {draw.random()}"
    name = "max_completion_tokens" if api == CHAT else "max_output_tokens"
    cap: dict[str, Any] = {} if draw.random() < 0.3 else {name: draw.randint(16, 600)}
    try:
        if api == CHAT:
            body: dict[str, Any] = {"messages": [{"role": "user", "content": asked}], "n": draw.choice([1, 1, 2, 5])}
            got: Any = client.chat.completions.create(model=MODEL, stream=stream, **body, **cap)
        else:
            got = client.responses.create(model=MODEL, stream=stream, input=asked, **cap)
        if stream:
            with got:
                leave_after = draw.choice([0, 3, 10_000])
                for number, _ in enumerate(got):
                    if number == leave_after:
                        break
    except CeilingReached:
        return "refused"
    except (openai.OpenAIError, ValueError) as error:
        return type(error).__name__
    return "answered"


@contextmanager
def governed(oracle: Oracle, account: Account) -> Iterator[openai.OpenAI]:
    """A governed client that gives up soon, so that a silent provider does not hold the benchmark up."""
    http = openai.DefaultHttpxClient(trust_env=False, verify=NO_TLS)
    with openai.OpenAI(base_url=oracle.base_url, api_key="none", timeout=0.15, http_client=http) as plain:
        yield govern(plain, account, prices=PRICES)


def round_of(seed: int, calls: int, chance: float) -> tuple[int, int, int, Counter[str]]:
    """One round: billed, spent and the ceiling in nano-dollars, and how the calls ended."""
    account = Account("0.25")
    script = faulty(answer, seed=seed, chance=chance)
    with (
        Oracle(script, rates=RATES) as oracle,
        governed(oracle, account) as client,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        ends = list(pool.map(lambda number: call(client, random.Random(f"{seed}/{number}")), range(calls)))
    money = account.balance.money
    assert money.reserved == 0, f"round {seed}: {money.reserved} nano-dollars are still reserved"
    return oracle.book.nusd(), money.spent, money.ceiling or 0, Counter(ends)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--calls", type=int, default=100, help="calls of one round")
    parser.add_argument("--chance", type=float, default=0.4, help="how many answers go wrong, from 0 to 1")
    options = parser.parse_args()
    began, ends, over, unseen, bound = time.monotonic(), Counter[str](), 0, 0, 0
    for seed in range(options.rounds):
        billed, spent, ceiling, ended = round_of(seed, options.calls, options.chance)
        ends += ended
        over += max(0, billed - ceiling)
        unseen += max(0, billed - spent)
        bound += bool(ended["refused"])
    print(f"{sum(ends.values()):,} calls in {options.rounds} rounds, {sum(ends.values()) - ends['refused']:,} sent")
    print(", ".join(f"{count:,} {end}" for end, count in ends.most_common()))
    print(f"rounds whose ceiling refused something: {bound}")
    print(f"billed over the ceiling: {over} nano-dollars; billed and not counted as spent: {unseen} nano-dollars")
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
