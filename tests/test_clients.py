"""The command's client: its key and address come from the environment, and are checked before anything is sent."""

from __future__ import annotations

import pytest

from tests.loopback import LoopbackServer, Reply
from thinkcap.controller import make_client
from thinkcap.policies import BadInput

HERE = "http://127.0.0.1:9/v1"


def test_a_key_and_nothing_else_means_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a key alone OpenAI is asked, also where OPENAI_BASE_URL is there and blank; nothing is retried unseen."""
    monkeypatch.setenv("OPENAI_API_KEY", " sk-test\n")
    for blank in ("", " "):
        monkeypatch.setenv("OPENAI_BASE_URL", blank)
        with make_client() as client:
            assert client.api_key == "sk-test"
            assert str(client.base_url) == "https://api.openai.com/v1/"
            assert client.max_retries == 0


def test_what_the_caller_names_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server named outright comes before the environment's, and that before OpenAI's."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:8/v1")
    with make_client() as client:
        assert str(client.base_url) == "http://127.0.0.1:8/v1/"
    with make_client(HERE) as client:
        assert str(client.base_url) == f"{HERE}/"


def test_a_server_of_ones_own_needs_no_key() -> None:
    """A server that was named is asked without a key of the user's."""
    with LoopbackServer(Reply()) as server, make_client(server.base_url) as client:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "?"}])
        assert server.requests[0].headers["authorization"] == "Bearer none"


@pytest.mark.parametrize("key", [None, "", " \n"])
def test_openai_without_a_key_says_what_to_do(monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    """Without a key and without a server the error names all three ways out."""
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(BadInput, match=r"no API key: set OPENAI_API_KEY, .*--base-url, .*--local"):
        make_client()


@pytest.mark.parametrize("key", ["sk-tést", "sk-\x1btest", "sk-\ntest"])
def test_a_key_that_cannot_be_sent_is_not_shown(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """A key that no header can hold is refused, and not repeated in the error."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(BadInput, match="OPENAI_API_KEY holds characters") as refused:
        make_client(HERE)
    assert "sk" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "nonsense",
        "ftp://127.0.0.1/v1",
        "http://",
        "http://[bad",
        "127.0.0.1:8080/v1",
        "http://h:99999",
        f" {HERE}",
    ],
)
def test_an_address_that_cannot_be_meant_is_refused(url: str) -> None:
    """What is no http address is refused with an example of one, before anything is sent."""
    with pytest.raises(BadInput, match=r"must look like http://127\.0\.0\.1:8080/v1") as refused:
        make_client(url)
    assert "\n" not in str(refused.value)
