"""What a searcher knows of its teammates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from swarm.core.protocol.world import Pose

Point = tuple[float, float]

TEAM_NEAR_M = 5.0
NEAREST, IN_TURN = 8, 4              # teammates of a large team who get a note


@dataclass(frozen=True, slots=True, kw_only=True)
class Mate:
    """The newest map note of a teammate, without the map."""

    sequence: int
    heard_at: int                    # ns, own clock
    pose: Pose
    goal: Point | None
    confirming: bool


class Audience:
    """The teammates who get a searcher's notes: a small team whole; of a large one the nearest, and others in turn.

    So what a robot hears and sends does not grow with its team, and what it has seen still reaches all.
    """

    def __init__(self, team: Iterable[str]) -> None:
        self._team = sorted(team)
        self._next = 0

    def choose(self, pose: Pose, mates: Mapping[str, Mate]) -> tuple[str, ...]:
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


def expected(mate: Mate, now: int) -> tuple[float, float]:
    """The expected position (x, y) of a teammate: it moves at half its top speed along its heading, for at most 1 s."""
    ahead = 0.3 * min((now - mate.heard_at) / 1e9, 1.0)
    pose = mate.pose
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
