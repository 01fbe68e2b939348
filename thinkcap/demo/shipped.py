"""What ships with thinkcap: real attempts of the small model at questions made from a seed, and the curve of them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["curve_path", "recording_path"]


def recording_path() -> Path:
    """The recording; its first line says how it was made."""
    return Path(__file__).with_name("smollm2.jsonl.gz")


def curve_path() -> Path:
    """The curve that ``thinkcap fit -o curve.json.gz`` fits on the recording."""
    return Path(__file__).with_name("curve.json.gz")
