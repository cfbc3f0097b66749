"""Places things in a building so that robots can still pass."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sim_worlds.classes import TARGET_CLASSES
from sim_worlds.physics.solids import Rect, Solid, Thing, bounds, place_thing
from sim_worlds.scenarios.search_rescue import things

TARGETS_PER_CLASS = 4
PASSAGE_M = 0.80                     # free width between two things, or a thing and a wall that it does not touch
TARGET_GAP_M = 2.0                   # between two targets


def targets(rng: np.random.Generator, rooms: Sequence[Rect], first: int, keep_clear: Sequence[Rect],
            placed: list[Thing]) -> list[Thing] | None:
    """Four targets of each class, spread over all rooms except `first`, the entrance; they are added to `placed`.

    None if a target does not fit.
    """
    labels = drawn_labels(rng)
    order = [int(i) for i in rng.permutation(len(rooms)) if i != first]
    for k, label in enumerate(labels):
        for room in (order[(k + j) % len(order)] for j in range(len(order))):
            if place(rng, label, things.TARGETS[label](rng), rooms[room], keep_clear, placed, flush=0.35, tries=12,
                     apart_m=TARGET_GAP_M):
                break
        else:
            return None
    return list(placed)


def drawn_labels(rng: np.random.Generator) -> list[str]:
    """The labels of all targets, in the order in which they are placed."""
    return [str(s) for s in rng.permutation(np.repeat(TARGET_CLASSES, TARGETS_PER_CLASS))]


def place(rng: np.random.Generator, label: str, parts: Sequence[Solid], room: Rect, keep_clear: Sequence[Rect],
          placed: list[Thing], *, flush: float, tries: int, apart_m: float = PASSAGE_M) -> bool:
    """Put a thing into a room, against a wall (with probability `flush`) or free-standing; False if it does not fit.

    The gap to each wall and thing is either zero or wide enough to pass, so that no thing can divide a room.
    """
    for _ in range(tries):
        at_wall = rng.random() < flush
        side = int(rng.integers(4))
        yaw = side * math.pi / 2 if at_wall else float(rng.uniform(-math.pi, math.pi))
        r = bounds(p.placed(0.0, 0.0, yaw) for p in parts)
        low_x, high_x = room.x0_m - r.x0_m + PASSAGE_M, room.x1_m - r.x1_m - PASSAGE_M
        low_y, high_y = room.y0_m - r.y0_m + PASSAGE_M, room.y1_m - r.y1_m - PASSAGE_M
        x, y = rng.uniform((min(low_x, high_x), min(low_y, high_y)), (max(low_x, high_x), max(low_y, high_y)))
        if low_x > high_x or low_y > high_y:
            continue
        if at_wall:                                          # the front faces away from the wall
            x = (room.x0_m - r.x0_m + 0.02, x, room.x1_m - r.x1_m - 0.02, x)[side]
            y = (y, room.y0_m - r.y0_m + 0.02, y, room.y1_m - r.y1_m - 0.02)[side]
        thing = place_thing(label, parts, float(x), float(y), yaw)
        here = thing.rect()
        if all(here.gap_m(c) > 0 for c in keep_clear) and all(here.gap_m(p.rect()) >= apart_m for p in placed
                                                              if math.hypot(p.x_m - x, p.y_m - y) < apart_m + 3.0):
            placed.append(thing)
            return True
    return False


def entrance(rooms: Sequence[Rect]) -> int:
    """The index of the largest room at the south wall."""
    south = min(r.y0_m for r in rooms) + 0.01
    return max((i for i, r in enumerate(rooms) if r.y0_m <= south),
               key=lambda i: ((rooms[i].x1_m - rooms[i].x0_m) * (rooms[i].y1_m - rooms[i].y0_m), -i))


def middle(room: Rect) -> tuple[float, float]:
    """The centre of a room."""
    return (room.x0_m + room.x1_m) / 2, (room.y0_m + room.y1_m) / 2
