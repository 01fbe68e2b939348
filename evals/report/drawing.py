"""The frontier as SVG inside a page: colours come from the page, so that it is at home in light and dark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from math import ceil, floor, log10

from thinkcap.evals.report.figures import Line
from thinkcap.evals.report.unit import Unit, money

__all__ = ["SHAPES", "frontier", "marker", "series", "styles"]

_WIDTH, _HEIGHT = 760, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 24, 16, 64
SHAPES = ("circle", "square", "diamond", "triangle", "cross", "star", "bar")


def series(lines: Sequence[Line]) -> dict[int, str]:
    """What each policy, by its number, is drawn as: its arm, or where there are more arms than shapes its kind."""
    few = len({line.arm for line in lines}) <= len(SHAPES)
    return {line.number: line.arm if few else re.split("[: ]", line.policy)[0] for line in lines}


def styles(lines: Sequence[Line]) -> dict[str, int]:
    """The number of each series, which decides colour and shape."""
    return {name: number for number, name in enumerate(dict.fromkeys(series(lines).values()))}


def frontier(lines: Sequence[Line], unit: Unit) -> str:
    """Accuracy against cost, each policy by its number, with the hull and the Pareto set."""
    axes = _Axes(lines, unit)
    parts = [
        f'<svg class="frontier" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="frontier-title">',
        '<title id="frontier-title">Accuracy against cost; the numbers are those of the table below</title>',
        *axes.grid(),
        *_steps(axes, [line for line in lines if line.on_pareto]),
        *_corners(axes, [line for line in lines if line.on_hull]),
    ]
    shown, named = styles(lines), series(lines)
    for line in lines:
        x, low, high = axes.x(line.usd.mean), axes.y(line.accuracy.low), axes.y(line.accuracy.high)
        parts.append(f'<line class="whisker" x1="{x}" x2="{x}" y1="{low}" y2="{high}"/>')
    places = {line.number: (axes.x(line.usd.mean), axes.y(line.accuracy.mean)) for line in lines}
    parts += [
        f"<g><title>{escape(_said(line, unit))}</title>{marker(shown[named[line.number]], *places[line.number])}</g>"
        for line in lines
    ]
    taken = list(places.values())
    for line in sorted(lines, key=lambda line: not line.on_hull):
        parts += _number(line, *places[line.number], taken)
    return "\n".join([*parts, "</svg>"])


def marker(style: int, x: float, y: float, size: float = 6) -> str:
    """A point whose colour and shape both tell the arm."""
    kind = f'class="mark arm{style % len(SHAPES)}"'
    a, b = size, round(size * 0.87, 2)
    match SHAPES[style % len(SHAPES)]:
        case "circle":
            return f'<circle {kind} cx="{x}" cy="{y}" r="{size}"/>'
        case "square":
            return f'<rect {kind} x="{x - b:g}" y="{y - b:g}" width="{2 * b:g}" height="{2 * b:g}"/>'
        case "diamond":
            return _path(kind, [(x, y - a - 1), (x + a + 1, y), (x, y + a + 1), (x - a - 1, y)])
        case "triangle":
            return _path(kind, [(x, y - a), (x + a, y + b), (x - a, y + b)])
        case "cross":
            c = a / 2.6
            corners = [(-c, -a), (c, -a), (c, -c), (a, -c), (a, c), (c, c), (c, a), (-c, a), (-c, c), (-a, c), (-a, -c)]
            return _path(kind, [(x + dx, y + dy) for dx, dy in [*corners, (-c, -c)]])
        case "star":
            return _path(kind, [(x, y + a), (x + a, y - b), (x - a, y - b)])
        case _:
            return f'<rect {kind} x="{x - a:g}" y="{y - 3:g}" width="{2 * a:g}" height="6"/>'


def _path(kind: str, corners: Sequence[tuple[float, float]]) -> str:
    return f'<path {kind} d="M{" L".join(f"{x:.1f} {y:.1f}" for x, y in corners)}Z"/>'


def _said(line: Line, unit: Unit) -> str:
    cost = f"{unit.show(line.usd.mean)} {unit.said}"
    return f"{line.number}: {line.policy} {line.arm}, {100 * line.accuracy.mean:.1f} % right at {cost}"


def _number(line: Line, x: float, y: float, taken: list[tuple[float, float]]) -> list[str]:
    """The policy's number where nothing else stands; none in a crowd, unless it is on the hull."""
    around = [(12, -8), (-12, -8), (12, 15), (-12, 15), (0, -13), (0, 21), (22, 4), (-22, 4)]
    others = [place for place in taken if place != (x, y)]
    spots = [(x + dx, y + dy) for dx, dy in around]
    free = [spot for spot in spots if all(abs(spot[0] - a) > 14 or abs(spot[1] - 4 - b) > 12 for a, b in others)]
    if not free and not line.on_hull:
        return []
    at = free[0] if free else spots[0]
    taken.append((at[0], at[1] - 4))
    kind = "number on" if line.on_hull else "number"
    return [f'<text class="{kind}" x="{at[0]:g}" y="{at[1]:g}" text-anchor="middle">{line.number}</text>']


def _corners(axes: _Axes, lines: Sequence[Line]) -> list[str]:
    """The hull: straight in dollars, so bent where dollars are logarithmic."""
    ordered = sorted(lines, key=lambda line: line.usd.mean)
    points: list[tuple[float, float]] = []
    for one, other in pairwise(ordered):
        for step in range(21):
            share = step / 20
            usd = (1 - share) * one.usd.mean + share * other.usd.mean
            right = (1 - share) * one.accuracy.mean + share * other.accuracy.mean
            points.append((axes.x(usd), axes.y(right)))
    return [f'<polyline class="hull" points="{" ".join(f"{x},{y}" for x, y in points)}"/>'] if points else []


def _steps(axes: _Axes, lines: Sequence[Line]) -> list[str]:
    ordered = sorted(lines, key=lambda line: line.usd.mean)
    if len(ordered) < 2:
        return []
    path = f"M{axes.x(ordered[0].usd.mean)} {axes.y(ordered[0].accuracy.mean)}"
    for line in ordered[1:]:
        path += f" H{axes.x(line.usd.mean)} V{axes.y(line.accuracy.mean)}"
    return [f'<path class="pareto" d="{path}"/>']


class _Axes:
    def __init__(self, lines: Sequence[Line], unit: Unit) -> None:
        self._unit = unit
        paid = [line.usd.mean for line in lines if line.usd.mean > 0] or [1.0]
        self.least = min(paid)  # what is free is drawn at the left edge
        low, high = log10(self.least), log10(max(paid))
        room = max(high - low, 0.4) * 0.08
        self._x = (low - room, max(high, low + 0.4) + room)
        bottom = min(line.accuracy.low for line in lines)
        top = max(line.accuracy.high for line in lines)
        self._step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2) if (top - bottom) / step <= 8 or step == 0.2)
        self._y = (
            max(0.0, floor((bottom - 1e-9) / self._step) * self._step),
            min(1.0, ceil((top + 1e-9) / self._step) * self._step),
        )
        if self._y[1] - self._y[0] < self._step:
            self._y = (max(0.0, self._y[0] - self._step), min(1.0, self._y[1] + self._step))

    def x(self, usd: float) -> float:
        share = (log10(max(usd, self.least * 0.9)) - self._x[0]) / (self._x[1] - self._x[0])
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, accuracy: float) -> float:
        share = (accuracy - self._y[0]) / (self._y[1] - self._y[0])
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    def grid(self) -> list[str]:
        parts = []
        count = round((self._y[1] - self._y[0]) / self._step)
        for level in (self._y[0] + step * self._step for step in range(count + 1)):
            y = self.y(level)
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
            parts.append(
                f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:g}" text-anchor="end">{100 * level:.0f} %</text>'
            )
        for amount in self._ticks():
            x = self.x(amount / self._unit.questions)
            parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>')
            y = _HEIGHT - _BOTTOM + 24
            parts.append(f'<text class="tick" x="{x}" y="{y}" text-anchor="middle">{money(amount)}</text>')
        at = f'x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 8}"'
        parts.append(f'<text class="axis" {at} text-anchor="middle">dollars / {self._unit.name} (log scale)</text>')
        return parts

    def _ticks(self) -> list[float]:
        """Round amounts of the unit."""
        low, high = (end + log10(self._unit.questions) for end in self._x)
        every = [m * 10.0**power for power in range(floor(low) - 1, ceil(high) + 1) for m in (1, 2, 5)]
        inside = [amount for amount in every if low <= log10(amount) <= high]
        return [amount for amount in inside if f"{amount:e}"[0] == "1"] if len(inside) > 8 else inside
