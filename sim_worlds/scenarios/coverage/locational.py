"""The locational cost of robots in a field, and the least that Lloyd's algorithm finds.

H = sum over the robots' Voronoi cells of the integral of |q - p_i|^2 phi(q) dq: each place q counts by its density and
by the squared distance to the nearest robot. Source: Cortes, Martinez, Karatas, Bullo, "Coverage control for mobile
sensing networks", IEEE Transactions on Robotics and Automation 20, 2004. Integrals are sums over a grid of points, each
with its mass: density by area. First places are drawn by D^2 sampling: Arthur, Vassilvitskii, "k-means++: the
advantages of careful seeding", SODA 2007.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROUNDS = 30                          # of Lloyd's algorithm from one start, at most
SETTLED = 1e-3                       # it ends once a round lowers the cost by a smaller share
DENSE = 60                           # places, at most, for which all distances are taken; for more there is a tree

Reals = NDArray[np.float64]


def grid(side_m: float, spacing_m: float) -> tuple[Reals, float]:
    """The middles of the cells of a square around (0, 0), [n, 2], and the area of a cell; cells are at most so wide."""
    cells = int(np.ceil(side_m / spacing_m - 1e-9))
    at = side_m * ((np.arange(cells) + 0.5) / cells - 0.5)
    x, y = np.meshgrid(at, at)
    return np.column_stack([x.ravel(), y.ravel()]), (side_m / cells) ** 2


def humps(points: Reals, middles: Reals, weights: Reals, spread_m: float) -> Reals:
    """The density at points, [n], of round normal distributions at middles [k, 2] with the integrals `weights` [k]."""
    return np.exp(-squares(points, middles) / (2 * spread_m ** 2)) @ weights / (2 * np.pi * spread_m ** 2)


def squares(points: Reals, places: Reals, of_points: Reals | None = None) -> Reals:
    """Squared distances [n, k] between points [n, 2] and places [k, 2]. of_points: theirs to (0, 0), if known, [n]."""
    from_middle: Reals = (points ** 2).sum(axis=1) if of_points is None else of_points
    away = from_middle[:, None] - points @ (2.0 * places.T) + (places ** 2).sum(axis=1)
    return np.maximum(away, 0.0, out=away)


def grid_humps(axis: Reals, middles: Reals, weights: Reals, spread_m: float) -> Reals:
    """As `humps`, at the points of a grid whose columns and rows are at `axis` [m], [m * m]. Faster for many humps.

    A round normal distribution is the product of one along x and one along y.
    """
    along_x, along_y = (np.exp(-(axis[:, None] - middle) ** 2 / (2 * spread_m ** 2)) for middle in middles.T)
    return ((along_y * weights) @ along_x.T).ravel() / (2 * np.pi * spread_m ** 2)


def nearest(points: Reals, places: Reals) -> tuple[NDArray[np.intp], Reals]:
    """Of each point [n, 2] the index of the nearest of places [k, 2], and the squared distance to it."""
    if len(places) > DENSE:
        from scipy.spatial import KDTree  # large fleets alone wait for this import

        away_m, cell = map(np.asarray, KDTree(places).query(points))
        return cell.astype(np.intp), away_m ** 2
    away = squares(points, places)
    cell = away.argmin(axis=1)
    return cell, away[np.arange(len(points)), cell]


def cost(places: Reals, points: Reals, mass: Reals) -> float:
    """The locational cost of robots at places [k, 2]. Without a robot it is infinite."""
    return float(mass @ nearest(points, places)[1]) if len(places) else np.inf


def lloyd(places: Reals, points: Reals, mass: Reals) -> tuple[Reals, float]:
    """Places that Lloyd's algorithm reaches, and their cost: each goes to the centroid of its cell, again and again."""
    at, before = places.copy(), np.inf
    for _ in range(ROUNDS):
        cell, away = nearest(points, at)
        now = float(mass @ away)
        if now >= (1.0 - SETTLED) * before:
            break
        before = now
        weight = np.bincount(cell, mass, len(at))
        held = weight > 0.0
        for axis in range(2):
            at[held, axis] = np.bincount(cell, mass * points[:, axis], len(at))[held] / weight[held]
    return at, cost(at, points, mass)


def drawn(count: int, points: Reals, mass: Reals, draw: np.random.Generator) -> Reals:
    """So many first places, one at least: each is a point, drawn by mass and squared distance to those before."""
    places, near, of_points = np.empty((count, 2)), np.ones(len(points)), (points ** 2).sum(axis=1)
    for k in range(count):
        total = np.cumsum(mass * near)
        place = int(np.searchsorted(total, draw.random() * total[-1], side="right"))
        places[k] = points[min(place, len(points) - 1)]
        away = squares(points, places[k:k + 1], of_points)[:, 0]
        near = away if k == 0 else np.minimum(near, away)
    return places
