"""The options of a plan as the planner takes them: typed in, from fitted curves, or from published figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from thinkcap.cli.plan.lines import line_of
from thinkcap.cli.plan.models import OptionModel, PlanFile, PointModel
from thinkcap.cli.plan.published import SOURCES, Figure, find_figure
from thinkcap.policies import BadInput, UnknownPrice
from thinkcap.policies.plan import Option, Paid, Rates, Step, TokenStep, curve_option, tokens_option

if TYPE_CHECKING:
    from thinkcap.policies.curves import Curve

__all__ = ["options_of"]


def options_of(plan: PlanFile, text: str, name: str, folder: Path) -> list[Option]:
    """The options of a plan, whose accuracies are of one task.

    Args:
        plan: as it was read.
        text: the file, for lines.
        name: how errors call it.
        folder: what paths of curves start from.

    Raises:
        BadInput: in one line, with the line of the file.
    """
    found, seen = [], None if plan.task is None else (plan.task, "the plan")
    for place, model in enumerate(plan.option):
        key = next(key for key in ("curve", "published", "points") if getattr(model, key) is not None)
        where = f"{name}, line {line_of(text, ('option', place, key))}"
        try:
            option, task = _option(model, plan.input_tokens, folder)
        except _AtKey as error:
            raise BadInput(f"{name}, line {line_of(text, ('option', place, error.key))}: {error}") from None
        except BadInput as error:
            raise BadInput(f"{where}: {error}") from None
        if model.task is not None and task is not None and not _same(model.task, task):
            raise BadInput(
                f"{where}: {model.name!r} says its task is {model.task!r}, and its figures are of {task!r}: accuracies "
                "on different tasks cannot be compared"
            )
        task = task or model.task
        if task is not None and seen is not None and not _same(task, seen[0]):
            raise BadInput(
                f"{where}: accuracies on different tasks cannot be compared: {model.name!r} is on {task!r}, and "
                f"{seen[1]} on {seen[0]!r}"
            )
        if task is not None and seen is None:
            seen = (task, repr(model.name))
        found.append(option)
    return found


class _AtKey(BadInput):
    """What is wrong is another key of the option than its source."""

    def __init__(self, key: str, said: str) -> None:
        super().__init__(said)
        self.key = key


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _option(model: OptionModel, input_tokens: float | None, folder: Path) -> tuple[Option, str | None]:
    """An option, and the task its figures are of; None where they do not say."""
    if model.curve is not None:
        from thinkcap.policies.curves import Curve  # brings numpy

        path = folder / Path(model.curve).expanduser()
        curve = Curve.load(path)
        return _of_curve(model, curve), " + ".join(curve.datasets) or None
    if model.published is not None:
        names = [model.published] if isinstance(model.published, str) else model.published
        figures = [find_figure(name) for name in names]
        if len({figure.benchmark for figure in figures}) > 1:
            raise BadInput(
                "accuracies on different tasks cannot be compared: "
                + " and ".join(sorted({figure.benchmark for figure in figures}))
            )
        return _of_figures(model, figures), figures[0].benchmark
    return _of_points(model, model.points or [], input_tokens), None


def _of_points(model: OptionModel, points: list[PointModel], input_tokens: float | None) -> Option:
    paid, notes = _paid(model)
    if paid is None:
        steps = tuple(
            Step(point.usd or 0.0, point.accuracy, point.seconds, point.questions, name=point.name) for point in points
        )
        return Option(model.name, steps, fixed_usd=model.fixed_usd_per_month)
    read = model.input_tokens or input_tokens
    return tokens_option(
        model.name,
        [
            TokenStep(
                point.tokens or 0.0,
                point.accuracy,
                point.input_tokens or read or 0.0,
                point.seconds,
                point.questions,
                name=point.name,
            )
            for point in points
        ],
        paid,
        request_tokens_per_s=model.request_tokens_per_s,
        fixed_usd=model.fixed_usd_per_month,
        notes=notes,
    )


def _paid(model: OptionModel) -> tuple[Paid | None, tuple[str, ...]]:
    """How an option's tokens are paid, and what to know of it."""
    if not isinstance(model.prices, str):
        return model.paid, ()
    from thinkcap.controller import PriceBook

    try:
        price = PriceBook().lookup(model.prices)
    except UnknownPrice:
        said = f"there is no list price of {model.prices!r}: write prices = {{ input = DOLLARS, output = DOLLARS }}"
        raise _AtKey("prices", f"{said}, per million tokens") from None
    read, written = price.usd_per_mtok
    note = f"{model.name}: list price of {price.model} on {price.date}, ${read:g} and ${written:g} per million tokens"
    return Rates(read, written), (note,)


def _of_figures(model: OptionModel, figures: list[Figure]) -> Option:
    dates = sorted({figure.date for figure in figures})
    origin = SOURCES[figures[0].source]
    evidence = " + ".join(sorted(figure.name for figure in figures))
    paid, priced = _paid(model)
    notes = [*priced, f"source: {origin.title}, {' and '.join(dates)}, {origin.url}"]
    if paid is None:
        bare = [figure.name for figure in figures if figure.usd is None]
        if bare:
            raise BadInput(f"{bare[0]} was published without its cost: give a price for its tokens")
        steps = tuple(
            Step(figure.usd or 0.0, figure.accuracy, _seconds(model, figure), figure.questions, name=figure.way)
            for figure in figures
        )
        return Option(model.name, steps, fixed_usd=model.fixed_usd_per_month, evidence=evidence, notes=tuple(notes))
    silent = [figure.name for figure in figures if figure.output_tokens is None]
    if silent:
        raise BadInput(f"{silent[0]} was published without its tokens, so it takes no price of its own: leave it out")
    if model.input_tokens is None and any(figure.input_tokens is None for figure in figures):
        notes.append(f"{model.name}: its input tokens were not published, so reading them is not counted")
    return tokens_option(
        model.name,
        [
            TokenStep(
                figure.output_tokens or 0.0,
                figure.accuracy,
                model.input_tokens or figure.input_tokens or 0.0,
                None if model.gpu_usd_per_hour is not None else figure.seconds,  # those of another's hardware
                figure.questions,
                name=figure.way,
            )
            for figure in figures
        ],
        paid,
        request_tokens_per_s=model.request_tokens_per_s,
        fixed_usd=model.fixed_usd_per_month,
        evidence=evidence,
        notes=tuple(notes),
    )


def _seconds(model: OptionModel, figure: Figure) -> float | None:
    if model.request_tokens_per_s is None or figure.output_tokens is None:
        return figure.seconds
    return figure.output_tokens / model.request_tokens_per_s


def _of_curve(model: OptionModel, curve: Curve) -> Option:
    if model.arm is not None:
        try:
            curve.arm(model.arm)
        except BadInput as error:
            raise _AtKey("arm", str(error)) from None
    paid, priced = _paid(model)
    option = curve_option(
        model.name,
        curve,
        arm=model.arm,
        paid=paid,
        request_tokens_per_s=model.request_tokens_per_s,
        fixed_usd=model.fixed_usd_per_month,
    )
    notes = [*priced, *option.notes]
    if not curve.datasets:
        notes.append(f"{model.name}: its curve does not say which task it was fitted on")
    if paid is None:
        notes += [f"{model.name}: {note}" for note in _since_then(curve)]
    return replace(option, notes=tuple(notes))


def _since_then(curve: Curve) -> tuple[str, ...]:
    """Where today's list prices are not those the curve was recorded at; models without a list price are left out."""
    from thinkcap.controller import PriceBook

    book, prices = PriceBook(), {}
    for arm in curve.arms:
        try:
            price = book.lookup(arm.arm.model)
        except UnknownPrice:
            continue
        prices[arm.arm.label] = price.usd_per_mtok
    return curve.check([arm.arm for arm in curve.arms], prices)
