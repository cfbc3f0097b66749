"""A seeded course for a flock: a long field with walls across it, a gap in each, hazards on the way, and clutter.

It is the field of a small fleet, and one lane of a wider one (`lanes.py`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim_worlds.classes import TARGET_CLASSES
from sim_worlds.environment import ROBOT_RADIUS_M, Environment
from sim_worlds.occupancy import Grid
from sim_worlds.physics.solids import Colour, Rect, Solid, Thing, box, place_thing
from sim_worlds.scenarios.search_rescue import placing, things
from swarm.core.protocol.world import Pose

SIZE_M = 20.0
LENGTH_M, WIDTH_M = 19.6, 8.0        # of the free floor, along x and y
END_M = 7.5                          # beyond this |x| a robot is at an end of the course
KEEP_OUT_M = 1.2                     # from the middle of a hazard
WALL_M, HEIGHT_M = 0.2, 1.2
WALLS_X_M = (-2.5, 2.5)              # of the walls across the field, moved by up to WALL_MOVES_M
WALL_MOVES_M = 0.3
GAP_M = 2.4
GAP_Y_M = (1.2, 2.2)                 # of a gap's middle, on the two sides of the field in turn
HAZARD_AT = (0.5, 0.4, 0.4)          # of the straight way through each lane, from the west
HAZARD_MOVES_M = 0.3
CLUTTER = (("drum", things.drum), ("post", things.post), ("crates", things.crates), ("drum", things.drum))    # a lane
MARGIN_M = 1.2                       # of clutter from keep-outs: a robot can pass between them
APART_M = 0.9                        # between start poses
ROWS, COLUMNS = 8, 3                 # of start poses
MOST_ROBOTS = ROWS * COLUMNS
ATTEMPTS = 20
CHECK_RESOLUTION_M = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Course(Environment):
    """An environment whose targets are the hazards, the seed that it was drawn from, and the middles of its gaps.

    gaps: in two walls, of each lane in turn.
    """

    seed: int
    gaps: tuple[tuple[float, float], ...]


def generate_lane(seed: int, robots: int, lane: int = 0, walls_x_m: Sequence[float] | None = None) -> Course:
    """The course of a seed, with a spawn pose for each robot; the same arguments give an identical course.

    A robot of radius 0.30 m can go from end to end without entering a keep-out. lane: another one is drawn for each.
    walls_x_m: where its walls are, if another lane has said so. Raises ValueError if `robots` is below 1 or does not
    fit.
    """
    if not 1 <= robots <= MOST_ROBOTS:
        raise ValueError(f"the start of the course has room for 1 to {MOST_ROBOTS} robots, not {robots}")
    for attempt in range(ATTEMPTS):
        course = _draw(seed, attempt, lane, walls_x_m, robots)
        if not problems(course):
            return course
    raise ValueError(f"no course for seed {seed}")


def problems(course: Course) -> list[str]:
    """The broken promises of `generate_lane`; empty for a good course."""
    found = []
    grid = Grid(size_m=course.size_m, resolution_m=CHECK_RESOLUTION_M)
    centres = grid.centres_m()
    free = ~grid.rasterise(course.solids(), ROBOT_RADIUS_M) & (np.abs(centres) < WIDTH_M / 2)[:, None]
    for hazard in course.targets:
        free &= np.hypot(centres[None, :] - hazard.x_m, centres[:, None] - hazard.y_m) > KEEP_OUT_M
    west, east = free & (centres < -END_M)[None, :], free & (centres > END_M)[None, :]
    iy, ix = np.argwhere(west)[0]
    if not ((grid.steps_from(free, float(centres[ix]), float(centres[iy])) >= 0) & east).any():
        found.append("every way from end to end leads through a keep-out or is blocked")
    for spawn in course.spawns:
        try:
            course.check_spawn(spawn.x_m, spawn.y_m)
        except ValueError as why:
            found.append(str(why))
    return found


def _draw(seed: int, attempt: int, lane: int, walls_x_m: Sequence[float] | None, robots: int) -> Course:
    """One attempt. Each part has its own random stream, so that a change of one part does not change the others."""
    which = [lane] if lane else []
    paint, plan, aim, fill = (np.random.default_rng([seed, attempt, part, *which]) for part in range(4))
    grey = float(paint.uniform(0.45, 0.85))
    colour = things.tinted(paint, (grey, grey, grey * float(paint.uniform(0.85, 1.0))), 0.05)
    side = 1.0 if plan.random() < 0.5 else -1.0
    gaps = [(x + float(plan.uniform(-WALL_MOVES_M, WALL_MOVES_M)), side * (-1) ** k * float(plan.uniform(*GAP_Y_M)))
            for k, x in enumerate(WALLS_X_M)]
    if walls_x_m is not None:
        gaps = [(x, y) for x, (_, y) in zip(walls_x_m, gaps, strict=True)]
    spawns = _spawns(robots)
    hazards = _hazards(aim, gaps)
    keep_clear = [Rect(x, y, x, y).grown(GAP_M / 2) for x, y in gaps]
    keep_clear += [Rect(h.x_m, h.y_m, h.x_m, h.y_m).grown(KEEP_OUT_M + MARGIN_M) for h in hazards]
    keep_clear += [Rect(-LENGTH_M, -WIDTH_M, -END_M, WIDTH_M), Rect(END_M, -WIDTH_M, LENGTH_M, WIDTH_M)]
    placed: list[Thing] = []
    edges = [-END_M, *(x for x, _ in gaps), END_M]
    for west, east in itertools.pairwise(edges):
        room = Rect(west + WALL_M / 2, -WIDTH_M / 2, east - WALL_M / 2, WIDTH_M / 2)
        for label, make in CLUTTER:
            placing.place(fill, label, make(fill), room, keep_clear, placed, flush=0.0, tries=20)
    angle = float(paint.uniform(0, 2 * math.pi))
    return Course(seed=seed, size_m=SIZE_M, walls=(*rim(colour), *_across(gaps, colour)), gaps=tuple(gaps),
                  clutter=tuple(placed), targets=tuple(hazards), target_classes=TARGET_CLASSES, spawns=tuple(spawns),
                  light=(math.cos(angle), math.sin(angle), float(paint.uniform(1.2, 2.5))))


def rim(colour: Colour, width_m: float = WIDTH_M) -> list[Solid]:
    """The four walls around the field."""
    x, y = (LENGTH_M + WALL_M) / 2, (width_m + WALL_M) / 2
    return [box(0.0, y, 0.0, SIZE_M, WALL_M, HEIGHT_M, colour), box(0.0, -y, 0.0, SIZE_M, WALL_M, HEIGHT_M, colour),
            box(x, 0.0, 0.0, WALL_M, width_m, HEIGHT_M, colour), box(-x, 0.0, 0.0, WALL_M, width_m, HEIGHT_M, colour)]


def _across(gaps: Sequence[tuple[float, float]], colour: Colour) -> list[Solid]:
    """The walls across the field: two pieces each, with the gap between them."""
    walls = []
    for x, y in gaps:
        for low, high in ((-WIDTH_M / 2, y - GAP_M / 2), (y + GAP_M / 2, WIDTH_M / 2)):
            walls.append(box(x, (low + high) / 2, 0.0, WALL_M, high - low, HEIGHT_M, colour))
    return walls


def _hazards(rng: np.random.Generator, gaps: Sequence[tuple[float, float]]) -> list[Thing]:
    """A hazard in each lane, on the straight way through it; behind a gap it is near, and comes into view late."""
    stops = [(-END_M, gaps[0][1] / 2), *gaps, (END_M, gaps[-1][1] / 2)]
    hazards = []
    for (x0, y0), (x1, y1), share in zip(stops, stops[1:], HAZARD_AT, strict=False):
        dx, dy = rng.uniform(-HAZARD_MOVES_M, HAZARD_MOVES_M, 2).tolist()
        x, y = x0 + share * (x1 - x0) + dx, y0 + share * (y1 - y0) + dy
        hazards.append(place_thing("hazard", things.hazard(rng), x, y, float(rng.uniform(-math.pi, math.pi))))
    return hazards


def _spawns(robots: int) -> list[Pose]:
    """Start poses at the west end, in columns from the middle out, looking east."""
    rows = sorted(((k - (ROWS - 1) / 2) * APART_M for k in range(ROWS)), key=lambda y: (abs(y), y))
    places = [(-END_M - 0.1 - APART_M * column, y) for column in range(COLUMNS) for y in rows]
    places.sort(key=lambda at: (max(abs(at[1]), -END_M - at[0]), at))
    return [Pose(x, y, 0.0) for x, y in places[:robots]]
