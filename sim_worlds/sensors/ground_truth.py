"""The ground truth of a frame: a box per visible target, and the class of each pixel.

The rendered body ids show the visible pixels. The hidden share of a target follows from its outline without occlusion:
rays are cast at its solids through the point of each pixel that the rasteriser samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim_worlds.environment import Environment
from sim_worlds.physics.solids import Solid
from sim_worlds.sensors.suite import CAMERA
from swarm.core.protocol.world import Camera, Pose

MIN_HEIGHT_PX = 6
MIN_UNOCCLUDED = 0.5
MIN_IN_FRAME = 0.2
NEAR_M = 0.03
SAMPLE_X_PX, SAMPLE_Y_PX = 0.0, 1.0
"""TinyRenderer samples a pixel at its lower left corner; found by comparison, and a test checks it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueBox:
    """The visible extent of one target in pixels, the ends exclusive.

    counts: the box is at least 6 px high, at least half of the part in the frame is unoccluded, and at least a fifth of
    the target is in the frame. Scoring ignores other boxes: they are neither a hit nor a miss.
    """

    label: int                       # index into the target classes of the environment
    target: int                      # index into the environment's targets
    x0_px: float
    y0_px: float
    x1_px: float
    y1_px: float
    visible_px: int
    unoccluded: float                # visible share of the outline inside the frame, 0..1
    in_frame: float                  # share of the outline's bounding box that is in the frame, 0..1
    counts: bool


def mask(ids: NDArray[np.int32], class_of: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 [height, width] of segment classes from body ids and `Bullet.class_of`; nothing (-1) is wall."""
    return class_of[ids + 1]


def boxes(ids: NDArray[np.int32], target_ids: Sequence[int], environment: Environment, pose: Pose,
          camera: Camera = CAMERA) -> list[TrueBox]:
    """The true boxes of a frame with body ids [height, width], taken at `pose`; `target_ids[k]` is its target `k`."""
    found, targets, classes = [], environment.targets, environment.target_classes
    for k in (int(i) for i in np.flatnonzero(np.isin(target_ids, np.unique(ids)))):
        seen = ids == target_ids[k]
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        whole, in_frame = outline(targets[k].parts, pose, camera)
        visible = int(np.count_nonzero(seen))
        unoccluded = min(1.0, visible / max(visible, 1, int(np.count_nonzero(whole))))
        found.append(true_box(classes.index(targets[k].label), k, rows, columns, visible, unoccluded, in_frame))
    return found


def true_box(label: int, target: int, rows: NDArray[np.intp], columns: NDArray[np.intp], visible_px: int,
             unoccluded: float, in_frame: float) -> TrueBox:
    """A box around ascending pixel rows and columns; `counts` follows the rule in `TrueBox`."""
    height = int(rows[-1] + 1 - rows[0])
    return TrueBox(
        label=label, target=target, x0_px=float(columns[0]), y0_px=float(rows[0]), x1_px=float(columns[-1] + 1),
        y1_px=float(rows[-1] + 1), visible_px=visible_px, unoccluded=unoccluded, in_frame=in_frame,
        counts=height >= MIN_HEIGHT_PX and unoccluded >= MIN_UNOCCLUDED and in_frame >= MIN_IN_FRAME)


def outline(parts: Sequence[Solid], pose: Pose, camera: Camera = CAMERA) -> tuple[NDArray[np.bool_], float]:
    """The pixels that a thing covers without occlusion, bool [height, width], and its share `in_frame`."""
    out = np.zeros((camera.height_px, camera.width_px), bool)
    eye, axes = eye_of(pose, camera)
    full: list[tuple[float, float, float, float]] = []
    for part in parts:
        corners = _corners(part, eye, axes, camera)
        if corners is None:
            continue
        full.append(corners)
        columns, rows = _pixels(corners, camera)
        if len(columns) and len(rows):
            seen = np.isfinite(reach(part, eye, rays_of(axes, camera, columns, rows)))
            out[rows.start:rows.stop, columns.start:columns.stop] |= seen
    if not full:
        return out, 0.0
    lo_x, lo_y, hi_x, hi_y = (f(w[i] for w in full) for i, f in enumerate((min, min, max, max)))
    inside = (min(hi_x, camera.width_px) - max(lo_x, 0.0), min(hi_y, camera.height_px) - max(lo_y, 0.0))
    share = max(inside[0], 0.0) * max(inside[1], 0.0) / max((hi_x - lo_x) * (hi_y - lo_y), 1e-9)
    return out, float(share)


def eye_of(pose: Pose, camera: Camera) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The camera's position [3] and its axes ahead, right and up [3, 3] in the world frame."""
    c, s = math.cos(pose.heading_rad), math.sin(pose.heading_rad)
    cp, sp = math.cos(math.radians(camera.pitch_deg)), math.sin(math.radians(camera.pitch_deg))
    eye = np.array([pose.x_m + c * camera.mount_x_m, pose.y_m + s * camera.mount_x_m, camera.mount_z_m])
    return eye, np.array([[c * cp, s * cp, sp], [s, -c, 0.0], [-c * sp, -s * sp, cp]])


def rays_of(axes: NDArray[np.float64], camera: Camera, columns: range, rows: range) -> NDArray[np.float64]:
    """The rays through the sampled points of these pixels [rows, columns, 3]; one unit along a ray is 1 m ahead."""
    right = (np.arange(columns.start, columns.stop) + SAMPLE_X_PX - camera.width_px / 2) / camera.focal_px
    up = (camera.height_px / 2 - np.arange(rows.start, rows.stop) - SAMPLE_Y_PX) / camera.focal_px
    return axes[0] + right[None, :, None] * axes[1] + up[:, None, None] * axes[2]


def window(part: Solid, eye: NDArray[np.float64], axes: NDArray[np.float64],
           camera: Camera) -> tuple[slice, slice] | None:
    """The columns and rows in which a part may be seen; None if it is out of view."""
    corners = _corners(part, eye, axes, camera)
    if corners is None:
        return None
    columns, rows = _pixels(corners, camera)
    return (slice(columns.start, columns.stop), slice(rows.start, rows.stop)) if len(columns) and len(rows) else None


def _pixels(corners: tuple[float, float, float, float], camera: Camera) -> tuple[range, range]:
    """The columns and rows of the frame within x0, y0, x1, y1."""
    x0, x1 = (int(np.clip(v, 0, camera.width_px)) for v in (math.floor(corners[0]), math.ceil(corners[2])))
    y0, y1 = (int(np.clip(v, 0, camera.height_px)) for v in (math.floor(corners[1]), math.ceil(corners[3])))
    return range(x0, x1), range(y0, y1)


def _corners(part: Solid, eye: NDArray[np.float64], axes: NDArray[np.float64],
             camera: Camera) -> tuple[float, float, float, float] | None:
    """x0, y0, x1, y1 in pixels around a part's bounding box; None if it is behind the camera."""
    c, s = math.cos(part.yaw_rad), math.sin(part.yaw_rad)
    x, y = _CORNERS[:, 0] * part.hx_m, _CORNERS[:, 1] * part.hy_m
    corners = np.stack([part.x_m + c * x - s * y, part.y_m + s * x + c * y, part.z_m + _CORNERS[:, 2] * part.hz_m], 1)
    ahead, right, up = ((corners - eye) @ axes.T).T
    if ahead.max() < NEAR_M:
        return None
    ahead = np.maximum(ahead, NEAR_M)
    px = camera.width_px / 2 + camera.focal_px * right / ahead
    py = camera.height_px / 2 - camera.focal_px * up / ahead
    return float(px.min()), float(py.min()), float(px.max()), float(py.max())


_CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)


def reach(part: Solid, eye: NDArray[np.float64], rays: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each ray [..., 3] from the eye reaches, in lengths of the ray, until it hits the part; inf: never."""
    c, s = math.cos(part.yaw_rad), math.sin(part.yaw_rad)
    turn = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    o = turn @ (eye - (part.x_m, part.y_m, part.z_m))
    d = rays @ turn.T
    d = np.where(np.abs(d) < 1e-9, 1e-9, d)
    if part.shape == "box":
        half = np.array([part.hx_m, part.hy_m, part.hz_m])
        a, b = (-half - o) / d, (half - o) / d
        near, far = np.maximum(np.minimum(a, b).max(axis=-1), NEAR_M), np.maximum(a, b).min(axis=-1)
        return np.where(near <= far, near, np.inf)
    n = 2 if part.shape == "cylinder" else 3                 # a cylinder is a circle limited by a slab in z
    qa = (d[..., :n] ** 2).sum(axis=-1)
    qb = (d[..., :n] * o[:n]).sum(axis=-1)
    root = qb ** 2 - qa * (float(o[:n] @ o[:n]) - part.hx_m ** 2)
    wide = np.sqrt(np.maximum(root, 0.0))
    near, far = np.maximum((-qb - wide) / qa, NEAR_M), (-qb + wide) / qa
    if part.shape == "cylinder":
        a, b = (-part.hz_m - o[2]) / d[..., 2], (part.hz_m - o[2]) / d[..., 2]
        near, far = np.maximum(near, np.minimum(a, b)), np.minimum(far, np.maximum(a, b))
    return np.where((root >= 0) & (near <= far), near, np.inf)
