"""The field as every robot knows it: what a thing of each class counts, and how things go and come; not where."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarm.core.protocol.world import Pose

WALL_M = 0.2                         # of the area that the body states
FLY_M = 1.2                          # height of flight
PLOT_M = 0.05                        # height of the plots on which things stand
WEIGHTS = {"casualty": 6.0, "hazard": 2.0, "beacon": 1.0}    # integral of the density around a thing
SPREAD_M = 0.8                       # standard deviation of the density around a thing
GROUND = 0.01                        # density everywhere, per m2
THINGS_PER_M2 = 1 / 25
STAYS_S = 30.0                       # a thing goes after this time, on average
SPACING_M = 0.5                      # of the points at which a robot weighs the field

EXPECTED = THINGS_PER_M2 * sum(WEIGHTS.values()) / len(WEIGHTS)      # density of things, where nothing is known

Reals = NDArray[np.float64]


def points(area_m: float) -> Reals:
    """The middles of the cells of the field, [n, 2]. area_m: the side of the area, as the body states it."""
    side_m = area_m - 2 * WALL_M
    cells = math.ceil(side_m / SPACING_M - 1e-9)
    at = side_m * ((np.arange(cells) + 0.5) / cells - 0.5)
    x, y = np.meshgrid(at, at)
    return np.column_stack([x.ravel(), y.ravel()])


def squares(of: Reals, to: Reals) -> Reals:
    """Squared distances [n, k] between points [n, 2] and places [k, 2]."""
    return (of[:, :1] - to[:, 0]) ** 2 + (of[:, 1:] - to[:, 1]) ** 2


def near_to(of: Reals, pose: Pose, reach_m: float) -> NDArray[np.intp]:
    """The indices of the points [n, 2] in the square around a pose that reaches so far in each direction."""
    return np.flatnonzero(np.maximum(np.abs(of[:, 0] - pose.x_m), np.abs(of[:, 1] - pose.y_m)) <= reach_m)
