"""Putting a client under an account: same type, same methods, and a ceiling that every request passes through.

A governed client is a copy of the caller's whose class is a subclass of its own. It overrides the SDK's public
``request``, which every HTTP call passes exactly once, so there is one accounting path for everything: the
caller's own calls, an agent framework's, and the controller's.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

import openai

from thinkcap.controller.account import Account
from thinkcap.controller.bound import Bound, check_bound
from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.events import OnEvent, Teller
from thinkcap.controller.exceeding import OnExceeded, check_on_exceeded
from thinkcap.controller.meter import DEFAULT_OUTPUT_TOKENS, Meter
from thinkcap.controller.price import Price
from thinkcap.controller.pricing import PriceBook
from thinkcap.controller.routes import addresses, route_of
from thinkcap.controller.sharing import SHARES
from thinkcap.controller.streams import Reading, follow
from thinkcap.controller.ticket import Ticket
from thinkcap.policies.errors import BadInput, NotGoverned
from thinkcap.policies.money import Dollars
from thinkcap.policies.values import Api

__all__ = ["govern", "govern_with", "meter_of"]

Client = TypeVar("Client", openai.OpenAI, openai.AsyncOpenAI)

_RAW = "X-Stainless-Raw-Response"
_NOT_BILLED = frozenset({429, 503, 529})
"""Besides every other 4xx: the server said no before it generated anything."""


def govern(
    client: Client,
    account: Account | Ceiling | Dollars,
    *,
    prices: Mapping[str, Price] | None = None,
    on_exceeded: OnExceeded | None = None,
    default_max_output_tokens: int = DEFAULT_OUTPUT_TOKENS,
    min_output_tokens: int | None = None,
    wait_s: float | None = None,
    on_event: OnEvent | None = None,
    threshold: float = 0.8,
    bound: Bound | None = None,
) -> Client:
    """A copy of a client, of the same type, whose every call is paid by an account and never past its ceiling.

    ``chat.completions`` and ``responses`` (``create``, ``parse``, ``stream``, and both kinds of raw response) are
    governed: each call reserves its worst case before it is sent, with its output cap lowered to what the account
    can pay, and is settled by the usage the provider reports. Reading requests and token counts pass; anything else
    raises :class:`NotGoverned`. The SDK's own retries are off: they would be billed unseen.

    A stream is reserved for as long as it can be read. Read to its end it costs what was billed; closed, broken,
    cancelled or dropped before, it is charged at its reservation. A chat stream is asked to tell its usage, which a
    caller who did not ask for it does not see. Close a stream that you leave early, or open it in a ``with`` block.

    A call that names no output cap is sent with one: ``default_max_output_tokens``, or a fair share of what is free if
    that is less, so that many agents can call side by side. Name a cap, and the call is not shared.

    Args:
        client: an ``OpenAI`` or ``AsyncOpenAI`` client; it is left as it is. A governed one is re-targeted.
        account: who pays; a bare amount of dollars or a :class:`Ceiling` opens a fresh account in memory.
        prices: the caller's own prices by model name, for models that no price list knows.
        on_exceeded: what becomes of a call whose output cap does not fit. ``"clamp"`` sends it with the largest cap
            that does, ``"stop"`` refuses it, a function is given an :class:`Exceeded` and returns a smaller cap, or
            None to refuse it. By default it is clamped, unless it has tools or structured output: half of that is no
            answer, so such a call is only sent with the cap it asked for.
        default_max_output_tokens: the largest output cap of a call that names none, hidden reasoning included.
        min_output_tokens: no call is cut below this cap; by default what nine in ten of its model's latest answers
            stayed within, or 1,024 as long as none was seen (and a call that names no cap is not shared below 1,024).
        wait_s: seconds that a call which does not fit may wait for calls in flight to settle, first come first served;
            None refuses it at once. It is refused at once, too, where no settlement can help. A call that may wait
            is not cut for want of what calls in flight may give back.
        on_event: told of each :class:`Event`: reserved, clamped, settled, released, refused, overrun, threshold. What
            it raises becomes a warning. It runs in the call's own thread or task, so it should be quick.
        threshold: the part of the account's own ceiling whose spending is told of, once.
        bound: your own bound for calls with something that nothing else bounds: see :class:`Bound`. Without one such
            a call raises :class:`NotGoverned`, which names the part.

    Raises:
        BadInput: if the client is neither, or the amount is no amount of dollars, or a setting cannot be meant.
    """
    if not isinstance(client, (openai.OpenAI, openai.AsyncOpenAI)):
        raise BadInput(f"govern() takes an OpenAI or AsyncOpenAI client, not {type(client).__name__}")
    check_on_exceeded(on_exceeded)
    check_bound(bound)
    _check_tokens(default_max_output_tokens, "default_max_output_tokens")
    if min_output_tokens is not None:
        _check_tokens(min_output_tokens, "min_output_tokens")
    if wait_s is not None and (isinstance(wait_s, bool) or not 0 <= wait_s <= threading.TIMEOUT_MAX):
        raise BadInput(f"wait_s must be seconds from 0, or None to refuse at once, not {wait_s!r}")
    if isinstance(threshold, bool) or not 0 < threshold <= 1:
        raise BadInput(f"threshold must be a part of the ceiling, above 0 and at most 1, not {threshold!r}")
    meter = Meter(
        account if isinstance(account, Account) else Account(account),
        PriceBook(prices),
        str(client.base_url),
        default_output_tokens=default_max_output_tokens,
        least_output_tokens=min_output_tokens,
        shares=SHARES,
        wait_s=wait_s,
        teller=None if on_event is None else Teller(on_event, threshold),
        on_exceeded=on_exceeded,
        bound=bound,
    )
    return govern_with(client, meter)


def _check_tokens(tokens: object, what: str) -> None:
    if type(tokens) is not int or tokens < 1:
        raise BadInput(f"{what} must be a whole number from 1, not {tokens!r}")


def govern_with(client: Client, meter: Meter) -> Client:
    """A governed copy of a client that charges through this meter."""
    plain: Any = getattr(client, "_thinkcap_plain", type(client))
    copy: Any = client.copy(max_retries=0)
    governed_class = _governed_async if issubclass(plain, openai.AsyncOpenAI) else _governed_sync
    copy.__class__ = governed_class(plain)
    governed: Client = _retarget(copy, meter)
    return governed


def meter_of(client: openai.OpenAI | openai.AsyncOpenAI) -> Meter:
    """The meter of a governed client."""
    target: _Target = client._thinkcap_target  # type: ignore[union-attr]
    return target.meter


class _Target(NamedTuple):
    """Where a governed client sends, and what is paid there: one thing, since another thread may change it.

    Attributes:
        meter: with the prices of there.
        addresses: whole addresses by path; without one the SDK makes it.
    """

    meter: Meter
    addresses: Mapping[str, str]


def _retarget(client: Any, meter: Meter) -> Any:
    """Give a governed client a meter, with the prices of wherever it sends."""
    base_url = str(client.base_url)
    priced = meter if meter.base_url == base_url else meter.at(base_url)
    target = _Target(priced, addresses(base_url) if _sends_below(client) else {})
    if getattr(client, "_thinkcap_target", None) != target:
        client._thinkcap_target = target
    return client


def _sends_below(client: Any) -> bool:
    """Every request goes to its path below the base URL: not so Azure's, another provider's, or a class we know not."""
    return client._thinkcap_plain in (openai.OpenAI, openai.AsyncOpenAI) and getattr(client, "_provider", None) is None


def _copy(self: Any, **changes: Any) -> Any:
    """The ``copy`` of a governed client: its own class's, governed again."""
    plain = object.__new__(self._thinkcap_plain)
    plain.__dict__ = self.__dict__
    copy = plain.copy(**{**changes, "max_retries": 0})
    copy.__class__ = type(self)
    return _retarget(copy, meter_of(self))


def _no_websocket(*_: Any, **__: Any) -> Any:
    """Refuse what the SDK asks a client for before it opens a websocket, which passes no ``request``."""
    raise NotGoverned("a websocket cannot be governed: use chat.completions or responses (create, parse, stream)")


@functools.cache
def _governed_sync(plain: type[Any]) -> type[Any]:
    class Governed(plain):  # type: ignore[misc]
        _thinkcap_plain = plain
        copy = with_options = _copy
        websocket_base_url = property(_no_websocket)
        _configure_realtime = _no_websocket  # Azure's

        def request(self, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None) -> Any:
            while True:
                target = self._thinkcap_target
                asked = _read(target.meter, options, stream=stream)
                if not isinstance(asked, _Asked):
                    return super().request(cast_to, asked, stream=stream, stream_cls=stream_cls)
                ticket = target.meter.admit(asked.body, asked.api)
                if self._thinkcap_target is target:
                    break
                ticket.release()  # while it waited, the client was sent elsewhere: the prices may be others
            try:
                options, hide_usage = asked.with_cap(ticket, options, target.addresses)
                response = super().request(cast_to, options, stream=stream, stream_cls=stream_cls)
                if ticket.open:
                    _received(ticket, asked, response, hide_usage=hide_usage)
            except BaseException as error:
                _failed(ticket, error)
                raise
            return response

    return _named(Governed, plain)


@functools.cache
def _governed_async(plain: type[Any]) -> type[Any]:
    class Governed(plain):  # type: ignore[misc]
        _thinkcap_plain = plain
        copy = with_options = _copy
        websocket_base_url = property(_no_websocket)
        _configure_realtime = _no_websocket  # Azure's

        async def request(self, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None) -> Any:
            while True:
                target = self._thinkcap_target
                asked = _read(target.meter, options, stream=stream)
                if not isinstance(asked, _Asked):
                    return await super().request(cast_to, asked, stream=stream, stream_cls=stream_cls)
                ticket = await _admitted(target.meter, asked)
                if self._thinkcap_target is target:
                    break
                ticket.release()  # while it waited, the client was sent elsewhere: the prices may be others
            try:
                options, hide_usage = asked.with_cap(ticket, options, target.addresses)
                response = await super().request(cast_to, options, stream=stream, stream_cls=stream_cls)
                if ticket.open:
                    _received(ticket, asked, response, hide_usage=hide_usage)
            except BaseException as error:
                _failed(ticket, error)
                raise
            return response

    return _named(Governed, plain)


async def _admitted(meter: Meter, asked: _Asked) -> Ticket:
    """The ticket of a task's request; only one that may wait takes the way through the event loop."""
    if meter.wait_s is None:
        return meter.admit(asked.body, asked.api)
    return await meter.admit_async(asked.body, asked.api)


def _move(move: Callable[[Any, Any], None], client: Any, url: Any) -> None:
    """Set the ``base_url`` of a governed client: it then has the prices of there."""
    move(client, url)
    _retarget(client, meter_of(client))


def _named(governed: type[Any], plain: type[Any]) -> type[Any]:
    governed.__name__ = governed.__qualname__ = f"Governed{plain.__name__}"
    own = inspect.getattr_static(plain, "base_url", None)
    if isinstance(own, property) and own.fset is not None:
        governed.base_url = own.setter(partial(_move, own.fset))
    governed.__doc__ = plain.__doc__
    return governed


@dataclass(slots=True)
class _Asked:
    """A request that is to be paid for.

    Attributes:
        body: its JSON body, as it would be sent.
        api: which API it goes to.
        unread: its answer is read by the caller, after it was given back.
    """

    body: dict[str, Any]
    api: Api
    unread: bool

    def with_cap(self, ticket: Ticket, options: Any, addresses: Mapping[str, str]) -> tuple[Any, bool]:
        """The request as it is sent, with its cap and no retries of the SDK's; whether its usage is to be hidden."""
        body, extra, parse = self.body, options.extra_json, options.post_parser
        caps, streamed, shown = _cap(body, self.api, ticket.cap), self.streamed, True
        if streamed and self.api == "chat":
            caps["stream_options"], shown = _asking_for_usage(body.get("stream_options"))
        url = options.url
        changes: dict[str, Any] = {
            "url": addresses.get(url, url),
            "json_data": {**options.json_data, **caps},
            "max_retries": 0,
        }
        if options.idempotency_key is None:  # else the SDK makes a UUID, which takes longer than reserving
            changes["idempotency_key"] = ticket.key
        if extra and isinstance(extra, Mapping):
            changes["extra_json"] = {name: value for name, value in extra.items() if name not in caps} or None
        if self.unread:
            changes["headers"] = _uncompressed(options.headers)
        if not streamed:
            changes["post_parser"] = _first(ticket.settle, parse)
        return options.model_copy(update=changes), not shown

    @property
    def streamed(self) -> bool:
        """It asks for server-sent events."""
        return bool(self.body.get("stream"))


def _read(meter: Meter, options: Any, *, stream: bool) -> Any:
    """What a request asks for; if it is free, its options as they are sent."""
    route = route_of(options.method, options.url, meter.base_url)
    if route is None:
        return options
    if route == "kept":
        options = options.model_copy()
        options.post_parser = _first(meter.settle_kept, options.post_parser)
        return options
    sent = options.json_data
    if not isinstance(sent, (dict, Mapping)) or options.content is not None or options.files is not None:
        raise NotGoverned(f"a request to {options.url} without a JSON body cannot be governed: send json_data")
    extra = options.extra_json
    body = {**sent, **extra} if extra and isinstance(extra, Mapping) else {**sent}
    unread = stream or bool(options.headers and _header(options.headers, _RAW) == "stream")
    if body.get("stream") and not unread:
        raise NotGoverned("a stream that is read as a whole cannot be governed: pass stream=True to the method itself")
    return _Asked(body, route, unread)


def _first(settle: Callable[[Any], None], parse: Any) -> Any:
    """The SDK's parser of an answer, which may raise, after the answer is charged."""

    def settle_first(parsed: Any) -> Any:
        settle(parsed)
        return parse(parsed) if callable(parse) else parsed

    return settle_first


def _uncompressed(headers: Any) -> dict[str, Any]:
    """Headers that ask for an answer that can be read while it comes in."""
    given = dict(headers) if isinstance(headers, Mapping) else {}
    return given if _header(given, "Accept-Encoding") else {**given, "Accept-Encoding": "identity"}


def _cap(body: Mapping[str, Any], api: Api, cap: int) -> dict[str, Any]:
    """This output cap, under every name the caller used for it."""
    names = ("max_completion_tokens", "max_tokens") if api == "chat" else ("max_output_tokens",)
    used = [name for name in names if body.get(name) is not None] or [names[0]]
    return dict.fromkeys(used, cap)


def _asking_for_usage(asked: Any) -> tuple[Any, bool]:
    """The stream options that make a chat stream tell its usage, and whether the caller asked for it too."""
    if asked is not None and not isinstance(asked, Mapping):
        return asked, True  # the provider's to refuse
    return {**(asked or {}), "include_usage": True}, bool((asked or {}).get("include_usage"))


def _header(headers: Any, name: str) -> str | None:
    if not isinstance(headers, Mapping):
        return None
    return next((value for key, value in headers.items() if key.lower() == name.lower()), None)


def _received(ticket: Ticket, asked: _Asked, response: Any, *, hide_usage: bool) -> None:
    """Charge what the parser did not see: a raw response, whose body the caller may never parse; a stream, later."""
    streams = (openai.Stream, openai.AsyncStream)
    http = response.response if isinstance(response, streams) else getattr(response, "http_response", response)
    if hasattr(http, "is_stream_consumed"):
        follow(http, Reading(ticket, asked.api, streamed=asked.streamed, hide_usage=hide_usage))
    else:
        ticket.bounded("the provider's answer could not be read")


def _failed(ticket: Ticket, error: BaseException) -> None:
    """Settle a request that raised: given back only if it was surely not billed."""
    if isinstance(error, openai.APIStatusError):
        code = error.status_code
        if code in _NOT_BILLED or (400 <= code < 500 and code != 408):
            ticket.release()
        else:
            ticket.bounded(f"HTTP {code}: it may have been billed")
    elif isinstance(error, openai.APIConnectionError) and _never_sent(error):
        ticket.release()
    else:
        ticket.bounded(f"{type(error).__name__}: it may have been billed")


def _never_sent(error: BaseException) -> bool:
    """The connection was never made, so the request never left.

    Only the SDK's own cause is asked: further back there may be the error of an earlier request, in whose
    ``except`` block the caller made this one.
    """
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol")
