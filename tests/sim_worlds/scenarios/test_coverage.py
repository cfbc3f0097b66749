"""The field, the locational cost by hand, Lloyd's optimum, and what the headline counts."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.behaviours.covering import cells, known_field
from sim_worlds.robots import QUADROTOR
from sim_worlds.scenarios import kind
from sim_worlds.scenarios.coverage import field, locational, scenario
from sim_worlds.scenarios.coverage.field import MOST_ROBOTS, Field, generate
from sim_worlds.scenarios.coverage.locational import DENSE
from sim_worlds.scenarios.coverage.scenario import MEASURES, MOVES_EVERY_S, SAMPLE_S, Coverage, build
from swarm.core.protocol.world import Report
from swarm.core.settings.process_files import RobotSpec

POINTS = np.array([(0.0, 0.0), (2.0, 0.0), (5.0, 0.0)])
MASS = np.array([1.0, 2.0, 3.0])


def world(robots: int = 4, seed: int = 3) -> Coverage:
    return build([RobotSpec(name=f"quad_{k}", kind="quadrotor", physics="kinematic") for k in range(robots)], seed,
                 render=False)


def put(w: Coverage, places: NDArray[np.float64]) -> None:
    w.motion.at[:, :2] = places


def step(w: Coverage, seconds: float) -> None:
    for _ in range(round(seconds / w.dt_s)):
        w.step()


def measures(w: Coverage) -> dict[str, float]:
    return {m.name: m.value for m in w.mission().measures}


@pytest.mark.parametrize(("seed", "robots"), [(0, 2), (1, 1), (2, 6), (3, 7), (4, 40)])
def test_every_field_keeps_its_promises(seed: int, robots: int) -> None:
    made: Field = generate(seed, robots)
    assert made == generate(seed, robots)
    assert made.side_m == pytest.approx(math.sqrt(50.0 * max(robots, 4)), abs=0.05)
    assert len(made.spawns) == robots
    for pose in made.spawns:
        made.check_spawn(pose.x_m, pose.y_m)
    for a, b in itertools.combinations(made.spawns, 2):
        assert math.dist((a.x_m, a.y_m), (b.x_m, b.y_m)) >= 0.89
    assert len(made.targets) == 2 * max(robots, 4) < len(made.plots)
    assert {thing.label for thing in made.targets} == {"casualty", "beacon", "hazard"}
    plots = [thing.rect() for thing in made.clutter if thing.label == "plot"]
    plots_apart_m = np.sqrt(locational.squares(*2 * [np.array(made.plots)])) + 9.0 * np.eye(len(made.plots))
    assert plots_apart_m.min() > 1.5
    for thing, place in zip(made.targets, made.plots, strict=False):
        assert (thing.x_m, thing.y_m) == place
    assert all(any(plot.holds(thing.rect()) for plot in plots) for thing in made.targets[:40])
    low_m = field.FLY_M + QUADROTOR.low_m
    assert max(thing.height_m for thing in (*made.targets, *made.clutter)) < low_m - 0.1     # robots fly above them
    assert made.top_m > field.FLY_M + 1.0


def test_seeds_differ_and_a_fleet_that_does_not_fit_is_refused() -> None:
    assert generate(1, 4).plots != generate(2, 4).plots
    for robots in (0, MOST_ROBOTS + 1):
        with pytest.raises(ValueError, match=f"room for 1 to {MOST_ROBOTS} robots, not {robots}"):
            generate(1, robots)


def test_a_spawn_is_checked() -> None:
    scenario.check_spawn(3, 4, "quadrotor", 0.0, 0.0)
    with pytest.raises(ValueError, match="outside"):
        scenario.check_spawn(3, 4, "quadrotor", 99.0, 0.0)
    x, y = generate(3, 4).plots[0]
    with pytest.raises(ValueError, match="clutter"):
        scenario.check_spawn(3, 4, "quadrotor", x, y)


def test_robots_that_fly_start_in_the_air_and_others_on_the_floor() -> None:
    fleet = [RobotSpec(name=name, kind=name, physics="kinematic") for name in ("quadrotor", "rover")]
    with build(fleet, 3, render=False) as w:
        assert [pose.z_m for pose in w.motion.poses] == [field.FLY_M, 0.0]


def test_the_cost_by_hand() -> None:
    """1 x 0 + 2 x 2^2 + 3 x 1^2: the second point is as near to both robots."""
    assert locational.cost(np.array([(0.0, 0.0), (4.0, 0.0)]), POINTS, MASS) == pytest.approx(11.0)
    assert locational.cost(np.array([(0.0, 3.0)]), POINTS, MASS) == pytest.approx(9 * 6 + 2 * 4 + 3 * 25)
    assert locational.cost(np.empty((0, 2)), POINTS, MASS) == math.inf


def test_lloyd_takes_robots_to_the_centroids_of_their_cells() -> None:
    """One robot: to the centroid (19 / 6, 0). Two, from 0 and 4: the first keeps two points, the second the third."""
    at, cost = locational.lloyd(np.array([(9.0, 9.0)]), POINTS, MASS)
    assert at == pytest.approx(np.array([(19 / 6, 0.0)]))
    assert cost == pytest.approx(2 * 4 + 3 * 25 - 6 * (19 / 6) ** 2)
    at, cost = locational.lloyd(np.array([(0.0, 0.0), (4.0, 0.0)]), POINTS, MASS)
    assert at == pytest.approx(np.array([(4 / 3, 0.0), (5.0, 0.0)]))
    assert cost == pytest.approx(16 / 9 + 2 * 4 / 9)
    far, _ = locational.lloyd(np.array([(0.0, 0.0), (99.0, 0.0)]), POINTS, MASS)
    assert far[1] == pytest.approx((99.0, 0.0))              # nothing is in its cell


def test_a_hump_has_its_weight_and_its_variance() -> None:
    points, area = locational.grid(12.0, 0.5)
    assert (len(points), area) == (576, pytest.approx(0.25))
    mass = area * locational.humps(points, np.array([(0.0, 0.0)]), np.array([6.0]), 0.8)
    assert mass.sum() == pytest.approx(6.0, rel=1e-6)
    assert locational.cost(np.array([(0.0, 0.0)]), points, mass) == pytest.approx(6.0 * 2 * 0.8 ** 2, rel=1e-6)


def test_first_places_are_drawn_by_mass_and_distance() -> None:
    draw = np.random.default_rng(1)
    places = locational.drawn(2, POINTS, np.array([0.0, 1.0, 1.0]), draw)
    assert sorted(map(tuple, places.tolist())) == [(2.0, 0.0), (5.0, 0.0)]
    assert len(locational.drawn(5, POINTS, MASS, draw)) == 5         # more robots than points


@pytest.mark.parametrize("seed", range(3))
def test_no_random_places_and_no_even_ones_are_better_than_the_best(seed: int) -> None:
    w, draw = world(6, seed), np.random.default_rng(seed)
    points, mass, half_m = w._points, w._mass, generate(seed, 6).side_m / 2
    costs = [locational.cost(draw.uniform(-half_m, half_m, (6, 2)), points, mass) for _ in range(200)]
    even, _ = locational.lloyd(draw.uniform(-half_m, half_m, (6, 2)), points, np.ones(len(points)))
    assert w._best_cost < 0.6 * min(*costs, locational.cost(even, points, mass))
    for k, axis, by in itertools.product(range(6), range(2), (-0.3, 0.3)):           # nor are places close to it
        moved = w._best.copy()
        moved[k, axis] += by
        assert locational.cost(moved, points, mass) >= w._best_cost * 0.999


def test_robots_at_the_best_places_have_it_all_and_the_headline_is_the_mean_over_the_run() -> None:
    w = world()
    assert measures(w)["coverage"] == 0.0
    start_cost = locational.cost(w.motion.at[:, :2], w._points, w._mass)
    share = w._best_cost / start_cost
    step(w, SAMPLE_S)
    assert measures(w)["coverage"] == pytest.approx(share) == pytest.approx(measures(w)["at_end"])
    put(w, w._best)
    step(w, SAMPLE_S)
    assert measures(w)["at_end"] == pytest.approx(1.0, abs=0.01)
    assert measures(w)["coverage"] == pytest.approx((share + 1.0) / 2, abs=0.01)
    weight = w._mass.sum()
    assert measures(w)["cost"] == pytest.approx((start_cost + w._best_cost) / 2 / weight, rel=0.02)
    assert measures(w)["best_cost"] == pytest.approx(w._best_cost / weight)
    assert list(measures(w)) == list(MEASURES)


def test_the_tree_of_a_large_fleet_and_the_product_of_humps_give_what_all_distances_give() -> None:
    draw = np.random.default_rng(3)
    points, _ = locational.grid(60.0, 1.0)
    for side_m in (4.0, 30.0):                               # close together, as at the start, and spread
        places = draw.uniform(-side_m, side_m, (DENSE + 1, 2))
        cell, away = locational.nearest(points, places)
        squares = locational.squares(points, places)
        assert away == pytest.approx(squares.min(axis=1), abs=1e-9)
        assert squares[np.arange(len(points)), cell] == pytest.approx(away, abs=1e-9)
        weights = draw.uniform(1.0, 6.0, len(places))
        assert locational.grid_humps(points[:60, 0], places, weights, 0.8) == pytest.approx(
            locational.humps(points, places, weights, 0.8), abs=1e-12)


def test_a_large_fleet_is_measured_on_coarser_points_to_the_same_effect() -> None:
    """Of one field with the same things, by both ways; and a run of it keeps its account."""
    w = world(DENSE + 1)
    fine, area = locational.grid(generate(3, DENSE + 1).side_m, scenario.SPACING_M)
    things = w.environment.targets
    mass = area * (scenario.GROUND + locational.humps(
        fine, np.array([(t.x_m, t.y_m) for t in things]), np.array([scenario.WEIGHTS[t.label] for t in things]),
        scenario.SPREAD_M))
    assert float(w._mass.sum()) == pytest.approx(float(mass.sum()), rel=0.01)
    assert w._best_cost == pytest.approx(locational.cost(w._best, fine, mass), rel=0.02)
    put(w, w._best)
    step(w, MOVES_EVERY_S + 0.1)
    assert measures(w)["moves"] == math.ceil((DENSE + 1) * 2 / 12)
    assert measures(w)["at_end"] > 0.99
    assert sorted([*w._free, *w._on]) == list(range(len(w._plots)))
    assert cells.points(w.sensors("quad_0").area_m) == pytest.approx(w._points)


@pytest.mark.long
def test_a_thousand_robots_have_a_field() -> None:
    w = world(MOST_ROBOTS)
    assert w.environment.size_m == pytest.approx(224.0, abs=0.1)
    begin = locational.cost(w.motion.at[:, :2], w._points, w._mass)
    away = w.motion.at[:, :2] - w.motion.at[:, :2].mean(axis=0)
    ahead = 0.8 * np.abs(away).max(axis=1, keepdims=True) / np.abs(away).max()       # they start with their backs
    w.fly_all(np.pad(ahead, ((0, 0), (0, 3))), 99.0)         # to the middle: all spread
    step(w, MOVES_EVERY_S + 0.1)
    assert measures(w)["moves"] == math.ceil(MOST_ROBOTS * 2 / 12)
    assert locational.cost(w.motion.at[:, :2], w._points, w._mass) < 0.99 * begin
    assert 0.0 < measures(w)["at_end"] < 1.0


def test_robots_that_are_gone_do_not_cover_and_more_than_all_is_not_counted() -> None:
    w = world()
    put(w, w._best)
    w.remove("quad_0")
    step(w, SAMPLE_S)
    assert measures(w)["at_end"] < 0.9
    cost = measures(w)["cost"]
    for name in w.names:
        w.remove(name)
    step(w, SAMPLE_S)
    assert (measures(w)["at_end"], measures(w)["cost"]) == (0.0, cost)       # without a robot it is infinite: left out
    w = world()
    for name in w.names:
        w.remove(name)
    step(w, SAMPLE_S)
    assert (measures(w)["coverage"], measures(w)["cost"]) == (0.0, 0.0)
    w = world()
    put(w, w._best)
    w._best_cost *= 2.0                                      # as if Lloyd's algorithm had found a poor optimum
    step(w, SAMPLE_S)
    assert measures(w)["at_end"] == 1.0


def test_no_report_counts() -> None:
    w = world()
    place = w.environment.targets[0]
    report = Report(kind="claim", values={"label": place.label, "x_m": place.x_m, "y_m": place.y_m})
    before = measures(w)
    assert w.judge("quad_0", report) == "wrong"
    assert measures(w) == before


def test_things_go_and_come_alike_whatever_the_robots_do() -> None:
    still, moved = world(6), world(6)
    labels = [thing.label for thing in still.environment.targets]
    for w in (still, moved):
        w.fly_all(np.tile([0.5 * (w is moved), 0.0, 0.0, 0.0], (6, 1)), 99.0)
        step(w, 2 * MOVES_EVERY_S + 0.1)
    assert measures(still)["moves"] == 2
    assert still.environment == moved.environment
    assert still._best_cost == moved._best_cost
    assert [thing.label for thing in still.environment.targets] == labels
    places = {(thing.x_m, thing.y_m) for thing in still.environment.targets}
    assert len(places) == len(labels)                        # no two on one plot
    assert places < set(still._plots)
    assert places != {(thing.x_m, thing.y_m) for thing in world(6).environment.targets}


def test_the_picture_has_the_density_and_the_best_places() -> None:
    scene = world(6).scene()
    layers = [shape.layer for shape in scene.shapes]
    assert (layers.count("density"), layers.count("best place"), len(scene.marks)) == (12, 6, 12)
    assert kind("coverage") == "quadrotor"


def test_robots_know_the_field_as_it_is() -> None:
    assert (known_field.WEIGHTS, known_field.SPREAD_M, known_field.GROUND) == (
        scenario.WEIGHTS, scenario.SPREAD_M, scenario.GROUND)
    assert (field.FLY_M, field.WALL_M, field.PLOT_M[2]) == (known_field.FLY_M, known_field.WALL_M, known_field.PLOT_M)
    assert math.isclose(known_field.THINGS_PER_M2, field.THINGS_PER_ROBOT / field.SHARE_M2)
    assert math.isclose(known_field.STAYS_S, scenario.MOVES_EVERY_S / scenario.MOVES_SHARE)
    assert generate(3, DENSE).size_m < cells.LARGE_M < generate(3, DENSE + 1).size_m
    w = world(6)
    assert cells.points(w.sensors("quad_0").area_m) == pytest.approx(w._points)
