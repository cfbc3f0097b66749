# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false
"""World protocol: the sensors of a body, by name, and what they read.

A sensor has a rate, a latency and a noise: standard deviations of a normal distribution, 0 unless stated.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarm.core.protocol.bounds import Finite, RateHz, Seconds, Share, ShortText

Pixels = Annotated[int, msgspec.Meta(ge=1, le=8192)]
BeamCount = Annotated[int, msgspec.Meta(ge=1, le=4096)]
PitchDegrees = Annotated[float, msgspec.Meta(ge=-90.0, le=90.0)]
OpeningDegrees = Annotated[float, msgspec.Meta(gt=0.0, lt=180.0)]
Metres = Annotated[float, msgspec.Meta(gt=0.0, le=1e6)]
Noise = Annotated[float, msgspec.Meta(ge=0.0, le=1e6)]
SensorName = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
MOST_SENSORS = 16                    # of one body
MOST_VALUES = 16                     # of one reading

S = TypeVar("S", bound="Sensor")


class Sensor(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What all sensors have. rate_hz: at most so many readings a second; None: one with each observation."""

    rate_hz: RateHz | None = None
    latency_s: Seconds = 0.0         # from the measurement to the reading


class Camera(Sensor, frozen=True, kw_only=True, tag="camera"):
    """A forward pinhole camera, rigidly mounted on the robot's centre line. The run states the rate of its frames."""

    width_px: Pixels
    height_px: Pixels
    fov_y_deg: OpeningDegrees        # full vertical opening angle
    mount_x_m: Finite                # ahead of the base's centre
    mount_z_m: Finite                # above the base: of a robot that drives, above the floor
    pitch_deg: PitchDegrees          # negative looks down
    exposure_s: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.0         # turns blur a frame meanwhile
    gain: Annotated[float, msgspec.Meta(gt=0.0, le=100.0)] = 1.0             # of all that the pixels hold
    full_well_e: Noise = 0.0         # electrons of a white pixel, by which frames have shot noise; 0: no noise at all
    read_noise_e: Noise = 0.0        # standard deviation of a black pixel, electrons
    vignetting: Share = 0.0          # 1: to the edge light falls with the fourth power of the angle's cosine

    @property
    def focal_px(self) -> float:
        """Focal length in pixels, the same for both axes (square pixels)."""
        return self.height_px / 2.0 / float(np.tan(np.radians(self.fov_y_deg) / 2.0))


class Lidar(Sensor, frozen=True, kw_only=True, tag="lidar"):
    """A planar range sensor at the robot's centre: beams evenly spaced from -pi, counter-clockwise."""

    beams: BeamCount
    range_m: Metres
    noise_m: Noise = 0.0             # of each range that ends at something

    def angles_rad(self) -> NDArray[np.float32]:
        """Beam directions in the body frame, shape [beams]."""
        return np.linspace(-np.pi, np.pi, self.beams, endpoint=False, dtype=np.float32)


class Range(Sensor, frozen=True, kw_only=True, tag="range"):
    """One beam from the robot's centre. It reads: metres; the range where it hits nothing."""

    angle_rad: Finite = 0.0          # in the body frame
    range_m: Metres
    noise_m: Noise = 0.0


class Imu(Sensor, frozen=True, kw_only=True, tag="imu"):
    """Acceleration and turn. It reads: m/s2 ahead and to the left, without gravity, and rad/s.

    The acceleration ahead is the mean since the observation before. Noise and wandering bias are by Allan-variance
    parameters, as data sheets and calibrations state them; `rthz` is the root of a hertz. The noise of a reading is the
    density x the root of its rate: of `rate_hz`, or of the observations without one. Each robot has a bias of its own
    at the start, and in T it changes by the walk x sqrt(T).
    """

    noise_mps2_per_rthz: Noise = 0.0         # density of white noise
    noise_radps_per_rthz: Noise = 0.0
    bias_mps2: Noise = 0.0                   # at the start
    bias_radps: Noise = 0.0
    walk_mps3_per_rthz: Noise = 0.0          # of the bias
    walk_radps2_per_rthz: Noise = 0.0


class Odometry(Sensor, frozen=True, kw_only=True, tag="odometry"):
    """The way from the start as wheels count it. It reads: x and y in metres and heading, in the frame of the start.

    Each robot has an error of scale of its own, so that the place drifts: such systematic errors dominate on smooth
    floors (Borenstein, Feng, Measurement and correction of systematic odometry errors in mobile robots, 1996).
    """

    error_m_per_m: Noise = 0.0       # of a distance that is driven
    error_rad_per_rad: Noise = 0.0   # of an angle that is turned


class Localisation(Sensor, frozen=True, kw_only=True, tag="localisation"):
    """The robot's place in the world's frame: the `pose` of an observation. A body without one states it exactly."""

    noise_m: Noise = 0.0             # of x and of y
    noise_rad: Noise = 0.0


class Contact(Sensor, frozen=True, kw_only=True, tag="contact"):
    """A bumper all around. It reads: 1 if the robot has touched something since the reading before, else 0."""


class Battery(Sensor, frozen=True, kw_only=True, tag="battery"):
    """The charge of the robot's battery. It reads: the share of a full charge, 0 to 1, and the energy left in Wh."""


AnySensor = Camera | Lidar | Range | Imu | Odometry | Localisation | Contact | Battery


AREA_M = 24.0
LARGEST_AREA_M = 500.0


class SensorSuite(msgspec.Struct, frozen=True, omit_defaults=True):
    """The sensors of one robot by name, as its body states them when it joins, and where it is to work.

    area_m: the side of the square around (0, 0) that its mission is in, as an operator tells it.

    Raises: ValueError for a second camera, lidar or localisation: an observation has one frame, scan and pose.
    """

    sensors: Annotated[dict[SensorName, AnySensor], msgspec.Meta(max_length=MOST_SENSORS)] = {}
    area_m: Annotated[float, msgspec.Meta(ge=1.0, le=LARGEST_AREA_M)] = AREA_M

    def __post_init__(self) -> None:
        for kind in (Camera, Lidar, Localisation):
            if len(self.all(kind)) > 1:
                raise ValueError(f"two sensors of the kind {kind.__name__.lower()}")

    @property
    def camera(self) -> Camera | None:
        """The camera, if there is one."""
        return next(iter(self.all(Camera).values()), None)

    @property
    def lidar(self) -> Lidar | None:
        """The lidar, if there is one."""
        return next(iter(self.all(Lidar).values()), None)

    def all(self, kind: type[S]) -> dict[str, S]:
        """The sensors of a kind by name."""
        return {name: sensor for name, sensor in self.sensors.items() if isinstance(sensor, kind)}


class Reading(msgspec.Struct, frozen=True, array_like=True):
    """What a sensor other than a camera or a lidar reads; its kind says what the values are."""

    age_s: Seconds                   # since the measurement, when the observation is made
    values: Annotated[tuple[Finite, ...], msgspec.Meta(max_length=MOST_VALUES)]


class SensorFault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What ails one sensor of one robot; the defaults: nothing. `BIASES` says which biases a sensor can have."""

    robot: ShortText
    sensor: SensorName
    dropout: bool = False            # it gives nothing
    freeze: bool = False             # it repeats one value, as if it were new
    by_m: Finite = 0.0
    by_rad: Finite = 0.0
    by_mps2: Finite = 0.0
    by_radps: Finite = 0.0
    scale: Finite = 1.0


BIASES: dict[type[Sensor], tuple[str, ...]] = {
    Lidar: ("by_m",), Range: ("by_m",), Localisation: ("by_m", "by_rad"), Imu: ("by_mps2", "by_radps"),
    Odometry: ("scale",),
}
"""The biases that a sensor of each kind can have: fields of `SensorFault`. Other kinds have none."""

MOST_SENSOR_FAULTS = 4096            # in one message


Readings = Annotated[dict[SensorName, Reading], msgspec.Meta(max_length=MOST_SENSORS)]
