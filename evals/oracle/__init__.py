"""The billing oracle: an OpenAI-compatible loopback server that bills by the book, for tests of whatever spends money.

Nothing in here imports anything else of thinkcap, so its book is a second opinion on every ledger. How to run your
own code against it: docs/oracle.md.
"""

from __future__ import annotations

from thinkcap.evals.oracle.book import Bill, Book, Ending, Rates
from thinkcap.evals.oracle.faults import FAULTS, Fault, Script, faulty, unsupported_effort
from thinkcap.evals.oracle.replies import CHAT, RESPONSES, Received, Reply, ToolCall
from thinkcap.evals.oracle.server import Oracle

__all__ = [
    "CHAT",
    "FAULTS",
    "RESPONSES",
    "Bill",
    "Book",
    "Ending",
    "Fault",
    "Oracle",
    "Rates",
    "Received",
    "Reply",
    "Script",
    "ToolCall",
    "faulty",
    "unsupported_effort",
]
