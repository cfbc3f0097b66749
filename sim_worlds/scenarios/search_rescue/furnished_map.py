"""The floor of a map with the targets of search and rescue: what a map shows as occupied is its only clutter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim_worlds.classes import TARGET_CLASSES
from sim_worlds.environment import ROBOT_RADIUS_M, Environment
from sim_worlds.maps import FloorPlan
from sim_worlds.occupancy import Grid
from sim_worlds.physics.solids import Thing, place_thing
from sim_worlds.scenarios.search_rescue import placing, things
from sim_worlds.scenarios.search_rescue.building import CHECK_RESOLUTION_M, can_be_seen

SPAWN_GAP_M = 1.6                    # between the middles of a target and of a robot at its start
WALL_GAP_M = 0.05                    # between a target and a wall, at least
ATTEMPTS = 20
TRIES = 60                           # places of each target
STREAM = 5                           # of random draws; `building` has 0 to 4


def furnish(floor: FloorPlan, seed: int, robots: int) -> Environment:
    """The floor with spawns and with 12 targets that the seed draws.

    Each target can be seen from a reachable place within 1.2 m of its centre, and no target cuts off any floor.
    Raises ValueError if robots or targets do not fit.
    """
    place = floor.environment(robots)
    grid = Grid(size_m=place.size_m, resolution_m=CHECK_RESOLUTION_M)
    blocked = grid.rasterise(place.walls)
    reached = grid.steps_from(~grid.rasterise(place.walls, ROBOT_RADIUS_M), *floor.start) >= 0
    most = 0
    for attempt in range(ATTEMPTS):
        aim = np.random.default_rng([seed, attempt, STREAM])
        labels = placing.drawn_labels(aim)
        placed = _drawn(aim, labels, place, grid, blocked, reached)
        if len(placed) == len(labels):
            return replace(place, targets=tuple(placed), target_classes=TARGET_CLASSES)
        most = max(most, len(placed))
    raise ValueError(f"the map {floor.path} has room for {most} of {len(labels)} targets beside {robots} robots")


def _drawn(aim: np.random.Generator, labels: Sequence[str], place: Environment, grid: Grid,
           blocked: NDArray[np.bool_], reached: NDArray[np.bool_]) -> list[Thing]:
    """Targets of these labels, up to the first one that finds no place.

    blocked, reached: cells [iy, ix] of walls, and those where a robot can be.
    """
    centres, placed = grid.centres_m(), list[Thing]()
    open_ = reached.copy()                                   # where the middle of a target may be
    for spawn in place.spawns:
        open_ &= np.hypot(centres[None, :] - spawn.x_m, centres[:, None] - spawn.y_m) > SPAWN_GAP_M
    for label in labels:
        cells = np.flatnonzero(open_)
        for cell in cells[aim.permutation(len(cells))[:TRIES]].tolist():
            iy, ix = divmod(cell, grid.cells)
            x, y, yaw = float(centres[ix]), float(centres[iy]), float(aim.uniform(-math.pi, math.pi))
            thing = place_thing(label, things.TARGETS[label](aim), x, y, yaw)
            here = thing.rect()
            if _touches(thing, blocked, grid) or any(here.gap_m(t.rect()) < placing.TARGET_GAP_M for t in placed):
                continue
            left = reached & ~grid.rasterise(thing.parts, ROBOT_RADIUS_M)
            if grid.joined(left) and can_be_seen(thing, left, blocked, grid):
                placed.append(thing)
                reached = left
                square = placing.TARGET_GAP_M
                open_ &= (np.abs(centres[None, :] - x) > square) | (np.abs(centres[:, None] - y) > square)
                break
        else:
            break
    return placed


def _touches(thing: Thing, blocked: NDArray[np.bool_], grid: Grid) -> bool:
    """Whether a wall is in the rectangle around a thing."""
    here = thing.rect().grown(WALL_GAP_M)
    rows = slice(grid.index(here.y0_m), grid.index(here.y1_m) + 1)
    return bool(blocked[rows, grid.index(here.x0_m):grid.index(here.x1_m) + 1].any())

