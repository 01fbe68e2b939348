"""The frontier as a picture of its own (PNG, SVG or PDF), through matplotlib."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from thinkcap.evals.report.drawing import series, styles
from thinkcap.evals.report.figures import Report
from thinkcap.evals.report.unit import money, unit_of
from thinkcap.policies.errors import BadInput

__all__ = ["write_plot"]

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#3a9bd9", "#444444")
_MARKS = ("o", "s", "D", "^", "P", "v", "_")


def write_plot(path: str | Path, report: Report) -> None:
    """Draw accuracy against dollars a question; the suffix of the file says the format.

    Raises:
        BadInput: if matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter
    except ImportError:
        raise BadInput("drawing a plot needs matplotlib: pip install 'thinkcap[evals]'") from None
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    drawn, unit = series(report.lines), unit_of(line.usd.mean for line in report.lines)
    paid = [line.usd.mean for line in report.lines if line.usd.mean > 0]
    for name, style in styles(report.lines).items():
        mine = [line for line in report.lines if drawn[line.number] == name]
        means = [line.accuracy.mean for line in mine]
        axes.errorbar(
            [unit.of(line.usd.mean) for line in mine],
            means,
            yerr=[
                [line.accuracy.mean - line.accuracy.low for line in mine],
                [line.accuracy.high - line.accuracy.mean for line in mine],
            ],
            fmt=_MARKS[style % len(_MARKS)],
            color=_COLOURS[style % len(_COLOURS)],
            ecolor="#b0b6be",
            elinewidth=1.2,
            label=name,
        )
    corners = sorted((line for line in report.lines if line.on_hull), key=lambda line: line.usd.mean)
    mixed = [  # straight in dollars, so bent where dollars are logarithmic
        (
            share * other.usd.mean + (1 - share) * one.usd.mean,
            share * other.accuracy.mean + (1 - share) * one.accuracy.mean,
        )
        for one, other in pairwise(corners)
        for share in (step / 20 for step in range(21))
    ]
    if mixed:
        usd, right = zip(*mixed, strict=True)
        axes.plot([unit.of(each) for each in usd], right, color="#1c2128", linewidth=1.6, zorder=1, label="hull")
    for line in corners:
        at = (unit.of(line.usd.mean), line.accuracy.mean)
        axes.annotate(f"{line.number}", at, xytext=(-8, 7), textcoords="offset points", fontsize=9, fontweight="bold")
    named = "\n".join(f"{line.number}  {line.policy}, {line.arm}" for line in corners)
    axes.text(0.99, 0.02, named, transform=axes.transAxes, ha="right", va="bottom", fontsize=8, color="#3c444d")
    if paid:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda usd, _: money(usd)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set(xlabel=f"dollars / {unit.name}", ylabel="right", title=f"{report.title}: {report.questions:,} questions")
    axes.grid(color="#e4e7eb")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot write the plot {path}: {error}; name a .png, .svg or .pdf file") from None
