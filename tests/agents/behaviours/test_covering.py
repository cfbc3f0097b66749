"""Robots that cover a field: what they see from the air, believe, tell each other, and where they fly."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from agents.behaviours import Heard, Note, Output, load
from agents.behaviours.covering import cells, notes
from agents.behaviours.covering.beliefs import EVIDENCE, Beliefs, Look
from agents.behaviours.covering.coverer import FAR_M, MATE_NS, Coverer
from agents.behaviours.covering.known_field import EXPECTED, FLY_M, GROUND, STAYS_S, WEIGHTS
from agents.behaviours.covering.notes import MOST_FINDS, MOST_LOOKS, News
from agents.behaviours.covering.pilot import KEEP_M, RADIUS_M, TOP_MPS, TURN_RADPS, Pilot
from agents.behaviours.covering.sight import SEES_M, Sight
from agents.behaviours.search.classes import TARGET_CLASSES
from sim_worlds.scenarios.coverage.scenario import Coverage, build
from swarm.core.protocol.world import Detection, Detections, Fly, Observation, Perceived, Pose
from swarm.core.settings.errors import BadInput
from swarm.core.settings.process_files import RobotSpec
from tests.agents.behaviours import toy

SUITE = Coverage.suite
CAMERA, LIDAR = SUITE.camera, SUITE.lidar
assert CAMERA is not None
assert LIDAR is not None
SIGHT = Sight(CAMERA)
HERE = Pose(0.0, 0.0, 0.0, FLY_M)
TICK_NS = 100_000_000
EVERYWHERE = [(-7.0, -7.0, 7.0, -7.0), (7.0, -7.0, 7.0, 7.0), (7.0, 7.0, -7.0, 7.0), (-7.0, 7.0, -7.0, -7.0)]
HALF_M = 7.25
LOOK = Look(at_s=8.0, pose=Pose(1.0, -2.0, 3.0, 1.2, 0.1, -0.2),
            finds=(("casualty", (3.0, 4.5)), ("hazard", (-7.25, 0.0))))
NEWS = News(sequence=7, x_m=1.25, y_m=-3.5, looks=(LOOK,))


def seen(pose: Pose, sequence: int = 0) -> Observation:
    """In an empty field of 14 by 14 m."""
    return toy.observation(pose, EVERYWHERE, sequence=sequence, lidar=LIDAR)


def split(out: list[Output]) -> tuple[Fly, list[Note]]:
    (act,) = (o for o in out if isinstance(o, Fly))
    return act, [o for o in out if isinstance(o, Note)]


@pytest.mark.parametrize("attitude", [(0.0, 0.0), (0.1, -0.15), (-0.1, 0.1)])
def test_what_a_camera_shows_is_located_and_said_to_be_shown(attitude: tuple[float, float]) -> None:
    """The true boxes of a world, from some places: those that are whole and near are located."""
    with build([RobotSpec(name="a", kind="quadrotor", physics="kinematic")], 3, render=False) as world:
        things = np.array([(t.x_m, t.y_m) for t in world.environment.targets])
        located = 0
        for k in range(60):
            x, y = 4.0 * math.cos(k), 4.0 * math.sin(k)
            world.motion.places[0] = (x, y, 0.7 * k, FLY_M, *attitude)
            world._past.keep(0)                              # it is there, without a step
            view = world.view("a")
            shown = SIGHT.shows(view.pose, things)
            boxes = {box.target: box for box in view.boxes()}
            assert {k for k in np.flatnonzero(shown).tolist() if k not in boxes} == set()
            for target, box in boxes.items():
                place = SIGHT.locate(Detection(box.label, 0.9, box.x0_px, box.y0_px, box.x1_px, box.y1_px), view.pose)
                if shown[target] and box.unoccluded > 0.8:
                    assert place is not None
                    assert math.dist(place, things[target]) < 0.5
                    located += 1
        assert located > 15


@pytest.mark.parametrize(("box", "why"), [
    ((0.0, 30.0, 10.0, 50.0), "cut on the left"), ((40.0, 50.0, 50.0, 72.0), "cut below"),
    ((40.0, 2.0, 46.0, 8.0), "above the horizon"), ((40.0, 18.0, 46.0, 24.0), "too far away")])
def test_a_box_that_tells_no_place_is_left_out(box: tuple[float, float, float, float], why: str) -> None:
    assert SIGHT.locate(Detection(0, 0.9, *box), HERE) is None, why


def test_a_frame_shows_what_is_ahead_and_neither_too_near_nor_too_far() -> None:
    places = np.array([(3.0, 0.0), (-3.0, 0.0), (3.0, 2.9), (0.3, 0.0), (SEES_M + 0.5, 0.0)])
    assert SIGHT.shows(HERE, places).tolist() == [True, False, False, False, False]
    assert SIGHT.shows(Pose(0.0, 0.0, math.pi, FLY_M), places).tolist() == [False, True, False, False, False]


def believing() -> tuple[Beliefs, NDArray[np.float64], NDArray[np.intp]]:
    points = cells.points(14.4)
    return Beliefs(SIGHT, points), points, np.arange(len(points))


def look(at_s: float, *finds: tuple[str, tuple[float, float]]) -> Look:
    return Look(at_s=at_s, pose=HERE, finds=finds)


def test_the_unknown_counts_as_much_as_is_expected_and_an_empty_view_only_the_ground() -> None:
    beliefs, points, all_ = believing()
    assert beliefs.density(all_, 0.0) == pytest.approx(GROUND + EXPECTED)
    beliefs.take(look(10.0))
    shown = SIGHT.shows(HERE, points)
    assert 20 < shown.sum() < 100
    density = beliefs.density(all_, 10.0)
    assert density[shown] == pytest.approx(GROUND)
    assert density[~shown] == pytest.approx(GROUND + EXPECTED)
    later = beliefs.density(all_, 10.0 + STAYS_S)
    assert later[shown] == pytest.approx(GROUND + EXPECTED * (1 - math.exp(-1)))
    assert beliefs.density(all_[:3], 10.0) == pytest.approx(density[:3])


def test_finds_count_by_class_and_chance_and_misses_take_them_back() -> None:
    beliefs, points, all_ = believing()
    ground = 0.25 * GROUND * len(points)

    def counts(at_s: float) -> float:
        beliefs.take(look(at_s))                             # an empty one, of which the unseen floor is taken off
        unseen = 0.25 * EXPECTED * (1.0 - np.exp((beliefs._looked_s - at_s) / STAYS_S)).sum()
        return float(0.25 * beliefs.density(all_, at_s).sum() - unseen - ground)

    beliefs.take(look(1.0, ("casualty", (3.0, 0.0))))
    assert float(beliefs.density(all_, 1.0).max()) == pytest.approx(
        GROUND + 0.9 * WEIGHTS["casualty"] / (2 * math.pi * 0.64), rel=0.1)
    beliefs.take(look(1.0, ("casualty", (3.4, 0.0)), ("beacon", (3.0, 0.0))))        # the same one, and another
    assert [(t.label, t.evidence) for t in beliefs.things] == [("casualty", 2 * EVIDENCE), ("beacon", EVIDENCE)]
    assert beliefs.things[0].place == pytest.approx((3.12, 0.0))
    beliefs.take(look(1.0, ("casualty", (3.0, 0.0)), ("beacon", (3.0, 0.0))))
    assert beliefs.things[0].evidence == 2 * EVIDENCE        # never more
    assert counts(1.0) == pytest.approx(0.9 * 6.0 + 0.9 * 1.0, abs=0.01)             # one miss each
    assert counts(1.0) == pytest.approx(0.5 * 6.0 + 0.5 * 1.0, abs=0.01)
    for _ in range(3):
        counts(1.0)
    assert beliefs.things == []


def test_an_older_look_does_not_take_back_what_a_newer_one_has_shown() -> None:
    beliefs, _, _ = believing()
    beliefs.take(look(5.0, ("hazard", (3.0, 0.0))))
    beliefs.take(look(4.0))
    assert beliefs.things[0].evidence == EVIDENCE
    beliefs.take(look(6.0))
    assert beliefs.things[0].evidence == 0.0


def test_two_looks_on_one_thing_are_one_thing_and_two_things_apart_are_two() -> None:
    beliefs, _, _ = believing()
    beliefs.take(look(1.0, ("hazard", (3.0, 0.0)), ("hazard", (3.0, 0.5))))
    assert len(beliefs.things) == 2                          # of one frame: two boxes are two things
    beliefs.take(look(2.0, ("hazard", (3.0, 0.1)), ("hazard", (3.0, 0.45))))
    assert len(beliefs.things) == 2


def test_a_note_comes_back_as_it_was_told() -> None:
    data = notes.encode(NEWS, 9.5, HALF_M)
    assert len(data) == 10 + 14 + 2 * 5
    back = notes.decode(data, 19.5, HALF_M)                  # by a robot whose clock is ten seconds ahead
    assert (back.sequence, back.x_m, back.y_m) == (7, 1.25, -3.5)
    assert back.looks[0].at_s == pytest.approx(18.0)
    assert (back.looks[0].pose, back.looks[0].finds) == (LOOK.pose, LOOK.finds)


def test_a_note_is_bounded() -> None:
    full = Look(at_s=9.0, pose=Pose(99.0, 0.0, 9.0, 999.0), finds=(("beacon", (99.0, -99.0)),) * 99)
    old = Look(at_s=1.0, pose=HERE, finds=())
    back = notes.decode(notes.encode(News(sequence=1, x_m=-99.0, y_m=0.0, looks=(old, *(full,) * 9)), 9.0, HALF_M), 9.0,
                        HALF_M)
    assert (back.x_m, len(back.looks), len(back.looks[0].finds)) == (-HALF_M, MOST_LOOKS, MOST_FINDS)
    assert back.looks[0].finds[0][1] == (HALF_M, -HALF_M)


DATA = notes.encode(NEWS, 9.5, HALF_M)


@pytest.mark.parametrize("data", [
    b"", b"\x01", DATA[:-1], DATA + b"\0", b"\x02" + DATA[1:], struct.pack("<BIhhB", 1, 1, 0, 0, 4),
    struct.pack("<BIhhB", 1, 1, 726, 0, 0), struct.pack("<BIhhB", 1, 1, 0, 0, 1),
    struct.pack("<BIhhBBhhhhhhB", 1, 1, 0, 0, 1, 51, 0, 0, 0, 0, 0, 0, 0),
    struct.pack("<BIhhBBhhhhhhB", 1, 1, 0, 0, 1, 1, 0, 0, 0, 3200, 0, 0, 0),
    struct.pack("<BIhhBBhhhhhhB", 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 25),
    struct.pack("<BIhhBBhhhhhhBBhh", 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 3, 0, 0),
])
def test_a_bad_note_is_refused_and_counted(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        notes.decode(data, 9.5, HALF_M)
    one = robot("coverage")
    one.on(Heard("b", notes.TOPIC, data), 0)
    assert (one.notes_heard, one.notes_ignored) == (1, 1)


def robot(behaviour: str = "coverage_baseline", team: tuple[str, ...] = ("a", "b")) -> Coverer:
    one = load(behaviour)("a", list(team), 7, replace(SUITE, area_m=14.4))
    assert isinstance(one, Coverer)
    return one


def told(x_m: float, y_m: float, sequence: int = 1, *looks: Look) -> bytes:
    return notes.encode(News(sequence=sequence, x_m=x_m, y_m=y_m, looks=looks), 0.0, 7.2)


def test_a_centroid_by_hand() -> None:
    points, mass = np.array([(0.0, 0.0), (2.0, 0.0), (5.0, 0.0)]), np.array([1.0, 2.0, 3.0])
    assert cells.centroid(np.array([(0.0, 0.0), (4.0, 0.0)]), points, mass) == pytest.approx((4 / 3, 0.0))
    assert cells.centroid(np.array([(4.1, 0.0), (0.0, 0.0)]), points, mass) == pytest.approx((5.0, 0.0))
    assert cells.centroid(np.array([(9.0, 1.0), (5.0, 0.0)]), points, mass) == pytest.approx((9.0, 1.0))


def test_a_robot_flies_to_the_middle_of_its_half_once_it_knows_of_the_other() -> None:
    one = robot()
    one.on(seen(Pose(-1.0, 0.0, 0.0, FLY_M)), 0)
    assert one._place == pytest.approx((0.0, 0.0), abs=1e-6)
    one.on(Heard("b", notes.TOPIC, told(1.0, 0.0)), TICK_NS)
    act, _ = split(one.on(seen(Pose(-1.0, 0.0, 0.0, FLY_M)), 5 * TICK_NS))
    assert one._place == pytest.approx((-3.5, 0.0), abs=1e-6)
    assert (act.vx_mps, act.vy_mps) == pytest.approx((-TOP_MPS, 0.0))
    one.on(seen(Pose(-1.0, 0.0, 0.0, FLY_M)), TICK_NS + MATE_NS)     # silent for too long
    assert one._place == pytest.approx((0.0, 0.0), abs=1e-6)


def test_notes_of_strangers_other_topics_and_older_ones_have_no_effect() -> None:
    one = robot()
    one.on(Heard("b", notes.TOPIC, told(1.0, 0.0, sequence=5)), 0)
    for heard in (Heard("z", notes.TOPIC, told(3.0, 0.0)), Heard("b", "search.map", told(3.0, 0.0)),
                  Heard("b", notes.TOPIC, told(3.0, 0.0, sequence=4))):
        one.on(heard, 0)
    one.on(seen(Pose(-1.0, 0.0, 0.0, FLY_M)), 0)
    assert one._place == pytest.approx((-3.5, 0.0), abs=1e-6)
    assert (one.notes_heard, one.notes_ignored) == (4, 2)


def test_a_robot_flies_to_what_it_or_a_teammate_has_seen_and_the_baseline_does_not() -> None:
    (x0, y0), (x1, y1) = (46.0, 28.0), (51.0, 36.0)
    frame = Perceived(stream="detect", pose=HERE, age_s=0.1, labels=TARGET_CLASSES,
                      outcome=Detections([Detection(TARGET_CLASSES.index("casualty"), 0.9, x0, y0, x1, y1)]))
    place = SIGHT.locate(frame.outcome.boxes[0], HERE)       # type: ignore[union-attr]
    assert place is not None
    assert place[0] > 2.0
    one, other, even = robot("coverage"), robot("coverage"), robot()
    for who in (one, other, even):
        who.on(seen(HERE), 0)
    assert one._place == pytest.approx((0.0, 0.0), abs=1e-6)
    for who in (one, even):
        who.on(frame, 10 * TICK_NS)
    _, (note,) = split(one.on(seen(HERE, 1), 10 * TICK_NS))
    other.on(Heard("b", note.topic, note.data), 10 * TICK_NS)
    for who in (other, even):
        who.on(seen(HERE, 1), 15 * TICK_NS)
    assert one._place is not None
    assert one._place[0] > 0.4
    assert even._place == pytest.approx((0.0, 0.0), abs=1e-6)
    assert [(t.label, t.place) for t in other.beliefs.things] == [           # type: ignore[attr-defined]
        ("casualty", pytest.approx(place, abs=0.01))]
    _, (later,) = split(one.on(seen(HERE, 2), 14 * TICK_NS))
    assert notes.decode(later.data, 1.4, 7.2).looks == ()    # told once


def test_notes_are_made_every_two_fifths_of_a_second() -> None:
    one = robot()
    made = [len(split(one.on(seen(HERE, k), k * TICK_NS))[1]) for k in range(13)]
    assert (sum(made), set(made)) == (4, {0, 1})


@pytest.mark.parametrize("name", ["coverage", "coverage_baseline"])
def test_a_robot_without_its_sensors_is_refused(name: str) -> None:
    needed = ["lidar", "camera"] if name == "coverage" else ["lidar"]
    for sensor in needed:
        suite = replace(SUITE, sensors={key: value for key, value in SUITE.sensors.items() if key != sensor})
        with pytest.raises(BadInput, match=f"{name}.*{sensor}"):
            load(name)("a", ["a"], 7, suite)


def flown(pose: Pose, to: tuple[float, float], circles: tuple[tuple[float, float, float], ...] = ()) -> Fly:
    return Pilot(LIDAR).fly(toy.observation(pose, EVERYWHERE, circles, lidar=LIDAR), to)


def test_a_pilot_flies_to_the_place_in_its_own_frame_turns_and_keeps_its_height() -> None:
    act = flown(Pose(0.0, 0.0, math.pi / 2, FLY_M), (5.0, 0.0))
    assert (act.vx_mps, act.vy_mps) == pytest.approx((0.0, -TOP_MPS), abs=1e-6)
    assert (act.vz_mps, act.yaw_radps) == (0.0, TURN_RADPS)
    assert flown(HERE, (0.1, 0.0)).vx_mps == pytest.approx(0.12)
    assert flown(HERE, (0.0, 0.0)).vx_mps == 0.0
    assert flown(Pose(0.0, 0.0, 0.0, 0.9), (0.0, 0.0)).vz_mps > 0.2
    assert flown(Pose(0.0, 0.0, 0.0, 2.0), (0.0, 0.0)).vz_mps == -0.5


def test_a_pilot_whose_lidar_gives_nothing_stays_where_it_is() -> None:
    blind = replace(seen(Pose(0.0, 0.0, 0.3, FLY_M)), scan=np.empty(0, np.float32))
    act = Pilot(LIDAR).fly(blind, (4.0, 0.0))
    assert (act.vx_mps, act.vy_mps, act.vz_mps, act.yaw_radps) == (0.0, 0.0, 0.0, TURN_RADPS)


def test_a_pilot_stops_before_a_wall_and_leaves_one_that_is_too_near() -> None:
    assert flown(Pose(7.0 - RADIUS_M - KEEP_M, 0.0, 0.0, FLY_M), (9.0, 0.0)).vx_mps < 0.05
    assert flown(Pose(7.0 - RADIUS_M - 0.1, 0.0, 0.0, FLY_M), (9.0, 0.0)).vx_mps < -0.1
    passing = flown(Pose(7.0 - RADIUS_M - KEEP_M, 0.0, 0.0, FLY_M), (7.0 - RADIUS_M - KEEP_M, 5.0))
    assert passing.vy_mps > TOP_MPS / 2                      # along the wall


def test_two_that_fly_at_each_other_pass_without_a_touch() -> None:
    fleet = [RobotSpec(name=name, kind="quadrotor", physics="kinematic") for name in ("a", "b")]
    with build(fleet, 3, render=False) as world:
        world.motion.at[:] = (-2.0, 0.0, 0.0), (2.0, 0.0, 0.0)
        pilot, ends = Pilot(LIDAR), {"a": (2.0, 0.0), "b": (-2.0, 0.0)}
        for step in range(round(12.0 / world.dt_s)):
            if step % 6 == 0:
                for name, end in ends.items():
                    world.act(name, pilot.fly(world.observe(name, frame=False), end))
            world.step()
        assert world.motion.contacts.episodes == 0
        assert world.places() == pytest.approx(np.array([(2.0, 0.0), (-2.0, 0.0)]), abs=0.1)


@pytest.mark.parametrize("area_m", [14.4, 55.2, 100.4])
def test_points_near_a_pose_are_those_in_the_square_around_it(area_m: float) -> None:
    points = cells.points(area_m)
    spacing_m = math.sqrt((area_m - 0.4) ** 2 / len(points))
    assert spacing_m == pytest.approx(1.0 if area_m > cells.LARGE_M else 0.5, abs=0.02)
    for x, y in ((0.0, 0.0), (1.3, -6.9), (area_m, 0.0)):
        away = np.abs(points - (x, y)).max(axis=1)
        near = cells.near_to(points, Pose(x, y, 0.0), 5.0)
        assert near.tolist() == np.flatnonzero(away <= 5.0).tolist()


def test_in_a_large_area_what_is_far_away_does_not_matter() -> None:
    wide = load("coverage")("a", ["a", "b"], 7, replace(SUITE, area_m=100.4))
    small = load("coverage")("a", ["a", "b"], 7, replace(SUITE, area_m=55.2))
    looks = [Look(at_s=0.0, pose=Pose(x, 0.0, 0.0, FLY_M), finds=(("beacon", (x, y)),))
             for x, y in ((FAR_M - 0.1, 8.0), (FAR_M + 0.1, -8.0))]
    for one, places in ((wide, [8.0]), (small, [8.0, -8.0])):
        assert isinstance(one, Coverer)
        one.on(seen(HERE), 0)
        one.on(Heard("b", notes.TOPIC, notes.encode(
            News(sequence=1, x_m=1.0, y_m=0.0, looks=tuple(looks)), 0.0, one._half_m)), 0)
        things = lambda: [t.place[1] for t in one.beliefs.things]        # type: ignore[attr-defined]  # noqa: B023, E731
        assert things() == pytest.approx(places)
        one.on(Perceived(stream="detect", pose=HERE, age_s=0.0, labels=TARGET_CLASSES, outcome=Detections([])), 1)
        assert len(things()) == (0 if one is wide else 2)    # as soon as it looks itself
