"""The floor of a warehouse: racks with bays on both sides of parallel aisles, a lane at either end, docks in the south.

An aisle has room for one robot: two cannot pass each other, and each can turn on the spot. All aisles run from south to
north; a bay is a pallet at the side of an aisle, with a good on it or empty. For a large fleet there are several halls,
one behind the other, each with aisles, docks and walls of its own. No way leads from one into another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sim_worlds.classes import TARGET_CLASSES
from sim_worlds.environment import Charger, Environment
from sim_worlds.physics.solids import Colour, Solid, Thing, box, place_thing
from sim_worlds.scenarios.search_rescue.things import BEIGE, BLUE, GREY, TARGETS, WOOD, tinted
from swarm.core.protocol.world import Pose

LEAST_AISLES, IN_ONE_HALL, MOST_ROBOTS = 3, 60, 1000
BAYS = 3                             # on each side of an aisle
STOCKED = 0.25                       # share of the bays that have a good
AISLE_M, RACK_M = 1.1, 0.3           # widths
PALLET_M = 0.6, 1.1, 0.05            # across the aisle, along it, height
BAY_PITCH_M = 1.3                    # from bay to bay
PITCH_M = AISLE_M + RACK_M + 2 * PALLET_M[0]         # from aisle to aisle
SOUTH_M, NORTH_M = 3.0, 1.5          # from the bays to the walls
SOUTH_LANE_M, NORTH_LANE_M = 1.35, 0.75              # from the bays to the middle of a lane
DOCK_M = 0.65                        # from the south wall to the docks
CHARGER_M = 0.45                     # from the middle of a dock to that of a robot which it charges
CHARGER_W = 21.0
"""Of a dock: what charges the 26 Wh of a TurtleBot 4 in 2.5 hours, beside the 10.6 W that it takes meanwhile (as of
`sim_worlds/robots/__init__.py`)."""
WALL_M, WALL_HEIGHT_M, RACK_HEIGHT_M = 0.15, 2.4, 1.6


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorPlan:
    """The numbers that the floor of a hall is made of, in the world frame, and the places that follow from them.

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
    middle_m: float                  # y of the middle of the hall
    hall: int                        # its number, from 1 on; 0: it is the only one

    @property
    def count(self) -> int:
        """Bays in all."""
        return 2 * self.bays * self.aisles

    def aisle_x_m(self, aisle: int) -> float:
        """x of the middle of an aisle."""
        return (aisle - (self.aisles - 1) / 2) * self.pitch_m

    def access(self, bay: int) -> tuple[float, float]:
        """Where a robot stands to pick from a bay: in the middle of the aisle beside it."""
        return self.aisle_x_m(bay // (2 * self.bays)), self.first_m + bay // 2 % self.bays * self.bay_pitch_m

    def middle(self, bay: int) -> tuple[float, float]:
        """The middle of a bay."""
        x, y = self.access(bay)
        return x + (self.aside_m if bay % 2 else -self.aside_m), y

    def docks(self) -> list[tuple[float, float]]:
        """The middles of the docks."""
        return [(self.aisle_x_m(aisle), self.dock_m) for aisle in range(self.aisles)]

    def words(self) -> str:
        """The plan as a verdict of at most 64 characters: its numbers in the order above, without the middle.

        The number of the hall is left out where there is one only.
        """
        lengths = (self.pitch_m, self.bay_pitch_m, self.first_m, self.aside_m, self.south_m, self.north_m, self.dock_m)
        words = ["plan", str(self.aisles), str(self.bays), *(f"{length:.2f}" for length in lengths)]
        return " ".join([*words, str(self.hall)] if self.hall else words)


def plans_for(robots: int) -> list[FloorPlan]:
    """The plans of the halls for a fleet, from the south: an aisle for each robot, three at least.

    A fleet that is too large for one hall has as many as make the place about square, each for as many robots, or for
    one more. Raises ValueError for too large a fleet.
    """
    if robots > MOST_ROBOTS:
        raise ValueError(f"{robots} robots, but the warehouse has room for {MOST_ROBOTS}")
    halls = 1 if robots <= IN_ONE_HALL else round(math.sqrt(robots * PITCH_M / _hall_pitch_m()))
    shares = [robots // halls + (k < robots % halls) for k in range(halls)]
    return [_plan(max(LEAST_AISLES, share), (k - (halls - 1) / 2) * _hall_pitch_m(), k + 1 if halls > 1 else 0)
            for k, share in enumerate(shares)]


def _plan(aisles: int, middle_m: float, hall: int) -> FloorPlan:
    low = middle_m - _depth_m() / 2 + SOUTH_M                # where the bays begin
    return FloorPlan(
        aisles=aisles, bays=BAYS, pitch_m=PITCH_M, bay_pitch_m=BAY_PITCH_M,
        first_m=low + BAY_PITCH_M / 2, aside_m=(AISLE_M + PALLET_M[0]) / 2, south_m=low - SOUTH_LANE_M,
        north_m=low + BAYS * BAY_PITCH_M + NORTH_LANE_M, dock_m=middle_m - _depth_m() / 2 + DOCK_M,
        middle_m=middle_m, hall=hall)


def furnish(plans: Sequence[FloorPlan], seed: int) -> tuple[Environment, list[dict[int, int]]]:
    """The environment of the halls, and of each the targets in its bays: bay -> index of the target.

    A quarter of the bays has a good, as many of each class in each hall. The robots start at the docks. Each part has
    its own random stream.
    """
    paint, stock = (np.random.default_rng([seed, part]) for part in range(2))
    stocks, goods = list[dict[int, int]](), list[Thing]()
    for plan in plans:
        each = round(STOCKED * plan.count / len(TARGET_CLASSES))
        bays = sorted(stock.permutation(plan.count)[:each * len(TARGET_CLASSES)].tolist())
        labels = stock.permutation(np.repeat(TARGET_CLASSES, each)).tolist()
        stocks.append({bay: target for target, bay in enumerate(bays, start=len(goods))})
        goods += [good(label, plan, bay, stock) for label, bay in zip(labels, bays, strict=True)]
    steel, wood, beige = tinted(paint, BLUE), tinted(paint, WOOD), tinted(paint, BEIGE)
    docks = [dock for plan in plans for dock in plan.docks()]
    wide, deep = max(map(_width_m, plans)), len(plans) * _hall_pitch_m() - 2 * WALL_M
    return Environment(
        size_m=round(max(wide, deep) + 2 * WALL_M, 3),
        walls=tuple(solid for plan in plans for solid in (*_walls(plan, beige), *_racks(plan, steel))),
        clutter=tuple(place_thing("pallet", [box(0, 0, 0, *PALLET_M, wood)], *plan.middle(bay), 0.0)
                      for plan in plans for bay in range(plan.count)),
        target_classes=TARGET_CLASSES, targets=tuple(goods), spawns=tuple(Pose(x, y, math.pi / 2) for x, y in docks),
        chargers=tuple(Charger(x, y, CHARGER_M, CHARGER_W) for x, y in docks),
        floor_colour=tinted(paint, GREY), ceiling_colour=tinted(paint, (0.88, 0.88, 0.86), 0.08)), stocks


def good(label: str, plan: FloorPlan, bay: int, draw: np.random.Generator) -> Thing:
    """A good on the pallet of a bay, along the aisle: one of the targets that detectors know."""
    parts = [replace(part, z_m=part.z_m + PALLET_M[2]) for part in TARGETS[label](draw)]
    return place_thing(label, parts, *plan.middle(bay), math.pi / 2 if draw.random() < 0.5 else -math.pi / 2)


def _depth_m() -> float:
    """From the south wall of a hall to its north wall."""
    return SOUTH_M + BAYS * BAY_PITCH_M + NORTH_M


def _hall_pitch_m() -> float:
    """From the middle of a hall to that of the next."""
    return _depth_m() + 2 * WALL_M


def _width_m(plan: FloorPlan) -> float:
    """From the west wall of a hall to its east wall."""
    return plan.aisles * PITCH_M + RACK_M


def _walls(plan: FloorPlan, colour: Colour) -> list[Solid]:
    wide, deep = _width_m(plan), _depth_m()
    x, y = (wide + WALL_M) / 2, (deep + WALL_M) / 2
    return [box(x, plan.middle_m + y, 0.0, sx, sy, WALL_HEIGHT_M, colour) for x, y, sx, sy in (
        (0.0, -y, wide + 2 * WALL_M, WALL_M), (0.0, y, wide + 2 * WALL_M, WALL_M),
        (-x, 0.0, WALL_M, deep), (x, 0.0, WALL_M, deep))]


def _racks(plan: FloorPlan, colour: Colour) -> list[Solid]:
    """The racks between the aisles, and at the first and the last one."""
    y = plan.first_m + (BAYS - 1) / 2 * BAY_PITCH_M
    return [box((k - plan.aisles / 2) * PITCH_M, y, 0.0, RACK_M, BAYS * BAY_PITCH_M, RACK_HEIGHT_M, colour)
            for k in range(plan.aisles + 1)]
