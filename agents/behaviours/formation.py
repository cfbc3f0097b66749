"""Formation: a flock crosses a field together. Robots share the hazards that they see, and wait for those behind."""

from __future__ import annotations

import math

from msgspec.structs import replace

from agents.behaviours import STAY, Behaviour, Event, Heard, Note, Output
from agents.behaviours.flock import notes
from agents.behaviours.flock.lane import on_lane
from agents.behaviours.flock.mates import Mates
from agents.behaviours.flock.navigator import Navigator
from agents.behaviours.flock.notes import MOST_LEFT_M, State
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Drive, Observation, Perceived

SHARE_NS = 200_000_000
PATIENCE_NS = 10_000_000_000         # at an end, for teammates that do not come
SPREAD_M = 3.0                       # the flock may be so long before those ahead slow down
SLOWER_PER_M = 0.35                  # share of the speed, for each metre beyond
SLOWEST = 0.4


class Formation:
    """The policy of one robot; see `Behaviour`. It needs a camera and a lidar. Raises: BadInput.

    notes_ignored: malformed, or from a robot outside the team.
    """

    def __init__(self, robot: str, team: list[str], seed: int, sensors: SensorSuite) -> None:
        self._navigator = Navigator("formation", robot, team, seed, sensors)
        self._mates = Mates({*team} - {robot})
        self._sequence = 0
        self._shared_at: int | None = None
        self._arrived_at: int | None = None
        self._offset_ns = sorted({*team, robot}).index(robot) * SHARE_NS // max(len(team), 1)
        self.notes_heard = self.notes_ignored = 0

    def on(self, event: Event, now: int) -> list[Output]:
        """See `Behaviour.on`."""
        if isinstance(event, Observation):
            return self._observe(event, now)
        if isinstance(event, Perceived):
            self._navigator.perceive(event, now)
            return [*self._navigator.reports()]
        if isinstance(event, Heard):
            self._hear(event, now)
        return []

    def _observe(self, seen: Observation, now: int) -> list[Output]:
        navigator = self._navigator
        if not seen.scan.size:
            return [STAY, *self._share(seen, now)]
        scan = navigator.sense(seen, now, self._mates.places(now))
        if navigator.at_end(seen.pose):
            self._arrived_at = now if self._arrived_at is None else self._arrived_at
            if self._all_arrived(now) or now - self._arrived_at > PATIENCE_NS:
                self._arrived_at = None
                navigator.turn()
        act = navigator.drive(seen, scan, self._mates.hazards(navigator.hazards), now)
        return [self._paced(act, now), *self._share(seen, now)]

    def _all_arrived(self, now: int) -> bool:
        """Whether each teammate is at this end, or on its way back from it."""
        east = self._navigator.direction > 0
        return all(mate.state.left_m == 0.0 or mate.state.east != east for mate in self._mates.alive(now))

    def _paced(self, act: Drive, now: int) -> Drive:
        """The command at the pace of those behind: the same arc, slower. It never stops: it needs nobody's leave."""
        left_m, east = self._navigator.left_m, self._navigator.direction > 0
        if act.v_mps <= 0.0 or not math.isfinite(left_m):
            return act
        behind_m = max((mate.state.left_m - left_m for mate in self._mates.alive(now) if mate.state.east == east),
                       default=0.0)
        pace = min(max(1.0 - SLOWER_PER_M * (behind_m - SPREAD_M), SLOWEST), 1.0)
        return replace(act, v_mps=pace * act.v_mps, w_radps=pace * act.w_radps)

    def _share(self, seen: Observation, now: int) -> list[Output]:
        """The note about itself, five times a second."""
        if self._shared_at is None:
            self._shared_at = now - SHARE_NS + self._offset_ns   # spread the team's notes over the time
        if now - self._shared_at < SHARE_NS:
            return []
        self._shared_at, self._sequence = now, self._sequence + 1
        navigator = self._navigator
        left_m = 0.0 if navigator.at_end(seen.pose) else min(max(navigator.left_m, 0.01), MOST_LEFT_M)
        return [Note(notes.TOPIC, notes.encode(State(
            sequence=self._sequence, pose=seen.pose, left_m=left_m, east=navigator.direction > 0,
            hazards=tuple(navigator.hazards))))]

    def _hear(self, heard: Heard, now: int) -> None:
        """Take in a teammate's note. A bad note is counted and dropped."""
        self.notes_heard += 1
        try:
            if heard.topic != notes.TOPIC:
                raise ValueError("not a topic of this behaviour")
            self._mates.hear(heard.sender, notes.decode(heard.data), now)
        except ValueError:
            self.notes_ignored += 1


def formation(robot: str, team: list[str], seed: int, sensors: SensorSuite) -> Behaviour:
    """The behaviour of one robot of a flock. seed: of its random draws.

    Raises: BadInput when the robot has no camera or no lidar.
    """
    return on_lane(robot, team, lambda flock: Formation(robot, flock, seed, sensors))
