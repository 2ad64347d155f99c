"""Figures of results: one description, drawn by Plotly or as SVG."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from typing import Any, Sequence

from .errors import UnavailableError


@dataclass(frozen=True)
class Series:
    """Points with a name; ``mode`` is ``lines``, ``markers`` or ``lines+markers``."""

    name: str
    x: Sequence[float | None]
    y: Sequence[float | None]
    mode: str = "lines"


@dataclass(frozen=True)
class Plot:
    title: str
    x: str
    y: str
    series: Sequence[Series]
    log_x: bool = False
    log_y: bool = False
    marks: Sequence[tuple[str, float]] = field(default_factory=tuple)
    """Vertical lines with their names."""


def plotly_figure(plot: Plot) -> Any:
    try:
        import plotly.graph_objects as graphs  # type: ignore[import-untyped]
    except ImportError:
        raise UnavailableError("figure needs Plotly, which is not installed: pip install plotly.") from None
    figure = graphs.Figure(layout={"title": {"text": plot.title}, "template": "plotly_white"})
    for series in plot.series:
        figure.add_trace(
            graphs.Scatter(x=list(series.x), y=list(series.y), mode=series.mode, name=series.name)
        )
    for name, value in plot.marks:
        figure.add_vline(x=value, line_dash="dash", annotation_text=html.escape(name))
    figure.update_xaxes(title_text=plot.x, type="log" if plot.log_x else "linear")
    figure.update_yaxes(title_text=plot.y, type="log" if plot.log_y else "linear")
    return figure


_COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#6b46c1")
_WIDTH, _HEIGHT = 640, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 16, 28, 44


class _Axis:
    """Where numbers lie between two ends, on a linear or a logarithmic axis."""

    def __init__(self, values: Sequence[float], is_log: bool, start: float, end: float) -> None:
        self.is_log = is_log
        self.start, self.end = start, end
        shown = [self._scaled(value) for value in values if self.has(value)]
        self.low, self.high = (min(shown), max(shown)) if shown else (0.0, 1.0)
        if self.low == self.high:
            spread = abs(self.low) * 0.1 or 1.0
            self.low, self.high = self.low - spread, self.high + spread

    def has(self, value: float | None) -> bool:
        return value is not None and math.isfinite(value) and (not self.is_log or value > 0)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.is_log else value

    def place(self, value: float) -> float:
        share = (self._scaled(value) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        scaled = [self.low + (self.high - self.low) * part / 4 for part in range(5)]
        return [10**value for value in scaled] if self.is_log else scaled


def svg(plot: Plot) -> str:
    """The figure as an element of a page."""
    across = _Axis(
        [x for series in plot.series for x in series.x if x is not None]
        + [value for _, value in plot.marks],
        plot.log_x,
        _LEFT,
        _WIDTH - _RIGHT,
    )
    up = _Axis(
        [y for series in plot.series for y in series.y if y is not None],
        plot.log_y,
        _HEIGHT - _BOTTOM,
        _TOP,
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="11" fill="currentColor"><title>{html.escape(plot.title)}</title>',
        f'<path d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}" fill="none" stroke="currentColor"/>',
        _label(plot.x, (_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8),
        _label(plot.y, _LEFT, 14, "start"),
    ]
    for tick in across.ticks():
        parts.append(_label(f"{tick:.3g}", across.place(tick), _HEIGHT - _BOTTOM + 14))
    for tick in up.ticks():
        parts.append(_label(f"{tick:.3g}", _LEFT - 6, up.place(tick) + 4, "end"))
    for name, value in plot.marks:
        if across.has(value):
            x = across.place(value)
            parts.append(
                f'<path d="M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="currentColor" stroke-dasharray="4"/>'
            )
            side = "end" if x > _WIDTH * 0.7 else "start"
            parts.append(_label(name, x + (-4 if side == "end" else 4), _TOP + 10, side))
    for index, series in enumerate(plot.series):
        parts.append(_series(series, across, up, _COLOURS[index % len(_COLOURS)]))
        if len(plot.series) > 1:
            parts.append(
                f'<g fill="{_COLOURS[index % len(_COLOURS)]}">'
                + _label(series.name, _WIDTH - _RIGHT, 14 + 12 * index, "end")
                + "</g>"
            )
    return "".join(parts) + "</svg>"


def _series(series: Series, across: _Axis, up: _Axis, colour: str) -> str:
    places = [
        (
            (across.place(x), up.place(y))
            if x is not None and y is not None and across.has(x) and up.has(y)
            else None
        )
        for x, y in zip(series.x, series.y)
    ]
    drawn = ""
    if "lines" in series.mode:
        path, is_open = "", False
        for place in places:
            if place is None:
                is_open = False
                continue
            path += f"{'L' if is_open else 'M'}{place[0]:.1f} {place[1]:.1f}"
            is_open = True
        if path:
            drawn += f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    if "markers" in series.mode:
        drawn += "".join(
            f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="3" fill="{colour}"/>'
            for place in places
            if place
        )
    return drawn


def _label(text: str, x: float, y: float, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'
