"""The depot as every robot knows it: where its gate is, from the place where a robot starts; not the road.

A large depot winds: rows stand in lanes side by side, of which each second one leads away from the gate.
"""

from __future__ import annotations

import math

FIRST_M, ROW_M, ROBOTS_PER_ROW = 0.6, 0.9, 2         # from the first row to the gate, and from row to row
ROWS, LANE_M = 50, 51.0              # rows in a lane, and the length of each of several lanes, with its ends
WIDTH_M = 3.0                        # of a lane
BEND_M = math.pi / 2 * WIDTH_M       # way from lane to lane: the two quarter circles through the ends
DEPOT_REACH_M = 3.5                  # from the gate: reports from farther away do not reach the depot


def gate_ahead_m(place: int) -> float:
    """The way to the gate, along the lanes, of a robot that starts at this place of the team."""
    lane, row = divmod(place // ROBOTS_PER_ROW, ROWS)
    along_m = FIRST_M + ROW_M * row
    if lane == 0:
        return along_m
    return along_m + lane * BEND_M + (lane - 1) * (LANE_M - 2 * WIDTH_M) + LANE_M - WIDTH_M


def gate_from(place: int) -> tuple[float, float]:
    """Where the gate is from the start of a robot at this place of the team: ahead of it and to its left, metres."""
    lane, row = divmod(place // ROBOTS_PER_ROW, ROWS)
    ahead_m = FIRST_M + ROW_M * row
    if lane == 0:
        return ahead_m, 0.0
    if lane % 2 == 0:
        return WIDTH_M + ahead_m, -WIDTH_M * lane
    return WIDTH_M + ahead_m - LANE_M, WIDTH_M * lane
