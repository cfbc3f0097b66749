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
from sim_worlds.physics import STEP_S
from sim_worlds.robots import KINDS
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec

if TYPE_CHECKING:
    from sim_worlds.physics.bullet import Bullet

UPDATE_EVERY = 4                     # steps between updates of kinematic poses and contacts: 60 Hz
EPISODE_GAP_S = 0.5                  # a shorter pause in a contact does not end its episode
SLACK_M = 0.02                       # the occupancy is inflated by the radius minus this; a cell is 5 cm
RESOLUTION_M = 0.05
FIXED = -1                           # index of any static solid in kinematic contacts


class Motion:
    """Poses, velocities and contacts of a fleet, by index; positions change only in `step`."""

    def __init__(self, environment: Environment, fleet: Sequence[RobotSpec], *, render: bool) -> None:
        self.poses = list(environment.spawns[:len(fleet)])
        self.velocities = [(0.0, 0.0)] * len(fleet)
        self.episodes = 0
        self.bumped = [False] * len(fleet)
        self.radii_m = np.array([KINDS[r.kind].radius_m for r in fleet])
        self._kinds = [KINDS[r.kind] for r in fleet]
        self._dynamic = [i for i, r in enumerate(fleet) if r.physics == "dynamic"]
        self._kinematic = [i for i, r in enumerate(fleet) if r.physics == "kinematic"]
        self._commands = [(0.0, 0.0)] * len(fleet)
        self._last_touch: dict[tuple[int, int], int] = {}
        self._steps = 0
        self.bullet: Bullet | None = None
        if render or self._dynamic:
            from sim_worlds.physics.bullet import Bullet
            self.bullet = Bullet(environment, fleet)
            self._index_of = {body: i for i, body in enumerate(self.bullet.robot_ids)}
            for i in self._dynamic:                          # an idle joint turns freely: brake from the start
                self.bullet.drive(i, 0.0, 0.0)
        self._grid = Grid(size_m=environment.size_m, resolution_m=RESOLUTION_M)
        solids = list(environment.solids()) if self._kinematic else []
        self._blocked = {r: self._grid.rasterise(solids, r - SLACK_M)
                         for r in {self._kinds[i].radius_m for i in self._kinematic}}

    def close(self) -> None:
        """Free PyBullet's client, if there is one."""
        if self.bullet is not None:
            self.bullet.close()

    def drive(self, robot: int, v_mps: float, w_radps: float) -> None:
        """Set a body velocity, clipped to the robot's limits, until the next call."""
        command = self._kinds[robot].clip(v_mps, w_radps)
        if command != self._commands[robot]:
            self._commands[robot] = command
            if robot in self._dynamic and self.bullet is not None:
                self.bullet.drive(robot, *command)

    def step(self) -> None:
        """Advance by STEP_S."""
        self._steps += 1
        if self._dynamic and self.bullet is not None:
            self.bullet.step()
        if self._steps % UPDATE_EVERY == 0:
            for i in self._dynamic:
                self._read(i)
            for i in self._kinematic:
                self._integrate(i, UPDATE_EVERY * STEP_S)

    def circles(self, leave_out: int) -> NDArray[np.float64]:
        """x, y and radius of all robots but one, [n - 1, 3]."""
        rows = [(p.x_m, p.y_m, r) for i, (p, r) in enumerate(zip(self.poses, self.radii_m, strict=True))
                if i != leave_out]
        return np.array(rows, float).reshape(-1, 3)

    def _read(self, i: int) -> None:
        """Read a rigid body's state and contacts."""
        assert self.bullet is not None
        self.poses[i] = pose = self.bullet.pose(i)
        self.velocities[i] = self.bullet.velocity(i, pose.heading_rad)
        for body in sorted(self.bullet.touching(i)):
            other = self._index_of.get(body)
            self._touch(i, FIXED - 1 - body if other is None else other)

    def _integrate(self, i: int, dt_s: float) -> None:
        """Move a kinematic robot by its command; if it is blocked, it slides along the obstacle or only turns."""
        v, w = self._commands[i]
        at = self.poses[i]
        if v == 0.0 and w == 0.0:
            self.velocities[i] = (0.0, 0.0)
            return
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
        self.poses[i] = Pose(x, y, heading)
        ahead = ((x - at.x_m) * math.cos(middle) + (y - at.y_m) * math.sin(middle)) / dt_s
        self.velocities[i] = (ahead, w)
        if self.bullet is not None:
            self.bullet.teleport(i, self.poses[i])

    def _obstacles(self, i: int, x: float, y: float) -> list[int]:
        """Obstacles at (x, y), robots by index, except robots that this robot is moving away from."""
        blocked, g = self._blocked[self._kinds[i].radius_m], self._grid
        found = [FIXED] if blocked[g.index(y), g.index(x)] else []
        here = self.poses[i]
        for j, p in enumerate(self.poses):
            distance = math.hypot(x - p.x_m, y - p.y_m)
            if j != i and distance < self.radii_m[i] + self.radii_m[j] \
                    and distance < math.hypot(here.x_m - p.x_m, here.y_m - p.y_m):
                found.append(j)
        return found

    def _touch(self, i: int, other: int) -> None:
        """Record a contact; it starts an episode unless the same pair was in contact just before."""
        self.bumped[i] = True
        if other >= 0:
            self.bumped[other] = True
        pair = (min(i, other), max(i, other))
        last = self._last_touch.get(pair)
        if last is None or (self._steps - last) * STEP_S > EPISODE_GAP_S:
            self.episodes += 1
        self._last_touch[pair] = self._steps
