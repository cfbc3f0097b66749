"""Search and rescue: a team explores a building, confirms targets, and shares its maps and finds.

Each robot decides for itself, and its safety depends on its own scan only. Notes from teammates only avoid double work.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.behaviours import Behaviour, Event, Heard, Note, Output, Verdict, required
from agents.behaviours.search import gossip
from agents.behaviours.search.camera_view import CameraView
from agents.behaviours.search.classes import of_search
from agents.behaviours.search.goals import Goal, Goals
from agents.behaviours.search.gossip import BlockSelector, Find, MapNews
from agents.behaviours.search.lidar_beams import LidarBeams
from agents.behaviours.search.locator import Locator
from agents.behaviours.search.occupancy_map import OccupancyMap, cells_of
from agents.behaviours.search.steering import Steering
from agents.behaviours.search.targets import Targets, claim
from agents.behaviours.search.team import Audience, Mate, expected
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Detections, Observation, Perceived, Pose

PLAN_NS = 700_000_000                # between plans on the way to a goal
PLAN_MIN_NS = 300_000_000            # between other plans
SHARE_NS = 1_000_000_000
FINDS_NS = 2_000_000_000
MATE_NS = 2_500_000_000              # a teammate's note about itself counts this long
SCANS_KEPT = 16
SCAN_MATCH_NS = 250_000_000
MASK_MARK_NS = 4_000_000_000
BUMP_MARK_NS = 25_000_000_000
RESTART = 16                         # a sequence this far back means that the sender has restarted


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counts since the start."""

    observations: int = 0
    plans: int = 0
    recoveries: int = 0
    bumps: int = 0
    claims: int = 0
    found: int = 0
    wrong: int = 0
    notes_heard: int = 0
    notes_ignored: int = 0           # malformed, or from a robot outside the team
    marks: int = 0                   # obstacle cells from masks


class SearchRescue:
    """The policy of one robot; see `Behaviour`. It needs a camera and a lidar. Raises: BadInput."""

    def __init__(self, robot: str, team: list[str], seed: int, sensors: SensorSuite) -> None:
        view = CameraView(required("search_rescue", "camera", sensors.camera))
        self._beams = LidarBeams(required("search_rescue", "lidar", sensors.lidar))
        self._locator = Locator(view, self._beams)
        self._team = frozenset(team) - {robot}
        self._cells = cells_of(sensors.area_m)
        self._map, self._targets = OccupancyMap(view, self._beams, self._cells), Targets(self._locator)
        self._block_selector = BlockSelector(self._cells)
        self._steering, self._goals = Steering(robot, seed, self._beams), Goals(robot, seed)
        self._mates: dict[str, Mate] = {}
        self._audience = Audience(self._team)
        self._scans: deque[tuple[int, Pose, NDArray[np.float32]]] = deque(maxlen=SCANS_KEPT)
        self._goal: Goal | None = None
        self._planned_at = -PLAN_NS
        self._shared_at: int | None = None
        self._finds_at = 0
        self._sequence = 0
        self._offset_ns = sorted({*team, robot}).index(robot) * SHARE_NS // max(len(team), 1)
        self._count = dict.fromkeys(Statistics.__dataclass_fields__, 0)

    @property
    def goal(self) -> Goal | None:
        """The present goal."""
        return self._goal

    def statistics(self) -> Statistics:
        """An immutable snapshot of the counts."""
        return Statistics(**self._count)

    def on(self, event: Event, now: int) -> list[Output]:
        """See `Behaviour.on`."""
        if isinstance(event, Observation):
            return self._observe(event, now)
        if isinstance(event, Perceived):
            return self._perceive(event, now)
        if isinstance(event, Verdict):
            self._count["found"] += event.verdict == "found"
            self._count["wrong"] += event.verdict == "wrong"
            news = self._targets.judged(event.report, event.verdict)
            return self._share_finds([news]) if news is not None else []
        self._hear(event, now)
        return []

    def _observe(self, seen: Observation, now: int) -> list[Output]:
        """Update the map, plan when it is time, steer, claim, and share notes."""
        self._count["observations"] += 1
        scan = np.asarray(seen.scan, np.float32)
        if not np.isfinite(scan).all():
            scan = np.nan_to_num(scan, nan=0.0, posinf=self._beams.range_m)
        self._scans.append((now - int(seen.age_s * 1e9), seen.pose, scan))
        mates = self._mates_alive(now)
        self._map.scan(seen.pose, scan, [expected(m, now) for m in mates.values()])
        if now - self._planned_at >= (PLAN_NS if self._on_the_way(seen.pose) else PLAN_MIN_NS):
            self._plan(seen.pose, mates, now)
        path = list(self._goal.path) if self._goal is not None else []
        act, recovery = self._steering.act(seen, scan, path, self._goal.face if self._goal is not None else None, now)
        if recovery is not None:
            self._count["recoveries"] += 1
            self._count["bumps"] += recovery.bumped
            if self._goal is not None:
                self._goals.ban(self._goal, now)
            if recovery.bumped:
                self._map.mark(_touched(seen, scan), now + BUMP_MARK_NS)
            self._planned_at = -PLAN_NS
        return [act, *self._claim(now), *self._share(seen.pose, now)]

    def _mates_alive(self, now: int) -> dict[str, Mate]:
        """The teammates that were heard lately, by name."""
        return {name: mate for name, mate in sorted(self._mates.items()) if now - mate.heard_at < MATE_NS}

    def _on_the_way(self, pose: Pose) -> bool:
        return (self._goal is not None and bool(self._goal.path)
                and math.dist(self._goal.path[-1], (pose.x_m, pose.y_m)) > 0.4)

    def _plan(self, pose: Pose, mates: dict[str, Mate], now: int) -> None:
        self._count["plans"] += 1
        self._planned_at = now
        self._goal = self._goals.pick(pose, self._map.states(now), self._targets, mates, self._goal, now)

    def _perceive(self, seen: Perceived, now: int) -> list[Output]:
        """Fuse detections, or weigh tracks and mark low obstacles by a mask."""
        scan, outcome = self._scan_at(now - int(seen.age_s * 1e9)), of_search(seen)
        if outcome is None:                                  # of a stream that is not the search's
            return []
        if isinstance(outcome, Detections):
            self._targets.detections(outcome, seen.pose, scan)
            return self._claim(now)
        self._targets.mask(outcome, seen.pose, scan)
        points = self._locator.obstacles(outcome, seen.pose, scan)
        self._count["marks"] += len(points)
        self._map.mark(points, now + MASK_MARK_NS)
        return []

    def _scan_at(self, taken: int) -> NDArray[np.float32] | None:
        """The scan nearest to a time (ns), if there is one close enough."""
        if not self._scans:
            return None
        at, _, scan = min(self._scans, key=lambda s: abs(s[0] - taken))
        return scan if abs(at - taken) <= SCAN_MATCH_NS else None

    def _claim(self, now: int) -> list[Output]:
        claims = self._targets.claims(now)
        if not claims:
            return []
        self._count["claims"] += len(claims)
        return [*map(claim, claims), *self._share_finds(claims)]

    def _share(self, pose: Pose, now: int) -> list[Output]:
        """The periodic notes: the map about once a second, the world's verdicts on own claims every two seconds."""
        if self._shared_at is None:
            self._shared_at = now - SHARE_NS + self._offset_ns   # spread the team's notes over the second
        out: list[Output] = []
        if now - self._shared_at >= SHARE_NS:
            self._shared_at = now
            self._sequence += 1
            to = self._audience.choose(pose, self._mates_alive(now))
            ids, states = self._block_selector.choose(self._map.own_states())
            goal = self._goal
            out.append(Note(gossip.MAP_TOPIC, gossip.encode_map(MapNews(
                sequence=self._sequence, pose=pose, goal=goal.at if goal is not None else None,
                confirming=goal is not None and goal.kind == "confirm", ids=ids, states=states), self._cells), to))
        if now - self._finds_at >= FINDS_NS and self._targets.finds.judged():
            to = self._audience.choose(pose, self._mates_alive(now))
            out += self._share_finds(self._targets.finds.judged(), to)
            self._finds_at = now
        return out

    def _share_finds(self, finds: list[Find], to: tuple[str, ...] = ()) -> list[Output]:
        """A note with these finds, the newest first; what is new goes to all that are known to be alive."""
        finds = finds[::-1][:gossip.FINDS_PER_NOTE]
        return [Note(gossip.FINDS_TOPIC, gossip.encode_finds(finds, self._cells), to)] if finds else []

    def _hear(self, heard: Heard, now: int) -> None:
        """Take in a teammate's note. A bad note is counted and dropped."""
        self._count["notes_heard"] += 1
        try:
            if heard.sender not in self._team:
                raise ValueError("not of the team")
            if heard.topic == gossip.MAP_TOPIC:
                self._hear_map(heard.sender, gossip.decode_map(heard.data, self._cells), now)
            elif heard.topic == gossip.FINDS_TOPIC:
                for find in gossip.decode_finds(heard.data, self._cells):
                    self._targets.add(find, heard.sender)
            else:
                raise ValueError("not a topic of this behaviour")
        except ValueError:
            self._count["notes_ignored"] += 1

    def _hear_map(self, sender: str, news: MapNews, now: int) -> None:
        """Take in the map of every note, but the pose and the goal of the newest note only."""
        self._map.merge(news.ids, news.states)
        known = self._mates.get(sender)
        if known is not None and 0 <= known.sequence - news.sequence < RESTART:
            return
        self._mates[sender] = Mate(sequence=news.sequence, heard_at=now, pose=news.pose, goal=news.goal,
                                   confirming=news.confirming)


def _touched(seen: Observation, scan: NDArray[np.float32]) -> list[tuple[float, float]]:
    """Points (x, y) of a thing that was touched and that the scan does not show: ahead, or behind when backing up."""
    if float(scan.min()) < 0.5:
        return []
    course = seen.pose.heading_rad + (math.pi if seen.v_mps < -0.05 else 0.0)
    return [(seen.pose.x_m + 0.45 * math.cos(course + side), seen.pose.y_m + 0.45 * math.sin(course + side))
            for side in (-0.4, 0.0, 0.4)]


def search_rescue(robot: str, team: list[str], seed: int, sensors: SensorSuite) -> Behaviour:
    """The search behaviour of one robot of the team. seed: of its random draws.

    Raises: BadInput when the robot has no camera or no lidar.
    """
    return SearchRescue(robot, team, seed, sensors)
