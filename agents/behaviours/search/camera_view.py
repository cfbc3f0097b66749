"""The geometry of one camera: from pixels to directions in the body frame, and back."""

from __future__ import annotations

import math

from swarm.core.protocol.sensors import Camera


class CameraView:
    """Rays and projections of one camera. All lengths are metres in the body frame: x ahead, y left, z up.

    Source: the pinhole model, with the camera pitched about the body's y axis.
    """

    def __init__(self, camera: Camera) -> None:
        self.width_px, self.height_px = camera.width_px, camera.height_px
        self.focal_px = camera.focal_px
        self.mount_x_m, self.mount_z_m = camera.mount_x_m, camera.mount_z_m
        self.half_fov_rad = math.atan(camera.width_px / 2 / camera.focal_px)     # horizontal
        pitch_rad = math.radians(camera.pitch_deg)
        self._pitch_cos, self._pitch_sin = math.cos(pitch_rad), math.sin(pitch_rad)

    def ray(self, u_px: float, v_px: float) -> tuple[float, float, float]:
        """Direction (ahead, left, up) of a pixel in the body frame. Its length is not 1."""
        left = self.width_px / 2 - u_px
        up = self.height_px / 2 - v_px
        return (self.focal_px * self._pitch_cos - up * self._pitch_sin, left,
                self.focal_px * self._pitch_sin + up * self._pitch_cos)

    def project(self, ahead_m: float, left_m: float, up_m: float) -> tuple[float, float] | None:
        """Pixel (u, v) of a point in the body frame, or None if the point is not in front of the camera."""
        dx, dz = ahead_m - self.mount_x_m, up_m - self.mount_z_m
        depth = dx * self._pitch_cos + dz * self._pitch_sin
        if depth < 0.05:
            return None
        rise = dz * self._pitch_cos - dx * self._pitch_sin
        return (self.width_px / 2 - self.focal_px * left_m / depth,
                self.height_px / 2 - self.focal_px * rise / depth)
