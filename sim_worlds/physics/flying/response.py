"""The step response of a quadrotor's velocity in closed form.

For small commands, away from all limits, each axis along the floor is linear: tilt t, rate q, angular acceleration c,
velocity v, and the wanted velocity r, which changes by s each second:

    v' = g t - d v        g (wanted t) = VELOCITY_HZ (r - v) + d r + s        d = drag / mass
    t' = q                q' = c        c' = (RATE_HZ (ATTITUDE_HZ (wanted t - t) - q) - c) / motor lag
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics import GRAVITY_MPS2
from sim_worlds.physics.flying import ATTITUDE_HZ, RATE_HZ, VELOCITY_HZ
from sim_worlds.robots import FlyingKind

Reals = NDArray[np.float64]


def response(kind: FlyingKind, times_s: Reals, ramp_s: float, step_mps: float) -> Reals:
    """The velocity at some times after a command of `step_mps` at rest, by the equations of this file.

    The wanted velocity goes there in `ramp_s`. While it changes evenly, the state is a straight line and a sum of the
    exponentials of the eigenvalues.
    """
    drag, lag = kind.drag_ns_per_m / kind.mass_kg, kind.motor_lag_s
    stiff = RATE_HZ * ATTITUDE_HZ / GRAVITY_MPS2 / lag
    matrix = np.zeros((4, 6))            # velocity, tilt, rate, angular acceleration; wanted, change
    matrix[0, :2] = -drag, GRAVITY_MPS2
    matrix[1, 2] = matrix[2, 3] = 1.0
    matrix[3] = (-stiff * VELOCITY_HZ, -RATE_HZ * ATTITUDE_HZ / lag, -RATE_HZ / lag, -1.0 / lag,
                 stiff * (VELOCITY_HZ + drag), stiff)
    values, vectors = np.linalg.eig(matrix[:4, :4])
    particular = -np.linalg.solve(matrix[:4, :4], matrix[:4, 4:])        # of a wanted velocity, and (below) its change
    slope = np.linalg.solve(matrix[:4, :4], particular[:, 0]) + particular[:, 1]
    rate = step_mps / ramp_s

    def moved(start: Reals, wanted: Reals, change: float, after_s: Reals) -> Reals:
        """States [4, times] from a state at which `wanted` began to change by `change`."""
        steady = np.outer(particular[:, 0], wanted) + (slope * change)[:, None]
        first = np.linalg.solve(vectors, (start - steady[:, 0]).astype(complex))
        return steady + ((vectors * first) @ np.exp(np.outer(values, after_s))).real

    ends = moved(np.zeros(4), rate * np.array([0.0, ramp_s]), rate, np.array([0.0, ramp_s]))[:, -1]
    times = np.concatenate([[0.0], times_s])
    rising = moved(np.zeros(4), rate * times, rate, times)[0, 1:]
    held_s = np.concatenate([[0.0], np.maximum(times_s - ramp_s, 0.0)])
    held = moved(ends, np.full(len(held_s), step_mps), 0.0, held_s)[0, 1:]
    return np.where(times_s < ramp_s, rising, held)
