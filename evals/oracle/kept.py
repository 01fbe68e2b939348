"""Responses that the provider keeps: what the next in a chain is billed for, and those that run on in background."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from thinkcap.evals.oracle.delivery import Delivery
from thinkcap.evals.oracle.replies import Json
from thinkcap.evals.oracle.responses import response

__all__ = ["Kept"]


@dataclass(slots=True)
class _Answer:
    delivery: Delivery
    ready_at: float  # of a clock that never goes back
    cancelled: bool = False

    def body(self, *, told: bool = True) -> Json:
        """As it stands now; a cancelled one tells no usage."""
        if self.cancelled:
            return {**response(self.delivery, ended=False), "status": "cancelled", "background": True}
        ended = told and time.monotonic() >= self.ready_at
        return {**response(self.delivery, ended=ended), "background": True}


class Kept:
    """The responses of one oracle, by their ids."""

    def __init__(self) -> None:
        self._answers: dict[str, _Answer] = {}
        self._lock = threading.Lock()

    def tokens_before(self, body: Json) -> int:
        """What a request goes on from: the input and the output of the response it names, which are its own input."""
        previous = self._answers.get(str(body.get("previous_response_id")))
        return 0 if previous is None else previous.delivery.bill.tokens

    def keep(self, delivery: Delivery) -> Json:
        """Keep a response; returns it as it stands when a background request is answered."""
        seconds = delivery.reply.latency_s if delivery.request.body.get("background") else 0.0
        answer = _Answer(delivery, time.monotonic() + seconds)
        with self._lock:
            self._answers[response(delivery)["id"]] = answer
        return {**answer.body(told=False), "status": "queued"}

    def retrieve(self, name: str) -> Json | None:
        """A response as it stands now; None if there is none."""
        answer = self._answers.get(name)
        return None if answer is None else answer.body()

    def cancel(self, name: str) -> Json | None:
        """Stop one that still runs; what was generated stays billed."""
        answer = self._answers.get(name)
        if answer is not None and time.monotonic() < answer.ready_at:
            answer.cancelled = True
        return None if answer is None else answer.body()
