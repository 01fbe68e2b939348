"""A picture of accuracy against cost as one self-contained SVG, from the core install alone.

Points differ by shape as well as colour (Okabe and Ito's palette), carry their name, and show their interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Panel", "Point", "picture"]

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_SHAPES = ("circle", "square", "diamond", "triangle")
_WIDTH, _HEIGHT = 460, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 56, 56
_CHARACTER = 7.2  # width of a letter in a label
_BAND = "#0072B2"
_INK, _QUIET, _FAINT = "#1a1a1a", "#555555", "#d9d9d9"


@dataclass(frozen=True, slots=True)
class Point:
    """One setting.

    Attributes:
        label: its name, written beside it.
        cost: where it lies on the horizontal axis; above zero.
        accuracy: 0 to 1.
        low, high: interval of the accuracy; None draws none.
    """

    label: str
    cost: float
    accuracy: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes.

    Attributes:
        title: above it.
        cost: what the horizontal axis measures, with its unit; it is logarithmic.
        points: what is drawn, in the order of their colours.
        note: a line below the title.
        show_cost: how a cost is written at the axis.
        line: points of a curve, from the cheapest on, drawn behind the others as a line with a band of its intervals;
            the label of the first names it.
    """

    title: str
    cost: str
    points: Sequence[Point]
    note: str = ""
    show_cost: Callable[[float], str] = "{:g}".format
    line: Sequence[Point] = ()


def picture(panels: Sequence[Panel]) -> str:
    """The panels side by side, as the text of an SVG file."""
    width = _WIDTH * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" width="{width}" height="{_HEIGHT}"'
        ' font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" role="img">',
        f"<title>{escape(' | '.join(panel.title for panel in panels))}</title>",
        f'<rect width="{width}" height="{_HEIGHT}" fill="#ffffff"/>',
    ]
    for number, panel in enumerate(panels):
        parts.append(f'<g transform="translate({number * _WIDTH} 0)">')
        parts += _Axes(panel).draw()
        parts.append("</g>")
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


class _Axes:
    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        every = [*panel.points, *panel.line]
        costs = [math.log10(point.cost) for point in every]
        span = max(max(costs) - min(costs), 0.5)
        self.x_low, self.x_high = min(costs) - 0.18 * span, max(costs) + 0.18 * span
        lows = [point.accuracy if point.low is None else point.low for point in every]
        highs = [point.accuracy if point.high is None else point.high for point in every]
        self.y_low = max(0.0, math.floor((min(lows) - 0.03) * 10) / 10)
        self.y_high = min(1.0, math.ceil((max(highs) + 0.03) * 10) / 10)

    def x(self, cost: float) -> float:
        share = (math.log10(cost) - self.x_low) / (self.x_high - self.x_low)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, accuracy: float) -> float:
        share = (accuracy - self.y_low) / (self.y_high - self.y_low)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    def draw(self) -> list[str]:
        parts = [_text(_LEFT, 24, self.panel.title, size=15, weight="600")]
        if self.panel.note:
            parts.append(_text(_LEFT, 42, self.panel.note, size=11, colour=_QUIET))
        parts += self._grid()
        middle = (_LEFT + _WIDTH - _RIGHT) / 2
        parts.append(_text(middle, _HEIGHT - 14, self.panel.cost, anchor="middle", size=12))
        parts += self._line()
        for number, point in enumerate(self.panel.points):
            parts += self._point(point, *_style(number))
        taken = [self._bar(point) for point in self.panel.points]
        for number, point in enumerate(self.panel.points):
            box = self._place(point, taken)
            taken.append(box)
            colour = _style(number)[0]
            parts.append(_text(box.left + 2, box.bottom - 4, _label(point), colour=colour, weight="600"))
        return parts

    def _line(self) -> list[str]:
        line = self.panel.line
        if not line:
            return []

        def path(ends: Sequence[tuple[float, float]]) -> str:
            return " ".join(f"{self.x(cost)},{self.y(accuracy)}" for cost, accuracy in ends)

        lows = [(point.cost, point.accuracy if point.low is None else point.low) for point in line]
        highs = [(point.cost, point.accuracy if point.high is None else point.high) for point in line]
        middle = path([(point.cost, point.accuracy) for point in line])
        right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        return [
            f'<polygon points="{path([*lows, *reversed(highs)])}" fill="{_BAND}" fill-opacity="0.12"/>',
            f'<polyline points="{middle}" fill="none" stroke="{_BAND}" stroke-width="2" stroke-opacity="0.7"/>',
            _text(right - 4, bottom - 10, line[0].label, anchor="end", size=11, colour=_BAND),
        ]

    def _grid(self) -> list[str]:
        parts = []
        tenths = round(self.y_low * 10), round(self.y_high * 10)
        for tenth in range(tenths[0], tenths[1] + 1):
            y = self.y(tenth / 10)
            parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="{_FAINT}"/>')
            parts.append(_text(_LEFT - 8, y + 4, f"{tenth * 10} %", anchor="end", size=11))
        for cost in self._ticks():
            x = self.x(cost)
            parts.append(
                f'<line x1="{x}" x2="{x}" y1="{_HEIGHT - _BOTTOM}" y2="{_HEIGHT - _BOTTOM + 5}" stroke="{_INK}"/>'
            )
            label = self.panel.show_cost(cost)
            parts.append(_text(x, _HEIGHT - _BOTTOM + 19, label, anchor="middle", size=11))
        y = _HEIGHT - _BOTTOM
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="{_INK}"/>')
        return parts

    def _ticks(self) -> list[float]:
        """Round costs within the axis: 1, 2 and 5 of each decade, or decades alone where there are many."""
        steps = (1,) if self.x_high - self.x_low > 2.2 else (1, 2, 5)
        decades = range(math.floor(self.x_low), math.ceil(self.x_high) + 1)
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        return [tick for tick in ticks if self.x_low <= math.log10(tick) <= self.x_high]

    def _point(self, point: Point, colour: str, shape: str) -> list[str]:
        x, y = self.x(point.cost), self.y(point.accuracy)
        parts = []
        if point.low is not None and point.high is not None:
            low, high = self.y(point.low), self.y(point.high)
            parts.append(f'<line x1="{x}" x2="{x}" y1="{low}" y2="{high}" stroke="{colour}" stroke-width="2"/>')
            parts += [
                f'<line x1="{x - 5}" x2="{x + 5}" y1="{end}" y2="{end}" stroke="{colour}" stroke-width="2"/>'
                for end in (low, high)
            ]
        parts.append(_mark(x, y, colour, shape))
        return parts

    def _bar(self, point: Point) -> _Box:
        """What a point and its interval cover."""
        x, y = self.x(point.cost), self.y(point.accuracy)
        top = y if point.high is None else self.y(point.high)
        bottom = y if point.low is None else self.y(point.low)
        return _Box(x - 9, min(top, y - 9), x + 9, max(bottom, y + 9))

    def _place(self, point: Point, taken: Sequence[_Box]) -> _Box:
        """Where a point's label covers nothing: beside the point, else above or below its interval."""
        width, bar = _CHARACTER * len(_label(point)) + 4, self._bar(point)
        x, y = self.x(point.cost), self.y(point.accuracy)
        corners = [
            (x + 10, y - 20),
            (x - 10 - width, y - 20),
            (x + 10, y + 4),
            (x - 10 - width, y + 4),
            (x - width / 2, bar.top - 18),
            (x - width / 2, bar.bottom + 2),
            (x - width + 10, bar.top - 18),
            (x - 10, bar.bottom + 2),
        ]
        boxes = [_Box(left, top, left + width, top + 16) for left, top in corners]
        inside = [box for box in boxes if box.left >= _LEFT and box.right <= _WIDTH and box.bottom <= _HEIGHT - _BOTTOM]
        return next((box for box in inside if not any(box.meets(other) for other in taken)), (inside or boxes)[0])


@dataclass(frozen=True, slots=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def _style(number: int) -> tuple[str, str]:
    return _COLOURS[number % len(_COLOURS)], _SHAPES[number % len(_SHAPES)]


def _label(point: Point) -> str:
    return f"{point.label}  {100 * point.accuracy:.1f} %"


def _mark(x: float, y: float, colour: str, shape: str) -> str:
    style = f'fill="{colour}" stroke="#ffffff" stroke-width="1.5"'
    if shape == "circle":
        return f'<circle cx="{x}" cy="{y}" r="6.5" {style}/>'
    if shape == "square":
        return f'<rect x="{x - 6}" y="{y - 6}" width="12" height="12" {style}/>'
    corners = (
        [(x, y - 8), (x + 8, y), (x, y + 8), (x - 8, y)]
        if shape == "diamond"
        else [(x, y - 8), (x + 7.5, y + 6), (x - 7.5, y + 6)]
    )
    return f'<polygon points="{" ".join(f"{px:.1f},{py:.1f}" for px, py in corners)}" {style}/>'


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, colour: str = _INK, weight: str = "400"
) -> str:
    halo = "" if colour in (_INK, _QUIET) else ' stroke="#ffffff" stroke-width="4" paint-order="stroke"'
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}"'
        f' fill="{colour}"{halo}>'
        f"{escape(text)}</text>"
    )
