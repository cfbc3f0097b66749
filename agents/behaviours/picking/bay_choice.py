"""Which bay to go to: the one with the least expected time until the robot is at a dock with such a good.

Of places that may have what is sought, it is best to look first where the chance per time is highest (Stone, Theory of
Optimal Search, 1975). The time has the way there, the wait for the aisle, and the look; the chance has the goods that
the robot sees on its way into the aisle, too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.picking.floor_plan import FloorPlan, Point
from agents.behaviours.picking.mates import Mate

SPEED_MPS = 0.35                     # of a drive, with its turns
LOOK_S = 4.0                         # at a bay, to be sure
PICK_S = 4.0                         # of a teammate at its bay: it looks, and lifts the good
ON_THE_WAY = 0.9                     # share of the bays of an aisle that the robot sees well on its way to one
SAME_M = 0.1                         # a bay this close beyond the end of a way is on it
LEAST = 1e-3                         # chance of a bay that is as good as hopeless
KEEP, KEEP_S = 0.7, 3.0              # a search is given up for one that takes this share of its time, and the way to a
                                     # good that is known for one that is so much closer: turning round costs time


def bay_choice(
    plan: FloorPlan, at: Point, chances: NDArray[np.float64], known: float, waits_s: Mapping[int, float],
    present: int | None,
) -> int:
    """The bay to go to.

    chances: of such a good, [bays]. known: chance from which a good is not searched, but there. waits_s: until an aisle
    is free, by aisle. present: the bay that the robot goes to.
    """
    best, best_s = 0, np.inf
    unsure, ends = np.where(chances < known, chances, 0.0), (plan.south_m, plan.north_m)
    for aisle in range(plan.aisles):
        x, bays = plan.aisle_x_m(aisle), np.arange(aisle * 2 * plan.bays, (aisle + 1) * 2 * plan.bays)
        y = np.array([plan.access(bay)[1] for bay in bays.tolist()])
        to_end_m = [(plan.way_m(at, (x, end)), end) for end in ends]
        for bay, goal in zip(bays.tolist(), y.tolist(), strict=True):
            enters = min((way_m + abs(goal - end), end) for way_m, end in to_end_m)[1]      # as its shortest way does
            enters = at[1] if plan.aisle_at(at) == aisle else enters
            passed = unsure[bays[np.abs(y - (enters + goal) / 2) <= abs(goal - enters) / 2 + SAME_M]]
            hope = max(float(chances[bay]), ON_THE_WAY * (1.0 - float(np.prod(1.0 - passed))), LEAST)
            there_s = max(plan.way_m(at, (x, goal)) / SPEED_MPS, waits_s.get(aisle, 0.0)) + LOOK_S
            if bay == present:
                there_s = there_s - KEEP_S if chances[bay] >= known else there_s * KEEP
            takes_s = there_s / hope + (goal - plan.dock_m) / SPEED_MPS
            if takes_s < best_s:
                best, best_s = bay, takes_s
    return best


def waits_s(plan: FloorPlan, mates: Collection[Mate], first: Collection[Mate]) -> dict[int, float]:
    """Expected time until an aisle is left by the teammates in it, and by those that enter it before this robot.

    mates: all that were heard lately. first: those of them whose ticket is before this robot's.
    """
    waits: dict[int, float] = {}
    for mate in mates:
        at = mate.pose.x_m, mate.pose.y_m
        inside = plan.aisle_at(at)
        if inside is not None:
            waits[inside] = waits.get(inside, 0.0) + _stays_s(plan, mate, at, inside)
        if mate.aisle is not None and mate.aisle != inside and mate in first:
            waits[mate.aisle] = waits.get(mate.aisle, 0.0) + _stays_s(plan, mate, at, mate.aisle)
    return waits


def _stays_s(plan: FloorPlan, mate: Mate, at: Point, aisle: int) -> float:
    """Until a teammate leaves an aisle, with its way to it, and with its work if it is to pick there."""
    if mate.bay is None or plan.aisle_of(mate.bay) != aisle:
        return abs(at[1] - plan.low_m) / SPEED_MPS
    access = plan.access(mate.bay)
    return (plan.way_m(at, access) + access[1] - plan.low_m) / SPEED_MPS + PICK_S
