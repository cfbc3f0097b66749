"""The floor plan of a warehouse as its world tells it, and the ways on it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

Point = tuple[float, float]

STEP_M = 0.25                        # between the points of a way
MOST_POINTS = 1000                   # of one line of a way
RIGHT_M = 0.25                       # robots keep so far to the right of the middle of a lane
APART_M = 0.35                       # from the middle of an outermost rack, which stands at a wall, to a robot there
ASIDE_M = 0.3                        # from the end of a rack to a robot that waits there
CLEAR_M = 0.45                       # from the ends of the racks to a way along them
MOUTH_M = 0.7                        # from an end of an aisle, and to either side: a robot there is in its mouth
BESIDE = 0.75                        # of the pitch: so close to an aisle a robot need not go back to the lane
ALONE_M = 1.4                        # from a waiting place to a robot that waits at another one
MOST_BAYS, MOST_M, MOST_HALLS = 4096, 1000.0, 255


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorPlan:
    """Aisles of a hall from south to north with bays on both sides, a lane at either end, docks in the south.

    All is in the world frame.

    Bays count from 0 on: aisle by aisle from the west, in an aisle from the south, the west one before the east one.
    """

    aisles: int
    bays: int                        # on each side of an aisle
    pitch_m: float                   # from the middle of an aisle to that of the next
    bay_pitch_m: float
    first_m: float                   # y of the southernmost bays
    aside_m: float                   # from the middle of an aisle to that of a bay
    south_m: float                   # y of the lane at the south ends of the aisles
    north_m: float                   # and at the north ends
    dock_m: float                    # y of the docks, one in line with each aisle
    hall: int = 0                    # its number, from 1 on; 0: it is the only one

    @property
    def count(self) -> int:
        """Bays in all."""
        return 2 * self.bays * self.aisles

    @property
    def low_m(self) -> float:
        """y of the south ends of the racks."""
        return self.first_m - self.bay_pitch_m / 2

    @property
    def high_m(self) -> float:
        """y of the north ends of the racks."""
        return self.low_m + self.bays * self.bay_pitch_m

    def aisle_x_m(self, aisle: int) -> float:
        """x of the middle of an aisle."""
        return (aisle - (self.aisles - 1) / 2) * self.pitch_m

    def aisle_of(self, bay: int) -> int:
        """The aisle beside a bay."""
        return bay // (2 * self.bays)

    def access(self, bay: int) -> Point:
        """Where a robot stands to pick from a bay."""
        return self.aisle_x_m(self.aisle_of(bay)), self.first_m + bay // 2 % self.bays * self.bay_pitch_m

    def middle(self, bay: int) -> Point:
        """The middle of a bay."""
        x, y = self.access(bay)
        return x + (self.aside_m if bay % 2 else -self.aside_m), y

    def docks(self) -> list[Point]:
        """The middles of the docks."""
        return [(self.aisle_x_m(aisle), self.dock_m) for aisle in range(self.aisles)]

    def nearest_aisle(self, x_m: float) -> int:
        """The aisle whose middle is nearest."""
        return min(max(round(x_m / self.pitch_m + (self.aisles - 1) / 2), 0), self.aisles - 1)

    def aisle_at(self, at: Point) -> int | None:
        """The aisle in which a point lies, or None for one outside the aisles."""
        return self.nearest_aisle(at[0]) if self.low_m <= at[1] <= self.high_m else None

    def is_at_mouth(self, at: Point, aisle: int) -> bool:
        """Whether a robot there is in the way of one that enters an aisle or leaves it."""
        ends = self.low_m - MOUTH_M, self.high_m + MOUTH_M
        return abs(at[0] - self.aisle_x_m(aisle)) < MOUTH_M and ends[0] <= at[1] <= ends[1]

    def waiting_place(self, at: Point, aisle: int, others: Sequence[Point]) -> Point:
        """Where a robot at `at`, outside the aisles, waits for an aisle: at the end of a rack, beside it if it can.

        others: where others are, each at a place of its own; so no robot that waits is in the way of another one.
        """
        y = self.low_m - ASIDE_M if at[1] < self.first_m else self.high_m + ASIDE_M
        most = self.aisles / 2 * self.pitch_m - APART_M
        ends = [(rack - self.aisles / 2) * self.pitch_m for rack in range(self.aisles + 1)]
        places = [(min(max(x, -most), most), y) for x in ends]
        free = [place for place in places if all(math.dist(place, other) >= ALONE_M for other in others)]
        return min(free or places, key=lambda place: (
            max(abs(place[0] - self.aisle_x_m(aisle)) - BESIDE * self.pitch_m, 0.0), math.dist(place, at)))

    def way(self, start: Point, goal: Point) -> list[Point]:
        """The shortest way along aisles and lanes: points up to STEP_M apart, the start and the goal included."""
        return _dense(min(self._ways(start, goal), key=_length_m))

    def way_m(self, start: Point, goal: Point) -> float:
        """The length of the shortest way."""
        return min(_length_m(way) for way in self._ways(start, goal))

    def _ways(self, start: Point, goal: Point) -> list[list[Point]]:
        """The corners of possible ways; one at least."""
        here, there = self.aisle_at(start), self.aisle_at(goal)
        if here is not None and here == there:
            return [[start, (self.aisle_x_m(here), goal[1]), goal]]
        sides = [south for south in (True, False)
                 if (here is not None or (start[1] < self.first_m) == south)
                 and (there is not None or (goal[1] < self.first_m) == south)]
        if sides:
            return [self._by_lane(start, here, goal, there, south) for south in sides]
        aisles = {self.nearest_aisle(start[0]), self.nearest_aisle(goal[0])}     # it has to pass through one
        south = start[1] < self.first_m
        return [[start, self._mouth(aisle, south), self._mouth(aisle, not south), goal] for aisle in sorted(aisles)]

    def _by_lane(self, start: Point, here: int | None, goal: Point, there: int | None, south: bool) -> list[Point]:
        """Out of an aisle, along a lane, into an aisle. On the right of the lane, if it goes along it."""
        from_x = start[0] if here is None else self.aisle_x_m(here)
        to_x = goal[0] if there is None else self.aisle_x_m(there)
        along = to_x - from_x
        y = self.south_m if south else self.north_m
        y -= math.copysign(RIGHT_M, along) if abs(along) > STEP_M else 0.0
        if here is None and abs(along) < self.pitch_m * BESIDE:          # it is at the mouth: not back to the lane
            y = min(max(start[1], y), self.low_m - CLEAR_M) if south else max(min(start[1], y), self.high_m + CLEAR_M)
        corners = [start]
        if here is not None:
            corners.append((from_x, y))
        elif abs(along) > abs(start[1] - y):                 # it joins the lane soon: others come along the other side
            corners.append((from_x + math.copysign(abs(start[1] - y), along), y))
        if there is not None:
            corners.append((to_x, y))
        return [*corners, goal]

    def _mouth(self, aisle: int, south: bool) -> Point:
        return self.aisle_x_m(aisle), self.south_m if south else self.north_m


def told(verdict: str) -> FloorPlan | None:
    """The floor plan of a verdict, as `plan 4 3 2.60 ...`; None if it tells none that makes sense.

    Where there are several halls it ends with the number of the robot's.
    """
    words = verdict.split()
    if words[:1] != ["plan"] or len(words) not in (len(fields(FloorPlan)), 1 + len(fields(FloorPlan))):
        return None
    numbers = words[1:]
    try:
        aisles, bays = int(numbers[0]), int(numbers[1])
        pitch, bay_pitch, first, aside, south, north, dock = (float(number) for number in numbers[2:9])
        hall = int(numbers[9]) if len(numbers) > 9 else 0
    except ValueError:
        return None
    plan = FloorPlan(aisles=aisles, bays=bays, pitch_m=pitch, bay_pitch_m=bay_pitch, first_m=first, aside_m=aside,
                     south_m=south, north_m=north, dock_m=dock, hall=hall)
    if not (0 < aisles <= MOST_BAYS and 0 < bays <= MOST_BAYS and plan.count <= MOST_BAYS and 0 <= hall <= MOST_HALLS):
        return None
    if not all(0.0 < length <= MOST_M for length in (pitch, bay_pitch, aside)):      # false also for nan
        return None
    return plan if -MOST_M <= dock < south < plan.low_m < plan.high_m < north <= MOST_M else None


def _length_m(way: list[Point]) -> float:
    return sum(math.dist(a, b) for a, b in itertools.pairwise(way))


def _dense(corners: list[Point]) -> list[Point]:
    """Points on the lines between corners, up to STEP_M apart, the first and the last corner included.

    On a line to a place that no robot can be at, as a localisation may tell that is wrong, they are farther apart.
    """
    points = corners[:1]
    for (x0, y0), (x1, y1) in itertools.pairwise(corners):
        count = min(math.ceil(math.hypot(x1 - x0, y1 - y0) / STEP_M), MOST_POINTS)
        points += [(x0 + (x1 - x0) * k / count, y0 + (y1 - y0) * k / count) for k in range(1, count + 1)]
    return points
