"""The parts of behaviours on a road: the way by lidar, the book of finds, the notes; and the rules of the convoy."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace

from agents.behaviours import Heard, Note, Verdict
from agents.behaviours.convoy import ANCHOR_M, LOOK_NS, LOST_NS, SPACING_M, Convoy
from agents.behaviours.road import notes
from agents.behaviours.road.book import AGAIN_NS, MOST, MOST_REPORTS, MOST_TOLD, Book
from agents.behaviours.road.depot import DEPOT_REACH_M, gate_ahead_m
from agents.behaviours.road.driver import Driver
from agents.behaviours.road.notes import State, decode_state, encode_state
from agents.behaviours.road.way import END_NS, STEP_M, STUCK_NS, Way
from agents.behaviours.search.gossip import Find, decode_finds, encode_finds
from agents.behaviours.search.occupancy_map import cells_of
from sim_worlds.scenarios.convoy import scenario
from sim_worlds.scenarios.convoy.road import road
from swarm.core.protocol.world import Drive, Observation, Pose, Report
from tests.agents.behaviours.toy import BEAMS, SENSORS, Segment, observation, scan

L_ROAD: list[Segment] = [(-3, -1.5, 6, -1.5), (6, -1.5, 6, 6), (6, 6, 3, 6), (3, 6, 3, 1.5), (3, 1.5, -3, 1.5),
                         (-3, 1.5, -3, -1.5)]        # 3 m wide: to the east, then to the north
TEAM = ["a", "b", "c"]
BEACON = Find(kind="confirmed", label="beacon", x_m=1.0, y_m=0.0)
S = 1_000_000_000


def beacon_at(x_m: float) -> Find:
    return Find(kind="confirmed", label="beacon", x_m=x_m, y_m=0.0)


def bearing(way: Way, pose: Pose, now: int = 0) -> float:
    """The direction of the way out, radians in the world frame."""
    x, y = way.out(pose, scan(pose, L_ROAD), now)[-1]
    return math.atan2(y - pose.y_m, x - pose.x_m)


def test_the_way_out_follows_the_road_round_its_bend() -> None:
    way = Way(BEAMS)
    for x in range(9):
        way.add(Pose(0.5 * x, 0.0, 0.0))
    assert way.driven_m == pytest.approx(4.0)
    assert abs(bearing(way, Pose(0.0, 0.0, 0.0))) < 0.2
    assert math.radians(50) < bearing(way, Pose(4.5, 0.0, 0.0)) < math.radians(110)


def test_at_its_end_the_road_has_no_way_out_and_behind_is_none() -> None:
    way = Way(BEAMS)
    for y in range(8):
        way.add(Pose(4.5, 0.5 + 0.5 * y, math.pi / 2))
    end = Pose(4.5, 5.2, math.pi / 2)
    walls: list[Segment] = [*L_ROAD, (4.0, 6, 4.0, 3), (5.0, 6, 5.0, 3)]     # too narrow to turn off
    assert way.out(end, scan(end, walls), 0) == []
    assert not way.ends(0)
    assert way.out(end, scan(end, walls), END_NS) == []
    assert way.ends(END_NS)


def test_a_robot_in_the_way_is_no_end_of_the_road() -> None:
    way, pose = Way(BEAMS), Pose(0.0, 0.0, 0.0)
    way.add(pose)
    walls: list[Segment] = [*L_ROAD, (0.6, -1.0, 0.6, 1.0), (-1, 1, 1, 1), (-1, -1, 1, -1)]
    assert way.out(pose, scan(pose, walls), 0) == []
    assert way.out(pose, scan(pose, L_ROAD), END_NS // 2) != []
    assert way.out(pose, scan(pose, walls), END_NS) == []
    assert not way.ends(END_NS)


def test_a_robot_that_comes_no_farther_is_at_the_end_and_one_that_waited_is_not() -> None:
    way, pose = Way(BEAMS), Pose(0.0, 0.0, 0.0)
    way.add(pose)
    for now in range(0, STUCK_NS, S // 5):
        way.out(pose, scan(pose, L_ROAD), now)
        assert not way.ends(now)
    way.out(pose, scan(pose, L_ROAD), STUCK_NS)
    assert way.ends(STUCK_NS)
    later = STUCK_NS + 2 * END_NS
    assert not way.ends(later)
    way.out(pose, scan(pose, L_ROAD), later)         # it had stopped looking, since it waited
    assert not way.ends(later)


def test_home_is_along_the_own_trail() -> None:
    way = Way(BEAMS)
    for x, y in ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)):
        way.add(Pose(x, y, 0.0))
    assert way.home(Pose(1.1, 0.9, 0.0)) == [(1.0, 1.0), (1.0, 0.0), (0.0, 0.0)]
    assert way.home(Pose(0.2, 0.1, 0.0)) == [(0.0, 0.0)]


# --- the book ---


def test_a_find_is_written_once_and_a_verdict_replaces_it_for_good() -> None:
    book = Book()
    near = Find(kind="confirmed", label="beacon", x_m=1.5, y_m=0.0)
    found = Find(kind="found", label="beacon", x_m=1.2, y_m=0.0)
    assert [book.add(find) for find in (BEACON, near, found, BEACON, found)] == [True, False, True, False, False]
    assert book.finds() == [found]
    assert book.add(Find(kind="confirmed", label="hazard", x_m=1.0, y_m=0.0))


def test_reports_are_made_near_the_depot_alone_and_again_until_there_is_a_verdict() -> None:
    book = Book()
    book.add(BEACON)
    assert book.reports((9.0, 0.0), (0.0, 0.0), 0) == []
    assert len(book.reports((2.0, 0.0), (0.0, 0.0), 1)) == 1
    assert book.reports((2.0, 0.0), (0.0, 0.0), AGAIN_NS) == []
    assert len(book.reports((2.0, 0.0), (0.0, 0.0), 1 + AGAIN_NS)) == 1
    book.add(Find(kind="found", label="beacon", x_m=1.0, y_m=0.0))
    assert book.reports((2.0, 0.0), (0.0, 0.0), 9 * AGAIN_NS) == []


def test_of_many_finds_some_are_reported_at_a_time() -> None:
    book = Book()
    for k in range(MOST_REPORTS + 3):
        book.add(beacon_at(2.0 * k))
    counts = [len(book.reports((2.0, 0.0), (0.0, 0.0), now)) for now in (1, 2, 3, 1 + AGAIN_NS)]
    assert counts == [MOST_REPORTS, 3, 0, MOST_REPORTS]


def test_robots_farther_out_report_later() -> None:
    book = Book()
    book.add(BEACON)
    assert book.reports((2.0, 0.0), (0.0, 0.0), 0, after_ns=2 * S) == []
    assert len(book.reports((2.0, 0.0), (0.0, 0.0), 2 * S, after_ns=2 * S)) == 1


def test_the_book_is_bounded() -> None:
    book = Book()
    assert [book.add(beacon_at(2.0 * k), told=True) for k in range(2 * MOST)] == [
        k < MOST_TOLD for k in range(2 * MOST)]
    own = [book.add(beacon_at(2.0 * k)) for k in range(2 * MOST, 3 * MOST)]          # there is room for own ones left
    assert own == [k < MOST - MOST_TOLD for k in range(MOST)]
    assert len(book.finds()) == MOST


def test_a_robot_remembers_no_more_of_what_teammates_tell_than_fits_in_its_book() -> None:
    driver = Driver("convoy", "a", 0, 7, SENSORS)
    for k in range(2 * MOST):
        driver.take(beacon_at(2.0 * k), told=True)
    assert len(driver._targets.finds.found()) == len(driver.book.finds()) == MOST_TOLD


def test_many_finds_are_told_in_turn() -> None:
    book = Book()
    for k in range(5):
        book.add(beacon_at(2.0 * k))
    assert [[find.x_m for find in book.in_turn(most)] for most in (5, 3, 3)] == [
        [0.0, 2.0, 4.0, 6.0, 8.0], [0.0, 2.0, 4.0], [6.0, 8.0, 0.0]]


# --- notes and rules ---

STATE = State(sequence=3, phase="station", driven_m=4.25, x_m=-1.5, y_m=2.0)


def test_a_state_comes_back_as_it_was_sent_and_a_bad_one_is_refused() -> None:
    data = encode_state(STATE)
    assert (decode_state(data), len(data)) == (STATE, 18)
    bad = [b"", data[:-1], data + b"\0", b"\2" + data[1:], data[:1] + b"\4" + data[2:]]
    bad += [encode_state(State(sequence=1, phase="out", driven_m=d, x_m=x, y_m=0.0))
            for d, x in ((-1.0, 0.0), (math.nan, 0.0), (0.0, math.inf), (0.0, 1e6))]
    for one in bad:
        with pytest.raises(ValueError, match="bad"):
            decode_state(one)


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


def test_each_robot_knows_where_the_gate_is_and_how_far_the_depot_hears() -> None:
    assert DEPOT_REACH_M == scenario.DEPOT_REACH_M
    start = road(3, 40).spawns[39]
    way = Way(BEAMS, gate_ahead_m(39))
    way.add(start)
    assert way.gate == pytest.approx((0.0, start.y_m))


def test_a_place_that_jumps_is_no_long_way() -> None:
    way = Way(BEAMS)
    for x in (0.0, 3.0, 0.0):
        way.add(Pose(x, 0.0, 0.0))
    assert way.driven_m == pytest.approx(2 * STEP_M)


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
