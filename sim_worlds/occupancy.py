"""Square occupancy grids over a building: rasterising, flood fill, line of sight. Index [iy, ix], y north."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim_worlds.physics.solids import Solid

BLOCKS_BELOW_M = 0.5
"""A solid whose underside is lower than this blocks a robot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The geometry of a square grid, centred on the origin."""

    size_m: float
    resolution_m: float

    @property
    def cells(self) -> int:
        """Cells per side."""
        return round(self.size_m / self.resolution_m)

    def centres_m(self) -> NDArray[np.float64]:
        """Coordinates of the cell centres along one side, [cells]."""
        return np.asarray((np.arange(self.cells) + 0.5) * self.resolution_m - self.size_m / 2, np.float64)

    def index(self, v_m: float) -> int:
        """The index of the cell at a coordinate, along one side, clipped to the grid."""
        return min(max(int((v_m + self.size_m / 2) // self.resolution_m), 0), self.cells - 1)

    def indices(self, v_m: NDArray[np.float64]) -> NDArray[np.intp]:
        """The same of many coordinates."""
        return np.minimum(np.maximum(np.floor_divide(v_m + self.size_m / 2, self.resolution_m), 0), self.cells - 1
                          ).astype(np.intp)

    def rasterise(self, solids: Iterable[Solid], inflate_m: float = 0.0) -> NDArray[np.bool_]:
        """bool [cells, cells]: cells whose centre is within `inflate_m` of a solid's footprint or of the rim."""
        out = np.zeros((self.cells, self.cells), bool)
        centres = self.centres_m()
        rim = np.abs(centres) > self.size_m / 2 - inflate_m
        out[rim, :] = out[:, rim] = True
        for solid in solids:
            if solid.z_m - solid.hz_m < BLOCKS_BELOW_M:
                self.mark(out, solid, inflate_m, True)
        return out

    def mark(self, cells: NDArray[Any], solid: Solid, inflate_m: float, bits: Any) -> None:
        """Add `bits` to the cells [cells, cells] whose centre is within `inflate_m` of a solid's footprint."""
        centres = self.centres_m()
        r = solid.rect().grown(inflate_m + self.resolution_m)
        ys = slice(self.index(r.y0_m), self.index(r.y1_m) + 1)
        xs = slice(self.index(r.x0_m), self.index(r.x1_m) + 1)
        near = solid.distance_m(centres[None, xs], centres[ys, None]) <= inflate_m
        cells[ys, xs][near] |= bits

    def steps_from(self, free: NDArray[np.bool_], x_m: float, y_m: float) -> NDArray[np.int32]:
        """int32 [cells, cells]: 4-neighbour steps from the cell at (x, y) through free cells, -1 if unreachable."""
        n = self.cells
        wide = np.zeros((n + 2, n + 2), bool)
        wide[1:-1, 1:-1] = free
        open_, steps = wide.ravel(), np.full((n + 2) ** 2, -1, np.int32)
        front = np.array([(self.index(y_m) + 1) * (n + 2) + self.index(x_m) + 1])
        front = front[open_[front]]
        moves = np.array([1, -1, n + 2, -n - 2])
        depth = 0
        while front.size:
            open_[front], steps[front] = False, depth
            front = (front[:, None] + moves).ravel()
            front = front[open_[front]]
            order = np.arange(front.size, dtype=np.int32)
            steps[front] = order                             # of equal cells one has its own number now: it stays
            front = front[steps[front] == order]
            depth += 1
        return steps.reshape(n + 2, n + 2)[1:-1, 1:-1]

    def joined(self, free: NDArray[np.bool_]) -> bool:
        """Whether the free cells [cells, cells] are one piece, joined at their sides."""
        from scipy import ndimage  # takes long to import

        pieces = np.zeros(free.shape, np.int32)
        ndimage.label(free, output=pieces)
        return int(pieces.max(initial=0)) <= 1

    def sees(self, blocked: NDArray[np.bool_], x_m: float, y_m: float, to_x_m: float, to_y_m: float) -> bool:
        """Whether no blocked cell lies on the straight line between two points."""
        count = int(np.hypot(to_x_m - x_m, to_y_m - y_m) / (self.resolution_m / 2)) + 2
        xs, ys = np.linspace(x_m, to_x_m, count), np.linspace(y_m, to_y_m, count)
        ix = ((xs + self.size_m / 2) / self.resolution_m).astype(int).clip(0, self.cells - 1)
        iy = ((ys + self.size_m / 2) / self.resolution_m).astype(int).clip(0, self.cells - 1)
        return not bool(blocked[iy, ix].any())
