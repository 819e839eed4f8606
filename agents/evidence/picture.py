"""A line chart as SVG, for files and pages: the same few points as Slack's native chart, drawn without a library."""

from collections.abc import Sequence
from html import escape
from math import isfinite
from typing import Final

WIDTH: Final = 640
HEIGHT: Final = 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 34, 56
_COLOURS: Final = ("#2563eb", "#ea7a2c", "#12946b", "#9333ea", "#be123c", "#52525b")
_LINES: Final = 4
Points = Sequence[tuple[str, float]]


def line_chart(title: str, series: Sequence[tuple[str, Points]]) -> str:
    """`series` are names with (label, value) points; all are drawn on one axis that begins at zero, or below it.

    Points that are not finite are left out. Raises ValueError if none is left: there is nothing to draw.
    """
    drawn = [(name, [(label, value) for label, value in points if isfinite(value)]) for name, points in series]
    drawn = [(name, points) for name, points in drawn if points][: len(_COLOURS)]
    if not drawn:
        raise ValueError("no points to draw")
    labels = list(dict.fromkeys(label for _, points in drawn for label, _ in points))
    values = [value for _, points in drawn for _, value in points]
    low, high = min(0.0, *values), max(0.0, *values)
    high = high if high > low else low + 1.0
    place = _Place(labels, low, high)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            f'font-family="sans-serif" font-size="11" role="img"><title>{escape(title)}</title>'
        ),
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="20" font-size="14" font-weight="bold" fill="#18181b">{escape(title)}</text>',
        *_grid(place),
        *_times(place),
    ]
    for number, (name, points) in enumerate(drawn):
        colour = _COLOURS[number]
        way = " ".join(f"{place.x(label):.1f},{place.y(value):.1f}" for label, value in points)
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{place.x(label):.1f}" cy="{place.y(value):.1f}" r="2.5" fill="{colour}"/>'
            for label, value in points
        ]
        x = _LEFT + number * (WIDTH - _LEFT - _RIGHT) / len(drawn)
        parts.append(f'<rect x="{x:.1f}" y="{HEIGHT - 19}" width="10" height="10" rx="2" fill="{colour}"/>')
        parts.append(f'<text x="{x + 14:.1f}" y="{HEIGHT - 10}" fill="#3f3f46">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>\n"])


class _Place:
    def __init__(self, labels: Sequence[str], low: float, high: float) -> None:
        self.labels = labels
        self.low, self.high = low, high
        self._number = {label: number for number, label in enumerate(labels)}

    def x(self, label: str) -> float:
        share = self._number[label] / max(len(self.labels) - 1, 1)
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)


def _grid(place: _Place) -> list[str]:
    out = []
    for number in range(_LINES + 1):
        value = place.low + (place.high - place.low) * number / _LINES
        y = place.y(value)
        out.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e4e7"/>')
        out.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#71717a">{value:.3g}</text>')
    return out


def _times(place: _Place) -> list[str]:
    last = len(place.labels) - 1
    shown = sorted({0, last // 2, last})
    anchors = {0: "start", last: "end"} if last else {0: "start"}
    return [
        f'<text x="{place.x(place.labels[n]):.1f}" y="{HEIGHT - _BOTTOM + 16}" '
        f'text-anchor="{anchors.get(n, "middle")}" fill="#71717a">{escape(place.labels[n])}</text>'
        for n in shown
    ]
