"""What goes wrong: one fault at a time, each kind by its name, and a schedule of them from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from thinkcap.evals.oracle.replies import Json, Received, Reply

__all__ = ["FAULTS", "Fault", "Script", "error_body", "faulty", "unsupported_effort"]


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that goes wrong. With `billed=True` the provider bills the whole of `reply` all the same.

    status: answers with `code`, `headers` and `body` (None: an error in OpenAI's shape).
    timeout: holds the connection open, silent, until the client leaves or the server closes.
    disconnect: closes the connection. malformed: answers 200 with text that is no JSON.
    cut: ends a stream properly, but early. error: ends it with an error as its last event. endless: sends the last
    event again and again until the client leaves. All three close the connection of an answer that is no stream.
    In a stream, all but status and malformed first send `after_chunks` events of `reply`.
    """

    kind: Literal["status", "timeout", "disconnect", "malformed", "cut", "error", "endless"]
    code: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    billed: bool = False
    after_chunks: int = 0
    reply: Reply = field(default_factory=Reply)


Script: TypeAlias = Reply | Fault | Sequence[Reply | Fault] | Callable[[Received], Reply | Fault]
_ERROR_TYPES = {401: "authentication_error", 429: "rate_limit_error"}


def error_body(code: int, message: str, *, param: str | None = None, name: str | None = None) -> Json:
    """The body of a failed status, in OpenAI's shape."""
    kind = _ERROR_TYPES.get(code, "invalid_request_error" if code < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": name}}


def unsupported_effort(effort: str, *, param: str = "reasoning_effort") -> Fault:
    """Return the 400 of a model that does not know this effort (Responses names the param `reasoning.effort`)."""
    message = f"Unsupported value: {effort!r} is not supported with this model."
    return Fault("status", code=400, body=error_body(400, message, param=param, name="unsupported_value"))


def _status(code: int, *, billed: bool = False, **headers: str) -> Callable[[Reply], Fault]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda reply: Fault("status", code=code, headers=named, billed=billed, reply=reply)


FAULTS: Mapping[str, Callable[[Reply], Reply | Fault]] = {
    "429": _status(429),
    "429 with Retry-After": _status(429, retry_after="0"),
    "500": _status(500),
    "500 after billing": _status(500, billed=True),
    "502": _status(502),
    "529": _status(529),
    "timeout before billing": lambda reply: Fault("timeout", reply=reply),
    "timeout after billing": lambda reply: Fault("timeout", billed=True, reply=reply),
    "disconnect before billing": lambda reply: Fault("disconnect", reply=reply),
    "disconnect after billing": lambda reply: Fault("disconnect", billed=True, reply=reply),
    "disconnect in a stream": lambda reply: Fault("disconnect", billed=True, after_chunks=2, reply=reply),
    "stream cut short": lambda reply: Fault("cut", billed=True, after_chunks=2, reply=reply),
    "error in a stream": lambda reply: Fault("error", billed=True, after_chunks=2, reply=reply),
    "malformed JSON": lambda reply: Fault("malformed", billed=True, reply=reply),
    "usage missing": lambda reply: replace(reply, usage="missing"),
    "usage null": lambda reply: replace(reply, usage="null"),
    "usage negative": lambda reply: replace(reply, usage="absurd"),
    "usage huge": lambda reply: replace(reply, usage="huge"),
    "usage of one choice": lambda reply: replace(reply, usage="one_choice"),
    "empty at length": lambda reply: replace(reply, text="", reasoning_tokens=reply.output_tokens, finish="length"),
    "slow drip": lambda reply: replace(reply, drip=3),
    "bill above the cap": lambda reply: replace(reply, ignore_cap=True),
    "another model": lambda reply: replace(reply, model="another-model"),
}
"""By name, what it makes of a good reply. All but the last two keep to the cap and the price that was asked for."""

_HONEST = tuple(name for name in FAULTS if name not in ("bill above the cap", "another model"))


def faulty(
    reply: Reply | Callable[[Received], Reply], *, seed: int, chance: float = 0.2, kinds: Sequence[str] = _HONEST
) -> Callable[[Received], Reply | Fault]:
    """A script that goes wrong now and then: the same requests, in the same order, meet the same faults.

    Args:
        reply: the good answer, or how a request is answered well.
        seed: which schedule.
        chance: how many of all answers go wrong, from 0 to 1.
        kinds: names in `FAULTS`; by default all that a provider which honours its caps may do.
    """
    unknown = [name for name in kinds if name not in FAULTS]
    if unknown:
        raise ValueError(f"unknown faults {unknown}: choose from {sorted(FAULTS)}")

    def script(request: Received) -> Reply | Fault:
        good = reply if isinstance(reply, Reply) else reply(request)
        draw = random.Random(f"{seed}:{request.number}")  # noqa: S311 (a schedule, not a secret)
        return FAULTS[draw.choice(kinds)](good) if draw.random() < chance else good

    return script
