"""The local model behind a real OpenAI-compatible server, in a process of its own.

llama.cpp's HTTP server runs through ``xllamacpp`` in a child process, for three reasons: it writes thousands of lines
at the level of file descriptors, which go to a log file and never to the terminal; it can be stopped for sure; and a
crash in native code does not take the caller along. The child ends when this process closes its standard input or
dies in whatever way, ``kill -9`` included. It has a session of its own, so Ctrl-C in the terminal does not reach it
before the caller has finished with it.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import openai

from thinkcap.controller.local.fetch import MODEL_NAME, cache_folder
from thinkcap.policies.errors import BadInput, LocalModelFailed

__all__ = ["LocalServer", "check_installed", "default_threads", "is_installed"]

CONTEXT_TOKENS = 1024
"""Tokens of prompt and output together that one slot holds."""

_START_SECONDS = 60.0
_STOP_SECONDS = 5.0
_MOST_THREADS = 8
_RECORDED = "'thinkcap demo --recorded' shows the recorded run without it"


def default_threads() -> int:
    """Return how many threads the server takes: all cores this process may use but one, at least 1, at most 8.

    One core stays free because llama.cpp's threads wait for each other actively: with every core taken, one other busy
    process makes the server more than twenty times slower. Beyond eight, a model this small has nothing to share out.
    """
    return max(1, min(_MOST_THREADS, int(_cores()) - 1))


def _cores() -> float:
    """Cores this process may use: its affinity, and where a container sets one (cgroup v2) its quota."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = float(len(affinity(0)) if affinity else os.cpu_count() or 1)
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        return min(cores, int(quota) / int(period))
    except (OSError, ValueError):  # no such file, or the word "max" for a quota
        return cores


class LocalServer:
    """A server for one model file on this machine, running inside a ``with`` block.

    It speaks the Chat Completions and Responses APIs. Messages reach the model as they are, one after the other, with
    no chat template around them: the model goes on writing where the last message ends.

    Attributes:
        log: the file the server writes its log to; one chosen here is removed after a block that ended without an
            error, and kept otherwise.
    """

    def __init__(self, path: Path, *, slots: int = 8, threads: int | None = None, log: Path | None = None) -> None:
        """Take the settings; nothing starts before the ``with`` block is entered.

        Args:
            path: a GGUF model file.
            slots: how many requests are answered at the same time; each may hold 1,024 tokens of prompt and output.
            threads: the server's threads; None takes :func:`default_threads`.
            log: the log file; None takes a new one in the cache folder.

        Raises:
            BadInput: ``slots`` or ``threads`` is not a whole number of at least 1.
        """
        self._settings: dict[str, object] = {
            "model": str(path),
            "name": MODEL_NAME,
            "slots": _at_least_one("slots", slots),
            "threads": _at_least_one("threads", default_threads() if threads is None else threads),
            "context": CONTEXT_TOKENS,
        }
        self._keep_log = log is not None
        self.log = log
        self._child: subprocess.Popen[bytes] | None = None
        self._address = ""

    @property
    def base_url(self) -> str:
        """Where the server is, for ``OpenAI(base_url=...)``: ``http://127.0.0.1:PORT/v1``.

        Raises:
            LocalModelFailed: the server is not running (outside the ``with`` block).
        """
        if not self._address:
            raise LocalModelFailed("the local server is not running; use it inside 'with LocalServer(path) as server:'")
        return f"{self._address}/v1"

    def client(self) -> openai.OpenAI:
        """A client of this server, past any proxy the environment names; it carries no key."""
        http = openai.DefaultHttpxClient(trust_env=False)
        return openai.OpenAI(base_url=self.base_url, api_key="none", max_retries=0, http_client=http)

    def async_client(self) -> openai.AsyncOpenAI:
        """The same, asynchronous."""
        http = openai.DefaultAsyncHttpxClient(trust_env=False)
        return openai.AsyncOpenAI(base_url=self.base_url, api_key="none", max_retries=0, http_client=http)

    def __enter__(self) -> Self:
        """Start the server and wait until it answers, about 5 seconds on a small machine and at most 60.

        Raises:
            LocalModelFailed: ``xllamacpp`` is not installed, or the server did not start; the message names the log.
        """
        if self._child is not None:
            raise LocalModelFailed("this local server is running already; make another LocalServer for a second one")
        check_installed()
        until = time.monotonic() + _START_SECONDS
        try:
            self._child = self._spawn()
            address = self._hear_address(self._child, until)
            self._await_health(self._child, address, until)
        except BaseException:
            self._stop(keep_log=True)
            raise
        self._address = address
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server; nothing of it is left running."""
        self._stop(keep_log=self._keep_log or kind is not None)

    def _spawn(self) -> subprocess.Popen[bytes]:
        script = Path(__file__).with_name("serve.py")
        argument = json.dumps(self._settings)
        try:
            self.log = self.log or _new_log()
            with self.log.open("wb") as log:
                return subprocess.Popen(  # noqa: S603
                    [sys.executable, "-P", str(script), argument],  # by path: the child loads nothing of ours
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                    creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same, on Windows
                )
        except OSError as error:
            raise LocalModelFailed(f"the local server cannot write its log {self.log} ({error.strerror})") from error

    def _hear_address(self, child: subprocess.Popen[bytes], until: float) -> str:
        """Read the child's one line: its address or what went wrong. An early end of the child ends the wait."""
        heard: list[bytes] = []
        assert child.stdout is not None
        reader = threading.Thread(target=lambda pipe: heard.append(pipe.readline()), args=(child.stdout,), daemon=True)
        reader.start()
        reader.join(max(0.0, until - time.monotonic()))
        if not heard:
            raise self._failed(f"did not start within {_START_SECONDS:.0f} seconds")
        if not heard[0]:
            child.wait(_STOP_SECONDS)
            raise self._failed(f"ended while starting (exit status {child.returncode})")
        said: dict[str, str] = json.loads(heard[0])
        if "error" in said:
            raise self._failed(f"could not start: {said['error'].splitlines()[0]}")
        return said["address"]

    def _await_health(self, child: subprocess.Popen[bytes], address: str, until: float) -> None:
        while not _healthy(address):
            if child.poll() is not None:
                raise self._failed(f"ended while loading the model (exit status {child.returncode})")
            if time.monotonic() > until:
                raise self._failed(f"did not answer within {_START_SECONDS:.0f} seconds")
            time.sleep(0.1)

    def _failed(self, what: str) -> LocalModelFailed:
        return LocalModelFailed(f"the local model's server {what}; its log is {self.log}; {_RECORDED}")

    def _stop(self, *, keep_log: bool) -> None:
        child, self._child, self._address = self._child, None, ""
        if child is None:
            return
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.close()  # the child ends at the end of its input
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:  # also where Ctrl-C comes while waiting
            child.kill()
            child.wait()
            child.stdout.close()
        if not keep_log and self.log is not None:
            self.log.unlink(missing_ok=True)
            self.log = None


def is_installed() -> bool:
    """Whether the server's package is installed; it has no wheel for some platforms."""
    return importlib.util.find_spec("xllamacpp") is not None


def check_installed() -> None:
    """Refuse at once where the server is not installed, before anything is fetched for it."""
    if not is_installed():
        raise LocalModelFailed(
            "the local model's server is not installed: pip install 'thinkcap[local]'; "
            f"where it has no wheel for this platform, {_RECORDED}"
        )


def _new_log() -> Path:
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix="server-", suffix=".log", dir=folder)
    os.close(handle)
    return Path(name)


def _healthy(address: str) -> bool:
    """Ask the server itself, past any proxy the environment names."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _at_least_one(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadInput(f"{name} is {value!r}, and must be a whole number of at least 1")
    return value
