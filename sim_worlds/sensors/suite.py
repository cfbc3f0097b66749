"""The sensors of every robot in our worlds. The world sends them to a robot's agent when the agent joins."""

from __future__ import annotations

from swarm.core.protocol.sensors import Camera, Lidar, SensorSuite

CAMERA = Camera(width_px=96, height_px=72, fov_y_deg=55.0, mount_x_m=0.16, mount_z_m=0.28, pitch_deg=-4.0)
LIDAR = Lidar(beams=64, range_m=6.0)
SUITE = SensorSuite({"camera": CAMERA, "lidar": LIDAR})
