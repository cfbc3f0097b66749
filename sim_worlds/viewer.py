"""A window on a world: its solids, and its robots where they are. It shows, and changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sim_worlds.engine import Engine
from sim_worlds.physics.bullet import WindowClosed
from sim_worlds.sensors.camera.likeness import Likeness
from swarm.core.settings.process_files import RobotSpec

log = logging.getLogger(__name__)


class Viewer:
    """The window of one world. Somebody may close it: the run goes on."""

    def __init__(self, world: Engine, fleet: Sequence[RobotSpec]) -> None:
        self._world = world
        self._window: Likeness | None = Likeness(world.environment, fleet, world.motion.places, window=True)

    def show(self) -> None:
        """Move what has moved since the last call."""
        if self._window is None:
            return
        try:
            self._window.show(self._world.motion.places, self._world.environment.targets)
        except WindowClosed:
            log.info("the window was closed; the run goes on")
            self.close()

    def close(self) -> None:
        """Close the window; a second call does nothing."""
        if self._window is not None:
            self._window.bullet.close()
            self._window = None
