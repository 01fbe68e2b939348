"""A curve as JSON. A file that is loaded is data from anywhere: it is checked, number by number, and never run."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thinkcap.policies.curves.advice import Advice
from thinkcap.policies.curves.arm import ArmCurve, Choice, Measured
from thinkcap.policies.curves.grid import CHANCES, CROWDING
from thinkcap.policies.curves.mass import Mass, Shape
from thinkcap.policies.curves.points import Point
from thinkcap.policies.curves.price import Price
from thinkcap.policies.curves.quadrature import Array
from thinkcap.policies.curves.rightness import Family, Rightness
from thinkcap.policies.curves.tokens import Tokens
from thinkcap.policies.errors import BadInput
from thinkcap.policies.expected import Expectation
from thinkcap.policies.interval import Interval
from thinkcap.policies.values import Api, Arm
from thinkcap.policies.written import policy_of, written

__all__ = ["SCHEMA", "read", "text", "write"]

SCHEMA = "thinkcap-curve/1"
"""Name and version of the format."""

_LARGEST = 64 * 2**20
_MOST_DRAWS, _MOST_DIRECTIONS = 1024, 64

_Share = Annotated[float, Field(ge=0, le=1)]
_Positive = Annotated[float, Field(gt=0, le=1e15)]
_Amount = Annotated[float, Field(ge=0, le=1e15)]
_Number = Annotated[float, Field(ge=-1e15, le=1e15)]
_Whole = Annotated[int, Field(ge=0, le=2**53)]
_Count = Annotated[int, Field(ge=1, le=10**9)]
_Name = Annotated[str, Field(min_length=1, max_length=1000)]
_Line = Annotated[str, Field(max_length=2000)]
_Rows = list[list[_Number]]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class _Request(_Part):
    model: _Name
    effort: _Name | None
    name: _Name | None
    max_output_tokens: Annotated[int, Field(ge=1)] | None
    temperature: _Amount | None
    template: str | None
    stop: list[str]
    client: _Name
    api: Api


class _Choice(_Part):
    family: Family
    a: _Positive
    b: _Positive
    scale: _Share
    zero: _Share
    one: _Share
    held_out: _Number


class _Shape(_Part):
    centre: _Number
    slope: _Number
    spread: _Positive


class _Mass(_Part):
    mean: _Rows
    scores: _Rows
    directions: list[_Rows]
    shape: _Shape | None
    converged: bool


class _Tokens(_Part):
    mean: _Number
    shared: _Number
    own: _Amount
    within: _Positive
    tie: Annotated[float, Field(ge=-1, le=1)]
    lean: Annotated[float, Field(ge=-100, le=100)]
    most: _Whole
    scale: _Positive
    stretch: _Positive = 1.0
    freedom: Annotated[float, Field(ge=2, le=200)] | None = None


class _Price(_Part):
    base_nusd: _Amount
    input_nusd: _Amount | None
    output_nusd: _Amount
    mean_nusd: _Amount
    error: _Amount


class _Measured(_Part):
    how: Literal["vote", "verified"]
    attempts: Annotated[int, Field(ge=1)]
    accuracy: tuple[_Share, _Share, _Share]


class _Arm(_Part):
    label: _Name
    request: _Request
    choices: Annotated[list[_Choice], Field(min_length=1, max_length=10)]
    mass: _Mass
    loading: _Share
    silent: _Share
    votes: bool
    tokens: _Tokens
    token_draws: _Rows
    price: _Price
    means: _Rows
    measured: Annotated[list[_Measured], Field(max_length=1000)]
    questions: _Count
    groups: _Count
    attempts: _Count
    most: _Count
    converged: bool


class _Advice(_Part):
    arm: _Name
    half_width: _Share
    by_questions: _Share
    questions: Annotated[list[_Name], Field(max_length=100)]
    text: _Line


class _Expected(_Part):
    accuracy: tuple[_Share, _Share, _Share]
    usd: tuple[_Amount, _Amount, _Amount]
    output_tokens: _Amount
    attempts: _Amount
    agreed: _Share | None


class _Point(_Part):
    policy: dict[str, Any]
    expected: _Expected


class _Curve(_Part):
    format: Annotated[str, Field(alias="schema")]
    source: str
    datasets: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=10_000)] = []
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    price_date: Annotated[str, Field(max_length=100)] | None
    questions: _Count
    seed: Annotated[int, Field(ge=0, le=2**63)]
    bound: _Share | None
    residual: Annotated[float, Field(ge=-2.1, le=2.1)]
    agreement: list[list[_Share | None]]
    notes: Annotated[list[_Line], Field(max_length=10_000)]
    advice: Annotated[list[_Advice], Field(max_length=10_000)]
    points: Annotated[list[_Point], Field(max_length=1000)]
    arms: Annotated[list[_Arm], Field(min_length=1, max_length=10_000)]


def text(fields: dict[str, Any]) -> str:
    """A curve's fields as JSON."""
    arms: tuple[ArmCurve, ...] = fields["arms"]
    advice: tuple[Advice, ...] = fields["advice"]
    points: tuple[Point, ...] = fields["points"]
    whole = {
        "schema": SCHEMA,
        **{key: value for key, value in fields.items() if key not in ("arms", "advice", "notes", "points")},
        "notes": list(fields["notes"]),
        "advice": [
            {
                "arm": one.arm,
                "half_width": one.half_width,
                "by_questions": one.by_questions,
                "questions": list(one.questions),
                "text": one.text,
            }
            for one in advice
        ],
        "points": [_point_out(point) for point in points],
        "arms": [_arm_out(arm) for arm in arms],
    }
    return json.dumps(whole, allow_nan=False, ensure_ascii=False)


def write(path: str | Path, fields: dict[str, Any]) -> None:
    """Write a curve's fields to a file.

    Raises:
        BadInput: if it cannot be written.
    """
    content = (text(fields) + "\n").encode("utf-8")
    try:
        Path(path).write_bytes(gzip.compress(content, 9, mtime=0) if Path(path).suffix == ".gz" else content)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror or error}") from None


def read(path: str | Path) -> dict[str, Any]:
    """Read and check a curve's fields.

    Raises:
        BadInput: for a file that cannot be read, is too large, or is no curve of a version this thinkcap knows.
    """
    try:
        size = Path(path).stat().st_size
        if size > _LARGEST:
            raise BadInput(f"{path} is {size // 2**20} MB large, and no curve: at most {_LARGEST // 2**20} MB are read")
        content = _content(Path(path))
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise BadInput(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError):
        raise BadInput(f"{path} is no curve: it is not JSON") from None
    schema = whole.get("schema") if isinstance(whole, dict) else None
    if schema != SCHEMA:
        raise BadInput(f"{path} is no curve this thinkcap reads ({SCHEMA}): its schema is {schema!r}"[:500])
    try:
        return _fields(_Curve.model_validate_json(content), path)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{path} is no curve: {where}: {first['msg']}"[:500]) from None


def _content(path: Path) -> str:
    if path.suffix != ".gz":
        return path.read_text("utf-8")
    with gzip.open(path) as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise BadInput(f"{path} holds more than {_LARGEST // 2**20} MB, and is no curve")
    return content.decode("utf-8")


def _arm_out(curve: ArmCurve) -> dict[str, Any]:
    arm, mass, law, price = curve.arm, curve.mass, curve.tokens, curve.price
    return {
        "label": arm.label,
        "request": {
            name: getattr(arm, name)
            for name in ("model", "effort", "name", "max_output_tokens", "temperature", "template", "client", "api")
        }
        | {"stop": list(arm.stop)},
        "choices": [
            {
                **{name: getattr(one.rightness, name) for name in ("family", "a", "b", "scale", "zero", "one")},
                "held_out": one.held_out,
            }
            for one in curve.choices
        ],
        "mass": {
            "mean": mass.mean.tolist(),
            "scores": mass.scores.tolist(),
            "directions": mass.directions.tolist(),
            "shape": None if mass.shape is None else {name: getattr(mass.shape, name) for name in _Shape.model_fields},
            "converged": mass.converged,
        },
        "loading": curve.loading,
        "silent": curve.silent,
        "votes": curve.votes,
        "tokens": {name: getattr(law, name) for name in _Tokens.model_fields},
        "token_draws": curve.token_draws.tolist(),
        "price": {name: getattr(price, name) for name in _Price.model_fields},
        "means": curve.means.tolist(),
        "measured": [
            {
                "how": one.how,
                "attempts": one.attempts,
                "accuracy": [one.accuracy.mean, one.accuracy.low, one.accuracy.high],
            }
            for one in curve.measured
        ],
        "questions": curve.questions,
        "groups": curve.groups,
        "attempts": curve.attempts,
        "most": curve.most,
        "converged": curve.converged,
    }


def _point_out(point: Point) -> dict[str, Any]:
    expected = point.expected
    accuracy, usd = ((one.mean, one.low, one.high) for one in (expected.accuracy, expected.usd))
    return {
        "policy": written(point.policy),
        "expected": {
            "accuracy": list(accuracy),
            "usd": list(usd),
            "output_tokens": expected.output_tokens,
            "attempts": expected.attempts,
            "agreed": expected.agreed,
        },
    }


def _point_in(point: _Point, path: str | Path) -> Point:
    expected = point.expected
    try:
        policy = policy_of(point.policy)
    except BadInput as error:
        raise BadInput(f"{path} is no curve: {error}") from None
    return Point(
        policy,
        Expectation(
            Interval(*expected.accuracy),
            Interval(*expected.usd),
            expected.output_tokens,
            expected.attempts,
            expected.agreed,
        ),
    )


def _fields(curve: _Curve, path: str | Path) -> dict[str, Any]:
    labels = [arm.label for arm in curve.arms]
    if len(set(labels)) < len(labels):
        raise BadInput(f"{path} is no curve: an arm is in it twice")
    if [len(row) for row in curve.agreement] != [len(labels)] * len(labels):
        raise BadInput(f"{path} is no curve: agreement does not have a row and a column an arm")
    return {
        "arms": tuple(_arm_in(arm, path) for arm in curve.arms),
        "source": curve.source,
        "datasets": tuple(curve.datasets),
        "fingerprint": curve.fingerprint,
        "price_date": curve.price_date,
        "questions": curve.questions,
        "seed": curve.seed,
        "bound": curve.bound,
        "residual": curve.residual,
        "agreement": tuple(tuple(row) for row in curve.agreement),
        "notes": tuple(curve.notes),
        "advice": tuple(
            Advice(one.arm, one.half_width, one.by_questions, tuple(one.questions), one.text) for one in curve.advice
        ),
        "points": tuple(_point_in(point, path) for point in curve.points),
    }


def _arm_in(arm: _Arm, path: str | Path) -> ArmCurve:
    where = f"{path} is no curve: {arm.label}"
    request = Arm(**{**arm.request.model_dump(), "stop": tuple(arm.request.stop)})
    if request.label != arm.label:
        raise BadInput(f"{where}: its request is that of {request.label!r}")
    draws = len(arm.mass.scores)
    directions = len(arm.mass.directions)
    if not 1 <= draws <= _MOST_DRAWS or not 1 <= directions <= _MOST_DIRECTIONS:
        raise BadInput(f"{where}: it has {draws} draws in {directions} directions")
    size = (len(CHANCES), len(CROWDING))
    mean = _array(arm.mass.mean, size, f"{where}: mass.mean")
    if (mean < 0).any() or abs(float(mean.sum()) - 1) > 1e-3:
        raise BadInput(f"{where}: mass.mean is no distribution")
    choices = tuple(
        Choice(Rightness(one.family, one.a, one.b, one.scale, one.zero, one.one), one.held_out) for one in arm.choices
    )
    shape = arm.mass.shape
    return ArmCurve(
        arm=request,
        choices=choices,
        mass=Mass(
            mean,
            _array(arm.mass.scores, (draws, directions), f"{where}: mass.scores"),
            _array(arm.mass.directions, (directions, *size), f"{where}: mass.directions"),
            None if shape is None else Shape(shape.centre, shape.slope, shape.spread),
            arm.mass.converged,
        ),
        loading=arm.loading,
        silent=arm.silent,
        votes=arm.votes,
        tokens=Tokens(**arm.tokens.model_dump()),
        token_draws=_array(arm.token_draws, (draws, 4), f"{where}: token_draws"),
        price=Price(**arm.price.model_dump()),
        means=_array(arm.means, (draws, 2), f"{where}: means"),
        measured=tuple(Measured(one.how, one.attempts, Interval(*one.accuracy)) for one in arm.measured),
        questions=arm.questions,
        groups=arm.groups,
        attempts=arm.attempts,
        most=arm.most,
        converged=arm.converged,
    )


def _array(rows: Any, size: tuple[int, ...], what: str) -> Array:
    try:
        found = np.array(rows, dtype=np.float64)
    except ValueError:
        found = np.empty(0)
    if found.shape != size:
        raise BadInput(f"{what} is not of size {' x '.join(map(str, size))}")
    return found
