"""The errors thinkcap raises, and whose fault each one is.

::

    ThinkcapError
    ├── BadInput            the caller's: an argument, option or file is not usable as given (also a ValueError)
    │   ├── UnknownPrice    the caller's: no price is known for a model, so no ceiling can be promised
    │   ├── NotGoverned     the caller's: a request whose cost thinkcap cannot bound was sent to a governed client
    │   └── BadRecording    the file's: a recording is missing columns or holds values that cannot be meant
    ├── CeilingReached      nobody's: the ceiling leaves too little for the call (never retry it)
    ├── ProviderFailed      the provider's or the network's: not one attempt could be made
    ├── LedgerFailed        the disk's: the ledger's file cannot be read or written
    └── LocalModelFailed    the machine's: the small local model cannot be fetched or started

Every message is one line and says what to do next. The command prints it and exits with code 2.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "BadInput",
    "BadRecording",
    "CeilingReached",
    "LedgerFailed",
    "LocalModelFailed",
    "NotGoverned",
    "ProviderFailed",
    "ThinkcapError",
    "UnknownPrice",
]


class ThinkcapError(Exception):
    """The root of every error thinkcap raises on purpose."""


class BadInput(ThinkcapError, ValueError):
    """An argument, option or file is not usable as given."""


class UnknownPrice(BadInput):
    """No price is known for a model: an unknown price is an error, never zero."""


class NotGoverned(BadInput):
    """A governed client was asked for something whose cost cannot be bounded."""


class BadRecording(BadInput):
    """A recording cannot be read as attempts."""


class CeilingReached(ThinkcapError):
    """The ceiling leaves too little for the next call; nothing was sent.

    Not an SDK error on purpose, so that no framework retries it.

    Attributes:
        needed: nano-dollars the refused call would have reserved (None where money was not what ran out).
        free: nano-dollars that were left (None where the account has no ceiling in dollars).
        account: the name of the account that refused: the caller's or an ancestor (None where there was none).
        ceiling: its ceiling in nano-dollars (None where it has none in dollars).
        spent: nano-dollars charged on it.
        reserved: nano-dollars held on it by calls that are not settled.
        messages: those of the refused call (a chat's, or the items of a Responses input): an agent's work so far.
    """

    def __init__(
        self,
        message: str,
        *,
        needed: int | None = None,
        free: int | None = None,
        account: str | None = None,
        ceiling: int | None = None,
        spent: int | None = None,
        reserved: int | None = None,
    ) -> None:
        super().__init__(message)
        self.needed = needed
        self.free = free
        self.account = account
        self.ceiling = ceiling
        self.spent = spent
        self.reserved = reserved
        self.messages: tuple[Any, ...] = ()

    def __reduce__(self) -> tuple[object, ...]:
        return (_ceiling_reached, (str(self), vars(self)))


def _ceiling_reached(message: str, figures: dict[str, Any]) -> CeilingReached:
    error = CeilingReached(message)
    vars(error).update(figures)
    return error


class ProviderFailed(ThinkcapError):
    """Not one attempt could be made: the provider refused, failed or could not be reached."""


class LedgerFailed(ThinkcapError):
    """The ledger's file cannot be read or written; nothing was sent."""


class LocalModelFailed(ThinkcapError):
    """The small local model cannot be fetched or started."""
