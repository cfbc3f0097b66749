"""From pixels to positions: locates things by a box or a mask, and checks them against the scan."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.search.camera_view import CameraView
from agents.behaviours.search.classes import CLUTTER, FLOOR, HALF_DEPTH_M, HEIGHT_M, ROBOT, TARGET, TARGET_CLASSES
from agents.behaviours.search.lidar_beams import LidarBeams
from swarm.core.protocol.world import Detection, Mask, Pose

MASK_RANGE_M = 2.2                   # obstacles in a mask further away than this are not marked
_HEIGHT_SPREAD = 0.13                # standard deviation of a target's true height, relative
_PIXEL = 1.2                         # standard deviation of a box's edge, pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One measurement of a target's position, in the world frame."""

    x_m: float
    y_m: float
    range_m: float                   # from the robot's centre
    bearing_rad: float               # world frame, from the robot's centre
    radial_m: float                  # standard deviation along the bearing
    across_m: float                  # and across it


class Locator:
    """Locates things by one camera, cross-checked with one lidar."""

    def __init__(self, view: CameraView, beams: LidarBeams) -> None:
        self.view, self.beams = view, beams

    def locate(self, box: Detection, pose: Pose, scan_m: NDArray[np.float32] | None) -> Fix | None:
        """The position of the thing in a box, or None if nothing gives a range.

        The box's lower edge on the floor gives one range, the box's height another; the mean is weighted by inverse
        variance. If the scan agrees, it gives the range instead. The box's label must index TARGET_CLASSES.
        """
        view, label = self.view, TARGET_CLASSES[box.label]
        top_cut, foot_cut = box.y0_px < 0.75, box.y1_px > view.height_px - 0.75
        ahead, left, _ = view.ray((box.x0_px + box.x1_px) / 2, view.height_px / 2)
        bearing = math.atan2(left, ahead)                            # from the camera
        guesses: list[tuple[float, float]] = []                      # distance from the camera, standard deviation
        foot_ahead, foot_left, foot_up = view.ray((box.x0_px + box.x1_px) / 2, box.y1_px)
        if not foot_cut and foot_up < -1.0:
            ground = view.mount_z_m * math.hypot(foot_ahead, foot_left) / -foot_up
            sigma = _PIXEL * (ground ** 2 + view.mount_z_m ** 2) / (view.mount_z_m * view.focal_px)
            guesses.append((ground + HALF_DEPTH_M[label], sigma + 0.05))
        tall = box.y1_px - box.y0_px
        if not (top_cut or foot_cut) and tall > 2.0:
            far = HEIGHT_M[label] * view.focal_px / tall / math.cos(bearing)
            guesses.append((far, far * (_HEIGHT_SPREAD + 1.4 * _PIXEL / tall)))
        if not guesses:
            if not foot_cut:
                return None
            guesses.append((0.75, 0.25))                             # so close that its lower edge is out of the frame
        weight = sum(1.0 / s ** 2 for _, s in guesses)
        range_m = min(sum(g / s ** 2 for g, s in guesses) / weight, 2 * self.beams.range_m)
        sigma = max(weight ** -0.5, 0.05)
        x, y = view.mount_x_m + range_m * math.cos(bearing), range_m * math.sin(bearing)
        away, turn = math.hypot(x, y), math.atan2(y, x)
        half = math.atan((box.x1_px - box.x0_px) / 2 / view.focal_px)
        if scan_m is not None:
            away, sigma = self._by_scan(scan_m, turn, half, away, sigma, HALF_DEPTH_M[label])
        cut = box.x0_px < 0.75 or box.x1_px > view.width_px - 0.75
        course = pose.heading_rad + turn
        return Fix(x_m=pose.x_m + away * math.cos(course), y_m=pose.y_m + away * math.sin(course), range_m=away,
                   bearing_rad=course, radial_m=sigma, across_m=0.04 + away * (0.12 if cut else 0.025))

    def target_share(self, mask: Mask, pose: Pose, label: str, x_m: float, y_m: float) -> float | None:
        """Share of target pixels where a target of this label at (x, y) would appear; None if that is out of view.

        A share of 0.2 or more is evidence for a target; a share near 0 is evidence against it.
        """
        view = self.view
        c, s = math.cos(pose.heading_rad), math.sin(pose.heading_rad)
        ahead, left = c * (x_m - pose.x_m) + s * (y_m - pose.y_m), c * (y_m - pose.y_m) - s * (x_m - pose.x_m)
        foot, top = view.project(ahead, left, 0.0), view.project(ahead, left, HEIGHT_M[label])
        if foot is None or top is None or not 0.6 < ahead < 3.5:
            return None
        half = view.focal_px * 0.22 / max(ahead, 0.3)
        if not half < foot[0] < view.width_px - half:
            return None
        kx, ky = mask.width / view.width_px, mask.height / view.height_px
        u0, u1 = math.floor((foot[0] - half) * kx), math.ceil((foot[0] + half) * kx)
        v0, v1 = math.floor(max(top[1], 0.0) * ky), math.ceil(min(foot[1], view.height_px) * ky)
        window = mask.array()[v0:v1, u0:u1]
        return float((window == TARGET).mean()) if window.size else None

    def obstacles(self, mask: Mask, pose: Pose, scan_m: NDArray[np.float32] | None) -> list[tuple[float, float]]:
        """World points (x, y) of things on the floor close ahead that are lower than the scan's plane.

        Each column gives at most one point: its lowest cell of clutter, target or robot, if floor is directly below.
        """
        view, cells = self.view, mask.array()
        thing = (cells == CLUTTER) | (cells == TARGET) | (cells == ROBOT)
        points = []
        lowest = mask.height - 1 - np.argmax(thing[::-1], axis=0)
        for column in np.flatnonzero(thing.any(axis=0)).tolist():
            row = int(lowest[column])
            if row + 1 >= mask.height or cells[row + 1, column] != FLOOR or not thing[max(row - 1, 0), column]:
                continue
            u = (column + 0.5) * view.width_px / mask.width
            ahead, left, up = view.ray(u, (row + 1) * view.height_px / mask.height)
            if up > -1.0:
                continue
            k = view.mount_z_m / -up
            x, y = view.mount_x_m + k * ahead, k * left
            away, turn = math.hypot(x, y), math.atan2(y, x)
            if not 0.4 < away < MASK_RANGE_M:
                continue
            if scan_m is not None:
                beams = (self.beams.nearest(turn) + np.arange(-1, 2)) % self.beams.count
                if float(scan_m[beams].min()) < 1.25 * away + 0.35:  # a cell of a small mask is coarse at a distance
                    continue                                     # the scan shows it, or something in front of it
            course = pose.heading_rad + turn
            points.append((pose.x_m + (away + 0.05) * math.cos(course), pose.y_m + (away + 0.05) * math.sin(course)))
        return points

    def _by_scan(self, scan_m: NDArray[np.float32], turn: float, half: float, away: float, sigma: float, depth: float,
                 ) -> tuple[float, float]:
        """Range and deviation after the cross-check: the shortest range in the box that agrees with the guess.

        If no beam agrees, the guess is kept: a thing may be between two beams, or below the scan's plane.
        """
        low, high = self.beams.position(turn - half), self.beams.position(turn + half)
        first, last = math.ceil(low - 0.3), math.floor(high + 0.3)
        beams = np.arange(first, last + 1) % self.beams.count
        hits = scan_m[beams].astype(np.float64) + depth if beams.size else np.empty(0)
        slack = 0.25 + 1.2 * sigma
        agree = hits[(np.abs(hits - away) < slack) & (hits < self.beams.hit_below_m + depth)]
        if not agree.size:
            return away, sigma * 1.2
        return float(agree.min()), min(sigma, 0.12 + 0.25 * abs(float(agree.min()) - away))
