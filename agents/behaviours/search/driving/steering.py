"""Follows a path without collisions: checks arcs against the scan, and recovers when the robot is stuck."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.search.driving.limits import ROVERS, Limits
from agents.behaviours.search.driving.window import arcs, best, gaps, matters_m
from agents.behaviours.search.lidar_beams import LidarBeams
from swarm.core.policy import draw
from swarm.core.protocol.world import Drive, Observation, Pose

TTL_S = 0.5
MARGIN_M = 0.07
LOOKAHEAD_M = 0.8
AT_M = 0.2                           # a robot this close to a point is there
NO_PROGRESS_S = 3.0
PROGRESS_M = 0.25
ARRIVED_M = 0.3
BACK_MPS = -0.3
TURN_RADPS = 1.5

_KEEP_M = 1.3
_NEAR_M = 2.6                        # hits further away do not matter within a second of driving
_BACK_AT = BACK_MPS * np.array([0.15, 0.3, 0.45, 0.6])       # places on the way back


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """The robot has stopped following its path, and recovers."""

    bumped: bool                     # True: it touched something; False: it made no progress


class Steering:
    """Turns a path into velocity commands, and holds the state of recoveries. Safety depends on the scan only."""

    def __init__(self, name: str, seed: int, beams: LidarBeams, limits: Limits = ROVERS) -> None:
        self._beams, self._limits = beams, limits
        self._matters_m = matters_m(limits)
        self._name, self._seed = name, seed
        self._anchor: tuple[float, float, int] | None = None     # x, y, ns: place and time of the last progress
        self._back_until = 0
        self._turn_until = 0
        self._turn_w = 0.0
        self._tries = 0
        self._last_w = 0.0
        self._recent: list[NDArray[np.float64]] = []             # close hits of the last two scans, world frame

    def act(self, seen: Observation, scan_m: NDArray[np.float32], path: list[tuple[float, float]],
            face: tuple[float, float] | None, now: int,
            ) -> tuple[Drive, Recovery | None]:
        """One command for one observation, and a Recovery if one begins.

        path: world points (x, y) still ahead, the goal last; empty: stay. face: a world point to turn to at the end of
        the path.
        """
        points = self._points(seen.pose, scan_m)
        if now >= self._turn_until:
            at = seen.pose.x_m, seen.pose.y_m
            recovery = self._check(seen, bool(path) and math.dist(path[-1], at) > ARRIVED_M, now)
            if recovery is None:
                return self._follow(seen, points, path, face), None
            self._recover(seen, now)
            return self._escape(points, now), recovery
        if seen.bumped and now < self._back_until:
            self._back_until = now                               # it backed into something: turn now
        return self._escape(points, now), None

    def _points(self, pose: Pose, scan_m: NDArray[np.float32]) -> NDArray[np.float64]:
        """Close hits in the body frame, [n, 2], of this scan and of the two before it.

        The older scans show things between the beams of this one.
        """
        hits = (scan_m * self._beams.directions).T
        fresh = hits[scan_m < _NEAR_M]
        c, s = math.cos(pose.heading_rad), math.sin(pose.heading_rad)
        turn = np.array([[c, s], [-s, c]])                       # world to body
        at = np.array([pose.x_m, pose.y_m])
        old = [(p - at) @ turn.T for p in self._recent]
        self._recent = [*self._recent[-1:], hits[scan_m < _KEEP_M] @ turn + at]
        return np.concatenate([fresh, *old])

    def _check(self, seen: Observation, moving: bool, now: int) -> Recovery | None:
        """A Recovery if the robot touched something, or made no progress on its path."""
        pose = seen.pose
        if seen.bumped:
            return Recovery(bumped=True)
        if self._anchor is None or not moving or math.dist(self._anchor[:2], (pose.x_m, pose.y_m)) > PROGRESS_M:
            if moving and self._anchor is not None:
                self._tries = 0
            self._anchor = (pose.x_m, pose.y_m, now)
        elif now - self._anchor[2] > NO_PROGRESS_S * 1e9:
            return Recovery(bumped=False)
        return None

    def _recover(self, seen: Observation, now: int) -> None:
        """Plan a recovery: back off, then turn by a drawn amount. Each further try in a row takes longer."""
        self._tries = min(self._tries + 1, 6)
        u = draw.stream(self._seed, self._name, "recovery", now)
        stretch = 1.0 + 0.3 * (self._tries - 1)
        self._back_until = now + int((0.6 + 0.5 * u.random()) * stretch * 1e9)
        self._turn_until = self._back_until + int((0.5 + 0.7 * u.random()) * stretch * 1e9)
        self._turn_w = TURN_RADPS if u.random() < 0.5 else -TURN_RADPS
        if self._tries > 1:
            self._turn_until += int(u.random() * 1e9)
        self._anchor = (seen.pose.x_m, seen.pose.y_m, self._turn_until)

    def _escape(self, points: NDArray[np.float64], now: int) -> Drive:
        """The command of the present recovery: straight back while that is clear, otherwise a turn on the spot."""
        self._last_w = 0.0
        if now < self._back_until and _clear_back(points, self._limits.radius_m):
            return Drive(v_mps=BACK_MPS, w_radps=0.0, ttl_s=TTL_S)
        return Drive(v_mps=0.0, w_radps=self._turn_w, ttl_s=TTL_S)

    def _follow(self, seen: Observation, points: NDArray[np.float64], path: list[tuple[float, float]],
                face: tuple[float, float] | None) -> Drive:
        """The best arc of the dynamic window towards a point a little ahead on the path."""
        limits = self._limits
        away = np.hypot(points[:, 0], points[:, 1])
        need_m = min(limits.radius_m + MARGIN_M, float(away.min(initial=math.inf)) - 0.005)
        carrot = _ahead(seen.pose, points, path, need_m)
        if carrot is None or math.hypot(*carrot) < AT_M:
            turn = 0.0 if face is None else _bearing(seen.pose, face)
            self._last_w = 0.0 if abs(turn) < 0.05 else max(-TURN_RADPS, min(TURN_RADPS, 2.5 * turn))
            return Drive(v_mps=0.0, w_radps=self._last_w, ttl_s=TTL_S)
        driven = arcs(seen.v_mps, seen.w_radps, limits)
        command = best(driven, gaps(driven, points[away < self._matters_m]), need_m, carrot, self._last_w)
        v_mps, self._last_w = command or (0.0, 0.0)
        return Drive(v_mps=v_mps, w_radps=self._last_w, ttl_s=TTL_S)


def _clear_back(points: NDArray[np.float64], radius_m: float) -> bool:
    """Whether the robot can go straight back for a while."""
    if not points.size:
        return True
    now_m = float(np.hypot(points[:, 0], points[:, 1]).min())
    near = np.hypot(points[None, :, 0] - _BACK_AT[:, None], points[None, :, 1])
    return bool(near.min() >= min(radius_m + 0.04, now_m - 0.005))


def _ahead(pose: Pose, points: NDArray[np.float64], path: list[tuple[float, float]],
           need_m: float) -> tuple[float, float] | None:
    """The point to steer to, in the body frame, or None if the path is empty.

    It is on the path, up to LOOKAHEAD_M from the robot, as far as the robot can go there in a straight line. It is
    never closer than AT_M, but for the end of the path.
    """
    if not path:
        return None
    away = [math.dist(p, (pose.x_m, pose.y_m)) for p in path]
    end = len(path) - 1
    next_ = min(away.index(min(away)) + 1, end)
    while next_ < end and away[next_] < AT_M:
        next_ += 1
    last = next_
    while last < end and away[last] < LOOKAHEAD_M:
        last += 1
    c, s = math.cos(pose.heading_rad), math.sin(pose.heading_rad)
    for k in range(last, next_ - 1, -1):
        dx, dy = path[k][0] - pose.x_m, path[k][1] - pose.y_m
        x, y = c * dx + s * dy, c * dy - s * dx
        if k == next_ or _fits(points, x, y, need_m):
            return x, y
    return None


def _fits(points: NDArray[np.float64], x: float, y: float, need_m: float) -> bool:
    """Whether the scan shows no obstacle within `need_m` of the straight line to (x, y), in the body frame."""
    length = math.hypot(x, y)
    if length < 1e-6 or not points.size:
        return True
    along = (points[:, 0] * x + points[:, 1] * y) / length
    aside = np.abs(points[:, 1] * x - points[:, 0] * y) / length
    return not bool(((along > 0.05) & (along < length) & (aside < need_m)).any())


def _bearing(pose: Pose, point: tuple[float, float]) -> float:
    """Direction to a world point in the body frame, -pi..pi."""
    turn = math.atan2(point[1] - pose.y_m, point[0] - pose.x_m) - pose.heading_rad
    return (turn + math.pi) % (2 * math.pi) - math.pi
