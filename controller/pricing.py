"""Which price a model has where: the caller's own prices first, then the list bundled with ``genai-prices``.

The list is the one installed with that package: nothing is ever fetched. It carries no date of its own, so
its version stands for it (``source``), beside the day for which the price was looked up (``date``).
Fees per request, such as those of web search, are not in a :class:`Price`.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from thinkcap.controller.price import OVERRIDE, Price, Tier, dearest, pico_per_token, read_price
from thinkcap.policies.errors import BadInput, UnknownPrice
from thinkcap.policies.values import EFFORTS

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

__all__ = ["AssumedPrice", "Price", "PriceBook", "Tier", "read_price"]

# What a text request may be billed for as output; sound and video are not among it, since they must be asked for.
_OUTPUT_KEYS = ("output_mtok", "output_reasoning_mtok", "output_citation_mtok", "output_image_mtok")

# The service tiers that cost the list price, under the names that responses give them.
_STANDARD_TIERS = (None, "auto", "default", "standard")


class AssumedPrice(UserWarning):
    """The host is unknown, so the list price of the model's maker is used."""


def _today() -> date:
    return datetime.now(UTC).date()


class PriceBook:
    """Prices by model and host. Safe to share between threads; a price once found is a dictionary's hit.

    Args:
        overrides: the caller's own prices, by the exact name of the model; they hold on every host.
        today: the current day in UTC (prices change at midnight UTC).
    """

    def __init__(self, overrides: Mapping[str, Price] | None = None, *, today: Callable[[], date] = _today) -> None:
        for model, price in (overrides or {}).items():
            if not isinstance(price, Price):
                raise BadInput(f"the price of {model!r} must be a Price such as Price.per_mtok(input=0.25, output=2)")
        self._overrides = {
            model: replace(price, model=model, source=OVERRIDE) for model, price in (overrides or {}).items()
        }
        self._today = today
        self._found: dict[tuple[str, str | None, str | None, date], Price | str] = {}
        self._warned: set[str] = set()
        self._lock = threading.Lock()

    def lookup(self, model: str, base_url: str | None = None) -> Price:
        """The price of a model at the host of ``base_url``.

        Args:
            model: its name as it is sent.
            base_url: the client's base URL. For a host that no price list knows (one's own gateway, a server on
                the loopback) the list price of the model's maker is used, marked ``assumed``, with one
                :class:`AssumedPrice` warning a model. None means the maker's own API.

        Raises:
            UnknownPrice: if no price per token is known there: an unknown price is never zero.
        """
        found = self._find(model, base_url)
        if isinstance(found, str):
            raise UnknownPrice(
                f"{found}{self._misspelt_effort(model, base_url)}; "
                f"give its price with prices={{{model!r}: Price.per_mtok(input=..., output=...)}} "
                f"or --price {model}=IN/OUT (dollars per million tokens)"
            )
        if found.assumed and self._first_time(model):
            warnings.warn(
                f"{_host(base_url)} is in no price list: {model!r} is priced as at {found.provider}; "
                f"give its own price with prices= or --price {model}=IN/OUT",
                AssumedPrice,
                stacklevel=2,
            )
        return found

    def _misspelt_effort(self, model: str, base_url: str | None) -> str:
        """A hint for ``gpt-5-mini:hgih``: it is read as a model's name, since model names hold colons too."""
        name, colon, effort = model.rpartition(":")
        if not colon or isinstance(self._find(name, base_url), str):
            return ""
        return f" (there is one for {name!r}, but {effort!r} is no effort: they are {', '.join(EFFORTS)})"

    def settle_price(
        self,
        priced: Price,
        response_model: str | None,
        base_url: str | None = None,
        *,
        service_tier: str | None = None,
    ) -> tuple[Price, bool]:
        """The price at which a response is settled, and whether it is dearer than the one reserved at.

        A response that names a dearer model or service tier than was priced is settled at the dearer of both,
        rate by rate; one that names a cheaper or unknown one at what was priced. A price of the caller's own is
        only exceeded by another of the caller's own. Never warns and never raises: the money is already spent.

        Args:
            priced: what the call was reserved at.
            response_model: the model that the response names.
            base_url: the client's base URL.
            service_tier: the service tier that the response names.
        """
        tier = None if service_tier in _STANDARD_TIERS else service_tier
        for model in (response_model, priced.model):
            if not model or (priced.source == OVERRIDE and model not in self._overrides):
                continue
            found = self._find(model, base_url, tier)
            if found is priced or found == priced:  # the usual case, and many times faster
                return priced, False
            if isinstance(found, Price):
                settled = dearest([found, priced])
                return (settled, True) if _dearer(settled, priced) else (priced, False)
        return priced, False

    def _find(self, model: str, base_url: str | None, service_tier: str | None = None) -> Price | str:
        """The price, or one line on why there is none."""
        own = self._overrides.get(model)
        if own is not None:
            return own
        day = self._today()
        key = (model, base_url, service_tier, day)
        found = self._found.get(key)
        if found is None:
            with self._lock:
                found = self._found[key] = _listed(model, base_url, service_tier, day)
        return found

    def _first_time(self, model: str) -> bool:
        with self._lock:
            new = model not in self._warned
            self._warned.add(model)
        return new


def _dearer(settled: Price, priced: Price) -> bool:
    ends = {tier.start + 1 for price in (settled, priced) for tier in price.tiers}
    return any(replace(settled.rates(end), start=0) != replace(priced.rates(end), start=0) for end in {0} | ends)


def _host(base_url: str | None) -> str:
    """The host alone: a URL may hold a password."""
    return urlsplit(base_url or "").hostname or "this host"


def _listed(model: str, base_url: str | None, service_tier: str | None, day: date) -> Price | str:
    from genai_prices.data_snapshot import get_snapshot  # half a second: only when a list price is wanted

    snapshot = get_snapshot()
    known = base_url is None or any(re.match(provider.api_pattern, base_url) for provider in snapshot.providers)
    try:
        if known and base_url is not None:
            provider, info = snapshot.find_provider_model(model, None, None, base_url)
        else:  # "litellm" also reads the form MAKER/MODEL, which gateways use
            provider, info = snapshot.find_provider_model(model, None, "litellm", None)
    except LookupError:
        return f"no price is known for {model!r}" + (f" at {_host(base_url)}" if base_url is not None else "")
    found = _on_day(provider, info, service_tier, day)
    return found if isinstance(found, str) else replace(found, assumed=not known)


def _on_day(provider: Provider, info: ModelInfo, service_tier: str | None, day: date) -> Price | str:
    """The dearest of the day, where a price depends on the hour."""
    context = {"service_tier": service_tier} if service_tier else None
    prices: list[Price] = []
    for moment in _moments(info, day):
        listed = info.get_prices(moment, context)
        if listed.requests_kcount is not None:
            return f"{provider.id} bills {info.id!r} by the request too, which no price per token bounds"
        if listed.input_mtok is None or listed.output_mtok is None:
            return f"{provider.id} lists no price per token of text for {info.id!r}"
        prices.append(_read(listed))
    return replace(
        dearest(prices),
        model=info.id,
        provider=provider.id,
        source=f"genai-prices {version('genai-prices')}",
        date=day.isoformat(),
    )


def _moments(info: ModelInfo, day: date) -> list[datetime]:
    """The moments of the day from which a price holds: midnight, and where a price is bound to hours, their ends."""
    times = {time(tzinfo=UTC)}
    for entry in info.prices if isinstance(info.prices, list) else ():
        for end in ("start_time", "end_time"):
            bound = getattr(entry.constraint, end, None)
            if bound is not None:
                times.add(bound if bound.tzinfo else bound.replace(tzinfo=UTC))
    return [datetime.combine(day, bound) for bound in times]


def _read(listed: ModelPrice) -> Price:
    entries: dict[str, Decimal | TieredPrices | None] = vars(listed)
    starts = sorted({tier.start for entry in entries.values() for tier in getattr(entry, "tiers", ())})
    base, *tiers = [_rates(entries, start) for start in (-1, *starts)]
    return Price(base.input, base.output, base.cache_read, base.cache_write, tuple(tiers))


def _rates(entries: Mapping[str, Decimal | TieredPrices | None], start: int) -> Tier:
    plain = _rate(entries["input_mtok"], start)
    return Tier(
        start,
        input=plain,
        output=max(_rate(entry, start) for key in _OUTPUT_KEYS if (entry := entries.get(key)) is not None),
        cache_read=plain if (entry := entries.get("cache_read_mtok")) is None else _rate(entry, start),
        cache_write=plain if (entry := entries.get("cache_write_mtok")) is None else _rate(entry, start),
    )


def _rate(entry: Decimal | TieredPrices | None, start: int) -> int:
    """Pico-dollars per token for prompts longer than ``start`` tokens (-1: for any)."""
    if entry is None or isinstance(entry, Decimal):
        return pico_per_token(entry or Decimal(0))
    reached = [tier.price for tier in entry.tiers if tier.start <= start]
    return pico_per_token(reached[-1] if reached else entry.base)
