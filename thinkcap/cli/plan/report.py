"""A plan as tables, and as data."""

from __future__ import annotations

from typing import Any

import typer
from rich.markup import escape

from thinkcap.cli.show import say, table
from thinkcap.policies.plan import Effort, Pair, Plan, Span, Step, Way

__all__ = ["as_data", "show"]


def show(found: Plan) -> None:
    """Tables of options, of pairs, and of what changes where a figure is off; what to know goes to standard error."""
    for note in notes_of(found):
        say(f"thinkcap: note: {note}")
    typer.echo(f"{100 * found.target:g} % right, {found.demand:,.0f} questions a month\n")
    timed = any(way.effort is not None and way.effort.seconds is not None for way in found.ways)
    columns = ["option", "$ / question", "$ / month", "95 % interval", *(["seconds"] if timed else []), "how"]
    table("", columns, [_row(way, timed=timed) for way in found.ways], words=("how",))
    if found.cheapest is not None:
        table(
            "",
            ["$ / month at", *(f"{demand:,.0f}" if demand >= 10 else f"{demand:.3g}" for demand in _demands(found))],
            _totals(found),
        )
    if found.pairs:
        columns = ["same cost", "questions / month", "with one figure off", "or at an accuracy of"]
        table("", columns, [_pair(pair) for pair in found.pairs])
    if found.cases and found.cheapest is not None:
        columns = ["if", "is cheapest", "$ / month", "cheapest by demand", "out of reach"]
        given = _case(found)
        rows = [[escape(f"{' and '.join(case.options)}: {case.change}"), *_case(case.plan)] for case in found.cases]
        same = sum(row[1:] == given for row in rows)
        caption = f"{same} other changes of one price or one interval's end change nothing here" if same else None
        rows = [["all is as given", *given], *(row for row in rows if row[1:] != given)]
        table("", columns, rows, caption, words=("is cheapest", "cheapest by demand", "out of reach"))
    best = found.cheapest
    typer.echo("no option reaches the target" if best is None else f"cheapest: {best.option.name}")


def _demands(found: Plan) -> list[float]:
    """Demands by decades around the plan's own."""
    return [found.demand * 10.0**decade for decade in (-2, -1, 0, 1, 2)]


def _totals(found: Plan) -> list[list[str]]:
    return [
        [escape(way.option.name), *(_usd(way.total.usd(demand)) for demand in _demands(found))]
        for way in found.ways
        if way.total is not None
    ]


def notes_of(found: Plan) -> list[str]:
    """What to know of the options, a line each."""
    notes = [note for way in found.ways for note in way.option.notes]
    if found.max_seconds is not None:
        notes += [
            f"{way.option.name}: how long it takes is not known, so {found.max_seconds:g} s does not bind it"
            for way in found.ways
            if way.effort is not None and way.effort.seconds is None
        ]
    return list(dict.fromkeys(notes))


def _row(way: Way, *, timed: bool) -> list[str]:
    name = escape(way.option.name)
    if way.effort is None or way.usd is None or way.total is None:
        return [name, "-", "-", _span(way), *(["-"] if timed else []), escape(way.why_not)]
    seconds = ["-" if way.effort.seconds is None else f"{way.effort.seconds:,.0f}"] if timed else []
    how = escape(_how(way.effort))
    return [name, _usd(way.total.usd_per_question), _usd(way.usd), _span(way), *seconds, how]


def _how(effort: Effort) -> str:
    parts = [_point(step) for step in effort.mix]
    if len(parts) == 1:
        return parts[0]
    return f"{100 * effort.dearer:.0f} % of questions: {parts[1]}; the others: {parts[0]}"


def _point(step: Step) -> str:
    right = f"{100 * step.accuracy:.1f} %"
    return f"{step.name} ({right})" if step.name else f"the point at {right}"


def _pair(pair: Pair) -> list[str]:
    spread = "-" if pair.low is None or pair.high is None else f"{pair.low:,.0f} to {pair.high:,.0f}"
    demands = ", ".join(f"{each:,.0f}" for each in pair.break_even) or "at none"
    return [
        escape(f"{pair.one} | {pair.other}"),
        demands,
        spread,
        ", ".join(f"{100 * each:.1f} %" for each in pair.accuracy) or "none",
    ]


def _case(plan: Plan) -> list[str]:
    best = plan.cheapest
    out = ", ".join(way.option.name for way in plan.ways if way.effort is None)
    if best is None or best.usd is None:
        return ["none", "-", "-", escape(out)]
    return [escape(best.option.name), _usd(best.usd), escape(_over(plan.spans)), escape(out) or "-"]


def _over(spans: tuple[Span, ...]) -> str:
    return "; then ".join(span.option if span.high is None else f"{span.option} to {span.high:,.0f}" for span in spans)


def _usd(usd: float) -> str:
    return f"${usd:,.0f}" if usd >= 100 else f"${usd:.3g}"


def _span(way: Way) -> str:
    if not way.option.known:
        return "not known"
    if way.low_usd == way.high_usd:
        return "-" if way.low_usd is None else "the same"
    return " to ".join("out of reach" if usd is None else _usd(usd) for usd in (way.low_usd, way.high_usd))


def as_data(found: Plan) -> dict[str, Any]:
    """All of a plan, ready for JSON."""
    return {
        "demand_per_month": found.demand,
        "target": found.target,
        "max_seconds": found.max_seconds,
        **_answer(found),
        "options": [_way_data(way) for way in found.ways],
        "totals": [
            {
                "demand_per_month": demand,
                "usd_per_month": {
                    way.option.name: way.total.usd(demand) for way in found.ways if way.total is not None
                },
            }
            for demand in _demands(found)
        ],
        "pairs": [
            {
                "one": pair.one,
                "other": pair.other,
                "break_even_per_month": list(pair.break_even),
                "low": pair.low,
                "high": pair.high,
                "same_cost_at_accuracy": list(pair.accuracy),
            }
            for pair in found.pairs
        ],
        "cases": [
            {
                "options": list(case.options),
                "change": case.change,
                **_answer(case.plan),
                "out_of_reach": [way.option.name for way in case.plan.ways if way.effort is None],
                "pairs": [
                    {"one": pair.one, "other": pair.other, "break_even_per_month": list(pair.break_even)}
                    for pair in case.plan.pairs
                ],
            }
            for case in found.cases
        ],
        "notes": notes_of(found),
    }


def _answer(plan: Plan) -> dict[str, Any]:
    best = plan.cheapest
    return {
        "cheapest": None if best is None else best.option.name,
        "usd_per_month": None if best is None else best.usd,
        "cheapest_by_demand": [
            {"option": span.option, "from_per_month": span.low, "to_per_month": span.high} for span in plan.spans
        ],
    }


def _way_data(way: Way) -> dict[str, Any]:
    effort, total = way.effort, way.total
    return {
        "name": way.option.name,
        "reached": effort is not None,
        "why_not": way.why_not,
        "usd_per_question": None if total is None else total.usd_per_question,
        "usd_per_month": way.usd,
        "usd_per_month_low": way.low_usd,
        "usd_per_month_high": way.high_usd,
        "fixed_usd_per_month": way.option.fixed_usd,
        "least_usd_per_month": way.option.least_usd,
        "seconds": None if effort is None else effort.seconds,
        "share_at_dearer_point": None if effort is None else effort.dearer,
        "mixed": []
        if effort is None
        else [{"name": step.name, "accuracy": step.accuracy, "interval": step.bounds} for step in effort.mix],
        "best_accuracy": way.option.best.accuracy,
        "best_accuracy_interval": way.option.best.bounds,
    }
