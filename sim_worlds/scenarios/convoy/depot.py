"""The depot: robots stand in rows of two, the first ones at the gate. A large one winds, as lanes side by side."""

from __future__ import annotations

import math

from swarm.core.protocol.world import Pose

CELL_M = 3.0                         # side of a cell; a lane is one cell wide
ROW_M, LANE_M = 0.9, 0.55            # between two rows of robots at the start, and from the middle line to each side
FIRST_ROW_M = -0.6                   # from the gate
ROWS = 50                            # in a lane; a fleet with more has more lanes
LANE_CELLS = 17                      # of each of several lanes: 15 with rows, and one at each end where it bends

Cell = tuple[int, int]


def lanes(robots: int) -> list[Cell]:
    """The cells through which a fleet drives to the gate, in this order. Lanes lead east and west in turn."""
    rows = (robots + 1) // 2
    if rows <= ROWS:
        return [(-k, 0) for k in range(math.ceil((rows * ROW_M - FIRST_ROW_M) / CELL_M), 0, -1)]
    return [(-(k if lane % 2 == 0 else LANE_CELLS + 1 - k), lane)
            for lane in reversed(range(math.ceil(rows / ROWS))) for k in range(LANE_CELLS, 0, -1)]


def start(robot: int) -> Pose:
    """Where a robot of the fleet, by its index, starts: it looks along its lane."""
    lane, row = divmod(robot // 2, ROWS)
    aside_m = LANE_M * (1 - 2 * (robot % 2))
    if lane == 0:
        return Pose(FIRST_ROW_M - ROW_M * row, aside_m, 0.0)
    behind_m = CELL_M - FIRST_ROW_M + ROW_M * row            # from the end of the lane, where it bends
    if lane % 2 == 0:
        return Pose(-behind_m, CELL_M * lane + aside_m, 0.0)
    return Pose(behind_m - LANE_CELLS * CELL_M, CELL_M * lane - aside_m, math.pi)
