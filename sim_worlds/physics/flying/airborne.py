"""The quadrotors that are rigid bodies: their states come from PyBullet, and their forces go there."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics.bodies import Ramps
from sim_worlds.physics.flying.flight import Flight, rotations
from sim_worlds.robots import FlyingKind

if TYPE_CHECKING:
    from sim_worlds.physics.bullet import Bullet

Reals = NDArray[np.float64]


class Airborne:
    """Some robots of a world of rigid bodies, by index."""

    def __init__(self, bullet: Bullet, robots: Sequence[int], kinds: Sequence[FlyingKind]) -> None:
        self.robots = list(robots)
        first, last = self.robots[0], self.robots[-1]
        in_row = last - first + 1 == len(self.robots)
        self._rows = slice(first, last + 1) if in_row else np.array(self.robots)     # a slice is quicker
        self._bullet, self._flight = bullet, Flight(kinds)
        self.read()

    def read(self) -> None:
        """Read the states after a step."""
        self._places, self._velocities = self._bullet.states(self.robots)
        self._turns = rotations(_columns([quaternion for _, quaternion in self._places], 4))
        self._spins = _columns([spin for _, spin in self._velocities], 3)

    def push(self) -> None:
        """Control and rotors for the next step."""
        forces, torques = self._flight.push(self._turns, self._spins)
        self._bullet.push(self.robots, self._places, list(zip(*forces.tolist(), strict=True)),
                          list(zip(*torques.tolist(), strict=True)))

    def update(self, ramps: Ramps, after: Reals, dt_s: float, places: Reals, speeds: Reals, left_up: Reals) -> None:
        """Write the states into the arrays of the fleet, see `Motion`, and steer by the wanted velocities.

        after: of all robots, `dt_s` from now, see `Ramps.after`.
        """
        r, rows, at, spins = self._turns, self._rows, _columns([at for at, _ in self._places], 3), self._spins
        velocities = _columns([velocity for velocity, _ in self._velocities], 3)
        heading = np.arctan2(r[1, 0], r[0, 0])
        c, s = np.cos(heading), np.sin(heading)
        places[rows, 0], places[rows, 1], places[rows, 2], places[rows, 3] = at[0], at[1], heading, at[2]
        places[rows, 4], places[rows, 5] = np.arctan2(r[2, 1], r[2, 2]), np.arcsin(np.clip(-r[2, 0], -1.0, 1.0))
        speeds[rows, 0], speeds[rows, 1] = c * velocities[0] + s * velocities[1], spins[2]
        left_up[rows, 0], left_up[rows, 1] = c * velocities[1] - s * velocities[0], velocities[2]
        wanted, before = after[rows], ramps.speeds[rows]
        self._flight.steer(wanted.T, (wanted - before).T / dt_s, (c, s), velocities)
        ramps.speeds[rows] = wanted


def _columns(rows: Sequence[Sequence[float]], size: int) -> Reals:
    """A column for each robot, [size, q]."""
    return np.fromiter(itertools.chain.from_iterable(rows), float, size * len(rows)).reshape(-1, size).T.copy()
