"""What a camera cannot see: renderers need not draw it. TinyRenderer draws all triangles, also those out of view."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics.solids import Thing
from swarm.core.protocol.sensors import Camera
from swarm.core.protocol.world import Pose

MARGIN_M = 0.05                      # a thing that is so near to the view is in it


class Culling:
    """The things that lie beside a level camera's field of view or behind it, by circles around them."""

    def __init__(self, things: Sequence[Thing], camera: Camera) -> None:
        self._circles = np.array([_circle(thing) for thing in things]).reshape(-1, 3)
        self._ahead_m = camera.mount_x_m
        pitch, half_v = math.radians(camera.pitch_deg), math.radians(camera.fov_y_deg / 2)
        # what is in view is at least this times its depth ahead of the camera, along the floor
        shortest = math.cos(pitch) - abs(math.sin(pitch)) * math.tan(half_v)
        aside = camera.width_px / 2 / camera.focal_px
        self._half_rad = math.atan(aside / shortest) if shortest > 0.0 else None         # None: it looks at the floor

    def move(self, thing: int, placed: Thing) -> None:
        """A thing is somewhere else."""
        self._circles[thing] = _circle(placed)

    def hidden(self, pose: Pose) -> NDArray[np.bool_]:
        """Which things are out of view from the pose of a robot, bool [things]; none where it rolls or pitches."""
        x_m, y_m, radius_m = self._circles.T
        if self._half_rad is None or pose.roll_rad or pose.pitch_rad:
            return np.zeros(len(x_m), bool)
        c, s = math.cos(pose.heading_rad), math.sin(pose.heading_rad)
        dx, dy = x_m - pose.x_m, y_m - pose.y_m
        ahead, aside = c * dx + s * dy - self._ahead_m, np.abs(c * dy - s * dx)
        reach_m = radius_m + MARGIN_M
        beside = aside * math.cos(self._half_rad) - ahead * math.sin(self._half_rad) > reach_m
        return beside | (ahead < -reach_m)


def _circle(thing: Thing) -> tuple[float, float, float]:
    """x, y and radius around all parts of a thing."""
    boxes = np.array([(part.x_m, part.y_m, math.hypot(part.hx_m, part.hy_m)) for part in thing.parts])
    low, high = (boxes[:, :2] - boxes[:, 2:]).min(axis=0), (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    middle = (low + high) / 2
    radius_m = float((np.hypot(*(boxes[:, :2] - middle).T) + boxes[:, 2]).max())
    return float(middle[0]), float(middle[1]), radius_m
