"""A seeded road between walls: a depot, then bends, with things at both sides, and a dead end.

The road is a chain of square cells of 3 m. Its middle line leads through the middles of the sides that two cells share;
things stand in the corners, so that robots can pass.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from sim_worlds.classes import TARGET_CLASSES
from sim_worlds.environment import Environment
from sim_worlds.physics.solids import Colour, Solid, Thing, box, place_thing
from sim_worlds.scenarios.convoy import depot
from sim_worlds.scenarios.convoy.depot import CELL_M, Cell
from sim_worlds.scenarios.search_rescue import things
from swarm.core.protocol.bounds import ROBOTS_MAX

WALL_M, HEIGHT_M = 0.14, 2.0
CELLS_LEAST = 4                      # of the road beyond the depot; a fleet of more robots has one more for each
ROBOTS_LEAST = 4
FREE_CELLS = 100                     # a road with more keeps to a floor, and fills LONG_SHARE of it
LONG_SHARE = 0.3
CORNER_M = 1.05                      # from the middle of a cell to the middle of a thing in a corner, along each side
THINGS_PER_CELL = 2
THINGS_APART_M = 2.0                 # at least
CLUTTER = 0.5                        # share of cells with a piece of clutter
DEPOT = (0.0, 0.0)                   # the gate, between depot and road

STEPS: tuple[Cell, ...] = ((1, 0), (0, 1), (-1, 0), (0, -1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Road(Environment):
    """The environment, and the cells of the road beyond the depot, in order from the gate."""

    seed: int
    cells: tuple[Cell, ...]


def road(seed: int, robots: int) -> Road:
    """The road of a seed for so many robots: each stands in the depot, in rows of two, the first robots in front.

    Raises ValueError for more than ROBOTS_MAX robots.
    """
    if robots > ROBOTS_MAX:
        raise ValueError(f"{robots} robots, but the road has room for {ROBOTS_MAX}")
    rng, paint = np.random.default_rng([seed, 41]), np.random.default_rng([seed, 42])
    count = CELLS_LEAST + max(0, robots - ROBOTS_LEAST)
    cells = _walk(rng, count) if count <= FREE_CELLS else _long_walk(rng, count)
    chain = depot.lanes(robots) + cells
    grey = float(paint.uniform(0.45, 0.85))
    targets = _targets(rng, cells)
    spawns = tuple(depot.start(robot) for robot in range(robots))
    dark, angle = float(paint.uniform(0.25, 0.55)), float(paint.uniform(0.0, 2 * math.pi))
    return Road(
        seed=seed, size_m=2 * CELL_M * (1 + max(abs(v) for cell in chain for v in cell)), cells=tuple(cells),
        walls=tuple(_walls(chain, (grey, grey, grey * 0.95))), targets=tuple(targets),
        clutter=tuple(_clutter(rng, cells, targets)), target_classes=TARGET_CLASSES, spawns=spawns,
        floor_colour=(dark, dark, dark), light=(math.cos(angle), math.sin(angle), 2.0))


def cell_of(x_m: float, y_m: float) -> Cell:
    """The cell that holds a point."""
    return math.floor(x_m / CELL_M), math.floor(y_m / CELL_M + 0.5)


def _centre(cell: Cell) -> tuple[float, float]:
    return (cell[0] + 0.5) * CELL_M, cell[1] * CELL_M


def _walk(rng: np.random.Generator, count: int) -> list[Cell]:
    """A walk of so many cells that meets neither itself nor the depot, and has a bend at least."""
    while True:
        walk: list[Cell] = [(0, 0), (1, 0)]
        while len(walk) < count:
            x, y = walk[-1]
            free = [(x + dx, y + dy) for dx, dy in STEPS if x + dx >= 0 and (x + dx, y + dy) not in walk]
            if not free:
                break
            walk.append(free[int(rng.integers(len(free)))])
        if len(walk) == count and len({y for _, y in walk}) > 1:
            return walk


def _long_walk(rng: np.random.Generator, count: int) -> list[Cell]:
    """The same within a floor east of the depot. It never goes where a smaller part of the free floor is left.

    Source: Kremer and Lyklema, Indefinitely growing self-avoiding walk, Phys. Rev. Lett. 54, 1985: a walk that knows
    where it would be trapped.
    """
    from scipy import ndimage  # takes long to import

    wide = math.ceil(math.sqrt(count / LONG_SHARE / 2))      # and twice as long, from south to north
    while True:
        walk: list[Cell] = [(0, 0), (1, 0)]
        free = np.zeros((wide + 2, 2 * wide + 3), bool)      # by x + 1 and y + 1 + wide, with a rim that is not free
        free[1:-1, 1:-1] = True
        free[1:3, wide + 1] = False
        pieces = np.zeros(free.shape, np.int32)
        while len(walk) < count:
            ndimage.label(free, output=pieces)
            sizes = np.bincount(pieces.ravel())
            x, y = walk[-1]
            near = [(x + dx, y + dy, int(pieces[x + dx + 1, y + dy + 1 + wide])) for dx, dy in STEPS]
            most = max((sizes[piece] for _, _, piece in near if piece), default=0)
            best = [(ax, ay) for ax, ay, piece in near if piece and sizes[piece] == most]
            if not best:
                break
            walk.append(best[int(rng.integers(len(best)))])
            free[walk[-1][0] + 1, walk[-1][1] + 1 + wide] = False
        if len(walk) == count:
            return walk


def _walls(chain: list[Cell], colour: Colour) -> list[Solid]:
    """A wall on each side of a cell through which the road does not lead."""
    through = {frozenset(pair) for pair in itertools.pairwise(chain)}
    sides = {frozenset((cell, (cell[0] + dx, cell[1] + dy))): None for cell in chain for dx, dy in STEPS}
    walls = []
    for side in sides:
        if side not in through:
            (ax, ay), (bx, by) = (_centre(cell) for cell in sorted(side))
            sx, sy = (WALL_M, CELL_M + WALL_M) if ay == by else (CELL_M + WALL_M, WALL_M)
            walls.append(box((ax + bx) / 2, (ay + by) / 2, 0.0, sx, sy, HEIGHT_M, colour))
    return walls


def _corners(rng: np.random.Generator, cell: Cell) -> list[tuple[float, float]]:
    """The four corners of a cell, in a drawn order."""
    x, y = _centre(cell)
    corners = [(x + CORNER_M * i, y + CORNER_M * j) for i in (-1, 1) for j in (-1, 1)]
    return [corners[int(k)] for k in rng.permutation(4)]


def _targets(rng: np.random.Generator, cells: list[Cell]) -> list[Thing]:
    """Up to two things in each cell, of all classes in turn."""
    placed: list[Thing] = []
    labels = [str(label) for label in rng.permutation(np.resize(TARGET_CLASSES, THINGS_PER_CELL * len(cells)))]
    for cell in cells:
        here = 0
        for x, y in _corners(rng, cell):
            if here < THINGS_PER_CELL and all(math.dist((x, y), (t.x_m, t.y_m)) >= THINGS_APART_M for t in placed):
                label = labels[len(placed)]
                placed.append(place_thing(label, things.TARGETS[label](rng), x, y, float(rng.uniform(-3.1, 3.1))))
                here += 1
    return placed


def _clutter(rng: np.random.Generator, cells: list[Cell], targets: list[Thing]) -> list[Thing]:
    """A drum, post or bin in a free corner of some cells, away from the things."""
    made = []
    for cell in cells:
        kinds = (("drum", things.drum), ("post", things.post), ("bin", things.bin_with_lid))
        name, make = kinds[int(rng.integers(len(kinds)))]
        free = [c for c in _corners(rng, cell)
                if all(math.dist(c, (t.x_m, t.y_m)) >= 0.8 for t in (*targets, *made))]
        if rng.random() < CLUTTER and free:
            made.append(place_thing(name, make(rng), *free[0], 0.0))
    return made
