"""All laws, by name."""

from __future__ import annotations

from thinkcap.policies.errors import BadInput
from thinkcap.policies.laws import chinchilla, dollars, flops, hours, jones, kaplan, o3, sardana, snell, trap, walls
from thinkcap.policies.laws.law import Law
from thinkcap.policies.laws.units import nearest

__all__ = ["LAWS", "find_law"]

LAWS: tuple[Law, ...] = tuple(
    module.LAW for module in (kaplan, chinchilla, trap, sardana, jones, snell, o3, walls, hours, flops, dollars)
)
"""Training first, then thinking, then what both cost."""


def find_law(name: str) -> Law:
    """The law of a name.

    Raises:
        BadInput: if there is none; the nearest name is offered.
    """
    for law in LAWS:
        if law.name == name:
            return law
    raise BadInput(f"no law is called {name!r}: {nearest(name, [law.name for law in LAWS])}")
