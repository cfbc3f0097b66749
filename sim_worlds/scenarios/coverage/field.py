"""A seeded field between walls: plots in rows, things of the three classes on some of them, other objects on a few.

The field grows with the fleet: each robot has the same share of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sim_worlds.classes import TARGET_CLASSES
from sim_worlds.environment import Environment
from sim_worlds.physics.solids import Colour, Solid, Thing, box, place_thing
from sim_worlds.scenarios.search_rescue import things
from swarm.core.protocol.world import Pose

SHARE_M2 = 50.0                      # of the floor, for each robot
LEAST_ROBOTS, MOST_ROBOTS = 4, 1000  # a smaller fleet has the field of four
WALL_M, HEIGHT_M = 0.2, 2.4
PLOT_M = 1.2, 1.2, 0.05              # a slab, low enough to fly over with whatever stands on it
PITCH_M, MOVES_M = 2.4, 0.4          # from plot to plot, and by how much one is moved at most, along x and y
EDGE_M = 1.2                         # from the middle of a plot to a wall, at least
THINGS_PER_ROBOT = 2
OTHERS = (things.drum, things.bright_box, things.bin_with_lid)       # one for each robot, in turn; none is above 0.9 m
START_M = 0.9                        # between two robots at the start
CLEAR_M = 0.5                        # from the robots at the start to a plot
FLY_M = 1.2                          # height at which robots start that fly


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(Environment):
    """The environment, the seed that it was drawn from, the side of the free floor, and the middles of the plots.

    Target k stands on plot k at first; the plots after the last target are free.
    """

    seed: int
    side_m: float
    plots: tuple[tuple[float, float], ...]


def generate(seed: int, robots: int) -> Field:
    """The field of a seed for so many robots, which start in its middle; the same arguments, the same field.

    Each part has its own random stream. Raises ValueError for fewer than 1 or more than MOST_ROBOTS robots.
    """
    if not 1 <= robots <= MOST_ROBOTS:
        raise ValueError(f"the field has room for 1 to {MOST_ROBOTS} robots, not {robots}")
    paint, plan, stock, fill = (np.random.default_rng([seed, 51, part]) for part in range(4))
    shares = max(robots, LEAST_ROBOTS)
    side_m = round(math.sqrt(SHARE_M2 * shares), 1)
    spawns = _spawns(robots)
    plots = _plots(plan, spawns, side_m)
    labels = [str(label) for label in stock.permutation(np.resize(TARGET_CLASSES, THINGS_PER_ROBOT * shares))]
    slab, (others, plots_of_things) = things.tinted(paint, things.GREY), (plots[:shares], plots[shares:])
    clutter = [place_thing("plot", [box(0.0, 0.0, 0.0, *PLOT_M, slab)], x, y, 0.0) for x, y in plots]
    clutter += [_standing("object", OTHERS[k % len(OTHERS)](fill), plot, fill) for k, plot in enumerate(others)]
    dark, angle = float(paint.uniform(0.25, 0.5)), float(paint.uniform(0.0, 2 * math.pi))
    return Field(
        seed=seed, side_m=side_m, plots=tuple(plots_of_things), size_m=side_m + 2 * WALL_M,
        walls=tuple(_walls(side_m, things.tinted(paint, things.BEIGE))), clutter=tuple(clutter),
        targets=tuple(_standing(label, things.TARGETS[label](stock), plot, stock)
                      for label, plot in zip(labels, plots_of_things, strict=False)),
        target_classes=TARGET_CLASSES, spawns=spawns, floor_colour=(dark, dark, dark),
        light=(math.cos(angle), math.sin(angle), 2.0))


def _standing(label: str, parts: Sequence[Solid], at: tuple[float, float], draw: np.random.Generator) -> Thing:
    """A thing on the plot at a place, turned at random."""
    lifted = [replace(part, z_m=part.z_m + PLOT_M[2]) for part in parts]
    return place_thing(label, lifted, *at, float(draw.uniform(-math.pi, math.pi)))


def _plots(draw: np.random.Generator, spawns: Sequence[Pose], side_m: float) -> list[tuple[float, float]]:
    """The middles of all plots, in a drawn order: a grid whose plots are each moved a little, but for the start."""
    rows = math.floor((side_m - 2 * EDGE_M) / PITCH_M) + 1
    grid = PITCH_M * (np.arange(rows) - (rows - 1) / 2)
    most_m = min(MOVES_M, EDGE_M + (side_m - 2 * EDGE_M - PITCH_M * (rows - 1)) / 2 - PLOT_M[0] / 2)
    x, y = (axis.ravel() + draw.uniform(-most_m, most_m, rows * rows) for axis in np.meshgrid(grid, grid))
    start = np.array([(spawn.x_m, spawn.y_m) for spawn in spawns])
    places = np.column_stack([x, y])[draw.permutation(rows * rows)]
    return [(px, py) for px, py in places.tolist()
            if float(np.abs(start - (px, py)).max(axis=1).min()) > PLOT_M[0] / 2 + CLEAR_M]


def _spawns(robots: int) -> tuple[Pose, ...]:
    """Start poses in a block in the middle of the field, each looking away from it."""
    rows = max(1, math.ceil(math.sqrt(robots)))
    columns = math.ceil(robots / rows)
    places = [(START_M * (k // rows - (columns - 1) / 2), START_M * (k % rows - (rows - 1) / 2)) for k in range(robots)]
    return tuple(Pose(x, y, math.atan2(y, x), FLY_M) for x, y in places)


def _walls(side_m: float, colour: Colour) -> list[Solid]:
    at, long = (side_m + WALL_M) / 2, side_m + 2 * WALL_M
    return [box(x, y, 0.0, sx, sy, HEIGHT_M, colour) for x, y, sx, sy in (
        (0.0, -at, long, WALL_M), (0.0, at, long, WALL_M), (-at, 0.0, WALL_M, side_m), (at, 0.0, WALL_M, side_m))]
