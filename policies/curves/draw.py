"""The picture of a curve: accuracy against dollars a question, or against tokens where an arm is free."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thinkcap.policies.curves.arm import ArmCurve, How, Measured
from thinkcap.policies.curves.guard import MOST_VOTES, reach
from thinkcap.policies.errors import BadInput
from thinkcap.policies.interval import Interval
from thinkcap.policies.money import NANO

__all__ = ["draw"]

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe and Ito's
_MARKS = ("o", "s", "D", "^", "v", "P", "X")
_TITLES: dict[How, str] = {"vote": "The most frequent answer", "verified": "With a verifier"}


def draw(
    arms: Sequence[ArmCurve],
    plateaus: Mapping[str, Interval],
    source: str,
    path: str | Path | None,
    measured: Mapping[str, Sequence[Measured]],
) -> Any:
    """Draw a panel for votes, where they have a meaning, and one for attempts with a verifier.

    Args:
        arms: what to draw.
        plateaus: that of votes, by label.
        source: name of the recording.
        path: where to save it; None saves nothing.
        measured: further figures of the recording, by label.

    Returns:
        The matplotlib figure.

    Raises:
        BadInput: if matplotlib is not installed, or the file cannot be written.
    """
    try:
        figures = importlib.import_module("matplotlib.figure")
        tickers = importlib.import_module("matplotlib.ticker")
    except ImportError:
        raise BadInput("drawing a curve needs matplotlib: pip install 'thinkcap[evals]'") from None
    free = any(arm.nusd() <= 0 for arm in arms)
    panels: list[How] = ["vote", "verified"] if plateaus else ["verified"]
    figure = figures.Figure(figsize=(1.2 + 5.4 * len(panels), 4.8), layout="constrained", dpi=150)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, how in zip(axes, panels, strict=True):
        shown = [arm for arm in arms if arm.votes or how == "verified"]
        for place, arm in enumerate(arms):
            if arm in shown:
                style = _COLOURS[place % len(_COLOURS)], _MARKS[place % len(_MARKS)]
                each = arm.tokens.expected() if free else arm.nusd() / NANO
                _line(axis, arm, how, each, style, [*arm.measured, *measured.get(arm.arm.label, ())])
        if how == "vote":
            _plateaus(axis, arms, plateaus)
        axis.set_xscale("log")
        axis.set_title(_TITLES[how], loc="left", fontsize=11, fontweight="bold")
        axis.set_xlabel("output tokens a question" if free else "dollars a question")
        span = np.diff(np.log10(axis.get_xlim()))[0]
        axis.xaxis.set_major_locator(tickers.LogLocator(subs=(1.0,) if span > 2 else (1.0, 2.0, 5.0)))
        axis.xaxis.set_major_formatter(tickers.FuncFormatter(lambda cost, _: _tokens(cost) if free else _dollars(cost)))
        axis.xaxis.set_minor_formatter(tickers.NullFormatter())
        axis.yaxis.set_major_formatter(tickers.PercentFormatter(1, decimals=0))
        axis.grid(True, which="major", color="#e3e3e3", linewidth=0.8)
        axis.set_axisbelow(True)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    axes[0].set_ylabel("questions answered right")
    axes[-1].legend(loc="lower right", frameon=True, framealpha=0.9, edgecolor="none", fontsize=9)
    figure.suptitle(
        f"{source}: lines and 95 % bands are fitted, marks with bars are measured, dotted is beyond the recording",
        fontsize=9,
        color="#555555",
        x=0.01,
        ha="left",
    )
    if path is not None:
        try:
            figure.savefig(path)
        except (OSError, ValueError) as error:
            raise BadInput(f"the picture cannot be written to {path}: {' '.join(str(error).split())}") from None
    return figure


def _line(
    axis: Any, arm: ArmCurve, how: How, each: float, style: tuple[str, str], measured: Sequence[Measured]
) -> None:
    """One arm: ``each`` is what an attempt costs, in the axis's unit."""
    colour, mark = style
    steps = _steps(arm, how)
    costs = np.array([arm.made(how, k) for k in steps]) * each
    intervals = [arm.interval(how, k) for k in steps]
    means = np.array([one.mean for one in intervals])
    inside = np.array(steps) <= arm.most
    axis.fill_between(
        costs, [one.low for one in intervals], [one.high for one in intervals], color=colour, alpha=0.13, linewidth=0
    )
    axis.plot(costs[inside], means[inside], color=colour, linewidth=2, label=arm.arm.label)
    beyond = ~inside
    if beyond.any():
        beyond[np.flatnonzero(inside)[-1]] = True
        axis.plot(costs[beyond], means[beyond], color=colour, linewidth=1.6, linestyle=":")
    for one in measured:
        if one.how == how or one.attempts == 1:
            cost = arm.made(how, one.attempts) * each
            low, high = one.accuracy.mean - one.accuracy.low, one.accuracy.high - one.accuracy.mean
            axis.errorbar(
                [cost],
                [one.accuracy.mean],
                yerr=[[max(low, 0)], [max(high, 0)]],
                fmt=mark,
                color=colour,
                markersize=5.5,
                markeredgecolor="white",
                markeredgewidth=0.8,
                elinewidth=1,
                capsize=2,
            )


def _plateaus(axis: Any, arms: Sequence[ArmCurve], plateaus: Mapping[str, Interval]) -> None:
    """Dashed lines at the height votes come to, labelled so that no two labels meet."""
    placed: list[float] = []
    for place, arm in sorted(enumerate(arms), key=lambda one: _height(plateaus, one[1])):
        plateau = plateaus.get(arm.arm.label)
        if plateau is not None:
            colour = _COLOURS[place % len(_COLOURS)]
            axis.axhline(plateau.mean, color=colour, linestyle="--", linewidth=1, alpha=0.8)
            low, high = axis.get_ylim()
            height = max([plateau.mean, *(at + 0.045 * (high - low) for at in placed)])
            placed.append(height)
            axis.annotate(
                f"plateau {plateau.mean:.1%}",
                (0.01, height),
                xycoords=("axes fraction", "data"),
                xytext=(0, 2),
                textcoords="offset points",
                fontsize=8.5,
                color=colour,
                bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
            )


def _height(plateaus: Mapping[str, Interval], arm: ArmCurve) -> float:
    plateau = plateaus.get(arm.arm.label)
    return 0.0 if plateau is None else plateau.mean


def _steps(arm: ArmCurve, how: How) -> list[int]:
    """Numbers of attempts, evenly apart on a logarithmic axis; odd ones for votes, where an even one adds nothing."""
    last = reach(arm) if how == "verified" else min(reach(arm), MOST_VOTES)
    steps = sorted({round(step) for step in np.geomspace(1, last, 28)} | {arm.most, max(last - 1, 1)})
    return [step for step in steps if how == "verified" or step % 2 or step == arm.most]


def _dollars(cost: float) -> str:
    return f"${cost:.4f}".rstrip("0").rstrip(".") if cost >= 1e-4 else f"${cost:.0e}".replace("e-0", "e-")


def _tokens(number: float) -> str:
    return f"{number:,.0f}"
