"""The client of a body: another member senses and moves for the robot, by the world protocol."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarm.core.ports import Transport
from swarm.core.protocol.messages import Acted, Claimed, Sensed
from swarm.core.protocol.world import CAMERA, LIDAR, Act, Claim, Observation, Report, SensorSuite


class WorldBody:
    """Sends acts and reports to the member that is the body, and takes its observations; the newest wins."""

    sensors = SensorSuite(camera=CAMERA, lidar=LIDAR)

    def __init__(self, net: Transport, world: str) -> None:
        self._net, self._world = net, world
        self._newest = (0, -1)           # boot of the world, sequence
        self.stale = self.malformed = 0

    def observe(self, sensed: Sensed, boot: int, tensors: list[NDArray[Any]]) -> Observation | None:
        """The observation, unless it is older than one before or does not fit its header; those are counted."""
        if (boot, sensed.sequence) <= self._newest:
            self.stale += 1
            return None
        fits = (
            len(tensors) == 1 + sensed.frame
            and tensors[0].dtype == np.float32 and tensors[0].shape == (LIDAR.beams,)
            and (not sensed.frame or (tensors[1].dtype == np.uint8 and tensors[1].ndim == 3))
        )
        if not fits:
            self.malformed += 1
            return None
        self._newest = (boot, sensed.sequence)
        return Observation(
            sequence=sensed.sequence, age_s=sensed.age_s, pose=sensed.pose, v_mps=sensed.v_mps,
            w_radps=sensed.w_radps, scan=tensors[0], frame=tensors[1] if sensed.frame else None, bumped=sensed.bumped,
        )

    def act(self, act: Act) -> None:
        self._net.send(self._world, Acted(act=act))

    def report(self, report: Report) -> None:
        """Send a report. The world's message is of claims only, so a report of another kind raises KeyError."""
        label, x_m, y_m = (report.values[key] for key in ("label", "x_m", "y_m"))
        self._net.send(self._world, Claimed(claim=Claim(label=str(label), x_m=float(x_m), y_m=float(y_m))))

    @staticmethod
    def reported(claim: Claim) -> Report:
        """The report that was sent as this claim."""
        return Report(kind="claim", values={"label": claim.label, "x_m": claim.x_m, "y_m": claim.y_m})
