"""What a searcher knows of its teammates, and what it believes of their finds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from agents.behaviours.search.gossip import FINDS_PER_NOTE, Find
from swarm.core.protocol.world import Pose

Point = tuple[float, float]

TEAM_NEAR_M = 5.0
NEAREST, IN_TURN = 8, 4              # teammates of a large team who get a note
WORLD = ""                           # who has told of a find: the world itself, in its verdict on an own claim
ENOUGH = 2                           # teammates that tell of the same: one may have been taken over
SAME_PLACE_M = 1.0                   # positions this close are one target: targets are at least twice as far apart
WRONG_PLACE_M = 0.6                  # after a wrong claim, the label is not claimed again this close to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Mate:
    """The newest map note of a teammate, without the map."""

    sequence: int
    heard_at: int                    # ns, own clock
    pose: Pose
    goal: Point | None
    confirming: bool


class Placed(Protocol):
    """What is known of a teammate, with its last pose."""

    @property
    def pose(self) -> Pose: ...


class Audience:
    """The teammates who get a robot's notes: a small team whole; of a large one the nearest, and others in turn.

    So what a robot hears and sends does not grow with its team, and what it has seen still reaches all.
    """

    def __init__(self, team: Iterable[str]) -> None:
        self._team = sorted(team)
        self._next = 0

    def choose(self, pose: Pose, mates: Mapping[str, Placed]) -> tuple[str, ...]:
        """Names of teammates, empty: all. mates: all that were ever heard."""
        if len(self._team) <= NEAREST + IN_TURN:
            return ()
        away = sorted((math.dist((m.pose.x_m, m.pose.y_m), (pose.x_m, pose.y_m)), name) for name, m in mates.items())
        chosen = [name for _, name in away[:NEAREST]]
        while len(chosen) < NEAREST + IN_TURN:
            name = self._team[self._next % len(self._team)]
            self._next += 1
            if name not in chosen:
                chosen.append(name)
        return tuple(chosen)


def expected(pose: Pose, heard_at: int, now: int) -> Point:
    """Where (x, y) a teammate is by now that was at a pose: it moves at 0.3 m/s along its heading, for at most 1 s."""
    ahead = 0.3 * min((now - heard_at) / 1e9, 1.0)
    return pose.x_m + ahead * math.cos(pose.heading_rad), pose.y_m + ahead * math.sin(pose.heading_rad)


def outward(pose: Pose, mates: dict[str, Mate]) -> float | None:
    """The direction away from the centre of the teammates nearby, radians, or None if there are none."""
    near = [(m.pose.x_m, m.pose.y_m) for m in mates.values()
            if math.dist((m.pose.x_m, m.pose.y_m), (pose.x_m, pose.y_m)) < TEAM_NEAR_M]
    if not near:
        return None
    dx = pose.x_m - sum(p[0] for p in near) / len(near)
    dy = pose.y_m - sum(p[1] for p in near) / len(near)
    return math.atan2(dy, dx) if math.hypot(dx, dy) > 0.05 else pose.heading_rad


@dataclass(slots=True)
class _Told:
    """A find, and who has told of it."""

    find: Find
    by: list[str]

    @property
    def believed(self) -> bool:
        return WORLD in self.by or len(self.by) >= ENOUGH

    def is_like(self, find: Find) -> bool:
        """Whether another find says the same of the same place."""
        near_m = WRONG_PLACE_M if find.kind == "wrong" else SAME_PLACE_M
        return ((self.find.kind == "wrong") == (find.kind == "wrong") and self.find.label == find.label
                and math.dist((self.find.x_m, self.find.y_m), (find.x_m, find.y_m)) < near_m)


class Finds:
    """Places where a target was found, or a claim was wrong, as the world or teammates say.

    A find is believed if the world has said so on an own claim, or if two teammates have: each tells of its own claims
    alone. What one teammate says makes a place less urgent, and closes it for nobody.
    """

    def __init__(self) -> None:
        self._told: list[_Told] = []

    def add(self, find: Find, by: str = WORLD) -> bool:
        """Take in a find. Returns whether it is believed from now on, and was not before.

        A teammate whose claim was wrong takes back what it has said of that place. Each may tell of as many finds as a
        note holds.
        """
        if find.kind == "wrong" and by != WORLD:
            self._take_back(find, by)
        told = next((told for told in self._told if told.is_like(find)), None)
        if told is None:
            if by != WORLD and sum(by in told.by for told in self._told) >= FINDS_PER_NOTE:
                return False
            told = _Told(find, [])
            self._told.append(told)
        before = told.believed
        if by not in told.by:
            told.by.append(by)
        if by == WORLD:
            told.find = find
        return told.believed and not before

    def judged(self) -> list[Find]:
        """Those that the world has told of, oldest first."""
        return [told.find for told in self._told if WORLD in told.by]

    def found(self) -> list[Find]:
        """Targets that are believed to be found."""
        return [told.find for told in self._told if told.believed and told.find.kind != "wrong"]

    def is_wrong(self, label: str, at: Point) -> bool:
        """Whether a claim of this label at this place is believed to be wrong."""
        return any(told.believed and is_wrong(told.find, label, at) for told in self._told)

    def told_by_one(self) -> list[Find]:
        """What one teammate alone says."""
        return [told.find for told in self._told if not told.believed]

    def _take_back(self, wrong: Find, by: str) -> None:
        for told in self._told:
            if told.find.kind != "wrong" and by in told.by and told.find.label == wrong.label \
                    and math.dist((told.find.x_m, told.find.y_m), (wrong.x_m, wrong.y_m)) <= WRONG_PLACE_M:
                told.by.remove(by)
        self._told = [told for told in self._told if told.by]


def is_wrong(find: Find, label: str, at: Point) -> bool:
    """Whether a find says that a claim of this label at this place was wrong."""
    return find.kind == "wrong" and find.label == label and math.dist((find.x_m, find.y_m), at) < WRONG_PLACE_M
