"""Another process that uses a ledger's file as it is told, and can be killed at any moment."""

from __future__ import annotations

import os
import signal
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from thinkcap.controller.ledger import SqliteLedger


class Elsewhere:
    """A forked process with a ledger of its own."""

    def __init__(self, file: Path) -> None:
        self.pipe, inner = Pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.pipe.close()
                serve(inner, file)
            finally:
                os._exit(1)
        inner.close()

    def __call__(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call a method of its ledger; what it returns is returned here, what it raises is raised here."""
        self.pipe.send((method, arguments, named))
        raised, result = self.pipe.recv()
        if raised:
            raise result
        return result

    def kill(self) -> None:
        """Kill -9."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.pipe.close()


def serve(pipe: Any, file: Path) -> None:
    ledger = SqliteLedger(file)
    while True:
        method, arguments, named = pipe.recv()
        try:
            answer = (False, getattr(ledger, method)(*arguments, **named))
        except Exception as error:
            answer = (True, error)
        pipe.send(answer)
