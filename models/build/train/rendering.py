"""Renders labelled frames: one building per seed, seen as by robots on a mission."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim_worlds.occupancy import Grid
from sim_worlds.physics.bullet import Bullet
from sim_worlds.physics.surroundings import varied
from sim_worlds.robots import ROVER
from sim_worlds.scenarios.search_rescue.building import Building, generate
from sim_worlds.sensors import ground_truth
from sim_worlds.sensors.ground_truth import TrueBox
from sim_worlds.sensors.suite import CAMERA
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec
from swarm.core.settings.randomise import NOTHING, Randomise, surroundings

AIMED_SHARE = 0.62                   # frames that are aimed at a target; some others show one by chance
AIMED_M = (0.6, 6.0)                 # distance to that target
OTHERS_M = (0.7, 3.5)                # distance of a robot that is placed in view
OTHERS_SHARE = 0.45                  # frames with one or two robots placed in view
RESOLUTION_M = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledFrame:
    """One frame and its ground truth."""

    image: NDArray[np.uint8]         # [72, 96, 3], RGB
    boxes: list[TrueBox]             # all with a visible pixel; scoring uses those that count
    mask: NDArray[np.uint8]          # [72, 96], values index SEGMENT_CLASSES
    pose: Pose                       # of the robot that took it


def render_frames(
    seed: int, count: int, robots: int = 8, randomise: Randomise = NOTHING,
) -> Iterator[LabelledFrame]:
    """`count` frames from the building of a seed; the same arguments give the same frames.

    randomise: of the looks of the building, beside what the scenario draws itself, as in a launch file.

    Robots stand in free space, with other robots around; 60 to 70 % of the frames show a target 0.6 to 6 m away.
    Raises ValueError if `robots` is below 1.
    """
    if robots < 1:
        raise ValueError(f"frames need at least 1 robot, not {robots}")
    building = varied(generate(seed, robots), surroundings(randomise, seed))
    fleet = [RobotSpec(name=f"robot_{i}", kind="carrier" if i % 4 == 3 else "rover", physics="kinematic")
             for i in range(robots)]
    rng = np.random.default_rng([seed, 7])
    places = _Places(building)
    with Bullet(building, fleet) as bullet:
        for number in range(count):
            me = number % robots
            pose = places.viewpoint(rng)
            bullet.teleport(me, pose)
            for other, where in zip([i for i in range(robots) if i != me], places.other_poses(rng, pose, robots - 1),
                                    strict=True):
                bullet.teleport(other, where)
            image, ids = bullet.camera(pose)
            yield LabelledFrame(image=image, mask=ground_truth.mask(ids, bullet.class_of), pose=pose,
                                boxes=ground_truth.boxes(ids, bullet.target_ids, building, pose))


class _Places:
    """Samples poses of robots in a building."""

    def __init__(self, building: Building) -> None:
        self._targets = building.targets
        self._grid = Grid(size_m=building.size_m, resolution_m=RESOLUTION_M)
        self._blocked = self._grid.rasterise(building.solids(targets=False))
        # a smaller margin than ROBOT_RADIUS_M, so that robots can stand close to targets
        free = ~self._grid.rasterise(building.solids(), ROVER.radius_m + 0.05)
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
                    half_view = math.atan(CAMERA.width_px / 2 / CAMERA.focal_px)
                    off = float(np.clip(rng.normal(0.0, 0.45), -1.05, 1.05)) * half_view
                    return Pose(float(x), float(y), math.atan2(target.y_m - y, target.x_m - x) + off)
        x, y = self._free[int(rng.integers(len(self._free)))]
        return Pose(float(x), float(y), float(rng.uniform(-math.pi, math.pi)))

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
                poses.append(Pose(x, y, float(rng.uniform(-math.pi, math.pi))))
            elif len(poses) < in_view:
                in_view = len(poses)
        return poses
