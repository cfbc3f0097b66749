# pyright: reportMissingTypeStubs=false
"""The map of a run: what stands in the way, the marks of the mission, and the path of each robot."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch, Rectangle

from swarm.telemetry.report import svg
from swarm.telemetry.runfiles import Run

WALL = "wall"                        # layer of the shapes that are drawn darkest
MARKERS = ("o", "^", "s", "D", "v", "P")
POINTS = 600                         # of one robot's way
ROBOT_COLOURS = (svg.BLUE, svg.ORANGE, svg.PURPLE, svg.SKY, svg.YELLOW, svg.GREY)
NAMES_UP_TO = 12                     # robots; more names than this would hide the map


def world_map(run: Run) -> str | None:
    """The map; None if neither a scene nor a path was recorded."""
    ways = _ways(run.paths)
    scene = run.scene
    if not scene and not ways:
        return None
    figure, axes = svg.new(5.6)
    shapes: Sequence[Mapping[str, Any]] = scene.get("shapes") or []
    _shapes(axes, [s for s in shapes if s.get("layer") != WALL], facecolor=svg.LINE, edgecolor="none")
    _shapes(axes, [s for s in shapes if s.get("layer") == WALL], facecolor=svg.MUTED, edgecolor="none")
    victims = dead(run)
    named = len(ways) <= NAMES_UP_TO
    for i, (name, way) in enumerate(ways.items()):
        colour, style = ROBOT_COLOURS[i % len(ROBOT_COLOURS)], ("-", (0, (4, 1.5)), (0, (1, 1)))[i // 6 % 3]
        axes.plot(way[:, 0], way[:, 1], color=colour, linestyle=style, linewidth=1.1 if named else 0.6)
        axes.plot(*way[0, :2], marker=".", color=colour, markersize=4)
        axes.plot(*way[-1, :2], marker="X" if name in victims else "o", color=svg.RED if name in victims else colour,
                  markersize=7 if name in victims else 5, zorder=4)
        if named:
            _name(axes, way[-1], name, svg.RED if name in victims else colour)
    labels = _marks(axes, scene.get("marks") or [])
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(visible=False)
    axes.set(xlabel="x, m", ylabel="y, m")
    if not shapes:
        axes.margins(0.1)
    handles = [Line2D([], [], marker=m, linestyle="none", markerfacecolor="none", markeredgecolor=svg.INK, label=label)
               for label, m in labels.items()]
    if labels:
        done = str(scene.get("done", "done"))
        handles += [Line2D([], [], marker="o", linestyle="none", color=svg.GREEN, label=done),
                    Line2D([], [], marker="o", linestyle="none", markerfacecolor=svg.PAPER, markeredgecolor=svg.RED,
                           markeredgewidth=1.6, label=f"not {done}")]
    handles.append(Line2D([], [], marker="o", markersize=5, linestyle="-", color=svg.BLUE, label="robot, at its end"))
    if victims & ways.keys():
        handles.append(Line2D([], [], marker="X", linestyle="none", color=svg.RED, label="its process ended"))
    figure.legend(handles=handles, loc="outside upper left", ncols=4, frameon=False, columnspacing=1.0)
    return svg.inline(figure, "Map of the world with its marks and the paths of the robots")


def dead(run: Run) -> set[str]:
    """Robots whose process ended during the run and did not come back."""
    names: set[str] = set()
    for fault in run.summary.get("faults", []):      # in order of time
        if fault.get("done_s") is not None and fault.get("kind") in ("kill", "crash", "restart"):
            back = fault.get("kind") == "restart" and fault.get("ended_s") is not None
            (names.discard if back else names.add)(str(fault.get("target")))
    return names


def _ways(paths: Iterable[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Per robot, in order of name, the positions over time, [points, 2]; thinned to POINTS."""
    ways: dict[str, list[Sequence[float]]] = {}
    for line in paths:
        for name, pose in (line.get("robots") or {}).items():
            ways.setdefault(str(name), []).append(pose[:2])
    return {name: np.asarray([*way[:-1:len(way) // POINTS + 1], way[-1]], float) for name, way in sorted(ways.items())}


def _name(axes: Axes, at: np.ndarray, name: str, colour: str) -> None:
    axes.annotate(name, (float(at[0]), float(at[1])), (5, 4), textcoords="offset points", fontsize=8, color=colour,
                  bbox={"facecolor": svg.PAPER, "edgecolor": "none", "alpha": 0.7, "pad": 0.6}, zorder=5)


def _shapes(axes: Axes, shapes: Sequence[Mapping[str, Any]], **look: Any) -> None:
    """Footprints, each a box (half extents, yaw) or a circle (radius hx_m)."""
    patches: list[Patch] = []
    for s in shapes:
        x, y, hx, hy = (float(s.get(k, 0.0)) for k in ("x_m", "y_m", "hx_m", "hy_m"))
        patches.append(Circle((x, y), hx) if s.get("shape") == "circle" else Rectangle(
            (x - hx, y - hy), 2 * hx, 2 * hy, angle=math.degrees(s.get("yaw_rad", 0.0)), rotation_point="center"))
    if patches:
        axes.add_collection(PatchCollection(patches, **look))
        axes.autoscale_view()


def _marks(axes: Axes, marks: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Draw the marks; returns the marker of each label."""
    labels = {label: MARKERS[i % len(MARKERS)]
              for i, label in enumerate(dict.fromkeys(str(t.get("label", "")) for t in marks))}
    for t in marks:
        if t.get("x_m") is None or t.get("y_m") is None:
            continue
        got = t.get("done_by") not in (None, "")
        axes.plot(float(t["x_m"]), float(t["y_m"]), linestyle="none", marker=labels[str(t.get("label", ""))],
                  markersize=8, markerfacecolor=svg.GREEN if got else svg.PAPER,
                  markeredgecolor=svg.PAPER if got else svg.RED, markeredgewidth=0.6 if got else 1.6, zorder=3)
    return labels
