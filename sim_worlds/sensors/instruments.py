"""What the sensors of one robot read: with noise, at their rates. A camera reads what is drawn, without noise.

All that is drawn is keyed by seed, robot, sensor and step of the world: a reading that nobody asks for shifts nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sim_worlds.sensors.lidar import Scanner
from swarm.core.policy import draw
from swarm.core.protocol.sensors import Imu, Localisation, Odometry, Range, Reading, SensorSuite
from swarm.core.protocol.world import Pose

PASSIVE_RANGE_M = 1.0                # of the caster of a body without range sensors: never used


class Instruments:
    """The sensors of one robot. start: where it stands at first."""

    def __init__(self, suite: SensorSuite, seed: int, robot: str, start: Pose) -> None:
        self._seed, self._robot = seed, robot
        self._lidar = suite.lidar
        self._place = next(iter(suite.all(Localisation).items()), None)
        self._others = {name: sensor for name, sensor in suite.sensors.items()
                        if isinstance(sensor, Range | Imu | Odometry)}
        self._readings: dict[str, tuple[int, float, tuple[float, ...]]] = {}      # number, when, values
        self._before = start
        self._ways = dict.fromkeys(suite.all(Odometry), Pose(0.0, 0.0, 0.0))
        self._moved = (0.0, 0.0, 0.0)                    # when, forward speed, acceleration since the one before

    def scan(self, ranges_m: NDArray[np.float32], step: int) -> NDArray[np.float32]:
        """A scan with the lidar's noise; a beam without a hit keeps the lidar's range."""
        if self._lidar is None or not self._lidar.noise_m:
            return ranges_m
        far = self._lidar.range_m
        noisy = ranges_m + self._normal("lidar", step, len(ranges_m)) * self._lidar.noise_m
        return np.where(ranges_m < far, np.clip(noisy, 0.0, far), ranges_m).astype(np.float32)

    def place(self, pose: Pose, step: int) -> Pose:
        """Where the robot believes to be."""
        if self._place is None:
            return pose
        name, sensor = self._place
        dx, dy, turn = self._normal(name, step, 3).tolist()
        return Pose(pose.x_m + dx * sensor.noise_m, pose.y_m + dy * sensor.noise_m,
                    math.remainder(pose.heading_rad + turn * sensor.noise_rad, 2 * math.pi))

    def read(self, pose: Pose, v_mps: float, w_radps: float, caster: Scanner, circles: NDArray[np.float64],
             now_s: float, step: int) -> dict[str, Reading]:
        """The newest readings of all other sensors, by name. caster, circles: what is around, for its ranges."""
        self._follow(pose, v_mps, now_s)
        readings = {}
        for name, sensor in self._others.items():
            number = step if sensor.rate_hz is None else math.floor(now_s * sensor.rate_hz + 1e-9)
            known = self._readings.get(name)
            if known is None or known[0] < number:
                match sensor:
                    case Range():
                        values = self._range(name, sensor, pose, caster, circles, step)
                    case Imu():
                        values = self._imu(name, sensor, v_mps, w_radps, step)
                    case Odometry():
                        way = self._ways[name]
                        values = way.x_m, way.y_m, way.heading_rad
                self._readings[name] = known = number, now_s, values
            readings[name] = Reading(now_s - known[1] + sensor.latency_s, known[2])
        return readings

    def _follow(self, pose: Pose, v_mps: float, now_s: float) -> None:
        """Count the way since the last observation."""
        before, self._before = self._before, pose
        turn = math.remainder(pose.heading_rad - before.heading_rad, 2 * math.pi)
        middle = before.heading_rad + turn / 2
        driven_m = (pose.x_m - before.x_m) * math.cos(middle) + (pose.y_m - before.y_m) * math.sin(middle)
        for name, way in self._ways.items():
            sensor = self._others[name]
            assert isinstance(sensor, Odometry)
            longer, wider = self._normal(name, -1, 2).tolist()
            distance_m = driven_m * (1.0 + longer * sensor.error_m_per_m)
            turned = turn * (1.0 + wider * sensor.error_rad_per_rad)
            course = way.heading_rad + turned / 2
            self._ways[name] = Pose(way.x_m + distance_m * math.cos(course), way.y_m + distance_m * math.sin(course),
                                    math.remainder(way.heading_rad + turned, 2 * math.pi))
        then_s, then_mps, _ = self._moved
        if now_s > then_s:
            self._moved = now_s, v_mps, (v_mps - then_mps) / (now_s - then_s)

    def _range(self, name: str, sensor: Range, pose: Pose, caster: Scanner, circles: NDArray[np.float64],
               step: int) -> tuple[float, ...]:
        heading = np.array([pose.heading_rad + sensor.angle_rad])
        true_m = min(float(caster.cast(pose.x_m, pose.y_m, heading, circles)[0]), sensor.range_m)
        if true_m == sensor.range_m:
            return (true_m,)
        return (min(max(true_m + float(self._normal(name, step, 1)[0]) * sensor.noise_m, 0.0), sensor.range_m),)

    def _imu(self, name: str, sensor: Imu, v_mps: float, w_radps: float, step: int) -> tuple[float, ...]:
        true = np.array([self._moved[2], v_mps * w_radps, w_radps])
        noise = np.array([sensor.noise_mps2, sensor.noise_mps2, sensor.noise_radps])
        bias = np.array([sensor.bias_mps2, sensor.bias_mps2, sensor.bias_radps])
        return tuple((true + self._normal(name, step, 3) * noise + self._normal(name, -1, 3) * bias).tolist())

    def _normal(self, name: str, step: int, count: int) -> NDArray[np.float64]:
        """Numbers of the normal distribution for a sensor and a step; -1: what never changes."""
        key = draw.integer(self._seed, "sensor", self._robot, name, step)
        return np.random.Generator(np.random.Philox(key=key)).standard_normal(count)


def has_instruments(suite: SensorSuite) -> bool:
    """Whether any sensor reads something else than the plain truth of scan and pose."""
    lidar = suite.lidar
    return bool((lidar is not None and lidar.noise_m)
                or any(isinstance(s, Range | Imu | Odometry | Localisation) for s in suite.sensors.values()))


def farthest_m(suite: SensorSuite) -> float:
    """The largest range of the suite's range sensors."""
    return max((sensor.range_m for sensor in suite.all(Range).values()), default=PASSIVE_RANGE_M)
