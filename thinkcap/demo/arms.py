"""How the small model is asked: three efforts, as prompts, and the policies that are compared with them.

The prompts were chosen by measurement on questions of one seed and are reported on others (docs/lab.md).
"""

from __future__ import annotations

from collections.abc import Mapping

from thinkcap.controller import Price
from thinkcap.controller.local import MODEL_NAME
from thinkcap.demo.shipped import curve_path
from thinkcap.policies import Api, Arm, Fixed, Policy, Vote
from thinkcap.policies.curves import Curve

__all__ = ["CEILING_USD", "HIGH", "LOW", "MEDIUM", "PRICES", "WORTH_USD", "arms", "policies"]

LOW, MEDIUM, HIGH = "low", "medium", "high"

PRICES: Mapping[str, Price] = {MODEL_NAME: Price.per_mtok(input="0.05", output="0.40")}
"""What the small model is taken to cost: it runs here for nothing, so a small hosted model's list price stands in."""

CEILING_USD = "0.0002"
"""Dollars one question of the demo may cost."""

VOTES = 8
"""Attempts of *high*: high effort, several attempts, a vote."""

WORTH_USD = 0.001
"""Dollars that one more right answer is taken to be worth: five times what a question may cost."""

_EXAMPLES = (  # question, a worked step, the answer alone
    ("What is 3 times 6?", "3 x 6 = 18.", "18"),
    ("Rosa has 12 hats and gets 5 more. How many hats does Rosa have now?", "12 + 5 = 17.", "17"),
    ("What is 4 + 9?", "4 + 9 = 13.", "13"),
    ("Name a word that begins with b and has 4 letters.", "boat.", "boat"),
    ("Sara has 6 pears and finds 8 more. How many pears does Sara have now?", "6 + 8 = 14.", "14"),
    ("What is 52 + 27?", "52 + 27 = 79.", "79"),
)
_STOP = ["\n"]


def arms(api: Api = "chat") -> tuple[Arm, ...]:
    """The three ways to ask, cheapest first: the answer at once, a worked step, a worked step after more examples."""
    return (
        _arm(LOW, api, 12, [(question, answer) for question, _, answer in _EXAMPLES[3:]]),
        _arm(MEDIUM, api, 32, [(question, step) for question, step, _ in _EXAMPLES[2:]]),
        _arm(HIGH, api, 32, [(question, step) for question, step, _ in _EXAMPLES]),
    )


def policies() -> dict[str, Policy]:
    """What the demo compares: one cheap call, a vote of dear ones, and what the shipped curve would buy."""
    ours = Curve.load(curve_path()).policy(worth_usd=WORTH_USD)
    return {"low": Fixed(LOW), "high": Vote(VOTES, HIGH), "thinkcap": ours}


def _arm(name: str, api: Api, cap: int, examples: list[tuple[str, str]]) -> Arm:
    shown = "".join(f"Q: {question}\nA: {answer}\n\n" for question, answer in examples)
    return Arm(
        MODEL_NAME,
        name=name,
        template=f"{shown}Q: {{question}}\nA:",
        temperature=0.7,
        max_output_tokens=cap,
        api=api,
        stop=tuple(_STOP) if api == "chat" else (),
        extra={} if api == "chat" else {"extra_body": {"stop": _STOP}},
    )
