"""The quadrotors that are rigid bodies: their states come from PyBullet, and their forces go there."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics.bodies import TINY, Ramps
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
        state = _columns([turn + spin for (_, turn), (_, spin) in zip(self._places, self._velocities, strict=True)], 7)
        self._turns, self._spins = rotations(state[:4]), state[4:]

    def push(self) -> None:
        """Control and rotors for the next step."""
        x, y, z, *torques = self._flight.push(self._turns, self._spins).tolist()
        self._bullet.push(self.robots, self._places, list(zip(x, y, z, strict=True)), list(zip(*torques, strict=True)))

    def update(self, ramps: Ramps, after: Reals, dt_s: float, places: Reals, speeds: Reals, left_up: Reals) -> None:
        """Write the states into the arrays of the fleet, see `Motion`, and steer by the wanted velocities.

        after: of all robots, `dt_s` from now, see `Ramps.after`.
        """
        r, rows = self._turns, self._rows
        state = _columns([at + velocity for (at, _), (velocity, _) in zip(
            self._places, self._velocities, strict=True)], 6)
        (x, y, z), velocities = state[:3], state[3:]
        level = np.hypot(r[0, 0], r[1, 0])                   # of the nose: 0 where it points up or down
        heading, pitch, roll = np.arctan2((r[1, 0], -r[2, 0], r[2, 1]), (r[0, 0], level, r[2, 2]))
        c, s = r[:2, 0] / np.maximum(level, TINY)
        ahead, left = c * velocities[0] + s * velocities[1], c * velocities[1] - s * velocities[0]
        places[rows] = np.array((x, y, heading, z, roll, pitch)).T
        speeds[rows] = np.array((ahead, self._spins[2])).T
        left_up[rows] = np.array((left, velocities[2])).T
        wanted, before = after[rows].T, ramps.speeds[rows].T
        self._flight.steer(wanted, (wanted - before) / dt_s, (c, s), (ahead, left, velocities[2]), velocities)
        ramps.speeds[rows] = wanted.T


def _columns(rows: Sequence[Sequence[float]], size: int) -> Reals:
    """A column for each robot, [size, q]. `struct` is quicker than NumPy with so many tuples."""
    packed = struct.pack(f"{size * len(rows)}d", *itertools.chain.from_iterable(rows))
    return np.frombuffer(packed).reshape(-1, size).T.copy()
