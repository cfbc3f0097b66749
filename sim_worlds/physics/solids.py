"""Primitive solids: the geometry that physics, rendering, lidar, occupancy and ground truth share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]
"""Red, green, blue, 0..1."""


class Rect(NamedTuple):
    """An axis-aligned rectangle on the floor, world frame, metres."""

    x0_m: float
    y0_m: float
    x1_m: float
    y1_m: float

    def gap_m(self, other: Rect) -> float:
        """The larger of the gaps along x and y; negative if the rectangles overlap."""
        dx = max(self.x0_m - other.x1_m, other.x0_m - self.x1_m)
        dy = max(self.y0_m - other.y1_m, other.y0_m - self.y1_m)
        return max(dx, dy)

    def holds(self, other: Rect) -> bool:
        """Whether the other rectangle lies within this one."""
        return (self.x0_m <= other.x0_m and self.y0_m <= other.y0_m
                and other.x1_m <= self.x1_m and other.y1_m <= self.y1_m)

    def grown(self, by_m: float) -> Rect:
        """The rectangle, extended by `by_m` on each side."""
        return Rect(self.x0_m - by_m, self.y0_m - by_m, self.x1_m + by_m, self.y1_m + by_m)


@dataclass(frozen=True, slots=True, kw_only=True)
class Solid:
    """A box, an upright cylinder (radius hx_m, half length hz_m) or a sphere (radius hx_m), in the world frame."""

    shape: Literal["box", "cylinder", "sphere"] = "box"
    x_m: float
    y_m: float
    z_m: float                       # of the centre, above the floor
    hx_m: float                      # half extents
    hy_m: float
    hz_m: float
    yaw_rad: float = 0.0
    colour: Colour = (0.5, 0.5, 0.5)

    def placed(self, x_m: float, y_m: float, yaw_rad: float) -> Solid:
        """This solid in the world frame, if it is now in the frame of a thing at (x, y, yaw)."""
        c, s = math.cos(yaw_rad), math.sin(yaw_rad)
        return replace(self, x_m=x_m + c * self.x_m - s * self.y_m, y_m=y_m + s * self.x_m + c * self.y_m,
                       yaw_rad=self.yaw_rad + yaw_rad)

    def rect(self) -> Rect:
        """The bounding rectangle of the footprint."""
        if self.shape == "box":
            c, s = abs(math.cos(self.yaw_rad)), abs(math.sin(self.yaw_rad))
            ax, ay = c * self.hx_m + s * self.hy_m, s * self.hx_m + c * self.hy_m
        else:
            ax = ay = self.hx_m
        return Rect(self.x_m - ax, self.y_m - ay, self.x_m + ax, self.y_m + ay)

    def distance_m(self, x_m: NDArray[np.float64] | float, y_m: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Distance from each floor point to the footprint, 0 inside; broadcasts x against y."""
        dx, dy = x_m - self.x_m, y_m - self.y_m
        if self.shape != "box":
            return np.maximum(np.hypot(dx, dy) - self.hx_m, 0.0)
        c, s = math.cos(self.yaw_rad), math.sin(self.yaw_rad)
        return np.hypot(np.maximum(np.abs(c * dx + s * dy) - self.hx_m, 0.0),
                        np.maximum(np.abs(c * dy - s * dx) - self.hy_m, 0.0))


def box(x: float, y: float, z0: float, sx: float, sy: float, sz: float, colour: Colour, yaw: float = 0.0) -> Solid:
    """A box from its floor centre (x, y), its underside z0 and its full sizes."""
    return Solid(x_m=x, y_m=y, z_m=z0 + sz / 2, hx_m=sx / 2, hy_m=sy / 2, hz_m=sz / 2, yaw_rad=yaw, colour=colour)


def cylinder(x: float, y: float, z0: float, radius: float, height: float, colour: Colour) -> Solid:
    """An upright cylinder from its underside z0."""
    return Solid(shape="cylinder", x_m=x, y_m=y, z_m=z0 + height / 2, hx_m=radius, hy_m=radius, hz_m=height / 2,
                 colour=colour)


def sphere(x: float, y: float, z: float, radius: float, colour: Colour) -> Solid:
    """A sphere from its centre."""
    return Solid(shape="sphere", x_m=x, y_m=y, z_m=z, hx_m=radius, hy_m=radius, hz_m=radius, colour=colour)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A thing made of solids: a piece of clutter, or a target if the label is one of TARGET_CLASSES."""

    label: str
    x_m: float
    y_m: float
    yaw_rad: float
    parts: tuple[Solid, ...]         # world frame

    def rect(self) -> Rect:
        """The bounding rectangle of the footprint."""
        return bounds(self.parts)

    def moved(self, x_m: float, y_m: float, yaw_rad: float) -> Thing:
        """The same thing at another place."""
        dx, dy, turn = shift(self, x_m, y_m, yaw_rad)
        return Thing(label=self.label, x_m=x_m, y_m=y_m, yaw_rad=yaw_rad,
                     parts=tuple(part.placed(dx, dy, turn) for part in self.parts))

    @property
    def height_m(self) -> float:
        """Height of the highest point above the floor."""
        return max(p.z_m + p.hz_m for p in self.parts)


def place_thing(label: str, parts: Sequence[Solid], x_m: float, y_m: float, yaw_rad: float) -> Thing:
    """A thing at (x, y, yaw) from parts in its own frame."""
    return Thing(label=label, x_m=x_m, y_m=y_m, yaw_rad=yaw_rad,
                 parts=tuple(p.placed(x_m, y_m, yaw_rad) for p in parts))


def shift(thing: Thing, x_m: float, y_m: float, yaw_rad: float) -> tuple[float, float, float]:
    """The motion of the world frame that brings a thing to (x, y, yaw): along x and y in m after a turn in rad."""
    turn = yaw_rad - thing.yaw_rad
    c, s = math.cos(turn), math.sin(turn)
    return x_m - c * thing.x_m + s * thing.y_m, y_m - s * thing.x_m - c * thing.y_m, turn


def bounds(solids: Iterable[Solid]) -> Rect:
    """The bounding rectangle of all footprints."""
    rects = [s.rect() for s in solids]
    return Rect(min(r.x0_m for r in rects), min(r.y0_m for r in rects),
                max(r.x1_m for r in rects), max(r.y1_m for r in rects))
