"""The errors of an IMU by its Allan-variance parameters: white noise, and a bias that wanders at random.

Model: measured = true + bias(t) + noise(t). The noise is white with density N: a reading that is the mean over T has
the standard deviation N / sqrt(T). The bias is a Wiener process of strength K: in T it changes by K sqrt(T) x a normal
number. Then the Allan deviation is N / sqrt(tau) for short times tau and K sqrt(tau / 3) for long ones. Sources: IEEE
Std 952-1997, annex C; Kalibr's IMU noise model, github.com/ethz-asl/kalibr/wiki/IMU-Noise-Model.

All numbers are drawn in blocks, keyed by seed, robot, sensor and block, so that each has its place in a table: a
reading that nobody asks for shifts no other.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarm.core.policy import draw
from swarm.core.protocol.sensors import Imu

BLOCK = 1024                         # rows of the tables that are drawn at once
WALK_S = 0.1                         # the bias wanders in steps of so much time

Reals = NDArray[np.float64]


class ImuErrors:
    """Errors of the IMU of one robot: of the accelerations ahead and to the left, and of the turn rate."""

    def __init__(self, sensor: Imu, seed: int, robot: str, name: str) -> None:
        self._key = seed, "sensor", robot, name
        self._density = np.array([sensor.noise_mps2_per_rthz] * 2 + [sensor.noise_radps_per_rthz])
        step = math.sqrt(WALK_S) * np.array([sensor.walk_mps3_per_rthz] * 2 + [sensor.walk_radps2_per_rthz])
        self._walk = step if step.any() else None
        self._bias = self._drawn("bias", 0, 1)[0] * [sensor.bias_mps2, sensor.bias_mps2, sensor.bias_radps]
        self._blocks: dict[str, tuple[int, Reals]] = {}      # of each table the last block that was asked for
        self._starts = [np.zeros(3)]                         # where the bias has wandered to before each block

    def of(self, numbers: NDArray[np.intp], times_s: Reals, period_s: float) -> Reals:
        """The errors of readings, [k, 3], each the mean over a period. numbers: of the readings, ascending, [k]."""
        errors = self._bias + self._density / math.sqrt(period_s) * self._rows("noise", numbers)
        if self._walk is not None:
            errors += self._wandered((times_s / WALK_S).astype(np.intp))
        return errors

    def _wandered(self, steps: NDArray[np.intp]) -> Reals:
        """How far the bias is from its start after so many steps, [k, 3]."""
        assert self._walk is not None
        for block in range(len(self._starts), int(steps.max(initial=0)) // BLOCK + 1):
            self._starts.append(self._starts[-1] + self._block("walk", block - 1)[-1] * self._walk)
        starts = np.array(self._starts)[steps // BLOCK]
        return starts + self._rows("walk", steps) * self._walk

    def _rows(self, table: str, numbers: NDArray[np.intp]) -> Reals:
        """Rows of a table, [k, 3]."""
        ends = np.flatnonzero(np.diff(numbers // BLOCK)) + 1
        return np.concatenate([
            self._block(table, int(part[0]) // BLOCK)[part % BLOCK] for part in np.split(numbers, ends)])

    def _block(self, table: str, block: int) -> Reals:
        """A block of normal numbers, [BLOCK, 3]; of the walk their sums."""
        known = self._blocks.get(table)
        if known is None or known[0] != block:
            drawn = self._drawn(table, block, BLOCK)
            known = self._blocks[table] = block, np.cumsum(drawn, axis=0) if table == "walk" else drawn
        return known[1]

    def _drawn(self, table: str, block: int, rows: int) -> Reals:
        seed, *names = self._key
        key = draw.integer(int(seed), *names, table, block)
        return np.random.Generator(np.random.Philox(key=key)).standard_normal((rows, 3))
