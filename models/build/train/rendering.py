"""Renders labelled frames: one place of a scenario per seed, seen as by robots on a mission."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim_worlds import scenarios
from sim_worlds.engine import Engine
from sim_worlds.environment import Environment
from sim_worlds.occupancy import Grid
from sim_worlds.physics.bullet import Bullet
from sim_worlds.physics.surroundings import varied
from sim_worlds.robots import KINDS, ROVER, FlyingKind
from sim_worlds.sensors import ground_truth
from sim_worlds.sensors.ground_truth import TrueBox
from swarm.core.protocol.sensors import Camera
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec
from swarm.core.settings.randomise import NOTHING, Randomise, surroundings

AIMED_SHARE = 0.62                   # frames that are aimed at a target; some others show one by chance
AIMED_M = (0.6, 6.0)                 # distance to that target
OTHERS_M = (0.7, 3.5)                # distance of a robot that is placed in view
OTHERS_SHARE = 0.45                  # frames with one or two robots placed in view
FLIES_M = (0.9, 1.8)                 # heights of robots that fly
TILT_RAD = 0.06                      # standard deviation of their roll and pitch
RESOLUTION_M = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledFrame:
    """One frame and its ground truth."""

    image: NDArray[np.uint8]         # [72, 96, 3], RGB
    boxes: list[TrueBox]             # all with a visible pixel; scoring uses those that count
    mask: NDArray[np.uint8]          # [72, 96], values index SEGMENT_CLASSES
    pose: Pose                       # of the robot that took it


def render_frames(scenario: str, seed: int, count: int, robots: int = 8,
                  randomise: Randomise = NOTHING) -> Iterator[LabelledFrame]:
    """`count` frames from the place of a scenario and seed; the same arguments give the same frames.

    randomise: what varies of the looks of the place beside what the scenario draws itself, as in a launch file.
    Robots stand in free space, or hover above it, with others around; 60 to 70 % of the frames show a target 0.6 to 6 m
    away. Raises ValueError if `robots` is below 1, for an unknown scenario, and for one without targets.
    """
    if robots < 1:
        raise ValueError(f"frames need at least 1 robot, not {robots}")
    kind = scenarios.kind(scenario)
    other_kind = "carrier" if kind == "rover" else kind
    fleet = [RobotSpec(name=f"robot_{i}", kind=other_kind if i % 4 == 3 else kind, physics="kinematic")
             for i in range(robots)]
    with scenarios.build(scenario, fleet, seed, render=False) as world:
        assert isinstance(world, Engine)
        place, camera = varied(world.environment, surroundings(randomise, seed)), world.suite.camera
    if not place.targets or camera is None:
        raise ValueError(f"scenario {scenario} has no targets or no camera")
    rng = np.random.default_rng([seed, 7])
    places = _Places(place, camera, flies=isinstance(KINDS[kind], FlyingKind))
    with Bullet(place, fleet, camera=camera) as bullet:
        for number in range(count):
            me = number % robots
            pose = places.viewpoint(rng)
            bullet.teleport(me, pose)
            for other, where in zip([i for i in range(robots) if i != me], places.other_poses(rng, pose, robots - 1),
                                    strict=True):
                bullet.teleport(other, where)
            image, ids = bullet.camera(pose)
            yield LabelledFrame(image=image, mask=ground_truth.mask(ids, bullet.class_of), pose=pose,
                                boxes=ground_truth.boxes(ids, bullet.target_ids, place, pose, camera))


class _Places:
    """Samples poses of robots in a place."""

    def __init__(self, place: Environment, camera: Camera, flies: bool) -> None:
        self._targets, self._flies = place.targets, flies
        self._half_view = math.atan(camera.width_px / 2 / camera.focal_px)
        self._grid = Grid(size_m=place.size_m, resolution_m=RESOLUTION_M)
        under = [thing for thing in place.clutter if any(thing.rect().holds(t.rect()) for t in place.targets)]
        hiding = [part for thing in place.clutter if thing not in under and not flies for part in thing.parts]
        self._blocked = self._grid.rasterise([*place.walls, *hiding])
        # a smaller margin than ROBOT_RADIUS_M, so that robots can stand close to targets
        free = ~self._grid.rasterise(place.walls if flies else place.solids(), ROVER.radius_m + 0.05)
        centres = self._grid.centres_m()
        iy, ix = np.nonzero(free[::2, ::2])
        iy, ix = 2 * iy, 2 * ix
        self._free = np.stack([centres[ix], centres[iy]], axis=1)

    def viewpoint(self, rng: np.random.Generator) -> Pose:
        """A pose of the camera robot: aimed roughly at a target, or anywhere."""
        if rng.random() < AIMED_SHARE:
            for _ in range(30):
                target = self._targets[int(rng.integers(len(self._targets)))]
                want = float(rng.uniform(*AIMED_M))
                distance = np.hypot(self._free[:, 0] - target.x_m, self._free[:, 1] - target.y_m)
                ring = np.flatnonzero(np.abs(distance - want) < 0.15)
                if ring.size == 0:
                    continue
                x, y = self._free[int(rng.choice(ring))] + rng.uniform(-0.05, 0.05, 2)
                if self._grid.sees(self._blocked, x, y, target.x_m, target.y_m):
                    off = float(np.clip(rng.normal(0.0, 0.45), -1.05, 1.05)) * self._half_view
                    return self._pose(rng, x, y, math.atan2(target.y_m - y, target.x_m - x) + off)
        x, y = self._free[int(rng.integers(len(self._free)))]
        return self._pose(rng, x, y, float(rng.uniform(-math.pi, math.pi)))

    def _pose(self, rng: np.random.Generator, x_m: float, y_m: float, heading_rad: float) -> Pose:
        """A pose on the floor, or in the air and a little tilted."""
        if not self._flies:
            return Pose(float(x_m), float(y_m), heading_rad)
        roll, pitch = np.clip(rng.normal(0.0, TILT_RAD, 2), -3 * TILT_RAD, 3 * TILT_RAD).tolist()
        return Pose(float(x_m), float(y_m), heading_rad, float(rng.uniform(*FLIES_M)), roll, pitch)

    def other_poses(self, rng: np.random.Generator, pose: Pose, count: int) -> list[Pose]:
        """Poses of the other robots, without overlaps: sometimes one or two in view, the others anywhere."""
        taken = [(pose.x_m, pose.y_m)]
        poses = []
        in_view = int(rng.integers(1, 3)) if rng.random() < OTHERS_SHARE else 0
        while len(poses) < count:
            if len(poses) < in_view:
                angle = pose.heading_rad + float(rng.uniform(-0.6, 0.6))
                reach = float(rng.uniform(*OTHERS_M))
                x, y = pose.x_m + reach * math.cos(angle), pose.y_m + reach * math.sin(angle)
                k = int(np.argmin((self._free[:, 0] - x) ** 2 + (self._free[:, 1] - y) ** 2))
            else:
                k = int(rng.integers(len(self._free)))
            x, y = (float(v) for v in self._free[k])
            if all(math.hypot(x - a, y - b) > 0.6 for a, b in taken):
                taken.append((x, y))
                poses.append(self._pose(rng, x, y, float(rng.uniform(-math.pi, math.pi))))
            elif len(poses) < in_view:
                in_view = len(poses)
        return poses
