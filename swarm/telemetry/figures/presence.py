"""When each robot of a run is there: its requests are due only then."""

from __future__ import annotations

import math

from swarm.core.settings.launch_file import LaunchFile


class Presence:
    """The robots of one run. Times are seconds since the streams began.

    A robot that joins is there once its process is ready. One that never was is missed from its planned time on.
    """

    def __init__(self, launch: LaunchFile) -> None:
        self._planned = {robot: (fleet.joins_at_s, math.inf if fleet.leaves_at_s is None else fleet.leaves_at_s)
                         for fleet in launch.fleet for robot in fleet.robots()}
        self._joined_s: dict[str, float] = {}

    def joined(self, robot: str, at_s: float) -> None:
        """A robot is there now. Only its first time counts: what it misses later is missed."""
        self._joined_s.setdefault(robot, at_s)

    def span_s(self, robot: str, ran_s: float) -> tuple[float, float]:
        """From when and until when a robot was there in a run that lasted `ran_s`."""
        from_s, to_s = self._planned.get(robot, (0.0, math.inf))
        from_s = min(self._joined_s.get(robot, from_s), ran_s)
        return from_s, max(min(to_s, ran_s), from_s)

    def due(self, robot: str, rate_hz: float, at_s: float) -> int:
        """Due frames of a stream of a robot until now: rate x time present, in whole frames."""
        planned_s, to_s = self._planned.get(robot, (0.0, math.inf))
        from_s = self._joined_s.get(robot, math.inf if planned_s else 0.0)
        return max(due_by(min(at_s, to_s), rate_hz) - due_by(from_s, rate_hz), 0) if from_s < at_s else 0


def due_by(at_s: float, rate_hz: float) -> int:
    """Due frames of a stream whose time has come: rate x time, in whole frames; none before the start."""
    return max(math.floor(rate_hz * at_s + 1e-9), 0)
