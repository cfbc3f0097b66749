"""The client of a body: another member senses and moves for the robot, over the world protocol."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from swarm.core.policy.clock_offset import ClockOffset
from swarm.core.ports import Transport
from swarm.core.protocol.messages import Acted, Reported, Sensed
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Act, Observation, Report
from swarm.core.units import ns, seconds

STALE_NS = ns(1.0)                   # a start of the world that is silent for so long has ended


class WorldBody:
    """Sends acts and reports to the member that is the body, and takes its observations; the newest wins.

    sensors: the body's sensors; None until it has announced them. Until then no observation is taken. frame_hz: of its
    camera; 0: not known.
    """

    def __init__(self, net: Transport, world: str) -> None:
        self._net, self._world = net, world
        self.sensors: SensorSuite | None = None
        self.frame_hz = 0.0
        self._newest = (0, -1)           # boot of the world, sequence
        self._taken_ns = 0               # when the newest was taken
        self._clock = ClockOffset()
        self.stale = self.malformed = 0

    def observe(
        self, sensed: Sensed, boot: int, tensors: list[NDArray[Any]], received_ns: int
    ) -> Observation | None:
        """The observation; None, and counted, if it is not newer than the last one or does not fit the sensors.

        Its age counts from when it fell due, however long the body, the network or this process were held up.
        """
        known, sequence = self._newest
        older = boot < known and received_ns - self._taken_ns < STALE_NS     # later it means that a clock was set back
        if self.sensors is None or older or (boot == known and sensed.sequence <= sequence):
            self.stale += 1
            return None
        if not _fits(self.sensors, sensed.frame, tensors):
            self.malformed += 1
            return None
        if boot != self._newest[0]:
            self._clock = ClockOffset()
        self._newest, self._taken_ns = (boot, sensed.sequence), received_ns
        age_s = max(seconds(received_ns - self._clock.own_ns(sensed.at_s, sensed.age_s, received_ns)), 0.0)
        capture = sensed.capture or None
        if capture is not None:
            capture = replace(capture, age_s=max(age_s + capture.age_s - sensed.age_s, 0.0))
        return Observation(
            sequence=sensed.sequence, age_s=age_s, capture=capture, pose=sensed.pose, v_mps=sensed.v_mps,
            w_radps=sensed.w_radps, scan=tensors[0], frame=tensors[1] if sensed.frame else None, bumped=sensed.bumped,
            readings=sensed.readings, left_mps=sensed.left_mps, up_mps=sensed.up_mps,
        )

    def act(self, act: Act) -> None:
        self._net.send(self._world, Acted(act=act))

    def report(self, report: Report) -> None:
        self._net.send(self._world, Reported(report=report))


def _fits(sensors: SensorSuite, frame: bool, tensors: list[NDArray[Any]]) -> bool:
    """Whether the tensors are a scan of the lidar, float32 [beams], and a frame if announced.

    The scan is empty without a lidar, and while the lidar gives nothing.
    """
    beams = sensors.lidar.beams if sensors.lidar else 0
    if len(tensors) != 1 + frame or tensors[0].dtype != np.float32 or tensors[0].shape not in ((beams,), (0,)):
        return False
    camera = sensors.camera
    return not frame or (
        camera is not None and tensors[1].dtype == np.uint8
        and tensors[1].shape == (camera.height_px, camera.width_px, 3))
