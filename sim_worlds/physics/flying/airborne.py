"""The quadrotors that are rigid bodies: their states come from PyBullet, and their forces go there."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics import UPDATE_EVERY
from sim_worlds.physics.bodies import Ramps
from sim_worlds.physics.flying import CONTROL_EVERY
from sim_worlds.physics.flying.flight import Flight
from sim_worlds.physics.flying.loops import TURNS
from sim_worlds.robots import FlyingKind

if TYPE_CHECKING:
    from sim_worlds.physics.bullet import Bullet, Vector

Reals = NDArray[np.float64]

_first, _second, _flat = itemgetter(0), itemgetter(1), chain.from_iterable
_triples = struct.Struct("3d").iter_unpack


class Airborne:
    """Some robots of a world of rigid bodies, by index. Their control runs each CONTROL_EVERY steps."""

    def __init__(self, bullet: Bullet, robots: Sequence[int], kinds: Sequence[FlyingKind]) -> None:
        self.robots = list(robots)
        self._bullet, self._flight = bullet, Flight(robots, kinds)
        count = len(self._flight.state)                      # `struct` is quicker than NumPy with so many tuples
        turns = TURNS * len(self.robots)
        self._turns, self._rest = struct.Struct(f"{turns}d").pack_into, struct.Struct(f"{count - turns}d").pack_into
        self._numbers, self._rest_at = self._flight.state.data, struct.calcsize(f"{turns}d")
        self._force_numbers, self._torque_numbers = (pushes.data for pushes in self._flight.pushes)
        self._steps = 0
        self._forces, self._torques = list["Vector"](), list["Vector"]()
        self.read()

    def push(self) -> None:
        """Forces and torques for the next step."""
        if self._steps % CONTROL_EVERY == 0:
            self._flight.push()
            self._forces, self._torques = list(_triples(self._force_numbers)), list(_triples(self._torque_numbers))
        self._bullet.push(self.robots, self._forces, self._torques)
        self._steps += 1

    def read(self) -> None:
        """Read the states after a step, where control runs next: of what it needs then, no more."""
        if self._steps % CONTROL_EVERY == 0:
            places, velocities = self._bullet.states(self.robots)
            self._turns(self._numbers, 0, *_flat(map(_second, places)), *_flat(map(_second, velocities)))
            if self._steps % UPDATE_EVERY == 0:
                self._rest(self._numbers, self._rest_at, *_flat(map(_first, places)), *_flat(map(_first, velocities)))

    def steer(self, ramps: Ramps, dt_s: float, places: Reals, speeds: Reals, left_up: Reals) -> None:
        """See `Flight.steer`."""
        self._flight.steer(ramps, dt_s, places, speeds, left_up)
