"""A likeness of a world: its place and its robots in a client of PyBullet beside that of the world's physics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from sim_worlds.environment import Environment
from sim_worlds.physics.bullet import Bullet
from sim_worlds.physics.solids import Thing
from sim_worlds.sensors.suite import CAMERA
from swarm.core.protocol.sensors import Camera
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec


class Likeness:
    """Robots and targets where they are put; the physics of the world does not know of it.

    places: of the robots at first, as in `Motion`. bullet: the client, see there for `camera` and `window`.
    """

    def __init__(self, environment: Environment, fleet: Sequence[RobotSpec], places: NDArray[np.float64],
                 camera: Camera = CAMERA, *, window: bool = False) -> None:
        still = [replace(robot, physics="kinematic") for robot in fleet]
        poses = [Pose(*place) for place in places.tolist()]
        self.bullet = Bullet(environment, still, poses, camera, window=window)
        self._places, self._targets = places.copy(), environment.targets

    def show(self, places: NDArray[np.float64], targets: Sequence[Thing]) -> None:
        """Move what is elsewhere than at the last call."""
        for i in np.flatnonzero((places != self._places).any(axis=1)).tolist():
            self.bullet.teleport(i, Pose(*places[i].tolist()))
        for k, (target, before) in enumerate(zip(targets, self._targets, strict=True)):
            if target is not before:
                self.bullet.move_target(k, target.x_m, target.y_m, target.yaw_rad)
        self._places, self._targets = places.copy(), tuple(targets)
