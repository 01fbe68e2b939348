"""The oracle: an OpenAI-compatible server inside the process, which keeps its own book of what it would bill."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from thinkcap.evals.oracle.book import Bill, Book, Rates
from thinkcap.evals.oracle.chat import chat, chat_stream
from thinkcap.evals.oracle.delivery import CREATED, Delivery, deliver
from thinkcap.evals.oracle.faults import Fault, Script, error_body
from thinkcap.evals.oracle.kept import Kept
from thinkcap.evals.oracle.replies import CHAT, RESPONSES, Json, Received, Reply
from thinkcap.evals.oracle.responses import response, response_stream

__all__ = ["Oracle"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the parent's name)
        """Say nothing."""

    def do_GET(self) -> None:
        """List the models."""
        request = self._received({})
        if request.path.startswith(f"{RESPONSES}/"):
            return self._send_kept(self.server.owner.kept.retrieve(request.path.rpartition("/")[2]))
        if request.path != "/v1/models":
            return self._send(404, error_body(404, f"There is no {request.path} here."))
        entry = {"object": "model", "created": CREATED, "owned_by": "loopback"}
        return self._send(200, {"object": "list", "data": [{"id": m, **entry} for m in self.server.owner.models]})

    def _send_kept(self, kept: Json | None) -> None:
        self._send(200, kept) if kept is not None else self._send(404, error_body(404, "There is no such response."))

    def do_POST(self) -> None:
        """Answer one call, and book it."""
        if self.path.startswith(f"{RESPONSES}/") and self.path.endswith("/cancel"):
            self.rfile.read(int(self.headers.get("content-length") or 0))
            return self._send_kept(self.server.owner.kept.cancel(self.path.split("/")[-2]))
        size = int(self.headers["content-length"])
        body = self.rfile.read(size)
        if len(body) < size:
            return None  # the client left before it had asked
        request = self._received(json.loads(body))
        if request.path not in (CHAT, RESPONSES):
            return self._send(404, error_body(404, f"There is no {request.path} here."))
        with self.server.owner.counting():
            return self._answer(request)

    def _answer(self, request: Received) -> None:
        owner = self.server.owner
        try:
            answer = owner.answer(request)
            fault = answer if isinstance(answer, Fault) else None
            reply = answer.reply if isinstance(answer, Fault) else answer
            delivery = deliver(request, reply, before=owner.kept.tokens_before(request.body))
        except Exception as error:  # whatever a test's script may raise
            owner.errors.append(error)
            return self._send(500, error_body(500, f"the script failed: {error!r}"), {"x-should-retry": "false"})
        place: int | None = None
        if fault is None or fault.billed:
            bill = delivery.bill if fault is None else replace(delivery.bill, ended="failed")
            place = owner.book.enter(bill)  # before the first byte: whoever holds the answer finds it in the book
        if fault is None and request.path == RESPONSES:
            accepted = owner.kept.keep(delivery)
            if request.body.get("background"):
                return self._send(200, accepted)
        owner.closing.wait(delivery.reply.latency_s)
        if fault is not None and fault.kind in ("status", "malformed"):
            return self._fail(fault)
        if request.body.get("stream"):
            return self._stream(delivery, fault, place)
        if fault is not None:
            return self._leave(fault)
        return self._send(200, chat(delivery) if request.path == CHAT else response(delivery))

    def _received(self, body: Json) -> Received:
        headers = {name.lower(): value for name, value in self.headers.items()}
        return self.server.owner.receive(self.path.partition("?")[0], body, headers)

    def _send(self, code: int, body: Mapping[str, Any] | str, headers: Mapping[str, str] | None = None) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(code)
        sent = {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _fail(self, fault: Fault) -> None:
        if fault.kind == "malformed":  # neither JSON nor an event of a stream
            return self._send(200, 'data: {"id": \n\n', fault.headers)
        body = fault.body or error_body(fault.code, f"status {fault.code}, as asked")
        return self._send(fault.code, body, fault.headers)

    def _stream(self, delivery: Delivery, fault: Fault | None, place: int | None) -> None:
        if fault is not None and not fault.after_chunks:
            return self._leave(fault)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        events = [*(chat_stream(delivery) if delivery.request.path == CHAT else response_stream(delivery))]
        self._events(delivery, events if fault is None else events[: fault.after_chunks], len(events), place)
        if fault is not None and fault.kind == "error":
            self._chunk(f"event: error\ndata: {json.dumps({'type': 'error', **error_body(500, 'as asked')})}\n\n")
        while fault is not None and fault.kind == "endless":
            self._chunk(events[: fault.after_chunks][-1])
        if fault is not None and fault.kind in ("timeout", "disconnect"):
            return self._leave(fault)
        self.wfile.write(b"0\r\n\r\n")
        return None

    def _events(self, delivery: Delivery, events: Sequence[str], whole: int, place: int | None) -> None:
        """Send the events of a stream; a client that leaves a paced one is billed for what was generated so far."""
        owner, pace = self.server.owner, delivery.reply.pace_s
        for sent, event in enumerate(events):
            try:
                owner.closing.wait(pace)
                if pace and self._client_left():
                    raise ConnectionResetError("the client has left")
                self._chunk(event, delivery.reply.drip)
            except ConnectionError:
                if place is not None:
                    left = delivery.left_after(sent, whole) if pace else replace(delivery.bill, ended="left")
                    owner.book.correct(place, left)
                raise

    def _client_left(self) -> bool:
        try:
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False

    def _chunk(self, event: str, size: int = 0) -> None:
        data = event.encode()
        for start in range(0, len(data), size or len(data)):
            piece = data[start : start + (size or len(data))]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def _leave(self, fault: Fault) -> None:
        """Close the connection, for a timeout only once the client has gone or the server closes."""
        self.close_connection = True
        while fault.kind == "timeout" and self.connection.recv(1024):
            pass


class _Http(ThreadingHTTPServer):
    daemon_threads = False  # so that server_close waits for them
    request_queue_size = 128

    def __init__(self, owner: Oracle) -> None:
        self.owner = owner
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Wake every thread that waits for its client."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 (the parent's arguments)
        """Keep what went wrong for the end of the test; a client that has left is no error."""
        error = sys.exception()
        if isinstance(error, Exception) and not isinstance(error, ConnectionError):
            self.owner.errors.append(error)


class _Counting:
    """How many calls are in flight, and how many were at most."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.now -= 1


class Oracle:
    """An OpenAI-compatible server on 127.0.0.1 for the length of a `with` block, with a book of what it would bill.

    It answers Chat Completions and Responses, whole, streamed, chained or in background, from a *script*: one answer, a
    sequence of answers taken in order of arrival (the last one repeats), or a callable from the request to an answer.
    An answer is a `Reply` or a `Fault`::

        with Oracle(Reply(text="42", output_tokens=7), rates={"some-model": Rates(input=0.15, output=0.60)}) as oracle:
            client = OpenAI(base_url=oracle.base_url, api_key="test")
            ...
        assert oracle.billed == [Bill("/v1/chat/completions", "some-model", 2, 7, 0, 0)]
        assert oracle.usd <= Decimal("0.01")

    A bill is booked before the first byte of its answer is sent, so a client that holds the answer finds it in the
    book. What the script itself gets wrong is raised when the `with` block ends.

    A callable script runs in the thread of its connection, many at a time, and may wait there on a test's own event.
    The lists and the book stay readable after the block.

    Args:
        script: what is answered.
        models: names that the models endpoint lists.
        rates: by model, its prices, for a book in dollars.
    """

    def __init__(
        self, script: Script, *, models: Sequence[str] = ("loopback",), rates: Mapping[str, Rates] | None = None
    ) -> None:
        self.requests: list[Received] = []
        self.book = Book(rates)
        self.kept = Kept()
        self.errors: list[Exception] = []  # what the script raised; the first is raised again when the block ends
        self.models = tuple(models)
        self.closing = threading.Event()
        self._script = (script,) if isinstance(script, Reply | Fault) else script
        self._answered = 0
        self._lock = threading.Lock()
        self._counting = _Counting()

    @property
    def base_url(self) -> str:
        """The base_url to give to the SDK."""
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    @property
    def billed(self) -> list[Bill]:
        """The bills of the book, in the order in which they were booked."""
        return self.book.bills

    @property
    def usd(self) -> Decimal:
        """Dollars billed so far.

        Raises:
            ValueError: if a billed model has no price.
        """
        return Decimal(self.book.nusd()) / 10**9

    @property
    def in_flight(self) -> int:
        """Calls that are being answered at this moment."""
        return self._counting.now

    @property
    def most_in_flight(self) -> int:
        """The most calls that were being answered at one moment."""
        return self._counting.most

    def counting(self) -> _Counting:
        """Count a call as in flight for the length of a `with` block."""
        return self._counting

    def receive(self, path: str, body: Json, headers: dict[str, str]) -> Received:
        """Note a request in the order of arrival."""
        with self._lock:
            self.requests.append(Received(path, body, headers, len(self.requests) + 1))
            return self.requests[-1]

    def answer(self, request: Received) -> Reply | Fault:
        """Return what the script says to a request."""
        if callable(self._script):
            return self._script(request)
        with self._lock:
            self._answered += 1
            return self._script[min(self._answered, len(self._script)) - 1]

    def __enter__(self) -> Oracle:
        self._http = _Http(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.hang_up()
        self._http.server_close()
        self._thread.join()
        if self.errors and kind is None:
            raise self.errors[0]
