"""A seeded building for search and rescue: rooms, doors, clutter, targets and spawn poses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim_worlds.classes import TARGET_CLASSES
from sim_worlds.environment import ROBOT_RADIUS_M, Environment, spawns_around
from sim_worlds.occupancy import Grid
from sim_worlds.physics.solids import Rect, Thing
from sim_worlds.scenarios.search_rescue import layout, placing, things
from sim_worlds.scenarios.search_rescue.layout import Door
from swarm.core.protocol.bounds import ROBOTS_MAX
from swarm.core.protocol.world import Pose

SIZE_M = 20.0                        # of the building of a fleet that fits with room to spare
FITS = 100                           # robots; a larger fleet has a building with as much floor for each robot
UNIT_M = 2.0                         # sides of larger buildings are multiples of it
CONFIRM_M = 1.2                      # every target can be seen from within this distance of its centre
CLUTTER_MIN = 20
ATTEMPTS = 20
CHECK_RESOLUTION_M = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Building(Environment):
    """An environment of rooms with doors between them, and the seed that it was drawn from."""

    seed: int
    rooms: tuple[Rect, ...]
    doors: tuple[Door, ...]


def generate(seed: int, robots: int) -> Building:
    """The building of a seed, with a spawn pose for each robot; the same arguments give an identical building.

    Every room is connected for a robot of radius 0.30 m, and every target can be seen from a reachable point within
    1.2 m of its centre. Raises ValueError if `robots` is below 0 or does not fit into the building.
    """
    if not 0 <= robots <= ROBOTS_MAX:
        raise ValueError(f"the number of robots must be at least 0 and at most {ROBOTS_MAX}, not {robots}")
    for attempt in range(ATTEMPTS):
        building = _draw(seed, attempt, robots)
        if building is not None and not problems(building):
            return building
    raise ValueError(f"no building of {size_of(robots):g} m for seed {seed} holds {robots} robots")


def size_of(robots: int) -> float:
    """The side of the building of a fleet, in metres."""
    return SIZE_M if robots <= FITS else UNIT_M * math.ceil(SIZE_M * math.sqrt(robots / FITS) / UNIT_M)


def problems(building: Building) -> list[str]:
    """The broken promises of `generate`; empty for a good building."""
    found = []
    grid = Grid(size_m=building.size_m, resolution_m=CHECK_RESOLUTION_M)
    free = ~grid.rasterise(building.solids(), ROBOT_RADIUS_M)
    start = building.spawns[0] if building.spawns else Pose(*placing.middle(building.rooms[0]), 0.0)
    reached = grid.steps_from(free, start.x_m, start.y_m) >= 0
    if (free & ~reached).any():
        found.append(f"{int((free & ~reached).sum())} free cells cannot be reached")
    blocked = grid.rasterise(building.solids(targets=False))
    found += [f"the {t.label} at ({t.x_m:.2f}, {t.y_m:.2f}) cannot be seen from within {CONFIRM_M} m"
              for t in building.targets if not can_be_seen(t, reached, blocked, grid)]
    if len(building.clutter) < CLUTTER_MIN:
        found.append(f"only {len(building.clutter)} pieces of clutter")
    x, y = (np.array([getattr(s, axis) for s in building.spawns]) for axis in ("x_m", "y_m"))
    gaps = np.full(len(building.spawns), np.inf)
    for solid in building.solids() if len(gaps) else ():
        np.minimum(gaps, solid.distance_m(x, y), out=gaps)
    for s, gap in zip(building.spawns, gaps.tolist(), strict=True):
        try:
            if gap < 2 * ROBOT_RADIUS_M:             # else nothing is near
                building.check_spawn(s.x_m, s.y_m)
        except ValueError as why:
            found.append(str(why))
    return found


def can_be_seen(target: Thing, reached: NDArray[np.bool_], blocked: NDArray[np.bool_], grid: Grid) -> bool:
    """Whether a robot can see the target from one of the cells that it can reach, from within CONFIRM_M of its centre.

    reached, blocked: bool [iy, ix]; blocked without targets.
    """
    centres = grid.centres_m()
    near = reached & (np.hypot(centres[None, :] - target.x_m, centres[:, None] - target.y_m) <= CONFIRM_M)
    return any(grid.sees(blocked, float(centres[ix]), float(centres[iy]), target.x_m, target.y_m)
               for iy, ix in np.argwhere(near)[::3])


def _draw(seed: int, attempt: int, robots: int) -> Building | None:
    """One attempt. Each part has its own random stream, so that a change of one part does not change the others."""
    paint, plan, aim, fill = (np.random.default_rng([seed, attempt, k]) for k in range(4))
    grey = paint.uniform(0.45, 0.9)
    wall = things.tinted(paint, (grey, grey * paint.uniform(0.9, 1.02), grey * paint.uniform(0.78, 1.05)), 0.05)
    dark = paint.uniform(0.22, 0.6)
    floor = things.tinted(paint, (dark, dark * paint.uniform(0.85, 1.0), dark * paint.uniform(0.7, 1.08)), 0.05)
    ceiling = things.tinted(paint, (0.88, 0.88, 0.86), 0.08)
    angle, height = paint.uniform(0, 2 * math.pi), paint.uniform(1.2, 2.5)

    size_m = size_of(robots)
    rooms = layout.split(plan, size_m, wall)
    entrance = placing.entrance(rooms.rooms)
    spawns = spawns_around(rooms.walls, size_m, *placing.middle(rooms.rooms[entrance]), robots)
    if spawns is None:
        return None
    keep_clear = [d.apron() for d in rooms.doors]
    keep_clear += [Rect(s.x_m, s.y_m, s.x_m, s.y_m).grown(0.65) for s in spawns]
    placed: list[Thing] = []
    targets = placing.targets(aim, rooms.rooms, entrance, keep_clear, placed)
    if targets is None:
        return None
    for room in rooms.rooms:
        area = (room.x1_m - room.x0_m) * (room.y1_m - room.y0_m)
        in_room = [rect for rect in keep_clear if rect.gap_m(room) <= 0.0]       # the only ones that a thing could meet
        for _ in range(int(area / 5.0)):
            name, make, _ = things.CLUTTER[int(fill.choice(len(things.CLUTTER), p=[c[2] for c in things.CLUTTER]))]
            placing.place(fill, name, make(fill), room, in_room, placed, flush=0.6, tries=6)
    return Building(seed=seed, size_m=size_m, walls=rooms.walls, rooms=rooms.rooms, doors=rooms.doors,
                    clutter=tuple(placed[len(targets):]), targets=tuple(targets),
                    target_classes=TARGET_CLASSES, spawns=tuple(spawns),
                    floor_colour=floor, ceiling_colour=ceiling,
                    light=(math.cos(angle), math.sin(angle), height))
