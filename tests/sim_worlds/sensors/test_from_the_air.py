"""What a quadrotor sees: its camera at its height and attitude, and its lidar at its height."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from sim_worlds.classes import CLUTTER, FLOOR, ROBOT, TARGET, WALL
from sim_worlds.engine import Engine, mission_of
from sim_worlds.environment import Environment
from sim_worlds.physics.bullet import Bullet
from sim_worlds.physics.motion import places_of
from sim_worlds.physics.solids import box, place_thing
from sim_worlds.robots import KINDS
from sim_worlds.scenarios.search_rescue.building import generate
from sim_worlds.scenarios.search_rescue.things import TARGETS
from sim_worlds.sensors import ground_truth
from sim_worlds.sensors.suite import CAMERA, LIDAR
from sim_worlds.sensors.true_view import Things, TrueView
from sim_worlds.world_interface import CannotAct
from swarm.core.protocol.scene import Mission
from swarm.core.protocol.sensors import Imu, Localisation, Range, SensorSuite
from swarm.core.protocol.world import Drive, Fly, Pose
from swarm.core.settings.process_files import RobotSpec
from tests.sim_worlds.rooms import room

SHELF = place_thing("shelf", [box(1.5, 0.0, 0.9, 0.4, 2.0, 0.6, (0.5, 0.4, 0.3))], 0.0, 0.0, 0.0)    # 0.9 to 1.5 m high
STOOL = place_thing("stool", [box(-1.5, 0.0, 0.0, 0.4, 2.0, 0.4, (0.5, 0.4, 0.3))], 0.0, 0.0, 0.0)
DOWN = replace(CAMERA, mount_x_m=0.0, mount_z_m=-0.08, pitch_deg=-90.0)


def robot(name: str, kind: str, physics: Any = "kinematic") -> RobotSpec:
    return RobotSpec(name=name, kind=kind, physics=physics)


class Air(Engine):
    suite = SensorSuite({"camera": CAMERA, "lidar": LIDAR, "nose": Range(range_m=4.0), "imu": Imu(),
                         "place": Localisation(noise_m=0.1)})

    def mission(self) -> Mission:
        return mission_of("flown", {"flown": ("", "nothing")}, {"flown": 0.0})


def air(*robots: tuple[RobotSpec, Pose], **options: Any) -> Air:
    fleet, poses = zip(*robots, strict=True)
    return Air(room(poses, clutter=[SHELF, STOOL]), fleet, scenario="air", seed=1, render=False, **options)


@pytest.mark.parametrize(("z_m", "ahead_m", "behind_m"), [
    (1.2, 1.3, 4.0), (0.2, 4.0, 1.3), (0.6, 4.0, 4.0), (1.8, 4.0, 4.0)])
def test_a_lidar_sees_what_is_beside_the_body(z_m: float, ahead_m: float, behind_m: float) -> None:
    with air((robot("q", "quadrotor"), Pose(0.0, 0.0, 0.0, z_m))) as world:
        seen = world.observe("q", frame=False)
        assert seen.scan[LIDAR.beams // 2] == pytest.approx(ahead_m, abs=1e-5)
        assert seen.scan[0] == pytest.approx(behind_m, abs=1e-5)
        assert seen.readings["nose"].values == pytest.approx((min(ahead_m, 4.0),), abs=1e-5)
        np.testing.assert_array_equal(world.scan_all()[0], seen.scan)
        assert seen.pose.z_m == z_m                          # the noise of the place is along the floor
        assert seen.pose.x_m != 0.0


def test_robots_see_each_other_where_they_could_meet() -> None:
    places = {"q": Pose(0.0, 0.0, 0.0, 1.7), "same": Pose(0.0, 1.0, 0.0, 1.75), "low": Pose(0.0, -1.0, 0.0, 0.3)}
    with air(*((robot(name, "quadrotor"), pose) for name, pose in places.items()),
             (robot("r", "rover"), Pose(-0.8, 0.0, 0.0))) as world:
        quarter = LIDAR.beams // 4
        scan = world.observe("q", frame=False).scan
        assert scan[3 * quarter] == pytest.approx(1.0 - 0.27, abs=1e-5)      # to the left
        assert scan[quarter] == pytest.approx(4.0, abs=1e-5)                 # the low one is on the right
        assert scan[0] == pytest.approx(4.0, abs=1e-5)                       # the rover is behind
        rover = world.observe("r", frame=False).scan
        to_low = rover[LIDAR.beams // 2 - round(math.atan2(1.0, 0.8) / (2 * math.pi) * LIDAR.beams)]
        assert to_low == pytest.approx(math.hypot(1.0, 0.8) - 0.27, abs=0.03)
        assert rover[LIDAR.beams // 2] > 2.0                 # nothing of the one above that is ahead


def test_robots_may_start_above_each_other_and_not_in_each_other() -> None:
    quads = [robot("q", "quadrotor"), robot("p", "quadrotor"), robot("r", "rover")]
    for z_m, fits in ((1.0, False), (1.1, False), (1.2, True)):
        poses = [Pose(0.0, 0.0, 0.0), Pose(0.1, 0.0, 0.0, z_m), Pose(0.0, 0.1, 0.0)]
        if fits:
            air(*zip(quads, poses, strict=True)).close()
            continue
        with pytest.raises(ValueError, match="q and p would start in the same place"):
            air(*zip(quads, poses, strict=True))


def test_commands_of_the_other_kind_are_refused_and_change_nothing() -> None:
    with air((robot("q", "quadrotor"), Pose(0.0, 0.0, 0.0)), (robot("r", "rover"), Pose(0.0, 2.0, 0.0))) as world:
        world.act("q", Fly(vx_mps=0.0, vy_mps=0.0, vz_mps=0.5, yaw_radps=0.0, ttl_s=9.0))
        with pytest.raises(CannotAct, match="robot r is a rover, which cannot fly"):
            world.act("r", Fly(vx_mps=1.0, vy_mps=0.0, vz_mps=0.0, yaw_radps=0.0))
        with pytest.raises(CannotAct, match="robot q is a quadrotor, which cannot drive"):
            world.act("q", Drive(v_mps=0.3, w_radps=0.0))
        with pytest.raises(CannotAct, match="robot q"):
            world.act_all(np.zeros((2, 2)), 1.0)
        for _ in range(60):
            world.step()
        assert world.observe("q", frame=False).up_mps == pytest.approx(0.5)
        assert world.observe("r", frame=False).v_mps == 0.0


def test_it_hovers_when_its_command_is_too_old() -> None:
    with air((robot("q", "quadrotor"), Pose(0.0, 0.0, 0.0))) as world:
        world.act("q", Fly(vx_mps=0.3, vy_mps=0.3, vz_mps=0.3, yaw_radps=0.3, ttl_s=0.5))
        for _ in range(90):
            world.step()
        stood = world.motion.places.copy()
        assert stood[0, 3] == pytest.approx(1.0 + 0.3 * 0.5, abs=0.01)
        for _ in range(30):
            world.step()
        np.testing.assert_array_equal(world.motion.places, stood)
        with pytest.raises(ValueError, match="nobody"):
            world.act("nobody", Fly(vx_mps=0.0, vy_mps=0.0, vz_mps=0.0, yaw_radps=0.0))


def test_a_camera_that_looks_down_sees_the_floor_and_what_stands_below() -> None:
    target = place_thing("hazard", TARGETS["hazard"](np.random.default_rng(1)), 0.0, 0.0, 0.0)
    below, aside = Pose(0.0, 0.0, 0.0, 1.8), Pose(2.5, 0.0, 0.0, 1.8)
    environment = room([below], targets=[target])
    things = Things(environment, [KINDS["quadrotor"]], DOWN)
    _, classes = TrueView(things, places_of([below]), 0).pixels()
    assert (classes == TARGET).any()
    assert (classes == FLOOR).any()
    assert not (TrueView(things, places_of([aside]), 0).pixels()[1] == TARGET).any()
    assert [b.counts for b in TrueView(things, places_of([below]), 0).boxes()] == [True]


def near(building: Environment, k: int, draw: np.random.Generator) -> Pose:
    """A free place that looks at a target, tilted."""
    target = building.targets[k % len(building.targets)]
    while True:
        angle, far_m = draw.uniform(-math.pi, math.pi), draw.uniform(1.2, 2.5)
        x, y = target.x_m - far_m * math.cos(angle), target.y_m - far_m * math.sin(angle)
        with contextlib.suppress(ValueError):
            building.check_spawn(x, y)
            return Pose(x, y, angle + draw.uniform(-0.3, 0.3), *draw.uniform((0.3, -0.4, -0.3), (1.2, 0.4, 0.3)))


def test_the_class_of_nearly_every_pixel_from_the_air_is_that_of_the_rendered_one() -> None:
    building, draw = generate(5003, 8), np.random.default_rng(2)
    fleet = [robot("q", "quadrotor"), robot("other", "quadrotor"), robot("r", "rover")]
    things = Things(building, [KINDS[one.kind] for one in fleet])
    drawn, right, boxes, agree = dict.fromkeys(range(5), 0), dict.fromkeys(range(5), 0), 0, 0
    with Bullet(building, fleet) as bullet:
        for k in range(30):
            ahead = near(building, k, draw)
            c, s = math.cos(ahead.heading_rad), math.sin(ahead.heading_rad)
            others = [Pose(ahead.x_m + far_m * c, ahead.y_m + far_m * s, 0.5, z_m)
                      for far_m, z_m in ((0.7, ahead.z_m + 0.1), (1.6, 0.0))]
            for i, pose in enumerate([ahead, *others]):
                bullet.teleport(i, pose)
            _, ids = bullet.camera(ahead)
            rendered = ground_truth.mask(ids, bullet.class_of)
            view = TrueView(things, places_of([ahead, *others]), 0)
            _, classes = view.pixels()
            for kind in drawn:
                drawn[kind] += np.count_nonzero(rendered == kind)
                right[kind] += np.count_nonzero((rendered == kind) & (classes == kind))
            found = {b.target for b in ground_truth.boxes(ids, bullet.target_ids, building, ahead) if b.counts}
            boxes, agree = boxes + len(found), agree + len(found & {b.target for b in view.boxes() if b.counts})
    for kind in (FLOOR, WALL, CLUTTER):
        assert drawn[kind] > 1000
        assert right[kind] / drawn[kind] > 0.97, kind
    assert drawn[ROBOT] > 1000
    assert boxes >= 5
    assert agree >= 0.9 * boxes


def test_nobody_sees_the_ceiling_that_stops_bodies() -> None:
    environment = room([Pose(0.0, 0.0, 0.0, 1.0)])
    with Bullet(environment, [robot("q", "quadrotor", "dynamic")], environment.spawns) as bullet:
        _, ids = bullet.camera(Pose(0.0, 0.0, 0.0, 1.0, 0.0, -0.8))
    assert set(np.unique(ids).tolist()) <= {-1, *bullet.wall_ids}
    assert (ids[0] == -1).all()
