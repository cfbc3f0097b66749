"""One robot of a team that covers a field: it knows where its teammates are, and flies to its place among them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.behaviours import Event, Heard, Note, Output, required
from agents.behaviours.covering import cells, notes
from agents.behaviours.covering.beliefs import Look
from agents.behaviours.covering.cells import Reals
from agents.behaviours.covering.notes import News
from agents.behaviours.covering.pilot import Pilot, Point
from agents.behaviours.search.gossip import is_older
from agents.behaviours.search.team import Audience
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Observation, Perceived, Pose

SHARE_NS = 400_000_000               # between two notes, and two choices of a place
NEAR_M = 15.0                        # a cell that is larger counts so far to each side only
FAR_M = 25.0                         # in a large area what is farther away does not matter
MATE_NS = 5_000_000_000              # a teammate's note about itself counts this long


@dataclass(frozen=True, slots=True)
class Mate:
    """A teammate, by its newest note."""

    sequence: int
    heard_at: int                    # ns, own clock
    pose: Pose


class Coverer(ABC):
    """The policy of one robot; see `Behaviour`. A behaviour says how it weighs the field, and what it takes in.

    It needs a lidar. Raises: BadInput. notes_ignored: malformed, or from a robot outside the team.
    """

    def __init__(self, behaviour: str, robot: str, team: list[str], sensors: SensorSuite) -> None:
        self._pilot = Pilot(required(behaviour, "lidar", sensors.lidar))
        self._team = {*team} - {robot}
        self._audience = Audience(self._team)
        self._half_m = sensors.area_m / 2
        self.far_m = FAR_M if sensors.area_m > cells.LARGE_M else math.inf
        self._at: Point | None = None                        # where it was last
        self.points = cells.points(sensors.area_m)
        self._mates: dict[str, Mate] = {}
        self._looks: list[Look] = []                         # since the last note
        self._sequence = 0
        self._shared_at: int | None = None
        self._offset_ns = sorted({*team, robot}).index(robot) * SHARE_NS // max(len(team), 1)
        self._place: Point | None = None                     # to which it flies
        self.notes_heard = self.notes_ignored = 0

    @abstractmethod
    def density(self, of: NDArray[np.intp], now_s: float) -> Reals:
        """What some of `points`, by index [k], count, in whatever unit."""

    @abstractmethod
    def look(self, seen: Perceived, now_s: float) -> Look | None:
        """Take in the result of a frame. Returns what teammates should know of it."""

    @abstractmethod
    def told(self, look: Look) -> None:
        """Take in what a teammate's camera has shown."""

    def on(self, event: Event, now: int) -> list[Output]:
        """See `Behaviour.on`."""
        if isinstance(event, Observation):
            return self._observe(event, now)
        if isinstance(event, Perceived):
            look = self.look(event, now / 1e9)
            if look is not None:
                self._looks = [*self._looks, look][-notes.MOST_LOOKS:]
        elif isinstance(event, Heard):
            self._hear(event, now)
        return []

    def _observe(self, seen: Observation, now: int) -> list[Output]:
        self._at = seen.pose.x_m, seen.pose.y_m
        if self._shared_at is None:
            self._shared_at = now - SHARE_NS + self._offset_ns       # spread the team's notes over the time
        due = now - self._shared_at >= SHARE_NS
        if due or self._place is None:
            self._place = self._choose(seen.pose, now)
        told = self._note(seen.pose, now) if due else []
        return [self._pilot.fly(seen, self._place), *told]

    def _choose(self, pose: Pose, now: int) -> Point:
        """The place of this robot, now that the others are where they said."""
        alive = [mate.pose for _, mate in sorted(self._mates.items()) if now - mate.heard_at < MATE_NS]
        places = np.array([(at.x_m, at.y_m) for at in (pose, *alive)])
        near = cells.near_to(self.points, pose, NEAR_M)
        x, y = cells.centroid(places, self.points[near], self.density(near, now / 1e9)).tolist()
        return x, y

    def _note(self, pose: Pose, now: int) -> list[Output]:
        self._shared_at, self._sequence = now, self._sequence + 1
        news = News(sequence=self._sequence, x_m=pose.x_m, y_m=pose.y_m, looks=tuple(self._looks))
        self._looks = []
        to = self._audience.choose(pose, self._mates)
        return [Note(notes.TOPIC, notes.encode(news, now / 1e9, self._half_m), to)]

    def _hear(self, heard: Heard, now: int) -> None:
        """Take in a teammate's note. A bad note is counted and dropped."""
        self.notes_heard += 1
        try:
            if heard.sender not in self._team or heard.topic != notes.TOPIC:
                raise ValueError("not of the team, or not a topic of this behaviour")
            news = notes.decode(heard.data, now / 1e9, self._half_m)
        except ValueError:
            self.notes_ignored += 1
            return
        known = self._mates.get(heard.sender)
        if known is not None and is_older(news.sequence, known.sequence):
            return
        self._mates[heard.sender] = Mate(news.sequence, now, Pose(news.x_m, news.y_m, 0.0))
        for look in news.looks:
            if self._at is None or math.dist(self._at, (look.pose.x_m, look.pose.y_m)) <= self.far_m:
                self.told(look)
