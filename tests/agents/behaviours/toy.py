"""A small flat world for behaviours: unicycles with ramps, lines for walls, circles for robots and things."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agents.behaviours import Behaviour, Heard, Note, Verdict, load
from agents.behaviours.search.camera_view import CameraView
from agents.behaviours.search.classes import HEIGHT_M, TARGET_CLASSES
from agents.behaviours.search.driving.limits import ROVERS
from agents.behaviours.search.lidar_beams import LidarBeams
from agents.behaviours.search.locator import Locator
from swarm.core.protocol.sensors import Camera, Lidar, SensorSuite
from swarm.core.protocol.world import Act, Detection, Detections, Drive, Observation, Perceived, Pose, Report

Segment = tuple[float, float, float, float]

CAMERA = Camera(width_px=96, height_px=72, fov_y_deg=55.0, mount_x_m=0.16, mount_z_m=0.28, pitch_deg=-4.0)
LIDAR = Lidar(beams=64, range_m=6.0)
SENSORS = SensorSuite({"camera": CAMERA, "lidar": LIDAR})
VIEW, BEAMS = CameraView(CAMERA), LidarBeams(LIDAR)
LOCATOR = Locator(VIEW, BEAMS)

RADIUS_M = ROVERS.radius_m
TICK_NS = 100_000_000

THREE_ROOMS: list[Segment] = [
    (-5, -3, 5, -3), (5, -3, 5, 3), (5, 3, -5, 3), (-5, 3, -5, -3),          # 10 x 6 m
    (-1.5, -3, -1.5, 0.2), (-1.5, 1.5, -1.5, 3),                             # a door at y = 0.2 .. 1.5
    (1.8, -3, 1.8, -1.6), (1.8, -0.4, 1.8, 3),                               # and one at y = -1.6 .. -0.4
    (-1.57, 0.2, -1.43, 0.2), (-1.57, 1.5, -1.43, 1.5), (1.73, -1.6, 1.87, -1.6), (1.73, -0.4, 1.87, -0.4),   # jambs
    *[(x0 + 0.8 * i, y, x0 + 0.8 * j, y + dy) for x0, y in ((3.2, 0.8), (-3.8, -1.2))                  # two screens
      for i, j, dy in ((0, 1, 0.0), (0, 0, 0.14), (1, 1, 0.14))],
]


def scan(pose: Pose, walls: list[Segment], circles: Sequence[tuple[float, float, float]] = (),
         lidar: Lidar = LIDAR) -> NDArray[np.float32]:
    """An exact lidar scan, float32 [beams]."""
    angles = lidar.angles_rad().astype(float) + pose.heading_rad
    dx, dy = np.cos(angles), np.sin(angles)
    best = np.full(lidar.beams, lidar.range_m)
    if walls:
        x0, y0, x1, y1 = np.array(walls).T[:, :, None]
        ex, ey = x1 - x0, y1 - y0
        cross = dx * ey - dy * ex
        with np.errstate(divide="ignore", invalid="ignore"):
            t = ((x0 - pose.x_m) * ey - (y0 - pose.y_m) * ex) / cross
            s = ((x0 - pose.x_m) * dy - (y0 - pose.y_m) * dx) / cross
        best = np.minimum(best, np.where((t > 0) & (s >= 0) & (s <= 1), t, np.inf).min(axis=0))
    for cx, cy, r in circles:
        ox, oy = cx - pose.x_m, cy - pose.y_m
        along = ox * dx + oy * dy
        root = along ** 2 - (ox ** 2 + oy ** 2 - r ** 2)
        t = along - np.sqrt(np.maximum(root, 0.0))
        best = np.where((root >= 0) & (t > 0), np.minimum(best, t), best)
    return best.astype(np.float32)


def observation(pose: Pose, walls: list[Segment], circles: Sequence[tuple[float, float, float]] = (), *,
                sequence: int = 0, bumped: bool = False, v_mps: float = 0.0, w_radps: float = 0.0,
                lidar: Lidar = LIDAR) -> Observation:
    """What a robot at `pose` senses."""
    return Observation(sequence=sequence, age_s=0.0, pose=pose, v_mps=v_mps, w_radps=w_radps,
                       scan=scan(pose, walls, circles, lidar), bumped=bumped)


def ramped(speeds: tuple[float, float], act: Act, dt_s: float) -> tuple[float, float]:
    """Forward and turning speed after `dt_s` on the way to a command, within the robots' accelerations."""
    (v, w), dv, dw = speeds, ROVERS.v_ramp_mps2 * dt_s, ROVERS.w_ramp_radps2 * dt_s
    return v + min(max(act.v_mps - v, -dv), dv), w + min(max(act.w_radps - w, -dw), dw)


def gap_m(x: float, y: float, walls: list[Segment]) -> float:
    """Distance from a point to the nearest wall."""
    if not walls:
        return math.inf
    x0, y0, x1, y1 = np.array(walls).T
    ex, ey = x1 - x0, y1 - y0
    t = (((x - x0) * ex + (y - y0) * ey) / (ex * ex + ey * ey)).clip(0.0, 1.0)
    return float(np.hypot(x0 + t * ex - x, y0 + t * ey - y).min())


def box(label: str, pose: Pose, x_m: float, y_m: float, score: float = 0.9, noise: random.Random | None = None,
        sigma_px: float = 0.8) -> Detection | None:
    """The box of a target at (x, y) as a camera at `pose` sees it, or None out of view."""
    c, s = math.cos(pose.heading_rad), math.sin(pose.heading_rad)
    ahead, left = c * (x_m - pose.x_m) + s * (y_m - pose.y_m), c * (y_m - pose.y_m) - s * (x_m - pose.x_m)
    foot, top = VIEW.project(ahead, left, 0.0), VIEW.project(ahead, left, HEIGHT_M[label])
    if foot is None or top is None:
        return None
    half = 69.0 * 0.18 / (ahead - 0.16)
    g = (lambda: noise.gauss(0.0, sigma_px)) if noise is not None else (lambda: 0.0)
    x0, x1 = max(foot[0] - half + g(), 0.0), min(foot[0] + half + g(), 96.0)
    y0, y1 = max(top[1] + g(), 0.0), min(foot[1] + g(), 72.0)
    if x1 - x0 < 2 or y1 - y0 < 5:
        return None
    return Detection(TARGET_CLASSES.index(label), score, x0, y0, x1, y1)


@dataclass
class Toy:
    """A team in the toy world; a robot that would touch something stops, and the touch is counted."""

    walls: list[Segment]
    poses: dict[str, Pose]
    targets: list[tuple[str, float, float]] = field(default_factory=list)
    seed: int = 1
    behaviour: str = "search_rescue"
    loss: float = 0.1
    now: int = 0
    touches: int = 0
    found: dict[int, str] = field(default_factory=dict)
    wrong: int = 0
    trail: dict[str, list[Pose]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        team = list(self.poses)
        self.robots: dict[str, Behaviour] = {n: load(self.behaviour)(n, team, self.seed, SENSORS) for n in team}
        self._acts = {n: Drive(v_mps=0.0, w_radps=0.0) for n in team}
        self._speeds = dict.fromkeys(team, (0.0, 0.0))
        self._queue: list[tuple[int, int, str, object]] = []
        self._count = 0
        self._luck = random.Random(self.seed)
        self._bumped = dict.fromkeys(team, False)
        self._seen = np.zeros((40, 40), bool)                    # 0.25 m cells

    def run(self, ticks: int) -> None:
        """Advance by ticks of 0.1 s."""
        for _ in range(ticks):
            self.now += TICK_NS
            while self._queue and self._queue[0][0] <= self.now:
                _, _, name, event = heapq.heappop(self._queue)
                self._take(name, self.robots[name].on(event, self.now))  # type: ignore[arg-type]
            for name in self.robots:
                self._sense(name)
            for _ in range(4):
                for name in self.robots:
                    self._move(name, 0.025)

    def coverage(self) -> float:
        """Share of the floor of THREE_ROOMS (cells 0.25 m off the walls) within 4 m of a scan's beams, 0..1."""
        cells = [(iy, ix) for iy in range(40) for ix in range(40)
                 if abs(self._at(ix)) < 4.9 and abs(self._at(iy)) < 2.9
                 and gap_m(self._at(ix), self._at(iy), self.walls) > 0.2]
        return sum(bool(self._seen[c]) for c in cells) / len(cells)

    @staticmethod
    def _at(i: int) -> float:
        return (i + 0.5) * 0.25 - 5.0

    def _sense(self, name: str) -> None:
        pose = self.poses[name]
        others = [(p.x_m, p.y_m, RADIUS_M) for n, p in self.poses.items() if n != name]
        things = [(x, y, 0.15) for _, x, y in self.targets]
        seen = observation(pose, self.walls, others + things, bumped=self._bumped[name],
                           v_mps=self._speeds[name][0], w_radps=self._speeds[name][1])
        self._bumped[name] = False
        self._cover(pose, seen.scan)
        out = self.robots[name].on(seen, self.now)
        assert sum(isinstance(o, Act) for o in out) == 1
        self._take(name, out)
        self.trail.setdefault(name, []).append(pose)
        if len(self.trail[name]) % 2 == 0 and self.targets:
            boxes = []
            for label, x, y in self.targets:
                away, turn = math.hypot(x - pose.x_m, y - pose.y_m), math.atan2(y - pose.y_m, x - pose.x_m)
                clear = scan(Pose(pose.x_m, pose.y_m, turn), self.walls)[LIDAR.beams // 2] > away
                found = box(label, pose, x, y, self._luck.uniform(0.5, 0.9), self._luck)
                if clear and away < 4.5 and found is not None and self._luck.random() < 0.85:
                    boxes.append(found)
            self._send(name, Perceived(stream="detect", outcome=Detections(boxes), pose=pose, age_s=0.1), 0.1)

    def _cover(self, pose: Pose, ranges: NDArray[np.float32]) -> None:
        at = (np.arange(40) + 0.5) * 0.25 - 5.0
        dx, dy = at[None, :] - pose.x_m, at[:, None] - pose.y_m
        beam = np.rint((np.arctan2(dy, dx) - pose.heading_rad + math.pi) / (2 * math.pi) * 64).astype(int) % 64
        self._seen |= np.hypot(dx, dy) <= np.minimum(ranges[beam], 4.0)

    def _take(self, name: str, out: list[object]) -> None:
        for o in out:
            if isinstance(o, Act):
                assert abs(o.v_mps) <= ROVERS.v_max_mps
                assert abs(o.w_radps) <= ROVERS.w_max_radps
                self._acts[name] = o
            elif isinstance(o, Report):
                self._send(name, Verdict(o, self._judge(name, o)), 0.05)
            elif isinstance(o, Note):
                for mate in self.robots:
                    if mate != name and self._luck.random() >= self.loss:
                        self._send(mate, Heard(name, o.topic, o.data), self._luck.uniform(0.01, 0.3))

    def _judge(self, name: str, report: Report) -> str:
        assert report.kind == "claim"
        claimed, at = report.values["label"], (float(report.values["x_m"]), float(report.values["y_m"]))
        for k, (label, x, y) in enumerate(self.targets):
            if label == claimed and math.dist((x, y), at) <= 0.75:
                return "duplicate" if self.found.setdefault(k, name) != name else "found"
        self.wrong += 1
        return "wrong"

    def _send(self, name: str, event: object, after_s: float) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now + int(after_s * 1e9), self._count, name, event))

    def _move(self, name: str, dt: float) -> None:
        p, (v, w) = self.poses[name], ramped(self._speeds[name], self._acts[name], dt)
        middle = p.heading_rad + w * dt / 2
        x, y = p.x_m + v * dt * math.cos(middle), p.y_m + v * dt * math.sin(middle)
        others = [(q.x_m, q.y_m, 2 * RADIUS_M) for n, q in self.poses.items() if n != name]
        others += [(tx, ty, RADIUS_M + 0.15) for _, tx, ty in self.targets]
        hit = gap_m(x, y, self.walls) < RADIUS_M or any(
            math.hypot(x - ox, y - oy) < r and math.hypot(x - ox, y - oy) < math.hypot(p.x_m - ox, p.y_m - oy)
            for ox, oy, r in others)
        if hit and v:
            self.touches += not self._bumped[name]
            self._bumped[name] = True
            x, y, v = p.x_m, p.y_m, 0.0
        self._speeds[name] = v, w
        self.poses[name] = Pose(x, y, math.remainder(p.heading_rad + w * dt, 2 * math.pi))
