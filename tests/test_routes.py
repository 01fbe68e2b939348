"""Where a governed client's requests go: to the very address that its own class would have asked."""

from __future__ import annotations

import functools
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.governing import NO_TLS, PRICES, SIDES, Side, billed, spent
from tests.loopback import LoopbackServer, Reply
from thinkcap.controller import Account, govern
from thinkcap.controller.govern import meter_of

_SEGMENTS = st.text(alphabet="v1aZ9-_.~%20 ü:@!$&'()*+,;=?#/", max_size=12)


class Cached(openai.OpenAI):
    """A caller's own class, whose base URL is no property that can be set."""

    @functools.cached_property
    def base_url(self) -> httpx2.URL:
        return httpx2.URL("http://127.0.0.1:9/cached/")


class Elsewhere(openai.OpenAI):
    """A caller's own class, which sends to a mirror."""

    def _prepare_url(self, url: str) -> Any:
        return super()._prepare_url(f"/mirror{url}")


def _address(make: Any, api: str, *, governs: bool) -> tuple[str, dict[str, str]]:
    """Where a call goes, and with which headers; by the bare client, or by the governed one."""
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(400, json={})

    with httpx2.Client(transport=httpx2.MockTransport(answer), verify=NO_TLS) as http:
        client = make(http_client=http, max_retries=0)
        if governs:
            client = govern(client, Account(1), prices=PRICES)
        create: Any = client.responses.create if api == "responses" else client.chat.completions.create
        question = {"input": "?"} if api == "responses" else {"messages": [{"role": "user", "content": "?"}]}
        with pytest.raises(openai.BadRequestError):
            create(model="m", **question)
    (request,) = seen
    headers = dict(request.headers)
    for name in ("content-length", "user-agent"):  # the cap is in the body, the class's name is in the agent's
        headers.pop(name)
    return str(request.url), headers


@pytest.mark.parametrize("api", ["chat", "responses"])
@given(path=_SEGMENTS)
@example(path=".")
def test_a_request_goes_where_the_bare_client_sends_it(api: str, path: str) -> None:
    """Whatever the base URL, the governed request has the bare one's address and headers."""

    def make(**options: Any) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"http://user:pass@127.0.0.1:9/{path}", api_key="test", **options)

    assert _address(make, api, governs=True) == _address(make, api, governs=False)


def _azure(**options: Any) -> openai.OpenAI:
    return openai.AzureOpenAI(azure_endpoint="http://127.0.0.1:9", api_version="1", api_key="test", **options)


def _bedrock(**options: Any) -> openai.OpenAI:
    providers = pytest.importorskip("openai.providers")
    provider = providers.bedrock(api_key="test", base_url="http://127.0.0.1:9/openai/v1")
    return openai.OpenAI(provider=provider, **options)


def _elsewhere(**options: Any) -> openai.OpenAI:
    return Elsewhere(base_url="http://127.0.0.1:9/v1", api_key="test", **options)


def _cached(**options: Any) -> openai.OpenAI:
    return Cached(api_key="test", **options)


def _relative(http_client: httpx2.Client, **options: Any) -> openai.OpenAI:
    http_client.base_url = httpx2.URL("http://127.0.0.1:9")
    return openai.OpenAI(base_url="/v1", http_client=http_client, api_key="test", **options)


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("make", [_azure, _bedrock, _elsewhere, _cached, _relative])
def test_a_client_that_sends_elsewhere_still_does(make: Any, api: str) -> None:
    """Azure's deployments, a provider, a caller's own class or HTTP client decide where a governed request goes."""
    assert _address(make, api, governs=True) == _address(make, api, governs=False)


@pytest.mark.parametrize(("mode", "api"), SIDES)
def test_a_client_that_is_sent_elsewhere_is_priced_as_there(mode: Any, api: Any) -> None:
    """Once its base URL is set, a governed client asks there, reads its paths as that host's, and has its prices."""
    with Side(mode, api) as side, LoopbackServer(Reply()) as here, LoopbackServer(Reply()) as there:
        account = Account(1)
        client = govern(side.client(here), account, prices=PRICES)
        client.base_url = there.base_url
        assert meter_of(client).base_url == str(client.base_url) == f"{there.base_url}/"
        side.ask(client)
        side.ask(client.with_options(timeout=5))
        side.run(client.post(f"{there.base_url}{side.path.removeprefix('/v1')}", cast_to=object, body=side.body()))
        assert here.requests == []
        assert len(there.requests) == 3
        assert spent(account) == billed(there) > 0
