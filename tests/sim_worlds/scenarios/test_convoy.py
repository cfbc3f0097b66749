from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

from agents.behaviours.road.depot import gate_ahead_m
from agents.behaviours.road.driver import Driver
from sim_worlds.environment import ROBOT_RADIUS_M
from sim_worlds.occupancy import Grid
from sim_worlds.scenarios.convoy.road import CELL_M, Road, cell_of, road
from sim_worlds.scenarios.convoy.scenario import MEASURES, Convoy, build
from swarm.cli.main import main
from swarm.core.protocol.world import Report
from swarm.core.settings.process_files import RobotSpec


def convoy(seed: int = 1, robots: int = 2) -> Convoy:
    """A world whose first robot starts at the gate, or where a test puts it."""
    return build([RobotSpec(name=f"rover_{k}", kind="rover", physics="kinematic") for k in range(robots)], seed,
                 render=False)


def put(world: Convoy, x_m: float, y_m: float) -> None:
    world.motion.at[0, :2] = x_m, y_m


def claim_of(world: Convoy, k: int, off_m: float = 0.0) -> Report:
    thing = world.environment.targets[k]
    return Report(kind="claim", values={"label": thing.label, "x_m": thing.x_m + off_m, "y_m": thing.y_m})


def values(world: Convoy) -> dict[str, float]:
    return {measure.name: measure.value for measure in world.mission().measures}


@pytest.mark.parametrize("seed", range(25))
def test_a_road_leads_from_the_gate_to_its_end_and_robots_can_pass(seed: int) -> None:
    made = road(seed, 4)
    assert made == road(seed, 4)
    assert (made.cells[0], len(made.cells)) == ((0, 0), 4)
    assert all(abs(ax - bx) + abs(ay - by) == 1 for (ax, ay), (bx, by) in itertools.pairwise(made.cells))
    assert len({x for x, _ in made.cells}) > 1 < len({y for _, y in made.cells})             # a bend
    for pose in made.spawns:
        made.check_spawn(pose.x_m, pose.y_m)
    for a, b in itertools.combinations(made.targets, 2):
        assert math.dist((a.x_m, a.y_m), (b.x_m, b.y_m)) >= 2.0
    assert {thing.label for thing in made.targets} == {"casualty", "beacon", "hazard"}
    for (ax, ay), (bx, by) in itertools.pairwise(made.cells):                                # the middle line is free
        for share in (0.0, 0.25, 0.5, 0.75):
            x, y = CELL_M * (ax + 0.5 + share * (bx - ax)), CELL_M * (ay + share * (by - ay))
            assert min(float(solid.distance_m(x, y)) for solid in made.solids()) > 0.35


def test_seeds_differ_and_the_road_grows_with_the_fleet() -> None:
    assert len({road(seed, 4).cells for seed in range(20)}) > 4
    assert [len(road(1, robots).cells) for robots in (1, 4, 5, 12)] == [4, 4, 5, 12]
    with pytest.raises(ValueError, match="1001 robots, but the road has room for 1000"):
        road(1, 1001)
    wide: Road = road(1, 40)
    for pose in wide.spawns:
        wide.check_spawn(pose.x_m, pose.y_m)


@pytest.mark.parametrize(("seed", "robots"), [
    (1, 101), (2, 130), *(pytest.param(seed, robots, marks=pytest.mark.long) for seed, robots in (
        (1, 333), (1, 1000), (2, 1000)))])
def test_a_large_fleet_has_a_road_from_each_start_to_its_end(seed: int, robots: int) -> None:
    made = road(seed, robots)
    assert made.cells == road(seed, robots).cells
    assert (made.cells[:2], len(made.cells), len(set(made.cells))) == (((0, 0), (1, 0)), robots, robots)
    assert all(abs(ax - bx) + abs(ay - by) == 1 for (ax, ay), (bx, by) in itertools.pairwise(made.cells))
    assert min(x for x, _ in made.cells) == 0                # it does not cross the depot
    assert made.size_m < 260.0
    assert 1.2 < len(made.targets) / robots < 2.0            # 1.7 of a road of 100 cells
    at = np.array([(pose.x_m, pose.y_m) for pose in made.spawns])
    away_m = np.hypot(*(at[:, None] - at[None, :]).T)
    assert away_m[~np.eye(robots, dtype=bool)].min() > 2 * ROBOT_RADIUS_M
    grid = Grid(size_m=made.size_m, resolution_m=0.1)
    steps = grid.steps_from(~grid.rasterise(made.solids(), ROBOT_RADIUS_M), CELL_M / 2, 0.0)
    to = steps[grid.indices(at[:, 1]), grid.indices(at[:, 0])]
    assert to.min() >= 0
    assert (np.diff(to[::2]) > 0).all()                    # who stands behind has farther to drive
    end_x, end_y = made.cells[-1]
    at_end = steps[grid.index(CELL_M * end_y), grid.index(CELL_M * (end_x + 0.5))]
    assert at_end > 0.6 * (robots - 1) * CELL_M / 0.1        # along the road: it cuts the bends


def test_cells_are_three_metres_from_the_gate_on() -> None:
    assert [cell_of(x, y) for x, y in ((0.1, 1.4), (2.9, -1.4), (3.1, 1.6), (-0.1, 0.0))] == [
        (0, 0), (0, 0), (1, 1), (-1, 0)]


def test_a_report_counts_only_near_the_depot_and_once() -> None:
    world = convoy()
    put(world, 3.6, 0.0)
    assert world.judge("rover_0", claim_of(world, 7)) == "far"
    put(world, 3.4, 0.0)
    assert world.judge("rover_0", claim_of(world, 7, 0.7)) == "found"
    assert world.judge("rover_0", claim_of(world, 7)) == "duplicate"
    assert world.judge("rover_0", claim_of(world, 6, 0.8)) == "wrong"
    for malformed in ({}, {"label": 7.0, "x_m": 1.0, "y_m": 1.0}, {"label": "beacon"}):
        assert world.judge("rover_0", Report(kind="claim", values=malformed)) == "wrong"     # type: ignore[arg-type]
    after = values(world)
    assert (after["delivered"], after["duplicate_claims"], after["wrong_claims"]) == (1, 1, 4)
    with pytest.raises(ValueError, match="no robot 'ghost'"):
        world.judge("ghost", claim_of(world, 0))
    marks = world.scene().marks
    assert [mark.done_by for mark in marks] == [None] * 7 + ["rover_0"]
    (gate,) = (shape for shape in world.scene().shapes if shape.layer == "gate")
    assert (gate.x_m, gate.y_m, gate.hy_m) == (0.0, 0.0, 1.5)


def test_the_headline_is_the_area_under_the_delivered_over_time() -> None:
    """Of 8 things one is reported after 1 s of 4 and one after 3 s: (3 + 1) / (8 x 4)."""
    world = convoy()
    assert values(world)["delivered_auc"] == 0.0
    for at_s, k in ((1.0, 0), (3.0, 1), (4.0, None)):
        while world.time_s < at_s - 1e-9:
            world.step()
        if k is not None:
            assert world.judge("rover_0", claim_of(world, k)) == "found"
    assert values(world)["delivered_auc"] == pytest.approx(4 / 32)
    assert list(values(world)) == list(MEASURES)


def test_the_road_is_driven_cell_by_cell() -> None:
    world = convoy()
    world.observe("rover_0", frame=False)
    assert (values(world)["road"], values(world)["home"]) == (0.0, 1.0)
    put(world, 4.5, 0.0)
    world.observe("rover_0", frame=False)
    assert (values(world)["road"], values(world)["home"]) == (0.25, 0.5)


@pytest.mark.long
def test_a_robot_drives_out_of_a_depot_that_winds() -> None:
    world = convoy(robots=101)
    world.motion.at[:100, 0] = -50.0 + np.arange(100) % 25   # out of its way
    world.motion.at[:100, 1] = -10.0 - np.arange(100) // 25
    driver = Driver("convoy", "rover_100", 100, 1, world.sensors("rover_100"))
    while world.time_s < 180.0 and math.dist(world.places()[100].tolist(), (0.0, 0.0)) > 0.8:
        seen, now = world.observe("rover_100", frame=False), round(world.time_s * 1e9)
        driver.way.add(seen.pose)
        scan = driver.see(seen, now)
        world.act("rover_100", driver.follow(seen, scan, driver.way.out(seen.pose, scan, now), now))
        for _ in range(12):
            world.step()
    assert driver.way.driven_m == pytest.approx(gate_ahead_m(100), abs=2.0)
    assert world.motion.contacts.episodes == 0


@pytest.mark.long
def test_a_thousand_robots_begin_to_drive_out() -> None:
    world = convoy(robots=1000)
    assert values(world)["things"] > 1200
    world.act_all(np.tile([0.4, 0.0], (1000, 1)), 99.0)
    for _ in range(round(3.0 / world.dt_s)):
        world.step()
        world.observe("rover_0", frame=False)
    assert (values(world)["road"], values(world)["collisions"]) == (0.001, 0)
    assert world.places()[0, 0] > 0.3


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 7])
def test_the_launch_file_holds_what_it_accepts_with_rigid_bodies(seed: int, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["launch", "convoy", "--clock", "virtual", "--seed", str(seed), "--ray", "none"]
    assert main([*command, "--out", str(out)]) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary["accepted"]
    assert summary["mission"]["road"] >= 0.75
