"""The tokenizer of a model, if it is already on this disk. Nothing is ever fetched.

``tiktoken`` downloads an encoding when it is first used, and again when the cached file is damaged. So the
cached file is checked here, as ``tiktoken`` would, before ``tiktoken`` is asked to load it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

__all__ = ["cached_encoding"]

_O200K = (
    "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken",
    "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
)
_CL100K = (
    "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken",
    "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
)

# Where tiktoken takes each encoding from, and the SHA-256 of that file.
_SOURCES = {"o200k_base": _O200K, "o200k_harmony": _O200K, "cl100k_base": _CL100K}


def cached_encoding(model: str) -> Encoding | None:
    """The model's encoding, or None: if it is not on the disk, or not known for certain.

    Certain are the models that ``tiktoken`` lists and their variants (``gpt-5``, so ``gpt-5-mini``); a later
    family that merely starts alike (``gpt-5.6``) may have another tokenizer. The answer is remembered for the
    life of the process, None too.
    """
    name = _encoding_name(model)
    return None if name is None else _load(name)


@lru_cache(maxsize=1024)
def _encoding_name(model: str) -> str | None:
    from tiktoken.model import MODEL_PREFIX_TO_ENCODING, MODEL_TO_ENCODING

    families = {prefix.rstrip("-"): name for prefix, name in MODEL_PREFIX_TO_ENCODING.items()} | MODEL_TO_ENCODING
    alike = [family for family in families if model == family or model.startswith(f"{family}-")]
    return families[max(alike, key=len)] if alike else None


@cache
def _load(name: str) -> Encoding | None:
    if name not in _SOURCES or not _on_disk(*_SOURCES[name]):
        return None
    import tiktoken

    try:
        return tiktoken.get_encoding(name)
    except (OSError, ValueError):  # gone or damaged since it was checked: bytes bound the prompt as well
        return None


def _on_disk(url: str, sha256: str) -> bool:
    folder = _cache_folder()
    if folder is None:
        return False
    path = folder / hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return False


def _cache_folder() -> Path | None:
    """Where tiktoken keeps its files; None if its cache is switched off."""
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if variable in os.environ:
            return Path(os.environ[variable]) if os.environ[variable] else None
    return Path(tempfile.gettempdir()) / "data-gym-cache"
