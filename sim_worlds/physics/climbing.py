"""Kinematic motion up and down: robots that fly stop below the ceiling, above the floor, and at things and robots."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim_worlds.environment import Environment
from sim_worlds.physics.bodies import Bodies
from sim_worlds.physics.closeness import Indices
from sim_worlds.physics.contacts import FIXED
from sim_worlds.physics.obstacles import Bits, Obstacles

Reals = NDArray[np.float64]


class Climbing:
    """The robots that fly among the kinematic ones of a fleet."""

    def __init__(self, environment: Environment, bodies: Bodies, obstacles: Obstacles) -> None:
        self._bodies, self._obstacles, self._top_m = bodies, obstacles, environment.top_m

    def layers(self, z_m: Reals) -> Bits:
        """The layers of heights that the robots are in. z_m: of their bases, [n]."""
        return self._obstacles.layers(z_m + self._bodies.low_m, z_m + self._bodies.high_m)

    def move(self, which: NDArray[np.bool_], xy: Reals, z_m: Reals, up_mps: Reals, first: Indices, second: Indices,
             dt_s: float) -> tuple[Indices, Indices]:
        """Move robots up or down for `dt_s`, all at once: of two that approach each other each gets half of the gap.

        which: bool [n]. first, second: the pairs of robots that are close along the floor. z_m and up_mps, [n], are
        changed: speeds become what was left of them. Returns the contacts. Landing on the floor is none.
        """
        bodies, count = self._bodies, len(z_m)
        beside = np.hypot(*(xy[first] - xy[second]).T) < bodies.radii_m[first] + bodies.radii_m[second]
        first, second = first[beside], second[beside]
        below = z_m[first] + bodies.low_m[first] < z_m[second] + bodies.low_m[second]
        under, over = np.where(below, first, second), np.where(below, second, first)
        gap_m = (z_m[over] + bodies.low_m[over]) - (z_m[under] + bodies.high_m[under])
        share_m = np.maximum(gap_m, 0.0) / np.maximum(which[over].astype(int) + which[under], 1)
        room_up, room_down = np.full(count, np.inf), np.full(count, np.inf)
        np.minimum.at(room_up, under, share_m)
        np.minimum.at(room_down, over, share_m)
        wanted = up_mps * dt_s * which
        by = np.clip(wanted, -room_down, room_up)
        low, high = which & (by > wanted), which & (by < wanted)
        at_robot_down, at_robot_up = low[over], high[under]
        me = np.concatenate([over[at_robot_down], under[at_robot_up]])
        other = np.concatenate([under[at_robot_down], over[at_robot_up]])
        free = z_m + by
        to = np.clip(free, np.minimum(z_m, -bodies.low_m), np.maximum(z_m, self._top_m - bodies.high_m))
        robots = np.flatnonzero(which & (wanted != 0.0))
        hits = self._obstacles.stop(robots, xy[robots], self.layers(to))
        stands = robots[hits]
        to[stands] = z_m[stands]
        fixed = np.union1d(stands, np.flatnonzero(which & (to < free) & (free > z_m)))      # a thing, or the ceiling
        moved = which & (wanted != 0.0)
        up_mps[moved] = (to[moved] - z_m[moved]) / dt_s
        z_m[moved] = to[moved]
        return np.concatenate([me, fixed]), np.concatenate([other, np.full(len(fixed), FIXED)])
