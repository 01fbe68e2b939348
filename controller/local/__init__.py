"""A small real model on this machine, with no key: its file, and an OpenAI-compatible server for it."""

from __future__ import annotations

from thinkcap.controller.local.fetch import (
    MODEL_NAME,
    MODEL_PACKAGE,
    MODEL_SHA256,
    cache_folder,
    fetch_model,
    model_path,
)
from thinkcap.controller.local.server import LocalServer, check_installed, default_threads, is_installed

__all__ = [
    "MODEL_NAME",
    "MODEL_PACKAGE",
    "MODEL_SHA256",
    "LocalServer",
    "cache_folder",
    "check_installed",
    "default_threads",
    "fetch_model",
    "is_installed",
    "model_path",
]
