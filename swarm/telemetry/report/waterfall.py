# pyright: reportMissingTypeStubs=false
"""The waterfall of a stream's slowest requests: one bar per request, from capture to end, in segments."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from swarm.telemetry.figures.request_paths import breakdown
from swarm.telemetry.figures.request_paths.segments import Segment
from swarm.telemetry.report import svg
from swarm.telemetry.report.charts import PART_LOOKS
from swarm.telemetry.report.slowest import Slow

HALF = 0.2                           # half of a bar's height; rows are 1 apart
NUMBERED = 0.03                      # share of the width; a narrower leg has no room for its number
SEEN = 0.002                         # share of the width; a narrower segment is not visible
LETTERS = 66                         # of a bar's heading; a longer one would overlap the ending
FIRED = {"marker": "^", "markersize": 5, "markerfacecolor": svg.RED, "markeredgecolor": svg.RED}
OFFLOAD_FAILED = {**FIRED, "markerfacecolor": svg.PAPER}
DEADLINE = {"color": svg.INK, "linewidth": 1.8}


def waterfall(stream: str, slow: Sequence[Slow]) -> svg.Drawing | None:
    """The chart; None without requests."""
    if not slow:
        return None
    figure, axes = svg.new(1.15 + 0.42 * len(slow))
    edge_ms = 1.02 * max(max(s.end_ms, s.deadline_ms) for s in slow)
    tips: dict[str, str] = {}
    for row, one in enumerate(slow):
        late = one.ending != "completed"
        above = {"y": row - HALF - 0.07, "va": "bottom", "fontsize": 8, "transform": axes.get_yaxis_transform(),
                 "in_layout": False}
        axes.text(0.0, s=_fitting(f"{one.request} {one.where} · {one.model}"), **above)
        axes.text(1.0, s=one.ending_text, ha="right", color=svg.RED if late else svg.INK, **above)
        for segment in one.segments:
            gid = f"segment-{len(tips)}"
            tips[gid] = tip(one, segment)
            _draw(axes, row, segment, gid, edge_ms)
        axes.plot([one.deadline_ms] * 2, [row - HALF, row + HALF + 0.1], **DEADLINE)
        if one.fell_back_ms is not None:
            axes.plot(one.fell_back_ms, row + HALF + 0.06, linestyle="none", zorder=4,
                      **(FIRED if one.by_guard else OFFLOAD_FAILED))
    axes.set(ylim=(len(slow) - 0.6, -0.85), yticks=[], xlim=(0, edge_ms), xlabel="since capture, ms")
    axes.set_title(stream)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    figure.legend(handles=_legend(slow, edge_ms), loc="outside lower left", ncols=4, frameon=False, columnspacing=1.0,
                  handlelength=1.2)
    return svg.Drawing(figure, f"The slowest requests of {stream}, each with the parts of its time", tips)


def tip(of: Slow, segment: Segment) -> str:
    """The tooltip of a segment."""
    leg = f", leg {segment.leg}" if segment.leg else ""
    times = f", {of.preempted} times in all" if segment.part == "preempted" and of.preempted > 1 else ""
    return (f"{of.request}: {segment.part}{leg}, {segment.agent}{times}: {segment.end_ms - segment.start_ms:.1f} ms "
            f"({segment.start_ms:.1f} to {segment.end_ms:.1f} ms after capture; submitted at {of.at_s:.2f} s)")


def _draw(axes: Axes, row: int, segment: Segment, gid: str, edge_ms: float) -> None:
    width = segment.end_ms - segment.start_ms
    axes.barh(row, width, height=2 * HALF, left=segment.start_ms, gid=gid, **PART_LOOKS[segment.part])
    if segment.leg and segment.part == "run" and width > NUMBERED * edge_ms:
        axes.text(segment.start_ms + width / 2, row, str(segment.leg), ha="center", va="center_baseline", fontsize=7.5,
                  color=svg.PAPER, fontweight="bold")


def _fitting(text: str) -> str:
    return text if len(text) <= LETTERS else text[:LETTERS - 1] + "…"


def _legend(slow: Sequence[Slow], edge_ms: float) -> list[Patch | Line2D]:
    """Legend entries of the parts and markers that are visible in the chart."""
    shown = {s.part for one in slow for s in one.segments if s.end_ms - s.start_ms > SEEN * edge_ms}
    handles: list[Patch | Line2D] = [Patch(label=part, **PART_LOOKS[part]) for part in breakdown.PARTS if part in shown]
    handles.append(Line2D([], [], label="deadline", marker="|", markersize=9, markeredgewidth=1.8, linestyle="none",
                          color=svg.INK))
    back = [one for one in slow if one.fell_back_ms is not None]
    if any(one.by_guard for one in back):
        handles.append(Line2D([], [], label="guard fired", linestyle="none", **FIRED))
    if any(not one.by_guard for one in back):
        handles.append(Line2D([], [], label="offload failed", linestyle="none", **OFFLOAD_FAILED))
    return handles
