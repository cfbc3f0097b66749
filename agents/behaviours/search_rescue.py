"""Search and rescue: a team explores a building, confirms targets, and shares its maps and finds.

Each robot decides for itself, and its safety depends on its own scan only. Notes from teammates only avoid double work.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.behaviours import Behaviour, Heard, Note, Output
from agents.behaviours.search import gossip
from agents.behaviours.search.goals import Goal, Goals
from agents.behaviours.search.gossip import BlockSelector, Find, MapNews
from agents.behaviours.search.searcher import Searcher
from agents.behaviours.search.team import Audience, Mate, expected
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Pose

SHARE_NS = 1_000_000_000
FINDS_NS = 2_000_000_000
MATE_NS = 2_500_000_000              # a teammate's note about itself counts this long


class SearchRescue(Searcher):
    """The policy of one robot of a team; see `Behaviour`. It needs a camera and a lidar. Raises: BadInput."""

    def __init__(self, robot: str, team: list[str], seed: int, sensors: SensorSuite) -> None:
        super().__init__("search_rescue", robot, seed, sensors, Goals(robot, seed))
        self._team = frozenset(team) - {robot}
        self._block_selector = BlockSelector(self._cells)
        self._mates: dict[str, Mate] = {}
        self._audience = Audience(self._team)
        self._shared_at: int | None = None
        self._finds_at = 0
        self._sequence = 0
        self._offset_ns = sorted({*team, robot}).index(robot) * SHARE_NS // max(len(team), 1)

    def _choose(self, pose: Pose, states: NDArray[np.uint8], now: int) -> Goal:
        return self._goals.pick(pose, states, self._targets, self._mates_alive(now), self._goal, now)

    def _mates_alive(self, now: int) -> dict[str, Mate]:
        """The teammates that were heard lately, by name."""
        return {name: mate for name, mate in sorted(self._mates.items()) if now - mate.heard_at < MATE_NS}

    def _mates_expected(self, now: int) -> list[tuple[float, float]]:
        return [expected(mate.pose, mate.heard_at, now) for mate in self._mates_alive(now).values()]

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
            out += _note_of(self._targets.finds.judged(), to, self._cells)
            self._finds_at = now
        return out

    def _share_finds(self, finds: list[Find]) -> list[Output]:
        """What is new goes to all teammates that are known to be alive."""
        return _note_of(finds, (), self._cells)

    def _hear(self, heard: Heard, now: int) -> None:
        """Take in a teammate's note. A bad note is counted and dropped."""
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
        if known is not None and gossip.is_older(news.sequence, known.sequence):
            return
        self._mates[sender] = Mate(sequence=news.sequence, heard_at=now, pose=news.pose, goal=news.goal,
                                   confirming=news.confirming)


def _note_of(finds: list[Find], to: tuple[str, ...], cells: int) -> list[Output]:
    """A note with these finds, the newest first. cells: of a side of the map."""
    finds = finds[::-1][:gossip.FINDS_PER_NOTE]
    return [Note(gossip.FINDS_TOPIC, gossip.encode_finds(finds, cells), to)] if finds else []


def search_rescue(robot: str, team: list[str], seed: int, sensors: SensorSuite) -> Behaviour:
    """The search behaviour of one robot of the team. seed: of its random draws.

    Raises: BadInput when the robot has no camera or no lidar.
    """
    return SearchRescue(robot, team, seed, sensors)
