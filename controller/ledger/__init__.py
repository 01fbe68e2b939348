"""Accounts in a tree, what was reserved on them and what was charged: in memory, or in a file for many processes."""

from thinkcap.controller.ledger.check import check_ledger
from thinkcap.controller.ledger.ledger import Ledger
from thinkcap.controller.ledger.memory import MemoryLedger
from thinkcap.controller.ledger.sqlite import SqliteLedger
from thinkcap.controller.ledger.values import (
    Amount,
    Balance,
    Charge,
    Entry,
    Hold,
    Level,
    Limits,
    Owner,
    Provenance,
    Purpose,
    Statement,
    Survey,
    Tally,
)

__all__ = [
    "Amount",
    "Balance",
    "Charge",
    "Entry",
    "Hold",
    "Ledger",
    "Level",
    "Limits",
    "MemoryLedger",
    "Owner",
    "Provenance",
    "Purpose",
    "SqliteLedger",
    "Statement",
    "Survey",
    "Tally",
    "check_ledger",
]
