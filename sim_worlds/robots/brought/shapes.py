"""How far primitives reach, and whether a point is between others."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sim_worlds.robots.brought.urdf_file import Reals, Shape

DIRECTIONS = 128                     # about the vertical: a radius is 0.03 % too small at most


def extent_m(shape: Shape, along: Sequence[float]) -> float:
    """How far a shape reaches along a unit vector, from the origin."""
    direction = np.asarray(along)
    local = shape.frame.turn.T @ direction
    match shape.kind:
        case "box":
            reach = float(np.abs(local) @ np.array(shape.sizes)) / 2
        case "cylinder":
            radius, length = shape.sizes
            reach = radius * math.sqrt(max(1.0 - local[2] ** 2, 0.0)) + abs(float(local[2])) * length / 2
        case _:
            reach = shape.sizes[0]
    return float(shape.frame.at @ direction) + reach


def lowest_m(shape: Shape) -> float:
    """The height of its lowest point."""
    return -extent_m(shape, (0.0, 0.0, -1.0))


def footprint_m(shapes: Sequence[Shape]) -> float:
    """The radius about the origin, as seen from above, that holds all shapes."""
    turns = np.linspace(0.0, 2 * math.pi, DIRECTIONS, endpoint=False).tolist()
    return max(extent_m(shape, (math.cos(turn), math.sin(turn), 0.0)) for shape in shapes for turn in turns)


def lowest_points(shape: Shape, most_m: float) -> list[Reals]:
    """x and y of the corners of a shape that are at most so high: on these it stands."""
    match shape.kind:
        case "sphere":
            return [shape.frame.at[:2]]
        case "box":
            half = np.array(shape.sizes) / 2
            local = [half * np.array([x, y, z]) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
        case _:
            radius, length = shape.sizes
            local = [np.array([radius * math.cos(turn), radius * math.sin(turn), z]) for z in (-length / 2, length / 2)
                     for turn in np.linspace(0.0, 2 * math.pi, 16, endpoint=False).tolist()]
    points = [shape.frame.at + shape.frame.turn @ point for point in local]
    return [point[:2] for point in points if point[2] <= max(most_m, lowest_m(shape) + 1e-6)]


def is_inside(point: Reals, corners: Sequence[Reals]) -> bool:
    """Whether a point is inside the convex hull of others, [2] each: no line through it has all of them on one side."""
    turns = sorted(math.atan2(*(corner - point)[::-1].tolist()) for corner in corners)
    gaps = [after - before for before, after in zip(turns, [*turns[1:], turns[0] + 2 * math.pi], strict=True)]
    return max(gaps) < math.pi
