"""The server's own process: started by :class:`thinkcap.controller.local.LocalServer`, by path, never imported by it.

It is given one JSON object as its argument, writes one JSON line to standard output (``{"address": "http://..."}`` or
``{"error": "..."}``), and serves until its standard input ends or its parent is gone. llama.cpp writes thousands of
lines at the level of file descriptors, so standard output joins standard error, which is the log, before it is loaded.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any

AS_WRITTEN = "{% for m in messages %}{{ m.content }}{% endfor %}"
"""A chat template that adds nothing: the model reads the messages' text and goes on writing."""


def main(argument: str) -> None:
    """Serve until the parent lets go."""
    parent = os.getppid()
    settings: dict[str, Any] = json.loads(argument)
    tell = os.dup(1)
    os.dup2(2, 1)
    ended = threading.Event()
    threading.Thread(target=_read_to_end, args=(ended,), daemon=True).start()
    try:
        server = _start(settings)
        said = {"address": server.listening_address}
    except Exception as error:  # the parent tells the user; this process has nobody to raise to
        said = {"error": f"{type(error).__name__}: {error}"}
    with os.fdopen(tell, "w", encoding="utf-8") as line:
        print(json.dumps(said), file=line)
    while "address" in said and not ended.wait(0.5) and os.getppid() == parent:
        pass
    os._exit(0 if "address" in said else 1)  # the server's threads have no say


def _read_to_end(ended: threading.Event) -> None:
    """Wait for the end of standard input, which comes when the parent closes it or dies in whatever way."""
    sys.stdin.buffer.read()
    ended.set()


def _start(settings: dict[str, Any]) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings["model"]
    params.model_alias = {settings["name"]}
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_parallel, params.n_ctx = settings["slots"], settings["slots"] * settings["context"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    params.use_jinja, params.chat_template = True, AS_WRITTEN
    params.cache_prompt = True
    params.cache_ram_mib = 512  # shared prefixes are found again whichever slot is free; twice the speed or more
    params.ui = False
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main(sys.argv[1])
