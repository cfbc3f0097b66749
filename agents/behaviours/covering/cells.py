"""The points at which a robot weighs the field, and the centroid of its Voronoi cell among them: Lloyd's algorithm.

Source: Cortes, Martinez, Karatas, Bullo, "Coverage control for mobile sensing networks", IEEE Transactions on Robotics
and Automation 20, 2004.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.covering.known_field import WALL_M
from swarm.core.protocol.world import Pose

SPACING_M, LARGE_SPACING_M = 0.5, 1.0            # of the points, at most; in a large area
LARGE_M = 55.4                       # an area with longer sides is large: that of more than 60 robots

Reals = NDArray[np.float64]


@lru_cache(maxsize=2)                # a constant of the area: nobody can change what it returns
def points(area_m: float) -> Reals:
    """The middles of the cells of the field in rows, [n * n, 2]: robots share it. area_m: as the body states it."""
    side_m = area_m - 2 * WALL_M
    cells = math.ceil(side_m / (LARGE_SPACING_M if area_m > LARGE_M else SPACING_M) - 1e-9)
    at = side_m * ((np.arange(cells) + 0.5) / cells - 0.5)
    x, y = np.meshgrid(at, at)
    made = np.column_stack([x.ravel(), y.ravel()])
    made.setflags(write=False)
    return made


def squares(of: Reals, to: Reals) -> Reals:
    """Squared distances [n, k] between points [n, 2] and places [k, 2]."""
    return (of[:, :1] - to[:, 0]) ** 2 + (of[:, 1:] - to[:, 1]) ** 2


def near_to(of: Reals, pose: Pose, reach_m: float) -> NDArray[np.intp]:
    """The indices of those of `points` in the square around a pose that reaches so far in each direction, ascending."""
    cells = math.isqrt(len(of))
    axis = of[:cells, 0]                                     # of columns and rows
    columns, rows = (np.flatnonzero(np.abs(axis - at) <= reach_m) for at in (pose.x_m, pose.y_m))
    return (rows[:, None] * cells + columns).ravel()


def centroid(places: Reals, points: Reals, density: Reals) -> Reals:
    """The centroid of the cell of the first robot of those at places [k, 2]; if its cell is empty, it stays.

    density: at the points [n, 2], [n].
    """
    mine = squares(points, places).argmin(axis=1) == 0
    weight = float(density[mine].sum())
    return density[mine] @ points[mine] / weight if weight > 0.0 else places[0]
