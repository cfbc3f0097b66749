"""The sensors that every robot of our worlds carries. A body states them to its agent when it joins."""

from __future__ import annotations

from swarm.core.protocol.world import Camera, Lidar, SensorSuite

CAMERA = Camera(width_px=96, height_px=72, fov_y_deg=55.0, mount_x_m=0.16, mount_z_m=0.28, pitch_deg=-4.0)
LIDAR = Lidar(beams=64, range_m=6.0)
SUITE = SensorSuite(camera=CAMERA, lidar=LIDAR)
