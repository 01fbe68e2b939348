"""The report as one HTML file: no network, no script but the sorting of its table, light and dark, wide and narrow."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from pathlib import Path

from thinkcap.evals.report.drawing import frontier, marker, styles
from thinkcap.evals.report.figures import Line, Report
from thinkcap.evals.report.unit import Unit, unit_of
from thinkcap.policies.errors import BadInput

__all__ = ["page", "write_page"]


def write_page(path: str | Path, report: Report) -> None:
    """Write the page.

    Raises:
        BadInput: if the file cannot be written.
    """
    try:
        Path(path).write_text(page(report), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot write the report {path}: {error.strerror}; name another file") from None


def page(report: Report) -> str:
    """The report as the text of an HTML file."""
    unit = unit_of(line.usd.mean for line in report.lines)
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(report.title)}: what each policy costs and scores</title>",
        f"<style>{_file('page.css')}</style>",
        "</head>",
        "<body>",
        "<main>",
        *_head(report, unit),
        *_picture(report, unit),
        *_table(report, unit),
        *_bought(report, unit),
        *_spent(report),
        *_calibration(report, unit),
        *_honest(report),
        "</main>",
        f"<script>{_file('page.js')}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _file(name: str) -> str:
    return files("thinkcap.evals.report").joinpath(name).read_text("utf-8")


def _text(given: object) -> str:
    return escape(str(given))


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


def _name(line: Line) -> str:
    return f'{_text(line.policy)} <span class="quiet">{_text(line.arm)}</span>'


def _head(report: Report, unit: Unit) -> list[str]:
    best = max(report.lines, key=lambda line: line.accuracy.mean)
    near = [line for line in report.lines if line.accuracy.mean >= best.accuracy.mean - 0.01]
    cheap = min(near, key=lambda line: line.usd.mean)
    said = f"{_name(best)} is right most often: {_share(best.accuracy.mean)} at {unit.show(best.usd.mean)} {unit.said}."
    if cheap is not best and best.usd.mean:
        part = cheap.usd.mean / best.usd.mean
        said += f" {_name(cheap)} comes within a point of that at {100 * part:.0f} % of the cost."
    many = f"{len(report.lines)} policies" if len(report.lines) > 1 else "One policy"
    return [
        "<header>",
        f"<h1>{_text(report.title)}</h1>",
        f'<p class="lead">{many} on {report.questions:,} questions. {said}</p>',
        "</header>",
    ]


def _picture(report: Report, unit: Unit) -> list[str]:
    legend = [
        f'<li><svg viewBox="-9 -9 18 18" aria-hidden="true">{marker(style, 0, 0)}</svg>{_text(name)}</li>'
        for name, style in styles(report.lines).items()
    ]
    return [
        "<section>",
        "<h2>What more money buys</h2>",
        '<div class="card">',
        frontier(report.lines, unit),
        f'<ul class="legend">{"".join(legend)}</ul>',
        '<p class="quiet small">Numbers are those of the table. Bars are 95 % intervals over questions. '
        '<span class="key hullkey"></span> what a mix of two policies reaches (the hull); '
        '<span class="key paretokey"></span> what no single policy beats (the Pareto set).</p>',
        "</div>",
        "</section>",
    ]


def _table(report: Report, unit: Unit) -> list[str]:
    heads = [
        ("#", "number"), ("policy", ""), ("right", "number"), ("95 % interval", ""), (f"$ / {unit.name}", "number"),
        ("output tokens", "number"), ("attempts", "number"), ("frontier", ""),
    ]  # fmt: skip
    rows = [
        f"<tr{' class=on' if line.on_hull else ''}>"
        f'<td class="number">{line.number}</td><td class="name">{_name(line)}</td>'
        f'<td class="number" data-value="{line.accuracy.mean}">{_share(line.accuracy.mean)}</td>'
        f'<td class="nowrap">{_share(line.accuracy.low)} to {_share(line.accuracy.high)}</td>'
        f'<td class="number" data-value="{line.usd.mean}">{unit.show(line.usd.mean)}</td>'
        f'<td class="number" data-value="{line.output_tokens}">{line.output_tokens:,.0f}</td>'
        f'<td class="number" data-value="{line.attempts}">{line.attempts:.2f}</td>'
        f"<td>{'hull' if line.on_hull else 'Pareto' if line.on_pareto else ''}</td></tr>"
        for line in report.lines
    ]
    head = "".join(f'<th scope="col"{f" class={kind}" if kind else ""}>{name}</th>' for name, kind in heads)
    return [
        "<section>",
        "<h2>Every policy</h2>",
        f'<div class="card scroll"><table class="sortable"><thead><tr>{head}</tr></thead>',
        f"<tbody>{''.join(rows)}</tbody></table></div>",
        "</section>",
    ]


def _bought(report: Report, unit: Unit) -> list[str]:
    rows = [
        f'<tr><td class="number">{_share(step.least)}</td><td class="name">{_name(step.line)}</td>'
        f'<td class="number">{_share(step.line.accuracy.mean)}</td>'
        f'<td class="number">{unit.show(step.line.usd.mean)}</td></tr>'
        for step in report.steps
    ]
    return [
        "<section>",
        "<h2>The cheapest with at least ...</h2>",
        '<div class="card scroll"><table><thead><tr><th scope="col" class="number">at least</th>'
        '<th scope="col">cheapest policy</th><th scope="col" class="number">right</th>'
        f'<th scope="col" class="number">$ / {unit.name}</th></tr></thead>',
        f"<tbody>{''.join(rows)}</tbody></table></div>",
        "</section>",
    ]


def _spent(report: Report) -> list[str]:
    heads = "".join(
        f'<th scope="col" class="number">{_text(each.name)}<br><span class="quiet">{each.questions:,}</span></th>'
        for each in report.classes
    )
    rows = []
    for spending in report.spending:
        cells = "".join(
            f'<td class="share"><span class="fill class{number}" style="width:{100 * share:.1f}%"></span>'
            f"<span>{100 * share:.0f} %"
            + ("" if right is None else f'<br><span class="quiet">{100 * right:.0f} % right</span>')
            + "</span></td>"
            for number, (share, right) in enumerate(zip(spending.by_class, spending.right, strict=True))
        )
        arms = ", ".join(f"{_text(arm)} {100 * share:.0f} %" for arm, share in spending.by_arm)
        rows.append(f'<tr><td class="name">{_name(spending.line)}</td>{cells}<td class="arms">{arms}</td></tr>')
    return [
        "<section>",
        "<h2>Where the money went</h2>",
        f'<div class="card scroll"><table><thead><tr><th scope="col">policy on the hull</th>{heads}'
        f'<th scope="col">by arm</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>',
        '<p class="quiet small">Questions by how often a recorded attempt at them is right, over all arms; below each '
        "class how many there are. What goes to questions that are never right buys nothing.</p>",
        "</section>",
    ]


def _calibration(report: Report, unit: Unit) -> list[str]:
    if not report.predicted:
        return []
    rows = [
        f'<tr><td class="name">{_text(each.policy)}</td>'
        f'<td class="number">{_share(each.accuracy.mean)}</td>'
        f'<td class="nowrap">{_share(each.accuracy.low)} to {_share(each.accuracy.high)}</td>'
        f'<td class="number">{_share(each.achieved.mean)}</td>'
        f"<td>{'yes' if each.accuracy.low <= each.achieved.mean <= each.accuracy.high else 'no'}</td>"
        f'<td class="number">{unit.show(each.usd)}</td><td class="number">{unit.show(each.achieved_usd)}</td></tr>'
        for each in report.predicted
    ]
    return [
        "<section>",
        "<h2>Expected, and what came out</h2>",
        '<div class="card scroll"><table><thead><tr><th scope="col">policy</th>'
        '<th scope="col" class="number">expected</th>'
        '<th scope="col">95 % interval</th><th scope="col" class="number">right</th><th scope="col">inside</th>'
        '<th scope="col" class="number">expected $</th>'
        f'<th scope="col" class="number">$ / {unit.name}</th></tr></thead>',
        f"<tbody>{''.join(rows)}</tbody></table></div>",
        "</section>",
    ]


def _honest(report: Report) -> list[str]:
    made = report.made
    notes = "".join(f"<li>{_text(note)}</li>" for note in report.notes)
    facts = (
        ("recording", made.recording),
        ("orders of each question", f"{made.permutations:,}, seed {made.seed}"),
        ("made", f"{made.day}, thinkcap {made.version}"),
    )
    listed = "".join(f"<dt>{name}</dt><dd>{_text(value)}</dd>" for name, value in facts)
    return [
        "<section>",
        "<h2>What to know</h2>",
        '<div class="card">',
        f"<ul>{notes}</ul>" if notes else "",
        f"<dl>{listed}</dl>",
        f"<pre>{_text(made.command)}</pre>",
        "</div>",
        "</section>",
    ]
