"""A scratch environment for each subject, so that none of them chooses another's dependencies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.conformance.catalogue import ENVIRONMENTS

__all__ = ["HERE", "ROOT", "ensure", "surroundings", "versions"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
_FOLDER = ROOT / "build" / "conformance"


def python_of(name: str) -> Path:
    """The interpreter of an environment."""
    return _FOLDER / name / "bin" / "python"


def ensure(name: str) -> str | None:
    """Make an environment if it is missing; returns why it could not be made, or None.

    The project itself is installed afresh every time: it is what changes.
    """
    wanted = ENVIRONMENTS[name]
    python = python_of(name)
    done = python.parent.parent / "installed"
    own = wanted == (".",)
    if done.exists() and done.read_text("utf-8") == repr(wanted) and not own:
        return None
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(python.parent.parent)], check=True)
    again = ["--force-reinstall", "--no-deps"] if own and done.exists() else []
    command = [str(python), "-m", "pip", "install", "--quiet", *again, *wanted]
    tried = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if tried.returncode:
        return (tried.stderr.strip().splitlines() or ["pip failed"])[-1]
    done.write_text(repr(wanted), "utf-8")
    return None


def versions(name: str) -> str:
    """The version of an environment's subject, and of the SDK it calls through."""
    subject = "thinkcap" if name == "thinkcap" else name
    names = [subject] if subject == "openai" else [subject, "openai"]
    code = f"from importlib.metadata import version; print(*(f'{{n}} {{version(n)}}' for n in {names!r}), sep=', ')"
    ran = subprocess.run([str(python_of(name)), "-c", code], capture_output=True, text=True, cwd="/")
    return ran.stdout.strip()


def surroundings(folder: Path) -> dict[str, str]:
    """The environment variables of a subject: nothing of the user's, no proxy, no price list from the network."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "SSL_CERT_FILE") if name in os.environ}
    nowhere = "http://127.0.0.1:9/v1"  # for a client that forgets which address it was given
    loopback = {"NO_PROXY": "*", "OPENAI_BASE_URL": nowhere, "OPENAI_API_BASE": nowhere}
    return {**kept, **loopback, "HOME": str(folder), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
