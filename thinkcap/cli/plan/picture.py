"""Cost against demand as a picture: one line an option, the break-even demands marked."""

from __future__ import annotations

from thinkcap.policies import BadInput
from thinkcap.policies.plan import Plan

__all__ = ["draw"]

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#3a9bd9", "#444444")
_DASHES = ("-", "--", "-.", ":")
_DECADES = 2  # drawn to each side of the demand
_POINTS = 241


def draw(plan: Plan, path: str) -> None:
    """Draw dollars a month against questions a month, both logarithmic; the suffix says the format.

    Raises:
        BadInput: if no option reaches the target, matplotlib is not installed, or the file cannot be written.
    """
    able = [way for way in plan.ways if way.total is not None]
    if not able:
        raise BadInput("no option reaches the target, so there is nothing to draw: lower --target or add points")
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise BadInput("drawing a plan needs matplotlib: pip install 'thinkcap[evals]'") from None
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log")
    marked = [each for pair in plan.pairs for each in pair.break_even]
    low, high = min([plan.demand, *marked]) / 10**_DECADES, max([plan.demand, *marked]) * 10**_DECADES
    demands = [low * (high / low) ** (step / (_POINTS - 1)) for step in range(_POINTS)]
    totals = {way.option.name: way.total for way in able if way.total is not None}
    for number, (name, total) in enumerate(totals.items()):
        colour, dash = _COLOURS[number % len(_COLOURS)], _DASHES[number % len(_DASHES)]
        usd = [total.usd(demand) for demand in demands]
        axes.plot(demands, usd, label=name, linewidth=2, color=colour, linestyle=dash)
    for at in sorted({(demand, totals[pair.one].usd(demand)) for pair in plan.pairs for demand in pair.break_even}):
        axes.plot(*at, "o", color="#1c2128", zorder=4)
        axes.annotate(
            f"{at[0]:,.0f}",
            at,
            xytext=(0, -9),
            textcoords="offset points",
            rotation=90,
            ha="center",
            va="top",
            fontsize=9,
            zorder=3,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1},
        )
    axes.axvline(plan.demand, color="#b0b6be", linewidth=1.2, zorder=0)
    axes.annotate("demand", (plan.demand, 0.01), xycoords=("data", "axes fraction"), fontsize=9, color="#555555")
    axes.set(
        xlabel="questions / month", ylabel="dollars / month", title=f"{100 * plan.target:g} % right: what a month costs"
    )
    axes.grid(color="#e4e7eb")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    try:
        with rc_context({"svg.hashsalt": "thinkcap"}):  # with no date in it either, the same plan is the same file
            figure.savefig(path, dpi=150, metadata={"Date": None} if path.endswith(".svg") else None)
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot write the plot {path}: {error}; name a .png, .svg or .pdf file") from None
