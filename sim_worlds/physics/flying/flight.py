"""The control and the rotors of quadrotors, all of them at once: cascaded loops in, forces and torques out.

A loop for the velocity (at the rate of commands) wants an acceleration; a loop for the attitude turns the thrust
towards it; a loop for the turn rates wants torques; they are mixed to the thrusts of four rotors, which follow with a
lag. The air drags against the velocity. Arrays have a column for each robot: most of the work is a few products.

Sources: of the structure, the controllers of PX4, and Lee, Leok, McClamroch, Geometric tracking control of a quadrotor
UAV on SE(3), CDC 2010; of the direction of the thrust as the attitude that counts, Brescianini, D'Andrea,
Tilt-prioritized quadrocopter attitude control, 2018. The gains are ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics import STEP_S
from sim_worlds.physics.bodies import TINY
from sim_worlds.robots import FlyingKind

GRAVITY_MPS2 = 9.81
CONTROL_EVERY = 2                    # steps between runs of the loops for attitude and turn rates: 120 Hz
VELOCITY_HZ, ATTITUDE_HZ, RATE_HZ = 2.0, 7.0, 20.0       # gains of the loops, each 1/s
STEEPEST_MPS2 = GRAVITY_MPS2         # of the wanted acceleration along the floor: a tilt of 45 degrees
LEAST_UP_MPS2 = 0.3 * GRAVITY_MPS2   # of the wanted thrust over mass: a falling quadrotor can still tilt

Reals = NDArray[np.float64]
Complex = NDArray[np.complex128]

_SIGNS = np.array([(1, 0, -1, 1), (1, 1, 0, -1), (1, 0, 1, 1), (1, -1, 0, -1)], float)
"""What thrust and torques ask of the rotors ahead, to the left, behind and to the right: those ahead and behind turn
clockwise, as seen from above."""
THRUST, ROLL, PITCH, YAW = range(4)                      # its columns
_MIX = _SIGNS[:, (PITCH, ROLL, THRUST, ROLL, PITCH, YAW)].copy()
"""The same of what the axes of a body see of the wanted direction (a thrust that points ahead is a wrong pitch), and of
the turn."""

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


class Flight:
    """The controllers and rotors of some quadrotors, hovering at first.

    turns: from the bodies to the world, [3, 3, q]; `turn_to` changes them.
    """

    def __init__(self, kinds: Sequence[FlyingKind], dt_s: float = CONTROL_EVERY * STEP_S) -> None:
        def of(values: Sequence[object]) -> Reals:
            return np.array(values, float).T

        q = len(kinds)
        self._mass_kg, drag = of([k.mass_kg for k in kinds]), of([k.drag_ns_per_m for k in kinds])
        self._drag, self._feed = drag, VELOCITY_HZ + drag / self._mass_kg
        self._most_n = np.tile(of([k.thrust_n for k in kinds]), (4, 1))
        self._arms = of([(1.0, k.arm_m, k.arm_m, k.torque_m) for k in kinds])
        spread = 1.0 / (self._arms * np.array([4.0, 2.0, 2.0, 4.0])[:, None])        # of thrust and torques to rotors
        stiff = RATE_HZ * of([k.inertia_kgm2 for k in kinds]) * spread[1:]           # a rotor's thrust for a rate
        self._thrust, self._yaw = spread[0], stiff[2] * _SIGNS[:, YAW:]
        lag = dt_s / of([k.motor_lag_s for k in kinds])
        self._left, self._mean = np.exp(-lag), -np.expm1(-lag) / lag     # of a difference: after a run, and on average
        self.thrusts_n = np.tile(self._mass_kg * GRAVITY_MPS2 / 4, (4, 1))           # of the rotors, [4, q]
        # In the world, a column for each axis: the direction of the wanted force, the turn, and the drag.
        self._world = np.zeros((3, 3, q))
        self._world[2, 0] = 1.0
        self._share = np.ones((3, 3, q))                     # of what the bodies see of these, to the rotors
        self._share[0] = ATTITUDE_HZ * stiff[1], -ATTITUDE_HZ * stiff[0], self._mass_kg * GRAVITY_MPS2 * spread[0]
        self._share[1] = -stiff
        self._turned = np.zeros((4, q))                      # thrusts for the wanted turn
        self._products, self._matrix = np.empty((4, 4, q)), np.empty((9, q))
        self.turns = self._matrix.reshape(3, 3, q)
        self._terms, self._seen = np.empty((3, 3, 3, q)), np.empty((3, 3, q))
        self._wanted, self._got = np.empty((4, q)), np.empty((6, q))

    def turn_to(self, quaternions: Reals, spins: Reals) -> None:
        """Take attitudes and turns: unit quaternions x, y, z, w, [4, q], and rad/s in the world, [3, q]."""
        np.multiply(quaternions[:, None], quaternions, out=self._products)
        np.matmul(_TURN, self._products.reshape(16, -1), out=self._matrix)
        self._world[:, 1] = spins

    def steer(self, wanted: Reals, change: Reals, heading: Complex, velocities: Reals) -> None:
        """Take the velocities that the robots want now, and by how much these change each second.

        wanted, change: ahead, turn, to the left and up, [4, q]. heading: as a unit complex number, [q].
        velocities: in the world, [3, q].
        """
        goal = wanted[0] + 1j * wanted[2]
        level = heading * (self._feed * goal + (change[0] + 1j * change[2]) + 1j * wanted[1] * goal)     # its frame turns
        level -= VELOCITY_HZ * (velocities[0] + 1j * velocities[1])
        level *= np.minimum(1.0, STEEPEST_MPS2 / np.maximum(np.abs(level), TINY))
        up = self._feed * wanted[3] - VELOCITY_HZ * velocities[2] + change[3] + GRAVITY_MPS2
        accel = np.array((level.real, level.imag, np.maximum(up, LEAST_UP_MPS2)))
        size = np.sqrt(np.add.reduce(accel * accel))
        np.divide(accel, size, out=self._world[:, 0])
        np.multiply(velocities, -self._drag, out=self._world[:, 2])      # it changes little until the next call
        np.multiply(self._mass_kg * size, self._thrust, out=self._share[0, 2])
        np.multiply(self._yaw, wanted[1], out=self._turned)

    def push(self) -> Reals:
        """One run of the inner loops and the rotors: mean forces and torques until the next, in the bodies' frames, [6, q].
        """
        np.multiply(self.turns[:, None], self._world[:, :, None], out=self._terms)
        seen = np.add.reduce(self._terms, axis=0, out=self._seen)
        seen *= self._share
        rotors = np.matmul(_MIX, seen[:2].reshape(6, -1), out=self._wanted)
        rotors += self._turned
        np.minimum(np.maximum(rotors, 0.0, out=rotors), self._most_n, out=rotors)
        ahead_of = self.thrusts_n - rotors
        self.thrusts_n = rotors + self._left * ahead_of
        ahead_of *= self._mean
        ahead_of += rotors
        out = self._got
        np.matmul(_SIGNS.T, ahead_of, out=out[2:])
        out[2:] *= self._arms
        out[:2] = seen[2, :2]
        out[2] += seen[2, 2]
        return out
