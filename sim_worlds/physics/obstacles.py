"""Where walls and things stop robots: maps of the floor for those that drive, by height for those that fly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim_worlds.environment import Environment
from sim_worlds.occupancy import Grid
from sim_worlds.physics.closeness import Indices

SLACK_M = 0.02                       # a solid is grown by the robot's radius minus this; a cell is 5 cm
RESOLUTION_M = 0.05
LAYERS = 64                          # of heights from the floor to the ceiling: the bits of a number

Reals = NDArray[np.float64]
Bits = NDArray[np.uint64]


class Obstacles:
    """The walls and things of an environment, as robots of given radii meet them.

    radii_m: of all robots, [n]. driving, flying: bool [n], the robots that will ask.
    """

    def __init__(self, environment: Environment, radii_m: Reals, driving: NDArray[np.bool_],
                 flying: NDArray[np.bool_]) -> None:
        self._grid = Grid(size_m=environment.size_m, resolution_m=RESOLUTION_M)
        self._flying = flying
        self._layer_m = environment.top_m / LAYERS
        wide, tall = _sizes(radii_m[driving]), _sizes(radii_m[flying])
        solids = list(environment.solids()) if wide or tall else []
        self._floor = np.array([self._grid.rasterise(solids, r - SLACK_M) for r in wide])    # [radii, cells, cells]
        self._air = np.array([self._by_height(environment, r - SLACK_M) for r in tall], np.uint64)
        self._size = np.where(flying, np.searchsorted(tall, radii_m), np.searchsorted(wide, radii_m))

    def layers(self, low_m: Reals, high_m: Reals) -> Bits:
        """The layers between two heights as bits, [n]; what is below the floor or above the ceiling has none."""
        first = np.clip(np.floor(low_m / self._layer_m), 0, LAYERS).astype(np.int64)
        last = np.clip(np.ceil(high_m / self._layer_m), 0, LAYERS).astype(np.int64)
        return _BELOW[last] & ~_BELOW[np.minimum(first, last)]

    def stop(self, robots: Indices, to: Reals, layers: Bits) -> NDArray[np.bool_]:
        """Whether robots would stand in a wall or a thing at these places, bool [robots].

        layers: of all robots, those that fly: see `layers`.
        """
        cells = self._grid.indices(to)
        if not len(self._air):
            return self._floor[self._size[robots], cells[:, 1], cells[:, 0]]
        out = np.zeros(len(robots), bool)
        for mine, maps in ((~self._flying[robots], self._floor), (self._flying[robots], self._air)):
            if mine.any():
                k = robots[mine]
                here = maps[self._size[k], cells[mine, 1], cells[mine, 0]]
                out[mine] = here if here.dtype == np.bool_ else (here & layers[k]) != 0
        return out

    def _by_height(self, environment: Environment, inflate_m: float) -> Bits:
        """uint64 [cells, cells]: the layers in which a cell is within `inflate_m` of a solid or of the rim."""
        out = np.zeros((self._grid.cells, self._grid.cells), np.uint64)
        out[self._grid.rasterise((), inflate_m)] = _BELOW[LAYERS]
        for solid in environment.solids():
            heights = np.array([solid.z_m - solid.hz_m]), np.array([solid.z_m + solid.hz_m])
            self._grid.mark(out, solid, inflate_m, self.layers(*heights)[0])
        return out


_BELOW = np.array([(1 << k) - 1 for k in range(LAYERS + 1)], np.uint64)      # the layers below the k-th as bits


def _sizes(radii_m: Reals) -> list[float]:
    return sorted(set(radii_m.tolist()))
