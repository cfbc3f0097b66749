"""Convoy: robots drive out along a road in the order of the team, a chain back to the depot, and return.

The last robot stays where the depot hears it, each other one where the robot behind it still does; the first one drives
to the road's end. At its station a robot looks around until it has stood for a while. Finds go from robot to robot
along the chain. Where it breaks, a robot carries its finds home.
Source of the spacing: predecessor following with constant spacing (Swaroop and Hedrick, String stability of
interconnected systems, IEEE TAC 41, 1996), here by the distances that teammates tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from agents.behaviours import STAY, Behaviour, Event, Heard, Note, Output, Verdict
from agents.behaviours.road import notes
from agents.behaviours.road.depot import DEPOT_REACH_M, gate_ahead_m
from agents.behaviours.road.driver import Driver
from agents.behaviours.road.notes import State
from agents.behaviours.search.gossip import FINDS_PER_NOTE, Find, decode_finds, encode_finds, is_older
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Observation, Perceived, Pose

ANCHOR_M = DEPOT_REACH_M - 0.4       # from the gate to the station of the last robot
SPACING_M = 3.4                      # between two stations, through the air, for a radio that reaches 4 m
APART_M = 1.1                        # a robot does not follow another one more closely
SHARE_NS = 500_000_000               # between two notes about itself
FINDS_NS = 1_000_000_000             # between two notes with all finds
LOST_NS = 25_000_000_000             # at its station it heard nobody farther out for so long: it carries its finds home
HEARD_NS = 1_800_000_000             # a teammate's note counts this long
REPORT_NS = 1_200_000_000            # for each robot nearer to the depot: that one reports first
WAIT_NS = 6_000_000_000              # a robot waits for others this long, and then goes on without them
LOOK_NS = 8_000_000_000              # it looks around at its station for so long, once at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counts since the start."""

    notes_heard: int = 0
    notes_ignored: int = 0           # malformed, or from a robot outside the team


class Convoy:
    """The policy of one robot; see `Behaviour`. Raises: BadInput."""

    def __init__(self, robot: str, team: list[str], seed: int, sensors: SensorSuite) -> None:
        self._place = team.index(robot) if robot in team else 0
        self._driver = Driver("convoy", robot, self._place, seed, sensors)
        self._team = {name: k for k, name in enumerate(team) if name != robot}
        behind = self._behind = len(self._team) - self._place        # robots between it and the depot
        self._station_m = gate_ahead_m(self._place) + ANCHOR_M + SPACING_M * behind if self._place else math.inf
        self._mates: dict[int, tuple[int, State]] = {}       # by place in the convoy: when heard, and the newest state
        self._phase = "out"
        self._sequence = 0
        self._shared_ns = self._finds_ns = -FINDS_NS
        self._arrived_ns = 0                                 # at its station
        self._front_ns = 0                                   # when it last heard a robot farther out
        self._waits_ns: int | None = None                    # since when it waits for the robot behind
        self._heard = self._ignored = 0

    @property
    def phase(self) -> str:
        """What it does: out, station, back or home."""
        return self._phase

    def statistics(self) -> Statistics:
        """An immutable snapshot of the counts."""
        return Statistics(notes_heard=self._heard, notes_ignored=self._ignored)

    def on(self, event: Event, now: int) -> list[Output]:
        """See `Behaviour.on`."""
        if isinstance(event, Observation):
            return self._observe(event, now)
        if isinstance(event, Perceived):
            return self._tell(self._driver.perceive(event, now))
        if isinstance(event, Verdict):
            find = self._driver.judged(event)
            return self._tell([find]) if find is not None else []
        return self._hear(event, now)

    def _observe(self, seen: Observation, now: int) -> list[Output]:
        driver, pose = self._driver, seen.pose
        if self._phase in ("out", "station"):
            driver.way.add(pose)
        if not seen.scan.size:
            return [STAY, *driver.reports(pose, now, REPORT_NS * self._behind), *self._share(pose, now)]
        scan = driver.see(seen, now)
        waits = self._waits(pose, now)
        path = driver.way.out(pose, scan, now) if self._phase == "out" and not waits else []
        self._decide(pose, now)
        if self._phase == "back":
            path = driver.way.home(pose)
        drives = self._phase == "back" or (self._phase == "out" and not waits)
        turns = self._phase == "station" and now - self._arrived_ns < LOOK_NS
        return [driver.follow(seen, scan, path if drives else [], now, around=turns),
                *driver.reports(pose, now, REPORT_NS * self._behind), *self._share(pose, now)]

    def _decide(self, pose: Pose, now: int) -> None:
        """The next phase: on to the station or the road's end; back when the robots farther out come back."""
        driver, front = self._driver, self._fresh(self._place - 1, now)
        front_returns = front is not None and front.phase in ("back", "home")
        if self._phase == "out" and (self._is_at_station(pose, now) or front_returns
                                     or (front is None and driver.way.ends(now))):
            self._phase, self._arrived_ns = "station", now
        if self._phase == "station" and (self._has_stood_long(now) or (
                front_returns and front is not None and _away(front, pose) < 2 * APART_M)):
            self._phase = "back"
        elif self._phase == "back" and math.dist(driver.way.start, (pose.x_m, pose.y_m)) < 2 * APART_M / 3:
            self._phase = "home"

    def _has_stood_long(self, now: int) -> bool:
        """Whether it need not stay: the first robot has looked around; any other one hears nobody farther out."""
        if self._place == 0:
            return now - self._arrived_ns > LOOK_NS
        return now - max(self._arrived_ns, self._front_ns) > LOST_NS

    def _is_at_station(self, pose: Pose, now: int) -> bool:
        """Whether it has come as far as it goes.

        The first robot goes on to the road's end. Any other one goes as far as the robot behind it hears it, and while
        that one is not at its station or not heard, as far as it would be on a straight road.
        """
        behind = self._fresh(self._place + 1, now)
        if behind is None or behind.phase != "station":
            return self._driver.way.driven_m >= self._station_m
        return self._place > 0 and _away(behind, pose) >= SPACING_M

    def _waits(self, pose: Pose, now: int) -> bool:
        """Whether it stays for the sake of others: for the one in front, or one behind that would lose the chain."""
        driven_m = self._driver.way.driven_m
        front, behind = self._fresh(self._place - 1, now), self._fresh(self._place + 1, now)
        if front is not None and front.phase == "out" and front.driven_m - driven_m < APART_M:
            return True
        away_m = driven_m if behind is None else _away(behind, pose)
        if self._behind == 0 or away_m <= SPACING_M or (behind is not None and behind.phase != "out"):
            self._waits_ns = None
            return False
        self._waits_ns = now if self._waits_ns is None else self._waits_ns
        return now - self._waits_ns < WAIT_NS

    def _fresh(self, place: int, now: int) -> State | None:
        """The state of the robot at a place of the convoy, if it was heard lately."""
        heard_ns, state = self._mates.get(place, (-HEARD_NS, None))
        return state if now - heard_ns < HEARD_NS else None

    def _share(self, pose: Pose, now: int) -> list[Output]:
        """The periodic notes: where it is, and what it knows."""
        out: list[Output] = []
        if now - self._shared_ns >= SHARE_NS:
            self._shared_ns, self._sequence = now, self._sequence + 1
            out.append(Note(notes.STATE_TOPIC, notes.encode_state(State(
                sequence=self._sequence, phase=self._phase, driven_m=self._driver.way.driven_m, x_m=pose.x_m,
                y_m=pose.y_m))))
        if now - self._finds_ns >= FINDS_NS:
            self._finds_ns = now
            out += self._tell(self._driver.book.in_turn(FINDS_PER_NOTE))
        return out

    def _hear(self, heard: Heard, now: int) -> list[Output]:
        """Take in a teammate's note, and pass on what is new. A bad note is counted and dropped."""
        self._heard += 1
        try:
            if heard.sender not in self._team:
                raise ValueError("not of the team")
            if heard.topic == notes.FINDS_TOPIC:
                finds = decode_finds(heard.data, self._driver.cells)
                return self._tell([find for find in finds if self._driver.take(find, told=True)])
            if heard.topic != notes.STATE_TOPIC:
                raise ValueError("not a topic of this behaviour")
            state, place = notes.decode_state(heard.data), self._team[heard.sender]
            if place < self._place and state.phase in ("out", "station"):
                self._front_ns = now
            known = self._mates.get(place)
            if known is None or not is_older(state.sequence, known[1].sequence):
                self._mates[place] = now, state
        except ValueError:
            self._ignored += 1
        return []

    def _tell(self, finds: list[Find]) -> list[Output]:
        """Notes to all with these finds."""
        return [Note(notes.FINDS_TOPIC, encode_finds(finds[k:k + FINDS_PER_NOTE], self._driver.cells))
                for k in range(0, len(finds), FINDS_PER_NOTE)]


def _away(state: State, pose: Pose) -> float:
    return math.dist((state.x_m, state.y_m), (pose.x_m, pose.y_m))


def convoy(robot: str, team: list[str], seed: int, sensors: SensorSuite) -> Behaviour:
    """The convoy behaviour of one robot. Raises: BadInput when it has no camera or no lidar."""
    return Convoy(robot, team, seed, sensors)
