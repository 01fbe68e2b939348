"""Accounts in a tree, what was reserved on them and what was charged: in memory, or in a file for many processes."""

from thinkcap.controller.ledger.books import Ledger
from thinkcap.controller.ledger.check import check_ledger
from thinkcap.controller.ledger.memory import MemoryLedger
from thinkcap.controller.ledger.sqlite import SqliteLedger
from thinkcap.controller.ledger.values import (
    Amount,
    Balance,
    Charge,
    Entry,
    Level,
    Limits,
    Provenance,
    Purpose,
    Statement,
    Tally,
)

__all__ = [
    "Amount",
    "Balance",
    "Charge",
    "Entry",
    "Ledger",
    "Level",
    "Limits",
    "MemoryLedger",
    "Provenance",
    "Purpose",
    "SqliteLedger",
    "Statement",
    "Tally",
    "check_ledger",
]
