"""The rules of the convoy: who waits for whom, where robots stay, when they return, and what they tell."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace

from agents.behaviours import Heard, Note, Verdict
from agents.behaviours.convoy import ANCHOR_M, LOOK_NS, LOST_NS, SPACING_M, Convoy
from agents.behaviours.road import notes
from agents.behaviours.road.notes import State, encode_state
from agents.behaviours.search.gossip import decode_finds, encode_finds
from agents.behaviours.search.occupancy_map import cells_of
from swarm.core.protocol.world import Drive, Observation, Pose, Report
from tests.agents.behaviours.test_road import BEACON, L_ROAD, S, beacon_at
from tests.agents.behaviours.toy import SENSORS, Segment, observation

TEAM = ["a", "b", "c"]


def told(robot: Convoy, sender: str, sequence: int, now: int, *, phase: str = "out", driven_m: float = 0.0) -> None:
    """A teammate, which started at x = -2, is so far along the road."""
    state = State(sequence=sequence, phase=phase, driven_m=driven_m, x_m=driven_m - 2.0, y_m=0.0)
    robot.on(Heard(sender, notes.STATE_TOPIC, encode_state(state)), now)


def driven_to(robot: Convoy, x_m: float, now: int) -> Pose:
    """The pose of a robot that has driven straight from -2 m to x_m."""
    steps = round((x_m + 2.0) / 0.2)
    for k in range(steps + 1):
        robot.on(observation(Pose(-2.0 + 0.2 * k, 0.0, 0.0), L_ROAD, sequence=k), now)
    return Pose(-2.0 + 0.2 * steps, 0.0, 0.0)


def driven_round_the_bend(robot: Convoy, y_m: float, now: int) -> Pose:
    """The pose of a robot that has driven from the corner at 4.5 m to the left up to y_m."""
    for k in range(round(y_m / 0.2) + 1):
        robot.on(observation(Pose(4.5, 0.2 * k, math.pi / 2), L_ROAD, sequence=k), now)
    return Pose(4.5, 0.2 * round(y_m / 0.2), math.pi / 2)


def act(robot: Convoy, pose: Pose, now: int) -> Drive:
    (command,) = (o for o in robot.on(observation(pose, L_ROAD, sequence=1), now) if isinstance(o, Drive))
    return command


def test_the_first_robot_waits_for_one_that_falls_behind_and_not_for_ever() -> None:
    robot = Convoy("a", TEAM, 7, SENSORS)
    here = driven_to(robot, 1.6, 0)
    told(robot, "b", 1, S)
    assert act(robot, here, S).v_mps == 0.0
    told(robot, "b", 2, S, driven_m=3.0)
    assert act(robot, here, S).v_mps > 0.0
    for second in range(2, 10):
        told(robot, "b", second + 1, second * S)
        last = act(robot, here, second * S)
    assert last.v_mps > 0.0                          # pyright: ignore[reportPossiblyUnboundVariable]


def test_a_follower_keeps_its_distance_stops_at_its_station_and_returns_with_the_one_in_front() -> None:
    robot = Convoy("c", TEAM, 7, SENSORS)
    told(robot, "b", 1, 0, driven_m=0.5)
    assert act(robot, Pose(-2.0, 0.0, 0.0), 0).v_mps == 0.0
    told(robot, "b", 2, S, driven_m=3.0)
    assert act(robot, Pose(-2.0, 0.0, 0.0), S).v_mps > 0.0
    driven_to(robot, 3.0, S)
    assert robot.phase == "station"
    told(robot, "b", 3, 2 * S, phase="back", driven_m=9.0)
    act(robot, Pose(2.5, 0.0, 0.0), 2 * S)
    assert robot.phase == "station"
    told(robot, "b", 4, 3 * S, phase="back", driven_m=4.0)
    act(robot, Pose(2.5, 0.0, 0.0), 3 * S)
    assert robot.phase == "back"


def test_finds_are_passed_on_once_reported_at_the_depot_and_strangers_are_not_heard() -> None:
    robot = Convoy("c", TEAM, 7, SENSORS)
    here = observation(Pose(0.0, 0.0, 0.0), L_ROAD, sequence=1)
    robot.on(here, 0)
    note = Heard("b", notes.FINDS_TOPIC, encode_finds([BEACON]))
    assert robot.on(note, 1) == [Note(notes.FINDS_TOPIC, encode_finds([BEACON]))]
    assert robot.on(note, 2) == []
    (report,) = (o for o in robot.on(here, 3) if isinstance(o, Report))
    assert report.values == {"label": "beacon", "x_m": 1.0, "y_m": 0.0}
    assert robot.on(Verdict(report, "far"), 4) == []
    (news,) = robot.on(Verdict(report, "found"), 5)
    assert isinstance(news, Note)
    assert not any(isinstance(o, Report) for o in robot.on(here, 5 * S))
    for sender, topic in (("stranger", notes.FINDS_TOPIC), ("b", "search.map"), ("b", notes.STATE_TOPIC)):
        assert robot.on(Heard(sender, topic, b"\1"), 6) == []
    assert robot.statistics().notes_ignored == 3


def test_places_of_a_long_road_are_told_as_they_are() -> None:
    """A road for 40 robots is longer than the 24 m of a usual area."""
    wide = replace(SENSORS, area_m=78.0)
    robot, far = Convoy("b", TEAM, 7, wide), beacon_at(37.0)
    heard = Heard("a", notes.FINDS_TOPIC, encode_finds([far], cells_of(78.0)))
    (note,) = robot.on(heard, 1)
    assert isinstance(note, Note)
    assert decode_finds(note.data, cells_of(78.0)) == [far]


def test_stations_reach_from_the_depot_outwards() -> None:
    """Wherever robots start: those of a large team start far behind the gate."""
    assert [Convoy(name, TEAM, 7, SENSORS)._station_m for name in TEAM] == [
        math.inf, 0.6 + ANCHOR_M + SPACING_M, 1.5 + ANCHOR_M]
    many = [f"r{k:02d}" for k in range(40)]
    assert Convoy("r39", many, 7, SENSORS)._station_m == pytest.approx(0.6 + 19 * 0.9 + ANCHOR_M)
    assert Convoy("a", ["a"], 7, SENSORS)._station_m == math.inf


def test_a_robot_goes_as_far_as_the_one_behind_hears_it_through_the_air() -> None:
    robot = Convoy("b", TEAM, 7, SENSORS)
    driven_to(robot, 4.4, 0)
    told(robot, "c", 1, 0, phase="station", driven_m=4.5)    # at x = 2.5
    driven_round_the_bend(robot, 2.4, 0)                     # 4.4 m from it along the road, 3.1 m through the air
    assert robot.phase == "out"
    driven_round_the_bend(robot, 3.0, 0)
    assert robot.phase == "station"


def test_the_first_robot_waits_by_the_way_through_the_air_and_has_no_station() -> None:
    robot = Convoy("a", TEAM, 7, SENSORS)
    driven_to(robot, 4.4, 0)
    told(robot, "b", 1, 0, driven_m=4.5)
    assert act(robot, driven_round_the_bend(robot, 2.4, 0), 0).v_mps > 0.0
    assert act(robot, driven_round_the_bend(robot, 3.0, 1), 1).v_mps == 0.0
    told(robot, "b", 2, 2, phase="station", driven_m=4.5)
    assert act(robot, driven_round_the_bend(robot, 3.0, 2), 2).v_mps > 0.0
    assert robot.phase == "out"


def test_at_its_station_a_robot_looks_around_once_and_stays_while_it_hears_a_robot_farther_out() -> None:
    robot = Convoy("b", TEAM, 7, SENSORS)
    told(robot, "c", 1, 0, phase="station", driven_m=1.0)
    here = driven_to(robot, 3.0, 0)
    assert robot.phase == "station"
    for second in range(1, 41):
        told(robot, "a", second, second * S, phase="station" if second < 15 else "home", driven_m=9.0)
        turns = act(robot, here, second * S).w_radps > 0.0
        assert turns == (second * S < LOOK_NS) or robot.phase == "back"
        assert (robot.phase == "back") == (second * S > 14 * S + LOST_NS), second


def test_a_robot_that_has_waited_before_its_station_looks_around_as_long_as_others() -> None:
    robot = Convoy("c", TEAM, 7, SENSORS)
    here = driven_to(robot, 1.0, 0)
    for second in range(1, 21):
        told(robot, "b", second, second * S, driven_m=3.2)
        assert act(robot, here, second * S).v_mps == 0.0
    assert robot.phase == "out"
    for second in range(21, 35):
        told(robot, "b", second, second * S, phase="back", driven_m=9.0)
        turns = act(robot, here, second * S).w_radps != 0.0
        assert (robot.phase, turns) == ("station", (second - 21) * S < LOOK_NS)


def test_the_first_robot_looks_all_around_at_the_end_of_the_road_before_it_returns() -> None:
    robot = Convoy("a", TEAM, 7, SENSORS)
    told(robot, "b", 1, 0, phase="station", driven_m=0.0)
    driven_to(robot, 0.0, 0)
    walls: list[Segment] = [*L_ROAD, (0.6, -1.5, 0.6, 1.5), (-1, 0.6, 1, 0.6), (-1, -0.6, 1, -0.6)]
    heading, turned, now = 0.0, 0.0, 0
    while robot.phase != "back" and now < 10 * LOOK_NS:
        now += S // 5
        command = next(o for o in robot.on(observation(Pose(0.0, 0.0, heading), walls, sequence=now), now)
                       if isinstance(o, Drive))
        assert command.v_mps == 0.0 or robot.phase != "station"
        if robot.phase == "station":
            heading, turned = heading + command.w_radps / 5, turned + command.w_radps / 5
    assert robot.phase == "back"
    assert 1.8 * math.pi < turned < 2.5 * math.pi


def test_it_takes_observations_whose_scan_is_spoilt() -> None:
    seen: Observation = observation(Pose(0.0, 0.0, 0.0), L_ROAD, sequence=1)
    seen.scan[3], seen.scan[4] = math.nan, math.inf
    for behaviour in (Convoy("a", TEAM, 7, SENSORS),):
        assert sum(isinstance(o, Drive) for o in behaviour.on(seen, 0)) == 1
