# pyright: reportMissingTypeStubs=false
"""Plans on the map: the robots' places when a plan came, and an arrow from each stream's owner to where it runs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from itertools import pairwise
from math import isfinite

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from swarm.core.policy.plan import Placement
from swarm.telemetry.file_types import Poses
from swarm.telemetry.report import svg
from swarm.telemetry.report.map import NAMES_UP_TO, WALL, name_at, shapes
from swarm.telemetry.report.plans.changes import Change, changes
from swarm.telemetry.report.runfiles import Run

MAPS = 6                             # plans that are drawn: those that moved most
ARROWS = 150                         # of one map: those that moved first
COLOURS = (svg.BLUE, svg.ORANGE, svg.GREEN, svg.PURPLE, svg.SKY, svg.YELLOW)
RING, RING_STEP = 7.0, 3.5           # diameters in points
NAME_OFF = (9.0, 7.0)                # points, away from the middle of the team
MARGIN = 0.35                        # of the robots' extent, around them
NEAREST_M = 3.0                      # half the side of the least piece of the map
LINE = 62                            # characters of a title's line
LINES = 3

Place = tuple[float, float]          # metres, in the world's frame


def plan_maps(run: Run) -> list[svg.Drawing]:
    """The plans that moved most, in order of time; none without poses."""
    made = [change for change in changes(run.plans) if change.now]
    chosen = sorted(sorted(made, key=lambda change: -len(change.moved))[:MAPS], key=lambda change: change.plan.at_s)
    return [_drawn(run, change, where) for change in chosen if (where := places(run.paths, change.plan.at_s))]


def places(paths: Iterable[Poses], at_s: float) -> dict[str, Place]:
    """Where the robots were at this time: at the first record from then on, or the last one before, of each robot."""
    found: dict[str, Place] = {}
    settled: set[str] = set()
    for line in paths:
        for name, pose in line.robots.items():
            if len(pose) > 1 and isfinite(pose[0] + pose[1]) and name not in settled:
                found[name] = pose[0], pose[1]
                if line.time_s >= at_s:
                    settled.add(name)
    return found


def ways(placement: Placement) -> list[tuple[str, str]]:
    """From the owner to the agent of the first stage, and on to those of the next ones; empty: all is at home."""
    stops = [placement.agent, *placement.where]
    return [(one, other) for one, other in pairwise(stops) if one != other]


def dead_at(run: Run, at_s: float) -> set[str]:
    """Robots whose process had ended by then and had not come back."""
    names: set[str] = set()
    for fault in run.summary.faults:                 # in order of time
        if fault.done_s is not None and fault.done_s <= at_s and fault.kind in ("kill", "crash", "restart", "battery"):
            back = fault.kind == "restart" and fault.ended_s is not None and fault.ended_s <= at_s
            (names.discard if back else names.add)(fault.target)
    return names


def _drawn(run: Run, change: Change, where: Mapping[str, Place]) -> svg.Drawing:
    plan, moved = change.plan, set(change.moved)
    dead = dead_at(run, plan.at_s)
    models = {stream.name: stream.model for stream in run.manifest.launch.streams}
    used = list(dict.fromkeys(models.get(p.stream, p.stream) for p in plan.placements))
    colours = {model: COLOURS[n % len(COLOURS)] for n, model in enumerate(sorted(used))}
    figure, axes = svg.new(4.6)
    shapes(axes, [s for s in run.scene.shapes if s.layer != WALL], facecolor=svg.LINE, edgecolor="none")
    shapes(axes, [s for s in run.scene.shapes if s.layer == WALL], facecolor=svg.MUTED, edgecolor="none", alpha=0.6)
    middle, half_m = _view(where.values())
    for name, place in sorted(where.items()):
        axes.plot(*place, marker="X" if name in dead else "o", color=svg.RED if name in dead else svg.INK,
                  markersize=8 if name in dead else 5, linestyle="none", zorder=4)
        if len(where) <= NAMES_UP_TO:
            off = tuple(far if at >= of else -far for at, of, far in zip(place, middle, NAME_OFF, strict=True))
            name_at(axes, place, name, svg.RED if name in dead else svg.INK, (off[0], off[1]))
    placements = sorted(plan.placements, key=lambda p: ((p.agent, p.stream) not in moved, p.agent, p.stream))
    for placement in placements[:ARROWS]:
        model = models.get(placement.stream, placement.stream)
        _stream(axes, placement, where, colours[model], list(colours).index(model),
                bold=bool(change.before) and (placement.agent, placement.stream) in moved)
    axes.set_aspect("equal", adjustable="box")
    axes.grid(visible=False)
    axes.set(xlabel="x, m", ylabel="y, m", xlim=(middle[0] - half_m, middle[0] + half_m),
             ylim=(middle[1] - half_m, middle[1] + half_m))
    more = len(placements) - ARROWS
    axes.set_title(_title(change, more), fontsize=9.0, fontweight="normal")
    handles = [Line2D([], [], color=colour, label=model) for model, colour in colours.items()]
    if dead & where.keys():
        handles.append(Line2D([], [], marker="X", linestyle="none", color=svg.RED, label="its process has ended"))
    figure.legend(handles=handles, loc="outside lower left", ncols=4, frameon=False, columnspacing=1.2)
    return svg.Drawing(figure, f"Plan {plan.epoch} on the map, {plan.at_s:.1f} s after the start of the streams")


def _view(places: Iterable[Place]) -> tuple[Place, float]:
    """The middle of the robots, and half the side of the square that shows them."""
    x, y = zip(*places, strict=True)
    middle = (min(x) + max(x)) / 2, (min(y) + max(y)) / 2
    return middle, max((1.0 + MARGIN) * max(max(x) - min(x), max(y) - min(y)) / 2, NEAREST_M)


def _stream(
    axes: Axes, placement: Placement, where: Mapping[str, Place], colour: str, number: int, *, bold: bool
) -> None:
    """Its arrows, or a ring at home. number: of its model, so that models do not cover each other."""
    way = [(where[one], where[other]) for one, other in ways(placement) if one in where and other in where]
    if not way and placement.agent in where:
        axes.plot(*where[placement.agent], marker="o", markersize=RING + RING_STEP * (number + 1), linestyle="none",
                  markerfacecolor="none", markeredgecolor=colour, markeredgewidth=2.0 if bold else 1.0, zorder=3)
    for one, other in way:
        axes.add_patch(FancyArrowPatch(
            one, other, connectionstyle=f"arc3,rad={0.12 + 0.1 * number:.2f}", arrowstyle="-|>", mutation_scale=11,
            shrinkA=4, shrinkB=6, color=colour, linewidth=2.0 if bold else 1.0, zorder=3))


def _title(change: Change, more: int) -> str:
    plan, moved = change.plan, len(change.moved)
    text = f"{plan.at_s:.1f} s, plan {plan.epoch}: {moved} {'stream' if moved == 1 else 'streams'} moved"
    if change.before == {}:
        text = f"{plan.at_s:.1f} s, plan {plan.epoch}: {len(change.now)} streams placed"
    lines = textwrap.wrap(plan.why or "no reason was recorded", LINE, max_lines=LINES, placeholder=" ...")
    return "\n".join([text + (f" ({more} are not drawn)" if more > 0 else ""), *lines])
