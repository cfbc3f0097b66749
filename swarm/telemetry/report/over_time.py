# pyright: reportMissingTypeStubs=false
"""The chart of the run over time: on-time shares, the plan beside what was observed, load; with faults and plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, pairwise
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from swarm.telemetry.report import svg
from swarm.telemetry.report.plans.changes import changes
from swarm.telemetry.report.runfiles import Run

Array = NDArray[np.float64]
STEP_S = 5.0                         # of the shares, about: the time between two cuts is divided equally
LEAST_STEPS, MOST_STEPS = 5, 60      # of a run without faults
NEAR_S = 1.0                         # faults nearer than this to a cut make none of their own
NAMED_FAULTS = 12
STREAM_COLOURS = (svg.BLUE, svg.ORANGE, svg.GREEN, svg.PURPLE, svg.SKY, svg.RED)
ROLE_COLOURS = (svg.SKY, svg.PURPLE, svg.YELLOW, svg.GREY)
PREDICTED = (0, (1, 1))              # dotted
OTHER_RUNS = ((0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (2, 1)))


class Steps(NamedTuple):
    """A level for each time between two edges."""

    edges_s: Array                   # [n + 1] since the streams began
    levels: Array                    # [n] NaN: unknown
    look: dict[str, Any]
    tip: str = ""


def over_time(run: Run, others: Sequence[tuple[str, Run]] = ()) -> svg.Drawing | None:
    """Panels on one time axis; None without frames. A panel whose figures the run folder lacks is left out."""
    due_s = run.due_s[np.isfinite(run.due_s)]
    if not due_s.size:
        return None
    colours = dict(zip(run.streams, cycle(STREAM_COLOURS)))
    roles = dict(zip(dict.fromkeys(map(_role, _agents(run))), cycle(ROLE_COLOURS)))
    edges_s = edges(run, float(due_s.max()))
    planned = _told(run, colours, "predicted_on_time", "due", linestyle=PREDICTED)
    panels = [panel for panel in (
        ("on time", [
            *planned, *_shares(run, edges_s, colours),
            *(line for (_, other), dashes in zip(others, OTHER_RUNS, strict=False)
              for line in _shares(other, edges_s, colours, linestyle=dashes, linewidth=1.1))]),
        ("offloaded", _shares(run, edges_s, colours, "on_peer") if run.requests["on_peer"].any() else []),
        ("mean, ms", [*_told(run, colours, "predicted_ms", "due", linestyle=PREDICTED),
                      *_told(run, colours, "mean_ms", "ended", linewidth=1.2)]),
        ("busy", _load(run, roles, "busy")),
        ("queue", _load(run, roles, "queue")),
    ) if any(np.isfinite(line.levels).any() for line in panel[1])]
    figure = Figure(figsize=(svg.WIDTH_IN, 2.2 + 0.95 * len(panels)), layout="constrained")
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False,
                           height_ratios=[2.0, *[1.0] * (len(panels) - 1)])[:, 0]
    tips: dict[str, str] = {}
    for axes, (name, lines) in zip(rows, panels, strict=True):
        _panel(axes, name, lines, tips)
        for change in changes(run.plans):
            axes.axvline(change.plan.at_s, color=svg.MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
        _faults(axes, run, float(edges_s[-1]), named=axes is rows[0])
    rows[-1].set(xlim=(0, float(edges_s[-1])), xlabel="s since the streams began")
    figure.legend(handles=_legend(run, colours, roles, [name for name, _ in others], bool(planned)),
                  loc="outside upper left", ncols=4, frameon=False, columnspacing=1.0)
    return svg.Drawing(figure, "The run over time: shares on time, predictions and load, with faults and plans", tips)


def edges(run: Run, until_s: float) -> Array:
    """The edges of the steps of shares: cut where a fault began or ended, and else about every STEP_S."""
    cuts = [0.0]
    for at_s in sorted(at for f in run.summary.faults for at in (f.done_s, f.ended_s) if at is not None):
        if cuts[-1] + NEAR_S <= at_s <= until_s - NEAR_S:
            cuts.append(at_s)
    until_s = max(until_s, 1e-3)
    step_s = min(max(STEP_S, until_s / MOST_STEPS), max(until_s / LEAST_STEPS, NEAR_S))
    parts = [np.linspace(a, b, max(1, round((b - a) / step_s)) + 1)[:-1] for a, b in pairwise([*cuts, until_s])]
    return np.append(np.concatenate(parts), until_s)


def _shares(
    run: Run, edges_s: Array, colours: Mapping[str, str], column: str | None = None, **look: Any
) -> list[Steps]:
    """Per stream: completed / due; with a column: completed for which it is true / completed."""
    c, due_s = run.requests, np.maximum(run.due_s, 0.0)
    lines: list[Steps] = []
    for stream, colour in colours.items():
        there = c["stream"] == stream
        done = there & (c["ending"] == "completed")
        of, counted = (there, done) if column is None else (done, done & c[column].astype(bool))
        n, k = (np.histogram(due_s[mask], edges_s)[0] for mask in (of, counted))
        share = np.divide(k, n, out=np.full(n.size, np.nan), where=n > 0)
        lines.append(Steps(edges_s, share, {"color": colour, **look}, stream))
    return lines


def _told(run: Run, colours: Mapping[str, str], key: str, weight: str, **look: Any) -> list[Steps]:
    """Per stream: a figure of `series.jsonl`, the mean over its robots, weighted by another."""
    lines: list[Steps] = []
    for stream, colour in colours.items():
        levels = np.full(len(run.series), np.nan)
        for i, second in enumerate(run.series):
            known = [(value, n if (n := getattr(one, weight)) > 0 else 1) for name, one in second.streams.items()
                     if name.rpartition("/")[2] == stream and (value := getattr(one, key)) is not None]
            if known:
                levels[i] = np.average([value for value, _ in known], weights=[n for _, n in known])
        if np.isfinite(levels).any():
            lines.append(Steps(_seconds(run), levels, {"color": colour, **look}, stream))
    return lines


def _load(run: Run, roles: Mapping[str, str], key: str) -> list[Steps]:
    """Per agent: a figure of `series.jsonl`, in the colour of its role."""
    return [Steps(_seconds(run), np.array([
        np.nan if agent not in second.agents or (value := getattr(second.agents[agent], key)) is None else value
        for second in run.series], float), {"color": roles[_role(agent)], "linewidth": 0.9}, agent)
        for agent in _agents(run)]


def _seconds(run: Run) -> Array:
    """[n + 1] edges of the lines of `series.jsonl`; each tells of the second before its time."""
    at_s = np.array([second.at_s for second in run.series], float)
    return np.append(at_s[:1] - 1.0, at_s)


def _agents(run: Run) -> list[str]:
    return sorted({agent for second in run.series for agent in second.agents})


def _role(agent: str) -> str:
    return agent.rpartition("_")[0] or agent


def _panel(axes: Axes, name: str, lines: Sequence[Steps], tips: dict[str, str]) -> None:
    top = max(float(np.nanmax(line.levels, initial=0.0)) for line in lines)
    for line in lines:
        gid = f"over-time-{len(tips)}"
        tips[gid] = line.tip
        axes.stairs(line.levels, line.edges_s, baseline=None, gid=gid, linewidth=line.look.get("linewidth", 1.6),
                    **{k: v for k, v in line.look.items() if k != "linewidth"})
    axes.set(ylabel=name, ylim=(0, 1.05 * top or 1.0))
    if name == "queue":
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    if name in ("on time", "offloaded", "busy"):
        axes.set(ylim=(0, 1.03), yticks=(0, 0.25, 0.5, 0.75, 1.0) if name == "on time" else (0, 0.5, 1.0))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _faults(axes: Axes, run: Run, to_s: float, *, named: bool) -> None:
    """A line for each fault that began; with names if the faults are few."""
    begun = sorted((f.done_s, f.kind, f.target) for f in run.summary.faults if f.done_s is not None)
    few = len(begun) <= NAMED_FAULTS
    before_s, level = float("-inf"), 0
    for at_s, kind, target in begun:
        level = (level + 1) % 3 if at_s - before_s < 0.05 * to_s else 0              # else the names would overlap
        before_s = at_s
        axes.axvline(at_s, color=svg.RED, linewidth=1.2 if few else 0.5, linestyle=(0, (2, 2)))
        if few and named:
            axes.annotate(f"{kind} {target}", (at_s, 0.03 + 0.32 * level), (3, 0), rotation=90, fontsize=8.5,
                          textcoords="offset points", color=svg.RED, va="bottom")


def _legend(
    run: Run, colours: Mapping[str, str], roles: Mapping[str, str], others: Sequence[str], planned: bool
) -> list[Line2D]:
    looks: list[tuple[str, dict[str, Any]]] = [(stream, {"color": colour}) for stream, colour in colours.items()]
    looks += [(f"each {role}", {"color": colour, "linewidth": 0.9}) for role, colour in roles.items()]
    looks += [("predicted by the plan", {"color": svg.INK, "linestyle": PREDICTED})] if planned else []
    looks += [(f"run {name}", {"color": svg.INK, "linestyle": dashes, "linewidth": 1.1})
              for name, dashes in zip(others, OTHER_RUNS, strict=False)]
    looks += [("new plan", {"color": svg.MUTED, "linewidth": 0.8, "linestyle": (0, (1, 2))})] if run.plans else []
    return [Line2D([], [], label=label, **look) for label, look in looks]
