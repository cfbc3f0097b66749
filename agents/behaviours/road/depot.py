"""The depot as every robot knows it: where its gate is, from the place where a robot starts; not the road."""

from __future__ import annotations

FIRST_M, ROW_M, ROBOTS_PER_ROW = 0.6, 0.9, 2         # from the first row to the gate, and from row to row
DEPOT_REACH_M = 3.5                  # from the gate: reports from farther away do not reach the depot


def gate_ahead_m(place: int) -> float:
    """From the start of a robot at this place of the team straight ahead to the gate."""
    return FIRST_M + ROW_M * (place // ROBOTS_PER_ROW)
