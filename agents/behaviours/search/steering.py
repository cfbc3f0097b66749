"""Follows a path without collisions: checks arcs against the scan, and recovers when the robot is stuck."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.search.lidar_beams import LidarBeams
from swarm.core.policy import draw
from swarm.core.protocol.world import Act, Drive, Observation, Pose

V_MAX_MPS = 0.6
TTL_S = 0.5
RADIUS_M = 0.28                      # the largest robot
MARGIN_M = 0.07
LOOKAHEAD_M = 0.8
NO_PROGRESS_S = 3.0
PROGRESS_M = 0.25
ARRIVED_M = 0.3
BACK_MPS = -0.3

_KEEP_M = 1.3
_NEAR_M = 2.6                        # hits further away do not matter within a second of driving
_HORIZON_S = np.array([0.15, 0.3, 0.45, 0.6, 0.8, 1.0])
_ROOM_M = 0.7                        # more room beside an arc is no better
_MATTERS_M = V_MAX_MPS * 1.0 + _ROOM_M + 0.01        # no arc comes closer than _ROOM_M to hits further away


def _arcs(v: NDArray[np.float64], w: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Body-frame positions [arcs, times, 2] and end headings [arcs] of constant velocities (v, w)."""
    turned = w[:, None] * _HORIZON_S
    safe_w = np.where(np.abs(w) < 1e-6, 1e-6, w)[:, None]
    x = v[:, None] / safe_w * np.sin(safe_w * _HORIZON_S)
    y = v[:, None] / safe_w * (1.0 - np.cos(safe_w * _HORIZON_S))
    return np.stack([x, y], axis=2), turned[:, -1]


_V, _W = (a.ravel() for a in np.meshgrid([0.0, 0.12, 0.3, 0.45, V_MAX_MPS], np.linspace(-1.8, 1.8, 13), indexing="ij"))
_AT, _TURNED = _arcs(_V, _W)
_AT_COLUMNS = np.ascontiguousarray(_AT.reshape(-1, 2).T)
_END_X, _END_Y = _AT[:, -1].T.copy()
_AT_SQ = (_AT_COLUMNS ** 2).sum(axis=0)
_BACK_AT = np.stack([BACK_MPS * _HORIZON_S, np.zeros_like(_HORIZON_S)], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """The robot has stopped following its path, and recovers."""

    bumped: bool                     # True: it touched something; False: it made no progress


class Steering:
    """Turns a path into velocity commands, and holds the state of recoveries. Safety depends on the scan only."""

    def __init__(self, name: str, seed: int, beams: LidarBeams) -> None:
        self._beams = beams
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
            ) -> tuple[Act, Recovery | None]:
        """One command for one observation, and a Recovery if one begins.

        path: world points (x, y) still ahead, the goal last; empty: stay. face: a world point to turn to at the end of
        the path.
        """
        points = self._points(seen.pose, scan_m)
        if now >= self._turn_until:
            at = seen.pose.x_m, seen.pose.y_m
            recovery = self._check(seen, bool(path) and math.dist(path[-1], at) > ARRIVED_M, now)
            if recovery is None:
                return self._follow(seen.pose, points, path, face), None
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
        self._turn_w = 1.5 if u.random() < 0.5 else -1.5
        if self._tries > 1:
            self._turn_until += int(u.random() * 1e9)
        self._anchor = (seen.pose.x_m, seen.pose.y_m, self._turn_until)

    def _escape(self, points: NDArray[np.float64], now: int) -> Act:
        """The command of the present recovery: straight back while that is clear, otherwise a turn on the spot."""
        self._last_w = 0.0
        if now < self._back_until and _clear_back(points):
            return Drive(v_mps=BACK_MPS, w_radps=0.0, ttl_s=TTL_S)
        return Drive(v_mps=0.0, w_radps=self._turn_w, ttl_s=TTL_S)

    def _follow(self, pose: Pose, points: NDArray[np.float64], path: list[tuple[float, float]],
                face: tuple[float, float] | None) -> Act:
        """The best of a fixed set of arcs towards a point a little ahead on the path (after Fox et al., DWA, 1997)."""
        carrot = _ahead(pose, points, path)
        if carrot is None or math.hypot(*carrot) < 0.2:
            turn = 0.0 if face is None else _bearing(pose, face)
            self._last_w = 0.0 if abs(turn) < 0.05 else max(-1.5, min(1.5, 2.5 * turn))
            return Drive(v_mps=0.0, w_radps=self._last_w, ttl_s=TTL_S)
        away = np.hypot(points[:, 0], points[:, 1])
        gap = clearances(points[away < _MATTERS_M])
        need = min(RADIUS_M + MARGIN_M, float(away.min(initial=math.inf)) - 0.005)
        ok = (gap >= need).all(axis=1)
        distance = math.hypot(*carrot)
        left_x, left_y = carrot[0] - _END_X, carrot[1] - _END_Y
        left = np.hypot(left_x, left_y)
        aim = np.arctan2(left_y, left_x) - _TURNED
        off = np.abs((aim + np.pi) % (2 * np.pi) - np.pi)
        off[left < 0.25] = 0.0
        room = np.minimum(gap.min(axis=1), _ROOM_M)
        score = distance - left - 0.25 * off + 0.35 * room - 0.03 * np.abs(_W - self._last_w)
        score[~ok] = -np.inf
        best = int(score.argmax())                               # a turn on the spot is always ok
        self._last_w = float(_W[best])
        return Drive(v_mps=float(_V[best]), w_radps=self._last_w, ttl_s=TTL_S)


def clearances(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from the robot's centre to the nearest scan point (body frame, [n, 2]) on each arc: [arcs, times]."""
    if not points.size:
        return np.full(_AT.shape[:2], np.inf)
    x, y = points.T
    apart = -2.0 * points @ _AT_COLUMNS                      # squared distances, without the part of the arcs
    apart += (x * x + y * y)[:, None]
    return np.sqrt(np.maximum(apart.min(axis=0) + _AT_SQ, 0.0)).reshape(_AT.shape[:2])


def _clear_back(points: NDArray[np.float64]) -> bool:
    """Whether the robot can go straight back for a while."""
    if not points.size:
        return True
    now_m = float(np.hypot(points[:, 0], points[:, 1]).min())
    near = np.hypot(points[None, :, 0] - _BACK_AT[:4, None, 0], points[None, :, 1] - _BACK_AT[:4, None, 1])
    return bool(near.min() >= min(RADIUS_M + 0.04, now_m - 0.005))


def _ahead(pose: Pose, points: NDArray[np.float64], path: list[tuple[float, float]]) -> tuple[float, float] | None:
    """The point to steer to, in the body frame, or None if the path is empty.

    It is on the path, up to LOOKAHEAD_M from the robot, as far as the robot can go there in a straight line.
    """
    if not path:
        return None
    away = [math.dist(p, (pose.x_m, pose.y_m)) for p in path]
    first = last = away.index(min(away))
    while last < len(path) - 1 and away[last] < LOOKAHEAD_M:
        last += 1
    c, s = math.cos(pose.heading_rad), math.sin(pose.heading_rad)
    for k in range(last, min(first + 1, last) - 1, -1):
        dx, dy = path[k][0] - pose.x_m, path[k][1] - pose.y_m
        x, y = c * dx + s * dy, c * dy - s * dx
        if k == min(first + 1, last) or _fits(points, x, y):
            return x, y
    return None


def _fits(points: NDArray[np.float64], x: float, y: float) -> bool:
    """Whether the scan shows no obstacle on the straight line to (x, y), in the body frame."""
    length = math.hypot(x, y)
    if length < 1e-6 or not points.size:
        return True
    along = (points[:, 0] * x + points[:, 1] * y) / length
    aside = np.abs(points[:, 1] * x - points[:, 0] * y) / length
    return not bool(((along > 0.05) & (along < length) & (aside < RADIUS_M + 0.02)).any())


def _bearing(pose: Pose, point: tuple[float, float]) -> float:
    """Direction to a world point in the body frame, -pi..pi."""
    turn = math.atan2(point[1] - pose.y_m, point[0] - pose.x_m) - pose.heading_rad
    return (turn + math.pi) % (2 * math.pi) - math.pi
