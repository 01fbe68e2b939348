"""What the tests of the governed client and the controllers share: both APIs, sync and async, behind one face.

A test is written once and runs as four: a :class:`Side` is one of them. What a provider billed is priced here by
arithmetic of its own, so that no test compares thinkcap's prices with themselves.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import itertools
import ssl
from collections.abc import Iterable, Mapping
from typing import Any, Self

import openai
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from tests.loopback import CHAT, RESPONSES, Bill, LoopbackServer
from thinkcap.controller import Account, AsyncController, Controller, Price, Retries
from thinkcap.policies import Arm, Fixed, Outcome

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading the usual certificates takes longer than all else in a test
QUESTION = "six times seven?"
AT_ONCE = Retries(first_wait_s=0)

# Nano-dollars a token: $1 and $10 a million tokens of input and output for "m", twice that for "big".
RATES = {"m": (1_000, 100, 1_250, 10_000), "big": (2_000, 200, 2_500, 20_000)}
PRICES = {
    name: Price.per_mtok(
        input=read / 1000, output=written / 1000, cache_read=cached / 1000, cache_write=cache_written / 1000
    )
    for name, (read, cached, cache_written, written) in RATES.items()
}
SIDES = [(mode, api) for mode in ("sync", "async") for api in ("chat", "responses")]


def cost(bill: Bill) -> int:
    """What one bill comes to, in nano-dollars."""
    read, cached, cache_written, written = RATES[bill.model]
    plain = bill.input_tokens - bill.cached_tokens - bill.cache_write_tokens
    return (
        plain * read
        + bill.cached_tokens * cached
        + bill.cache_write_tokens * cache_written
        + bill.output_tokens * written
    )


def billed(*servers: LoopbackServer) -> int:
    """What the providers' books come to, in nano-dollars."""
    return sum(cost(bill) for server in servers for bill in server.billed)


def spent(account: Account) -> int:
    """What an account has spent, in nano-dollars, once nothing is reserved and its books add up."""
    money = account.balance.money
    assert money.reserved == 0
    assert money.spent == sum(entry.charged_nusd for entry in account.entries())
    assert money.ceiling is None or money.ceiling + money.overrun == money.spent + (money.free or 0)
    return money.spent


def receipt_nusd(outcome: Outcome) -> int:
    """What an outcome's receipt says was spent, in nano-dollars; nothing may be left reserved."""
    assert outcome.receipt is not None
    assert outcome.receipt["reserved_usd"] == "0"
    return round(float(outcome.receipt["spent_usd"]) * 1e9)


class Side:
    """One way to call: through the sync or the async client, over Chat Completions or Responses."""

    def __init__(self, mode: str, api: Any) -> None:
        self.mode, self.api = mode, api
        self.path = CHAT if api == "chat" else RESPONSES
        self.cap_name = "max_completion_tokens" if api == "chat" else "max_output_tokens"
        self.answer_type: type[Any] = ChatCompletion if api == "chat" else Response
        self._runner = asyncio.Runner()
        self._clients: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            self.run(client.close())
        self._runner.close()

    def run(self, work: Any) -> Any:
        """What a call comes to, once it is awaited where it must be."""
        if not inspect.isawaitable(work):
            return work

        async def awaited() -> Any:
            return await work

        return self._runner.run(awaited())

    def client(self, server: LoopbackServer | str, **options: Any) -> Any:
        """A plain client of this side's mode."""
        base_url = server if isinstance(server, str) else server.base_url
        options = {"base_url": base_url, "api_key": "test", **options}
        client: Any
        if self.mode == "sync":
            client = openai.OpenAI(http_client=openai.DefaultHttpxClient(verify=NO_TLS), **options)
        else:
            client = openai.AsyncOpenAI(http_client=openai.DefaultAsyncHttpxClient(verify=NO_TLS), **options)
        self._clients.append(client)
        return client

    def create(self, client: Any, **options: Any) -> Any:
        """One call, still to be awaited on the async side."""
        options = {"model": "m", **options}
        if self.api == "chat":
            return client.chat.completions.create(messages=[{"role": "user", "content": QUESTION}], **options)
        return client.responses.create(input=QUESTION, **options)

    def ask(self, client: Any, **options: Any) -> Any:
        """One call, made."""
        return self.run(self.create(client, **options))

    def open(self, client: Any, **options: Any) -> Any:
        """One call whose answer is streamed: the SDK's own stream, still to be read."""
        return self.ask(client, stream=True, **options)

    def take(self, stream: Any, count: int | None = None) -> list[Any]:
        """The next items of a stream, all that are left by default."""

        async def taken() -> list[Any]:
            items: list[Any] = []
            while count is None or len(items) < count:
                try:
                    items.append(await anext(stream))
                except StopAsyncIteration:
                    break
            return items

        if self.mode == "async":
            return [*self.run(taken())]
        return [*stream] if count is None else [*itertools.islice(stream, count)]

    def close(self, stream: Any) -> None:
        """Close what was opened."""
        self.run(stream.close())

    def collect(self) -> None:
        """Let the garbage collector, and the event loop after it, finish what was dropped."""
        gc.collect()
        if self.mode == "async":
            for _ in range(5):
                self.run(asyncio.sleep(0))

    def body(self, **more: Any) -> dict[str, Any]:
        """The JSON body of one call."""
        if self.api == "chat":
            return {"model": "m", "messages": [{"role": "user", "content": QUESTION}], **more}
        return {"model": "m", "input": QUESTION, **more}

    def arm(self, model: str = "m", effort: str | None = None, **more: Any) -> Arm:
        """An arm that asks over this side's API."""
        return Arm(model, effort, api=self.api, **more)

    def controller(
        self, server: LoopbackServer | Mapping[str, Any], arms: Iterable[Any] | None = None, *rest: Any, **options: Any
    ) -> Any:
        """A controller of this side's mode; by default one attempt at one arm, retried without waiting."""
        client: Any = self.client(server) if isinstance(server, LoopbackServer) else server
        kind: Any = Controller if self.mode == "sync" else AsyncController
        options = {"prices": PRICES, "retries": AT_ONCE, **options}
        if not rest and "policy" not in options:
            options["policy"] = Fixed()
        return kind(client, [self.arm()] if arms is None else arms, *rest, **options)

    def solve(self, controller: Any, question: Any = QUESTION, **options: Any) -> Outcome:
        """One question, answered."""
        outcome: Outcome = self.run(controller.solve(question, **options))
        return outcome
