"""The rays of a camera's pixels, and where they hit solids.

A ray is the sum of a vector that depends on its row and one that depends on its column, where a robot does not roll or
pitch. So one number per row and one per column describe all rays in the frame of any upright solid. The rays of a robot
that does have three numbers per pixel.
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
STEEP = 0.26                         # a camera that looks down by more than 15 degrees is far from level
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


def turn_of(pose: Pose) -> NDArray[np.float64]:
    """The rotation from the body's frame to the world's, [3, 3]: its columns are ahead, left and up of the body."""
    (cr, sr), (cp, sp), (cy, sy) = ((math.cos(angle), math.sin(angle))
                                    for angle in (pose.roll_rad, pose.pitch_rad, pose.heading_rad))
    return np.array([(cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr),
                     (sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr),
                     (-sp, cp * sr, cp * cr)])


def transform_of(pose: Pose) -> tuple[tuple[float, float, float], tuple[float, float, float, float]]:
    """Position and quaternion (x, y, z, w)."""
    (cr, sr), (cp, sp), (cy, sy) = ((math.cos(angle / 2), math.sin(angle / 2))
                                    for angle in (pose.roll_rad, pose.pitch_rad, pose.heading_rad))
    return (pose.x_m, pose.y_m, pose.z_m), (sr * cp * cy - cr * sp * sy, cr * sp * cy + sr * cp * sy,
                                            cr * cp * sy - sr * sp * cy, cr * cp * cy + sr * sp * sy)


class Rays:
    """The rays through the sampled points of all pixels of a camera at a pose; one unit along a ray is 1 m ahead."""

    def __init__(self, pose: Pose, camera: Camera = CAMERA) -> None:
        self.camera, self._heading_rad = camera, pose.heading_rad
        turn = turn_of(pose)
        cp, sp = math.cos(math.radians(camera.pitch_deg)), math.sin(math.radians(camera.pitch_deg))
        self.eye = np.array([pose.x_m, pose.y_m, pose.z_m]) + turn @ (camera.mount_x_m, 0.0, camera.mount_z_m)
        self._axes = np.array([(cp, 0.0, sp), (0.0, -1.0, 0.0), (-sp, 0.0, cp)]) @ turn.T    # ahead, right, up
        self._level = not (pose.roll_rad or pose.pitch_rad)
        if self._level:
            self._ahead, self._up, self._right = _directions(camera)
        else:
            self._ahead, self._up, self._right = _tilted(camera, pose.roll_rad, pose.pitch_rad)
        self._focal_px = camera.focal_px

    def may_show(self, middles: NDArray[np.float64], reach_m: NDArray[np.float64], far_m: float) -> NDArray[np.bool_]:
        """Bool [n]: whether circles on the floor, [n, 2] and [n], may be in view within `far_m`.

        Of a camera that is far from level all within `far_m` may be.
        """
        dx, dy = middles[:, 0] - self.eye[0], middles[:, 1] - self.eye[1]
        if self._axes[0, 2] < -STEEP or not self._level:
            return np.hypot(dx, dy) < far_m + reach_m
        c, s = math.cos(self._heading_rad), math.sin(self._heading_rad)
        ahead, aside = c * dx + s * dy, np.abs(c * dy - s * dx)
        half_rad = math.atan((self.camera.width_px / 2 + 1) / self._focal_px)
        beside = aside * math.cos(half_rad) - ahead * math.sin(half_rad)
        return (np.maximum(-ahead, beside) < reach_m) & (ahead < far_m + reach_m)

    def floor(self, far_m: float) -> NDArray[np.float64]:
        """How far each ray reaches until it hits the floor, [height, width]; `far_m`: it does not before."""
        up, above_m = self._up, float(self.eye[2])
        down = up < -above_m / far_m
        reach = np.where(down, -above_m / np.where(down, up, -1.0), far_m)
        return np.broadcast_to(reach, (self.camera.height_px, self.camera.width_px)).copy()

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
        ahead, up, right = (_part(all_, rows, columns) for all_ in (self._ahead, self._up, self._right))
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
    """Ahead and up [rows, 1] and right [1, columns] of the rays of a level robot, in its frame."""
    cp, sp = math.cos(math.radians(camera.pitch_deg)), math.sin(math.radians(camera.pitch_deg))
    above = (camera.height_px / 2 - np.arange(camera.height_px) - SAMPLE_Y_PX) / camera.focal_px
    right = (np.arange(camera.width_px) + SAMPLE_X_PX - camera.width_px / 2) / camera.focal_px
    return (cp - above * sp)[:, None], (sp + above * cp)[:, None], right[None]


def _tilted(camera: Camera, roll_rad: float, pitch_rad: float) -> tuple[Reals, Reals, Reals]:
    """The same of a robot that rolls and pitches, each [rows, columns]."""
    turn = turn_of(Pose(0.0, 0.0, 0.0, 0.0, roll_rad, pitch_rad))
    ahead, up, right = _directions(camera)
    x, y, z = (row[0] * ahead - row[1] * right + row[2] * up for row in turn)
    return x, z, -y


def _part(values: Reals, rows: slice, columns: slice) -> Reals:
    """These rows and columns of rays; what is the same for all rows or all columns stays one."""
    return values[rows if len(values) > 1 else slice(None), columns if values.shape[1] > 1 else slice(None)]


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
