"""Scenarios on the floor of a map: the same promises as in a place of their own."""

from __future__ import annotations

import math
from collections import Counter

import msgspec
import numpy as np
import pytest

from docs import make_map
from sim_worlds import scenarios
from sim_worlds.environment import ROBOT_RADIUS_M
from sim_worlds.maps import FloorPlan, floor_plan
from sim_worlds.occupancy import Grid
from sim_worlds.scenarios.patrol import APART_M, SIDE_M
from sim_worlds.scenarios.search_rescue import furnished_map
from sim_worlds.scenarios.search_rescue.building import CONFIRM_M
from sim_worlds.scenarios.search_rescue.furnished_map import furnish
from sim_worlds.world_interface import World
from swarm import settings_files
from swarm.core.protocol.world import Drive
from swarm.core.settings.process_files import RobotSpec


@pytest.fixture(scope="module")
def office() -> FloorPlan:
    return floor_plan(settings_files.load_map(make_map.FOLDER / "office.yaml"))


def fleet(robots: int) -> list[RobotSpec]:
    return [RobotSpec(name=f"rover_{k}", kind="rover", physics="kinematic") for k in range(robots)]


def world(name: str, floor: FloorPlan, robots: int, seed: int = 3) -> World:
    return scenarios.build(name, fleet(robots), seed, floor, render=False)


@pytest.mark.parametrize("seed", range(6))
def test_each_target_can_be_seen_and_cuts_off_no_floor(office: FloorPlan, seed: int) -> None:
    place = furnish(office, seed, 6)
    assert Counter(t.label for t in place.targets) == {"beacon": 4, "casualty": 4, "hazard": 4}
    grid = Grid(size_m=place.size_m, resolution_m=0.1)
    bare = grid.steps_from(~grid.rasterise(place.walls, ROBOT_RADIUS_M), *office.start) >= 0
    free = bare & ~grid.rasterise(place.solids(), ROBOT_RADIUS_M)
    reached = grid.steps_from(free, place.spawns[0].x_m, place.spawns[0].y_m) >= 0
    assert (reached == free).all()
    blocked, centres = grid.rasterise(place.walls), grid.centres_m()
    for t in place.targets:
        near = np.hypot(centres[None, :] - t.x_m, centres[:, None] - t.y_m) <= CONFIRM_M
        assert any(grid.sees(blocked, centres[ix], centres[iy], t.x_m, t.y_m) for iy, ix in np.argwhere(reached & near))
    for spawn in place.spawns:
        place.check_spawn(spawn.x_m, spawn.y_m)


def test_the_seed_draws_the_targets_and_not_the_walls(office: FloorPlan) -> None:
    first, again, other = (furnish(office, seed, 4) for seed in (1, 1, 2))
    assert first == again
    assert first.targets != other.targets
    assert first.walls == other.walls


def test_a_patrol_drives_round_its_squares_on_a_map(office: FloorPlan) -> None:
    with world("patrol", office, 8) as here:
        corners = [(p.x_m, p.y_m) for p in here.scene().spawns]
        assert min(max(abs(a[0] - b[0]), abs(a[1] - b[1])) for k, a in enumerate(corners) for b in corners[:k]
                   ) >= APART_M - 1e-9
        for _ in range(round(SIDE_M / 0.4 / here.dt_s)):     # along the first side
            for name in here.names:
                here.act(name, Drive(v_mps=0.4, w_radps=0.0, ttl_s=1.0))
            here.step()
        assert {m.name: m.value for m in here.mission().measures}["collisions"] == 0
        assert all(0.7 < r.x_m - x < 1.0 and r.y_m == y for r, (x, y) in zip(here.scene().robots, corners, strict=True))


def test_what_does_not_fit_is_refused(office: FloorPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(furnished_map, "ATTEMPTS", 2)
    for name, robots, words in (("search_rescue", 300, "has no room for 300 robots"),
                                ("search_rescue", 70, "has room for [0-9]+ of 12 targets beside 70 robots"),
                                ("patrol", 100, "has room for 12 robots on patrol, not for 100")):
        with pytest.raises(ValueError, match=words):
            world(name, office, robots)


def test_the_wanted_places_are_checked(office: FloorPlan) -> None:
    robots = fleet(2)
    wanted = [msgspec.structs.replace(robots[0], spawn=(3.0, 4.0)), robots[1]]
    with scenarios.build("search_rescue", wanted, 3, office, render=False) as here:
        assert math.dist((here.scene().robots[0].x_m, here.scene().robots[0].y_m), (3.0, 4.0)) == 0.0
    inside = [msgspec.structs.replace(robots[0], spawn=(-4.5, 3.0)), robots[1]]
    with pytest.raises(ValueError, match="a wall is"):
        scenarios.build("search_rescue", inside, 3, office, render=False)
