"""Which bay a robot of the warehouse goes to."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.behaviours.picking.bay_choice import LOOK_S, PICK_S, SPEED_MPS, bay_choice, waits_s
from agents.behaviours.picking.floor_plan import FloorPlan, Point, told
from agents.behaviours.picking.mates import Mate
from sim_worlds.scenarios.warehouse.floor import plans_for
from swarm.core.protocol.world import Pose

KNOWN = 0.55
DOCK = -3.9, -3.55                   # the first one; bays are at y = -0.55, 0.75 and 2.05


def plan() -> FloorPlan:
    made = told(plans_for(4)[0].words())
    assert made is not None
    return made


def choice(chances: dict[int, float], *, rest: float = 0.0, at: Point = DOCK, waits: dict[int, float] | None = None,
           present: int | None = None) -> int:
    every = np.full(24, rest)
    every[list(chances)] = list(chances.values())
    return bay_choice(plan(), at, every, KNOWN, waits or {}, present)


def test_of_known_goods_the_one_with_the_shortest_way_there_and_back() -> None:
    assert choice({2: 0.9, 12: 0.9}) == 2
    assert choice({4: 0.9, 6: 0.9}, at=(-1.3, -3.55)) == 6
    assert choice({2: 0.9, 0: 0.2}) == 2                     # a small chance is not worth the way


def test_a_good_in_an_aisle_that_is_taken_for_long_is_left_for_one_further_away() -> None:
    assert choice({0: 0.9, 6: 0.9}) == 0
    assert choice({0: 0.9, 6: 0.9}, waits={0: 8.0}) == 0
    assert choice({0: 0.9, 6: 0.9}, waits={0: 40.0}) == 6


def test_an_aisle_that_nobody_has_seen_is_better_than_bays_nearby_that_are_empty() -> None:
    """A robot in the first aisle has looked at all of its bays: it does not try them again one by one."""
    looked = dict.fromkeys(range(6), 0.004)
    assert choice(looked, rest=1 / 12, at=(-3.9, 0.75)) in range(6, 12)


def test_of_an_aisle_that_nobody_has_seen_the_robot_looks_at_more_than_the_first_bays() -> None:
    assert choice({}, rest=1 / 12) in (2, 3, 4, 5)
    # a robot that stands before two bays and has seen them does not stay for those behind them
    assert choice({0: 0.004, 1: 0.004}, rest=1 / 12, at=plan().access(0)) in (2, 3, 4, 5)


def test_a_robot_goes_on_to_its_bay_unless_another_is_much_better() -> None:
    at = -2.6, -3.0                                          # between two aisles
    assert choice({0: 0.9, 6: 0.9}, at=at, present=0) == 0
    assert choice({0: 0.9, 6: 0.9}, at=at, present=6) == 6
    assert choice({0: 0.6, 6: 0.99}, at=(-1.3, -2.0), present=0) == 6


def test_a_robot_that_searches_does_not_turn_round_for_a_trip_that_is_a_little_better() -> None:
    """In the middle of an aisle that is empty, with aisles that nobody has seen on both sides."""
    looked, at = dict.fromkeys(range(6, 12), 0.004), (-1.2, 0.3)
    assert choice(looked, rest=1 / 12, at=at, present=14) == 14
    assert choice(looked, rest=1 / 12, at=at, present=2) == 2


def mate(at: Point, *, bay: int | None = None, aisle: int | None = None) -> Mate:
    return Mate(sequence=1, heard_at=0, pose=Pose(*at, 0.0), bay=bay, aisle=aisle, ticket=1)


def test_the_time_until_an_aisle_is_free_by_hand() -> None:
    p = plan()
    leaves, picks = mate((-3.9, 0.2), aisle=0), mate((-1.3, -0.55), bay=8, aisle=1)
    comes = mate((1.3, -3.55), bay=12, aisle=2)
    assert waits_s(p, [leaves, picks, comes], [comes]) == pytest.approx({
        0: 1.4 / SPEED_MPS,                                  # to the end of the rack, at -1.2
        1: (1.3 + 1.95) / SPEED_MPS + PICK_S,                # to its bay and out
        2: (3.0 + 0.65) / SPEED_MPS + PICK_S})
    assert 2 not in waits_s(p, [comes], [])                  # this robot's turn is before
    assert waits_s(p, [], []) == {}


def test_a_hopeless_warehouse_has_a_choice_too() -> None:
    assert choice({}) in range(24)
    assert math.isfinite(LOOK_S)
