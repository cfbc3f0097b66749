"""The sensors of every robot in our worlds. The world sends them to a robot's agent when the agent joins."""

from __future__ import annotations

from msgspec.structs import replace

from swarm.core.protocol.sensors import AnySensor, Camera, Imu, Lidar, Localisation, Odometry, Range, SensorSuite

CAMERA = Camera(width_px=96, height_px=72, fov_y_deg=55.0, mount_x_m=0.16, mount_z_m=0.28, pitch_deg=-4.0)
LIDAR = Lidar(beams=64, range_m=6.0)
SUITE = SensorSuite({"camera": CAMERA, "lidar": LIDAR})

RANGE_NOISE_M = 0.01
"""The resolution of the TurtleBot 4's lidar: `r_res` in turtlebot4_description/urdf/sensors/rplidar.urdf.xacro of
github.com/turtlebot/turtlebot4. All other figures are our choice."""
PLACE = Localisation(noise_m=0.05, noise_rad=0.02)       # a cell of a map with the usual resolution
WHEELS = Odometry(error_m_per_m=0.02, error_rad_per_rad=0.05)
IMU = Imu(noise_mps2=0.02, bias_mps2=0.05, noise_radps=0.002, bias_radps=0.005)


def noisy(suite: SensorSuite) -> SensorSuite:
    """The suite with noise for each sensor that states none, and a localisation."""
    sensors = {name: _noisy(sensor) for name, sensor in suite.sensors.items()}
    if not suite.all(Localisation):
        sensors["place"] = PLACE
    return SensorSuite(sensors)


def _noisy(sensor: AnySensor) -> AnySensor:
    """rate_hz and latency_s stay."""
    as_before = {"rate_hz": sensor.rate_hz, "latency_s": sensor.latency_s}
    match sensor:
        case Lidar(noise_m=0.0) | Range(noise_m=0.0):
            return replace(sensor, noise_m=RANGE_NOISE_M)
        case Localisation(noise_m=0.0, noise_rad=0.0):
            return replace(PLACE, **as_before)
        case Odometry(error_m_per_m=0.0, error_rad_per_rad=0.0):
            return replace(WHEELS, **as_before)
        case Imu(noise_mps2=0.0, bias_mps2=0.0, noise_radps=0.0, bias_radps=0.0):
            return replace(IMU, **as_before)
        case _:
            return sensor
