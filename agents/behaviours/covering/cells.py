"""Where a robot should be: the centroid of its Voronoi cell, by Lloyd's algorithm.

Source: Cortes, Martinez, Karatas, Bullo, "Coverage control for mobile sensing networks", IEEE Transactions on Robotics
and Automation 20, 2004.
"""

from __future__ import annotations

from agents.behaviours.covering.known_field import Reals, squares


def centroid(places: Reals, points: Reals, mass: Reals) -> Reals:
    """The centroid of the cell of the first robot of those at places [k, 2]; without mass in its cell it stays.

    mass: of the points [n, 2], [n].
    """
    mine = squares(points, places).argmin(axis=1) == 0
    weight = float(mass[mine].sum())
    return mass[mine] @ points[mine] / weight if weight > 0.0 else places[0]
