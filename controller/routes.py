"""Which requests are governed, which are free, and where the governed ones go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from thinkcap.policies.errors import NotGoverned
from thinkcap.policies.values import Api

__all__ = ["Route", "addresses", "route_of"]

Route = Api | Literal["kept"] | None
"""The API that a request is charged by, or that it asks for an answer that is kept; None if it is free otherwise."""

_GOVERNED: Mapping[str, Api] = {"/chat/completions": "chat", "/responses": "responses"}
_FREE_METHODS = frozenset({"get", "head", "delete"})
_FREE_POSTS = frozenset({"/responses/input_tokens"})
_KEPT = re.compile(r"get /responses/[^/]+|post /responses/[^/]+/cancel")


def route_of(method: str, url: str, base_url: str | None) -> Route:
    """Which API a request goes to.

    Args:
        method: as the SDK's options have it.
        url: as the SDK's options have it: a path below the base URL, or a whole address.
        base_url: the client's own.

    Raises:
        NotGoverned: if it is neither governed nor free.
    """
    if method == "post" and (api := _GOVERNED.get(url)) is not None:  # as the SDK's own methods ask
        return api
    return _read(str(method).lower(), str(url), base_url)


def _read(method: str, url: str, base_url: str | None) -> Route:
    parts, home = urlsplit(url), urlsplit(base_url or "")
    path = parts.path
    if parts.netloc:
        if parts.netloc != home.netloc:
            raise NotGoverned(f"a request to {parts.netloc} cannot be governed: this client's host is {home.netloc}")
        path = path.removeprefix(home.path.rstrip("/"))
    path = "/" + path.strip("/")
    if _KEPT.fullmatch(f"{method} {path}"):
        return "kept"
    if method in _FREE_METHODS or (method == "post" and path in _FREE_POSTS):
        return None
    if method == "post" and path in _GOVERNED:
        return _GOVERNED[path]
    raise NotGoverned(
        f"{method.upper()} {path} cannot be governed: use chat.completions or responses, "
        "or make this call with the client you governed"
    )


def addresses(base_url: str) -> dict[str, str]:
    """By the path of a governed request, the whole address that the SDK makes of it and this base URL.

    With a path alone the SDK reads the base URL and the path anew in every call, which takes about half as long as all
    that governing does; a whole address it only reads. A base URL that is more than a folder has none, nor has one that
    is itself a path (below the base URL of an HTTP client of the caller's).
    """
    parts = urlsplit(base_url)
    if not (parts.scheme and parts.netloc and base_url.endswith("/")) or "#" in base_url or "?" in base_url:
        return {}
    return {path: base_url + path.removeprefix("/") for path in _GOVERNED}
