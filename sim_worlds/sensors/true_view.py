"""What a camera would see from a pose, without rendering: computed when it is asked for. For virtual time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from sim_worlds.classes import CLUTTER, FLOOR, ROBOT, TARGET, WALL
from sim_worlds.environment import Environment
from sim_worlds.physics.solids import Solid
from sim_worlds.sensors import ground_truth
from sim_worlds.sensors.ground_truth import TrueBox
from sim_worlds.sensors.suite import CAMERA
from sim_worlds.sensors.visible_targets import VisibleTargets
from swarm.core.protocol.world import Camera, Pose

FAR_M = 12.0                         # beyond this everything is wall
BACKGROUND = 0                       # the number of all that is no thing: floor, walls, ceiling


class Things:
    """The solids of an environment with their things' numbers and classes; clutter and targets come from 1 on."""

    def __init__(self, environment: Environment, camera: Camera = CAMERA) -> None:
        self.camera = camera
        things = [(CLUTTER, thing.parts) for thing in environment.clutter]
        things += [(TARGET, thing.parts) for thing in environment.targets]
        self.classes = [WALL, *(kind for kind, _ in things)]
        self._solids = [(BACKGROUND, wall) for wall in environment.walls]
        self._solids += [(number, part) for number, (_, parts) in enumerate(things, start=1) for part in parts]
        self._centres = np.array([(s.x_m, s.y_m) for _, s in self._solids], float).reshape(-1, 2)
        self._radii = np.array([math.hypot(s.hx_m, s.hy_m) for _, s in self._solids])

    def near(self, pose: Pose) -> list[tuple[int, Solid]]:
        """The solids that may be in view from a pose, with the numbers of their things."""
        d = self._centres - (pose.x_m, pose.y_m)
        ahead = d[:, 0] * math.cos(pose.heading_rad) + d[:, 1] * math.sin(pose.heading_rad)
        close = np.hypot(d[:, 0], d[:, 1]) - self._radii <= FAR_M
        return [self._solids[k] for k in np.flatnonzero(close & (ahead > -self._radii))]


class TrueView:
    """The truth of one camera image. robots: the other robots as solids."""

    def __init__(self, pose: Pose, visible: VisibleTargets, things: Things, robots: Sequence[Solid]) -> None:
        self.pose, self._visible, self._things, self._robots = pose, visible, things, robots

    def boxes(self) -> list[TrueBox]:
        """The ground-truth boxes of the targets in view."""
        return self._visible.boxes(self.pose)

    def pixels(self) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """For each pixel [height, width] the number of its thing (0: none), and its segment class."""
        camera = self._things.camera
        eye, axes = ground_truth.eye_of(self.pose, camera)
        rays = ground_truth.rays_of(axes, camera, range(camera.width_px), range(camera.height_px))
        numbers = np.zeros(rays.shape[:2], np.int32)
        down = rays[..., 2] < -1e-9
        depth = np.where(down, -eye[2] / np.where(down, rays[..., 2], -1.0), FAR_M)
        classes = np.where(down & (depth < FAR_M), FLOOR, WALL).astype(np.uint8)
        first = len(self._things.classes)
        near: Iterable[tuple[int, Solid]] = [
            *self._things.near(self.pose), *((first + k, robot) for k, robot in enumerate(self._robots))]
        for number, solid in near:
            window = ground_truth.window(solid, eye, axes, camera)
            if window is None:
                continue
            part = window[1], window[0]
            reach = ground_truth.reach(solid, eye, rays[part])
            nearer = reach < depth[part]
            depth[part][nearer] = reach[nearer]
            numbers[part][nearer] = number
            classes[part][nearer] = self._things.classes[number] if number < first else ROBOT
        return numbers, classes
