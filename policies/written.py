"""Policies as data, ready for JSON, and read back as what they were. Reading runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from thinkcap.policies.cascade import Cascade
from thinkcap.policies.chain import Chain
from thinkcap.policies.errors import BadInput
from thinkcap.policies.finishing import Finishing, Length
from thinkcap.policies.ladder import Ladder
from thinkcap.policies.mix import Mix
from thinkcap.policies.policy import Policy
from thinkcap.policies.rules import ESC, AdaptiveConsistency, Fixed, Lead, Vote
from thinkcap.policies.spend import Short, Spend

__all__ = ["policy_of", "written"]

_KINDS: dict[str, type[Policy]] = {
    "fixed": Fixed,
    "vote": Vote,
    "lead": Lead,
    "adaptive-consistency": AdaptiveConsistency,
    "esc": ESC,
    "ladder": Ladder,
    "cascade": Cascade,
    "chain": Chain,
    "spend": Spend,
    "mix": Mix,
    "finishing": Finishing,
}
_DEEPEST = 8  # policies inside policies


def written(policy: Policy) -> dict[str, Any]:
    """A policy as JSON has it.

    Raises:
        BadInput: if it is of no kind that can be written, such as one of your own.
    """
    name = next((name for name, one in _KINDS.items() if type(policy) is one), None)
    if name is None:
        raise BadInput(f"a {type(policy).__name__} cannot be written down; it can be {', '.join(_KINDS)}")
    return {"kind": name, **{each: _plain(getattr(policy, each)) for each in _names(type(policy))}}


def _names(kind: Any) -> list[str]:
    return [each.name for each in fields(kind) if each.init]


def _plain(value: Any) -> Any:
    if isinstance(value, Policy):
        return written(value)
    if isinstance(value, Short):
        return {"below": value.below, "counts": value.counts}
    if isinstance(value, Length):
        return {each: getattr(value, each) for each in _names(Length)}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def policy_of(data: object, *, depth: int = 0) -> Policy:
    """The policy that was written.

    Raises:
        BadInput: for what is none, in one line.
    """
    if not isinstance(data, Mapping) or depth > _DEEPEST:
        raise BadInput("a written policy is an object with its kind")
    kind = _KINDS.get(str(data.get("kind")))
    if kind is None:
        raise BadInput(f"there is no policy of kind {data.get('kind')!r}; there are {', '.join(_KINDS)}")
    known = _names(kind)
    odd = [name for name in data if name != "kind" and name not in known]
    if odd:
        raise BadInput(f"a policy of kind {data['kind']!r} has no {odd[0]!r}; it has {', '.join(sorted(known))}")
    given = {name: _value(name, value, depth) for name, value in data.items() if name != "kind"}
    try:
        return kind(**given)
    except BadInput:
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"a policy of kind {data['kind']!r} cannot be read: {error}") from None


def _value(name: str, value: Any, depth: int) -> Any:
    if name == "arm" and not isinstance(value, str | None):
        raise BadInput(f"an arm is named by its label, not by {value!r}")
    if name == "rungs" and not _are_rungs(value):
        raise BadInput("rungs are written as a list of [arm, attempts]")
    if name in ("first", "second", "policy") and isinstance(value, Mapping):
        return policy_of(value, depth=depth + 1)
    if name == "lengths":
        return _lengths(value)
    if name == "short" and isinstance(value, Mapping):
        try:
            return Short(**value)
        except TypeError:
            raise BadInput("short is written with below and counts") from None
    return _tuples(value)


def _lengths(value: Any) -> tuple[Length, ...]:
    try:
        return tuple(Length(**each) for each in value)
    except TypeError:
        raise BadInput(f"lengths are written as a list of objects with {', '.join(_names(Length))}") from None


def _are_rungs(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, list) and len(each) == 2 and isinstance(each[0], str) and type(each[1]) is int
        for each in value
    )


def _tuples(value: Any) -> Any:
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value
