"""The control and the rotors of quadrotors, all of them at once: cascaded loops in, forces and torques out.

A loop for the velocity (at the rate of commands) wants an acceleration; a loop for the attitude turns the thrust
towards it; a loop for the turn rates wants torques; they are mixed to the thrusts of four rotors, which follow with a
lag. The air drags against the velocity. Arrays have a column for each robot: most of the work is a few products.

Sources: of the structure, the controllers of PX4, and Lee, Leok, McClamroch, Geometric tracking control of a quadrotor
UAV on SE(3), CDC 2010; of the direction of the thrust as the attitude that counts, Brescianini, D'Andrea,
Tilt-prioritized quadrocopter attitude control, 2018. The gains are ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics import STEP_S
from sim_worlds.physics.bodies import TINY
from sim_worlds.robots import FlyingKind

GRAVITY_MPS2 = 9.81
VELOCITY_HZ, ATTITUDE_HZ, RATE_HZ = 2.0, 7.0, 20.0       # gains of the loops, each 1/s
STEEPEST_MPS2 = GRAVITY_MPS2         # of the wanted acceleration along the floor: a tilt of 45 degrees
LEAST_UP_MPS2 = 0.3 * GRAVITY_MPS2   # of the wanted thrust over mass: a falling quadrotor can still tilt

Reals = NDArray[np.float64]

_SIGNS = np.array([(1, 0, -1, 1), (1, 1, 0, -1), (1, 0, 1, 1), (1, -1, 0, -1)], float)
"""What thrust and torques ask of the rotors ahead, to the left, behind and to the right: those ahead and behind turn
clockwise, as seen from above."""

# The rotation matrix of a quaternion x, y, z, w is linear in the products of two of its numbers, here in rows of 16.
_TURN = np.zeros((3, 3, 4, 4))
for _k in range(3):
    _TURN[_k, _k, 3, 3] = 1.0
    for _j in range(3):
        _TURN[_k, _k, _j, _j] += 1.0 if _j == _k else -1.0
        _TURN[_k, _j, _k, _j] += 2.0 if _j != _k else 0.0
for _i, _j, _k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    _TURN[_i, _j, _k, 3] -= 2.0
    _TURN[_j, _i, _k, 3] += 2.0
_TURN = _TURN.reshape(9, 16)


def rotations(quaternions: Reals) -> Reals:
    """The rotation matrices of unit quaternions x, y, z, w, [4, q]: [3, 3, q], from the body to the world."""
    products = quaternions[:, None] * quaternions
    return (_TURN @ products.reshape(16, -1)).reshape(3, 3, -1)


class Flight:
    """The controllers and rotors of some quadrotors, hovering at first."""

    def __init__(self, kinds: Sequence[FlyingKind], dt_s: float = STEP_S) -> None:
        def of(values: Sequence[object]) -> Reals:
            return np.array(values, float).T

        self._mass_kg, self._drag = of([k.mass_kg for k in kinds]), of([k.drag_ns_per_m for k in kinds])
        self._feed = self._drag / self._mass_kg
        self._stiff = RATE_HZ * of([k.inertia_kgm2 for k in kinds])                  # torque for a rate, [3, q]
        self._most_n = of([k.thrust_n for k in kinds])
        arms = of([(1.0, k.arm_m, k.arm_m, k.torque_m) for k in kinds])
        self._spread = 1.0 / (arms * np.array([4.0, 2.0, 2.0, 4.0])[:, None])        # of thrust and torques to rotors
        self._arms = arms
        self._follow = of([1.0 - math.exp(-dt_s / k.motor_lag_s) for k in kinds])
        self.thrusts_n = np.tile(self._mass_kg * GRAVITY_MPS2 / 4, (4, 1))           # of the rotors, [4, q]
        self._pull = self._mass_kg * GRAVITY_MPS2            # wanted force
        self._along = np.zeros((3, len(kinds)))              # its direction, in the world
        self._along[2] = 1.0
        self._dragged = np.zeros((3, len(kinds)))            # force of the air
        self._rates = np.zeros((3, len(kinds)))              # wanted, in the body's frame
        self._asked, self._out = np.zeros((4, len(kinds))), np.zeros((6, len(kinds)))

    def steer(self, wanted: Reals, change: Reals, heading: tuple[Reals, Reals],
              now: tuple[Reals, Reals, Reals], velocities: Reals) -> None:
        """Take the velocities that the robots want now, and by how much these change each second.

        wanted, change: ahead, turn, to the left and up, [4, q]. heading: its cosine and sine. now: the velocities
        ahead, to the left and up. velocities: the same in the world, [3, q].
        """
        (v, w, left, up), (dv, _, dleft, dup), (c, s) = wanted, change, heading
        goal = np.array((v, left, up))
        accel = VELOCITY_HZ * (goal - now) + self._feed * goal
        accel[0] += dv - w * left                            # the frame of the command turns
        accel[1] += dleft + w * v
        accel[:2] *= np.minimum(1.0, STEEPEST_MPS2 / np.maximum(np.hypot(accel[0], accel[1]), TINY))
        accel[2] = np.maximum(accel[2] + dup + GRAVITY_MPS2, LEAST_UP_MPS2)
        ahead, aside, _ = accel
        accel[:2] = c * ahead - s * aside, s * ahead + c * aside
        size = np.sqrt(np.add.reduce(accel * accel))
        self._along, self._pull = accel / size, self._mass_kg * size
        self._dragged = self._drag * velocities              # it changes little until the next call
        self._rates[2] = w

    def push(self, turns: Reals, spins: Reals) -> Reals:
        """One step of the inner loops and the rotors: forces in the world, and torques in the body's frame, [6, q].

        turns: `rotations`, [3, 3, q]. spins: in the world, [3, q], rad/s.
        """
        asked, rates = self._asked, self._rates
        along = np.add.reduce(turns * self._along[:, None])  # in the body's frame, as the spins
        np.multiply(along[0], ATTITUDE_HZ, out=rates[1])
        np.multiply(along[1], -ATTITUDE_HZ, out=rates[0])
        np.multiply(along[2], self._pull, out=asked[0])
        np.multiply(rates - np.add.reduce(turns * spins[:, None]), self._stiff, out=asked[1:])
        asked *= self._spread
        rotors = _SIGNS @ asked
        np.minimum(np.maximum(rotors, 0.0, out=rotors), self._most_n, out=rotors)
        self.thrusts_n += self._follow * (rotors - self.thrusts_n)
        got = (_SIGNS.T @ self.thrusts_n) * self._arms
        out = self._out
        np.subtract(turns[:, 2] * got[0], self._dragged, out=out[:3])
        out[3:] = got[1:]
        return out
