"""Motion of a fleet in an environment: rigid bodies, integrated poses, or both, behind one interface.

PyBullet is imported only when a robot is dynamic or frames are rendered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim_worlds.environment import Environment
from sim_worlds.occupancy import Grid
from sim_worlds.physics import STEP_S, UPDATE_EVERY
from sim_worlds.physics.closeness import Closeness
from sim_worlds.robots import KINDS
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec

if TYPE_CHECKING:
    from sim_worlds.physics.bullet import Bullet

EPISODE_GAP_S = 0.5                  # a shorter pause in a contact does not end its episode
SLACK_M = 0.02                       # the occupancy is inflated by the radius minus this; a cell is 5 cm
RESOLUTION_M = 0.05
FIXED = -1                           # index of any static solid in kinematic contacts


def places_of(poses: Sequence[Pose]) -> NDArray[np.float64]:
    """x, y, heading of each pose, [n, 3]."""
    return np.array([(p.x_m, p.y_m, p.heading_rad) for p in poses], float).reshape(-1, 3)


class Motion:
    """Poses, velocities and contacts of a fleet, by index; positions change only in `step`."""

    def __init__(self, environment: Environment, fleet: Sequence[RobotSpec], *, render: bool) -> None:
        self.poses = list(environment.spawns[:len(fleet)])
        self.at = places_of(self.poses)                      # the same, as an array
        self.velocities = [(0.0, 0.0)] * len(fleet)
        self.episodes = 0
        self.bumped = [False] * len(fleet)
        self.radii_m = np.array([KINDS[r.kind].radius_m for r in fleet])
        self._kinds = [KINDS[r.kind] for r in fleet]
        self._dynamic = [i for i, r in enumerate(fleet) if r.physics == "dynamic"]
        self._kinematic = np.array([r.physics == "kinematic" for r in fleet])
        self._commands = np.zeros((len(fleet), 2))
        self._gliding = np.zeros(len(fleet), bool)           # kinematic robots that moved in the last update
        self._close = Closeness(self.radii_m)
        self._last_touch: dict[tuple[int, int], int] = {}
        self._update_every = UPDATE_EVERY if self._dynamic else 1
        self.dt_s = STEP_S if self._dynamic else UPDATE_EVERY * STEP_S
        self._steps = 0
        self.bullet: Bullet | None = None
        if render or self._dynamic:
            from sim_worlds.physics.bullet import Bullet
            self.bullet = Bullet(environment, fleet)
            self._index_of = {body: i for i, body in enumerate(self.bullet.robot_ids)}
            for i in self._dynamic:                          # an idle joint turns freely: brake from the start
                self.bullet.drive(i, 0.0, 0.0)
        self._grid = Grid(size_m=environment.size_m, resolution_m=RESOLUTION_M)
        radii_m = sorted(set(self.radii_m[self._kinematic].tolist()))
        solids = list(environment.solids()) if radii_m else []
        self._blocked = np.array([self._grid.rasterise(solids, r - SLACK_M) for r in radii_m])   # [radii, cells, cells]
        self._layer = np.searchsorted(radii_m, self.radii_m)                                     # of each robot

    def close(self) -> None:
        """Free PyBullet's client, if there is one."""
        if self.bullet is not None:
            self.bullet.close()

    def drive(self, robot: int, v_mps: float, w_radps: float) -> None:
        """Set a body velocity, clipped to the robot's limits, until the next call."""
        v, w = self._kinds[robot].clip(v_mps, w_radps)
        command = self._commands[robot]
        if (v, w) != (command[0], command[1]):
            command[:] = v, w
            if self.bullet is not None and not self._kinematic[robot]:
                self.bullet.drive(robot, v, w)

    def step(self) -> None:
        """Advance by `dt_s`."""
        self._steps += 1
        if self._dynamic and self.bullet is not None:
            self.bullet.step()
        if self._steps % self._update_every == 0:
            for i in self._dynamic:
                self._read(i)
            self._glide(UPDATE_EVERY * STEP_S)

    def circles(self, around: int, reach_m: float) -> NDArray[np.float64]:
        """x, y and radius of the other robots that are at most `reach_m` from the middle of one, [n, 3]."""
        dx, dy = self.at[:, 0] - self.at[around, 0], self.at[:, 1] - self.at[around, 1]
        within = np.hypot(dx, dy) <= self.radii_m + reach_m
        within[around] = False
        return np.column_stack([self.at[within, :2], self.radii_m[within]])

    def _read(self, i: int) -> None:
        """Read a rigid body's state and contacts."""
        assert self.bullet is not None
        self.poses[i] = pose = self.bullet.pose(i)
        self.at[i] = pose.x_m, pose.y_m, pose.heading_rad
        self.velocities[i] = self.bullet.velocity(i, pose.heading_rad)
        for body in sorted(self.bullet.touching(i)):
            other = self._index_of.get(body)
            self._touch(i, FIXED - 1 - body if other is None else other)

    def _glide(self, dt_s: float) -> None:
        """Move the kinematic robots by their commands: at once where nothing is in the way, else one after another."""
        moving = self._kinematic & self._commands.any(axis=1)
        for i in np.flatnonzero(self._gliding & ~moving).tolist():
            self.velocities[i] = (0.0, 0.0)
        self._gliding = moving
        robots = np.flatnonzero(moving)
        if not robots.size:
            return
        (v, w), at = self._commands[robots].T, self.at[robots]
        # by the same functions as below: those of numpy round otherwise, and not alike on all processors
        ahead = np.array([(math.cos(a), math.sin(a)) for a in (at[:, 2] + w * dt_s / 2).tolist()])
        by = (v * dt_s)[:, None] * ahead
        to = at[:, :2] + by
        cells = self._grid.indices(to)
        beset = self._blocked[self._layer[robots], cells[:, 1], cells[:, 0]] | self._close.near(self.at[:, :2])[robots]
        speeds = ((to - at[:, :2]) * ahead).sum(axis=1) / dt_s
        for i, hindered, (x, y), turned, velocity in zip(
                robots.tolist(), beset.tolist(), to.tolist(), (at[:, 2] + w * dt_s).tolist(),
                zip(speeds.tolist(), w.tolist(), strict=True), strict=True):
            if not hindered:
                self._place(i, Pose(x, y, math.remainder(turned, 2 * math.pi)), velocity)
        for i in robots[beset].tolist():
            self._squeeze(i, dt_s)

    def _squeeze(self, i: int, dt_s: float) -> None:
        """Move a kinematic robot by its command; if it is blocked, it slides along the obstacle or only turns."""
        v, w = self._commands[i].tolist()
        at = self.poses[i]
        middle = at.heading_rad + w * dt_s / 2
        dx, dy = v * dt_s * math.cos(middle), v * dt_s * math.sin(middle)
        x, y = at.x_m, at.y_m
        for mx, my in ((dx, dy), (dx, 0.0), (0.0, dy)):
            if not self._obstacles(i, at.x_m + mx, at.y_m + my):
                x, y = at.x_m + mx, at.y_m + my
                break
        for other in self._obstacles(i, at.x_m + dx, at.y_m + dy) if v else ():
            self._touch(i, other)
        heading = math.remainder(at.heading_rad + w * dt_s, 2 * math.pi)
        ahead = ((x - at.x_m) * math.cos(middle) + (y - at.y_m) * math.sin(middle)) / dt_s
        self._place(i, Pose(x, y, heading), (ahead, w))

    def _place(self, i: int, pose: Pose, velocity: tuple[float, float]) -> None:
        self.poses[i], self.velocities[i] = pose, velocity
        self.at[i] = pose.x_m, pose.y_m, pose.heading_rad
        if self.bullet is not None:
            self.bullet.teleport(i, pose)

    def _obstacles(self, i: int, x: float, y: float) -> list[int]:
        """Obstacles at (x, y), robots by index, except robots that this robot is moving away from."""
        g, here = self._grid, self.poses[i]
        found = [FIXED] if self._blocked[self._layer[i], g.index(y), g.index(x)] else []
        for j in self._close.others[i]:
            p = self.poses[j]
            apart_m = math.hypot(x - p.x_m, y - p.y_m)
            if apart_m < self.radii_m[i] + self.radii_m[j] and apart_m < math.hypot(here.x_m - p.x_m, here.y_m - p.y_m):
                found.append(j)
        return found

    def _touch(self, i: int, other: int) -> None:
        """Record a contact; it starts an episode unless the same pair was in contact just before."""
        self.bumped[i] = True
        if other >= 0:
            self.bumped[other] = True
        pair = (min(i, other), max(i, other))
        last = self._last_touch.get(pair)
        if last is None or (self._steps - last) * self.dt_s > EPISODE_GAP_S:
            self.episodes += 1
        self._last_touch[pair] = self._steps
