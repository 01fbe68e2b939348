"""The first act: what a bare client is billed for, and what the same calls come to under a ceiling.

Nothing is asked of a model: the provider is the billing oracle, in this process, and its own book says who was billed
what. It takes well under a second and needs no more than the core install.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import openai

from thinkcap.controller import Account, Price, govern
from thinkcap.evals.oracle import Oracle, Rates, Reply
from thinkcap.policies import CeilingReached, nano_usd, show_usd

__all__ = ["Act1", "Billed", "Shown", "act1", "as_table"]

CEILING_USD = Decimal("0.10")
CALLS = 12
N = 8
CAP = 1_600
MODEL = "gpt-5-mini"
INPUT_USD, OUTPUT_USD = Decimal("0.25"), Decimal(2)  # a million tokens
REPLY = Reply(text="The answer is 42.", output_tokens=1_500, reasoning_tokens=1_480)


@dataclass(frozen=True, slots=True)
class Billed:
    """What the provider's book says of one client.

    Attributes:
        name: for people.
        nusd: nano-dollars billed.
        output_tokens: billed, hidden reasoning included.
        hidden_tokens: of those, the reasoning that no client gets to see.
        answered: calls that were answered.
        refused: calls that were never sent.
    """

    name: str
    nusd: int
    output_tokens: int
    hidden_tokens: int
    answered: int
    refused: int


@dataclass(frozen=True, slots=True)
class Act1:
    """Both clients under the same ceiling, which only one of them knows of."""

    ceiling_nusd: int
    sides: tuple[Billed, ...]

    @property
    def held(self) -> bool:
        """Whether the governed client, the last one, was billed no more than the ceiling."""
        return self.over(self.sides[-1]) == 0

    def over(self, side: Billed) -> int:
        """Nano-dollars billed above the ceiling."""
        return max(0, side.nusd - self.ceiling_nusd)

    def to_json(self) -> dict[str, Any]:
        """The figures, ready for JSON; money in nano-dollars."""
        sides = {
            side.name: {
                "billed_nusd": side.nusd,
                "over_nusd": self.over(side),
                "output_tokens": side.output_tokens,
                "hidden_tokens": side.hidden_tokens,
                "answered": side.answered,
                "refused": side.refused,
            }
            for side in self.sides
        }
        return {"ceiling_nusd": self.ceiling_nusd, "calls": CALLS, "n": N, "held": self.held, "sides": sides}


def act1() -> Act1:
    """Ask the oracle the same calls twice: with a bare client, and with one under a ceiling."""
    prices = {MODEL: Price.per_mtok(input=INPUT_USD, output=OUTPUT_USD)}
    bare = _ask("bare client", lambda client: client)
    governed = _ask("governed client", lambda client: govern(client, Account(CEILING_USD), prices=prices))
    return Act1(nano_usd(CEILING_USD, "the ceiling"), (bare, governed))


def _ask(name: str, prepared: Any) -> Billed:
    answered = refused = 0
    with Oracle(REPLY, rates={MODEL: Rates(input=str(INPUT_USD), output=str(OUTPUT_USD))}) as oracle:
        http = openai.DefaultHttpxClient(trust_env=False)  # past any proxy the environment names
        plain = openai.OpenAI(base_url=oracle.base_url, api_key="none", http_client=http)
        with plain:
            client = prepared(plain)
            for number in range(CALLS):
                asked = [{"role": "user", "content": f"Question {number}: what is six times seven?"}]
                try:
                    client.chat.completions.create(model=MODEL, messages=asked, n=N, max_completion_tokens=CAP)
                    answered += 1
                except CeilingReached:
                    refused += 1
    book = oracle.book
    tokens, hidden = sum(bill.output_tokens for bill in book), sum(bill.reasoning_tokens for bill in book)
    return Billed(name, book.nusd(), tokens, hidden, answered, refused)


class Shown(NamedTuple):
    """A small table: what `thinkcap.cli.show.table` takes."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str


def as_table(found: Act1) -> Shown:
    """The figures as a table for people."""
    rows = [
        (
            side.name,
            show_usd(side.nusd),
            f"+{100 * found.over(side) / found.ceiling_nusd:.0f} %" if found.over(side) else "0",
            str(side.answered),
            str(side.refused),
            f"{side.hidden_tokens:,} of {side.output_tokens:,}",
        )
        for side in found.sides
    ]
    return Shown(
        f"Act 1: a ceiling of {show_usd(found.ceiling_nusd)}, and {CALLS} calls of n = {N} that think out of sight",
        ("", "billed", "over the ceiling", "answered", "not sent", "hidden of output tokens"),
        rows,
        "Billed by the book of a provider on this machine (no model was asked), which knows nothing of the ceiling.",
    )
