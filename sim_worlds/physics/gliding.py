"""Kinematic motion: circles glide over a floor, and stop at walls and at each other. No rigid bodies.

All robots move at once; only robots that are in each other's way move one after another.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sim_worlds.environment import Environment
from sim_worlds.occupancy import Grid
from sim_worlds.physics.closeness import Closeness, Indices
from sim_worlds.physics.contacts import FIXED

SLACK_M = 0.02                       # the occupancy is inflated by the radius minus this; a cell is 5 cm
RESOLUTION_M = 0.05
ROUNDING_M = 1e-6                    # added to what a robot may move
TURN_RAD = 2 * math.pi

Reals = NDArray[np.float64]


class Gliding:
    """The kinematic robots of a fleet in an environment.

    radii_m: of all robots, [n]. which: bool [n], the kinematic ones; the others are obstacles.
    """

    def __init__(self, environment: Environment, radii_m: Reals, which: NDArray[np.bool_]) -> None:
        self._radii_m, self._which = radii_m, which
        self._close = Closeness(radii_m)
        self._grid = Grid(size_m=environment.size_m, resolution_m=RESOLUTION_M)
        sizes_m = sorted(set(radii_m[which].tolist()))
        solids = list(environment.solids()) if sizes_m else []
        self._blocked = np.array([self._grid.rasterise(solids, r - SLACK_M) for r in sizes_m])   # [radii, cells, cells]
        self._layer = np.searchsorted(sizes_m, radii_m)                                          # of each robot

    def move(self, at: Reals, speeds: Reals, dt_s: float) -> tuple[Indices, Indices, Indices]:
        """Move the robots by their speeds for `dt_s`; a robot that is blocked slides along the obstacle or only turns.

        at: x, y, heading, [n, 3]. speeds: forward in m/s and turn in rad/s, [n, 2]. Both are changed: forward speeds
        become what the obstacles left of them. Returns the robots that moved, and the contacts: robots, and the other
        one of each: a robot or FIXED.
        """
        robots = np.flatnonzero(self._which & speeds.any(axis=1))
        if not robots.size:
            return robots, robots, robots
        (v, w), here = speeds[robots].T, at[robots]
        ahead = directions(here[:, 2] + w * dt_s / 2)
        by = (v * dt_s)[:, None] * ahead
        to = here[:, :2] + by
        at[robots, 2] = wrapped(here[:, 2] + w * dt_s)
        margins_m = np.zeros(len(at))
        margins_m[robots] = np.abs(v) * dt_s + ROUNDING_M
        first, second = self._close.within(at[:, :2], margins_m)
        beset = self._walls(robots, to)
        beset |= _marked(len(at), first, second)[robots]
        slow = np.flatnonzero(beset & (v != 0.0))
        fast = np.ones(len(robots), bool)
        fast[slow] = False
        at[robots[fast], :2] = to[fast]
        touched = self._squeeze(at[:, :2], robots[slow], by[slow], first, second)
        stopped = slow[(at[robots[slow], :2] != to[slow]).any(axis=1)]
        speeds[robots[stopped], 0] = ((at[robots[stopped], :2] - here[stopped, :2]) * ahead[stopped]).sum(axis=1) / dt_s
        return robots, *touched

    def _squeeze(self, xy: Reals, robots: Indices, by: Reals, first: Indices, second: Indices
                 ) -> tuple[Indices, Indices]:
        """Move robots that something may be in the way of, as if one after another by index. Returns their contacts.

        first, second: the pairs of robots that are close. A robot waits for those with a lower index that are close to
        it: all that wait for the same number of others move at once.
        """
        count = len(xy)
        steps = np.zeros((count, 2))
        steps[robots] = by
        moving = _marked(count, robots)
        turn = np.zeros(count, np.intp)
        low, high = np.minimum(first, second), np.maximum(first, second)
        both = moving[low] & moving[high]
        low, high = low[both], high[both]
        while (turn[low] >= turn[high]).any():
            np.maximum.at(turn, high, turn[low] + 1)
        me, other = np.concatenate([first, second]), np.concatenate([second, first])
        me, other = me[moving[me]], other[moving[me]]
        contacts: list[tuple[Indices, Indices]] = []
        for k in range(int(turn[robots].max(initial=-1)) + 1):
            now, mine = robots[turn[robots] == k], turn[me] == k
            contacts.append(self._slide(xy, now, steps, me[mine], other[mine]))
        return (np.concatenate([robots[:0], *(a for a, _ in contacts)]),
                np.concatenate([robots[:0], *(b for _, b in contacts)]))

    def _slide(self, xy: Reals, robots: Indices, steps: Reals, me: Indices, other: Indices
               ) -> tuple[Indices, Indices]:
        """Move robots that do not hinder each other by their steps, or along x, or along y; else they stay.

        me, other: the pairs of these robots and those close to them. Returns the contacts on the way.
        """
        before_m = np.hypot(*(xy[me] - xy[other]).T)
        sum_m = self._radii_m[me] + self._radii_m[other]
        start, left = xy.copy(), np.ones(len(xy), bool)
        touched = robots[:0], robots[:0]
        for k, along in enumerate(((1.0, 1.0), (1.0, 0.0), (0.0, 1.0))):
            trying = robots[left[robots]]
            to = start[trying] + steps[trying] * along
            walls = self._walls(trying, to)
            apart_m = np.hypot(*(start[me] + steps[me] * along - xy[other]).T)
            hits = (apart_m < sum_m) & (apart_m < before_m)      # who moves away from another is free to go
            blocked = walls | _marked(len(xy), me[hits])[trying]
            if k == 0:
                touched = (np.concatenate([trying[walls], me[hits]]),
                           np.concatenate([np.full(walls.sum(), FIXED), other[hits]]))
            xy[trying[~blocked]] = to[~blocked]
            left[trying[~blocked]] = False
        return touched

    def _walls(self, robots: Indices, to: Reals) -> NDArray[np.bool_]:
        """Whether robots would stand in a wall or a thing at these places, bool [robots]."""
        cells = self._grid.indices(to)
        return self._blocked[self._layer[robots], cells[:, 1], cells[:, 0]]


def _marked(count: int, *indices: Indices) -> NDArray[np.bool_]:
    """Bool [count]: true at these indices."""
    marks = np.zeros(count, bool)
    for some in indices:
        marks[some] = True
    return marks


def directions(angles_rad: Reals) -> Reals:
    """Unit vectors, [n, 2]. By Python's functions: those of NumPy do not round alike on all processors."""
    angles = angles_rad.tolist()
    out = np.empty((len(angles), 2))
    out[:, 0] = np.fromiter(map(math.cos, angles), float, len(angles))
    out[:, 1] = np.fromiter(map(math.sin, angles), float, len(angles))
    return out


def wrapped(angles_rad: Reals) -> Reals:
    """The same angles in -pi to pi."""
    return angles_rad - TURN_RAD * np.rint(angles_rad / TURN_RAD)
