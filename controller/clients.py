"""The client a command asks with: its key and address from the environment, checked before anything is sent."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import openai

from thinkcap.policies.errors import BadInput

__all__ = ["make_client"]

_OPENAI = "https://api.openai.com/v1"
"""Named outright: the SDK would read a blank ``OPENAI_BASE_URL`` as an address."""

_NO_KEY = "none"
"""Sent to a server that was named and needs no key: the SDK insists on one."""


def make_client(base_url: str | None = None) -> openai.OpenAI:
    """An OpenAI client for the server that is named, else for ``OPENAI_BASE_URL``, else for OpenAI.

    The key is ``OPENAI_API_KEY``; a server that was named may do without. The SDK's own retries are off.

    Args:
        base_url: where to ask, up to and with ``/v1``.

    Raises:
        BadInput: if there is no key where one is needed, or the key or the address cannot be meant.
    """
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not (key.isascii() and key.isprintable()):
        raise BadInput("OPENAI_API_KEY holds characters that no key has: set it again")
    url = base_url if base_url is not None else os.environ.get("OPENAI_BASE_URL", "").strip()
    if url or base_url is not None:
        _check_url(url)
    elif not key:
        raise BadInput(
            "no API key: set OPENAI_API_KEY, or name a server with --base-url, or use --local for the small local model"
        )
    return openai.OpenAI(api_key=key or _NO_KEY, base_url=url or _OPENAI, max_retries=0)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port beyond 65535, a bracket left open
        fine = False
    if not fine or url != url.strip():
        raise BadInput(f"the base URL must look like http://127.0.0.1:8080/v1, not {url!r}")
