"""Charging a streamed answer: once, at its end, however it comes about.

What is wrapped is the HTTP response's stream of bytes (``response.stream``, an object with an iterator and a
``close``). Everything the SDK offers reads and closes through it: ``Stream``, the ``stream()`` helpers (which close
the response and not the ``Stream``), raw and streaming responses, ``iter_lines``. So the caller gets the SDK's own
objects, and nothing here depends on how they are made.

::

    bytes come in      ->  taken note of; what the caller did not ask for is left out; passed on
    the provider ends  ->  settled by the usage it reported, before the caller sees the end
    reading ends       ->  at the end, by an error, a cancellation or close(): by the usage if it is complete,
                           else charged at the reservation, because what was generated may have been billed
    nobody reads       ->  dropped: the same, before the account is next looked at
    the program ends   ->  the same

A stream that can still be read stays reserved: leaving a loop over an SDK ``Stream`` does not close it.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

from thinkcap.controller.later import at_exit, collecting, leave, watch_collections
from thinkcap.controller.received import Events, Received, data_of, without_usage
from thinkcap.controller.ticket import Ticket
from thinkcap.policies.errors import LedgerFailed
from thinkcap.policies.values import Api

__all__ = ["Reading", "follow"]

_LONGEST_HELD = 2**26
"""Bytes of one event, or of one whole answer, above which it is passed on unread and charged at its reservation."""

_open: set[Reading] = set()


def follow(http: Any, reading: Reading) -> None:
    """Put a reading between an HTTP response and whoever reads it; what was read already is charged at once."""
    if http.is_closed or http.is_stream_consumed:
        reading.start({"content-type": http.headers.get("content-type", "")})  # its content is not compressed
        reading.take(http.content)
        reading.rest()
        reading.end()
        return
    kinds = tuple(kind for kind in type(http.stream).__mro__ if kind.__name__ in ("SyncByteStream", "AsyncByteStream"))
    reading.start(http.headers)
    http.stream = _followed(kinds)(http.stream, reading)


class Reading:
    """One answer while it is read.

    Args:
        ticket: what it is charged on.
        api: which API answers.
        streamed: it comes as server-sent events; otherwise as one JSON text.
        hide_usage: the caller did not ask for the usage in a chat stream.
    """

    def __init__(self, ticket: Ticket, api: Api, *, streamed: bool, hide_usage: bool) -> None:
        self._ticket = ticket
        self._received = Received(api, ticket.n)
        self._events = Events() if streamed else None
        self._hide = hide_usage and streamed and api == "chat"
        self._whole = bytearray()
        self._blind = ""
        self._process = os.getpid()

    def start(self, headers: Any) -> None:
        """Nothing was read yet."""
        if "json" in headers.get("content-type", ""):  # asked to stream, some hosts answer whole
            self._events, self._hide = None, False
        if headers.get("content-encoding", "identity") != "identity":
            self._blind = "the stream was compressed, so its usage could not be read"
        watch_collections()
        at_exit(_end_all)
        _open.add(self)

    def take(self, data: bytes) -> bytes:
        """Note what came in; returns what the caller is to see of it."""
        if self._blind:
            return data
        if self._events is None:
            self._whole += data
            return data if len(self._whole) <= _LONGEST_HELD else self._give_up(data)
        seen = b"".join(self._take_event(event) for event in self._events.cut(data))
        if self._received.done:
            self.end()
        if self._events.held > _LONGEST_HELD:
            return self._give_up(seen + self._events.rest() if self._hide else data)
        return seen if self._hide else data

    def rest(self) -> bytes:
        """Note an event that nothing ended, at the end of the stream; returns what was held back of it."""
        if self._events is None or self._blind:
            return b""
        rest = self._events.rest()
        self._received.take(data_of(rest))
        return rest if self._hide else b""

    def end(self) -> None:
        """Nothing more will be read: charge it, unless that was done."""
        if collecting() or not self._ticket.open:
            self.drop()
        else:
            self._end()

    def drop(self) -> None:
        """As :meth:`end`, from a finalizer."""
        if self._ticket.open:
            leave(self._end)
        else:
            _open.discard(self)

    def _take_event(self, event: bytes) -> bytes:
        taken = self._received.take(data_of(event))
        return without_usage(event, taken) if self._hide else event

    def _give_up(self, data: bytes) -> bytes:
        self._blind = "the answer was too long to be read for its usage"
        self._whole.clear()
        return data

    def _end(self) -> None:
        if os.getpid() != self._process:  # a fork has a copy of every stream, and none of their money
            return
        try:
            self._settle()
        except LedgerFailed:  # it stays reserved; who reads the stream is not to blame
            leave(self._end)
        else:
            _open.discard(self)

    def _settle(self) -> None:
        received = self._received
        if self._blind:
            self._ticket.bounded(self._blind, words=received.words)
        elif self._events is None:
            self._settle_whole()
        elif received.complete:
            self._ticket.settle(received.report, pieces=received.pieces, words=received.words)
        else:
            why = "the stream ended before the provider said what it used: it may have been billed"
            self._ticket.bounded(why, words=received.words)

    def _settle_whole(self) -> None:
        try:
            answer = json.loads(self._whole)
        except (ValueError, RecursionError):
            self._ticket.bounded("the answer was not read to its end, or is not JSON: it may have been billed")
        else:
            self._ticket.settle(answer)


def _end_all() -> None:
    for reading in list(_open):
        reading.end()


@functools.cache
def _followed(kinds: tuple[type[Any], ...]) -> type[Any]:
    """The class of a stream of bytes that is followed; of the HTTP library's own kind, which it asks for."""

    class Followed(*kinds):  # type: ignore[misc]
        def __init__(self, stream: Any, reading: Reading) -> None:
            self._stream = stream
            self._reading = reading

        @property
        def elapsed(self) -> Any:
            return getattr(self._stream, "elapsed", None)

        def __iter__(self) -> Iterator[bytes]:
            try:
                for data in self._stream:
                    if seen := self._reading.take(data):
                        yield seen
                if rest := self._reading.rest():
                    yield rest
            finally:
                self._reading.end()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            stream = self._stream.__aiter__()
            try:
                async for data in stream:
                    if seen := self._reading.take(data):
                        yield seen
                if rest := self._reading.rest():
                    yield rest
            finally:
                self._reading.end()  # first: closing may be cancelled
                if hasattr(stream, "aclose"):
                    await stream.aclose()

        def close(self) -> None:
            try:
                self._reading.end()
            finally:
                self._stream.close()

        async def aclose(self) -> None:
            try:
                self._reading.end()  # first: closing may be cancelled
            finally:
                await self._stream.aclose()

        def __del__(self) -> None:
            self._reading.drop()

    return Followed
