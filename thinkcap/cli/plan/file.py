"""A plan as a TOML file: read and checked, its mistakes told with their lines."""

from __future__ import annotations

import re
import tomllib

from pydantic import ValidationError

from thinkcap.cli.plan.lines import line_of
from thinkcap.cli.plan.models import PlanFile
from thinkcap.policies import BadInput
from thinkcap.policies.laws import read_rate
from thinkcap.policies.plan import MONTH_S

__all__ = ["per_month", "read_plan"]

_KEY = re.compile(r"(?!str$)[a-z_]+")  # of the file; pydantic also names the form it tried


def read_plan(text: str, name: str) -> PlanFile:
    """A plan from TOML text.

    Args:
        text: the file.
        name: how errors call it.

    Raises:
        BadInput: in one line, with the line of the file.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{name} is not TOML: {error}") from None
    if isinstance(found.get("demand"), int | float) and not isinstance(found["demand"], bool):
        line = line_of(text, ("demand",))
        raise BadInput(f'{name}, line {line}: demand needs a period: write demand = "{found["demand"]:g}/month"')
    try:
        plan = PlanFile.model_validate(found)
        per_month(plan.demand, f"{name}, line {line_of(text, ('demand',))}: demand")
    except ValidationError as error:
        first = error.errors()[0]
        where = tuple(part for part in first["loc"] if isinstance(part, int) or _KEY.fullmatch(part))
        what = ".".join(str(part + 1 if isinstance(part, int) else part) for part in where)
        said = first["msg"].removeprefix("Value error, ")
        raise BadInput(f"{name}, line {line_of(text, where)}: {f'{what}: ' if what else ''}{said}") from None
    return plan


def per_month(demand: str, what: str = "--demand") -> float:
    """Questions a month from text such as ``1e6/month`` or ``300/day``.

    Raises:
        BadInput: if it has no period, or is not above zero.
    """
    return read_rate(demand, what) * MONTH_S
