"""A window on a world: its solids, and its robots where they are. It shows, and changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from sim_worlds.engine import Engine
from sim_worlds.physics.bullet import Bullet, WindowClosed
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec

log = logging.getLogger(__name__)


class Viewer:
    """The window of one world, a client of PyBullet beside that of the world's physics.

    The physics of the world does not know of it. Somebody may close the window: the run goes on.
    """

    def __init__(self, world: Engine, fleet: Sequence[RobotSpec]) -> None:
        self._world, self._targets = world, world.environment.targets
        still = [replace(robot, physics="kinematic") for robot in fleet]
        self._window: Bullet | None = Bullet(world.environment, still, world.motion.poses, window=True)
        self._shown = world.motion.places.copy()

    def show(self) -> None:
        """Move what has moved since the last call."""
        if self._window is None:
            return
        places, targets = self._world.motion.places, self._world.environment.targets
        try:
            for i in np.flatnonzero((places != self._shown).any(axis=1)).tolist():
                self._window.teleport(i, Pose(*places[i].tolist()))
            for k, (target, before) in enumerate(zip(targets, self._targets, strict=True)):
                if target is not before:
                    self._window.move_target(k, target.x_m, target.y_m, target.yaw_rad)
        except WindowClosed:
            log.info("the window was closed; the run goes on")
            self.close()
        self._shown, self._targets = places.copy(), targets

    def close(self) -> None:
        """Close the window; a second call does nothing."""
        if self._window is not None:
            self._window.close()
            self._window = None
