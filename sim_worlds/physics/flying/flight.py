"""The control and the rotors of quadrotors, all of them at once: cascaded loops in, forces and torques out.

A loop for the velocity (at the rate of commands) wants an acceleration; a loop for the attitude turns the thrust
towards it; a loop for the turn rates wants torques; they are mixed to the thrusts of four rotors, which follow with a
lag. The air drags against the velocity.

Sources: of the structure, the controllers of PX4, and Lee, Leok, McClamroch, Geometric tracking control of a quadrotor
UAV on SE(3), CDC 2010; of the direction of the thrust as the attitude that counts, Brescianini, D'Andrea,
Tilt-prioritized quadrocopter attitude control, 2018. The gains are ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics import GRAVITY_MPS2, STEP_S
from sim_worlds.physics.bodies import Ramps
from sim_worlds.physics.flying import CONTROL_EVERY
from sim_worlds.physics.flying.loops import FIGURES, STATE, WANTED, control, steer
from sim_worlds.robots import FlyingKind

Reals = NDArray[np.float64]


class Flight:
    """The controllers and rotors of some quadrotors, by their rows in the arrays of a fleet; hovering at first.

    state: see `loops.py`, [13 q]; whoever has it writes it here. pushes: the mean forces and torques between two runs
    of `push`, in the bodies' frames, [2, q, 3].
    """

    def __init__(self, rows: Sequence[int], kinds: Sequence[FlyingKind], dt_s: float = CONTROL_EVERY * STEP_S) -> None:
        self._rows = np.array(rows, np.intp)
        self._figures = np.array([_figures(kind, dt_s) for kind in kinds], FIGURES)
        self._wanted = np.array([(k.mass_kg * GRAVITY_MPS2, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0) for k in kinds], WANTED)
        self._thrusts_n = np.repeat(self._wanted["pull_n"][:, None] / 4, 4, axis=1)
        self.pushes = np.zeros((2, len(kinds), 3))
        self.state = np.zeros(STATE * len(kinds))

    def push(self) -> None:
        """A run of the inner loops and the rotors: it writes `pushes`."""
        control(self.state, self._figures, self._wanted, self._thrusts_n, self.pushes)

    def steer(self, ramps: Ramps, dt_s: float, places: Reals, speeds: Reals, left_up: Reals) -> None:
        """Write the states into the arrays of the fleet, see `Motion`; steer by what is wanted `dt_s` from now."""
        steer(self.state, self._figures, self._wanted, self._rows, ramps.commands, ramps.speeds, dt_s, places, speeds,
              left_up)


def _figures(kind: FlyingKind, dt_s: float) -> tuple[float, ...]:
    lags = dt_s / kind.motor_lag_s
    return (kind.mass_kg, kind.drag_ns_per_m, *kind.inertia_kgm2, kind.arm_m, kind.torque_m, kind.thrust_n,
            kind.v_ramp_mps2, kind.w_ramp_radps2, kind.up_ramp_mps2, math.exp(-lags), -math.expm1(-lags) / lags)
