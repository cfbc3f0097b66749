"""The power that robots of each kind take to move, and to keep their sensors and electronics on.

A robot that drives, with half of its weight on each wheel:

    P = idle + (rolling m g (|v - w track / 2| + |v + w track / 2|) / 2 + growth of its kinetic energy) / efficiency

One that flies, by momentum theory in hover (Leishman, Principles of Helicopter Aerodynamics, 2nd ed. 2006, 2.13), with
the area A of all rotors and the thrust m g:

    P = idle + (sqrt((m g)^3 / (2 rho A)) + m g max(climb, 0) + drag v^2) / efficiency

Not counted: slopes, since floors are level; wheels that slip or push against a wall; turns in the air.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics import GRAVITY_MPS2
from sim_worlds.robots import DrivingKind, FlyingKind, RobotKind

AIR_KG_PER_M3 = 1.225                # at sea level and 15 degrees: International Standard Atmosphere
ROTORS = 4

Reals = NDArray[np.float64]


def hover_w(kind: FlyingKind) -> float:
    """What its motors take while it hovers."""
    thrust_n = kind.mass_kg * GRAVITY_MPS2
    area_m2 = ROTORS * math.pi * kind.rotor_radius_m ** 2
    return math.sqrt(thrust_n ** 3 / (2 * AIR_KG_PER_M3 * area_m2)) / kind.efficiency


class MotionPower:
    """The kinds of a fleet, by index."""

    def __init__(self, kinds: Sequence[RobotKind]) -> None:
        self._idle_w = np.array([kind.idle_w for kind in kinds])
        self._mass_kg = np.array([kind.mass_kg for kind in kinds])
        self._efficiency = np.array([kind.efficiency for kind in kinds])
        self._flies = np.array([isinstance(kind, FlyingKind) for kind in kinds], bool)
        self._hover_w = np.array([hover_w(kind) if isinstance(kind, FlyingKind) else 0.0 for kind in kinds])
        self._drag = np.array([kind.drag_ns_per_m if isinstance(kind, FlyingKind) else 0.0 for kind in kinds])
        self._half_m = np.array([kind.track_m / 2 if isinstance(kind, DrivingKind) else 0.0 for kind in kinds])
        self._roll_n = self._mass_kg * GRAVITY_MPS2 * np.array(
            [kind.rolling if isinstance(kind, DrivingKind) else 0.0 for kind in kinds])
        self._kinetic_j = np.zeros(len(kinds))       # of those that drive, at the last call

    def joules(self, speeds: Reals, left_up: Reals, dt_s: float) -> Reals:
        """The energy of the last `dt_s`, [n], at these speeds, as of `Motion`: [n, 2] each."""
        v, turn = np.abs(speeds[:, 0]), np.abs(speeds[:, 1]) * self._half_m
        wheels_mps = np.maximum(v, turn)             # the mean of |v - turn| and |v + turn|
        kinetic_j = 0.5 * self._mass_kg * v * v
        grown_j = np.where(self._flies, 0.0, np.maximum(kinetic_j - self._kinetic_j, 0.0))
        self._kinetic_j = kinetic_j
        air_w = self._mass_kg * GRAVITY_MPS2 * np.maximum(left_up[:, 1], 0.0) + self._drag * (
            v * v + left_up[:, 0] ** 2 + left_up[:, 1] ** 2)
        moving_w = self._roll_n * wheels_mps + np.where(self._flies, air_w, 0.0)
        return (self._idle_w + self._hover_w + moving_w / self._efficiency) * dt_s + grown_j / self._efficiency
