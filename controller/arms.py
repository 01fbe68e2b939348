"""The arms a controller is given, checked before anything is asked, and the policy where none is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from thinkcap.controller.wire import build
from thinkcap.policies import EFFORTS, Arm, BadInput, Ladder, Lead, Policy

__all__ = ["default_policy", "read_arms"]


def default_policy(arms: Sequence[Arm]) -> Policy:
    """First to lead by two votes on one arm; a ladder over several."""
    if len(arms) == 1:
        return Lead(2, most=8)
    return Ladder((*((arm.label, 1) for arm in arms[:-1]), (arms[-1].label, 8)))


def read_arms(arms: Iterable[Arm | str], clients: Mapping[str, Any], kind: type[Any]) -> tuple[Arm, ...]:
    """The arms as the caller means them.

    Args:
        arms: :class:`Arm` objects, or texts such as ``"gpt-5-mini:low"``.
        clients: those there are, by name.
        kind: the class they must have.

    Raises:
        BadInput: for no arm, two of one label, an unknown effort or client, or what the arm's API does not have.
    """
    if isinstance(arms, (str, Arm)):
        arms = [arms]
    arms = list(arms)
    for arm in arms:
        if not isinstance(arm, (Arm, str)):
            raise BadInput(f"an arm must be an Arm or a text such as 'gpt-5-mini:low', not {arm!r}")
    found = tuple(arm if isinstance(arm, Arm) else Arm.parse(arm) for arm in arms)
    if not found:
        raise BadInput("a controller needs at least one arm, such as Arm('gpt-5-mini', effort='low')")
    labels = [arm.label for arm in found]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise BadInput(f"two arms are called {twice!r}; give one of them a name=")
    for name, client in clients.items():
        if not isinstance(client, kind):
            raise BadInput(f"client {name!r} must be an {kind.__name__} client, not {type(client).__name__}")
    for arm in found:
        if arm.effort is not None and arm.effort not in EFFORTS:
            raise BadInput(f"arm {arm.label}: the SDK knows the efforts {', '.join(EFFORTS)}, not {arm.effort!r}")
        if arm.client not in clients:
            raise BadInput(f"arm {arm.label} asks client {arm.client!r}; there are: {', '.join(clients)}")
        build(arm, [], cap=None)  # refuses what the arm's API does not have
    return found
