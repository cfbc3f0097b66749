"""The batteries of a fleet. They belong to the world, which knows motion and chargers; agents tell it the rest.

A battery gives what is asked of it until it is empty: neither its voltage nor its losses are simulated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim_worlds.energy.motion_power import MotionPower
from sim_worlds.environment import Charger
from sim_worlds.physics.motion import Motion
from sim_worlds.robots import RobotKind
from swarm.core.protocol.sensors import Reading
from swarm.core.protocol.world import BatteryState
from swarm.core.settings.process_files import RobotSpec

JOULES_PER_WH = 3600.0
STANDS_MPS, STANDS_RADPS = 0.02, 0.05        # a robot that is not faster stands, and can be charged


class Batteries:
    """By index in the fleet; robots without one are never empty.

    Raises: ValueError for the platform's battery of a kind that has none.
    """

    def __init__(self, fleet: Sequence[RobotSpec], kinds: Sequence[RobotKind], chargers: Sequence[Charger]) -> None:
        self.there = np.array([robot.battery_wh is not None for robot in fleet], bool)
        wh = [_full_wh(*each) for each in zip(fleet, kinds, strict=True)]
        self._full_j = np.array(wh) * JOULES_PER_WH
        self._left_j = self._full_j * [robot.charge for robot in fleet]
        self._power = MotionPower(kinds)
        self._chargers = chargers
        self.empty = np.zeros(len(fleet), bool)
        self._used_j = np.zeros((len(fleet), 3))             # compute, radio, motion
        self._charged_j = np.zeros(len(fleet))
        self._told: dict[int, tuple[int, float, float]] = {}         # boot, compute, radio

    def pass_time(self, motion: Motion, on: NDArray[np.bool_], dt_s: float) -> list[int]:
        """The last `dt_s` passed. on: the robots that are switched on. Returns those that are empty from now on."""
        used_j = np.where(on & self.there, self._power.joules(motion.speeds, motion.left_up, dt_s), 0.0)
        self._used_j[:, 2] += used_j
        self._left_j -= used_j
        if self._chargers:
            self._charge(motion, on & self.there, dt_s)
        ran_out = np.flatnonzero(self.there & ~self.empty & (self._left_j <= 0.0)).tolist()
        self._left_j = np.maximum(self._left_j, 0.0)
        self.empty[ran_out] = True
        return ran_out

    def used(self, robot: int, boot: int, compute_j: float, radio_j: float) -> None:
        """What one start of an agent has used in all. A message that came late or twice changes nothing."""
        known_boot, compute, radio = self._told.get(robot, (0, 0.0, 0.0))
        if boot != known_boot:
            compute = radio = 0.0
        grown = np.maximum([compute_j - compute, radio_j - radio], 0.0)
        self._told[robot] = boot, max(compute_j, compute), max(radio_j, radio)
        if self.there[robot]:
            self._used_j[robot, :2] += grown
            self._left_j[robot] = max(self._left_j[robot] - grown.sum(), 0.0)

    def reading(self, robot: int) -> Reading:
        """What the sensor `Battery` of a robot reads now."""
        left_j = float(self._left_j[robot])
        return Reading(0.0, (left_j / float(self._full_j[robot]), left_j / JOULES_PER_WH))

    def states(self, names: list[str]) -> dict[str, BatteryState]:
        """The state of each battery, by the name of its robot."""
        charge = (self._left_j / self._full_j).tolist()
        used, charged, empty = self._used_j.tolist(), self._charged_j.tolist(), self.empty.tolist()
        return {names[i]: BatteryState(
            charge=charge[i], compute_j=used[i][0], radio_j=used[i][1], motion_j=used[i][2], charged_j=charged[i],
            empty=empty[i]) for i in np.flatnonzero(self.there).tolist()}

    def _charge(self, motion: Motion, on: NDArray[np.bool_], dt_s: float) -> None:
        """Charge the robots that stand at a charger, until they are full."""
        stands = on & ~self.empty & (np.abs(motion.speeds) <= (STANDS_MPS, STANDS_RADPS)).all(axis=1)
        stands &= (np.abs(motion.left_up) <= STANDS_MPS).all(axis=1) & ~motion.bodies.flies
        for charger in self._chargers:
            away_m = np.hypot(motion.at[:, 0] - charger.x_m, motion.at[:, 1] - charger.y_m)
            there = stands & (away_m <= charger.radius_m)
            given_j = np.where(there, np.minimum(charger.power_w * dt_s, self._full_j - self._left_j), 0.0)
            self._left_j += given_j
            self._charged_j += given_j


def any_battery(fleet: Sequence[RobotSpec]) -> bool:
    """Whether any robot has one."""
    return any(robot.battery_wh is not None for robot in fleet)


def _full_wh(robot: RobotSpec, kind: RobotKind) -> float:
    """1 for a robot without a battery: nothing is taken from it."""
    if robot.battery_wh != "platform":
        return 1.0 if robot.battery_wh is None else robot.battery_wh
    if kind.battery_wh is None:
        raise ValueError(f"robot {robot.name}: the battery of its platform is not known; state battery_wh in Wh")
    return kind.battery_wh
