"""Kinematic motion: circles glide over a floor, or above it, and stop at walls and at each other. No rigid bodies.

All robots move at once; only robots that are in each other's way move one after another. Robots that fly first move at
their height, then up or down.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sim_worlds.environment import Environment
from sim_worlds.physics.bodies import Bodies
from sim_worlds.physics.climbing import Climbing
from sim_worlds.physics.closeness import Closeness, Indices
from sim_worlds.physics.contacts import FIXED
from sim_worlds.physics.obstacles import Obstacles

ROUNDING_M = 1e-6                    # added to what a robot may move
TURN_RAD = 2 * math.pi

Reals = NDArray[np.float64]


class Gliding:
    """The kinematic robots of a fleet in an environment.

    which: bool [n], the kinematic ones; the others are obstacles.
    """

    def __init__(self, environment: Environment, bodies: Bodies, which: NDArray[np.bool_]) -> None:
        self._bodies, self._radii_m, self._which = bodies, bodies.radii_m, which
        self._close = Closeness(bodies.radii_m)
        self._flies = which & bodies.flies
        self._obstacles = Obstacles(environment, bodies.radii_m, which & ~bodies.flies, self._flies)
        self._climbing = Climbing(environment, bodies, self._obstacles) if self._flies.any() else None
        self._layers = np.zeros(len(which), np.uint64)       # of heights, that the robots are in

    def move(self, at: Reals, z_m: Reals, speeds: Reals, left_up: Reals, dt_s: float
             ) -> tuple[Indices, Indices, Indices]:
        """Move the robots by their speeds for `dt_s`; a robot that is blocked slides along the obstacle or only turns.

        at: x, y, heading, [n, 3]. z_m: [n]. speeds: ahead in m/s and turn in rad/s, [n, 2]. left_up: to the left and up
        in m/s, [n, 2]. All are changed: speeds become what the obstacles left of them. Returns the robots that moved,
        and the contacts: robots, and the other one of each: a robot or FIXED.
        """
        moving = speeds.any(axis=1)
        if self._climbing is not None:
            moving |= left_up.any(axis=1)
        robots = np.flatnonzero(self._which & moving)
        if not robots.size:
            return robots, robots, robots
        (v, w), here = speeds[robots].T, at[robots]
        ahead, along = directions(here[:, 2] + w * dt_s / 2), np.abs(v)
        by = (v * dt_s)[:, None] * ahead
        if self._climbing is not None:
            aside = left_up[robots, 0]
            by += (aside * dt_s)[:, None] * _to_the_left(ahead)
            along = np.hypot(v, aside)
        to = here[:, :2] + by
        at[robots, 2] = wrapped(here[:, 2] + w * dt_s)
        margins_m = np.zeros(len(at))
        margins_m[robots] = along * dt_s + ROUNDING_M
        near = self._close.within(at[:, :2], margins_m)
        first, second = near
        if self._climbing is not None:
            self._layers = self._climbing.layers(z_m)
            level = self._bodies.level_with(z_m, first, second)
            first, second = first[level], second[level]
        beset = self._obstacles.stop(robots, to, self._layers)
        beset |= _marked(len(at), first, second)[robots]
        slow = np.flatnonzero(beset & (along != 0.0))
        fast = np.ones(len(robots), bool)
        fast[slow] = False
        at[robots[fast], :2] = to[fast]
        touched = self._squeeze(at[:, :2], robots[slow], by[slow], first, second)
        stopped = slow[(at[robots[slow], :2] != to[slow]).any(axis=1)]
        moved = at[robots[stopped], :2] - here[stopped, :2]
        speeds[robots[stopped], 0] = (moved * ahead[stopped]).sum(axis=1) / dt_s
        if self._climbing is not None:
            sideways = (moved * _to_the_left(ahead[stopped])).sum(axis=1) / dt_s
            left_up[robots[stopped], 0] = np.where(self._flies[robots[stopped]], sideways, 0.0)
            robots_up, others_up = self._climbing.move(self._flies, at[:, :2], z_m, left_up[:, 1], *near, dt_s)
            touched = np.concatenate([touched[0], robots_up]), np.concatenate([touched[1], others_up])
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
            walls = self._obstacles.stop(trying, to, self._layers)
            apart_m = np.hypot(*(start[me] + steps[me] * along - xy[other]).T)
            hits = (apart_m < sum_m) & (apart_m < before_m)      # who moves away from another is free to go
            blocked = walls | _marked(len(xy), me[hits])[trying]
            if k == 0:
                touched = (np.concatenate([trying[walls], me[hits]]),
                           np.concatenate([np.full(walls.sum(), FIXED), other[hits]]))
            xy[trying[~blocked]] = to[~blocked]
            left[trying[~blocked]] = False
        return touched


def _marked(count: int, *indices: Indices) -> NDArray[np.bool_]:
    """Bool [count]: true at these indices."""
    marks = np.zeros(count, bool)
    for some in indices:
        marks[some] = True
    return marks


def _to_the_left(ahead: Reals) -> Reals:
    """Unit vectors to the left of those ahead, [n, 2]."""
    return np.stack([-ahead[:, 1], ahead[:, 0]], axis=1)


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
