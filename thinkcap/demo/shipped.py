"""The recording that ships with thinkcap: real attempts of the small model at questions made from a seed."""

from __future__ import annotations

from pathlib import Path

__all__ = ["recording_path"]


def recording_path() -> Path:
    """The file; its first line says how it was made."""
    return Path(__file__).with_name("smollm2.jsonl.gz")
