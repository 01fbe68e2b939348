"""A plan as a TOML file: its form, and its mistakes with their lines."""

from __future__ import annotations

import tomllib
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from thinkcap.cli.plan.lines import line_of
from thinkcap.policies import BadInput
from thinkcap.policies.laws import read_rate
from thinkcap.policies.plan import MONTH_S, Option, Step, hosted

__all__ = ["PlanFile", "per_month", "read_plan"]

Above0 = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PointModel(_Strict):
    """One measured point: an accuracy and the tokens or dollars a question took."""

    tokens: Above0 | None = None
    usd: Above0 | None = None
    accuracy: Share
    seconds: Above0 | None = None
    questions: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one_unit(self) -> PointModel:
        if (self.tokens is None) == (self.usd is None):
            raise ValueError("a point has either tokens or usd")
        return self


class OptionModel(_Strict):
    """A way to answer: its points, and its price by the token, by the GPU hour, or in the points."""

    name: Annotated[str, Field(min_length=1)]
    task: str | None = None
    points: Annotated[list[PointModel], Field(min_length=1)]
    usd_per_million: Above0 | None = None
    gpu_usd_per_hour: Above0 | None = None
    gpus: Above0 = 1
    tokens_per_s: Above0 | None = None
    fixed_usd_per_month: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def _one_price(self) -> OptionModel:
        units = {point.usd is None for point in self.points}
        if len(units) > 1:
            raise ValueError("its points are either all in tokens or all in usd")
        if (self.gpu_usd_per_hour is None) != (self.tokens_per_s is None):
            raise ValueError("gpu_usd_per_hour and tokens_per_s go together")
        prices = (self.usd_per_million is not None) + (self.gpu_usd_per_hour is not None)
        if units == {False} and prices:
            raise ValueError("its points are in usd, so it takes no price")
        if units == {True} and prices != 1:
            raise ValueError("points in tokens take one price: usd_per_million, or gpu_usd_per_hour with tokens_per_s")
        return self

    def option(self) -> Option:
        """The option as the planner takes it."""
        steps = tuple(
            Step(point.usd or point.tokens or 0.0, point.accuracy, point.seconds, point.questions)
            for point in self.points
        )
        if self.gpu_usd_per_hour is not None and self.tokens_per_s is not None:
            fixed = self.fixed_usd_per_month
            return hosted(self.name, steps, self.gpu_usd_per_hour, self.tokens_per_s, gpus=self.gpus, fixed_usd=fixed)
        price = 1.0 if self.usd_per_million is None else self.usd_per_million / 1e6
        return Option(self.name, steps, price, self.fixed_usd_per_month)


class PlanFile(_Strict):
    """A whole plan."""

    demand: str
    target: Share
    max_seconds: Above0 | None = None
    option: Annotated[list[OptionModel], Field(min_length=1)]

    @model_validator(mode="after")
    def _comparable(self) -> PlanFile:
        names = [option.name for option in self.option]
        if len(names) != len(set(names)):
            raise ValueError("each option needs a name of its own")
        tasks = sorted({option.task for option in self.option if option.task is not None})
        if len(tasks) > 1:
            raise ValueError(f"accuracies on different tasks cannot be compared: {' and '.join(map(repr, tasks))}")
        return self


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
        where = tuple(part for part in first["loc"] if not str(part).startswith("function"))
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
