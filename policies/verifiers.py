"""Verifiers: functions that say of an answer whether it is right, without asking anyone else.

A verifier receives the extracted answer in canonical form, or the whole text where nothing is extracted. It
returns ``True`` or ``False``. :func:`check` never mistakes anything else for a pass: an exception, ``None`` or a
truthy object is a verifier that failed, and the answer stays unverified. Limits of time are the driver's.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thinkcap.policies.answers import one_line
from thinkcap.policies.canonical import canonical
from thinkcap.policies.errors import BadInput

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["Verdict", "Verifier", "Verify", "check", "equals", "grade", "matches", "model", "schema", "verifier"]

Verifier = Callable[[str], bool]
"""An answer in, right or wrong out."""

Verify = Verifier | re.Pattern[str] | Mapping[str, Any] | type[Any]
"""What :func:`verifier` reads: a function, a compiled pattern, a pydantic model or a ``{"equals": ...}`` form."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verifier said of one answer.

    Attributes:
        passed: whether the answer is right; None if the verifier failed.
        error: one line on how it failed; None if it did not.
    """

    passed: bool | None
    error: str | None = None


def equals(expected: object) -> Verifier:
    """Right if the answer is the expected one in canonical form: ``1/2`` equals ``0.5``, ``Paris`` equals ``paris``.

    Raises:
        BadInput: if what is expected is None or blank.
    """
    wanted = canonical(expected)
    if wanted is None:
        raise BadInput(f"the expected answer must not be empty, but is {expected!r}")
    return lambda answer: canonical(answer) == wanted


def matches(pattern: str | re.Pattern[str]) -> Verifier:
    """Right if a regular expression matches the whole answer.

    An extracted answer is in canonical form (case folded); give the pattern ``(?i)`` if it has capitals.

    Raises:
        BadInput: if the pattern is no regular expression for text.
    """
    try:
        compiled = re.compile(pattern)
    except (re.error, TypeError, RecursionError, OverflowError) as error:
        raise BadInput(f"{pattern!r} is not a regular expression: {one_line(error)}") from None
    if not isinstance(compiled.pattern, str):
        raise BadInput(f"{compiled.pattern!r} is a regular expression for bytes; write it for text")
    return lambda answer: compiled.fullmatch(answer) is not None


def schema(form: Mapping[str, Any]) -> Verifier:
    """Right if the answer is JSON, and nothing around it, that a JSON schema accepts.

    The draft is the one its ``$schema`` names, else 2020-12. References are looked up in the schema itself and
    never fetched.

    Raises:
        BadInput: if it is no valid JSON schema, or if the ``jsonschema`` package is not installed.
    """
    if not isinstance(form, Mapping):
        raise BadInput(f"a JSON schema must be an object such as {{'type': 'number'}}, not {form!r}")
    try:
        validators = importlib.import_module("jsonschema.validators")
        drafts = importlib.import_module("jsonschema_specifications").REGISTRY
    except ImportError:
        raise BadInput("a JSON schema needs the jsonschema package: pip install 'thinkcap[schema]'") from None
    rules = dict(form)
    kind = validators.validator_for(rules, default=validators.Draft202012Validator)
    try:
        kind.check_schema(rules)
    except Exception as error:  # SchemaError, or whatever a value that is not JSON provokes
        raise BadInput(f"not a valid JSON schema: {one_line(error)}") from None
    accepts = kind(rules, registry=drafts).is_valid

    def fits(answer: str) -> bool:
        try:
            value = json.loads(answer, parse_constant=_refuse)
        except (ValueError, RecursionError):
            return False
        return bool(accepts(value))

    return fits


def model(kind: type[BaseModel]) -> Verifier:
    """Right if the answer is JSON, and nothing around it, that a pydantic model accepts.

    Raises:
        BadInput: if it is no pydantic model class.
    """
    from pydantic import BaseModel, ValidationError

    given: object = kind
    if not (isinstance(given, type) and issubclass(given, BaseModel)):
        raise BadInput(f"a class that verifies must be a pydantic model, not {kind!r}")

    def fits(answer: str) -> bool:
        try:
            kind.model_validate_json(answer)
        except ValidationError:
            return False
        return True

    return fits


def verifier(spec: Verify) -> Verifier:
    """The verifier that a caller means.

    - a function of the answer, taken as it is;
    - a compiled regular expression (:func:`matches`);
    - a pydantic model class (:func:`model`);
    - one of ``{"equals": VALUE}``, ``{"regex": TEXT}`` and ``{"schema": OBJECT}``, the form of question files.

    Raises:
        BadInput: for anything else, and for an async function.
    """
    if isinstance(spec, Mapping):
        return _from_form(spec)
    if isinstance(spec, re.Pattern):
        return matches(spec)
    if isinstance(spec, type):
        return model(spec)
    given: object = spec  # callers are not all type-checked
    if not callable(given) or inspect.iscoroutinefunction(given):
        raise BadInput(
            "a verifier must be a plain function, a compiled pattern, a pydantic model or one of "
            f"{{'equals': ...}}, {{'regex': ...}}, {{'schema': ...}}, not {spec!r}"
        )
    return spec


def check(verifier: Verifier, answer: str) -> Verdict:
    """Ask a verifier about an answer. Only a real ``True`` or ``False`` (numpy's count) is a verdict.

    An exception becomes the verdict's error; KeyboardInterrupt and its like pass through.
    """
    try:
        said: object = verifier(answer)
    except Exception as error:
        return Verdict(None, f"the verifier failed with {one_line(error)}")
    if isinstance(said, bool) or (type(said).__module__ == "numpy" and type(said).__name__ in ("bool", "bool_")):
        return Verdict(bool(said))
    if inspect.iscoroutine(said):
        said.close()
    shown = " ".join(reprlib.repr(said).split())
    return Verdict(None, f"the verifier must return True or False, but returned {shown}")


def grade(answer: str | None, *, expected: object | None = None, verifier: Verifier | None = None) -> bool | None:
    """Whether an answer is right, for a recording; a verifier decides where both it and an expectation are given.

    None means ungraded: there is nothing to grade by, or the verifier failed. No answer is wrong, not ungraded.

    Raises:
        BadInput: if what is expected is blank.
    """
    if verifier is None and expected is None:
        return None
    right = verifier if verifier is not None else equals(expected)
    return False if answer is None else check(right, answer).passed


def _from_form(form: Mapping[str, Any]) -> Verifier:
    builders: dict[str, Callable[[Any], Verifier]] = {"equals": equals, "regex": matches, "schema": schema}
    if len(form) != 1 or next(iter(form)) not in builders:
        raise BadInput(f"a verifier in a file must have exactly one of {', '.join(builders)}, not {dict(form)!r}")
    ((name, value),) = form.items()
    return builders[name](value)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
