"""The rays of a camera's pixels, and where they hit solids.

A ray is the sum of a vector that depends on its row and one that depends on its column, since a camera pitches and does
not roll. So one number per row and one per column describe all rays in the frame of any upright solid.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics.solids import Solid
from sim_worlds.sensors.suite import CAMERA
from swarm.core.protocol.sensors import Camera
from swarm.core.protocol.world import Pose

NEAR_M = 0.03
SAMPLE_X_PX, SAMPLE_Y_PX = 0.0, 1.0
"""TinyRenderer samples a pixel at its lower left corner; found by comparison, and a test checks it."""

Reals = NDArray[np.floating]

_CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)


def corners_of(solids: Sequence[Solid]) -> NDArray[np.float64]:
    """The corners of the solids' bounding boxes in the world frame, [n, 8, 3], metres."""
    of = np.array([(s.x_m, s.y_m, s.z_m, s.hx_m, s.hy_m, s.hz_m, math.cos(s.yaw_rad), math.sin(s.yaw_rad))
                   for s in solids], float).reshape(-1, 8)
    x, y, z = (_CORNERS[:, k] * of[:, 3 + k, None] for k in range(3))
    c, s = of[:, 6, None], of[:, 7, None]
    return of[:, None, :3] + np.stack([c * x - s * y, s * x + c * y, z], axis=-1)


class Rays:
    """The rays through the sampled points of all pixels of a camera at a pose; one unit along a ray is 1 m ahead."""

    def __init__(self, pose: Pose, camera: Camera = CAMERA) -> None:
        self.camera, self._heading_rad = camera, pose.heading_rad
        c, s = math.cos(pose.heading_rad), math.sin(pose.heading_rad)
        cp, sp = math.cos(math.radians(camera.pitch_deg)), math.sin(math.radians(camera.pitch_deg))
        self.eye = np.array([pose.x_m + c * camera.mount_x_m, pose.y_m + s * camera.mount_x_m, camera.mount_z_m])
        self._axes = np.array([[c * cp, s * cp, sp], [s, -c, 0.0], [-c * sp, -s * sp, cp]])  # ahead, right, up
        self._ahead, self._up, self._right = _directions(camera)
        self._focal_px = camera.focal_px

    def may_show(self, middles: NDArray[np.float64], reach_m: NDArray[np.float64], far_m: float) -> NDArray[np.bool_]:
        """Bool [n]: whether circles on the floor, [n, 2] and [n], may be in view of a level camera, within `far_m`."""
        c, s = math.cos(self._heading_rad), math.sin(self._heading_rad)
        dx, dy = middles[:, 0] - self.eye[0], middles[:, 1] - self.eye[1]
        ahead, aside = c * dx + s * dy, np.abs(c * dy - s * dx)
        half_rad = math.atan((self.camera.width_px / 2 + 1) / self._focal_px)
        beside = aside * math.cos(half_rad) - ahead * math.sin(half_rad)
        return (np.maximum(-ahead, beside) < reach_m) & (ahead < far_m + reach_m)

    def project(
        self, corners: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Of bounding boxes [n, 8, 3]: x0, y0, x1, y1 in pixels around each one [n, 4]; its least and most reach [n].

        The least reach of a box behind the camera is infinite; its pixels mean nothing.
        """
        camera = self.camera
        at = (corners - self.eye) @ self._axes.T
        farthest = at[..., 0].max(axis=1)
        ahead = np.maximum(at[..., 0], NEAR_M)
        x = camera.width_px / 2 + self._focal_px * at[..., 1] / ahead
        y = camera.height_px / 2 - self._focal_px * at[..., 2] / ahead
        around = np.stack([x.min(axis=1), y.min(axis=1), x.max(axis=1), y.max(axis=1)], axis=1)
        return around, np.where(farthest < NEAR_M, np.inf, ahead.min(axis=1)), farthest

    def limits(self, around: NDArray[np.float64]) -> NDArray[np.int64]:
        """The first columns and rows of the frame, and those after the last, within x0, y0, x1, y1: [n, 4]."""
        width, height = self.camera.width_px, self.camera.height_px
        outward = np.concatenate([np.floor(around[:, :2]), np.ceil(around[:, 2:])], axis=1)
        return np.clip(outward, 0, (width, height, width, height)).astype(np.int64)

    def reach(self, solid: Solid, rows: slice, columns: slice) -> NDArray[np.float64]:
        """How far the ray of each pixel reaches until it hits the solid, in lengths of the ray; inf: it never does."""
        ahead, up, right = self._ahead[rows], self._up[rows], self._right[columns]
        ex, ey, oz = (self.eye - (solid.x_m, solid.y_m, solid.z_m)).tolist()
        c, s = math.cos(solid.yaw_rad), math.sin(solid.yaw_rad)
        ox, oy = c * ex + s * ey, c * ey - s * ex            # the eye in the frame of the solid
        c, s = math.cos(self._heading_rad - solid.yaw_rad), math.sin(self._heading_rad - solid.yaw_rad)
        dx, dy = c * ahead + s * right, s * ahead - c * right
        if solid.shape == "sphere":
            near, far = _ball(ahead ** 2 + up ** 2 + right ** 2, ox * dx + oy * dy + oz * up,
                              ox ** 2 + oy ** 2 + oz ** 2 - solid.hx_m ** 2)
        else:
            near, far = _slab(up, oz, solid.hz_m)
            sides = [_slab(dx, ox, solid.hx_m), _slab(dy, oy, solid.hy_m)] if solid.shape == "box" else [
                _ball(ahead ** 2 + right ** 2, ox * dx + oy * dy, ox ** 2 + oy ** 2 - solid.hx_m ** 2)]
            for enters, leaves in sides:
                near, far = np.maximum(near, enters), np.minimum(far, leaves)
        near = np.maximum(near, NEAR_M)
        return np.where(near <= far, near, np.inf)


@functools.cache
def _directions(camera: Camera) -> tuple[Reals, Reals, Reals]:
    """Ahead and up [rows, 1] and right [columns] of the rays, in the world frame turned by the heading."""
    cp, sp = math.cos(math.radians(camera.pitch_deg)), math.sin(math.radians(camera.pitch_deg))
    above = (camera.height_px / 2 - np.arange(camera.height_px) - SAMPLE_Y_PX) / camera.focal_px
    right = (np.arange(camera.width_px) + SAMPLE_X_PX - camera.width_px / 2) / camera.focal_px
    return (cp - above * sp)[:, None], (sp + above * cp)[:, None], right


def floor(camera: Camera, far_m: float) -> NDArray[np.float64]:
    """How far each ray reaches until it hits the floor, [rows, columns]; `far_m`: it does not before."""
    _, up, right = _directions(camera)
    down = up < -camera.mount_z_m / far_m
    reach = np.where(down, -camera.mount_z_m / np.where(down, up, -1.0), far_m)
    return np.repeat(reach, len(right), axis=1)


def _slab(d: Reals, o: float, half_m: float) -> tuple[Reals, Reals]:
    """Where o + t d lies within +-half: the first and the last t."""
    d = np.where(d == 0.0, 1e-12, d)                         # parallel to the slab
    middle, wide = -o / d, half_m / np.abs(d)
    return middle - wide, middle + wide


def _ball(a: Reals, b: Reals, c: float) -> tuple[Reals, Reals]:
    """Where a t^2 + 2 b t + c is negative: the first and the last t; the last is -inf if it never is."""
    root = b * b - a * c
    wide = np.sqrt(np.maximum(root, 0.0))
    return (-b - wide) / a, np.where(root >= 0.0, (wide - b) / a, -np.inf)
