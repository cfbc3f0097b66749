"""The figures of a fleet's bodies and limits as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim_worlds.occupancy import BLOCKS_BELOW_M
from sim_worlds.robots import FlyingKind, RobotKind

TINY = 1e-12                         # instead of a length of 0
EVEN_M = 1e-9                        # bodies that only touch in height are above each other

Reals = NDArray[np.float64]


class Bodies:
    """Upright cylinders: radii and the heights of both ends above the base, [n]; flies: bool [n].

    unable: the robots, by index, that cannot `drive` and those that cannot `fly`.
    """

    def __init__(self, kinds: Sequence[RobotKind]) -> None:
        self.radii_m = np.array([kind.radius_m for kind in kinds], float)
        self.low_m = np.array([kind.low_m for kind in kinds], float)
        self.high_m = np.array([kind.high_m for kind in kinds], float)
        self.flies = np.array([isinstance(kind, FlyingKind) for kind in kinds], bool)
        self.any_flies = bool(self.flies.any())
        self.unable = {"drive": set(np.flatnonzero(self.flies).tolist()),
                       "fly": set(np.flatnonzero(~self.flies).tolist())}

    def level_with(self, z_m: Reals, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether two robots have some height in common, bool [pairs]. z_m: of all bases, [n]."""
        low, high = z_m + self.low_m + EVEN_M, z_m + self.high_m
        return (low[first] < high[second]) & (low[second] < high[first])

    def sight_m(self, robot: int, z_m: float) -> tuple[float, float]:
        """From which height to which the lidar and the range sensors of a robot see solids and other robots.

        One that flies sees all that is beside its body; one that drives, all that begins below `BLOCKS_BELOW_M`.
        """
        if not self.flies[robot]:
            return -np.inf, BLOCKS_BELOW_M
        return z_m + float(self.low_m[robot]), z_m + float(self.high_m[robot])

    def within_m(self, low_m: float, high_m: float, z_m: Reals) -> NDArray[np.bool_]:
        """Whether robots are partly between two heights, bool [n]. z_m: of all bases, [n]."""
        return (z_m + self.low_m < high_m) & (z_m + self.high_m > low_m)


class Ramps:
    """Speeds on their way to commands, within each robot's limits: ahead, turn, to the left and up, [n, 4].

    In a fleet that only drives they are ahead and turn, [n, 2].

    Robots that drive have limits of speed and acceleration for each axis. Of those that fly, the limits along the floor
    are of the vector, in whatever direction it points.
    """

    def __init__(self, kinds: Sequence[RobotKind]) -> None:
        self._flies = np.array([isinstance(kind, FlyingKind) for kind in kinds], bool)
        self._any_flies = bool(self._flies.any())
        top, ramp = list[tuple[float, ...]](), list[tuple[float, ...]]()
        for kind in kinds:
            flying = isinstance(kind, FlyingKind)
            level, up = (kind.v_max_mps, kind.up_max_mps) if flying else (0.0, 0.0)
            top.append((kind.v_max_mps, kind.w_max_radps, level, up))
            level, up = (kind.v_ramp_mps2, kind.up_ramp_mps2) if flying else (0.0, 0.0)
            ramp.append((kind.v_ramp_mps2, kind.w_ramp_radps2, level, up))
        used = slice(4 if self._any_flies else 2)
        self._top, self._ramp = (np.array(limits).reshape(-1, 4)[:, used].copy() for limits in (top, ramp))
        self.commands, self.speeds = np.zeros_like(self._top), np.zeros_like(self._top)

    def command(self, commands: Reals, robots: NDArray[np.intp]) -> None:
        """Set what robots go to, [k, 2 or 4], clipped to their limits; nan and inf are a stop."""
        top = self._top[robots]
        if commands.shape[1] < top.shape[1]:
            commands = np.column_stack([commands, np.zeros_like(commands)])
        finite = np.isfinite(commands)
        wanted = commands.astype(float) if finite.all() else np.where(finite.all(axis=1, keepdims=True), commands, 0.0)
        if self._any_flies:
            level = wanted[:, ::2]
            share = np.minimum(1.0, top[:, 0] / np.maximum(np.hypot(level[:, 0], level[:, 1]), TINY))
            np.multiply(level, share[:, None], out=level, where=self._flies[robots, None])
        self.commands[robots] = np.minimum(np.maximum(wanted, -top), top)

    def after(self, dt_s: float) -> Reals:
        """The speeds `dt_s` from now, as `speeds`, which stay as they are."""
        most = self._ramp * dt_s
        left = self.commands - self.speeds
        change = np.clip(left, -most, most)
        if self._any_flies:
            share = np.minimum(1.0, most[:, 0] / np.maximum(np.hypot(left[:, 0], left[:, 2]), TINY))
            np.multiply(left[:, 0], share, out=change[:, 0], where=self._flies)
            np.multiply(left[:, 2], share, out=change[:, 2], where=self._flies)
        return self.speeds + change
