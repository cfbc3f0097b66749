"""The quadrotors that are rigid bodies: their states come from PyBullet, and their forces go there."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics.bodies import TINY, Ramps
from sim_worlds.physics.flying.flight import CONTROL_EVERY, Flight
from sim_worlds.robots import FlyingKind

if TYPE_CHECKING:
    from sim_worlds.physics.bullet import Bullet, Vector

Reals = NDArray[np.float64]

_first, _second, _all = itemgetter(0), itemgetter(1), chain.from_iterable


class Airborne:
    """Some robots of a world of rigid bodies, by index."""

    def __init__(self, bullet: Bullet, robots: Sequence[int], kinds: Sequence[FlyingKind]) -> None:
        self.robots = list(robots)
        first, last = self.robots[0], self.robots[-1]
        in_row = last - first + 1 == len(self.robots)
        self._rows = slice(first, last + 1) if in_row else np.array(self.robots)     # a slice is quicker
        self._bullet, self._flight = bullet, Flight(kinds)
        count = len(self.robots)
        self._pack7, self._pack6 = struct.Struct(f"{7 * count}d").pack, struct.Struct(f"{6 * count}d").pack
        self._steps = 0
        self._forces, self._torques = list["Vector"](), list["Vector"]()
        self._read()

    def push(self) -> None:
        """Control and rotors for the next step."""
        if self._steps % CONTROL_EVERY == 0:
            pushes = self._flight.push()
            forces, torques = (iter(part.T.ravel().tolist()) for part in (pushes[:3], pushes[3:]))
            self._forces, self._torques = list(zip(*[forces] * 3, strict=True)), list(zip(*[torques] * 3, strict=True))
        self._bullet.push(self.robots, self._forces, self._torques)
        self._steps += 1

    def read(self) -> None:
        """Read the states after a step, where control runs next."""
        if self._steps % CONTROL_EVERY == 0:
            self._read()

    def _read(self) -> None:
        self._places, self._velocities = self._bullet.states(self.robots)
        count = 4 * len(self.robots)
        state = np.frombuffer(self._pack7(*_all(map(_second, self._places)), *_all(map(_second, self._velocities))))
        self._spins = state[count:].reshape(-1, 3).T
        self._flight.turn_to(state[:count].reshape(-1, 4).T, self._spins)

    def update(self, ramps: Ramps, after: Reals, dt_s: float, places: Reals, speeds: Reals, left_up: Reals) -> None:
        """Write the states into the arrays of the fleet, see `Motion`, and steer by the wanted velocities.

        after: of all robots, `dt_s` from now, see `Ramps.after`.
        """
        r, rows = self._flight.turns, self._rows
        count = 3 * len(self.robots)
        state = np.frombuffer(self._pack6(*_all(map(_first, self._places)), *_all(map(_first, self._velocities))))
        at, velocities = state[:count].reshape(-1, 3).T, state[count:].reshape(-1, 3).T
        nose = r[0, 0] + 1j * r[1, 0]
        level = np.abs(nose)                                 # 0 where it points up or down
        nose /= np.maximum(level, TINY)
        heading, pitch, roll = np.arctan2((r[1, 0], -r[2, 0], r[2, 1]), (r[0, 0], level, r[2, 2]))
        now = nose.conj() * (velocities[0] + 1j * velocities[1])
        places[rows] = np.array((*at[:2], heading, at[2], roll, pitch)).T
        speeds[rows] = np.array((now.real, self._spins[2])).T
        left_up[rows] = np.array((now.imag, velocities[2])).T
        wanted, before = after[rows].T, ramps.speeds[rows].T
        self._flight.steer(wanted, (wanted - before) / dt_s, nose, velocities)
        ramps.speeds[rows] = wanted.T
