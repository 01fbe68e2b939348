"""What a batch and a stream have in common: how questions are asked, what money buys, and the account they draw on."""

from __future__ import annotations

import secrets
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

from thinkcap.controller.account import Account
from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.effects import Asked
from thinkcap.controller.expecting import UnlikeExpected
from thinkcap.controller.recorder import Recorder
from thinkcap.controller.resuming import Name
from thinkcap.controller.solving import OnAttempt, Solver, check_format
from thinkcap.controller.tools import read_tools
from thinkcap.controller.wire import ResponseFormat, build, opening
from thinkcap.policies import Arm, BadInput, Dollars, Expectation, Expected, Extract, Finishing, Item, Where, asks
from thinkcap.policies.interval import Interval

if TYPE_CHECKING:
    from thinkcap.policies.curves import Curve, Point

__all__ = [
    "Asking",
    "check_concurrency",
    "check_told",
    "first_cap",
    "levels_for",
    "open_budget",
    "read_asking",
    "read_item",
    "read_items",
    "worst_of",
]


class Asking(TypedDict, total=False):
    """How the questions of a batch or a stream are asked, as ``solve`` takes it; an item's own word goes before.

    Attributes:
        ceiling: of each question, inside the budget, instead of the controller's.
        extract, verifier, tools, response_format, max_steps, on_attempt: as :meth:`Controller.solve` takes them.
    """

    ceiling: Ceiling | Dollars | None
    extract: Extract | None
    verifier: Any
    tools: Iterable[Callable[..., Any]]
    response_format: ResponseFormat | None
    max_steps: int
    on_attempt: OnAttempt | None


def read_asking(solver: Solver[Any], asking: Asking) -> dict[str, Any]:
    """The same as the options of a question.

    Raises:
        BadInput: for an option that there is not.
    """
    if unknown := asking.keys() - Asking.__annotations__.keys():
        raise BadInput(f"there is no {min(unknown)}=; there are {', '.join(Asking.__annotations__)}")
    check_told(asking.get("on_attempt"), "on_attempt")
    check_format(asking.get("response_format"))
    ceiling = asking.get("ceiling")
    return {
        "ceiling": solver.ceiling if ceiling is None else Ceiling.of(ceiling),
        "extract": asking.get("extract"),
        "verifier_spec": asking.get("verifier"),
        "tools": tuple(asking.get("tools", ())),
        "response_format": asking.get("response_format"),
        "max_steps": asking.get("max_steps", 8),
        "on_attempt": asking.get("on_attempt"),
    }


def read_item(question: Asked | Item, number: int, recorder: Recorder | None) -> tuple[Name, Asked, dict[str, Any]]:
    """A question's name, what is asked, and the options it brings.

    One without an id is called by its place; where it is recorded, by what it asks, as ``solve`` calls it.
    """
    if not isinstance(question, Item):
        name = f"question-{number}" if recorder is None else recorder.name(question)
        return (None, name), question, {}
    own: dict[str, Any] = {
        "extract": question.extract,
        "where": Where(question.question_id, question.dataset, question.group),
    }
    if question.verify is not None:
        own["verifier_spec"] = question.verify
    if question.answer is not None or question.verify is not None:
        own["grade"] = question.grade
    return (question.dataset, question.question_id), question.question, own


def read_items(
    questions: Iterable[Asked | Item], recorder: Recorder | None
) -> list[tuple[Name, Asked, dict[str, Any]]]:
    """All of a batch, each with a name of its own.

    Raises:
        BadInput: if there is none, or two have one id.
    """
    items: list[tuple[Name, Asked, dict[str, Any]]] = []
    seen = Counter[Name]()
    for number, question in enumerate(questions, start=1):
        name, asked, own = read_item(question, number, recorder)
        seen[name] += 1
        if (times := seen[name]) > 1:
            if own or recorder is None:
                raise BadInput(f"two questions have the id {name[1]!r}; give one of them another")
            name = (None, f"{name[1]} ({times})")  # the same is asked again
        items.append((name, asked, own))
    if not items:
        raise BadInput("there is no question to answer")
    return items


def check_told(told: object, what: str) -> None:
    """Refuse one that cannot be told of anything, before anything is paid.

    Raises:
        BadInput: if it is neither a function nor None.
    """
    if told is not None and not callable(told):
        raise BadInput(f"{what}= must be a function, not {told!r}")


def check_concurrency(concurrency: object) -> int:
    """Attempts, or questions, in flight at most.

    Raises:
        BadInput: if it is no whole number from 1.
    """
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
        raise BadInput(f"concurrency must be a whole number from 1, not {concurrency!r}")
    return concurrency


def levels_for(solver: Solver[Any], curve: Curve | None) -> tuple[Point, ...]:
    """What money buys: a curve's policies, else the controller's own, with whatever is expected of it.

    Warns of prices and caps that are not those the curve was fitted at.

    Raises:
        BadInput: if the curve's policies ask an arm that the controller has not, or that is not the one recorded.
    """
    from thinkcap.policies.curves import Point

    if curve is None:
        policy, unknown = solver.policy, Interval(0.0, 0.0, 0.0)
        if isinstance(policy, Expected):
            return (Point(policy.policy, policy.expected),)
        return (Point(policy, Expectation(unknown, unknown, 0.0, 1.0)),)
    asked = {label for point in curve.frontier() for label in asks(point.policy) or ()}
    if missing := sorted(asked - {arm.label for arm in solver.arms}):
        raise BadInput(f"the curve's policies ask {', '.join(missing)}, which the controller has no arm for")
    for differs in curve.check([arm for arm in solver.arms if arm.label in asked], solver.usd_per_mtok()):
        warnings.warn(differs, UnlikeExpected, stacklevel=4)
    return tuple(replace(point, policy=curve.finishing(point.policy)) for point in curve.frontier())


def worst_of(
    solver: Solver[Any], questions: Iterable[Asked], options: Mapping[str, Any], levels: Sequence[Point]
) -> list[int]:
    """The most that one call at each of the questions can cost, in nano-dollars, at the arms that the levels ask.

    Raises:
        BadInput: for a question or an option that cannot be used; and what asking would raise.
    """
    tools = read_tools(options["tools"], coroutines=solver._awaits).values()
    asked = {label for level in levels for label in asks(level.policy) or [arm.label for arm in solver.arms]}
    arms = [arm for arm in solver.arms if arm.label in asked] or solver.arms
    account = solver.account or Account(1)  # nothing is reserved here
    meters = {key: solver._meter(account, client, []) for key, client in solver.clients.items()}
    ceiling = options["ceiling"]
    most = None if ceiling is None else ceiling.nano
    worst = []
    for question in questions:
        costs = []
        for arm in arms:
            request = build(
                arm, opening(question, arm), cap=None, tools=tools, response_format=options["response_format"]
            )
            quote = meters[arm.client].quote(request.body, arm.api)
            costs.append(quote.worst(first_cap(solver, arm, levels)))
        worst.append(max(costs) if most is None else min(max(costs), most))
    return worst


def first_cap(solver: Solver[Any], arm: Arm, levels: Sequence[Point]) -> int:
    """The largest output cap of a question's first call at an arm: its own, else a level's, else the default."""
    caps = [level.policy.caps(arm.label, ()) for level in levels if isinstance(level.policy, Finishing)]
    largest = max((cap for _, cap in filter(None, caps)), default=solver._default_output_tokens)
    return arm.max_output_tokens or largest


def open_budget(solver: Solver[Any], budget: Ceiling | Dollars, name: str | None, *, resume: bool = False) -> Account:
    """The account that a batch or a stream draws on: a child of the controller's, else one of its own.

    Raises:
        BadInput: if it is no amount of money, or is to go on without an account that knows what was spent.
    """
    limit = Ceiling.of(budget)
    if limit.nano is None:
        raise BadInput("budget= must say how many dollars, as a number or as Ceiling(usd=..., seconds=...)")
    if resume and (name is None or solver.account is None):
        raise BadInput("resume=True needs name=, and a controller with account=Account(..., name=, ledger=)")
    own = name or f"many #{secrets.token_hex(6)}"
    return Account(limit, name=own) if solver.account is None else solver.account.child(own, limit)
