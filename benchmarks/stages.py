"""Where the time of one governed call goes, stage by stage: in a loop, and as it is between two calls.

    python -m benchmarks.stages [--calls 300] [--ledger]

Between two calls over a network the processor's caches hold the SDK's code and not ours, so a stage takes several
times what it takes in a loop. Each stage is timed right after a call by the bare SDK, in random order; printed are
medians in microseconds, less that of timing nothing. Indented stages are parts of the one above them. The last rows
are what was learnt from them: what it takes to make a value of ten fields, and the UUID that the SDK makes for retries.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import statistics
import tempfile
import time
from collections import namedtuple
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import make_dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from openai import OpenAI
from openai._models import FinalRequestOptions

from benchmarks.solve import PRICES, QUESTION, serve
from thinkcap.controller import Account, govern
from thinkcap.controller.govern import _read, meter_of
from thinkcap.controller.ledger import Amount, Charge
from thinkcap.controller.plain import plain
from thinkcap.controller.routes import addresses
from thinkcap.controller.usage import read_usage

FIELDS = [(f"field_{number}", int) for number in range(10)]
FROZEN = make_dataclass("FROZEN", FIELDS, frozen=True, slots=True)
OPEN = make_dataclass("OPEN", FIELDS, slots=True)
NAMED = namedtuple("NAMED", [name for name, _ in FIELDS])  # type: ignore[misc]
BODY: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": QUESTION}],
    "max_completion_tokens": 500,
}


def timed(stage: Callable[[], object]) -> float:
    """Microseconds of one run."""
    started = time.perf_counter_ns()
    stage()
    return (time.perf_counter_ns() - started) / 1e3


def stages_of(governed: OpenAI, account: Account, answer: Any) -> dict[str, Callable[[], object]]:
    """The stages by name. Those that need a ticket take one that the stage before them left."""
    meter = meter_of(governed)
    options = FinalRequestOptions.construct(method="post", url="/chat/completions", json_data=BODY)
    uncapped = {name: BODY[name] for name in ("model", "messages")}
    asked, quote, usage = _read(meter, options, stream=False), meter.quote(BODY, "chat"), read_usage(answer)
    assert usage is not None
    charge = Charge(quote.price.cost(usage), usage=usage, provenance="provider")
    tickets = [meter.admit(BODY, "chat")]
    amount, sent_to = Amount(quote.worst(500), 500, 1), addresses(str(governed.base_url))
    held = [account.reserve(amount)]

    def learn() -> None:
        meter.seen.learn("m", quote.key, input_tokens=30, output_tokens=40, cut=False)

    return {
        "nothing": lambda: None,
        "read the request": lambda: _read(meter, options, stream=False),
        "admit": lambda: tickets.append(meter.admit(BODY, "chat")),
        "  quote": lambda: meter.quote(BODY, "chat"),
        "    read the body": lambda: plain(BODY, "chat"),
        "  reserve in the ledger": lambda: held.append(account.reserve(amount)),
        "admit, without a cap": lambda: tickets.append(meter.admit(uncapped, "chat")),
        "copy the SDK's options": lambda: asked.with_cap(tickets[-1], options, sent_to),
        "settle": lambda: tickets.pop().settle(answer),
        "  read the usage": lambda: read_usage(answer),
        "  price": lambda: (meter.prices.settle_price(quote.price, "m", meter.base_url), quote.price.cost(usage)),
        "  learn": learn,
        "  charge in the ledger": lambda: account.settle(held.pop(), charge),
        "a frozen dataclass": lambda: FROZEN(*range(10)),
        "an open dataclass": lambda: OPEN(*range(10)),
        "a named tuple": lambda: NAMED(*range(10)),
        "a UUID as text": lambda: str(uuid4()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--ledger", action="store_true")
    asked = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    with ExitStack() as stack:
        ledger = Path(stack.enter_context(tempfile.TemporaryDirectory()), "ledger.db") if asked.ledger else None
        client = OpenAI(base_url=ours.recv(), api_key="none", max_retries=0)
        account = Account(1000, name="benchmark", ledger=ledger)

        def call() -> Any:
            return client.chat.completions.create(**BODY)

        stages = stages_of(govern(client, account, prices=PRICES), account, call())
        looped = {name: [timed(stage) for _ in range(asked.calls)] for name, stage in stages.items()}
        between: dict[str, list[float]] = {name: [] for name in stages}
        luck = random.Random(0)
        for _ in range(asked.calls):
            for name in luck.sample(list(stages), len(stages)):
                call()
                between[name].append(timed(stages[name]))
        hot, cold = ({name: statistics.median(each) for name, each in way.items()} for way in (looped, between))
        for name in stages:
            loop, real = hot[name] - hot["nothing"], cold[name] - cold["nothing"]
            print(f"{name:26} in a loop {loop:6.1f}   between calls {real:6.1f}")
    ours.send("done")
    server.join(5)


if __name__ == "__main__":
    main()
