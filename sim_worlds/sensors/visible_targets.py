"""The targets that a camera sees, without rendering; for worlds in virtual time."""

from __future__ import annotations

import math

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from sim_worlds.environment import Environment
from sim_worlds.sensors import ground_truth
from sim_worlds.sensors.ground_truth import TrueBox
from sim_worlds.sensors.lidar import Scanner
from sim_worlds.sensors.suite import CAMERA, LIDAR
from swarm.core.protocol.world import Camera, Pose

FAR_M = 9.0                          # beyond this every target is lower than 6 px
REACH_M = 0.6                        # no part of a target is farther from its centre
MIN_OCCLUDER_M = 0.35                       # a lower thing hides little of a target at camera height


class VisibleTargets:
    """Casts one horizontal ray per image column: a column of a target is visible if nothing is nearer.

    Differs from the rendered ground truth where a target is seen over low things or under tables, or behind robots.
    """

    def __init__(self, environment: Environment, camera: Camera = CAMERA) -> None:
        self._targets, self._classes, self._camera = environment.targets, environment.target_classes, camera
        tall = [*environment.walls, *(p for c in environment.clutter if c.height_m >= MIN_OCCLUDER_M for p in c.parts)]
        self._scanner = Scanner(tall, replace(LIDAR, range_m=FAR_M))
        columns = np.arange(camera.width_px) + ground_truth.SAMPLE_X_PX
        self._bearings = -np.arctan((columns - camera.width_px / 2) / camera.focal_px)

    def boxes(self, pose: Pose) -> list[TrueBox]:
        """The ground-truth boxes at a pose. Other robots are ignored: they are too low to hide much."""
        cam = self._camera
        x = pose.x_m + cam.mount_x_m * math.cos(pose.heading_rad)
        y = pose.y_m + cam.mount_x_m * math.sin(pose.heading_rad)
        scan = None
        found = []
        for k, target in enumerate(self._targets):
            dx, dy = target.x_m - x, target.y_m - y
            distance, bearing = math.hypot(dx, dy), math.atan2(dy, dx) - pose.heading_rad
            width = math.asin(min(1.0, REACH_M / max(distance, 1e-6)))
            off = np.abs(np.remainder(self._bearings - bearing + math.pi, 2 * math.pi) - math.pi)
            if distance > FAR_M or not (off <= width).any():
                continue
            if scan is None:
                scan = self._scanner.cast(x, y, pose.heading_rad + self._bearings)
            clear = scan >= distance - 0.1
            box = self._box(k, pose, clear) if clear[off <= width].any() else None
            if box is not None:
                found.append(box)
        return found

    def _box(self, k: int, pose: Pose, clear: NDArray[np.bool_]) -> TrueBox | None:
        """The box of one target; None if no column is visible. clear: whether a column's ray reaches it [width]."""
        target, cam = self._targets[k], self._camera
        whole, in_frame = ground_truth.outline(target.parts, pose, cam)
        columns = np.flatnonzero(whole.any(axis=0))
        if columns.size == 0:
            return None
        shown = columns[clear[columns]]
        if shown.size == 0:
            return None
        rows = np.flatnonzero(whole[:, shown].any(axis=1))
        visible = int(np.count_nonzero(whole[:, shown]))
        unoccluded = visible / int(np.count_nonzero(whole))
        return ground_truth.true_box(self._classes.index(target.label), k, rows, shown, visible, unoccluded, in_frame)
