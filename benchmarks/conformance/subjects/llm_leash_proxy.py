"""llm-leash's proxy, which also watches streams, with its spend in SQLite and one session for all callers."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

__all__ = ["serve"]

PROXY = "from llm_leash.proxy.server import main; main()"


def serve(job: dict[str, Any]) -> dict[str, Any]:
    """The command of the proxy."""
    folder = Path(job["folder"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "proxy.toml"
    config.write_text(
        f'listen = "127.0.0.1:{port}"\naudit_log = "{folder}/audit.jsonl"\nlog_level = "warning"\n'
        f'[budget]\nbackend = "sqlite"\nsqlite_path = "{folder}/spend.db"\ndefault_cap_usd = {job["ceiling_usd"]}\n',
        "utf-8",
    )
    upstream = job["base_url"].removesuffix("/v1")
    return {
        "keep": [],
        "gateway": [sys.executable, "-c", PROXY, "--config", str(config)],
        "probe": f"http://127.0.0.1:{port}/healthz",
        "client": {
            "base_url": f"http://127.0.0.1:{port}/v1",
            "api_key": "none",
            "headers": {"x-llm-leash-session-id": "suite", "x-llm-leash-upstream": upstream},
        },
    }
