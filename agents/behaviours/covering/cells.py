"""Where a robot should be: the centroid of its Voronoi cell, by Lloyd's algorithm.

Source: Cortes, Martinez, Karatas, Bullo, "Coverage control for mobile sensing networks", IEEE Transactions on Robotics
and Automation 20, 2004.
"""

from __future__ import annotations

import numpy as np

from agents.behaviours.covering.known_field import Reals, squares


def centroids(places: Reals, points: Reals, mass: Reals) -> Reals:
    """The centroid of the cell of each robot at places [k, 2]; one whose cell has no mass stays. mass: of points, [n]."""
    cell = squares(points, places).argmin(axis=1)
    weight = np.bincount(cell, mass, len(places))
    moments = np.stack([np.bincount(cell, mass * points[:, axis], len(places)) for axis in range(2)], axis=1)
    held = weight > 0.0
    return np.where(held[:, None], moments / np.where(held, weight, 1.0)[:, None], places)
