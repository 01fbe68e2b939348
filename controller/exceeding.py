"""What becomes of a call whose output cap does not fit: cut, refused, or as the caller's own function says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from thinkcap.policies.errors import BadInput

__all__ = ["Exceeded", "OnExceeded", "check_on_exceeded", "is_whole", "smaller_cap"]


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A call that does not fit as it was asked for.

    Attributes:
        model: the model asked for.
        asked: the output cap of one choice that it is to have: the one it names, or the least it is useful with.
        needed: nano-dollars it could then cost.
        free: nano-dollars that are free; None where dollars are not limited.
        affordable: the largest output cap that fits now; 0 if none does.
    """

    model: str
    asked: int
    needed: int
    free: int | None
    affordable: int


OnExceeded: TypeAlias = Literal["clamp", "stop"] | Callable[[Exceeded], int | None]
"""``"clamp"`` lowers the cap, ``"stop"`` refuses the call, a function returns a smaller cap, or None to refuse it."""


def check_on_exceeded(given: object) -> None:
    """Refuse what is no way to deal with such a call.

    Raises:
        BadInput: naming the ways.
    """
    if given is not None and given not in ("clamp", "stop") and not callable(given):
        raise BadInput(f"on_exceeded must be 'clamp', 'stop' or a function of an Exceeded, not {given!r}")


def smaller_cap(given: object, asked: int) -> int:
    """The cap that a caller's function returned; the one asked for if it returned None.

    Raises:
        BadInput: if it is no cap below the one asked for.
    """
    if given is None:
        return asked
    if type(given) is not int or not 0 < given < asked:
        raise BadInput(f"on_exceeded must return None or a whole number from 1, below {asked:,}, not {given!r}")
    return given


def is_whole(body: Mapping[str, Any]) -> bool:
    """Whether half an answer to this request is none: it calls functions, or has a form that is not plain text."""
    if body.get("tools") or body.get("functions"):
        return True
    text = body.get("text")
    forms = (body.get("response_format"), text.get("format") if isinstance(text, Mapping) else None)
    return any(isinstance(form, Mapping) and form.get("type") != "text" for form in forms)
