"""The course as every robot knows it: a field from one end to the other. Its walls and hazards are not known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.search.frontier import Field
from agents.behaviours.search.occupancy_map import CELLS, FREE, OCCUPIED, UNKNOWN, middles_m

END_M = 7.5                          # beyond this |x| a robot is at an end
HALF_LENGTH_M, HALF_WIDTH_M = 9.8, 4.0           # of the floor
KEEP_OUT_M = 1.2                     # from the middle of a hazard
SAME_HAZARD_M = 0.9                  # places this close are one hazard
DEPTH_M = 1.0                        # into an end: there is room for those behind

Point = tuple[float, float]

_AT = middles_m(CELLS)
_OUTSIDE = (np.abs(_AT)[:, None] > HALF_WIDTH_M) | (np.abs(_AT)[None, :] > HALF_LENGTH_M)


def passable(states: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The map [cells, cells] with unknown cells of the field taken for free, and all others for occupied."""
    return np.where(_OUTSIDE, OCCUPIED, np.where(states == UNKNOWN, FREE, states)).astype(np.uint8)


def around(places: list[Point], radius_m: float) -> NDArray[np.bool_]:
    """The cells within a radius of any of these places, [cells, cells]."""
    cells = np.zeros((CELLS, CELLS), bool)
    for x, y in places:
        cells |= np.hypot(_AT[None, :] - x, _AT[:, None] - y) < radius_m
    return cells


def way_to_end(area: Field, course: float, y_m: float) -> tuple[list[Point], float]:
    """The path to an end, and its length in metres to where the end begins.

    If there is none, the straight line and infinity: the robot may be blocked by a teammate, which moves on.
    course: 1.0 for the east end, -1.0 for the west one. y_m: the place across the field at which the path ends.
    """
    away_m = area.distance_m()
    ahead = course * _AT
    in_end, place = ahead >= END_M, ahead >= END_M + DEPTH_M
    left_m = float(away_m[:, in_end].min())
    wish = np.where(place[None, :], away_m + np.abs(_AT[:, None] - y_m), np.inf)
    best = int(wish.argmin())
    if not np.isfinite(wish.flat[best]):
        return [(course * (END_M + DEPTH_M), y_m)], np.inf
    return area.path(best // CELLS, best % CELLS), left_m
