"""Path planning and the choice of a place to explore, on the known part of the map."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.behaviours.search.occupancy_map import (
    CELL_M,
    FREE,
    LOOKED,
    OCCUPIED,
    UNKNOWN,
    cell_of,
    centre_of,
    middles_m,
)

Bools = NDArray[np.bool_]

UNREACHED = np.iinfo(np.int32).max
SLOW = 2                             # extra steps for a slow cell
MATE_BLOCKS_M = 1.6                  # a teammate blocks cells up to this distance; beyond it will have moved on
_GAIN_REACH = 4                      # cells: a visit is assumed to reveal this much around a place
_MIN_GAIN_M2 = 0.4                   # a place that reveals less is no goal
_UNLOOKED_SHARE = 0.6                # value of a free cell not yet looked at, relative to an unknown one
_BANNED_M = 0.9                      # around a place that could not be reached
_GOAL_REACH_M, _MATE_REACH_M = 4.0, 2.5              # of the penalties for being close to teammates


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Path lengths from the robot's cell."""

    steps: NDArray[np.int32]         # [cells, cells], in cells; UNREACHED if there is no path
    passable: Bools                  # [cells, cells], cells where the robot's centre may be

    def distance_m(self) -> NDArray[np.float64]:
        """[cells, cells], metres, infinite where unreached."""
        return np.where(self.steps == UNREACHED, np.inf, self.steps * CELL_M)

    def path(self, iy: int, ix: int) -> list[tuple[float, float]]:
        """Cell centres (x, y) from the robot's cell to the goal, both included; empty when it is unreached."""
        steps = self.steps
        if steps[iy, ix] == UNREACHED:
            return []
        cells = [(iy, ix)]
        while steps[iy, ix] > 0:
            y0, x0 = max(iy - 1, 0), max(ix - 1, 0)
            near = steps[y0:iy + 2, x0:ix + 2]
            k = int(near.argmin())
            iy, ix = y0 + k // near.shape[1], x0 + k % near.shape[1]
            cells.append((iy, ix))
        return [centre_of(*c, len(steps)) for c in reversed(cells)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Inputs to the choice of a goal, besides gain and path length."""

    x_m: float                       # pose of the robot
    y_m: float
    heading_rad: float
    mate_goals: Sequence[tuple[float, float]] = ()
    mates: Sequence[tuple[float, float]] = ()                    # positions of teammates
    banned: Sequence[tuple[float, float]] = ()                   # goals that recently could not be reached
    current: tuple[float, float] | None = None                   # the present goal: preferred a little
    sector_rad: float | None = None                              # direction to prefer while the team is together


Choice = Callable[[Field, NDArray[np.float64], Preferences], tuple[int, int] | None]
"""Chooses a place: of a field, gains [cells, cells] and preferences, the cell (iy, ix), or None."""


def field(states: NDArray[np.uint8], x_m: float, y_m: float, soft: Sequence[tuple[float, float]] = (),
          costly: Bools | None = None) -> Field:
    """Path lengths from (x, y) through free cells away from obstacles. soft: positions of teammates to drive around.

    Cells close to obstacles cost extra steps, so paths keep to the middle where there is room; so do costly ones.
    """
    solid = states == OCCUPIED
    near = _grown(solid)
    slow = _grown(near)
    if costly is not None:
        slow |= costly
    passable = ((states == FREE) | (states == LOOKED)) & ~near
    for sx, sy in soft:
        away = math.hypot(sx - x_m, sy - y_m)
        ty, tx = cell_of(sx, sy, len(states))
        if 0.7 < away < MATE_BLOCKS_M:
            passable[max(ty - 1, 0):ty + 2, max(tx - 1, 0):tx + 2] = False
        if away > 0.7:
            slow[max(ty - 3, 0):ty + 4, max(tx - 3, 0):tx + 4] = True
    iy, ix = cell_of(x_m, y_m, len(states))
    home = slice(max(iy - 1, 0), iy + 2), slice(max(ix - 1, 0), ix + 2)
    passable[home] |= ~solid[home]                               # a robot too close to an obstacle can leave
    passable[iy, ix] = True
    return Field(steps=wavefront(passable, slow, iy, ix), passable=passable)


def wavefront(passable: Bools, slow: Bools, iy: int, ix: int) -> NDArray[np.int32]:
    """Steps from a cell through passable ones, int32 [n, n], UNREACHED if there is no way. passable, slow: [n, n].

    A set of cells is one integer with a bit for each cell: a step of the whole front is a few shifts, whatever its
    size. Steps go to 4 and 8 neighbours in turn: an octagonal metric, within 8 % of the straight line.
    Source: Dial, Algorithm 360, CACM 1969: a ring of buckets by depth.
    """
    width = len(passable) + 2                                # with a border, so that no front wraps around
    open_, late = _bits(passable), _bits(slow)
    ring = [0] * (SLOW + 2)
    ring[0] = 1 << (iy + 1) * width + ix + 1
    reached, by_bit = 0, [0] * 16                            # cells whose depth has this bit
    depth = idle = 0
    while idle < len(ring):
        front = ring[depth % len(ring)] & open_
        ring[depth % len(ring)] = 0
        idle += 1
        if front:
            idle = 0
            open_ ^= front
            reached |= front
            for bit in range(depth.bit_length()):
                if depth >> bit & 1:
                    by_bit[bit] |= front
            across = front << 1 | front >> 1
            if depth & 1:
                row = front | across
                around = (row | row << width | row >> width) & open_
            else:
                around = (across | front << width | front >> width) & open_
            held = around & late
            ring[(depth + 1) % len(ring)] |= around ^ held
            ring[(depth + 1 + SLOW) % len(ring)] |= held
        depth += 1
    steps = np.where(_cells(reached, width), np.int32(0), np.int32(UNREACHED))
    for bit in range(depth.bit_length()):
        steps |= _cells(by_bit[bit], width).astype(np.int32) << bit
    return steps


def _bits(cells: Bools) -> int:
    """A set of cells, with a border of one cell."""
    wide = np.zeros((len(cells) + 2, len(cells) + 2), bool)
    wide[1:-1, 1:-1] = cells
    return int.from_bytes(np.packbits(wide, bitorder="little").tobytes(), "little")


def _cells(bits: int, width: int) -> NDArray[np.uint8]:
    """A set as 0 and 1 [n, n], without the border."""
    data = np.frombuffer(bits.to_bytes(-(-width * width // 8), "little"), np.uint8)
    return np.unpackbits(data, count=width * width, bitorder="little").reshape(width, width)[1:-1, 1:-1]


def gains_m2(states: NDArray[np.uint8]) -> NDArray[np.float64]:
    """[cells, cells]: unseen floor around each cell, m2. A free cell that was not looked at counts in part.

    Unknown cells count only within 1 m of free ones and not behind walls, so that floor outside the building is left
    out.
    """
    unknown, free = states == UNKNOWN, states == FREE
    reach = free | (states == LOOKED)
    for _ in range(4):
        grown = reach.copy()
        grown[1:] |= reach[:-1]
        grown[:-1] |= reach[1:]
        grown[:, 1:] |= reach[:, :-1]
        grown[:, :-1] |= reach[:, 1:]
        grown &= unknown
        reach |= grown
    reach &= unknown
    worth = reach + _UNLOOKED_SHARE * free
    return box_sum(worth, _GAIN_REACH) * CELL_M ** 2


def unseen_centre(states: NDArray[np.uint8], iy: int, ix: int) -> tuple[float, float] | None:
    """The centre (x, y) of the unseen cells around a cell, or None if there are none."""
    y0, x0 = max(iy - _GAIN_REACH, 0), max(ix - _GAIN_REACH, 0)
    near = states[y0:iy + _GAIN_REACH + 1, x0:ix + _GAIN_REACH + 1]
    rows, columns = np.nonzero((near == UNKNOWN) | (near == FREE))
    if not rows.size:
        return None
    return centre_of(y0 + round(float(rows.mean())), x0 + round(float(columns.mean())), len(states))


def box_sum(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Sum over the square of 2 * reach + 1 cells around each cell."""
    n, side = len(values), 2 * reach + 1
    total = np.zeros((n + side, n + side))                       # of all cells before, with a border of nothing
    total[reach + 1:n + reach + 1, reach + 1:n + reach + 1] = values
    total = total.cumsum(axis=0).cumsum(axis=1)
    return total[side:, side:] - total[:n, side:] - total[side:, :n] + total[:n, :n]


def choose(area: Field, gain_m2: NDArray[np.float64], preferences: Preferences) -> tuple[int, int] | None:
    """The reachable cell (iy, ix) of best utility, or None if no cell is worth a visit; ties go to the south-west.

    Utility in metres of path: the floor that a visit would reveal, minus the path, minus the turn towards it, minus
    penalties for being close to teammates and to their goals.
    """
    open_ = (area.steps != UNREACHED) & (gain_m2 >= _MIN_GAIN_M2)
    if not open_.any():
        return None
    cells = len(open_)
    xs = middles_m(cells)
    iy, ix = np.nonzero(open_)
    x, y = xs[ix], xs[iy]
    path_m = area.steps[iy, ix] * CELL_M
    utility = 4.0 * np.sqrt(gain_m2[iy, ix]) - path_m
    bearing = np.arctan2(y - preferences.y_m, x - preferences.x_m)
    turn = np.abs((bearing - preferences.heading_rad + np.pi) % (2 * np.pi) - np.pi)
    utility -= 0.5 * turn
    of_row = np.searchsorted(iy, np.arange(cells + 1)).tolist()  # a cell beyond the reach of a place loses nothing
    for weight, reach_m, places in (
            (6.0, _GOAL_REACH_M, preferences.mate_goals), (3.0, _MATE_REACH_M, preferences.mates)):
        for px, py in places:
            near = slice(of_row[cell_of(px, py - reach_m, cells)[0]], of_row[cell_of(px, py + reach_m, cells)[0] + 1])
            utility[near] -= weight * np.maximum(0.0, 1.0 - np.hypot(x[near] - px, y[near] - py) / reach_m)
    for bx, by in preferences.banned:
        utility[np.hypot(x - bx, y - by) < _BANNED_M] -= 30.0
    if preferences.sector_rad is not None:
        utility += 2.0 * np.cos(bearing - preferences.sector_rad)
    if preferences.current is not None:
        utility += 1.5 * (np.hypot(x - preferences.current[0], y - preferences.current[1]) < 0.8)
    best = int(utility.argmax())
    return int(iy[best]), int(ix[best])


def nearest(area: Field, gain_m2: NDArray[np.float64], preferences: Preferences) -> tuple[int, int] | None:
    """The cell (iy, ix) with the shortest path that is worth a visit, or None; it minds no teammates.

    Banned places come last; ties go to the south-west.
    """
    open_ = (area.steps != UNREACHED) & (gain_m2 >= _MIN_GAIN_M2)
    if not open_.any():
        return None
    iy, ix = np.nonzero(open_)
    far = area.steps[iy, ix].astype(float)
    xs = middles_m(len(open_))
    for bx, by in preferences.banned:
        far[np.hypot(xs[ix] - bx, xs[iy] - by) < _BANNED_M] += open_.size
    best = int(far.argmin())
    return int(iy[best]), int(ix[best])


def _grown(mask: Bools) -> Bools:
    """Cells of the mask and their 8 neighbours."""
    tall = mask.copy()
    tall[1:] |= mask[:-1]
    tall[:-1] |= mask[1:]
    out = tall.copy()
    out[:, 1:] |= tall[:, :-1]
    out[:, :-1] |= tall[:, 1:]
    return out
