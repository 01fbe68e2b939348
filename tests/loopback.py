"""The billing oracle under the name the tests know it by: :class:`thinkcap.evals.oracle.Oracle`."""

from thinkcap.evals.oracle import (
    CHAT,
    RESPONSES,
    Bill,
    Fault,
    Oracle,
    Received,
    Reply,
    Script,
    ToolCall,
    unsupported_effort,
)

__all__ = [
    "CHAT",
    "RESPONSES",
    "Bill",
    "Fault",
    "LoopbackServer",
    "Received",
    "Reply",
    "Script",
    "ToolCall",
    "unsupported_effort",
]

LoopbackServer = Oracle
