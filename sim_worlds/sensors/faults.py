"""Faults of sensors: what an ailing sensor makes of an observation.

A sensor that freezes, and a localisation that drops out, stop with the first observation of their fault: that one is
the last good one. Deterministic: nothing is drawn but the direction in which a localisation is wrong, by the seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from msgspec.structs import replace

from sim_worlds.sensors.lidar import NO_SCAN
from swarm.core.policy import draw
from swarm.core.protocol.sensors import (
    AnySensor,
    Camera,
    Imu,
    Lidar,
    Localisation,
    Odometry,
    Range,
    Reading,
    SensorFault,
    SensorSuite,
)
from swarm.core.protocol.world import Observation, Pose


@dataclass(slots=True)
class _Fix:
    """A pose that a robot believes, and its speeds and the time then."""

    pose: Pose
    at_s: float
    ahead_mps: float
    left_mps: float
    turn_radps: float


class SensorFaults:
    """The faults of the sensors of a fleet. seed: of the run. sensors: of a robot, by its name."""

    def __init__(self, seed: int, sensors: Callable[[str], SensorSuite]) -> None:
        self._seed, self._sensors = seed, sensors
        self._faults: dict[str, list[SensorFault]] = {}      # of each robot that has any
        self._frozen: dict[tuple[str, str], Any] = {}        # by robot and sensor: what it repeats
        self._fixes: dict[str, _Fix] = {}                    # of robots whose localisation has dropped out
        self._miscounts: dict[tuple[str, str], _Miscount] = {}

    def set(self, faults: Iterable[SensorFault]) -> None:
        """These faults hold from now on, and no others."""
        self._faults = {}
        for fault in faults:
            self._faults.setdefault(fault.robot, []).append(fault)
        frozen = {(one.robot, one.sensor) for its in self._faults.values() for one in its if one.freeze}
        self._frozen = {key: value for key, value in self._frozen.items() if key in frozen}
        lost = {one.robot for its in self._faults.values() for one in its if one.dropout
                and isinstance(self._sensors(one.robot).sensors.get(one.sensor), Localisation)}
        self._fixes = {robot: fix for robot, fix in self._fixes.items() if robot in lost}

    def of(self, robot: str, seen: Observation, now_s: float) -> Observation:
        """What the robot's ailing sensors make of an observation at this time, seconds."""
        faults = self._faults.get(robot, ())
        if not faults and not self._miscounts:
            return seen
        sensors = self._sensors(robot).sensors
        for fault in faults:
            sensor = sensors.get(fault.sensor)
            if isinstance(sensor, Odometry) and fault.scale != 1.0:
                self._miscounts.setdefault((robot, fault.sensor), _Miscount())
        seen = self._miscounted(robot, faults, seen)
        for fault in faults:
            if (sensor := sensors.get(fault.sensor)) is not None:
                seen = self._ailing(fault, sensor, seen, now_s)
        return seen

    def _ailing(self, fault: SensorFault, sensor: AnySensor, seen: Observation, now_s: float) -> Observation:
        """The observation with one sensor's dropout, else with its freeze, else with its bias."""
        key = fault.robot, fault.sensor
        match sensor:
            case Camera():
                if fault.dropout:
                    return replace(seen, frame=None, capture=None)
                if fault.freeze and seen.frame is not None:
                    return replace(seen, frame=self._frozen.setdefault(key, seen.frame))
            case Lidar():
                if fault.dropout:
                    return replace(seen, scan=NO_SCAN)
                if fault.freeze:
                    return replace(seen, scan=self._frozen.setdefault(key, seen.scan))
                return replace(seen, scan=_longer(seen.scan, fault.by_m, sensor.range_m))
            case Localisation():
                if fault.dropout:
                    reckoned = self._reckoned(fault.robot, seen, now_s)
                    return _placed(seen, reckoned, lambda pose: _as_far(pose, seen.pose, reckoned))
                if fault.freeze:
                    frozen = self._frozen.setdefault(key, seen.pose)
                    return _placed(seen, frozen, lambda _: frozen)
                return _placed(seen, self._moved(fault, seen.pose), partial(self._moved, fault))
            case _:
                return self._read(fault, sensor, seen)
        return seen

    def _read(self, fault: SensorFault, sensor: AnySensor, seen: Observation) -> Observation:
        """The same of a sensor that has a reading."""
        reading = seen.readings.get(fault.sensor)
        if reading is None:
            return seen
        others = {name: one for name, one in seen.readings.items() if name != fault.sensor}
        if fault.dropout:
            return replace(seen, readings=others)
        values = reading.values
        if fault.freeze:
            values = self._frozen.setdefault((fault.robot, fault.sensor), values)
        elif isinstance(sensor, Range):
            (values,) = _longer(np.array([values]), fault.by_m, sensor.range_m).tolist()
        elif isinstance(sensor, Imu):
            by = fault.by_mps2, fault.by_mps2, fault.by_radps
            values = [value + more for value, more in zip(values, by, strict=True)]
        return replace(seen, readings={**others, fault.sensor: Reading(reading.age_s, tuple(values))})

    def _moved(self, fault: SensorFault, pose: Pose) -> Pose:
        """A pose that is wrong by a distance in a direction of this robot, and by an angle."""
        course = 2 * math.pi * draw.uniform(self._seed, "sensor fault", fault.robot, fault.sensor)
        return replace(
            pose, x_m=pose.x_m + fault.by_m * math.cos(course), y_m=pose.y_m + fault.by_m * math.sin(course),
            heading_rad=math.remainder(pose.heading_rad + fault.by_rad, 2 * math.pi))

    def _reckoned(self, robot: str, seen: Observation, now_s: float) -> Pose:
        """Dead reckoning: the last good pose goes on by the speeds of the robot, halfway between two observations."""
        then = self._fixes.get(robot)
        pose = seen.pose
        if then is not None:
            for_s = now_s - then.at_s
            turn = for_s * (then.turn_radps + seen.w_radps) / 2
            ahead = for_s * (then.ahead_mps + seen.v_mps) / 2
            left = for_s * (then.left_mps + seen.left_mps) / 2
            x_m, y_m = _on(then.pose, ahead, left, then.pose.heading_rad + turn / 2)
            pose = replace(seen.pose, x_m=x_m, y_m=y_m,
                           heading_rad=math.remainder(then.pose.heading_rad + turn, 2 * math.pi))
        self._fixes[robot] = _Fix(pose, now_s, seen.v_mps, seen.left_mps, seen.w_radps)
        return pose

    def _miscounted(self, robot: str, faults: Iterable[SensorFault], seen: Observation) -> Observation:
        """The readings of odometry that counts wrongly, or once did: what was miscounted stays."""
        scales = {fault.sensor: fault.scale for fault in faults}
        readings = dict(seen.readings)
        for name, reading in seen.readings.items():
            if (miscount := self._miscounts.get((robot, name))) is not None:
                readings[name] = Reading(reading.age_s, miscount.count(reading.values, scales.get(name, 1.0)))
        return replace(seen, readings=readings)


class _Miscount:
    """Odometry with the distances that it has counted wrongly. x, y and heading, in the frame of the start."""

    def __init__(self) -> None:
        self._true: tuple[float, ...] | None = None
        self._told = (0.0, 0.0)

    def count(self, true: tuple[float, ...], scale: float) -> tuple[float, ...]:
        """What is told for a true reading. scale: of the way since the reading before."""
        x_m, y_m, heading_rad = true
        if self._true is None:
            self._told = x_m, y_m
        else:
            dx, dy = x_m - self._true[0], y_m - self._true[1]
            self._told = self._told[0] + scale * dx, self._told[1] + scale * dy
        self._true = true
        return (*self._told, heading_rad)


def _placed(seen: Observation, pose: Pose, told: Callable[[Pose], Pose]) -> Observation:
    """The observation with another pose. told: what is told for that of its frame, if it has one of its own."""
    capture = seen.capture
    return replace(seen, pose=pose, capture=capture and replace(capture, pose=told(capture.pose)))


def _as_far(pose: Pose, true: Pose, believed: Pose) -> Pose:
    """A pose that is from the believed one where the given one is from the true one."""
    turn = believed.heading_rad - true.heading_rad
    x_m, y_m = _on(believed, pose.x_m - true.x_m, pose.y_m - true.y_m, turn)
    return replace(pose, x_m=x_m, y_m=y_m, heading_rad=math.remainder(pose.heading_rad + turn, 2 * math.pi))


def _on(pose: Pose, ahead_m: float, left_m: float, course_rad: float) -> tuple[float, float]:
    """Where a way leads from a pose."""
    c, s = math.cos(course_rad), math.sin(course_rad)
    return pose.x_m + c * ahead_m - s * left_m, pose.y_m + s * ahead_m + c * left_m


def _longer(ranges_m: np.ndarray[Any, np.dtype[Any]], by_m: float, range_m: float) -> np.ndarray[Any, np.dtype[Any]]:
    """Ranges that are longer by so much, 0 to the range of the sensor; one without a hit stays."""
    if not by_m:
        return ranges_m
    return np.where(ranges_m < range_m, np.clip(ranges_m + by_m, 0.0, range_m), ranges_m).astype(ranges_m.dtype)
