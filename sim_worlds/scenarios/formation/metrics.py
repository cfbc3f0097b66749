"""Measures of a flock at one moment: order, safety, union and connectivity, each 1 at best.

Source: Soria, Schiano, Floreano, "SwarmLab: a Matlab Drone Swarm Simulator", IROS 2020, and its code,
math_tools/compute_swarm_performance.m of github.com/lis-epfl/swarmlab. A robot that stands has no direction: here its
cosines are 0, there they are undefined.

Places and velocities are [..., n, 2], radii [..., n], graphs [..., n, n]; measures are [...]: flocks of one size are
measured at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STANDS_MPS = 0.02                    # a slower robot stands

Reals = NDArray[np.float64]
Bools = NDArray[np.bool_]


def distances_m(xy: Reals) -> Reals:
    """Distances between all places, [..., n, n]."""
    x, y = xy[..., 0], xy[..., 1]
    return np.hypot(x[..., :, None] - x[..., None, :], y[..., :, None] - y[..., None, :])


def within_reach(xy: Reals, reach_m: float) -> Bools:
    """The graph of robots at most `reach_m` apart, without loops."""
    near = distances_m(xy) <= reach_m
    everyone = np.arange(near.shape[-1])
    near[..., everyone, everyone] = False
    return near


def order(velocities_mps: Reals, near: Bools) -> Reals:
    """The mean cosine between the velocity of a robot and those of its neighbours, -1..1.

    A robot without neighbours counts as 1.
    """
    speeds = np.hypot(velocities_mps[..., 0], velocities_mps[..., 1])
    stands = speeds < STANDS_MPS
    units = np.where(stands[..., None], 0.0, velocities_mps / np.where(stands, 1.0, speeds)[..., None])
    neighbours = near.sum(axis=-1)
    sums = (units @ units.swapaxes(-1, -2) * near).sum(axis=-1)
    return np.where(neighbours, sums / np.maximum(neighbours, 1), 1.0).mean(axis=-1)


def safety(xy: Reals, radii_m: Reals, slack_m: float) -> Reals:
    """The share of the pairs of robots that do not touch: their rims are more than `slack_m` apart. One robot: 1."""
    first, second = np.triu_indices(xy.shape[-2], 1)
    if not len(first):
        return np.ones(xy.shape[:-2])
    gaps_m = distances_m(xy)[..., first, second] - radii_m[..., first] - radii_m[..., second]
    return (gaps_m > slack_m).mean(axis=-1)


def union(near: Bools) -> Reals:
    """(n - components of the graph) / (n - 1): 1 for one group, 0 if nobody reaches anybody. One robot: 1."""
    n = near.shape[-1]
    if n == 1:
        return np.ones(near.shape[:-2])
    return (n - _components(near)) / (n - 1)


def connectivity(near: Bools) -> Reals:
    """The algebraic connectivity of the graph by the number of robots: 1 if all reach all, 0 if the flock is divided.

    The algebraic connectivity is the second smallest eigenvalue of the Laplacian (Fiedler 1973). One robot: 1.
    """
    n, everyone = near.shape[-1], np.arange(near.shape[-1])
    if n == 1:
        return np.ones(near.shape[:-2])
    laplacian = np.zeros(near.shape)
    laplacian[..., everyone, everyone] = near.sum(axis=-1)
    laplacian -= near
    return np.maximum(np.linalg.eigvalsh(laplacian)[..., 1] / n, 0.0)


def _components(near: Bools) -> NDArray[np.intp]:
    """The number of connected parts: each robot takes the smallest number that it reaches until nothing changes."""
    n = near.shape[-1]
    label = np.broadcast_to(np.arange(n), near.shape[:-1])
    while True:
        reached = np.where(near, label[..., None, :], n).min(axis=-1)
        lower = np.minimum(label, reached)
        if (lower == label).all():
            return (label == np.arange(n)).sum(axis=-1)
        label = lower
