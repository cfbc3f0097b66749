"""The loops over quadrotors, compiled: their velocities, and their attitudes, turn rates and rotors. See `flight.py`.

`state` is flat, all in the world: the quaternions x, y, z, w of each robot in turn, then their turn rates, places and
velocities.
"""

from __future__ import annotations

from math import atan2, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics import GRAVITY_MPS2
from sim_worlds.physics.bodies import TINY
from sim_worlds.physics.flying import ATTITUDE_HZ, LEAST_UP_MPS2, RATE_HZ, STEEPEST_MPS2, VELOCITY_HZ
from swarm.compiled.cache import mark_loops_complete
from swarm.compiled.compiler import entry, part

TURNS, STATE = 7, 13                 # numbers of a robot: its attitude and turn rate, and all

Reals = NDArray[np.float64]
Records = Any                        # pyright knows no fields

FIGURES = np.dtype([(name, "f8") for name in (
    "mass_kg", "drag_ns_per_m", "roll_kgm2", "pitch_kgm2", "yaw_kgm2", "arm_m", "torque_m", "most_n",
    "v_ramp_mps2", "w_ramp_radps2", "up_ramp_mps2",
    "left",                          # of a difference between a rotor's thrust and the wanted one, after a run
    "mean",                          # and on average until the next
)])
WANTED = np.dtype([(name, "f8") for name in ("pull_n", "x", "y", "z", "drag_x_n", "drag_y_n", "drag_z_n", "yaw_radps")])
"""The size of the wanted force and its direction in the world, the force of the air, and the turn rate."""

_TABLE = np.ones((1, 1))


@part
def _turn(state: Reals, robot: int) -> tuple[float, ...]:
    """The rotation matrix of a robot, row by row, from the body to the world."""
    x, y, z, w = state[4 * robot], state[4 * robot + 1], state[4 * robot + 2], state[4 * robot + 3]
    return (1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w),
            2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w),
            2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y))


@part
def _rotor(wanted_n: float, figures: Records, thrusts_n: Reals, rotor: int) -> float:
    """Turn a rotor towards a thrust. Returns its mean thrust until the next run."""
    wanted_n = min(max(wanted_n, 0.0), figures.most_n)
    ahead_n = thrusts_n[rotor] - wanted_n
    thrusts_n[rotor] = wanted_n + figures.left * ahead_n
    return wanted_n + figures.mean * ahead_n


@part
def _length(a: float, b: float) -> float:
    """As `hypot`, which takes several times as long: that also handles numbers too large or too small to square."""
    return sqrt(a * a + b * b)


@part
def _clipped(change: float, most: float) -> float:
    return min(max(change, -most), most)


@entry(np.ones(STATE), np.ones(1, FIGURES), np.ones(1, WANTED), _TABLE, np.ones((2, 1, 3)))
def control(state: Reals, figures: Records, wanted: Records, thrusts_n: Reals, pushes: Reals) -> None:
    """A run of the loops for attitudes and turn rates, and of the rotors.

    thrusts_n: of the rotors ahead, to the left, behind and to the right, [q, 4]; those ahead and behind turn clockwise,
    as seen from above. pushes: gets the mean forces and torques until the next run, in the bodies' frames, [2, q, 3].
    """
    for k in range(len(figures)):
        one, want, n = figures[k], wanted[k], thrusts_n[k]
        xx, xy, xz, yx, yy, yz, zx, zy, zz = _turn(state, k)
        at = 4 * len(figures) + 3 * k
        p, q, r = state[at], state[at + 1], state[at + 2]
        ahead, left, up = (xx * want.x + yx * want.y + zx * want.z, xy * want.x + yy * want.y + zy * want.z,
                           xz * want.x + yz * want.y + zz * want.z)
        lift = want.pull_n * up / 4.0
        roll = RATE_HZ * (-ATTITUDE_HZ * left - (xx * p + yx * q + zx * r)) * one.roll_kgm2 / (2.0 * one.arm_m)
        pitch = RATE_HZ * (ATTITUDE_HZ * ahead - (xy * p + yy * q + zy * r)) * one.pitch_kgm2 / (2.0 * one.arm_m)
        yaw = RATE_HZ * (want.yaw_radps - (xz * p + yz * q + zz * r)) * one.yaw_kgm2 / (4.0 * one.torque_m)
        front, port = _rotor(lift - pitch + yaw, one, n, 0), _rotor(lift + roll - yaw, one, n, 1)
        rear, starboard = _rotor(lift + pitch + yaw, one, n, 2), _rotor(lift - roll - yaw, one, n, 3)
        x, y, z = want.drag_x_n, want.drag_y_n, want.drag_z_n
        pushes[0, k, 0] = xx * x + yx * y + zx * z
        pushes[0, k, 1] = xy * x + yy * y + zy * z
        pushes[0, k, 2] = xz * x + yz * y + zz * z + front + port + rear + starboard
        pushes[1, k, 0] = (port - starboard) * one.arm_m
        pushes[1, k, 1] = (rear - front) * one.arm_m
        pushes[1, k, 2] = (front - port + rear - starboard) * one.torque_m


@entry(np.ones(STATE), np.ones(1, FIGURES), np.ones(1, WANTED), np.ones(1, np.intp), _TABLE, _TABLE, 1.0, _TABLE,
       _TABLE, _TABLE)
def steer(state: Reals, figures: Records, wanted: Records, rows: NDArray[np.intp], commands: Reals, wanted_now: Reals,
          dt_s: float, places: Reals, speeds: Reals, left_up: Reals) -> None:
    """A run of the loop for velocities; the states are written into the rows of the fleet's arrays, see `Motion`.

    commands, wanted_now: the velocities of a fleet that `Ramps` has: ahead, turn, to the left and up, [n, 4]. Those
    that are wanted now come nearer to the commands in `dt_s`, as in `Ramps.after`.
    """
    for k in range(len(figures)):
        one, want, row = figures[k], wanted[k], rows[k]
        xx, _, _, yx, _, _, zx, zy, zz = _turn(state, k)
        level = _length(xx, yx)                              # of the nose: 0 where it points up or down
        c, s = xx / max(level, TINY), yx / max(level, TINY)
        at = TURNS * len(figures) + 3 * k
        of = at + 3 * len(figures)
        x, y, z = state[of], state[of + 1], state[of + 2]
        places[row, 0], places[row, 1], places[row, 3] = state[at], state[at + 1], state[at + 2]
        places[row, 2], places[row, 4], places[row, 5] = atan2(yx, xx), atan2(zy, zz), atan2(-zx, level)
        ahead, left = c * x + s * y, c * y - s * x
        speeds[row, 0], speeds[row, 1] = ahead, state[4 * len(figures) + 3 * k + 2]
        left_up[row, 0], left_up[row, 1] = left, z
        now, to = wanted_now[row], commands[row]
        da, dw, db, de = to[0] - now[0], to[1] - now[1], to[2] - now[2], to[3] - now[3]
        most = one.v_ramp_mps2 * dt_s
        share = min(1.0, most / max(_length(da, db), TINY))
        da, db = da * share, db * share
        dw, de = _clipped(dw, one.w_ramp_radps2 * dt_s), _clipped(de, one.up_ramp_mps2 * dt_s)
        now[0], now[1], now[2], now[3] = now[0] + da, now[1] + dw, now[2] + db, now[3] + de
        goal, turn, aside, up = now[0], now[1], now[2], now[3]
        feed = one.drag_ns_per_m / one.mass_kg               # against the drag; and the frame of the command turns
        a = VELOCITY_HZ * (goal - ahead) + feed * goal + da / dt_s - turn * aside
        b = VELOCITY_HZ * (aside - left) + feed * aside + db / dt_s + turn * goal
        e = VELOCITY_HZ * (up - z) + feed * up + de / dt_s + GRAVITY_MPS2
        share = min(1.0, STEEPEST_MPS2 / max(_length(a, b), TINY))
        a, b, e = a * share, b * share, max(e, LEAST_UP_MPS2)
        size = sqrt(a * a + b * b + e * e)
        want.pull_n, want.yaw_radps = one.mass_kg * size, turn
        want.x, want.y, want.z = (c * a - s * b) / size, (s * a + c * b) / size, e / size
        want.drag_x_n, want.drag_y_n, want.drag_z_n = (
            -one.drag_ns_per_m * x, -one.drag_ns_per_m * y, -one.drag_ns_per_m * z)      # it changes little meanwhile


mark_loops_complete(__name__)
