"""Goals and paths on hand-made maps."""

from __future__ import annotations

import itertools
import math

import numpy as np

from agents.behaviours.search import frontier
from agents.behaviours.search.frontier import Preferences
from agents.behaviours.search.occupancy_map import CELLS, FREE, LOOKED, OCCUPIED, UNKNOWN, cell_of


def open_floor(state: int = LOOKED) -> np.ndarray:
    states = np.full((CELLS, CELLS), OCCUPIED, np.uint8)
    states[1:-1, 1:-1] = state
    return states


def test_distances_are_close_to_straight_lines() -> None:
    area = frontier.field(open_floor(), 0.0, 0.0)
    for x, y in ((8.0, 0.0), (6.0, 6.0), (-3.0, 7.0)):
        assert abs(float(area.distance_m()[cell_of(x, y)]) / math.hypot(x, y) - 1.0) < 0.12


def test_a_path_goes_through_the_door_and_keeps_off_the_walls() -> None:
    states = open_floor()
    wall = cell_of(2.0, 0.0)[1]
    states[:, wall] = OCCUPIED
    door = cell_of(0.0, 5.0)[0]
    states[door - 2:door + 3, wall] = LOOKED
    area = frontier.field(states, 0.0, 0.0)
    path = area.path(*cell_of(6.0, -5.0))
    assert path[0] == (0.125, 0.125)
    assert all(math.dist(a, b) < 0.36 for a, b in itertools.pairwise(path))
    at_wall = [y for x, y in path if abs(x - 2.125) < 0.01]
    assert at_wall
    assert all(abs(y - 5.125) <= 0.26 for y in at_wall)


def test_what_cannot_be_reached_has_no_path() -> None:
    states = open_floor()
    states[:, cell_of(2.0, 0.0)[1]] = OCCUPIED
    area = frontier.field(states, 0.0, 0.0)
    assert area.path(*cell_of(6.0, 0.0)) == []
    assert math.isinf(float(area.distance_m()[cell_of(6.0, 0.0)]))


def test_a_robot_that_stands_too_close_to_a_wall_can_leave() -> None:
    area = frontier.field(open_floor(), 11.6, 0.0)
    assert area.path(*cell_of(0.0, 0.0))


def test_a_teammate_in_the_way_is_gone_around() -> None:
    path = frontier.field(open_floor(), 0.0, 0.0, [(1.5, 0.0)]).path(*cell_of(4.0, 0.0))
    assert min(math.dist(p, (1.5, 0.0)) for p in path) > 0.35


def test_the_frontier_draws_and_walls_do_not() -> None:
    states = np.full((CELLS, CELLS), UNKNOWN, np.uint8)
    iy, ix = cell_of(0.0, 0.0)
    states[iy - 10:iy + 11, ix - 10:ix + 11] = OCCUPIED
    states[iy - 9:iy + 10, ix - 9:ix + 10] = LOOKED
    area = frontier.field(states, 0.0, 0.0)
    assert frontier.choose(area, frontier.gains_m2(states), Preferences(x_m=0, y_m=0, heading_rad=0)) is None
    states[iy - 3:iy + 4, ix + 10] = LOOKED                      # a door to the east
    area = frontier.field(states, 0.0, 0.0)
    goal = frontier.choose(area, frontier.gains_m2(states), Preferences(x_m=0, y_m=0, heading_rad=0))
    assert goal is not None
    assert goal[1] > ix + 4


def test_a_teammates_goal_and_a_ban_send_it_elsewhere() -> None:
    states = np.full((CELLS, CELLS), UNKNOWN, np.uint8)
    iy, ix = cell_of(0.0, 0.0)
    states[iy - 4:iy + 5, ix - 24:ix + 25] = LOOKED              # a corridor, unknown all round
    area = frontier.field(states, 0.0, 0.0)
    gain = np.where(np.abs(np.arange(CELLS) - ix) > 18, frontier.gains_m2(states), 0.0)
    first = frontier.choose(area, gain, Preferences(x_m=0, y_m=0, heading_rad=0))
    assert first is not None
    x = (first[1] + 0.5) * 0.25 - 12
    for preferences in (Preferences(x_m=0, y_m=0, heading_rad=0, mate_goals=[(x, 0.0)]),
                   Preferences(x_m=0, y_m=0, heading_rad=0, banned=[(x, (first[0] + 0.5) * 0.25 - 12)])):
        other = frontier.choose(area, gain, preferences)
        assert other is not None
        assert other != first
    away = frontier.choose(area, gain, Preferences(x_m=0, y_m=0, heading_rad=0, mate_goals=[(x, 0.0)]))
    assert away is not None
    assert (away[1] - ix) * (first[1] - ix) < 0


def test_known_floor_that_no_camera_saw_is_worth_a_visit() -> None:
    states = open_floor()
    y, x = cell_of(5.0, 5.0)
    states[y - 3:y + 4, x - 3:x + 4] = FREE
    area = frontier.field(states, 0.0, 0.0)
    goal = frontier.choose(area, frontier.gains_m2(states), Preferences(x_m=0, y_m=0, heading_rad=0))
    assert goal is not None
    assert max(abs(goal[0] - y), abs(goal[1] - x)) <= 7


def test_the_gain_is_the_sum_around_each_cell() -> None:
    values = np.random.default_rng(3).integers(0, 5, (20, 20)) / 4.0
    for reach in (0, 1, 4):
        sums = frontier.box_sum(values, reach)
        for iy, ix in itertools.product(range(20), range(20)):
            assert sums[iy, ix] == values[max(iy - reach, 0):iy + reach + 1, max(ix - reach, 0):ix + reach + 1].sum()


def test_teammates_far_away_change_nothing() -> None:
    states = np.full((CELLS, CELLS), UNKNOWN, np.uint8)
    iy, ix = cell_of(0.0, 0.0)
    states[iy - 12:iy + 13, ix - 12:ix + 13] = LOOKED
    area, gain = frontier.field(states, 0.0, 0.0), frontier.gains_m2(states)
    far = [(9.5 * math.cos(k), 9.5 * math.sin(k)) for k in range(12)]
    alone = Preferences(x_m=0, y_m=0, heading_rad=0)
    assert frontier.choose(area, gain, alone) == frontier.choose(
        area, gain, Preferences(x_m=0, y_m=0, heading_rad=0, mate_goals=far, mates=far))
    y, x = frontier.choose(area, gain, alone) or (0, 0)
    near = [((x + 0.5) * 0.25 - 12, (y + 0.5) * 0.25 - 12 + side) for side in (-1.2, 1.2)]     # in rows below and above
    for mates in (near[:1], near[1:]):
        assert frontier.choose(area, gain, Preferences(x_m=0, y_m=0, heading_rad=0, mate_goals=mates)) != (y, x)


def test_the_nearest_place_is_nearest_by_path_and_not_by_gain() -> None:
    states = open_floor()
    for x, half in ((3.0, 2), (-6.0, 12)):                       # 0.6 of 0.0625 m2 for each cell not looked at
        iy, ix = cell_of(x, 0.0)
        states[iy - half:iy + half + 1, ix - half:ix + half + 1] = FREE
    area, gain = frontier.field(states, 0.0, 0.0), frontier.gains_m2(states)
    here = Preferences(x_m=0.0, y_m=0.0, heading_rad=0.0)
    cell = frontier.nearest(area, gain, here)
    assert cell is not None
    assert gain[cell] >= 0.4
    nearer = area.steps < area.steps[cell]
    assert gain[nearer].max() < 0.4
    assert cell[1] > cell_of(0.0, 0.0)[1]                        # to the east, where there is less to see
    banned = Preferences(x_m=0.0, y_m=0.0, heading_rad=0.0, banned=[(x, y) for x in (1.5, 2.5, 3.5, 4.5) for y in
                                                                    (-1.5, -0.5, 0.5, 1.5)])
    other = frontier.nearest(area, gain, banned)
    assert other is not None
    assert other[1] < cell_of(0.0, 0.0)[1]
    assert frontier.nearest(area, np.zeros_like(gain), here) is None
