"""The flocks on the lanes of a field: the way that each has made as a group, and how it kept together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim_worlds.scenarios.formation import metrics
from sim_worlds.scenarios.formation.metrics import Bools, Reals

REACH_M = 4.0                        # robots this close are neighbours
TOUCH_M = 0.02                       # between the rims of robots that touch
KEPT = ("order", "safety", "union", "connectivity")


class Flocks:
    """Measures of flocks, [flocks].

    groups: the robots of each flock, by index. ways_m: of each robot at the start, [robots].
    """

    def __init__(self, groups: Sequence[NDArray[np.intp]], ways_m: Reals) -> None:
        self._groups = groups
        self.start_m = np.array([ways_m[group].min() for group in groups])
        self.record_m = self.start_m.copy()                  # of the robot that is last
        self.counted_m = np.zeros(len(groups))               # of the way: less where the flock was not one
        self._samples = np.zeros(len(groups))
        self._sums = {name: np.zeros(len(groups)) for name in KEPT}

    def measure(self, here: Bools, at: Reals, speeds_mps: Reals, radii_m: Reals, ways_m: Reals, health: Reals) -> None:
        """Take in the robots that are `here`: x, y, heading, [robots, 3], and of each one the rest, [robots]."""
        there = [group[here[group]] for group in self._groups]
        for size in sorted({len(robots) for robots in there} - {0}):
            flocks = np.array([k for k, robots in enumerate(there) if len(robots) == size])
            robots = np.stack([there[k] for k in flocks])    # [flocks, size]: those of one size are measured at once
            x_m, y_m, course = np.moveaxis(at[robots], -1, 0)
            xy = np.stack([x_m, y_m], axis=-1)
            near = metrics.within_reach(xy, REACH_M)
            ahead = np.stack([np.cos(course), np.sin(course)], axis=-1)
            now = {
                "order": metrics.order(speeds_mps[robots][..., None] * ahead, near),
                "safety": metrics.safety(xy, radii_m[robots], TOUCH_M),
                "union": metrics.union(near), "connectivity": metrics.connectivity(near),
            }
            self._samples[flocks] += 1
            for name, values in now.items():
                self._sums[name][flocks] += values
            fresh_m = np.maximum(ways_m[robots].min(axis=-1) - self.record_m[flocks], 0.0)
            self.counted_m[flocks] += (fresh_m * np.maximum(now["order"], 0.0) * now["connectivity"]
                                       * health[robots].mean(axis=-1))
            self.record_m[flocks] = np.maximum(self.record_m[flocks], ways_m[robots].min(axis=-1))

    def means(self) -> dict[str, float]:
        """The mean of each measure in KEPT since the start, of all flocks."""
        return {name: float((sums / np.maximum(self._samples, 1)).mean()) for name, sums in self._sums.items()}
