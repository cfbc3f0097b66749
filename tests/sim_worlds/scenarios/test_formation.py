from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agents.behaviours import STAY, Event, Output
from agents.behaviours.flock import known_course
from agents.behaviours.flock.lane import OnLane, on_lane
from sim_worlds.occupancy import Grid
from sim_worlds.physics.solids import box
from sim_worlds.scenarios.formation import course as one_lane
from sim_worlds.scenarios.formation import scenario as formation
from sim_worlds.scenarios.formation.course import END_M, KEEP_OUT_M, LENGTH_M, MOST_ROBOTS, WIDTH_M, problems
from sim_worlds.scenarios.formation.lanes import generate, groups_of
from sim_worlds.scenarios.formation.scenario import DEADLY_S, Formation
from swarm.core.protocol.world import Report
from swarm.core.settings.process_files import RobotSpec

TOP_MPS = 0.46


class Still:
    """A behaviour that stays where it is."""

    def on(self, event: Event, now: int) -> list[Output]:
        return [STAY]


def world(robots: int = 2, seed: int = 3, **changes: Any) -> Formation:
    """A world whose fleet moves without forces. changes: of its course."""
    fleet = [RobotSpec(name=f"rover_{i}", kind="rover", physics="kinematic") for i in range(robots)]
    return Formation(replace(generate(seed, robots), **changes), fleet, render=False)


def empty(robots: int = 2) -> Formation:
    """A field with nothing on it."""
    return world(robots, walls=(), clutter=(), targets=())


def put(w: Formation, *places: tuple[float, float, float]) -> None:
    """Stand each robot somewhere: x, y, heading."""
    w.motion.at[:] = places


def drive(w: Formation, seconds: float, v_mps: float = TOP_MPS) -> None:
    w.act_all(np.tile([v_mps, 0.0], (len(w.names), 1)), 99.0)
    for _ in range(round(seconds / w.dt_s)):
        w.step()


def measures(w: Formation) -> dict[str, float]:
    return {m.name: m.value for m in w.mission().measures}


def test_the_same_seed_gives_an_identical_course() -> None:
    assert generate(3, 6) == generate(3, 6)
    assert generate(4, 6).walls != generate(3, 6).walls
    assert generate(3, 12).walls == generate(3, 6).walls


@pytest.mark.parametrize("seed", range(0, 60, 4))
def test_every_course_keeps_its_promises(seed: int) -> None:
    course = generate(seed, MOST_ROBOTS)
    assert problems(course) == []
    assert [hazard.label for hazard in course.targets] == ["hazard"] * 3
    assert {"drum"} < {thing.label for thing in course.clutter} <= {"drum", "post", "crates"}
    assert all(abs(hazard.x_m) < END_M - KEEP_OUT_M / 2 for hazard in course.targets)


def test_the_check_sees_a_course_without_a_way() -> None:
    course = generate(3, 2)
    closed = replace(course, walls=(*course.walls, box(0.0, 0.0, 0.0, 0.2, WIDTH_M, 1.0, (0.5, 0.5, 0.5))))
    assert problems(closed) == ["every way from end to end leads through a keep-out or is blocked"]
    assert any("a wall" in p for p in problems(replace(course, walls=(box(-8.1, 0.0, 0.0, 1, 1, 1, (1, 1, 1)),))))


def test_walls_divide_the_field_but_for_the_gaps() -> None:
    course = generate(3, 1)
    grid = Grid(size_m=course.size_m, resolution_m=0.1)
    plugs = [box(x, y, 0.0, 0.3, 2.6, 1.0, (0.5, 0.5, 0.5)) for x, y in course.gaps]
    steps = grid.steps_from(~grid.rasterise([*course.walls, *plugs]), course.spawns[0].x_m, course.spawns[0].y_m)
    east = grid.centres_m() > course.gaps[0][0] + 0.3
    assert (steps[:, east] == -1).all()


@pytest.mark.parametrize("robots", [0, 1001])
def test_a_fleet_that_does_not_fit_is_refused(robots: int) -> None:
    with pytest.raises(ValueError, match=f"room for 1 to 1000 robots, not {robots}"):
        generate(1, robots)
    with pytest.raises(ValueError, match="room for 1 to 24 robots, not 25"):
        one_lane.generate_lane(1, 25)


@pytest.mark.parametrize(("seed", "robots"), [
    (1, MOST_ROBOTS + 1), (2, 60), pytest.param(1, 1000, marks=pytest.mark.long)])
def test_a_large_fleet_has_a_lane_for_each_six_robots_and_each_lane_a_way_to_its_end(seed: int, robots: int) -> None:
    field = generate(seed, robots)
    assert field == generate(seed, robots)
    lanes = {25: 5, 60: 10, 1000: 61}[robots]
    assert (len(field.targets), len(field.gaps), len(field.spawns)) == (3 * lanes, 2 * lanes, robots)
    assert (len({x for x, _ in field.gaps}), len({y for _, y in field.gaps})) == (2, 2 * lanes)      # straight walls
    grid = Grid(size_m=field.size_m, resolution_m=0.1)
    centres = grid.centres_m()
    solid = grid.rasterise(field.solids(), 0.3)
    assert not any(solid[grid.index(pose.y_m), grid.index(pose.x_m)] for pose in field.spawns)
    at = np.array([(pose.x_m, pose.y_m) for pose in field.spawns])
    assert np.hypot(*(at[:, None] - at[None, :]).T)[~np.eye(robots, dtype=bool)].min() > 0.89
    for hazard in field.targets:
        near = np.abs(centres - hazard.y_m) < KEEP_OUT_M
        solid[near] |= np.hypot(centres[None, :] - hazard.x_m, centres[near, None] - hazard.y_m) < KEEP_OUT_M
    for lane in {0, 1, lanes // 2, lanes - 1}:
        rows = np.abs(centres - WIDTH_M * (lane - (lanes - 1) / 2)) < WIDTH_M / 2 - 0.3
        free = ~solid & rows[:, None] & (np.abs(centres) < LENGTH_M / 2)[None, :]
        iy, ix = np.argwhere(free & (centres < -END_M))[0]
        steps = grid.steps_from(free, float(centres[ix]), float(centres[iy]))
        assert (steps[:, centres > END_M] >= 0).any()
    if robots < 100:
        plugs = [box(x, y, 0.0, 0.3, 2.6, 1.0, (0.5, 0.5, 0.5)) for x, y in field.gaps]
        steps = grid.steps_from(~grid.rasterise([*field.walls, *plugs]), *at[0].tolist())
        assert (steps[:, centres > field.gaps[0][0] + 0.3] == -1).all()


@pytest.mark.parametrize("robots", [6, 24, 25, 60, 1000])
def test_robots_know_their_lane_and_who_else_is_on_it(robots: int) -> None:
    team, made = [f"rover_{k}" for k in range(robots)], list[list[str]]()
    groups = groups_of(robots)
    middles_m = {lane: WIDTH_M * (lane - (len(groups) - 1) / 2) for lane in range(len(groups))}
    assert sorted(int(k) for group in groups for k in group) == [*range(robots)]
    for lane, group in enumerate(groups):
        for k in group[:2].tolist():
            behaviour = on_lane(team[k], team, lambda flock: made.append(flock) or Still())
            assert made[-1] == [team[mate] for mate in group]
            if len(groups) > 1:
                assert isinstance(behaviour, OnLane)
                assert behaviour._middle_m == middles_m[lane]


def test_a_large_flock_is_measured_lane_by_lane() -> None:
    """Four of five flocks drive, and so do most robots of the other one: but its last one stands."""
    w = empty(25)
    groups = groups_of(25)
    for group, y_m in zip(groups, (-16.0, -8.0, 0.0, 8.0, 16.0), strict=True):
        w.motion.at[group, 0] = -7.0
        w.motion.at[group, 1] = y_m - 3.0 + 0.5 * np.arange(len(group))
    w._flocks.record_m[:] = w._flocks.start_m[:] = 0.5
    w.act_all(np.tile([TOP_MPS, 0.0], (25, 1)), 99.0)
    w.act_all(np.zeros((1, 2)), 99.0, groups[1][-1:])
    for _ in range(round(4.0 / w.dt_s)):
        w.step()
    now = measures(w)
    assert now["way"] == pytest.approx(4.0 * TOP_MPS * 4 / 5, abs=0.2)
    counted_m = w._flocks.counted_m
    assert counted_m[[0, 2, 3, 4]].min() > 0.5
    assert counted_m[1] == 0.0
    assert now["flock_advance"] == pytest.approx(counted_m.sum() / 5 / (TOP_MPS * w.time_s))
    assert [w.goal(w.names[k]) for k in (0, 1)] == [(END_M, -16.0), (END_M, -8.0)]
    for k in groups[1].tolist():
        w.remove(w.names[k])
    for _ in range(w._every):                    # a flock of nobody is measured
        w.step()
    assert measures(w)["way"] == pytest.approx(now["way"], abs=0.1)


def test_a_robot_does_not_start_in_the_lane_of_others() -> None:
    fleet = [RobotSpec(name=f"r{k}", kind="rover", physics="kinematic", spawn=(-7.7, -9.0) if k == 6 else None)
             for k in range(25)]
    formation.build(fleet, 1, render=False).close()
    fleet[6] = RobotSpec(name="r6", kind="rover", physics="kinematic", spawn=(-7.7, -3.9))
    with pytest.raises(ValueError, match=r"r6 cannot start at \(-7.7, -3.9\): its lane is y = -12 to -4 m"):
        formation.build(fleet, 1, render=False)


@pytest.mark.long
def test_a_thousand_robots_begin_to_advance() -> None:
    w = world(1000)
    drive(w, 6.0, 0.4)                           # straight ahead: some meet a drum
    now = measures(w)
    assert w.environment.size_m == pytest.approx(61 * WIDTH_M + 0.4)
    assert 0.0 < now["way"] <= 6.0 * 0.4
    assert now["connectivity"] > 0.1


def test_a_spawn_is_checked() -> None:
    formation.check_spawn(3, 2, "rover", -8.1, 0.0)
    with pytest.raises(ValueError, match="outside"):
        formation.check_spawn(3, 2, "rover", 99.0, 0.0)
    hazard = generate(3, 2).targets[0]
    with pytest.raises(ValueError, match=r"a target \(hazard\)"):
        formation.check_spawn(3, 2, "rover", hazard.x_m, hazard.y_m)


def test_robots_know_the_ends_the_field_and_the_keep_outs_as_they_are() -> None:
    assert (known_course.END_M, known_course.KEEP_OUT_M) == (END_M, KEEP_OUT_M)
    assert (known_course.HALF_LENGTH_M, known_course.HALF_WIDTH_M) == (LENGTH_M / 2, WIDTH_M / 2)


def test_two_that_drive_abreast_at_top_speed_advance_by_all_of_it() -> None:
    w = empty()
    put(w, (-7.0, -1.0, 0.0), (-7.0, 1.0, 0.0))
    w._flocks.record_m[:] = w._flocks.start_m[:] = 0.5       # the way of these places
    drive(w, 10.0)
    now = measures(w)
    assert now["way"] == pytest.approx(10.0 * TOP_MPS, abs=0.2)
    assert now["flock_advance"] == pytest.approx(1.0, abs=0.05)
    assert (now["safety"], now["union"], now["connectivity"], now["health"]) == (1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize(("places", "why"), [
    (((-7.0, -1.0, 0.0), (-7.0, 1.0, np.pi)), "one drives back"),
    (((-7.0, -1.0, 0.0), (0.0, 1.0, 0.0)), "nobody reaches the other"),
])
def test_robots_that_are_no_flock_do_not_advance(places: tuple[tuple[float, float, float], ...], why: str) -> None:
    w = empty()
    put(w, *places)
    w._flocks.record_m[:] = w._flocks.start_m[:] = 0.5
    drive(w, 5.0)
    assert measures(w)["flock_advance"] == pytest.approx(0.0, abs=1e-9), why


def test_who_stands_does_not_advance_nor_does_who_goes_to_and_fro() -> None:
    w = empty()
    drive(w, 2.0, 0.0)
    assert measures(w)["flock_advance"] == 0.0
    assert measures(w)["order"] == 0.0
    put(w, (-7.0, -1.0, 0.0), (-7.0, 1.0, 0.0))
    drive(w, 4.0)
    there = w._flocks.counted_m[0]
    drive(w, 3.0, -TOP_MPS)
    drive(w, 3.0)
    assert w._flocks.counted_m[0] == pytest.approx(there, abs=0.15)    # the same metres count once


def test_the_flock_is_as_far_as_its_last_robot_and_turns_when_that_has_arrived() -> None:
    w = empty()
    put(w, (7.4, -1.0, 0.0), (6.0, 1.0, 0.0))
    drive(w, 1.0)
    assert w._legs.tolist() == [1.0, 0.0]
    assert measures(w)["way"] == pytest.approx(w._ways_m()[1] - w._flocks.start_m[0], abs=0.05)
    drive(w, 4.0)
    assert w._legs.tolist() == [1.0, 1.0]
    assert w._ways_m() == pytest.approx(2 * END_M)           # beyond the end there is no more way
    put(w, (5.0, -1.0, np.pi), (5.0, 1.0, np.pi))
    assert w._ways_m() == pytest.approx(2 * END_M + 2.5)


def test_time_in_a_keep_out_costs_health_and_metres() -> None:
    w = world(walls=(), clutter=())
    hazard = w.environment.targets[1]
    put(w, (hazard.x_m, hazard.y_m + KEEP_OUT_M - 0.1, 0.0), (hazard.x_m, hazard.y_m + KEEP_OUT_M + 0.1, 0.0))
    drive(w, 1.5, 0.0)
    now = measures(w)
    assert now["exposure"] == pytest.approx(1.5 / 2)
    assert now["health"] == pytest.approx((1 - 1.5 / DEADLY_S + 1) / 2)
    drive(w, 9.0, 0.0)
    assert measures(w)["health"] == pytest.approx(0.5)


def test_a_robot_that_was_removed_is_not_waited_for() -> None:
    w = empty()
    put(w, (-7.0, -1.0, 0.0), (-7.0, 1.0, 0.0))
    w.remove("rover_1")
    drive(w, 3.0)
    assert measures(w)["way"] > 1.0
    w.remove("rover_0")
    drive(w, 1.0)
    assert measures(w)["union"] == 1.0


def test_a_reported_hazard_is_known_once_and_a_wrong_report_is_counted() -> None:
    w = world()
    hazard = w.environment.targets[0]

    def report(x_m: float | str, kind: str = "hazard") -> str:
        return w.judge("rover_0", Report(kind=kind, values={"x_m": x_m, "y_m": hazard.y_m}))

    assert [report(hazard.x_m + 0.8), report(hazard.x_m + 0.7), report(hazard.x_m)] == ["wrong", "known", "again"]
    assert [report("here"), report(hazard.x_m, "claim")] == ["wrong", "wrong"]
    assert (measures(w)["hazards_known"], measures(w)["wrong_hazards"]) == (1, 3)
    assert [mark.done_by for mark in w.scene().marks] == ["rover_0", None, None]
    assert empty().judge("rover_0", Report(kind="hazard", values={"x_m": 0.0, "y_m": 0.0})) == "wrong"
