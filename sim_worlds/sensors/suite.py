"""The sensors of every robot in our worlds. The world sends them to a robot's agent when the agent joins."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import get_args

import msgspec
from msgspec.structs import replace

from swarm.core.protocol.sensors import (
    MOST_SENSORS,
    AnySensor,
    Battery,
    Camera,
    Contact,
    Imu,
    Lidar,
    Localisation,
    Odometry,
    Range,
    Sensor,
    SensorSuite,
)
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import RobotSpec

CAMERA = Camera(width_px=96, height_px=72, fov_y_deg=55.0, mount_x_m=0.16, mount_z_m=0.28, pitch_deg=-4.0)
LIDAR = Lidar(beams=64, range_m=6.0)
SUITE = SensorSuite({"camera": CAMERA, "lidar": LIDAR})

RANGE_NOISE_M = 0.01
"""The resolution of the TurtleBot 4's lidar: `r_res` in turtlebot4_description/urdf/sensors/rplidar.urdf.xacro of
github.com/turtlebot/turtlebot4. All other figures are our choice."""
PLACE = Localisation(noise_m=0.05, noise_rad=0.02)       # a cell of a map with the usual resolution
WHEELS = Odometry(error_m_per_m=0.02, error_rad_per_rad=0.05)
IMU = Imu(noise_mps2_per_rthz=3.92e-3, noise_radps_per_rthz=8.73e-5, bias_mps2=0.05, bias_radps=0.005,
          walk_mps3_per_rthz=2e-4, walk_radps2_per_rthz=2e-5)
"""The densities of an InvenSense MPU-6050: 400 micro-g and 0.005 degrees/s per root hertz (tables 6.1 and 6.2 of its
Product Specification PS-MPU-6000A-00, revision 3.4). It states no walk: that, and the bias after a calibration, are our
choice."""

IMU_NOISES = ("noise_mps2_per_rthz", "noise_radps_per_rthz", "bias_mps2", "bias_radps", "walk_mps3_per_rthz",
              "walk_radps2_per_rthz")
NOISES: dict[type[Sensor], tuple[str, ...]] = {
    Lidar: ("noise_m",), Range: ("noise_m",), Localisation: ("noise_m", "noise_rad"),
    Odometry: ("error_m_per_m", "error_rad_per_rad"),
    Imu: IMU_NOISES,
}
"""Of each kind of sensor: its standard deviations."""

KINDS: tuple[type[Sensor], ...] = get_args(AnySensor)
MOST_PIXELS = 640 * 480
"""Of a camera: a frame of 0.9 MB, which TinyRenderer draws in an eighth of a second."""
MOST_LATENCY_S = 10.0
"""Of a sensor: a world remembers where its robots were for as long. Our choice."""


def suite_of(robot: RobotSpec, suite: SensorSuite) -> SensorSuite:
    """The sensors of a robot: those of its scenario, as noisy as the launch file wants them, and that of its battery.

    Raises: BadInput if there is no room for one more sensor.
    """
    suite = noisier(noisy(suite) if robot.sensors == "noisy" else suite, robot.noise)
    return suite if robot.battery_wh is None else with_battery(suite)


def noisy(suite: SensorSuite) -> SensorSuite:
    """The suite with noise for each sensor that states none, and a localisation: `place`, or `place_2`, ...

    Raises: BadInput if there is no room for one more sensor.
    """
    sensors = {name: _noisy(sensor) for name, sensor in suite.sensors.items()}
    if not suite.all(Localisation):
        sensors = _and(sensors, "place", PLACE)
    return replace(suite, sensors=sensors)


def noisier(suite: SensorSuite, factor: float) -> SensorSuite:
    """The suite with all its standard deviations times a factor."""
    if factor == 1.0:
        return suite
    return replace(suite, sensors={name: replace(sensor, **{
        field: factor * getattr(sensor, field) for field in NOISES.get(type(sensor), ())})
        for name, sensor in suite.sensors.items()})


def with_battery(suite: SensorSuite) -> SensorSuite:
    """The suite with a sensor of the battery. Raises: BadInput if there is no room for one more sensor."""
    return suite if suite.all(Battery) else replace(suite, sensors=_and(suite.sensors, "battery", Battery()))


def _and(sensors: Mapping[str, AnySensor], name: str, sensor: AnySensor) -> dict[str, AnySensor]:
    """These sensors and one more, of this name with the first number that is free: NAME, NAME_2, ..."""
    if len(sensors) == MOST_SENSORS:
        raise BadInput("sensors", f"{MOST_SENSORS} leave no room for one more, the {type(sensor).__name__.lower()}",
                       f"at most {MOST_SENSORS - 1}")
    names = itertools.chain([name], (f"{name}_{k}" for k in itertools.count(2)))
    return {**sensors, next(name for name in names if name not in sensors): sensor}


def check_suite(suite: SensorSuite) -> None:
    """Raises: BadInput for a suite that an agent would not read, or whose rates and latencies no world keeps."""
    if not isinstance(suite, SensorSuite):  # pyright: ignore[reportUnnecessaryIsInstance] - a plug-in has no types
        raise BadInput("suite", f"it is a {type(suite).__name__}", 'a SensorSuite, like SensorSuite({"lidar": LIDAR})')
    for name, sensor in suite.sensors.items():
        if type(sensor) not in KINDS:
            raise BadInput(f"sensor {name}", f"no kind of sensor is called {type(sensor).__name__}",
                           f"one of {', '.join(kind.__name__ for kind in KINDS)}")
    try:
        msgspec.convert(msgspec.to_builtins(suite), SensorSuite)
    except (msgspec.ValidationError, TypeError) as error:
        raise BadInput("sensors", str(error), "values that a suite can have") from None
    for name, sensor in suite.sensors.items():
        _check_sensor(sensor, f"sensor {name}")


def _check_sensor(sensor: AnySensor, where: str) -> None:
    if isinstance(sensor, Localisation) and sensor.latency_s:
        raise BadInput(where, "a pose has the age of its observation", "no latency_s")
    if isinstance(sensor, Contact) and sensor.latency_s:
        raise BadInput(where, "a touch is felt at once", "no latency_s")
    if sensor.latency_s > MOST_LATENCY_S:
        raise BadInput(where, f"latency_s {sensor.latency_s:g} is above {MOST_LATENCY_S:g}", "a lower one")
    if isinstance(sensor, Camera) and sensor.read_noise_e and not sensor.full_well_e:
        raise BadInput(where, "read_noise_e without full_well_e", "both; full_well_e: the electrons of a white pixel")
    if isinstance(sensor, Camera) and sensor.width_px * sensor.height_px > MOST_PIXELS:
        raise BadInput(where, f"{sensor.width_px} x {sensor.height_px} pixels", "at most 640 x 480")
    if isinstance(sensor, Camera | Lidar | Localisation) and sensor.rate_hz is not None:
        raise BadInput(where, "its rate is that of the run's observations or frames", "no rate_hz")


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
        case Imu() if not any(getattr(sensor, name) for name in IMU_NOISES):
            return replace(IMU, **as_before)
        case _:
            return sensor
