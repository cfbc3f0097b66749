"""Motion of a fleet in an environment: rigid bodies, integrated poses, or both, behind one interface.

PyBullet is imported only when a robot is dynamic or frames are rendered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim_worlds.environment import Environment
from sim_worlds.physics import STEP_S, UPDATE_EVERY
from sim_worlds.physics.contacts import FIXED, Contacts
from sim_worlds.physics.gliding import Gliding
from sim_worlds.robots import KINDS
from sim_worlds.sensors.suite import CAMERA
from swarm.core.protocol.sensors import Camera
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec

if TYPE_CHECKING:
    from sim_worlds.physics.bullet import Bullet

HELD = 1e-3                          # of its speed: a robot left with less is held, within 2 degrees of head-on


def places_of(poses: Sequence[Pose]) -> NDArray[np.float64]:
    """x, y, heading of each pose, [n, 3]."""
    return np.array([(p.x_m, p.y_m, p.heading_rad) for p in poses], float).reshape(-1, 3)


class Motion:
    """Places, speeds and contacts of a fleet, by index; they change only in `step`.

    at: x, y, heading, [n, 3]. speeds: forward in m/s and turn in rad/s, [n, 2], as obstacles allow them.
    update_s: simulated time of a step without rigid bodies.
    """

    def __init__(self, environment: Environment, fleet: Sequence[RobotSpec], *, render: bool,
                 update_s: float = UPDATE_EVERY * STEP_S, camera: Camera = CAMERA) -> None:
        count = len(fleet)
        self.at = places_of(environment.spawns[:count])
        self.speeds = np.zeros((count, 2))
        self.contacts = Contacts(count)
        self.radii_m = np.array([KINDS[r.kind].radius_m for r in fleet])
        self._top = np.array([(KINDS[r.kind].v_max_mps, KINDS[r.kind].w_max_radps) for r in fleet])
        self._ramp = np.array([(KINDS[r.kind].v_ramp_mps2, KINDS[r.kind].w_ramp_radps2) for r in fleet])
        self._dynamic = [i for i, r in enumerate(fleet) if r.physics == "dynamic"]
        self._kinematic = np.array([r.physics == "kinematic" for r in fleet])
        self._commands = np.zeros((count, 2))
        self._wheels = np.zeros((count, 2))                  # the speeds that the wheels turn for now
        self._update_every = UPDATE_EVERY if self._dynamic else 1
        self._update_s = UPDATE_EVERY * STEP_S if self._dynamic else update_s
        self.dt_s = STEP_S if self._dynamic else update_s
        self._steps = 0
        self._gliding = Gliding(environment, self.radii_m, self._kinematic)
        self._misplaced = np.zeros(count, bool)              # kinematic robots whose bodies stay behind
        self.bullet: Bullet | None = None
        if render or self._dynamic:
            from sim_worlds.physics.bullet import Bullet
            self.bullet = Bullet(environment, fleet, camera=camera)
            self._index_of = {body: i for i, body in enumerate(self.bullet.robot_ids)}
            for i in self._dynamic:                          # an idle joint turns freely: brake from the start
                self.bullet.drive(i, 0.0, 0.0)

    @property
    def poses(self) -> list[Pose]:
        """The poses of all robots."""
        return [Pose(*place) for place in self.at.tolist()]

    def pose(self, robot: int) -> Pose:
        """The pose of one robot."""
        return Pose(*self.at[robot].tolist())

    def close(self) -> None:
        """Free PyBullet's client, if there is one."""
        if self.bullet is not None:
            self.bullet.close()

    def drive(self, robot: int, v_mps: float, w_radps: float) -> None:
        """Set the body velocity that the robot goes to, clipped to its limits."""
        self.drive_all(np.array([[v_mps, w_radps]]), np.array([robot]))

    def drive_all(self, commands: NDArray[np.float64], robots: NDArray[np.intp]) -> None:
        """The same for many robots. commands: forward in m/s and turn in rad/s, [k, 2]; nan and inf are a stop."""
        top = self._top[robots]
        finite = np.isfinite(commands).all(axis=1, keepdims=True)
        wanted = np.where(finite, np.clip(commands, -top, top), 0.0)
        self._commands[robots] = wanted

    def step(self) -> None:
        """Advance by `dt_s`."""
        self._steps += 1
        if self._dynamic and self.bullet is not None:
            self._turn_wheels(self.bullet)
            self.bullet.step()
        if self._steps % self._update_every:
            return
        for i in self._dynamic:
            self._read(i)
        kinematic = self._kinematic
        self._wheels[kinematic] = self.speeds[kinematic] = self._ramped(self._update_s)[kinematic]
        moved, robots, others = self._gliding.move(self.at, self.speeds, self._update_s)
        held = kinematic & (np.abs(self.speeds[:, 0]) < HELD * np.abs(self._wheels[:, 0]))
        self._wheels[held, 0] = 0.0                          # the wheels of a robot that slides turn on
        self._misplaced[moved] = True
        if robots.size:
            self.contacts.add(robots, others, self._steps * self.dt_s)
        if self._dynamic:                                    # which may run into the others
            self._place_bodies()

    def _ramped(self, dt_s: float) -> NDArray[np.float64]:
        """Speeds of the wheels after `dt_s` on the way to the commands, [n, 2], within the robots' accelerations."""
        most = self._ramp * dt_s
        return self._wheels + np.clip(self._commands - self._wheels, -most, most)

    def _turn_wheels(self, bullet: Bullet) -> None:
        """Set the wheels of the rigid bodies whose speed is on its way to a command."""
        turned = self._ramped(STEP_S)
        for i in np.flatnonzero(~self._kinematic & (turned != self._wheels).any(axis=1)).tolist():
            self._wheels[i] = turned[i]
            bullet.drive(i, *turned[i].tolist())

    def camera(self, robot: int) -> NDArray[np.uint8]:
        """What a robot's camera sees now, uint8 [height, width, 3]. Needs `render`."""
        assert self.bullet is not None
        self._place_bodies()
        return self.bullet.camera(self.pose(robot))[0]

    def circles(self, around: int, reach_m: float, at: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """x, y and radius of the other robots that are at most `reach_m` from the middle of one, [n, 3].

        at: where the robots are or were, as `self.at`; None: now.
        """
        at = self.at if at is None else at
        within = np.hypot(at[:, 0] - at[around, 0], at[:, 1] - at[around, 1]) <= self.radii_m + reach_m
        within[around] = False
        return np.column_stack([at[within, :2], self.radii_m[within]])

    def _read(self, i: int) -> None:
        """Read a rigid body's state and contacts."""
        assert self.bullet is not None
        pose = self.bullet.pose(i)
        self.at[i] = pose.x_m, pose.y_m, pose.heading_rad
        self.speeds[i] = self.bullet.velocity(i, pose.heading_rad)
        others = [self._index_of.get(body, FIXED - 1 - body) for body in sorted(self.bullet.touching(i))]
        if others:
            self.contacts.add(np.full(len(others), i), np.array(others), self._steps * self.dt_s)

    def _place_bodies(self) -> None:
        """Put the bodies of the kinematic robots where the robots are."""
        if self.bullet is not None and self._misplaced.any():
            for i in np.flatnonzero(self._misplaced).tolist():
                self.bullet.teleport(i, self.pose(i))
            self._misplaced[:] = False
