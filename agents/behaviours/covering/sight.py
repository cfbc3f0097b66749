"""The camera of a robot that flies: where on the floor the thing in a box stands, and which places a frame shows."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.covering.cells import Reals
from agents.behaviours.covering.known_field import PLOT_M
from agents.behaviours.search.camera_view import CameraView
from agents.behaviours.search.classes import HEIGHT_M, TARGET_CLASSES
from swarm.core.protocol.sensors import Camera
from swarm.core.protocol.world import Detection, Pose

SEES_M = 5.0                         # a thing this far away should be found
FAR_M = 6.5                          # and what seems to be farther away is too small to rely on
CUT_PX = 0.75                        # a box this close to the edge of the frame is cut off
AROUND_M = 0.5                       # half the size of a thing, with some room for errors
MIDDLE_M = sum(HEIGHT_M.values()) / len(HEIGHT_M) / 2        # height of the middle of a thing, above its plot

Point = tuple[float, float]


class Sight:
    """The geometry of one camera on a robot at any attitude."""

    def __init__(self, camera: Camera) -> None:
        self._camera, self._view = camera, CameraView(camera)
        pitch_rad = math.radians(camera.pitch_deg)
        c, s = math.cos(pitch_rad), math.sin(pitch_rad)
        self._axes = np.array([(c, 0.0, s), (0.0, -1.0, 0.0), (-s, 0.0, c)])         # ahead, right, up, in the body

    def locate(self, box: Detection, pose: Pose) -> Point | None:
        """Where the thing in a box stands; None: it is cut off, or farther away than robots rely on.

        It is where the ray through the middle of the box comes down to half the height of such a thing. The box's label
        must index TARGET_CLASSES.
        """
        camera = self._camera
        if (min(box.x0_px, box.y0_px) < CUT_PX or box.x1_px > camera.width_px - CUT_PX
                or box.y1_px > camera.height_px - CUT_PX):
            return None
        turn = _turn(pose)
        ray = turn @ self._view.ray((box.x0_px + box.x1_px) / 2, (box.y0_px + box.y1_px) / 2)
        ex, ey, ez = (turn @ (camera.mount_x_m, 0.0, camera.mount_z_m)).tolist()
        above_m = pose.z_m + ez - PLOT_M - HEIGHT_M[TARGET_CLASSES[box.label]] / 2
        if above_m <= 0.0 or -ray[2] * FAR_M <= above_m * math.hypot(ray[0], ray[1]):
            return None
        k = above_m / -ray[2]
        return pose.x_m + ex + k * float(ray[0]), pose.y_m + ey + k * float(ray[1])

    def shows(self, pose: Pose, places: Reals) -> NDArray[np.bool_]:
        """Whether a frame that is taken at a pose shows a thing at each place [n, 2]: large enough, and as a whole."""
        camera, turn = self._camera, _turn(pose)
        eye = np.array((pose.x_m, pose.y_m, pose.z_m)) + turn @ (camera.mount_x_m, 0.0, camera.mount_z_m)
        away = np.column_stack([places - eye[:2], np.full(len(places), PLOT_M + MIDDLE_M - eye[2])])
        ahead, right, up = (away @ (self._axes @ turn.T).T).T
        depth = np.maximum(ahead, 1e-3) / camera.focal_px
        return ((ahead > 0.0) & (np.hypot(away[:, 0], away[:, 1]) < SEES_M)
                & (np.abs(right) + AROUND_M < depth * camera.width_px / 2)
                & (np.abs(up) + AROUND_M < depth * camera.height_px / 2))


def _turn(pose: Pose) -> Reals:
    """From the body's frame to the world's, [3, 3]: first it rolls, then it pitches, then it turns."""
    (cr, sr), (cp, sp), (cy, sy) = (
        (math.cos(a), math.sin(a)) for a in (pose.roll_rad, pose.pitch_rad, pose.heading_rad))
    roll = np.array([(1.0, 0.0, 0.0), (0.0, cr, -sr), (0.0, sr, cr)])
    pitch = np.array([(cp, 0.0, sp), (0.0, 1.0, 0.0), (-sp, 0.0, cp)])
    return np.array([(cy, -sy, 0.0), (sy, cy, 0.0), (0.0, 0.0, 1.0)]) @ pitch @ roll
