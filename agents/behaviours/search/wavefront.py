"""Path lengths from one cell of a square grid, by a wavefront.

A set of cells is one integer with a bit for each cell: a step of the whole front is a few shifts, whatever its size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]

UNREACHED = np.iinfo(np.int32).max
SLOW = 2                             # extra steps for a slow cell


def wavefront(passable: Bools, slow: Bools, iy: int, ix: int) -> NDArray[np.int32]:
    """Steps from a cell through passable ones, int32 [n, n], UNREACHED if there is no way. passable, slow: [n, n].

    Steps go to 4 and 8 neighbours in turn: an octagonal metric, within 8 % of the straight line.
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
