"""Measures of a flock at one moment: order, safety, union and connectivity, each 1 at best.

Source: Soria, Schiano, Floreano, "SwarmLab: a Matlab Drone Swarm Simulator", IROS 2020, and its code,
math_tools/compute_swarm_performance.m of github.com/lis-epfl/swarmlab. A robot that stands has no direction: here its
cosines are 0, there they are undefined.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STANDS_MPS = 0.02                    # a slower robot stands

Bools = NDArray[np.bool_]


def distances_m(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances between all places [n, 2], [n, n]."""
    return np.hypot(xy[:, None, 0] - xy[None, :, 0], xy[:, None, 1] - xy[None, :, 1])


def within_reach(xy: NDArray[np.float64], reach_m: float) -> Bools:
    """The graph of robots at most `reach_m` apart: bool [n, n], without loops."""
    near = distances_m(xy) <= reach_m
    np.fill_diagonal(near, val=False)
    return near


def order(velocities_mps: NDArray[np.float64], near: Bools) -> float:
    """The mean cosine between the velocity [n, 2] of a robot and those of its neighbours, -1..1.

    A robot without neighbours counts as 1.
    """
    speeds = np.hypot(*velocities_mps.T)
    stands = speeds < STANDS_MPS
    units = np.where(stands[:, None], 0.0, velocities_mps / np.where(stands, 1.0, speeds)[:, None])
    neighbours = near.sum(axis=1)
    sums = (units @ units.T * near).sum(axis=1)
    return float(np.where(neighbours, sums / np.maximum(neighbours, 1), 1.0).mean())


def safety(xy: NDArray[np.float64], radii_m: NDArray[np.float64], slack_m: float) -> float:
    """The share of the pairs of robots that do not touch: their rims are more than `slack_m` apart. One robot: 1."""
    first, second = np.triu_indices(len(xy), 1)
    if not len(first):
        return 1.0
    gaps_m = distances_m(xy)[first, second] - radii_m[first] - radii_m[second]
    return float((gaps_m > slack_m).mean())


def union(near: Bools) -> float:
    """(n - components of the graph) / (n - 1): 1 for one group, 0 if nobody reaches anybody. One robot: 1."""
    n = len(near)
    if n == 1:
        return 1.0
    return (n - _components(near)) / (n - 1)


def connectivity(near: Bools) -> float:
    """The algebraic connectivity of the graph by the number of robots: 1 if all reach all, 0 if the flock is divided.

    The algebraic connectivity is the second smallest eigenvalue of the Laplacian (Fiedler 1973). One robot: 1.
    """
    n = len(near)
    if n == 1:
        return 1.0
    laplacian = np.diag(near.sum(axis=1)).astype(float) - near
    return max(float(np.linalg.eigvalsh(laplacian)[1]) / n, 0.0)


def _components(near: Bools) -> int:
    """The number of connected parts: each robot takes the smallest number that it reaches until nothing changes."""
    label = np.arange(len(near))
    while True:
        reached = np.where(near, label[None, :], len(near)).min(axis=1)
        lower = np.minimum(label, reached)
        if (lower == label).all():
            return len(np.unique(label))
        label = lower
