"""The dynamic window: the arcs that a robot can drive next, predicted with its accelerations, and the best of them.

Source: Fox, Burgard and Thrun, The Dynamic Window Approach to Collision Avoidance, IEEE Robotics and Automation
Magazine 4(1), 1997.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.search.driving.limits import Limits

CONTROL_S = 0.2                      # a command is reached within this time, and kept for it at most: 5 Hz or faster
TIMES_S = np.array([0.15, 0.3, 0.45, 0.6, 0.8, 1.0])         # of the predicted places
SPEEDS, TURNS = 5, 13                # commands in the window
LEVELS = 10                          # present speeds are rounded to this part of the largest: few arcs to keep
ROOM_M = 0.7                         # more room beside an arc is no better
THERE_M = 0.25                       # this close to the point, the heading does not matter

_HEADING, _ROOM, _CHANGE = 0.25, 0.35, 0.03                  # weights, relative to a metre of progress

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arcs:
    """The arcs of all commands in the window, in the body frame."""

    v_mps: Reals                     # [arcs], commanded
    w_radps: Reals                   # [arcs], commanded
    at_m: Reals                      # [2, arcs * times], x ahead and y to the left
    at_m2: Reals                     # [arcs * times], squared distances from the start
    heading_rad: Reals               # [arcs, times]
    along_m: Reals                   # [arcs, times], driven until then
    stop_m: Reals                    # [arcs], driven until standstill by a robot that brakes after CONTROL_S


def window(v_mps: float, w_radps: float, limits: Limits) -> tuple[Reals, Reals]:
    """The speeds [SPEEDS] and turns [TURNS] that are reached within CONTROL_S. No speed is negative.

    One of the turns is 0 where that is in the window, so that a straight line can be driven.
    """
    dv, dw = limits.v_ramp_mps2 * CONTROL_S, limits.w_ramp_radps2 * CONTROL_S
    v = np.linspace(min(max(v_mps - dv, 0.0), limits.v_max_mps), min(max(v_mps + dv, 0.0), limits.v_max_mps), SPEEDS)
    w = np.linspace(min(max(w_radps - dw, -limits.w_max_radps), limits.w_max_radps),
                    min(max(w_radps + dw, -limits.w_max_radps), limits.w_max_radps), TURNS)
    if w[0] < 0.0 < w[-1]:
        w[int(np.abs(w).argmin())] = 0.0
    return v, w


def arcs(v_mps: float, w_radps: float, limits: Limits) -> Arcs:
    """What happens to a robot at about this speed and turn when each command of its window is kept."""
    return _arcs(_rounded(v_mps, limits.v_max_mps), _rounded(w_radps, limits.w_max_radps), limits)


def _rounded(speed: float, most: float) -> float:
    return min(max(round(speed / most * LEVELS), -LEVELS), LEVELS) * most / LEVELS


@lru_cache(maxsize=512)
def _arcs(v_mps: float, w_radps: float, limits: Limits) -> Arcs:
    """The arcs of exactly these speeds, 16 KB."""
    v, w = window(v_mps, w_radps, limits)
    along = _ramped(v_mps, v, limits.v_ramp_mps2, TIMES_S)
    heading = _ramped(w_radps, w, limits.w_ramp_radps2, TIMES_S)
    steps, middle = along.copy(), heading.copy()             # between two times: the way, and the mean heading
    steps[:, 1:] -= along[:, :-1]
    middle[:, 1:] += heading[:, :-1]
    middle *= 0.5
    at = np.stack([np.cumsum(steps[:, None] * turned, axis=2).ravel() for turned in (np.cos(middle), np.sin(middle))])
    stop = _ramped(v_mps, v, limits.v_ramp_mps2, np.array([CONTROL_S]))[:, 0] + limits.braking_m(v)
    return Arcs(v_mps=v.repeat(TURNS), w_radps=np.tile(w, SPEEDS), at_m=at, at_m2=(at * at).sum(axis=0),
                heading_rad=np.tile(heading, (SPEEDS, 1)), along_m=along.repeat(TURNS, axis=0),
                stop_m=stop.repeat(TURNS))


def _ramped(now: float, wanted: Reals, ramp: float, times_s: Reals) -> Reals:
    """Integrals [wanted, times] of a speed that goes from `now` to each wanted one at `ramp`, and stays there."""
    change = wanted - now
    until = np.minimum(times_s, (np.abs(change) / ramp)[:, None])
    return wanted[:, None] * times_s - (change[:, None] - 0.5 * np.copysign(ramp, change)[:, None] * until) * until


def gaps(driven: Arcs, points: Reals) -> Reals:
    """Distance from the robot's centre to the nearest point (body frame, [n, 2]) on each arc: [arcs, times]."""
    shape = driven.along_m.shape
    if not points.size:
        return np.full(shape, np.inf)
    apart = (-2.0 * points) @ driven.at_m                    # squared distances, without the part of the arcs
    apart += (points * points).sum(axis=1)[:, None]
    return np.sqrt(np.maximum(apart.min(axis=0) + driven.at_m2, 0.0)).reshape(shape)


def matters_m(limits: Limits) -> float:
    """No arc comes closer than ROOM_M to points that are further away than this."""
    return limits.v_max_mps * float(TIMES_S[-1]) + ROOM_M


def best(driven: Arcs, gap_m: Reals, need_m: float, goal: tuple[float, float], last_w_radps: float,
         ) -> tuple[float, float] | None:
    """The best command (m/s, rad/s) towards a point in the body frame; None: brake, no command is admissible.

    A command is admissible if the robot can still brake before it comes closer than `need_m` to an obstacle. Of those,
    the best has most progress, a heading towards the point, room, and a turn close to that of the last command.
    """
    count, times = gap_m.shape
    blocked = gap_m < need_m
    clear = np.where(blocked.any(axis=1), blocked.argmax(axis=1), times)     # places before the first obstacle
    last = np.arange(count) * times + np.maximum(clear - 1, 0)
    free_m = np.where(clear == times, np.inf, np.where(clear == 0, 0.0, driven.along_m.ravel()[last]))
    admissible = free_m >= driven.stop_m
    if not admissible.any():
        return None
    left_x, left_y = goal[0] - driven.at_m[0, last], goal[1] - driven.at_m[1, last]
    left_m = np.hypot(left_x, left_y)
    off = np.arctan2(left_y, left_x) - driven.heading_rad.ravel()[last]
    off = np.abs((off + np.pi) % (2 * np.pi) - np.pi)
    off[left_m < THERE_M] = 0.0
    room = np.minimum(gap_m.min(axis=1), ROOM_M)
    score = math.hypot(*goal) - left_m - _HEADING * off + _ROOM * room - _CHANGE * np.abs(driven.w_radps - last_w_radps)
    score[~admissible] = -np.inf
    k = int(score.argmax())
    return float(driven.v_mps[k]), float(driven.w_radps[k])
