"""A scan and a frame are those of their latency ago, each with the pose of its own moment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from agents import behaviours
from sim_worlds.classes import TARGET_CLASSES
from sim_worlds.engine import Engine, mission_of
from sim_worlds.environment import Environment
from sim_worlds.physics.solids import Thing, box, cylinder, place_thing
from sim_worlds.scenarios.search_rescue.things import TARGETS
from sim_worlds.sensors.suite import CAMERA, LIDAR
from swarm.core.protocol.scene import Mission
from swarm.core.protocol.sensors import AnySensor, Localisation, SensorSuite
from swarm.core.protocol.world import Capture, Detections, Drive, Fly, Observation, Perceived, Pose, Report
from swarm.core.settings.process_files import RobotSpec
from swarm.virtual.stamps import Views, stamped
from tests.sim_worlds.rooms import room
from tests.sim_worlds.scenarios.closed_loop import all_that_counts

LATE_S, DT_S = 0.2, 1 / 60
LATE = round(LATE_S / DT_S)                                  # steps
NOISE: dict[str, AnySensor] = {
    "camera": replace(CAMERA, full_well_e=4000.0, exposure_s=0.02),
    "lidar": replace(LIDAR, noise_m=0.05), "place": Localisation(noise_m=0.05, noise_rad=0.02)}


class Room(Engine):
    def mission(self) -> Mission:
        return mission_of("nothing", {}, {})


def engine(place: Environment, fleet: list[RobotSpec], *, render: bool = False, camera_s: float = 0.0,
           lidar_s: float = 0.0, sensors: dict[str, AnySensor] | None = None) -> Room:
    sensors = sensors or {"camera": CAMERA, "lidar": LIDAR}
    late = {"camera": camera_s, "lidar": lidar_s}
    suite = SensorSuite({name: replace(one, latency_s=late.get(name, 0.0)) for name, one in sensors.items()})
    return type("Late", (Room,), {"suite": suite})(place, fleet, scenario="room", seed=1, render=render)


def rovers(*names: str, physics: Any = "kinematic") -> list[RobotSpec]:
    return [RobotSpec(name=name, kind="rover", physics=physics) for name in names]


def pallet(x_m: float, y_m: float) -> Thing:
    return place_thing("pallet", [box(0, 0, 0, 0.5, 0.5, 0.1, (0.5, 0.3, 0.1))], x_m, y_m, 0.0)


DRUM = place_thing("hazard", [cylinder(0, 0, 0.1, 0.2, 0.6, (0.9, 0.8, 0.1))], 2.5, 0.6, 0.0)
PLACE = room([Pose(0.0, 0.0, 0.0), Pose(1.6, -0.8, 1.5)], targets=[DRUM], clutter=[pallet(2.5, 0.6), pallet(1.5, 1.2)])


def drive(world: Engine, steps: int) -> Iterator[int]:
    """Robot `a` turns while it drives, `b` crosses its view, and the target is put elsewhere half a second later."""
    world.act("a", Drive(v_mps=0.3, w_radps=0.4, ttl_s=99.0))
    world.act("b", Drive(v_mps=0.4, w_radps=0.2, ttl_s=99.0))
    for step in range(1, steps + 1):
        world.step()
        if step == 30:
            world.move_target(0, 1.5, 1.2, 0.0)
        yield step


@pytest.mark.parametrize(("camera_s", "lidar_s", "age_s", "frame_s"), [
    (0.02, 0.07, 4 / 60, 1 / 60), (0.005, 0.0, 0.0, None), (0.2, 0.203, 0.2, None)])
def test_ages_are_of_whole_steps_as_the_moments_are(camera_s: float, lidar_s: float, age_s: float,
                                                    frame_s: float | None) -> None:
    world = stamped(engine(PLACE, rovers("a", "b"), camera_s=camera_s, lidar_s=lidar_s), Views())
    world.step()
    seen = world.observe("a", frame=True)
    assert seen.age_s == pytest.approx(age_s)
    assert (seen.capture and seen.capture.age_s) == (frame_s and pytest.approx(frame_s))


def test_a_scan_is_what_the_lidar_saw_its_latency_ago() -> None:
    """A rover drives at 0.4 m/s to a wall at 4 m: 0.2 s ago it was 0.08 m farther away."""
    now, late = (engine(room([Pose(-2.0, 0.0, 0.0)]), rovers("a"), lidar_s=lidar_s) for lidar_s in (0.0, LATE_S))
    for world in (now, late):
        world.act("a", Drive(v_mps=0.4, w_radps=0.0, ttl_s=99.0))
        for _ in range(120):
            world.step()
    seen, before = now.observe("a", frame=False), late.observe("a", frame=False)
    ahead = LIDAR.beams // 2
    assert before.scan[ahead] - seen.scan[ahead] == pytest.approx(0.08, abs=1e-5)
    assert before.scan[ahead] == pytest.approx(4.0 - before.pose.x_m, abs=1e-5)
    assert seen.pose.x_m - before.pose.x_m == pytest.approx(0.08)
    assert (seen.age_s, before.age_s, before.capture) == (0.0, LATE_S, None)
    np.testing.assert_array_equal(late.scan_all()[0], before.scan)
    assert late.scanned_from("a") == before.pose


@pytest.mark.parametrize("sensors", [None, NOISE])
def test_all_of_an_observation_is_what_it_was_its_latency_before(sensors: dict[str, AnySensor] | None) -> None:
    """Noise, another robot and a target that moves, too. Before the start all stood where they started."""
    now, late = (engine(PLACE, rovers("a", "b"), render=True, camera_s=late_s, lidar_s=late_s, sensors=sensors)
                 for late_s in (0.0, LATE_S))
    with now, late:
        true = {0: (now.observe("a", frame=True), now.view("a").boxes())}
        for step in drive(now, 60):
            if step % 6 == 0:
                true[step] = now.observe("a", frame=True), now.view("a").boxes()
        for step in drive(late, 60):
            if step % 6:
                continue
            seen, boxes = late.observe("a", frame=True), late.view("a").boxes()
            then, true_boxes = true[max(0, step - LATE)]
            assert seen.frame is not None
            assert then.frame is not None
            assert (seen.age_s, seen.capture, boxes) == (LATE_S, None, true_boxes)
            if sensors is None or step >= LATE:
                assert (seen.pose, seen.v_mps, seen.w_radps) == (then.pose, then.v_mps, then.w_radps)
                np.testing.assert_array_equal(seen.scan, then.scan)
                np.testing.assert_array_equal(seen.frame, then.frame)
        (before,), (after,) = true[24][1], true[30][1]
        assert before.x0_px - after.x0_px > 20               # the target did move: the turn alone moves it to the right


@pytest.mark.parametrize(("camera_s", "lidar_s"), [(0.3, 0.1), (0.3, 0.0), (0.0, 0.2)])
def test_a_frame_of_another_moment_than_the_scan_has_its_own_pose_and_age(camera_s: float, lidar_s: float) -> None:
    place = Localisation(noise_m=0.05, noise_rad=0.02)
    sensors: dict[str, AnySensor] = {"camera": CAMERA, "lidar": LIDAR, "place": place}
    plain = engine(PLACE, rovers("a", "b"), sensors=sensors)
    told = [plain.observe("a", frame=False).pose for _ in drive(plain, 60)]
    late = engine(PLACE, rovers("a", "b"), camera_s=camera_s, lidar_s=lidar_s, sensors=sensors)
    views = Views()
    world = stamped(late, views)
    for _ in drive(late, 60):
        pass
    bare, seen = world.observe("a", frame=False), world.observe("a", frame=True)
    assert bare.capture is None
    assert (seen.age_s, seen.pose) == (lidar_s, told[59 - round(lidar_s * 60)]) == (bare.age_s, bare.pose)
    assert seen.capture == Capture(told[59 - round(camera_s * 60)], camera_s) == seen.captured()
    assert seen.frame is not None
    view = views.of(seen.frame)
    assert view is not None
    assert math.dist((view.pose.x_m, view.pose.y_m), (seen.capture.pose.x_m, seen.capture.pose.y_m)) < 0.2
    assert view.pose == late._past.ago(camera_s).pose(0)


def test_without_a_lidar_the_pose_is_that_of_now_and_a_late_frame_has_its_own() -> None:
    world = engine(PLACE, rovers("a", "b"), camera_s=LATE_S, sensors={"camera": CAMERA})
    for _ in drive(world, 60):
        pass
    seen = stamped(world, Views()).observe("a", frame=True)
    assert (seen.age_s, seen.pose, seen.scan.size) == (0.0, world.motion.pose(0), 0)
    assert seen.capture == Capture(world.view("a").pose, LATE_S)


def test_a_view_that_was_taken_late_does_not_change_any_more() -> None:
    world = engine(PLACE, rovers("a", "b"), camera_s=LATE_S)
    steps = drive(world, 60)
    for _ in range(24):
        next(steps)
    view = world.view("a")
    before = view.pose, view.boxes()
    for _ in steps:
        pass
    assert (view.pose, view.boxes()) == before


def test_a_frame_of_before_disturbs_no_rigid_body_and_shows_others_where_they_were() -> None:
    """Of two dynamic robots; the other one is drawn level, which moves edges by a pixel at most."""
    def flown(camera_s: float, asked: Callable[[int], bool]) -> tuple[np.ndarray, list[Observation]]:
        with engine(PLACE, rovers("a", "b", physics="dynamic"), render=True, camera_s=camera_s) as world:
            seen = [world.observe("a", frame=True) for step in drive(world, 240) if asked(step)]
            return world.motion.places.copy(), seen

    (still, _), (now, true), (then, late) = (flown(0.0, lambda step: False), flown(0.0, lambda step: step == 192),
                                             flown(LATE_S, lambda step: step % 24 == 0))
    np.testing.assert_array_equal(still, now)
    np.testing.assert_array_equal(still, then)
    assert late[-1].capture is not None
    assert late[-1].capture.pose == true[0].pose
    frames = [one.frame.astype(int) for one in (true[0], late[-1], late[-4]) if one.frame is not None]
    other, earlier = ((np.abs(frames[0] - one).max(axis=2) > 8).mean() for one in frames[1:])
    assert other < 0.01 < 0.05 < earlier


def test_a_quadrotor_is_seen_from_the_height_and_attitude_of_then() -> None:
    fleet = [RobotSpec(name="q", kind="quadrotor", physics="kinematic")]
    now, late = (engine(room([Pose(0.0, 0.0, 0.0, 1.0)]), fleet, render=True, camera_s=late_s, lidar_s=late_s)
                 for late_s in (0.0, LATE_S))
    with now, late:
        seen = list[Observation]()
        for world, steps in ((now, 60), (late, 60 + LATE)):
            world.act("q", Fly(vx_mps=0.3, vy_mps=0.2, vz_mps=0.3, yaw_radps=0.5, ttl_s=99.0))
            for _ in range(steps):
                world.step()
            seen.append(world.observe("q", frame=True))
    true, then = seen
    assert (true.pose, true.up_mps, true.left_mps) == (then.pose, then.up_mps, then.left_mps)
    assert true.frame is not None
    assert then.frame is not None
    np.testing.assert_array_equal(true.frame, then.frame)


def test_a_searcher_that_turns_finds_what_late_frames_show() -> None:
    """At 0.8 rad/s a camera of 0.3 s is 0.24 rad behind: 0.5 m aside of a target 2.1 m away, were the pose of now."""
    def claims(pose_of: Callable[[Engine, Observation], Pose]) -> list[tuple[float, float]]:
        things = place_thing("casualty", TARGETS["casualty"](np.random.default_rng(1)), 2.0, 0.5, 2.6)
        world = engine(room([Pose(0.0, 0.0, -1.0)], targets=[things]), rovers("a"), camera_s=0.3, lidar_s=0.05)
        searcher = behaviours.load("search_rescue")("a", ["a"], 1, world.sensors("a"))
        found, waiting = list[tuple[float, float]](), list[tuple[int, Perceived]]()
        world.act("a", Drive(v_mps=0.0, w_radps=0.8, ttl_s=99.0))
        for step in range(180):
            world.step()
            if step % 6:
                continue
            now, seen = round(world.time_s * 1e9), world.observe("a", frame=True)
            outputs = list(searcher.on(seen, now))
            while waiting and waiting[0][0] <= step:
                outputs += searcher.on(waiting.pop(0)[1], now)
            whole = Detections([one for one in all_that_counts(world.view("a")).boxes
                                if 1.0 < one.x0_px < one.x1_px < CAMERA.width_px - 1.0])
            waiting.append((step + 6, Perceived(stream="detect", outcome=whole, pose=pose_of(world, seen), age_s=0.4,
                                                labels=TARGET_CLASSES)))
            claimed = [one.values for one in outputs if isinstance(one, Report)]
            found += [(float(one["x_m"]), float(one["y_m"])) for one in claimed]
        return found

    right, wrong = claims(lambda _, seen: seen.captured().pose), claims(lambda world, _: world.motion.pose(0))
    (there,), (aside,) = right, wrong
    bearing_rad = math.atan2(0.5, 2.0)
    assert math.dist(there, (2.0, 0.5)) < 0.2
    assert math.atan2(*there[::-1]) == pytest.approx(bearing_rad, abs=0.05)
    assert math.atan2(*aside[::-1]) > bearing_rad + 0.2
