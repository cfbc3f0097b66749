"""Targets that stand on something larger can move: cameras see them there, and nothing else changes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from sim_worlds.engine import Engine
from sim_worlds.environment import Environment
from sim_worlds.physics.solids import Thing, box, cylinder, place_thing
from sim_worlds.sensors.true_view import Things
from swarm.core.protocol.scene import Mission
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec
from tests.sim_worlds.rooms import room

PALLETS = [place_thing("pallet", [box(0, 0, 0, 1.0, 1.0, 0.1, (0.5, 0.3, 0.1))], x, y, 0.0)
           for x, y in ((2.0, 0.0), (0.0, 2.0))]
DRUM = [cylinder(0.1, 0, 0.1, 0.2, 0.6, (0.9, 0.8, 0.1)), box(-0.2, 0, 0.1, 0.1, 0.3, 0.3, (0.1, 0.1, 0.1))]


def place(x_m: float = 2.0, y_m: float = 0.0) -> Environment:
    return room([Pose(0.0, 0.0, 0.0)], clutter=PALLETS, targets=[place_thing("hazard", DRUM, x_m, y_m, 0.3)])


class Plain(Engine):
    def mission(self) -> Mission:
        return Mission(headline="none", measures=[])


def engine(environment: Environment, *, render: bool) -> Engine:
    return Plain(environment, [RobotSpec(name="a", kind="rover", physics="kinematic")], scenario="test", seed=1,
                 render=render)


def test_a_thing_moves_as_a_rigid_body() -> None:
    thing = place_thing("hazard", DRUM, 2.0, 0.0, 0.3)
    again, there = thing.moved(-1.0, 0.5, 1.9), place_thing("hazard", DRUM, -1.0, 0.5, 1.9)
    assert [again.x_m, again.y_m, again.yaw_rad] == [-1.0, 0.5, 1.9]
    for one, other in zip(again.parts, there.parts, strict=True):
        assert (one.x_m, one.y_m, one.z_m) == pytest.approx((other.x_m, other.y_m, other.z_m))
        assert one.yaw_rad == pytest.approx(other.yaw_rad)
    quarter = Thing(label="", x_m=1.0, y_m=0.0, yaw_rad=0.0, parts=(box(2.0, 0.0, 0.0, 1, 1, 1, (0, 0, 0)),))
    part = quarter.moved(1.0, 0.0, math.pi / 2).parts[0]
    assert (part.x_m, part.y_m) == pytest.approx((1.0, 1.0))


def test_cameras_see_a_target_where_it_is_and_views_of_before_where_it_was() -> None:
    moved, fresh = engine(place(), render=True), engine(place(0.0, 2.0), render=True)
    with moved, fresh:
        before = moved.view("a")
        scan = moved.observe("a", frame=False).scan
        assert len(before.boxes()) == 1
        moved.move_target(0, 0.0, 2.0, 0.3)
        assert (len(before.boxes()), moved.view("a").boxes()) == (1, [])
        frame = moved.observe("a", frame=True).frame
        assert frame is not None
        as_fresh = fresh.observe("a", frame=True).frame
        assert as_fresh is not None
        assert np.array_equal(frame, as_fresh)
        assert np.array_equal(moved.observe("a", frame=False).scan, scan)
        assert (moved.scene().marks[0].x_m, moved.scene().marks[0].y_m) == (0.0, 2.0)
        moved.move_target(0, 2.0, 0.0, 0.3)
        assert moved.view("a").boxes() == before.boxes()


def test_a_target_on_the_bare_floor_does_not_move() -> None:
    world = engine(place(), render=False)
    with pytest.raises(ValueError, match=r"the hazard at \(1, 2\) stands on nothing larger"):
        world.move_target(0, 1.0, 2.0, 0.0)
    world = engine(replace(place(), clutter=()), render=False)
    with pytest.raises(ValueError, match=r"the hazard at \(2, 0\) stands on nothing larger"):
        world.move_target(0, 0.0, 2.0, 0.0)


def test_solids_of_targets_that_have_moved_are_those_of_a_fresh_look_at_the_place() -> None:
    drums = [place_thing("hazard", DRUM, x, y, 0.3) for x, y in ((2.0, 0.0), (0.0, 2.0), (2.0, 0.0))]
    before = replace(place(), targets=tuple(drums))
    after = before.moved(0, 0.0, 2.0, 0.9, before.slabs()).moved(2, 0.0, 2.0, 0.3, before.slabs())
    old = Things(before)
    as_was = old.corners.copy()
    moved, fresh = old.of(after), Things(after)
    assert moved.solids == fresh.solids
    for one, other in ((moved.corners, fresh.corners), (moved._middles, fresh._middles), (old.corners, as_was)):
        assert np.array_equal(one, other)
    assert not np.array_equal(moved.corners, old.corners)
