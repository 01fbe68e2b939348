"""Every public method of the installed SDK's client, called once: each is governed, free, or refused by name."""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai._models import FinalRequestOptions
from openai.pagination import SyncPage

from tests.governing import NO_TLS, PRICES
from thinkcap.controller import Account, govern
from thinkcap.policies import NotGoverned

ANSWER = {
    "id": "x",
    "object": "x",
    "model": "m",
    "data": [],
    "choices": [],
    "output": [],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "input_tokens": 5, "output_tokens": 2},
}
FREE = re.compile(r"(GET|HEAD|DELETE) .*|POST /responses/input_tokens|POST /responses/x/cancel")
GOVERNED = re.compile(r"POST /(chat/completions|responses)")
ARGUMENTS: dict[str, Any] = {
    "messages": [{"role": "user", "content": "?"}],
    "input": "?",
    "model": "m",
    "cast_to": object,
    "path": "/fine_tuning/jobs",
    "files": [b"x"],
    **dict.fromkeys(("file", "image", "data", "recording", "audio_sample", "video"), b"x"),
}
ANSWERED = {"model": "m", "input": "?"}  # what the overloads of one method ask for, and its signature does not say
BY_METHOD: dict[str, dict[str, Any]] = {
    "client.get_api_list": {"model": dict, "page": SyncPage[Any]},
    "client.request": {"options": FinalRequestOptions(method="post", url="/images")},
    **dict.fromkeys(
        (f"client{beta}.responses.{how}" for beta in ("", ".beta") for how in ("create", "parse", "stream")), ANSWERED
    ),
    "client.uploads.upload_file_chunked": {"file": Path(__file__), "mime_type": "text/plain"},
    "client.beta.agents.environments.files.prepare": {"files": {"/workspace/x.py": Path(__file__)}},
    "client.beta.agents.environments.files.prepare_directory": {
        "root": Path(__file__).parent,
        "destination": "/workspace",
        "include": [Path(__file__).name],
    },
    "client.beta.agents.environments.files.upload": {"path": "/workspace/x.py"},
}
LOCAL = {  # sends nothing by itself
    "client.copy", "client.with_options", "client.is_closed", "client.platform_headers",
    "client.webhooks.unwrap", "client.webhooks.verify_signature", "client.beta.agents.sessions.artifacts.for_result",
}  # fmt: skip


def methods(owner: Any, path: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The public methods of a client or resource, and of the resources that hang on it, by their path."""
    for name, member in inspect.getmembers_static(type(owner)):
        if name.startswith(("_", "with_raw", "with_streaming")):
            continue
        if inspect.isfunction(member) or isinstance(member, (staticmethod, classmethod)):
            yield f"{path}.{name}", getattr(owner, name)
        elif isinstance(member, type(vars(openai.OpenAI)["chat"])) and hasattr(
            child := getattr(owner, name), "_client"
        ):
            yield from methods(child, f"{path}.{name}")


def call(path: str, method: Callable[..., Any]) -> Any:
    """Call it with arguments made up by their names, and enter what it returns where that is a context manager."""
    given = dict(BY_METHOD.get(path, {}))
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            given.setdefault(name, ARGUMENTS.get(name, "x"))
    try:
        answer = method(**given)
    except TypeError as error:  # the overloads of one method ask for more than its signature does
        if "issing required arguments" not in str(error):
            raise
        first = str(error).partition(" or ")[0]
        answer = method(**{name: ARGUMENTS.get(name, "x") for name in re.findall(r"'(\w+)'", first)} | given)
    if isinstance(answer, AbstractContextManager) and not isinstance(answer, (openai.OpenAI, openai.Stream)):
        answer.__enter__()
    elif isinstance(answer, Iterator):
        next(answer, None)
    return answer


def refused(error: BaseException | None) -> bool:
    """It is a NotGoverned, or the SDK's own error for one."""
    return isinstance(error, NotGoverned) or (error is not None and refused(error.__cause__))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What leaves the process: requests, and websockets, whose package is replaced by one that only notes them."""
    noted: list[str] = []

    def connect(*_: Any, **__: Any) -> Any:
        noted.append("a websocket")
        raise ConnectionError

    for name in ("websockets", "websockets.sync", "websockets.sync.client", "websockets.exceptions"):
        module: Any = types.ModuleType(name)
        module.connect = connect
        monkeypatch.setitem(sys.modules, name, module)
    return noted


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_method_is_governed_free_or_refused(sent: list[str]) -> None:
    """No public method of the SDK's client sends anything but what is free or charged; the rest is NotGoverned."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(f"{request.method} {request.url.path.removeprefix('/v1')}")
        status = "processed" if path == "client.files.wait_for_processing" else "completed"  # so that polling ends
        return httpx2.Response(200, json={**ANSWER, "status": status})

    http = httpx2.Client(transport=httpx2.MockTransport(answer), verify=NO_TLS)
    plain = openai.OpenAI(api_key="test", admin_api_key="test", http_client=http, webhook_secret="whsec_eA==")
    account = Account(100)
    client = govern(plain, account, prices=PRICES)
    found: dict[str, dict[str, str]] = {}
    for path, method in methods(client, "client"):
        if path == "client.close":
            continue
        sent.clear()
        before = len(account.entries())
        error: Any = None
        try:
            call(path, method)
        except Exception as raised:
            error = raised
        charged = len(account.entries()) - before
        if refused(error):
            kind = "refused" if not sent and not charged else "WRONG"
        elif not sent:
            kind = "local" if path in LOCAL else "UNKNOWN"
        elif all(GOVERNED.fullmatch(request) for request in sent):
            kind = "governed" if charged == len(sent) else "WRONG"
        else:
            kind = "free" if all(FREE.fullmatch(request) for request in sent) and not charged else "WRONG"
        found.setdefault(kind, {})[path] = f"{path} sent {sent} and raised {error!r}"
    http.close()
    print({kind: len(paths) for kind, paths in found.items()})
    assert found.keys() == {"refused", "local", "governed", "free"}, [
        *found.get("WRONG", {}).values(),
        *found.get("UNKNOWN", {}).values(),
    ]
    assert {"client.chat.completions.create", "client.responses.stream"} <= found["governed"].keys()
    assert {"client.responses.connect", "client.realtime.connect", "client.embeddings.create"} <= found[
        "refused"
    ].keys()
