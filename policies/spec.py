"""Policies as text, for commands and tables: ``fixed``, ``vote:8``, ``lead:3``, ``ladder:low>high*8``.

==================================  =========================================================
text                                policy
==================================  =========================================================
``fixed``                           :class:`Fixed`
``vote:K``                          :class:`Vote` over K attempts
``lead:K``                          :class:`Lead` by K votes
``adaptive-consistency:T``          :class:`AdaptiveConsistency` at threshold T (0.95 if left out)
``esc:W``                           :class:`ESC` with windows of W (5 if left out)
``ladder:ARM>ARM``                  :class:`Ladder`: one attempt a rung and up to 8 at the last;
                                    ``ARM*N`` says how many
``cascade:ARM*N>ARM*N@T``           :class:`Cascade`: N attempts (3 if left out) at an arm, on to the
                                    next where less than T (0.6 if left out) of them agree
``chain:ARM*N>ARM*N``               :class:`Chain`: N attempts (1 if left out) at each arm in turn, until
                                    an answer passes the verifier
``MODULE:NAME``                     a policy object of one's own
==================================  =========================================================

``/N`` at the end of a rule with a limit sets the attempts at most: ``lead:3/12``.
"""

from __future__ import annotations

import importlib

from thinkcap.policies.cascade import Cascade
from thinkcap.policies.chain import Chain
from thinkcap.policies.errors import BadInput
from thinkcap.policies.ladder import Ladder
from thinkcap.policies.policy import Policy
from thinkcap.policies.rules import ESC, AdaptiveConsistency, Fixed, Lead, Vote

__all__ = ["one_arm", "parse_policy"]

_KNOWN = (
    "fixed, vote:K, lead:K, adaptive-consistency:T, esc:W, ladder:ARM>ARM, cascade:ARM>ARM@T, chain:ARM>ARM or "
    "MODULE:NAME"
)
_LAST_RUNG = 8
_EACH = 3


def parse_policy(text: str, arm: str | None = None, *, most: int = 40) -> Policy:
    """Read a policy written as text.

    Args:
        text: see the table at the top of this module.
        arm: label of the arm it asks (a ladder names its own); None for the first of the arms given.
        most: attempts at most, for rules that have a limit and name none.

    Raises:
        BadInput: if the text is no policy.
    """
    kind, _, rest = text.partition(":")
    if kind == "ladder":
        return _ladder(rest)
    if kind == "cascade":
        return _cascade(rest)
    if kind == "chain":
        return _chain(rest)
    if not one_arm(text):
        return _own(text)
    value, _, limit = rest.partition("/")
    try:
        most = int(limit) if limit else most
        if kind == "fixed" and not rest:
            return Fixed(arm)
        if kind == "vote" and not limit:
            return Vote(int(value), arm)
        if kind == "lead":
            return Lead(int(value), most, arm)
        if kind == "adaptive-consistency":
            return AdaptiveConsistency(float(value or 0.95), most, arm)
        if kind == "esc":
            return ESC(int(value or 5), most, arm)
    except BadInput:
        raise
    except ValueError:
        pass
    raise BadInput(f"{text!r} is not a policy; write {_KNOWN}")


def one_arm(text: str) -> bool:
    """The text is a rule about a single arm, which the caller names."""
    return text.partition(":")[0] in ("fixed", "vote", "lead", "adaptive-consistency", "esc")


def _ladder(rungs: str) -> Ladder:
    parts = [part.strip() for part in rungs.split(">")]
    if not all(parts):
        raise BadInput(f"a ladder is written ladder:ARM>ARM or ladder:ARM*N>ARM*N, not 'ladder:{rungs}'")
    return Ladder(tuple(_rung(part, _LAST_RUNG if part is parts[-1] else 1) for part in parts))


def _cascade(text: str) -> Cascade:
    rungs, at, threshold = text.rpartition("@")
    parts = [part.strip() for part in (rungs if at else text).split(">")]
    try:
        share = float(threshold) if at else 0.6
    except ValueError:
        parts = []
    if not parts or not all(parts):
        raise BadInput(f"a cascade is written cascade:ARM>ARM or cascade:ARM*N>ARM*N@T, not 'cascade:{text}'")
    return Cascade(tuple(_rung(part, _EACH) for part in parts), share)


def _chain(rungs: str) -> Chain:
    parts = [part.strip() for part in rungs.split(">")]
    if not all(parts):
        raise BadInput(f"a chain is written chain:ARM>ARM or chain:ARM*N>ARM*N, not 'chain:{rungs}'")
    return Chain(tuple(_rung(part, 1) for part in parts))


def _rung(text: str, attempts: int) -> tuple[str, int]:
    arm, star, number = text.rpartition("*")
    return (arm, int(number)) if star and number.isdecimal() else (text, attempts)


def _own(text: str) -> Policy:
    module, colon, name = text.partition(":")
    if not colon or not name.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise BadInput(f"{text!r} is not a policy; write {_KNOWN}")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise BadInput(f"policy {text!r}: {error}") from None
    policy = found() if isinstance(found, type) else found
    if not isinstance(policy, Policy):
        raise BadInput(f"policy {text!r} is {type(policy).__name__}, not a thinkcap.policies.Policy")
    return policy
