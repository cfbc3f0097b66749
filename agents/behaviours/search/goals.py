"""The next goal of a searcher, by one ordered list of rules: confirm a target, explore, or patrol."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.search import frontier
from agents.behaviours.search.frontier import Field, Preferences
from agents.behaviours.search.occupancy_map import CELL_M, OCCUPIED, cell_of, centre_of, line_free
from agents.behaviours.search.targets import Targets
from agents.behaviours.search.team import Mate, Point, outward
from agents.behaviours.search.track import Track
from swarm.core.policy import draw
from swarm.core.protocol.world import Pose

STAND_OFF_M = (0.85, 1.9)            # range of distances from which a track is confirmed
VISIT_PATH_M = 9.0                   # a track with a longer path to it is left for later
VISIT_NS = 15_000_000_000            # a track that is not confirmed after this is left alone
REVISIT_NS = 40_000_000_000          # until this long after the first visit
LEFT_NS = VISIT_NS                   # a track is left to teammates for this long, whatever they say
STAND_NS = 2_000_000_000             # time at one stand-off; then another is tried
STAY_NS = 1_600_000_000              # time at a place to explore
BAN_NS = 20_000_000_000              # a banned goal is avoided for this long
IDLE_NS = 6_000_000_000              # a robot that stays within IDLE_M for this long goes somewhere else
IDLE_M = 0.4
STROLL_NS = 5_000_000_000
ARRIVED_M = 0.35


@dataclass(slots=True, kw_only=True)
class Visit:
    """The attempt to confirm one track."""

    since: int                       # ns
    there_since: int | None = None   # ns, at the present stand-off
    tried: list[Point] = field(default_factory=list)             # stand-offs that did not help


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A place to go to, the path, and the point to look at from there."""

    kind: str                        # confirm | explore | patrol | wait
    at: Point                        # the track or the place; shared with teammates
    path: tuple[Point, ...] = ()     # empty when the robot is there
    face: Point | None = None


class Goals:
    """Chooses goals, and remembers goals that failed. choose: the place to explore."""

    def __init__(self, name: str, seed: int, choose: frontier.Choice = frontier.choose) -> None:
        self._name, self._seed, self._choose = name, seed, choose
        self._bans: list[tuple[float, float, int]] = []
        self._visits: dict[int, Visit] = {}                      # by track number
        self._left: dict[int, int] = {}                          # when a track was first left to a teammate, by number
        self._arrived: tuple[float, float, int] | None = None    # explored place, ns of arrival
        self._patrol: Point | None = None
        self._patrols = 0
        self._moved: tuple[float, float, int] | None = None      # place and time (ns) of the last move beyond IDLE_M
        self._stroll_until = 0

    def ban(self, goal: Goal, now: int) -> None:
        """Avoid a goal for a while, because the robot could not reach it."""
        self._bans.append((*(goal.path[-1] if goal.path else goal.at), now + BAN_NS))
        self._patrol = None

    def pick(self, pose: Pose, states: NDArray[np.uint8], targets: Targets, mates: dict[str, Mate],
             current: Goal | None, now: int) -> Goal:
        """The goal of the first rule that gives one. mates: the teammates with a recent note."""
        self._bans = [b for b in self._bans if b[2] > now]
        here = pose.x_m, pose.y_m
        if self._moved is None or math.dist(self._moved[:2], here) > IDLE_M:
            self._moved = (*here, now)
        elif now - self._moved[2] > IDLE_NS:                     # it alternates between goals, or reaches none
            self._moved, self._stroll_until, self._patrol = (*here, now), now + STROLL_NS, None
        area = frontier.field(states, pose.x_m, pose.y_m, [(m.pose.x_m, m.pose.y_m) for m in mates.values()])
        if now < self._stroll_until:
            stroll = self._wander(pose, area)
            if math.dist(stroll.at, here) < 2 * ARRIVED_M:
                self._stroll_until = now
            return stroll
        return (self._confirm(pose, states, area, targets.to_visit(told_of=False), mates, now)
                or self._explore(pose, states, area, mates, current, now)
                or self._confirm(pose, states, area, targets.to_visit(told_of=True), mates, now)
                or self._wander(pose, area))

    def _confirm(self, pose: Pose, states: NDArray[np.uint8], area: Field, tracks: Sequence[Track],
                 mates: dict[str, Mate], now: int) -> Goal | None:
        """Go to the nearest of these tracks, which need a closer look; skip tracks that a nearer teammate confirms."""
        best: tuple[float, int, tuple[int, int], Track] | None = None
        for track in tracks:
            visit = self._visits.get(track.number)
            if visit is not None and now - visit.since > REVISIT_NS:
                del self._visits[track.number]
                visit = None
            if (visit is not None and now - visit.since > VISIT_NS) or self._is_left(track, pose, mates, now):
                continue
            cell = _stand_off(area, states, track, visit.tried if visit is not None else ())
            if cell is None:
                continue
            path_m = float(area.steps[cell]) * CELL_M
            if path_m < VISIT_PATH_M and (best is None or (path_m, track.number) < best[:2]):
                best = path_m, track.number, cell, track
        if best is None:
            return None
        _, number, cell, track = best
        visit = self._visits.setdefault(number, Visit(since=now))
        place = float(track.xy[0]), float(track.xy[1])
        path = area.path(*cell)
        there = len(path) <= 1 or math.dist(path[-1], (pose.x_m, pose.y_m)) < 0.2
        if not there:
            visit.there_since = None
        elif visit.there_since is None:
            visit.there_since = now
        elif now - visit.there_since > STAND_NS:
            visit.tried.append((pose.x_m, pose.y_m))
            visit.there_since = None
        return Goal(kind="confirm", at=place, path=() if there else tuple(path), face=place)

    def _is_left(self, track: Track, pose: Pose, mates: dict[str, Mate], now: int) -> bool:
        """Whether a track is left to a teammate; not for ever, since it may only say that it confirms it."""
        return (self._teammate_confirms(track, pose, mates)
                and now - self._left.setdefault(track.number, now) < LEFT_NS)

    def _teammate_confirms(self, track: Track, pose: Pose, mates: dict[str, Mate]) -> bool:
        """Whether a teammate confirms this track and is nearer; a tie goes to the smaller name."""
        place = track.xy.tolist()
        return any(m.confirming and m.goal is not None and math.dist(m.goal, place) < 1.2
                   and self._teammate_is_nearer(pose, n, m, (place[0], place[1])) for n, m in mates.items())

    def _teammate_is_nearer(self, pose: Pose, name: str, mate: Mate, place: Point) -> bool:
        """Whether a teammate is nearer to a place; a tie goes to the smaller name."""
        return ((math.dist(place, (mate.pose.x_m, mate.pose.y_m)), name)
                < (math.dist(place, (pose.x_m, pose.y_m)), self._name))

    def _explore(self, pose: Pose, states: NDArray[np.uint8], area: Field, mates: dict[str, Mate],
                 current: Goal | None, now: int) -> Goal | None:
        """Go to the place of best utility; if the robot is already there, turn to the unseen part."""
        here = pose.x_m, pose.y_m
        gain = frontier.gains_m2(states)
        cell = self._choose(area, gain, Preferences(
            x_m=pose.x_m, y_m=pose.y_m, heading_rad=pose.heading_rad,
            mate_goals=[m.goal for n, m in mates.items()
                        if m.goal is not None and self._teammate_is_nearer(pose, n, m, m.goal)],
            mates=[(m.pose.x_m, m.pose.y_m) for m in mates.values()],
            banned=[(b[0], b[1]) for b in self._bans],
            current=current.at if current is not None and current.kind == "explore" else None,
            sector_rad=outward(pose, mates)))
        if cell is None:
            return None
        place = centre_of(*cell, len(states))
        if math.dist(place, here) > ARRIVED_M:
            self._arrived = None
            return Goal(kind="explore", at=place, path=tuple(area.path(*cell)))
        if self._arrived is None or math.dist(self._arrived[:2], here) > 2 * ARRIVED_M:
            self._arrived = (*here, now)
        elif now - self._arrived[2] > STAY_NS:
            self._bans.append((*place, now + BAN_NS))
            self._arrived = None
        return Goal(kind="explore", at=place, face=frontier.unseen_centre(states, *cell) or place)

    def _wander(self, pose: Pose, area: Field) -> Goal:
        """No floor is left to explore: go from one drawn place to the next, to find targets that were missed."""
        here = pose.x_m, pose.y_m
        if self._patrol is not None and math.dist(self._patrol, here) > 2 * ARRIVED_M:
            path = area.path(*cell_of(*self._patrol, len(area.steps)))
            if path:
                return Goal(kind="patrol", at=self._patrol, path=tuple(path))
        self._patrols += 1
        far = np.argwhere((area.steps != frontier.UNREACHED) & (area.steps * CELL_M > 2.0)
                          & (area.steps < area.steps.size))
        if not len(far):
            return Goal(kind="wait", at=here)
        u = draw.uniform(self._seed, self._name, "patrol", self._patrols)
        iy, ix = (int(v) for v in far[int(u * len(far))])
        self._patrol = centre_of(iy, ix, len(area.steps))
        return Goal(kind="patrol", at=self._patrol, path=tuple(area.path(iy, ix)))


def _stand_off(area: Field, states: NDArray[np.uint8], track: Track,
               tried_m: Sequence[Point]) -> tuple[int, int] | None:
    """The cell with the shortest path from which the track is visible at a good distance, away from all `tried_m`."""
    x, y = float(track.xy[0]), float(track.xy[1])
    iy, ix = cell_of(x, y, len(states))
    reach = round(STAND_OFF_M[1] / CELL_M)
    y0, x0 = max(iy - reach, 0), max(ix - reach, 0)
    steps = area.steps[y0:iy + reach + 1, x0:ix + reach + 1]
    order: Sequence[int] = np.argsort(steps, axis=None, kind="stable").tolist()
    solid = states == OCCUPIED
    tried = 0
    for k in order:
        cy, cx = k // steps.shape[1], k % steps.shape[1]
        if steps[cy, cx] == frontier.UNREACHED or tried >= 25:
            return None
        px, py = centre_of(cy + y0, cx + x0, len(states))
        away = math.dist((px, py), (x, y))
        if STAND_OFF_M[0] <= away <= STAND_OFF_M[1] and all(math.dist(p, (px, py)) > 0.6 for p in tried_m):
            tried += 1
            near = 1.0 - 0.55 / away                             # ignore the target's own cells
            if line_free(solid, px, py, px + (x - px) * near, py + (y - py) * near):
                return cy + y0, cx + x0
    return None
