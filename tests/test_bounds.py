"""The bound on a prompt's tokens, and what is refused because nothing bounds it."""

from __future__ import annotations

import hashlib
import inspect
import socket
from pathlib import Path
from typing import Any

import pytest
import tiktoken
import tiktoken.registry
import tiktoken_ext.openai_public
from hypothesis import given, settings
from hypothesis import strategies as st

from thinkcap.controller import encodings
from thinkcap.controller.bounds import cached_encoding, choices, output_cap, prompt_bound
from thinkcap.controller.refusals import refuse_unbounded
from thinkcap.policies.errors import BadInput, NotGoverned

texts = st.text(max_size=40) | st.sampled_from(
    ['"\\"', "\x00\x1f\n\t", "🙂🏳️‍🌈", "\ud800", "日本語", "\U0001d15e", "</s>"]
)
names = st.text(min_size=1, max_size=8)
schemas = st.recursive(
    texts | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
messages = st.builds(
    lambda role, content, name: {"role": role, "content": content, "name": name},
    st.sampled_from(["user", "system", "assistant", "tool"]),
    st.none() | texts | st.lists(st.builds(lambda text: {"type": "text", "text": text}, texts), max_size=3),
    names,
)
tools = st.builds(
    lambda name, schema: {"type": "function", "function": {"name": name, "parameters": schema}}, names, schemas
)
bodies = st.builds(
    lambda turns, used: {"model": "gpt-5-mini", "messages": turns, "tools": used},
    st.lists(messages, max_size=4),
    st.lists(tools, max_size=2),
)


def all_text(value: Any) -> int:
    """Bytes of every string in a value, keys included."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, dict):
        return sum(all_text(key) + all_text(inner) for key, inner in value.items())
    return sum(all_text(inner) for inner in value) if isinstance(value, list) else 0


def chat(**body: Any) -> dict[str, Any]:
    return {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hi"}], **body}


def responses(**body: Any) -> dict[str, Any]:
    return {"model": "gpt-5-mini", "input": "Hi", **body}


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to reach a network fails the test that makes it."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a network connection was attempted")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def _forgetful() -> Any:
    encodings._load.cache_clear()
    yield
    encodings._load.cache_clear()


@settings(max_examples=150, deadline=None)
@given(bodies)
def test_the_bound_covers_every_byte(body: dict[str, Any]) -> None:
    """A chat's bound is at least the bytes of all text in its messages and tools."""
    assert prompt_bound(body, api="chat") >= all_text(body["messages"]) + all_text(body["tools"])


@settings(max_examples=100, deadline=None)
@given(bodies, messages)
def test_another_message_never_lowers_the_bound(body: dict[str, Any], message: dict[str, Any]) -> None:
    """A conversation costs at least what its beginning costs."""
    longer = {**body, "messages": [*body["messages"], message]}
    assert prompt_bound(longer, api="chat") > prompt_bound(body, api="chat")


@settings(max_examples=100, deadline=None)
@given(
    st.lists(messages, max_size=3), texts, st.dictionaries(st.text(min_size=1, max_size=8).map("x_".__add__), schemas)
)
def test_responses_are_covered_too(items: list[Any], instructions: str, unknown: dict[str, Any]) -> None:
    """Instructions, input items and keys nobody knows all count with their bytes."""
    body = responses(input=items, instructions=instructions, **unknown)
    assert prompt_bound(body, api="responses") >= all_text(items) + all_text(instructions) + all_text(unknown)


def test_a_bound_worked_out_by_hand() -> None:
    """One message: 256 for the request, 16 around it, its 5 bytes of content, and its role as 4-space JSON."""
    body = {"model": "m", "messages": [{"role": "user", "content": "Hé!!"}]}
    assert prompt_bound(body, api="chat") == 256 + 16 + 5 + len('{\n    "role": "user"\n}')
    assert prompt_bound({"model": "m", "input": "Hé!!"}, api="responses") == 256 + 16 + 5


def test_a_schema_is_counted_in_its_longest_form() -> None:
    """Some servers escape a tool's schema, some indent it: the bound covers both at once."""
    plain, accented = ([{"type": "function", "name": name}] for name in ("e" * 100, "é" * 100))
    grown = prompt_bound(responses(tools=accented), api="responses") - prompt_bound(
        responses(tools=plain), api="responses"
    )
    assert grown == 500  # \u00e9 for each é


def test_a_tools_result_is_counted_as_a_json_string() -> None:
    """Some templates quote a tool's result: each of 50 line ends then takes two bytes, and two quotes are added."""
    user, tool = (chat(messages=[{"role": role, "content": "\n" * 50}]) for role in ("user", "tool"))
    assert prompt_bound(tool, api="chat") - prompt_bound(user, api="chat") == 52


def test_text_that_grows_when_composed_counts_as_composed() -> None:
    """NFC turns the musical half note (4 bytes) into two characters (8 bytes), and some tokenizers apply it."""
    note, other = (prompt_bound(responses(input=text), api="responses") for text in ("\U0001d15e", "\U0001f600"))
    assert note - other == 4


def test_formats_and_tools_have_their_allowance() -> None:
    """A schema and a set of tools are introduced to the model in words of the provider's own."""
    bare = prompt_bound(chat(), api="chat")
    assert prompt_bound(chat(response_format={"type": "json_object"}), api="chat") >= bare + 256
    assert prompt_bound(chat(tools=[{"type": "function"}]), api="chat") >= bare + 1024 + 16


def test_settings_do_not_count() -> None:
    """What only steers the sampling is not in the prompt."""
    steered = chat(temperature=0.7, seed=1, stop=["\n\n"], metadata={"a": "b" * 500}, user="u" * 500, stream=True)
    assert prompt_bound(steered, api="chat") == prompt_bound(chat(), api="chat")


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_key_of_the_other_api_is_counted(api: Any) -> None:
    """A server may read instructions in a chat, or messages in a response: their bytes count."""
    extra = {"instructions": "x" * 300} if api == "chat" else {"messages": ["x" * 300]}
    body = chat() if api == "chat" else responses()
    assert prompt_bound({**body, **extra}, api=api) >= prompt_bound(body, api=api) + 300


REFUSED_ANYWHERE = [
    ({"service_tier": "priority"}, "service_tier='priority'"),
    ({"service_tier": "flex"}, "service_tier='flex'"),
    ({"tools": [{"type": "web_search"}]}, "'web_search'"),
    ({"tools": [{"type": "mcp", "server_label": "x"}]}, "'mcp'"),
    ({"models": ["a", "b"]}, "models"),
    ({"plugins": [{"id": "web"}]}, "plugins"),
    ({"cache_control": {"type": "ephemeral", "ttl": "1h"}}, "cache_control"),
    ({"background": True, "stream": True}, "background"),
]
REFUSED_CHATS = [
    ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"audio": {"voice": "x"}}, "audio"),
    ({"web_search_options": {"search_context_size": "low"}}, "web_search_options"),
    ({"n_predict": 100_000}, "n_predict"),
    ({"background": True}, "background"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "'image_url'"),
    ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}, "'input_audio'"),
    ({"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]}, "'file'"),
    ({"messages": [{"role": "user", "content": [{"image_url": {"url": "x"}}]}]}, "None"),
    ({"messages": [{"role": "assistant", "audio": {"id": "x"}}]}, "audio"),
]
REFUSED_RESPONSES = [
    ({"previous_response_id": "r"}, "previous_response_id"),
    ({"conversation": "c"}, "conversation"),
    ({"prompt": {"id": "p"}}, "prompt"),
    ({"context_management": [{"type": "compaction"}]}, "context_management"),
    ({"reasoning": {"mode": "pro"}}, "'pro'"),
    ({"input": [{"type": "item_reference", "id": "x"}]}, "'item_reference'"),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, "'input_image'"),
    ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "x"}]}]}, "'input_file'"),
    (
        {"input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image"}]}]},
        "'input_image'",
    ),
]


@pytest.mark.parametrize(
    ("api", "extra", "named"),
    [("chat", *case) for case in REFUSED_ANYWHERE + REFUSED_CHATS]
    + [("responses", *case) for case in REFUSED_ANYWHERE + REFUSED_RESPONSES],
)
def test_what_its_text_does_not_bound_is_refused_by_name(api: Any, extra: dict[str, Any], named: str) -> None:
    """Each refusal is one line that names the part and says what to do instead."""
    body = chat(**extra) if api == "chat" else responses(**extra)
    with pytest.raises(NotGoverned) as caught:
        refuse_unbounded(body)
    message = str(caught.value)
    assert named in message
    assert "cannot be governed" in message
    assert "\n" not in message
    if "Bound" in message:  # the way out that it names is one
        assert refuse_unbounded(body, bounded=True)
    else:
        with pytest.raises(NotGoverned):
            refuse_unbounded(body, bounded=True)


def test_plain_requests_of_both_apis_are_let_through() -> None:
    """Text, own tools, their calls and results, reasoning items and absent extras are all governed."""
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]},
        {"role": "assistant", "content": None, "tool_calls": [call], "audio": None},
        {"role": "tool", "tool_call_id": "c", "content": "2"},
    ]
    absent = {"prediction": None, "audio": None, "modalities": ["text"], "service_tier": "auto", "tools": []}
    assert not refuse_unbounded(chat(messages=turns, **absent))
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "x" * 100},
        {"type": "function_call", "call_id": "c", "name": "add", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "2"},
        {"type": "custom_tool_call_output", "call_id": "d", "output": [{"type": "input_text", "text": "3"}]},
    ]
    plain = responses(
        input=items, tools=[{"type": "custom", "name": "x"}], reasoning={"effort": "low"}, background=False
    )
    assert not refuse_unbounded(plain, bounded=True)
    assert prompt_bound(plain, api="responses") > 100


@pytest.mark.parametrize("body", [{"model": "m"}, {"messages": "Hi"}, {"messages": [{"role": {1, 2}}]}])
def test_a_body_that_is_no_chat_is_refused(body: dict[str, Any]) -> None:
    """Missing messages and values JSON cannot hold are the caller's mistake, told in one line."""
    with pytest.raises(BadInput) as caught:
        prompt_bound(body, api="chat")
    assert "\n" not in str(caught.value)


def test_the_cap_is_read_from_either_api() -> None:
    """None means none was sent; where a chat names two caps the larger is reserved."""
    assert output_cap({}, "chat") is None
    assert output_cap({"max_tokens": None}, "chat") is None
    assert output_cap({"max_completion_tokens": 50}, "chat") == 50
    assert output_cap({"max_tokens": 70, "max_completion_tokens": 50}, "chat") == 70
    assert output_cap({"max_output_tokens": 90, "max_tokens": 5}, "responses") == 90
    assert output_cap({"max_output_tokens": 90}, "chat") is None


@pytest.mark.parametrize("bad", [0, -1, True, 1.5, "10", float("inf")])
def test_counts_must_be_whole_numbers_from_one(bad: object) -> None:
    """A cap or a number of choices that is no count is refused before anything is sent."""
    with pytest.raises(BadInput, match="whole number"):
        output_cap({"max_completion_tokens": bad}, "chat")
    with pytest.raises(BadInput, match="whole number"):
        choices({"n": bad})


def test_one_choice_unless_asked() -> None:
    """Without n there is one choice."""
    assert choices({}) == choices({"n": None}) == 1
    assert choices({"n": 4}) == 4


def tiny() -> tiktoken.Encoding:
    """An encoding of the 256 bytes and one merge: every pair of letters a is one token."""
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"aa": 256}
    return tiktoken.Encoding("tiny", pat_str=r"(?s:.+)", mergeable_ranks=ranks, special_tokens={})


@settings(max_examples=50, deadline=None)
@given(bodies)
def test_a_tokenizer_only_tightens(body: dict[str, Any]) -> None:
    """Counted tokens never exceed the bound in bytes."""
    assert prompt_bound(body, api="chat", encoding=TINY) <= prompt_bound(body, api="chat")


TINY = tiny()


def test_a_tokenizer_counts_tokens_with_the_same_allowance() -> None:
    """A hundred letters a are fifty tokens of the tiny encoding: the bound falls by fifty and by nothing else."""
    body = responses(input="a" * 100)
    assert prompt_bound(body, api="responses") - prompt_bound(body, api="responses", encoding=TINY) == 50


def test_a_very_long_text_is_bounded_by_its_bytes() -> None:
    """A text too long for the tokenizer falls back to its bytes."""
    body = responses(input="a" * 200_001)
    assert prompt_bound(body, api="responses", encoding=TINY) == prompt_bound(body, api="responses")


@pytest.mark.usefixtures("_forgetful")
def test_without_a_cached_file_there_is_no_encoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, and a cache that is switched off, give None without a try at the network."""
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    for folder in (str(tmp_path), ""):
        encodings._load.cache_clear()
        monkeypatch.setenv("TIKTOKEN_CACHE_DIR", folder)
        assert cached_encoding("gpt-5-mini") is None


@pytest.mark.usefixtures("_forgetful")
def test_a_damaged_file_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that fails its checksum, which tiktoken would delete and fetch again, is neither used nor touched."""
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    path = tmp_path / hashlib.sha1(encodings._O200K[0].encode()).hexdigest()
    path.write_bytes(b"YQ== 0\n")
    assert cached_encoding("gpt-5-mini") is None
    assert path.read_bytes() == b"YQ== 0\n"


@pytest.mark.usefixtures("_forgetful")
def test_a_cached_file_is_used_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the file of its encoding in tiktoken's cache a model has a tokenizer; None is remembered as well."""
    contents = b"YQ== 0\n"
    url, _ = encodings._O200K
    source = (url, hashlib.sha256(contents).hexdigest())
    monkeypatch.setitem(encodings._SOURCES, "o200k_base", source)
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {"o200k_base": TINY})
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    path = tmp_path / hashlib.sha1(url.encode()).hexdigest()
    assert cached_encoding("gpt-5-mini") is None
    path.write_bytes(contents)
    assert cached_encoding("gpt-5-mini") is None
    encodings._load.cache_clear()
    assert cached_encoding("gpt-5-mini") is TINY
    path.unlink()
    assert cached_encoding("gpt-5") is TINY


def test_the_files_are_those_tiktoken_takes() -> None:
    """The addresses and checksums checked here are the installed tiktoken's own."""
    source = inspect.getsource(tiktoken_ext.openai_public)
    for url, sha256 in encodings._SOURCES.values():
        assert url in source
        assert sha256 in source


def test_only_models_tiktoken_lists_have_a_known_encoding() -> None:
    """Variants of a listed model share its encoding; a family that only starts alike is not guessed."""
    assert encodings._encoding_name("gpt-5-mini") == "o200k_base"
    assert encodings._encoding_name("gpt-4o-mini-2024-07-18") == "o200k_base"
    assert encodings._encoding_name("gpt-4-0613") == "cl100k_base"
    assert encodings._encoding_name("gpt-oss-20b") == "o200k_harmony"
    for unknown in ("gpt-5.6", "claude-sonnet-4-5", "SmolLM2-135M", ""):
        assert encodings._encoding_name(unknown) is None
