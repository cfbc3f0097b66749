"""The parts of behaviours on a road: the way by lidar, the book of finds, and the notes."""

from __future__ import annotations

import math

import pytest

from agents.behaviours.road.book import AGAIN_NS, MOST, MOST_REPORTS, MOST_TOLD, Book
from agents.behaviours.road.depot import DEPOT_REACH_M, gate_ahead_m, gate_from
from agents.behaviours.road.driver import Driver
from agents.behaviours.road.notes import State, decode_state, encode_state
from agents.behaviours.road.way import END_NS, STEP_M, STUCK_NS, Way
from agents.behaviours.search.gossip import Find
from sim_worlds.scenarios.convoy import depot, scenario
from swarm.core.protocol.world import Pose
from tests.agents.behaviours.toy import BEAMS, SENSORS, Segment, scan

L_ROAD: list[Segment] = [(-3, -1.5, 6, -1.5), (6, -1.5, 6, 6), (6, 6, 3, 6), (3, 6, 3, 1.5), (3, 1.5, -3, 1.5),
                         (-3, 1.5, -3, -1.5)]        # 3 m wide: to the east, then to the north
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


def test_a_place_that_jumps_is_no_long_way() -> None:
    way = Way(BEAMS)
    for x in (0.0, 3.0, 0.0):
        way.add(Pose(x, 0.0, 0.0))
    assert way.driven_m == pytest.approx(2 * STEP_M)


def test_each_robot_knows_where_the_gate_is_and_how_far_the_depot_hears() -> None:
    assert DEPOT_REACH_M == scenario.DEPOT_REACH_M
    for place in (0, 39, 99, 100, 199, 200, 301, 999):       # in lanes that lead east, and west
        start = depot.start(place)
        way = Way(BEAMS, gate_from(place))
        way.add(start)
        aside_m = depot.LANE_M * (1 - 2 * (place % 2)) * math.cos(start.heading_rad)
        assert way.gate == pytest.approx((0.0, aside_m))     # as if it stood in the middle of its lane
    assert [gate_ahead_m(place) for place in (0, 39, 99)] == pytest.approx([0.6, 17.7, 44.7])
    assert gate_ahead_m(100) == pytest.approx(48.6 + 1.5 * math.pi)
    assert gate_ahead_m(200) - gate_ahead_m(100) == pytest.approx(45.0 + 1.5 * math.pi)


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


# --- notes ---

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
