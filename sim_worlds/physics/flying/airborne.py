"""The quadrotors that are rigid bodies: their states come from PyBullet, and their forces go there."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics.flying.flight import Flight, rotations
from sim_worlds.robots import FlyingKind

if TYPE_CHECKING:
    from sim_worlds.physics.bullet import Bullet, Place, Velocity

Reals = NDArray[np.float64]


class Airborne:
    """Some robots of a world of rigid bodies, by index."""

    def __init__(self, bullet: Bullet, robots: Sequence[int], kinds: Sequence[FlyingKind]) -> None:
        self.robots = list(robots)
        self._bullet, self._flight = bullet, Flight(kinds)
        self.read()

    def read(self) -> None:
        """Read the states after a step."""
        self._places, velocities = self._bullet.states(self.robots)
        self._at, self._moves = _columns(self._places, 7), _columns(velocities, 6)
        self._turns = rotations(self._at[3:])

    def push(self) -> None:
        """Control and rotors for the next step."""
        forces, torques = self._flight.push(self._turns, self._moves[:3], self._moves[3:])
        self._bullet.push(self.robots, self._places, forces.T.tolist(), torques.T.tolist())

    def steer(self, wanted: Reals, change: Reals) -> None:
        """Take wanted velocities and their change, see `Flight.steer`."""
        self._flight.steer(wanted, change, self._heading_rad(), self._moves[:3])

    def into(self, places: Reals, speeds: Reals, left_up: Reals) -> None:
        """Write the states of these robots into the arrays of the fleet; see `Motion`."""
        r, robots, heading = self._turns, self.robots, self._heading_rad()
        (vx, vy, vz), c, s = self._moves[:3], np.cos(heading), np.sin(heading)
        roll, pitch = np.arctan2(r[2, 1], r[2, 2]), np.arcsin(np.clip(-r[2, 0], -1.0, 1.0))
        places[robots] = np.stack([self._at[0], self._at[1], heading, self._at[2], roll, pitch], axis=1)
        speeds[robots] = np.stack([c * vx + s * vy, self._moves[5]], axis=1)
        left_up[robots] = np.stack([c * vy - s * vx, vz], axis=1)

    def _heading_rad(self) -> Reals:
        return np.arctan2(self._turns[1, 0], self._turns[0, 0])


def _columns(states: Sequence[Place | Velocity], size: int) -> Reals:
    """A column for each robot, [size, q]."""
    flat = itertools.chain.from_iterable(itertools.chain.from_iterable(states))
    return np.ascontiguousarray(np.fromiter(flat, float, size * len(states)).reshape(-1, size).T)
