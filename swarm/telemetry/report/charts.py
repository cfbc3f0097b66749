# pyright: reportMissingTypeStubs=false
"""The report's charts of requests: distributions of latency, parts of the latency, and the run over time."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from swarm.telemetry.figures import breakdown, counterfactual
from swarm.telemetry.report import svg
from swarm.telemetry.runfiles import Run
from swarm.telemetry.table import Columns

POINTS = 400                         # of a curve: enough for its shape, and small on the page
BIN_S = 5.0
NAMED_FAULTS = 12
FEW = 5                              # fewer results than this make no curve
PART_LOOKS: dict[str, dict[str, Any]] = {
    part: {"facecolor": svg.PAPER, "edgecolor": colour, "hatch": hatch, "linewidth": 0} if hatch else {"color": colour}
    for part, colour, hatch in zip(
        breakdown.PARTS,
        (svg.GREY, svg.YELLOW, svg.SKY, svg.PURPLE, svg.RED, svg.BLUE, svg.BLUE, svg.GREEN, svg.ORANGE),
        ("", "", "", "", "xxxx", "", "/////", "", ""), strict=True)}
"""How each part of a request's time is drawn. Hatched: lost time (a failed offload, a preempted run)."""
STREAM_COLOURS = (svg.BLUE, svg.ORANGE, svg.GREEN, svg.PURPLE, svg.SKY, svg.RED)
ROUTE_COLOURS = dict(zip(breakdown.ROUTES, (svg.BLUE, svg.ORANGE, svg.PURPLE), strict=True))


def latency(run: Run, stream: str, others: Sequence[tuple[str, Run]] = ()) -> str | None:
    """ECDF of one stream's latency over its results, by the origin of the result; None without results."""
    mine, mask = _results(run, stream)
    if not mine.size:
        return None
    figure, axes = svg.new(3.3)
    routes = breakdown.routes(run.requests)[mask]
    for route in breakdown.ROUTES:
        part = mine[routes == route]
        if FEW <= part.size < mine.size:
            _ecdf(axes, part, f"{route} ({part.size:,})", color=ROUTE_COLOURS[route], linewidth=1.4)
    _ecdf(axes, mine, f"{'this run, ' if others else ''}all ({mine.size:,})", color=svg.INK, linewidth=2.0)
    for (name, other), colour in zip(others, (svg.GREEN, svg.RED, svg.YELLOW), strict=False):
        theirs, _ = _results(other, stream)
        if theirs.size:
            _ecdf(axes, theirs, f"run {name}, all ({theirs.size:,})", color=colour, linestyle=(0, (4, 2)))
    deadline = run.deadline_ms(stream)
    edge = float(np.percentile(mine, 99.5)) * 1.1
    for _, other in others:
        theirs, _ = _results(other, stream)
        edge = max(edge, float(np.percentile(theirs, 99)) * 1.05 if theirs.size else 0.0)
    if deadline:
        edge = max(edge, deadline * 1.15)
        axes.axvline(deadline, color=svg.RED, linewidth=1.2, linestyle=(0, (2, 2)))
        axes.annotate(f"deadline {deadline:g} ms", (deadline, 1.03), xycoords=("data", "axes fraction"), ha="center",
                      color=svg.RED, fontsize=8.5)
    axes.set(xlim=(0, edge), ylim=(0, 1.0), xlabel="capture to result, ms", ylabel="share of results")
    axes.set_title(stream, pad=16)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    figure.legend(loc="outside lower left", ncols=2, frameon=False, columnspacing=1.0)
    return svg.inline(figure, f"Distribution of the latency of {stream}, by origin of the result, with its deadline")


def _results(run: Run, stream: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Latencies of one stream's results, and the mask of their rows."""
    mask = (run.requests["stream"] == stream) & ~np.isnan(run.requests["latency_ms"])
    return run.requests["latency_ms"][mask], mask


def _ecdf(axes: Axes, values: NDArray[np.float64], label: str, **line: Any) -> None:
    ordered = np.sort(values)
    share = np.arange(1, ordered.size + 1) / ordered.size
    if ordered.size > POINTS:
        at = np.unique(np.linspace(0, ordered.size - 1, POINTS).round().astype(int))
        ordered, share = ordered[at], share[at]
    axes.plot(np.concatenate([ordered[:1], ordered]), np.concatenate([[0.0], share]), label=label,
              drawstyle="steps-post", **line)


def mean_parts(run: Run) -> str | None:
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
    axes.set(xlabel="mean latency by part, ms", xlim=(0, max(float(p.sum()) for _, p in bars) * 1.14))
    for i, (_, part) in enumerate(bars):
        axes.annotate(f"{part.sum():.0f} ms", (float(part.sum()), i), (4, 0), textcoords="offset points", va="center")
    return svg.inline(figure, "Mean parts of the latency per stream and route")


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


def runner_up(run: Run) -> str | None:
    """ECDF of the gain (predicted for the runner-up minus measured) of each stream; None without a sample."""
    c = run.requests
    raw, corrected = counterfactual.gain_ms(c), counterfactual.corrected_ms(c)
    shown = [(s, there) for s in run.streams if (there := (c["stream"] == s) & ~np.isnan(raw)).sum() >= FEW]
    if not shown:
        return None
    figure, axes = svg.new(3.3)
    axes.axvline(0.0, color=svg.INK, linewidth=1.0)
    for (stream, there), colour in zip(shown, itertools.cycle(STREAM_COLOURS), strict=False):
        _ecdf(axes, corrected[there], f"{stream} ({there.sum():,})", color=colour)
        _ecdf(axes, raw[there], "", color=colour, linewidth=1.0, linestyle=(0, (1, 1.5)))
    edges = np.quantile(np.concatenate([*(raw[t] for _, t in shown), *(corrected[t] for _, t in shown)]), (0.01, 0.99))
    margin = 0.05 * float(edges[1] - edges[0]) + 1.0
    axes.set(xlim=(min(edges[0] - margin, 0), max(edges[1] + margin, 0)), ylim=(0, 1.0),
             xlabel="gain: runner-up predicted - choice measured, ms", ylabel="share of requests")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    figure.legend(loc="outside upper left", ncols=3, frameon=False)
    return svg.inline(figure, "Distribution of the gain: predicted for the runner-up minus measured for the choice")


def over_time(run: Run, others: Sequence[tuple[str, Run]] = ()) -> str | None:
    """On-time ratio in bins of five seconds by submission, share offloaded, and the faults; None without requests."""
    if not run.requests["at_s"].size:
        return None
    figure, axes = svg.new(3.1)
    at, ratio, share = _bins(run.requests)
    axes.plot(at, ratio, color=svg.BLUE, marker="o", markersize=3, label="on time")
    axes.plot(at, share, color=svg.ORANGE, marker="s", markersize=2.5, linewidth=1.2, label="offloaded, of those")
    for (name, other), colour in zip(others, (svg.GREEN, svg.RED, svg.YELLOW), strict=False):
        if other.requests["at_s"].size:
            axes.plot(*_bins(other.requests)[:2], color=colour, linestyle=(0, (4, 2)), label=f"on time, run {name}")
    _faults(axes, run, float(at[-1]))
    axes.set(ylim=(0, 1.03), xlabel="submitted at, s since the streams began")
    axes.set_xlim(left=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    figure.legend(loc="outside upper left", ncols=3, frameon=False)
    return svg.inline(figure, "Share of requests on time over the run, with the faults")


def _faults(axes: Axes, run: Run, to_s: float) -> None:
    """A line for each fault that began; with names if the faults are few."""
    begun = sorted((f for f in run.summary.get("faults", []) if f.get("done_s") is not None),
                   key=lambda f: f["done_s"])
    before_s, level = float("-inf"), 0
    for fault in begun:
        level = (level + 1) % 3 if fault["done_s"] - before_s < 0.05 * to_s else 0   # else the names would overlap
        before_s = fault["done_s"]
        axes.axvline(before_s, color=svg.RED, linewidth=1.2 if len(begun) <= NAMED_FAULTS else 0.5,
                     linestyle=(0, (2, 2)))
        if len(begun) <= NAMED_FAULTS:
            axes.annotate(f"{fault.get('kind')} {fault.get('target') or ''}", (before_s, 0.03 + 0.32 * level), (3, 0),
                          rotation=90, fontsize=8.5, textcoords="offset points", color=svg.RED, va="bottom")


def _bins(c: Columns) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Centres of the bins, completed / submitted, and offloaded / completed (NaN for an empty bin)."""
    index = np.floor(np.maximum(c["at_s"], 0.0) / BIN_S).astype(int)
    done = c["ending"] == "completed"
    submitted = np.bincount(index).astype(np.float64)
    completed = np.bincount(index, weights=done).astype(np.float64)
    peers = np.bincount(index, weights=done & c["on_peer"].astype(bool)).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return BIN_S * (np.arange(submitted.size, dtype=np.float64) + 0.5), completed / submitted, peers / completed
