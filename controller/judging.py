"""Putting an answer to its verifier, for no longer than that may take."""

from __future__ import annotations

import threading

from thinkcap.policies import Verdict, Verifier, check

__all__ = ["in_time"]

VERIFIER_SECONDS = 10.0
"""Seconds after which a verifier counts as hanging; its answer is then not accepted, and the attempt says so."""


def in_time(verify: Verifier, answer: str) -> Verdict:
    """A verifier's verdict; one that hangs is left behind in its thread, and reported."""
    verdicts: list[Verdict] = []
    thread = threading.Thread(target=lambda: verdicts.append(check(verify, answer)), daemon=True, name="verifier")
    thread.start()
    thread.join(VERIFIER_SECONDS)
    if verdicts:
        return verdicts[0]
    return Verdict(None, f"the verifier gave no verdict within {VERIFIER_SECONDS:g} s")
