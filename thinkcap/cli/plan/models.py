"""A plan's form, as pydantic checks it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from thinkcap.policies.plan import Hardware, Paid, Rates

__all__ = ["OptionModel", "PlanFile", "PointModel", "PricesModel"]

Above0 = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]
Name = Annotated[str, Field(min_length=1)]

_SOURCES = ("points", "curve", "published")
_PRICES = (
    'prices = { input = DOLLARS, output = DOLLARS } per million tokens, prices = "MODEL" for its list price, '
    "usd_per_million, or gpu_usd_per_hour with tokens_per_s"
)
_HARDWARE = ("gpus", "prefill_tokens_per_s", "utilisation")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PointModel(_Strict):
    """One measured point: an accuracy and the tokens or dollars a question took."""

    name: str = ""
    tokens: Above0 | None = None
    input_tokens: Above0 | None = None
    usd: Above0 | None = None
    accuracy: Share
    seconds: Above0 | None = None
    questions: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one_unit(self) -> PointModel:
        if (self.tokens is None) == (self.usd is None):
            raise ValueError("a point has either tokens or usd")
        if self.usd is not None and self.input_tokens is not None:
            raise ValueError("a point in usd has no input_tokens: its dollars hold them")
        return self


class PricesModel(_Strict):
    """Dollars per million tokens read, and per million written."""

    input: Above0
    output: Above0


class OptionModel(_Strict):
    """A way to answer: what was measured of it, and how it is paid.

    Measured: ``points`` typed in, a fitted ``curve``, or ``published`` figures. Paid: in dollars a point, by the token,
    or by the hour of hardware.
    """

    name: Name
    task: Name | None = None
    points: Annotated[list[PointModel], Field(min_length=1)] | None = None
    curve: Name | None = None
    arm: Name | None = None
    published: Name | Annotated[list[Name], Field(min_length=1)] | None = None
    input_tokens: Above0 | None = None
    usd_per_million: Above0 | None = None
    prices: PricesModel | Name | None = None
    gpu_usd_per_hour: Above0 | None = None
    gpus: Above0 = 1
    tokens_per_s: Above0 | None = None
    prefill_tokens_per_s: Above0 | None = None
    utilisation: Annotated[float, Field(gt=0, le=1)] = 1.0
    request_tokens_per_s: Above0 | None = None
    fixed_usd_per_month: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def _whole(self) -> OptionModel:
        given = [name for name in _SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"an option has one of points, curve and published, not {' and '.join(given) or 'none'}")
        if self.arm is not None and self.curve is None:
            raise ValueError("arm names an arm of a curve, and there is no curve")
        if (self.gpu_usd_per_hour is None) != (self.tokens_per_s is None):
            raise ValueError("gpu_usd_per_hour and tokens_per_s go together")
        odd = [name for name in _HARDWARE if name in self.model_fields_set]
        if odd and self.gpu_usd_per_hour is None:
            raise ValueError(f"{odd[0]} is of hardware by the hour: it takes gpu_usd_per_hour and tokens_per_s")
        if self.ways_to_pay > 1:
            raise ValueError(f"an option takes one price: {_PRICES}")
        if self.points is not None:
            self._check_points(self.points)
        return self

    def _check_points(self, points: list[PointModel]) -> None:
        units = {point.usd is None for point in points}
        if len(units) > 1:
            raise ValueError("its points are either all in tokens or all in usd")
        if units == {False} and self.ways_to_pay:
            raise ValueError("its points are in usd, so it takes no price")
        if units == {False} and self.request_tokens_per_s is not None:
            raise ValueError("its points are in usd: give their seconds instead of request_tokens_per_s")
        if units == {False} and self.input_tokens is not None:
            raise ValueError("its points are in usd, which hold the input tokens")
        if units == {True} and not self.ways_to_pay:
            raise ValueError(f"points in tokens take one price: {_PRICES}")

    @property
    def ways_to_pay(self) -> int:
        """How many are given."""
        return sum(value is not None for value in (self.usd_per_million, self.prices, self.gpu_usd_per_hour))

    @property
    def paid(self) -> Paid | None:
        """How its tokens are paid; None where its points hold their cost, or its prices are a model's list price."""
        if self.gpu_usd_per_hour is not None and self.tokens_per_s is not None:
            return Hardware(
                self.gpu_usd_per_hour, self.tokens_per_s, self.gpus, self.prefill_tokens_per_s, self.utilisation
            )
        if self.usd_per_million is not None:
            return Rates(self.usd_per_million, self.usd_per_million)
        if isinstance(self.prices, PricesModel):
            return Rates(self.prices.input, self.prices.output)
        return None


class PlanFile(_Strict):
    """A whole plan."""

    demand: str
    target: Share
    max_seconds: Above0 | None = None
    price_factor: Annotated[float, Field(gt=1, le=1000)] = 2.0
    task: Name | None = None
    input_tokens: Above0 | None = None
    option: Annotated[list[OptionModel], Field(min_length=1)]

    @model_validator(mode="after")
    def _names(self) -> PlanFile:
        names = [option.name for option in self.option]
        if len(names) != len(set(names)):
            raise ValueError("each option needs a name of its own")
        return self
