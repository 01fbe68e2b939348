"""The values a decision is made of. All frozen: a policy sees them and can change none of them.

Money is in nano-dollars (``*_nusd``), tokens are counts, time is in seconds. ``None`` always means
"not known" or "not limited", never zero.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

from thinkcap.policies.errors import BadInput
from thinkcap.policies.money import usd

__all__ = [
    "EFFORTS",
    "Api",
    "Arm",
    "Attempt",
    "Call",
    "Finish",
    "Offer",
    "Outcome",
    "Question",
    "Reason",
    "Room",
    "State",
    "Stop",
    "Usage",
]

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""The efforts the OpenAI SDK knows, from least to most."""

Api = Literal["chat", "responses"]


class Reason(enum.StrEnum):
    """Why an episode ended: a closed set."""

    VERIFIED = "verified"
    """An answer passed the verifier."""
    AGREED = "agreed"
    """The attempts agree as far as the policy asks."""
    ONE_CALL_IS_BEST = "one_call_is_best"
    """The policy buys a single attempt, and made it."""
    NOTHING_TO_COMPARE = "nothing_to_compare"
    """Answers cannot be compared, so votes could not agree: one call was made."""
    HOPELESS = "hopeless"
    """No arm is left that is likely to finish with an answer, or to pass the verifier at its price."""
    CEILING = "ceiling"
    """What the ceiling leaves does not pay for another attempt."""
    DEADLINE = "deadline"
    """The seconds allowed are over."""
    ATTEMPTS = "attempts"
    """The policy's number of attempts is used up."""
    STEPS = "steps"
    """Every attempt ran into the limit of steps (tool calls) of one attempt."""
    REFUSED = "refused"
    """The model declined to answer."""
    FAILED = "failed"
    """The provider failed, and retrying did not help."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to ask: a model, its effort, and what else goes into the request.

    Attributes:
        model: the model's name as the provider spells it.
        effort: the SDK's reasoning effort, sent as it is; None sends none.
        client: which of the controller's clients asks (a key is never sent to another host).
        name: the label in tables and recordings; by default ``MODEL`` or ``MODEL:EFFORT``.
        max_output_tokens: cap on one call's output, *including* hidden reasoning; None leaves it to the
            controller's default.
        template: text put around the question, with ``{question}`` in it; None sends the question as it is.
        temperature: sampling temperature; None leaves the provider's default.
        stop: texts at which the model stops (Chat Completions only).
        api: ``"chat"`` (Chat Completions) or ``"responses"``.
        extra: further request parameters, sent as they are (``top_p``, ``seed``, ``extra_body`` ...).
    """

    model: str
    effort: str | None = None
    _: KW_ONLY
    client: str = "default"
    name: str | None = None
    max_output_tokens: int | None = None
    template: str | None = None
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    api: Api = "chat"
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        model: object = self.model  # callers are not all type-checked
        if not isinstance(model, str) or not model.strip():
            raise BadInput(f"an arm needs a model's name, not {self.model!r}")
        if self.max_output_tokens is not None and self.max_output_tokens < 1:
            raise BadInput(f"arm {self.label}: max_output_tokens must be at least 1, not {self.max_output_tokens}")
        if self.temperature is not None and not _is_temperature(self.temperature):
            raise BadInput(f"arm {self.label}: its temperature must be a number from 0, not {self.temperature!r}")
        if self.template is not None and "{question}" not in self.template:
            raise BadInput(f"arm {self.label}: its template must say where the question goes with {{question}}")
        if self.api not in ("chat", "responses"):
            raise BadInput(f"arm {self.label}: api must be 'chat' or 'responses', not {self.api!r}")

    @property
    def label(self) -> str:
        """The arm's name in tables and recordings."""
        return self.name or (f"{self.model}:{self.effort}" if self.effort is not None else self.model)

    @classmethod
    def parse(cls, text: str, **request: Any) -> Arm:
        """Read ``MODEL`` or ``MODEL:EFFORT``: split at the last colon, and only before an effort the SDK knows."""
        model, colon, effort = text.rpartition(":")
        if colon and effort in EFFORTS:
            return cls(model, effort, **request)
        return cls(text, **request)

    def prompt(self, question: str) -> str:
        """The question as this arm puts it."""
        return question if self.template is None else self.template.replace("{question}", question)


def _is_temperature(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


@dataclass(frozen=True, slots=True)
class Question:
    """What a policy may know of one item of work before asking.

    Attributes:
        id: its name in recordings and receipts.
        group: the family it was made from, where questions of a family resemble each other.
        comparable: answers of two attempts can be compared, so votes mean something.
        verifiable: a verifier will say of each answer whether it is right.
        agent: an attempt is a whole agent run, so one that failed may go well when it is made again.
    """

    id: str
    group: str | None = None
    comparable: bool = True
    verifiable: bool = False
    agent: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one attempt (all of its calls), in the SDK's words.

    Attributes:
        input_tokens: tokens of the prompt, *including* cached and cache-written ones.
        output_tokens: tokens generated, *including* hidden reasoning.
        reasoning_tokens: hidden reasoning, *included* in ``output_tokens``.
        cached_tokens: prompt tokens read from the provider's cache, *included* in ``input_tokens``.
        cache_write_tokens: prompt tokens written to it, *included* in ``input_tokens``.
    """

    input_tokens: int
    output_tokens: int
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            _sum_known(self.reasoning_tokens, other.reasoning_tokens),
            _sum_known(self.cached_tokens, other.cached_tokens),
            _sum_known(self.cache_write_tokens, other.cache_write_tokens),
        )


def _sum_known(left: int | None, right: int | None) -> int | None:
    if left is None:
        return right
    return left if right is None else left + right


Finish = Literal["stop", "length", "refused", "steps", "ceiling", "error"]
"""How an attempt ended: by itself, cut at its cap, declined, out of steps, out of money, or failed."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a question and what it came to.

    Attributes:
        number: 1 for the first attempt of the episode.
        arm: how it was asked.
        answer: the answer in canonical form; None if there was none to read (it costs, and never votes).
        usage: tokens of all its calls; None if the provider never said.
        cost_nusd: nano-dollars charged for all its calls.
        finish: how it ended.
        verified: what the verifier said; None without one, or if it failed (then ``error`` says how).
        max_output_tokens: the cap that was sent; None if none was.
        calls: billed calls in it (more than one with tools or retries).
        seconds: from sending the first call to the last answer; None if not recorded.
        error: one line on what went wrong; None if nothing did.
        text, parsed, response: what a live driver received (None in replay). No policy reads them, and two
            attempts that differ only here are equal.
    """

    number: int
    arm: Arm
    answer: str | None
    cost_nusd: int
    usage: Usage | None = None
    finish: Finish = "stop"
    verified: bool | None = None
    max_output_tokens: int | None = None
    calls: int = 1
    seconds: float | None = None
    error: str | None = None
    text: str | None = field(default=None, compare=False)
    parsed: Any = field(default=None, compare=False, repr=False)
    response: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the ceiling lets the next attempt at one arm be.

    Attributes:
        most_output_tokens: the largest output cap that the free money pays for; 0 if not even the prompt fits.
        least_output_tokens: below this cap a call is not likely to finish, so it is not made.
        default_output_tokens: the cap sent when neither policy nor arm names one.
        worst_nusd: what is reserved for one attempt at the arm's own cap, in nano-dollars.
    """

    most_output_tokens: int
    least_output_tokens: int
    default_output_tokens: int
    worst_nusd: int


@dataclass(frozen=True, slots=True)
class Room:
    """What the ceiling leaves at the moment of a decision.

    Attributes:
        offers: one for each arm of the state, in its order; empty if nothing is limited.
        free_nusd: nano-dollars neither spent nor reserved; None without a ceiling in dollars.
        seconds: seconds until the deadline; None without one.
        closed: why no further attempt may be made at all; None if one may.
    """

    offers: tuple[Offer, ...] = ()
    free_nusd: int | None = None
    seconds: float | None = None
    closed: Reason | None = None


@dataclass(frozen=True, slots=True)
class State:
    """All that a decision may depend on: same state, same decision.

    Attributes:
        question: the question being answered.
        arms: the arms that may be called, in the order the caller gave (by convention cheapest first).
        attempts: what was tried so far, oldest first.
        room: what the ceiling leaves.
    """

    question: Question
    arms: tuple[Arm, ...]
    attempts: tuple[Attempt, ...] = ()
    room: Room = Room()

    def after(self, attempt: Attempt) -> State:
        """The state once this attempt has been made (the room is the driver's to renew)."""
        return replace(self, attempts=(*self.attempts, attempt))

    def arm(self, label: str | None) -> Arm:
        """The arm with this label; the first one for None.

        Raises:
            BadInput: if no arm has this label.
        """
        if label is None:
            return self.arms[0]
        for arm in self.arms:
            if arm.label == label:
                return arm
        raise BadInput(f"no arm is called {label!r}; there are {', '.join(arm.label for arm in self.arms)}")

    @property
    def spent_nusd(self) -> int:
        """Nano-dollars spent on this question so far."""
        return sum(attempt.cost_nusd for attempt in self.attempts)

    @property
    def verified(self) -> Attempt | None:
        """The first attempt whose answer passed the verifier; None if none did."""
        return next((attempt for attempt in self.attempts if attempt.verified), None)


@dataclass(frozen=True, slots=True)
class Call:
    """A decision to make one more attempt.

    Attributes:
        arm: how to ask.
        max_output_tokens: cap on one call's output, including hidden reasoning; None takes the arm's own.
        share: where an attempt is a whole agent run, the share of what is free that it may take, above 0 and at
            most 1; None for its fair share (see :mod:`thinkcap.policies.share`).
    """

    arm: Arm
    max_output_tokens: int | None = None
    share: float | None = None

    def __post_init__(self) -> None:
        if self.share is not None and not 0 < self.share <= 1:
            raise BadInput(f"a call's share of what is free must lie above 0 and be at most 1, not {self.share!r}")


@dataclass(frozen=True, slots=True)
class Stop:
    """A decision to stop.

    Attributes:
        reason: why.
        answer: the answer given, in canonical form; None if there is none.
    """

    reason: Reason
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an episode came to.

    Attributes:
        question_id: the question's name.
        answer: the answer given, in canonical form; None if there is none.
        reason: why it ended.
        attempts: every attempt, oldest first.
        agreement: share of the attempts that could vote which gave this answer (0 to 1); None if none could.
        receipt: where the money went, ready for JSON (live only). Two outcomes that differ only here are equal.
    """

    question_id: str
    answer: str | None
    reason: Reason
    attempts: tuple[Attempt, ...]
    agreement: float | None
    receipt: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

    @property
    def spent_nusd(self) -> int:
        """Nano-dollars charged for all attempts."""
        return sum(attempt.cost_nusd for attempt in self.attempts)

    @property
    def spent_usd(self) -> Decimal:
        """Dollars charged for all attempts, exactly."""
        return usd(self.spent_nusd)

    @property
    def winner(self) -> Attempt | None:
        """The attempt that gave the answer first (a verified one before others); None if there is no answer."""
        same = [attempt for attempt in self.attempts if attempt.answer is not None and attempt.answer == self.answer]
        return next((attempt for attempt in same if attempt.verified), same[0] if same else None)

    @property
    def text(self) -> str | None:
        """The winner's whole text (live only)."""
        return self.winner.text if self.winner else None

    @property
    def parsed(self) -> Any:
        """The winner's structured output, where a response format asked for one (live only)."""
        return self.winner.parsed if self.winner else None

    @property
    def response(self) -> Any:
        """The winner's last response as the SDK returned it (live only)."""
        return self.winner.response if self.winner else None
