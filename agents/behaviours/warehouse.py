"""Warehouse: a team fetches ordered goods. It shares what it sees, goes to different bays, and takes turns in aisles.

Each robot decides for itself, and its safety depends on its own scan only. What a teammate says weighs less than what
the robot sees, and delays it for a limited time only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from agents.behaviours import Behaviour, Heard, Note, Output
from agents.behaviours.picking import notes
from agents.behaviours.picking.aisle_rights import AisleRights
from agents.behaviours.picking.bay_choice import bay_choice, waits_s
from agents.behaviours.picking.floor_plan import ALONE_M, FloorPlan, Point
from agents.behaviours.picking.hall_mates import HallMates
from agents.behaviours.picking.mates import Mate
from agents.behaviours.picking.notes import Look, News
from agents.behaviours.picking.picker import PICK_FROM, Picker
from agents.behaviours.search.driving.steering import Recovery
from agents.behaviours.search.gossip import is_older
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Pose

SHARE_NS = 400_000_000
MATE_NS = 2_500_000_000              # a teammate's note about itself counts this long
DOCK_TAKEN_M = 0.9                   # a dock with a teammate this close is taken
WAITS_M = 0.25                       # a robot this close to its waiting place waits
AVOID_NS = 8_000_000_000             # a bay that was useless, or whose way was blocked, is not chosen for so long


@dataclass(frozen=True, slots=True)
class Wait:
    """The last wait of the robot for its turn."""

    aisle: int
    place: Point
    since: int | None                # ns; None: it is over


class Warehouse(Picker):
    """The policy of one robot; see `Behaviour`."""

    def __init__(self, robot: str, team: list[str], seed: int, sensors: SensorSuite) -> None:
        super().__init__("warehouse", robot, team, seed, sensors)
        self._robot = robot
        self._mates: dict[str, Mate] = {}
        self._names = team
        self._hall_mates: HallMates | None = None            # where there are several halls
        self._sequence = 0
        self._offset_ns = sorted({*team, robot}).index(robot) * SHARE_NS // max(len(team), 1)
        self._shared_at: int | None = None
        self._last_pick: tuple[int, int] | None = None       # bay and time
        self._wait: Wait | None = None
        self._avoid: dict[int, int] = {}                     # bay -> until when
        self.notes_heard = self.notes_ignored = 0

    def ready(self, plan: FloorPlan) -> None:
        """The world has told the floor plan."""
        self._rights = AisleRights(self._robot, plan)
        self._hall_mates = HallMates(self._robot, self._names) if plan.hall else None

    def idle(self, plan: FloorPlan, now: int) -> None:
        """The robot has no order, and needs no aisle."""
        self._rights.want(None, now)

    def choose(self, plan: FloorPlan, pose: Pose, label: str, now: int) -> int:
        """The bay with the least expected time until the robot has such a good."""
        chances, alive = self.belief(label, now), self._alive(now)
        first = [mate for name, mate in alive.items()
                 if mate.aisle != self._rights.aisle or self._rights.goes_first(name, mate)]
        taken = {mate.bay for mate in alive.values()}
        if self.bay not in {mate.bay for mate in first}:     # of two that want the same, one gives way: not both
            taken.discard(self.bay)
        self._avoid = {bay: until for bay, until in self._avoid.items() if until > now}
        chances[[bay for bay in taken | self._avoid.keys() if bay is not None]] = 0.0
        at = pose.x_m, pose.y_m
        waits = waits_s(plan, alive.values(), first)
        if self._wait is not None and self._wait.since is not None:      # it may have to wait as long again
            aisle = self._wait.aisle
            waits[aisle] = max(waits.get(aisle, 0.0), (now - self._wait.since) / 1e9)
        return bay_choice(plan, at, chances, PICK_FROM, waits, self.bay)

    def dock(self, plan: FloorPlan, at: Point, now: int) -> Point:
        """The nearest dock at which no teammate is, if there is one."""
        mates = [(mate.pose.x_m, mate.pose.y_m) for mate in self._alive(now).values()]
        return min(plan.docks(), key=lambda dock: (
            any(math.dist(dock, mate) < DOCK_TAKEN_M for mate in mates), plan.way_m(at, dock)))

    def way(self, plan: FloorPlan, at: Point, goal: Point, now: int) -> list[Point]:
        """The way to the goal, as far as its first aisle belongs to this robot, and else to where it waits."""
        here, way = plan.aisle_at(at), plan.way(at, goal)
        aisles = [plan.aisle_at(point) for point in way]
        ahead = next((aisle for aisle in aisles if aisle is not None and aisle != here), None)
        self._rights.want(here if ahead is None else ahead, now)
        if ahead is None or self._rights.granted(self._alive(now), now):
            self._wait = self._wait and replace(self._wait, since=None)
            return way
        if here is not None:                                 # leave it: a robot that waits inside is in the way
            return way[:1 + next(k for k, aisle in enumerate(aisles) if aisle != here)]
        place = self._waiting_place(plan, at, ahead, now)
        return [] if math.dist(at, place) < WAITS_M else plan.way(at, place)

    def _waiting_place(self, plan: FloorPlan, at: Point, aisle: int, now: int) -> Point:
        """Where the robot waits for an aisle. It keeps its place, unless a teammate that waits is closer to it."""
        mates = [(mate.pose.x_m, mate.pose.y_m) for mate in self._alive(now).values() if mate.aisle is not None]
        others = [mate for mate in mates if plan.aisle_at(mate) is None]
        known, since = self._wait, None
        if known is not None and known.aisle == aisle:
            near_m = min(ALONE_M, math.dist(at, known.place))
            if not any(math.dist(mate, known.place) < near_m for mate in others):
                return known.place
            since = known.since
        place = plan.waiting_place(at, aisle, others)
        self._wait = Wait(aisle, place, now if since is None else since)
        return place

    def in_vain(self, bay: int, now: int) -> None:
        """The robot is at the bay, and such a good is not."""
        self._avoid[bay] = now + AVOID_NS

    def stopped(self, recovery: Recovery, now: int) -> None:
        """The way to the bay is blocked: another one may be better."""
        if self.bay is not None and not self.loaded:
            self._avoid[self.bay] = now + AVOID_NS
            self._planned_at = -1

    def picked(self, bay: int, now: int) -> None:
        """The robot has picked a good from a bay."""
        self._last_pick = bay, now

    def notes(self, pose: Pose, now: int) -> list[Output]:
        """The periodic note; those of a team are spread over the period."""
        if self.plan is None:
            return []
        if self._shared_at is None:
            self._shared_at = now - SHARE_NS + self._offset_ns
        if now - self._shared_at < SHARE_NS:
            return []
        self._shared_at = now
        self._sequence += 1
        picked = None if self._last_pick is None else (self._last_pick[0], (now - self._last_pick[1]) / 1e9)
        if picked is not None and picked[1] > notes.MOST_AGE_S:
            picked = None
        looks = tuple(Look(bay=bay, evidence=evidence, age_s=now / 1e9 - at_s)
                      for bay, evidence, at_s in self._beliefs.tell(notes.MOST_LOOKS)
                      if now / 1e9 - at_s <= notes.MOST_AGE_S)
        news = News(sequence=self._sequence, pose=pose, bay=None if self.loaded else self.bay,
                    aisle=self._rights.aisle, ticket=self._rights.ticket, picked=picked, looks=looks)
        if self._hall_mates is None:
            return [Note(notes.TOPIC, notes.encode(news))]
        to = self._hall_mates.choose()
        return [Note(notes.TOPIC, notes.encode(news, self.plan.hall), to)] if to else []     # to nobody would be to all

    def hear(self, heard: Heard, now: int) -> None:
        """Take in a teammate's note. A bad note is counted and dropped."""
        self.notes_heard += 1
        if self.plan is None:
            return
        try:
            if heard.sender not in self._team or heard.topic != notes.TOPIC:
                raise ValueError("not of the team, or not a topic of this behaviour")
            news = notes.decode(heard.data, self.plan)
        except ValueError:
            self.notes_ignored += 1
            return
        if self._hall_mates is not None:
            self._hall_mates.heard(heard.sender, here=news is not None)
        if news is None:
            return
        for look in news.looks:
            self._beliefs.hear(heard.sender, look.bay, look.evidence, now / 1e9 - look.age_s)
        known = self._mates.get(heard.sender)
        if known is not None and is_older(news.sequence, known.sequence):
            return
        if news.picked is not None:
            bay, age_s = news.picked
            self._beliefs.emptied(bay, now / 1e9 - age_s, heard.sender)
        self._rights.heard(news.ticket)
        self._mates[heard.sender] = Mate(sequence=news.sequence, heard_at=now, pose=news.pose, bay=news.bay,
                                         aisle=news.aisle, ticket=news.ticket)

    def _alive(self, now: int) -> dict[str, Mate]:
        """The teammates that were heard lately, by name."""
        return {name: mate for name, mate in sorted(self._mates.items()) if now - mate.heard_at < MATE_NS}


def warehouse(robot: str, team: list[str], seed: int, sensors: SensorSuite) -> Behaviour:
    """The behaviour of one robot of the team. seed: of its random draws.

    Raises: BadInput when the robot has no camera or no lidar.
    """
    return Warehouse(robot, team, seed, sensors)
