"""Rooms, walls and doors of a building, by recursive splitting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim_worlds.physics.solids import Colour, Rect, Solid

WALL_THICKNESS_M = 0.14
WALL_HEIGHT_M = 2.4
DOOR_WIDTH_M = (1.2, 1.6)            # limits of the drawn width; at least 1.1 is promised
DOOR_APRON_M = 0.9                   # kept free on both sides of a door
ROOM_MIN_M = 3.4                     # between wall centre lines
ROOM_MAX_M = 6.6                     # a longer side is always split
SECOND_DOOR_FROM_M = 9.0             # a wall this long gets two doors, so that there are loops


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A gap in a wall."""

    x_m: float
    y_m: float
    width_m: float
    along_x: bool                    # its wall runs along x

    def apron(self) -> Rect:
        """The floor that must stay free so that robots can use the door."""
        half = self.width_m / 2 + 0.1
        hx, hy = (half, DOOR_APRON_M) if self.along_x else (DOOR_APRON_M, half)
        return Rect(self.x_m - hx, self.y_m - hy, self.x_m + hx, self.y_m + hy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Walls as boxes, rooms as rectangles of floor, and the doors between the rooms."""

    walls: tuple[Solid, ...]
    rooms: tuple[Rect, ...]
    doors: tuple[Door, ...]


def split(rng: np.random.Generator, size_m: float, colour: Colour) -> Layout:
    """A square building of outer size `size_m`, centred on the origin, divided recursively into rooms.

    Every inner wall has a door and no wall ends in a doorway, so all rooms are connected.
    """
    t = WALL_THICKNESS_M / 2
    edge = size_m / 2 - t
    walls = [_wall(*ends, rng, colour) for ends in (
        (-edge - t, -edge, edge + t, -edge), (-edge - t, edge, edge + t, edge),
        (-edge, -edge + t, -edge, edge - t), (edge, -edge + t, edge, edge - t))]
    doors: list[Door] = []
    rooms: list[Rect] = []
    pending = [Rect(-edge, -edge, edge, edge)]
    while pending:
        area = pending.pop()
        cut = _cut(rng, area, doors)
        if cut is None:
            rooms.append(Rect(area.x0_m + t, area.y0_m + t, area.x1_m - t, area.y1_m - t))
            continue
        across_x, at = cut                                   # the wall stands at x = at, or at y = at
        low, high = (area.y0_m, area.y1_m) if across_x else (area.x0_m, area.x1_m)
        gaps = _gaps(rng, low + t, high - t)
        starts = [low + t, *(b for _, b in gaps)]
        ends = [*(a for a, _ in gaps), high - t]
        for a, b in zip(starts, ends, strict=True):
            walls.append(_wall(at, a, at, b, rng, colour) if across_x else _wall(a, at, b, at, rng, colour))
        for a, b in gaps:
            mid = (a + b) / 2
            doors.append(Door(x_m=at if across_x else mid, y_m=mid if across_x else at, width_m=b - a,
                              along_x=not across_x))
        if across_x:
            pending += [area._replace(x1_m=at), area._replace(x0_m=at)]
        else:
            pending += [area._replace(y1_m=at), area._replace(y0_m=at)]
    return Layout(walls=tuple(walls), rooms=tuple(rooms), doors=tuple(doors))


def _cut(rng: np.random.Generator, area: Rect, doors: list[Door]) -> tuple[bool, float] | None:
    """Where to split an area; None if the area stays one room."""
    width, depth = area.x1_m - area.x0_m, area.y1_m - area.y0_m
    across_x = width >= depth
    long = max(width, depth)
    if long < 2 * ROOM_MIN_M or (long < ROOM_MAX_M * 1.25 and rng.random() < 0.25):
        return None
    low, high = (area.x0_m, area.x1_m) if across_x else (area.y0_m, area.y1_m)
    for _ in range(40):
        at = float(rng.uniform(low + ROOM_MIN_M, high - ROOM_MIN_M))
        if all(_clear_of(door, at, across_x, area) for door in doors):
            return across_x, at
    return None


def _clear_of(door: Door, at: float, across_x: bool, area: Rect) -> bool:
    """Whether a wall at `at` does not overlap the apron of a door at the area's rim."""
    apron = door.apron()
    if across_x:
        return not (apron.x0_m - 0.1 < at < apron.x1_m + 0.1 and apron.y1_m > area.y0_m and apron.y0_m < area.y1_m)
    return not (apron.y0_m - 0.1 < at < apron.y1_m + 0.1 and apron.x1_m > area.x0_m and apron.x0_m < area.x1_m)


def _gaps(rng: np.random.Generator, low: float, high: float) -> list[tuple[float, float]]:
    """One or two door openings along a wall, away from its ends."""
    count = 2 if high - low >= SECOND_DOOR_FROM_M else 1
    share = (high - low) / count
    gaps = []
    for k in range(count):
        width = float(rng.uniform(*DOOR_WIDTH_M))
        a = float(rng.uniform(low + k * share + 0.7, low + (k + 1) * share - 0.7 - width))
        gaps.append((a, a + width))
    return gaps


def _wall(x0: float, y0: float, x1: float, y1: float, rng: np.random.Generator, colour: Colour) -> Solid:
    """A wall along its centre line; the thickness is added across the line."""
    shade = float(rng.uniform(0.92, 1.04))
    t = WALL_THICKNESS_M / 2
    return Solid(x_m=(x0 + x1) / 2, y_m=(y0 + y1) / 2, z_m=WALL_HEIGHT_M / 2,
                 hx_m=(x1 - x0) / 2 if y0 == y1 else t, hy_m=(y1 - y0) / 2 if x0 == x1 else t, hz_m=WALL_HEIGHT_M / 2,
                 colour=(min(1.0, colour[0] * shade), min(1.0, colour[1] * shade), min(1.0, colour[2] * shade)))
