"""The frames of a fleet's cameras: each of the camera's latency ago."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim_worlds.environment import Environment
from sim_worlds.physics.motion import Motion
from sim_worlds.sensors.camera.optics import Optics, has_optics
from sim_worlds.sensors.past import Moment, steps_of
from swarm.core.protocol.sensors import Camera, SensorSuite
from swarm.core.settings.process_files import RobotSpec

if TYPE_CHECKING:
    from sim_worlds.sensors.camera.likeness import Likeness


class FleetCameras:
    """The cameras of a fleet that moves, one for each robot if the suite has one. seed: of the run.

    render: whether anybody may ask for frames. Late ones are drawn in a `Likeness`: rigid bodies cannot be put back
    where they were.
    """

    def __init__(self, suite: SensorSuite, environment: Environment, fleet: Sequence[RobotSpec], motion: Motion,
                 seed: int, *, render: bool) -> None:
        cameras = suite.all(Camera).items()
        self._motion = motion
        self._optics = [Optics(name, camera, seed, robot.name) if has_optics(camera) else None
                        for robot in fleet for name, camera in cameras]
        self._late: Likeness | None = None
        late = [camera for _, camera in cameras if steps_of(camera.latency_s, motion.dt_s)]
        if render and late:
            from sim_worlds.sensors.camera.likeness import Likeness
            self._late = Likeness(environment, fleet, motion.places, late[0])

    def frame(self, robot: int, then: Moment) -> NDArray[np.uint8]:
        """What a robot's camera saw its latency ago, uint8 [height, width, 3]. then: that moment."""
        if self._late is None:
            picture = self._motion.camera(robot)
        else:
            self._late.show(then.places, then.things.environment.targets)
            picture = self._late.bullet.camera(then.pose(robot))[0]
        optics = self._optics[robot]
        return picture if optics is None else optics.of(picture, float(then.speeds[robot, 1]), then.step)

    def surround(self, environment: Environment) -> None:
        """The same place with other looks."""
        if self._late is not None:
            self._late.bullet.surround(environment)

    def close(self) -> None:
        """Free the client of late frames, if there is one."""
        if self._late is not None:
            self._late.bullet.close()
