"""The lanes of a wide field as every robot knows them: which one is its own, and who else is on it.

A field of one lane has its middle at y = 0; more lanes lie side by side around it. A robot of the team starts in the
lane of its number, or, beyond the last lane, in the first one again.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

from msgspec.structs import replace

from agents.behaviours import Behaviour, Event, Note, Output
from agents.behaviours.flock.known_course import HALF_WIDTH_M
from swarm.core.protocol.world import Observation, Perceived, Pose, Report

ALONE, FLOCK, MOST_LANES = 24, 6, 61         # robots of a single lane at most; of one of several; lanes at most


def on_lane(robot: str, team: list[str], make: Callable[[list[str]], Behaviour]) -> Behaviour:
    """The behaviour of a robot on its lane. make: makes that of a robot on a field of one lane, with its team."""
    if len(team) <= ALONE or robot not in team:
        return make(team)
    lanes = min(math.ceil(len(team) / FLOCK), MOST_LANES)
    lane = team.index(robot) % lanes
    flock = team[lane::lanes]
    middle_m = 2 * HALF_WIDTH_M * (lane - (lanes - 1) / 2)
    return OnLane(make(flock), middle_m, tuple(mate for mate in flock if mate != robot))


class OnLane:
    """A behaviour for a field of one lane, on a lane whose middle is elsewhere. Its notes are for that flock alone."""

    def __init__(self, behaviour: Behaviour, middle_m: float, mates: tuple[str, ...]) -> None:
        self._behaviour, self._middle_m, self._mates = behaviour, middle_m, mates

    def on(self, event: Event, now: int) -> list[Output]:
        """See `Behaviour.on`."""
        if isinstance(event, (Observation, Perceived)):
            event = replace(event, pose=self._here(event.pose))
        if isinstance(event, Observation) and event.capture is not None:
            event = replace(event, capture=replace(event.capture, pose=self._here(event.capture.pose)))
        return [self._from_here(output) for output in self._behaviour.on(event, now)]

    def _here(self, pose: Pose) -> Pose:
        return replace(pose, y_m=pose.y_m - self._middle_m)

    def _from_here(self, output: Output) -> Output:
        match output:
            case Note():
                return dataclasses.replace(output, to=self._mates)
            case Report(values={"y_m": float(y_m)}):
                return replace(output, values={**output.values, "y_m": y_m + self._middle_m})
            case _:
                return output
