# pyright: reportMissingTypeStubs=false
"""Maps: of a run, with the mission's marks and the robots' paths; of a scene, as a separate file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch, Rectangle
from numpy.typing import NDArray

from swarm.core.protocol.scene import Scene, SceneMark, SceneRobot, SceneShape
from swarm.telemetry.file_types import Poses
from swarm.telemetry.report import svg
from swarm.telemetry.report.runfiles import Run

WALL = "wall"                        # layer of the shapes drawn in the darkest colour
UNNAMED_LAYERS = (WALL, "clutter")   # in legends
ALPHA = 0.55                         # of what is no wall
MARKERS = ("o", "^", "s", "D", "v", "P")
POINTS = 600                         # of one robot's path
ROBOT_COLOURS = (svg.BLUE, svg.ORANGE, svg.PURPLE, svg.SKY, svg.YELLOW, svg.GREY)
NAMES_UP_TO = 12                     # robots; more names would hide the map
LONGER_SIDE_IN, LEAST_WIDTH_IN = 6.4, 4.8        # of the picture of a scene
BESIDE_IN, ABOVE_IN = 0.8, 1.5       # room for the axis; for title, axis and a legend of two rows
MARGIN_M = 0.2                       # around it


def world_map(run: Run) -> svg.Drawing | None:
    """The map; None if neither a scene nor a path was recorded."""
    robot_paths = _robot_paths(run.paths)
    scene = run.scene
    if not scene.shapes and not scene.marks and not robot_paths:
        return None
    figure, axes = svg.new(5.6)
    shapes(axes, [s for s in scene.shapes if s.layer != WALL], facecolor=svg.LINE, edgecolor="none")
    shapes(axes, [s for s in scene.shapes if s.layer == WALL], facecolor=svg.MUTED, edgecolor="none")
    dead_robots = dead(run)
    named = len(robot_paths) <= NAMES_UP_TO
    for i, (name, path) in enumerate(robot_paths.items()):
        colour, style = ROBOT_COLOURS[i % len(ROBOT_COLOURS)], ("-", (0, (4, 1.5)), (0, (1, 1)))[i // 6 % 3]
        axes.plot(path[:, 0], path[:, 1], color=colour, linestyle=style, linewidth=1.1 if named else 0.6)
        axes.plot(*path[0, :2], marker=".", color=colour, markersize=4)
        end = {"marker": "X", "color": svg.RED, "markersize": 7} if name in dead_robots else {
            "marker": "o", "color": colour, "markersize": 5}
        axes.plot(*path[-1, :2], zorder=4, **end)
        if named:
            name_at(axes, path[-1], name, end["color"])
    markers = _marks(axes, scene.marks)
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(visible=False)
    axes.set(xlabel="x, m", ylabel="y, m")
    if not scene.shapes:
        axes.margins(0.1)
    handles = _legend_of_marks(markers, scene.done)
    handles.append(Line2D([], [], marker="o", markersize=5, linestyle="-", color=svg.BLUE, label="robot, final place"))
    if dead_robots & robot_paths.keys():
        handles.append(Line2D([], [], marker="X", linestyle="none", color=svg.RED, label="its process ended"))
    figure.legend(handles=handles, loc="outside upper left", ncols=4, frameon=False, columnspacing=1.0)
    return svg.Drawing(figure, "Map of the world with its marks and the paths of the robots")


def draw_scene(scene: Scene, path: Path) -> None:
    """Write a picture of a scene, to scale: obstacles, marks, and robots by kind.

    path: its suffix selects the format, such as .svg or .png.
    Raises: OSError; ValueError for a suffix that matplotlib does not support.
    """
    with svg.styled_on_paper():
        _scene_figure(scene).savefig(path, dpi=140, metadata={"Date": None} if path.suffix == ".svg" else None)


def scene_pixels(scene: Scene) -> NDArray[np.uint8]:
    """The picture of a scene as uint8 [height, width, 3], RGB."""
    with svg.styled_on_paper():
        canvas = FigureCanvasAgg(_scene_figure(scene))
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def _scene_figure(scene: Scene) -> Figure:
    paint = svg.ON_PAPER.__getitem__
    robots = scene.robots
    kinds = dict(zip(dict.fromkeys(r.kind for r in robots), map(paint, ROBOT_COLOURS), strict=False))
    obstacles = [s for s in scene.shapes if s.layer != WALL]
    x0, x1, y0, y1 = _extent(scene)
    inches_m = LONGER_SIDE_IN / max(x1 - x0, y1 - y0)
    figure = Figure(figsize=(max((x1 - x0) * inches_m + BESIDE_IN, LEAST_WIDTH_IN),
                             (y1 - y0) * inches_m + ABOVE_IN), layout="constrained", facecolor=paint(svg.PAPER))
    axes = figure.add_subplot()
    shapes(axes, obstacles, facecolor=[s.colour for s in obstacles], edgecolor="none", alpha=ALPHA)
    shapes(axes, [s for s in scene.shapes if s.layer == WALL], facecolor=paint(svg.INK), edgecolor="none")
    axes.add_collection(PatchCollection(
        [Circle((s.x_m, s.y_m), s.radius_m) for s in scene.spawns], facecolor="none", edgecolor=paint(svg.GREY),
        linestyle=(0, (2, 2)), linewidth=0.7))
    for r in robots:
        _robot(axes, r, kinds.get(r.kind, paint(svg.GREY)), named=len(robots) <= NAMES_UP_TO)
    markers = _marks(axes, scene.marks, paint)
    for m in scene.marks:
        if m.done_by is not None:
            _text_below(axes, (m.x_m, m.y_m), f"{m.done_by}, {m.done_at_s:.1f} s", 7)
    axes.set_aspect("equal", adjustable="box")
    axes.grid(visible=False)
    axes.set(xlim=(x0, x1), ylim=(y0, y1), xlabel="x, m", ylabel="y, m",
             title=f"{scene.scenario}, seed {scene.seed}, at {scene.time_s:.0f} s")
    handles = _legend_of_marks(markers, scene.done, paint)
    handles += [Line2D([], [], marker="o", markersize=8, linestyle="none", color=colour, label=kind)
                for kind, colour in kinds.items()]
    layers = dict.fromkeys((s.layer, s.colour) for s in obstacles if s.layer not in UNNAMED_LAYERS)
    plain = [(layer, colour) for layer, colour in layers if [name for name, _ in layers].count(layer) == 1]
    handles += [Line2D([], [], marker="s", markersize=8, linestyle="none", color=colour, alpha=ALPHA, label=layer)
                for layer, colour in plain]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, columnspacing=1.2)
    return figure


def dead(run: Run) -> set[str]:
    """Robots whose process ended during the run and did not come back."""
    names: set[str] = set()
    for fault in run.summary.faults:                 # in order of time
        if fault.done_s is not None and fault.kind in ("kill", "crash", "restart", "battery"):
            back = fault.kind == "restart" and fault.ended_s is not None
            (names.discard if back else names.add)(fault.target)
    return names


def _robot_paths(paths: Iterable[Poses]) -> dict[str, np.ndarray]:
    """By robot, sorted by name: positions over time [points, 2], reduced to about POINTS."""
    found: dict[str, list[Sequence[float]]] = {}
    for line in paths:
        for name, pose in line.robots.items():
            if len(pose) > 1:
                found.setdefault(name, []).append(pose[:2])
    return {name: np.asarray([*points[:-1:len(points) // POINTS + 1], points[-1]], float)
            for name, points in sorted(found.items())}


def name_at(axes: Axes, at: Sequence[float] | np.ndarray, name: str, colour: str,
            off: tuple[float, float] = (5, 4)) -> None:
    """Write the name of a robot beside its place, in metres. off: to which side, in points."""
    axes.annotate(name, (float(at[0]), float(at[1])), off, textcoords="offset points", fontsize=8, color=colour,
                  ha="left" if off[0] > 0 else "right", va="baseline" if off[1] > 0 else "top",
                  bbox={"facecolor": svg.PAPER, "edgecolor": "none", "alpha": 0.7, "pad": 0.6}, zorder=5)


def shapes(axes: Axes, footprints: Sequence[SceneShape], **look: Any) -> None:
    """Footprints, each a box (half extents, yaw) or a circle (radius hx_m)."""
    patches: list[Patch] = []
    for s in footprints:
        patches.append(Circle((s.x_m, s.y_m), s.hx_m) if s.shape == "circle" else Rectangle(
            (s.x_m - s.hx_m, s.y_m - s.hy_m), 2 * s.hx_m, 2 * s.hy_m, angle=math.degrees(s.yaw_rad),
            rotation_point="center"))
    if patches:
        axes.add_collection(PatchCollection(patches, **look))
        axes.autoscale_view()


def _robot(axes: Axes, robot: SceneRobot, colour: str, *, named: bool) -> None:
    """A disc to scale, with a line that points forward."""
    x, y, radius, heading = robot.x_m, robot.y_m, robot.radius_m, robot.heading_rad
    ink = svg.ON_PAPER[svg.INK]
    axes.add_patch(Circle((x, y), radius, facecolor=colour, edgecolor="none", zorder=3))
    axes.plot([x, x + 1.6 * radius * math.cos(heading)], [y, y + 1.6 * radius * math.sin(heading)], color=ink,
              linewidth=1.2, zorder=4)
    if named:
        _text_below(axes, (x, y - radius), robot.name.removeprefix(f"{robot.kind}_"), 2)


def _text_below(axes: Axes, at: tuple[float, float], text: str, by_points: float) -> None:
    """Small text centred below a place."""
    axes.annotate(text, at, (0, -by_points), textcoords="offset points", ha="center", va="top", fontsize=7,
                  color=svg.ON_PAPER[svg.INK], zorder=5,
                  bbox={"facecolor": svg.ON_PAPER[svg.PAPER], "edgecolor": "none", "alpha": 0.75, "pad": 0.4})


def _extent(scene: Scene) -> tuple[float, float, float, float]:
    """Least and greatest x and y of what stands in a scene, with a margin; of the whole place if that is empty."""
    turned = [(s, abs(math.cos(s.yaw_rad)), abs(math.sin(s.yaw_rad))) for s in scene.shapes]
    halves = [(s, s.hx_m * c + s.hy_m * d, s.hx_m * d + s.hy_m * c) if s.shape == "box" else (s, s.hx_m, s.hx_m)
              for s, c, d in turned]
    half_m = scene.size_m / 2
    x0, x1, y0, y1 = (
        (min(s.x_m - hx for s, hx, _ in halves), max(s.x_m + hx for s, hx, _ in halves),
         min(s.y_m - hy for s, _, hy in halves), max(s.y_m + hy for s, _, hy in halves))
        if halves else (-half_m, half_m, -half_m, half_m))
    return x0 - MARGIN_M, x1 + MARGIN_M, y0 - MARGIN_M, y1 + MARGIN_M


def _legend_of_marks(markers: Mapping[str, str], done: str, paint: Callable[[str], str] = str) -> list[Line2D]:
    """Legend entries of the marks; empty without marks. paint: see `_marks`."""
    if not markers:
        return []
    return [
        *(Line2D([], [], marker=m, linestyle="none", markerfacecolor="none", markeredgecolor=paint(svg.INK),
                 label=label) for label, m in markers.items()),
        Line2D([], [], marker="o", linestyle="none", color=paint(svg.GREEN), label=done),
        Line2D([], [], marker="o", linestyle="none", markerfacecolor=paint(svg.PAPER), markeredgecolor=paint(svg.RED),
               markeredgewidth=1.6, label=f"not {done}"),
    ]


def _marks(
    axes: Axes, marks: Sequence[SceneMark], paint: Callable[[str], str] = str
) -> dict[str, str]:
    """Draw the marks; returns the marker of each label. paint: maps a colour of the page to the colour to draw."""
    labels = {label: MARKERS[i % len(MARKERS)]
              for i, label in enumerate(sorted({mark.label for mark in marks}))}
    for mark in marks:
        done = bool(mark.done_by)
        axes.plot(mark.x_m, mark.y_m, linestyle="none", marker=labels[mark.label],
                  markersize=8, markerfacecolor=paint(svg.GREEN if done else svg.PAPER),
                  markeredgecolor=paint(svg.PAPER if done else svg.RED), markeredgewidth=0.6 if done else 1.6, zorder=3)
    return labels
