"""An open hall with pillars and short walls that grows with its fleet: a place for experiments with many robots."""

from __future__ import annotations

import math

import numpy as np

from sim_worlds.environment import Environment
from sim_worlds.physics.solids import Colour, Solid, box, cylinder
from swarm.core.protocol.world import Pose

GREY: Colour = (0.6, 0.6, 0.62)
HEIGHT_M, EDGE_M = 2.0, 0.2
APART_M = 3.0                        # sides of the cells that hold a robot, an obstacle or nothing
OBSTACLES = 0.15                     # per robot
PILLAR_M, WALL_M = (0.15, 0.45), (0.8, 1.8)      # radii of pillars, lengths of walls


def hall(robots: int, seed: int) -> Environment:
    """The hall of a seed with a start pose for each robot, at least 1.5 m from the middle of any obstacle or wall."""
    draw = np.random.default_rng([seed, robots])
    obstacles = math.ceil(OBSTACLES * robots)
    side = math.ceil(math.sqrt(robots + obstacles))
    size_m = APART_M * side + 2 * EDGE_M
    edge = (size_m - EDGE_M) / 2
    walls = [box(x, y, 0.0, sx, sy, HEIGHT_M, GREY) for x, y, sx, sy in (
        (0.0, edge, size_m, EDGE_M), (0.0, -edge, size_m, EDGE_M),
        (edge, 0.0, EDGE_M, size_m), (-edge, 0.0, EDGE_M, size_m))]
    cells = draw.permutation(side * side)[:robots + obstacles]
    xy = APART_M * (np.stack([cells % side, cells // side], axis=1) - (side - 1) / 2)
    turns = draw.uniform(-math.pi, math.pi, len(cells))
    walls += [_obstacle(draw, float(x), float(y), float(turn))
              for (x, y), turn in zip(xy[robots:], turns[robots:], strict=True)]
    spawns = tuple(Pose(float(x), float(y), float(turn)) for (x, y), turn in zip(xy[:robots], turns, strict=False))
    return Environment(size_m=size_m, walls=tuple(walls), spawns=spawns)


def _obstacle(draw: np.random.Generator, x: float, y: float, turn: float) -> Solid:
    """A pillar or a short wall."""
    if draw.random() < 0.5:
        return cylinder(x, y, 0.0, float(draw.uniform(*PILLAR_M)), HEIGHT_M, GREY)
    return box(x, y, 0.0, float(draw.uniform(*WALL_M)), EDGE_M, HEIGHT_M, GREY, turn)
