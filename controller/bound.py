"""A caller's own bound, for what a request's bytes and caps do not bound."""

from __future__ import annotations

from dataclasses import dataclass

from thinkcap.policies.errors import BadInput
from thinkcap.policies.money import Dollars, nano_usd

__all__ = ["Bound", "check_bound"]

_MOST_TOKENS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Bound:
    """What a request may come to beside its own text: given to ``govern(..., bound=)`` by who knows.

    It counts for each call of that client that has something whose cost thinkcap cannot bound by itself: a stored
    prompt, an image, a file or audio, a tool that the provider runs, a prediction, another service tier, a response to
    go on from that this ledger does not know. Calls that have no such part are not changed by it.

    Attributes:
        input_tokens: tokens that such parts add to the prompt at most; paid at the input rate.
        fees_usd: dollars that are billed beside the tokens at most: searches, tool runs, audio, rejected predictions,
            the surcharge of a tier. A provider does not report them, so they are charged in full.

    Raises:
        BadInput: if either is negative or no such figure.
    """

    input_tokens: int = 0
    fees_usd: Dollars | None = None

    def __post_init__(self) -> None:
        if type(self.input_tokens) is not int or not 0 <= self.input_tokens <= _MOST_TOKENS:
            raise BadInput(f"Bound(input_tokens=) must be a whole number from 0, not {self.input_tokens!r}")
        if self.fees_usd is not None:
            nano_usd(self.fees_usd, "Bound(fees_usd=)")

    @property
    def fees_nusd(self) -> int:
        """The fees in nano-dollars."""
        return 0 if self.fees_usd is None else nano_usd(self.fees_usd)


def check_bound(given: object) -> None:
    """Refuse what is no bound.

    Raises:
        BadInput: saying how one is written.
    """
    if given is not None and not isinstance(given, Bound):
        raise BadInput(f"bound must be a Bound(input_tokens=, fees_usd=), not {given!r}")
