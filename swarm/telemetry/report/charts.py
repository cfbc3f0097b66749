# pyright: reportMissingTypeStubs=false
"""The report's charts of requests: distributions of latency, and the parts of the mean latency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from swarm.telemetry.figures.request_paths import breakdown
from swarm.telemetry.report import svg
from swarm.telemetry.report.runfiles import Run

FEW = 5                              # fewer results than this make no curve of their own
PART_LOOKS: dict[str, dict[str, Any]] = {
    part: {"facecolor": svg.PAPER, "edgecolor": colour, "hatch": hatch, "linewidth": 0} if hatch else {"color": colour}
    for part, colour, hatch in zip(
        breakdown.PARTS,
        (svg.GREY, svg.YELLOW, svg.SKY, svg.PURPLE, svg.RED, svg.BLUE, svg.BLUE, svg.GREEN, svg.ORANGE),
        ("", "", "", "", "xxxx", "", "/////", "", ""), strict=True)}
"""How each part of a request's time is drawn. Hatched: lost time (a failed offload, a preempted run)."""
ROUTE_COLOURS = dict(zip(breakdown.ROUTES, (svg.BLUE, svg.ORANGE, svg.PURPLE), strict=True))
OTHER_RUNS = (svg.GREEN, svg.RED, svg.YELLOW)


def latency(run: Run, stream: str, others: Sequence[tuple[str, Run]] = ()) -> svg.Drawing | None:
    """ECDF of one stream's latency over all due frames, and by origin of the result; None without frames.

    A frame without a result is infinitely late. So a curve's height at the deadline is the share on time of the frames
    that it is over. The curve of an origin is over the requests that went its way: those kept at home, or those for
    which a peer was asked, whose results are from the peer or, fallen back, from home.
    """
    c = run.requests
    of_stream = c["stream"] == stream
    if not of_stream.any():
        return None
    all_ms, routes, deadline_ms = _late_ms(run)[of_stream], breakdown.routes(c)[of_stream], run.deadline_ms(stream)
    beside = [(name, late_ms) for name, other in others
              if (late_ms := _late_ms(other)[other.requests["stream"] == stream]).size]
    edge_ms = max([1e-3, 0.0 if math.isnan(deadline_ms) else 1.15 * deadline_ms, 1.1 * _quantile(all_ms, 0.995),
                   *(1.05 * _quantile(late_ms, 0.99) for _, late_ms in beside)])
    figure, axes = svg.new(3.3)
    for route in breakdown.ROUTES:
        way = (routes == "at home") == (route == "at home")
        way &= c["ending"][of_stream] != "missed"
        there_ms = np.where(routes == route, all_ms, np.inf)[way]
        if FEW <= np.isfinite(there_ms).sum() < np.isfinite(all_ms).sum():
            _ecdf(axes, there_ms, edge_ms, route, color=ROUTE_COLOURS[route], linewidth=1.4)
    _ecdf(axes, all_ms, edge_ms, f"{'this run, ' if others else ''}all", color=svg.INK, linewidth=2.0)
    for (name, late_ms), colour in zip(beside, OTHER_RUNS, strict=False):
        _ecdf(axes, late_ms, edge_ms, f"run {name}, all", color=colour, linestyle=(0, (4, 2)))
    if not math.isnan(deadline_ms):
        axes.axvline(deadline_ms, color=svg.RED, linewidth=1.2, linestyle=(0, (2, 2)))
        axes.annotate(f"deadline {deadline_ms:g} ms", (deadline_ms, 1.03), xycoords=("data", "axes fraction"),
                      ha="center", color=svg.RED, fontsize=8.5)
    axes.set(xlim=(0, edge_ms), ylim=(0, 1.0), xlabel="latency, ms", ylabel="share of frames")
    axes.set_title(stream, pad=16)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    figure.legend(loc="outside lower left", ncols=2, frameon=False, columnspacing=1.0)
    return svg.Drawing(figure, f"Distribution of the latency of {stream}, by origin of the result, with its deadline")


def _late_ms(run: Run) -> NDArray[np.float64]:
    """[frames] latency; infinite without a result."""
    return np.nan_to_num(run.requests["latency_ms"], nan=np.inf)


def _quantile(late_ms: NDArray[np.float64], share: float) -> float:
    """Of the results; 0 without results."""
    results = late_ms[np.isfinite(late_ms)]
    return float(np.quantile(results, share)) if results.size else 0.0


def _ecdf(axes: Axes, late_ms: NDArray[np.float64], edge_ms: float, name: str, **look: Any) -> None:
    """A curve that goes on level to the edge; what is infinitely late is beyond it. The label says what it is over."""
    results = np.isfinite(late_ms).sum()
    axes.ecdf(np.minimum(late_ms, 10 * edge_ms), label=f"{name} ({results:,} of {late_ms.size:,})", **look)


def mean_parts(run: Run) -> svg.Drawing | None:
    """Mean parts of the latency, stacked, per stream and route; None without results."""
    c = run.requests
    parts, routes = breakdown.parts_ms(c), breakdown.routes(c)
    bars: list[tuple[str, NDArray[np.float64]]] = []
    for stream in run.streams:
        for route in breakdown.ROUTES:
            mask = (c["stream"] == stream) & (routes == route) & ~np.isnan(c["latency_ms"])
            if mask.any():
                bars.append((f"{stream} · {route}  (n = {mask.sum():,})", parts[mask].mean(axis=0)))
    if not bars:
        return None
    figure, axes = svg.new(0.95 + 0.46 * len(bars))
    _stack(axes, bars)
    axes.set(xlabel="mean latency by part, ms", xlim=(0, max(float(p.sum()) for _, p in bars) * 1.14 or 1.0))
    for i, (_, part) in enumerate(bars):
        axes.annotate(f"{part.sum():.0f} ms", (float(part.sum()), i), (4, 0), textcoords="offset points", va="center")
    return svg.Drawing(figure, "Mean parts of the latency per stream and route")


def _stack(axes: Axes, bars: Sequence[tuple[str, NDArray[np.float64]]]) -> None:
    """Horizontal stacked bars, the first on top, each below its name."""
    left = np.zeros(len(bars))
    rows = np.arange(len(bars))
    for k, part in enumerate(breakdown.PARTS):
        width = np.array([p[k] for _, p in bars])
        if width.max() >= 0.05:
            axes.barh(rows, width, height=0.42, left=left, label=part, **PART_LOOKS[part])
        left += width
    for i, (name, _) in enumerate(bars):
        axes.text(0.0, i - 0.27, name, va="bottom", fontsize=8.5)
    axes.set(ylim=(len(bars) - 0.6, -0.85), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    axes.figure.legend(loc="outside upper left", ncols=4, frameon=False, columnspacing=1.0, handlelength=1.0)
