"""What is computed of a view agrees with what the renderer draws, from poses of robots in a building."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from models.build.train.rendering import render_frames
from sim_worlds import scenarios
from sim_worlds.classes import CLUTTER, FLOOR, ROBOT, TARGET, WALL
from sim_worlds.physics.bullet import Bullet
from sim_worlds.physics.motion import places_of
from sim_worlds.physics.solids import Thing, box, place_thing
from sim_worlds.robots import KINDS, ROVER
from sim_worlds.scenarios.search_rescue.building import generate
from sim_worlds.scenarios.search_rescue.things import TARGETS
from sim_worlds.sensors import ground_truth
from sim_worlds.sensors.ground_truth import TrueBox
from sim_worlds.sensors.rays import Rays
from sim_worlds.sensors.suite import CAMERA
from sim_worlds.sensors.true_view import Things, TrueView
from swarm.core.protocol.world import Drive, Pose
from swarm.core.settings.process_files import RobotSpec
from tests.sim_worlds.rooms import room

EYE = Pose(-1.0, 0.0, 0.0)
BUILDING, VIEWS = 5003, 60
FLEET = [RobotSpec(name="rover", kind="rover", physics="kinematic"),
         RobotSpec(name="carrier", kind="carrier", physics="kinematic")]

Views = list[tuple[TrueView, np.ndarray, list[TrueBox]]]


@pytest.fixture(scope="module")
def views() -> Views:
    """Views of a building, each with the classes of the rendered pixels and the boxes that these show."""
    building = generate(BUILDING, 8)
    things = Things(building, [KINDS[robot.kind] for robot in FLEET])
    poses = [frame.pose for frame in render_frames("search_rescue", BUILDING, VIEWS)]
    made: Views = []
    with Bullet(building, FLEET) as bullet:
        for here, there in itertools.pairwise(poses):
            bullet.teleport(0, here)
            bullet.teleport(1, there)
            _, ids = bullet.camera(here)
            made.append((TrueView(things, places_of([here, there]), 0), ground_truth.mask(ids, bullet.class_of),
                         ground_truth.boxes(ids, bullet.target_ids, building, here)))
    return made


def test_the_class_of_nearly_every_pixel_is_that_of_the_rendered_one(views: Views) -> None:
    right = dict.fromkeys((FLOOR, WALL, CLUTTER, TARGET), 0)
    drawn = dict(right)
    for view, rendered, _ in views:
        _, classes = view.pixels()
        for kind in drawn:
            drawn[kind] += np.count_nonzero(rendered == kind)
            right[kind] += np.count_nonzero((rendered == kind) & (classes == kind))
    assert all(drawn[kind] > 1000 for kind in drawn)
    for kind in drawn:
        assert right[kind] / drawn[kind] > 0.985, kind


def test_the_boxes_are_those_of_the_rendered_pixels(views: Views) -> None:
    agree, edges = 0, []
    pairs = [({b.target: b for b in view.boxes() if b.counts}, {b.target: b for b in rendered if b.counts})
             for view, _, rendered in views]
    for cast, drawn in pairs:
        agree += len(cast.keys() & drawn.keys())
        edges += [abs(getattr(cast[k], edge) - getattr(drawn[k], edge)) for k in cast.keys() & drawn.keys()
                  for edge in ("x0_px", "y0_px", "x1_px", "y1_px")]
    assert agree >= 30
    assert agree >= 0.97 * sum(len(drawn) for _, drawn in pairs)
    assert agree >= 0.97 * sum(len(cast) for cast, _ in pairs)
    assert np.mean(np.array(edges) <= 1.0) > 0.98


def target(label: str, x_m: float) -> Thing:
    return place_thing(label, TARGETS[label](np.random.default_rng(1)), x_m, 0.0, 2.6)


def screen(y_m: float) -> Thing:
    return place_thing("crates", [box(0, 0, 0, 0.05, 2.0, 1.5, (0.3, 0.3, 0.3))], 0.3, y_m, 0.0)


@pytest.mark.parametrize("clutter", [[], [screen(-1.05)], [screen(0.0)]])
def test_a_screen_hides_what_is_behind_it(clutter: list[Thing]) -> None:
    environment = room([], targets=[target("casualty", 1.5)], clutter=clutter)
    with Bullet(environment) as bullet:
        _, ids = bullet.camera(EYE)
        drawn = ground_truth.boxes(ids, bullet.target_ids, environment, EYE)
    cast = TrueView(Things(environment, [ROVER]), places_of([EYE]), 0).boxes()
    assert [(b.target, b.counts) for b in cast] == [(b.target, b.counts) for b in drawn]
    for a, b in zip(cast, drawn, strict=True):
        assert abs(a.unoccluded - b.unoccluded) < 0.05


def test_a_view_is_of_the_moment_at_which_it_was_taken() -> None:
    with scenarios.load("search_rescue").build(FLEET, 3, render=False) as world:
        before, other = world.view("rover"), world.view("carrier")
        start = before.pose
        for name in world.names:
            world.act(name, Drive(v_mps=0.3, w_radps=0.0, ttl_s=10.0))
        for _ in range(120):
            world.step()
        after = world.view("rover")
    assert before.pose == start != after.pose
    assert other.pose != start


def test_things_and_robots_have_numbers_of_their_own_and_a_robot_does_not_see_itself() -> None:
    environment = room([], targets=[target("beacon", 1.5)], clutter=[screen(-1.4)])
    poses = (EYE, Pose(0.3, 0.6, 0.0), Pose(-3.0, 0.0, 0.0))             # ahead to the left, behind
    numbers, classes = TrueView(Things(environment, [ROVER] * 3), places_of(poses), 0).pixels()
    assert numbers.shape == classes.shape == (CAMERA.height_px, CAMERA.width_px)
    assert {(n, c) for n, c in zip(numbers.flat, classes.flat, strict=True)} == {
        (0, FLOOR), (0, WALL), (1, CLUTTER), (2, TARGET), (4, ROBOT)}
    columns = np.flatnonzero((numbers == 4).any(axis=0))
    assert columns.max() < CAMERA.width_px / 2                          # to the left


def test_what_is_left_out_of_a_view_is_not_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = generate(BUILDING, 8)
    things, draw = Things(environment, [ROVER] * 12), np.random.default_rng(1)
    at = [np.column_stack([draw.uniform(-9.5, 9.5, (12, 2)), draw.uniform(-4.0, 4.0, 12), np.zeros((12, 3))])
          for _ in range(25)]
    some = [TrueView(things, places, 0) for places in at]
    seen = [(view.boxes(), *view.pixels()) for view in some]
    monkeypatch.setattr(Rays, "may_show", lambda self, middles, reach_m, far_m: np.ones(len(middles), bool))
    for view, (boxes, numbers, classes) in zip(some, seen, strict=True):
        assert view.boxes() == boxes
        np.testing.assert_array_equal(np.stack(view.pixels()), np.stack([numbers, classes]))
    assert sum(len(boxes) for boxes, *_ in seen) >= 5
