"""The ground truth of a frame: a box per visible target, and the class of each pixel.

The rendered body ids show the visible pixels. The hidden share of a target follows from its outline without occlusion:
rays are cast at its solids through the point of each pixel that the rasteriser samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim_worlds.environment import Environment
from sim_worlds.physics.solids import Solid
from sim_worlds.sensors.rays import Rays, corners_of
from sim_worlds.sensors.suite import CAMERA
from swarm.core.protocol.sensors import Camera
from swarm.core.protocol.world import Pose

MIN_HEIGHT_PX = 6
MIN_UNOCCLUDED = 0.5
MIN_IN_FRAME = 0.2


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
    """The true boxes of a frame with an id per pixel [height, width], taken at `pose`; `target_ids[k]`: target k."""
    found, targets, classes = [], environment.targets, environment.target_classes
    rays = Rays(pose, camera)
    pixels = np.bincount(ids.ravel() + 1, minlength=max([*target_ids, 0]) + 2)       # by id, from -1 on
    for k, visible in enumerate(pixels[np.asarray(target_ids, int) + 1].tolist()):
        if not visible:
            continue
        seen = ids == target_ids[k]
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        whole, in_frame = outline(targets[k].parts, rays)
        unoccluded = min(1.0, visible / max(visible, int(np.count_nonzero(whole))))
        y0, y1 = int(rows[0]), int(rows[-1] + 1)
        found.append(TrueBox(
            label=classes.index(targets[k].label), target=k, x0_px=float(columns[0]), y0_px=float(y0),
            x1_px=float(columns[-1] + 1), y1_px=float(y1), visible_px=visible, unoccluded=unoccluded, in_frame=in_frame,
            counts=y1 - y0 >= MIN_HEIGHT_PX and unoccluded >= MIN_UNOCCLUDED and in_frame >= MIN_IN_FRAME))
    return found


def outline(parts: Sequence[Solid], rays: Rays) -> tuple[NDArray[np.bool_], float]:
    """The pixels that a thing covers without occlusion, bool [height, width], and its share `in_frame`."""
    camera = rays.camera
    out = np.zeros((camera.height_px, camera.width_px), bool)
    around, nearest, _ = rays.project(corners_of(parts))
    seen = np.isfinite(nearest)
    if not seen.any():
        return out, 0.0
    for part, (x0, y0, x1, y1), shown in zip(parts, rays.limits(around).tolist(), seen, strict=True):
        if shown and x0 < x1 and y0 < y1:
            out[y0:y1, x0:x1] |= np.isfinite(rays.reach(part, slice(y0, y1), slice(x0, x1)))
    low, high = around[seen, :2].min(axis=0), around[seen, 2:].max(axis=0)
    inside = np.minimum(high, (camera.width_px, camera.height_px)) - np.maximum(low, 0.0)
    return out, float(np.maximum(inside, 0.0).prod() / max((high - low).prod(), 1e-9))
