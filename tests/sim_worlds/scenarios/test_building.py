from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim_worlds.classes import TARGET_CLASSES
from sim_worlds.occupancy import Grid
from sim_worlds.physics.solids import Solid
from sim_worlds.scenarios.search_rescue.building import CLUTTER_MIN, Building, generate, problems, size_of


@pytest.fixture(scope="module")
def building() -> Building:
    return generate(3, 8)


def test_the_same_seed_gives_an_identical_building(building: Building) -> None:
    assert generate(3, 8) == building
    assert generate(4, 8).walls != building.walls


def test_the_fleet_does_not_change_the_walls(building: Building) -> None:
    other = generate(3, 20)
    assert len(other.spawns) == 20
    assert (other.walls, other.doors) == (building.walls, building.doors)


@pytest.mark.parametrize("seed", range(0, 200, 10))
def test_every_building_keeps_its_promises(seed: int) -> None:
    b = generate(seed, 8)
    assert problems(b) == []
    assert sorted(t.label for t in b.targets) == sorted(TARGET_CLASSES * 4)
    assert len(b.clutter) >= CLUTTER_MIN
    assert all(d.width_m >= 1.1 for d in b.doors)
    assert all(0.4 <= t.height_m <= 0.95 for t in b.targets)
    apart = [np.hypot(p.x_m - q.x_m, p.y_m - q.y_m) for i, p in enumerate(b.spawns) for q in b.spawns[:i]]
    assert min(apart) > 0.6


def test_a_large_fleet_has_a_larger_building() -> None:
    assert [size_of(robots) for robots in (0, 8, 100)] == [20.0, 20.0, 20.0]
    assert [size_of(robots) for robots in (101, 200, 400, 1000)] == [22.0, 30.0, 40.0, 64.0]  # 20 m x sqrt(robots/100)
    large = generate(2, 300)
    assert large.size_m == 36.0
    assert problems(large) == []
    assert len(large.spawns) == 300
    assert len(large.targets) == 12


def test_the_check_sees_what_breaks_a_building(building: Building) -> None:
    plugs = tuple(Solid(x_m=d.x_m, y_m=d.y_m, z_m=1.0, hx_m=0.9, hy_m=0.9, hz_m=1.0) for d in building.doors)
    closed = replace(building, walls=building.walls + plugs)
    assert any("cannot be reached" in p for p in problems(closed))


@pytest.mark.parametrize(("x_m", "y_m", "what"), [(50.0, 0.0, "outside"), (float("nan"), 0.0, "outside")])
def test_a_spawn_outside_is_refused(building: Building, x_m: float, y_m: float, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        building.check_spawn(x_m, y_m)


def test_a_spawn_in_a_thing_is_refused_by_name(building: Building) -> None:
    wall, clutter, target = building.walls[6], building.clutter[0], building.targets[0]
    for thing, what in ((wall, "a wall"), (clutter, f"clutter .{clutter.label}"), (target, f"target .{target.label}")):
        with pytest.raises(ValueError, match=what):
            building.check_spawn(thing.x_m, thing.y_m)
    for s in building.spawns:
        building.check_spawn(s.x_m, s.y_m)


def test_too_many_robots_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 1000, not 5000"):
        generate(1, 5000)
    with pytest.raises(ValueError, match="at least 0"):
        generate(1, -1)


def test_the_occupancy_covers_the_building(building: Building) -> None:
    occupied = building.occupancy(0.25, inflate_m=0.2)     # a thin post may stand between the centres of cells
    grid = Grid(size_m=20.0, resolution_m=0.25)
    assert occupied.shape == (80, 80)
    assert all(occupied[grid.index(t.y_m), grid.index(t.x_m)] for t in building.targets)
    assert not any(occupied[grid.index(s.y_m), grid.index(s.x_m)] for s in building.spawns)


@settings(max_examples=12)
@given(seed=st.integers(0, 2**31 - 1), robots=st.integers(0, 40))
def test_any_seed_and_fleet_gives_a_good_building(seed: int, robots: int) -> None:
    b = generate(seed, robots)
    assert problems(b) == []
    assert len(b.spawns) == robots
