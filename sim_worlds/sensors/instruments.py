"""What the sensors of one robot read: with noise, at their rates and after their latencies.

A camera reads what is drawn, without noise. All sensors read what was their latency ago; a pose is of the moment of
the scan or frame to which it belongs.

All that is drawn is keyed by seed, robot, sensor and step of the world: a reading that nobody asks for shifts no other.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics.motion import Motion
from sim_worlds.sensors.imu import ImuErrors
from sim_worlds.sensors.lidar import Scanners
from sim_worlds.sensors.past import Past, Reals, steps_of
from swarm.core.policy import draw
from swarm.core.protocol.sensors import Camera, Contact, Imu, Lidar, Localisation, Odometry, Range, Reading, SensorSuite
from swarm.core.protocol.world import Pose

READ = (Range, Imu, Odometry, Contact)           # the kinds whose values this file makes
PASSIVE_RANGE_M = 1.0                # of the caster of a body without range sensors: never used


class Instruments:
    """The sensors of one robot, `index` in a fleet that moves. casters: see the solids around, for its ranges."""

    def __init__(self, suite: SensorSuite, seed: int, robot: str, index: int, motion: Motion,
                 casters: Scanners) -> None:
        self._seed, self._robot, self._index = seed, robot, index
        self._motion, self._casters = motion, casters
        self._lidar = next(iter(suite.all(Lidar).items()), None)
        self._place = next(iter(suite.all(Localisation).items()), None)
        self._others = {name: sensor for name, sensor in suite.sensors.items()
                        if isinstance(sensor, READ)}
        self._readings: dict[str, tuple[int, float, tuple[float, ...]]] = {}      # number, when, values
        self._imu_errors = {name: ImuErrors(sensor, seed, robot, name) for name, sensor in suite.all(Imu).items()}
        self._moved = dict.fromkeys(suite.all(Imu), (0.0, 0.0, 0.0))     # when, speed, acceleration until then
        self._before = motion.pose(index)
        self._ways = {name: deque([Pose(0.0, 0.0, 0.0)], steps_of(sensor.latency_s, motion.dt_s) + 1)
                      for name, sensor in suite.all(Odometry).items()}    # as counted in the last steps
        self._scales = {name: self._scale(name, sensor) for name, sensor in suite.all(Odometry).items()}

    def scan(self, ranges_m: NDArray[np.float32], step: int) -> NDArray[np.float32]:
        """A scan of this step with the lidar's noise; a beam without a hit keeps the lidar's range."""
        if self._lidar is None or not self._lidar[1].noise_m:
            return ranges_m
        name, sensor = self._lidar
        far = sensor.range_m
        noisy = ranges_m + self._normal(name, step, len(ranges_m)) * sensor.noise_m
        return np.where(ranges_m < far, np.clip(noisy, 0.0, far), ranges_m).astype(np.float32)

    def place(self, pose: Pose, step: int) -> Pose:
        """Where the robot believes to have been at this step."""
        if self._place is None:
            return pose
        name, sensor = self._place
        dx, dy, turn = self._normal(name, step, 3).tolist()
        return Pose(pose.x_m + dx * sensor.noise_m, pose.y_m + dy * sensor.noise_m,
                    math.remainder(pose.heading_rad + turn * sensor.noise_rad, 2 * math.pi),
                    pose.z_m, pose.roll_rad, pose.pitch_rad)

    @property
    def counts(self) -> bool:
        """Whether there is odometry: it needs `count` after each step."""
        return bool(self._ways)

    def count(self) -> None:
        """Count the way of the last step as wheels do, along the robot's heading."""
        before, self._before = self._before, self._motion.pose(self._index)
        turn = math.remainder(self._before.heading_rad - before.heading_rad, 2 * math.pi)
        middle = before.heading_rad + turn / 2
        driven_m = ((self._before.x_m - before.x_m) * math.cos(middle)
                    + (self._before.y_m - before.y_m) * math.sin(middle))
        for name, ways in self._ways.items():
            way, (longer, wider) = ways[-1], self._scales[name]
            course = way.heading_rad + turn * wider / 2
            ways.append(Pose(way.x_m + driven_m * longer * math.cos(course),
                             way.y_m + driven_m * longer * math.sin(course),
                             math.remainder(way.heading_rad + turn * wider, 2 * math.pi)))

    def read(self, past: Past, now_s: float, step: int) -> dict[str, Reading]:
        """The newest readings of all other sensors, by name: each of its latency ago."""
        readings = {}
        for name, sensor in self._others.items():
            then = past.ago(sensor.latency_s)
            v_mps, w_radps = then.speeds[self._index].tolist()
            if isinstance(sensor, Imu):
                self._speed_up(name, v_mps, now_s)
            number = step if sensor.rate_hz is None else math.floor(now_s * sensor.rate_hz + 1e-9)
            known = self._readings.get(name)
            if known is None or known[0] < number:
                match sensor:
                    case Range():
                        values = self._range(name, sensor, then.places, step)
                    case Imu():
                        period_s = self._motion.dt_s if known is None else now_s - known[1]
                        period_s = period_s if sensor.rate_hz is None else 1.0 / sensor.rate_hz
                        values = self._imu(name, v_mps, w_radps, number, now_s, period_s)
                    case Odometry():
                        way = self._ways[name][0]
                        values = way.x_m, way.y_m, way.heading_rad
                    case Contact():
                        since_s = -math.inf if known is None else known[1]
                        values = (float(self._motion.contacts.last_s[self._index] > since_s),)
                self._readings[name] = known = number, now_s, values
            readings[name] = Reading(now_s - known[1] + sensor.latency_s, known[2])
        return readings

    def _speed_up(self, name: str, v_mps: float, now_s: float) -> None:
        """The acceleration since the last observation."""
        then_s, then_mps, _ = self._moved[name]
        if now_s > then_s:
            self._moved[name] = now_s, v_mps, (v_mps - then_mps) / (now_s - then_s)

    def _scale(self, name: str, sensor: Odometry) -> tuple[float, float]:
        """What this robot's wheels make of a metre and of a radian."""
        longer, wider = self._normal(name, -1, 2).tolist()
        return 1.0 + longer * sensor.error_m_per_m, 1.0 + wider * sensor.error_rad_per_rad

    def _range(self, name: str, sensor: Range, at: Reals, step: int) -> tuple[float, ...]:
        x_m, y_m, heading_rad, z_m = at[self._index, :4].tolist()
        circles = self._motion.circles(self._index, sensor.range_m, at)
        caster = self._casters.between(*self._motion.bodies.sight_m(self._index, z_m))
        seen_m = caster.cast(x_m, y_m, np.array([heading_rad + sensor.angle_rad]), circles)
        true_m = min(float(seen_m[0]), sensor.range_m)
        if true_m == sensor.range_m:
            return (true_m,)
        return (min(max(true_m + float(self._normal(name, step, 1)[0]) * sensor.noise_m, 0.0), sensor.range_m),)

    def _imu(self, name: str, v_mps: float, w_radps: float, number: int, now_s: float,
             period_s: float) -> tuple[float, ...]:
        true = np.array([self._moved[name][2], v_mps * w_radps, w_radps])
        (error,) = self._imu_errors[name].of(np.array([number]), np.array([now_s]), period_s)
        return tuple((true + error).tolist())

    def _normal(self, name: str, step: int, count: int) -> NDArray[np.float64]:
        """Numbers of the normal distribution for a sensor and a step; -1: what never changes."""
        key = draw.integer(self._seed, "sensor", self._robot, name, step)
        return np.random.Generator(np.random.Philox(key=key)).standard_normal(count)


def has_instruments(suite: SensorSuite) -> bool:
    """Whether any sensor reads something else than the plain truth of scan and pose."""
    lidar = suite.lidar
    return bool((lidar is not None and lidar.noise_m)
                or any(isinstance(s, (*READ, Localisation)) for s in suite.sensors.values()))


def farthest_m(suite: SensorSuite) -> float:
    """The largest range of the suite's range sensors."""
    return max((sensor.range_m for sensor in suite.all(Range).values()), default=PASSIVE_RANGE_M)


def slowest_s(suite: SensorSuite) -> float:
    """The longest latency of the sensors that read the past."""
    return max((sensor.latency_s for sensor in suite.sensors.values() if isinstance(sensor, (*READ, Camera, Lidar))),
               default=0.0)
