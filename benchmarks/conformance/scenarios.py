"""The scenarios, as data: what is asked, by how many at once, what the provider does, and the ceiling over it all."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from thinkcap.evals.oracle import Fault, Oracle, Rates, Received, Reply, Script

__all__ = ["PRICED", "SCENARIOS", "Scenario", "full_size"]

PRICED = "gpt-4o-mini"
"""A model that every subject has in its own price list, at one price: $0.15 and $0.60 a million tokens."""

RATES: Mapping[str, Rates] = {
    PRICED: Rates(input=0.15, output=0.60, cached=0.075),
    "gpt-5.4": Rates(input=2.5, output=15, cached=0.25, long_above=272_000, long_input=5, long_output=22.5),
    "unheard-of-1": Rates(input=10, output=50),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One condition under which a ceiling is held to its word.

    Attributes:
        name: as the table calls it.
        about: what happens, in a line.
        script: what the provider answers.
        body: the request but for model and prompt.
        tokens: the ceiling, as that many output tokens of the model; subjects that count dollars get their price.
        prompt: what is asked.
        model: what is asked for.
        api: where it is asked.
        processes: processes that share one ceiling.
        workers: callers in each, at once.
        calls: most calls of one caller.
        leave_every: of so many calls, one is left after two events; 0: none.
        patience_s: seconds a refused caller goes on asking, from the last call that was let through.
        sdk_retries: whether the SDK's own retries are on.
        kill_after_s: seconds until whatever keeps the books is killed, to be started again; None: never.
    """

    name: str
    about: str
    script: Script
    body: Mapping[str, Any] = field(default_factory=dict)
    tokens: int = 10_000
    prompt: str = "six times seven?"
    model: str = PRICED
    api: Literal["chat", "responses"] = "chat"
    processes: int = 1
    workers: int = 4
    calls: int = 20
    leave_every: int = 0
    patience_s: float = 0.6
    sdk_retries: bool = False
    kill_after_s: float | None = None

    @property
    def ceiling_nusd(self) -> int:
        """The ceiling in nano-dollars."""
        return self.tokens * round(float(str(RATES[self.model].output)) * 1000)

    def oracle(self) -> Oracle:
        """The provider of this scenario."""
        return Oracle(self.script, models=[self.model], rates=RATES)


def said(visible: int, *, hidden: int = 0, events: int = 12, **more: Any) -> Reply:
    """A reply whose text has as many tokens as it says, for who counts four letters a token and for a tokenizer."""
    letters = max(1, 4 * visible // events - 1)
    words = "ThisThatWhenWithFromHaveTheyWillOverSome"
    text = ((words * (letters // len(words) + 1))[:letters] + " ") * events
    return Reply(text=text, output_tokens=visible + hidden, reasoning_tokens=hidden, **more)


SOON: Mapping[str, Any] = {"latency_s": 0.03}
STREAM: Mapping[str, Any] = {"stream": True}


def _easy_then_hard(request: Received) -> Reply:
    return said(60, **SOON, pace_s=0.002) if request.number <= 64 else said(60, hidden=400, **SOON, pace_s=0.002)


def _retried(request: Received) -> Reply | Fault:
    fault = Fault("status", code=500, billed=True, reply=said(430))
    return fault if request.number % 3 else said(430, **SOON)


def _any_length(request: Received) -> Reply:
    drawn = random.Random(f"length {request.number}").lognormvariate(5.01, 0.8)  # a median of 150 tokens
    return said(max(12, min(1024, round(drawn))), **SOON, pace_s=0.02)


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="hidden reasoning",
        about="16 streams at once; after 64 easy answers of 60 tokens, when much of the ceiling is used, 400 hidden "
        "tokens come before the same 60",
        script=_easy_then_hard,
        body={**STREAM, "max_completion_tokens": 1000},
        tokens=7_000,
        workers=16,
        calls=12,
    ),
    Scenario(
        name="n = 8",
        about="four callers ask for eight choices of 430 tokens each, capped at 500 a choice",
        script=said(430, **SOON),
        body={"n": 8, "max_completion_tokens": 500},
        calls=4,
    ),
    Scenario(
        name="Responses",
        about="four callers of the Responses API, 430 tokens an answer, capped at 500",
        script=said(430, **SOON),
        body={"max_output_tokens": 500},
        api="responses",
    ),
    Scenario(
        name="max_completion_tokens",
        about="two callers allow 16,000 tokens under that name, and get them",
        script=said(16_000, **SOON),
        body={"max_completion_tokens": 16_000},
        workers=2,
        calls=3,
    ),
    Scenario(
        name="max_tokens",
        about="two callers allow 6,000 tokens under the old name, and get them",
        script=said(6_000, **SOON),
        body={"max_tokens": 6_000},
        workers=2,
        calls=4,
    ),
    Scenario(
        name="no cap",
        about="four callers name no cap; an answer takes 3,000 tokens",
        script=said(3_000, **SOON),
        calls=5,
    ),
    Scenario(
        name="unknown price",
        about="a model in no price list, at $50 a million tokens, 430 tokens an answer",
        script=said(430, **SOON),
        body={"max_completion_tokens": 500},
        model="unheard-of-1",
        tokens=5_000,
        calls=5,
    ),
    Scenario(
        name="many streams",
        about="24 streams at once from 3 processes, median 150 tokens, capped at 1,024",
        script=_any_length,
        body={**STREAM, "max_completion_tokens": 1024},
        tokens=20_000,
        processes=3,
        workers=8,
        calls=25,
        patience_s=1.5,
    ),
    Scenario(
        name="50 agents",
        about="50 callers at once, no caps, 600 tokens an answer, half a second each",
        script=said(600, latency_s=0.5),
        tokens=60_000,
        workers=50,
        calls=4,
        patience_s=1.5,
    ),
    Scenario(
        name="small calls",
        about="one caller, capped at 100 tokens, each call at most 0.5 % of the ceiling",
        script=said(90),
        body={"max_completion_tokens": 100},
        tokens=20_100,
        workers=1,
        calls=300,
        patience_s=0.3,
    ),
    Scenario(
        name="retries",
        about="two of three answers are a 500 after billing, and the SDK's own retries are on",
        script=_retried,
        body={"max_completion_tokens": 500},
        calls=25,
        sdk_retries=True,
    ),
    Scenario(
        name="cancels",
        about="every second stream is left after two events: 200 hidden tokens were billed by then",
        script=said(230, hidden=200, **SOON, pace_s=0.01),
        body={**STREAM, "max_completion_tokens": 500},
        calls=25,
        leave_every=2,
    ),
    Scenario(
        name="kill -9",
        about="eight calls are in flight when whatever keeps the books is killed; it is started again",
        script=said(430, latency_s=0.3),
        body={"max_completion_tokens": 500},
        workers=8,
        calls=10,
        patience_s=1.0,
        kill_after_s=0.45,
    ),
    Scenario(
        name="missing usage",
        about="answers tell no usage; 400 of 430 tokens are hidden",
        script=said(30, hidden=400, **SOON, usage="missing"),
        body={"max_completion_tokens": 500},
    ),
    Scenario(
        name="long context",
        about="prompts of 280,000 tokens, above the limit from which the model costs twice as much",
        script=said(100, **SOON),
        body={"max_completion_tokens": 500},
        model="gpt-5.4",
        prompt="a " * 280_000,
        tokens=234_000,  # $3.51: two such calls at $1.40
        workers=2,
        calls=4,
    ),
)


def full_size(scenario: Scenario) -> Scenario:
    """The same at its full size: 128 streams where the default has fewer."""
    if scenario.name != "many streams":
        return scenario
    about = scenario.about.replace("24 streams", "129 streams")
    return replace(scenario, about=about, workers=43, calls=8, patience_s=4.0)
