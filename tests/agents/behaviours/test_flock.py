"""The flock: its notes, what a robot believes of its teammates, its pace, and its way round hazards."""

from __future__ import annotations

import math
import struct
from dataclasses import replace

import numpy as np
import pytest

from agents.behaviours import Heard, Note, Output
from agents.behaviours.flock import known_course, notes
from agents.behaviours.flock.lane import on_lane
from agents.behaviours.flock.mates import Mates
from agents.behaviours.flock.navigator import Navigator
from agents.behaviours.flock.notes import HAZARDS_PER_NOTE, State
from agents.behaviours.formation import PATIENCE_NS, SLOWEST, Formation
from agents.behaviours.formation_baseline import Alone
from agents.behaviours.search import frontier
from agents.behaviours.search.classes import TARGET_CLASSES
from agents.behaviours.search.occupancy_map import CELLS, OCCUPIED, UNKNOWN, cell_of
from swarm.core.protocol.world import Act, Detections, Perceived, Pose, Report
from tests.agents.behaviours import toy

TICK_NS = 100_000_000
FIELD = [(-9.8, -4.0, 9.8, -4.0), (9.8, -4.0, 9.8, 4.0), (9.8, 4.0, -9.8, 4.0), (-9.8, 4.0, -9.8, -4.0)]
STATE = State(sequence=7, pose=Pose(-7.5, 1.25, 3.0), left_m=12.34, east=True, hazards=((-5.0, 1.5), (0.0, -4.0)))


def told(sender: str, state: State) -> Heard:
    return Heard(sender, notes.TOPIC, notes.encode(state))


def robot(team: int = 2) -> Formation:
    return Formation("a", [chr(ord("a") + k) for k in range(team)], 7, toy.SENSORS)


def drive(one: Formation | Alone, pose: Pose, now: int, sequence: int = 0) -> tuple[Act, list[Note]]:
    """What it does and says on one observation in the empty field."""
    out = one.on(toy.observation(pose, FIELD, sequence=sequence), now)
    (act,) = (o for o in out if isinstance(o, Act))
    return act, [o for o in out if isinstance(o, Note)]


def test_a_note_comes_back_as_it_was_told() -> None:
    assert notes.decode(notes.encode(STATE)) == STATE
    assert len(notes.encode(STATE)) == 15 + 2 * 4


def test_a_note_is_bounded() -> None:
    many = replace(STATE, left_m=math.inf, pose=Pose(99.0, -99.0, 7.0), hazards=((1.0, 1.0),) * 99)
    beside = replace(STATE, hazards=((1.0, 4.1), (1.0, 3.9), (2.0, -4.2)))           # of other lanes, but for one
    assert notes.decode(notes.encode(beside)).hazards == ((1.0, 3.9),)
    back = notes.decode(notes.encode(many))
    assert len(back.hazards) == HAZARDS_PER_NOTE
    assert (back.left_m, back.pose) == (100.0, Pose(9.8, -4.0, round(7.0 - 2 * math.pi, 3)))


@pytest.mark.parametrize("data", [
    b"", b"\x01", notes.encode(STATE)[:-1], notes.encode(STATE) + b"\0", b"\x02" + notes.encode(STATE)[1:],
    struct.pack("<BIhhhHBB", 1, 1, 0, 0, 4000, 0, 1, 0), struct.pack("<BIhhhHBB", 1, 1, 0, 0, 0, 10_001, 1, 0),
    struct.pack("<BIhhhHBB", 1, 1, 981, 0, 0, 0, 1, 0), struct.pack("<BIhhhHBB", 1, 1, 0, 0, 0, 0, 2, 0),
    struct.pack("<BIhhhHBB", 1, 1, 0, 0, 0, 0, 1, 13) + b"\0" * 52,
    struct.pack("<BIhhhHBBhh", 1, 1, 0, 0, 0, 0, 1, 1, 0, 401),
])
def test_a_bad_note_is_refused_and_counted(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        notes.decode(data)
    one = robot()
    one.on(Heard("b", notes.TOPIC, data), 0)
    assert (one.notes_heard, one.notes_ignored) == (1, 1)


def test_a_stranger_and_another_topic_are_counted_and_have_no_effect() -> None:
    one = robot()
    one.on(told("z", STATE), 0)
    one.on(Heard("b", "search.map", notes.encode(STATE)), 0)
    assert (one.notes_heard, one.notes_ignored) == (2, 2)
    assert drive(one, Pose(-7.0, 0.0, 0.0), 0)[0] == drive(robot(), Pose(-7.0, 0.0, 0.0), 0)[0]


def test_an_older_note_is_left_out_and_one_of_a_restarted_robot_is_not() -> None:
    mates = Mates(["b"])
    mates.hear("b", STATE, 0)
    mates.hear("b", replace(STATE, sequence=6, left_m=1.0), 1)
    assert [mate.state.left_m for mate in mates.alive(1)] == [12.34]
    mates.hear("b", replace(STATE, sequence=8, left_m=2.0), 2)
    assert [mate.state.left_m for mate in mates.alive(2)] == [2.0]
    mates.hear("b", replace(STATE, sequence=70_000), 3)
    mates.hear("b", replace(STATE, sequence=1, left_m=3.0), 4)
    assert [mate.state.left_m for mate in mates.alive(4)] == [3.0]


def test_a_silent_mate_is_forgotten_but_its_hazards_are_not() -> None:
    mates = Mates(["b", "c"])
    mates.hear("b", STATE, 0)
    later = 3_000_000_000
    assert mates.alive(later) == mates.places(later) == []
    assert mates.hazards([]) == [(-5.0, 1.5), (0.0, -4.0)]
    mates.hear("c", replace(STATE, hazards=((-5.2, 1.0), (3.0, 0.0))), later)
    assert mates.hazards([]) == [(-5.0, 1.5), (0.0, -4.0), (3.0, 0.0)]        # the first of both is one
    assert mates.hazards([(3.1, 0.1)]) == [(3.1, 0.1), (-5.0, 1.5), (0.0, -4.0)]


def test_a_mate_is_expected_ahead_of_where_it_was() -> None:
    mates = Mates(["b"])
    mates.hear("b", replace(STATE, pose=Pose(1.0, 2.0, math.pi / 2)), 0)
    assert mates.places(500_000_000)[0] == pytest.approx((1.0, 2.15), abs=1e-3)
    assert mates.places(2_000_000_000)[0] == pytest.approx((1.0, 2.3), abs=1e-3)


def test_a_robot_far_ahead_goes_slower_on_the_same_arc_and_never_stops() -> None:
    pose = Pose(-4.0, 1.0, 0.0)
    alone, _ = drive(robot(), pose, 0)
    assert alone.v_mps > 0.1
    for behind_m, pace in ((0.0, 1.0), (-5.0, 1.0), (3.0, 1.0), (4.0, 0.65), (60.0, SLOWEST)):
        one = robot()
        drive(one, pose, 0)                                  # it plans
        left_m = one._navigator.left_m
        one.on(told("b", replace(STATE, left_m=left_m + behind_m, hazards=())), TICK_NS)
        first, second = robot(), drive(one, pose, TICK_NS)[0]
        drive(first, pose, 0)
        free, _ = drive(first, pose, TICK_NS)
        assert second.v_mps == pytest.approx(pace * free.v_mps, abs=0.01)
        assert second.w_radps == pytest.approx(pace * free.w_radps, abs=0.02)


def test_at_an_end_a_robot_waits_for_those_behind_but_not_for_ever() -> None:
    end = Pose(7.8, 0.0, 0.0)
    one = robot()
    one.on(told("b", replace(STATE, left_m=4.0)), 0)
    drive(one, end, 0)
    assert one._navigator.direction == 1.0
    one.on(told("b", replace(STATE, sequence=8, left_m=0.0)), TICK_NS)
    drive(one, end, TICK_NS)
    assert one._navigator.direction == -1.0

    late = robot()
    for k, now in enumerate((0, PATIENCE_NS // 2, PATIENCE_NS + 1)):
        late.on(told("b", replace(STATE, sequence=8 + k, left_m=4.0)), now)
        drive(late, end, now)
        assert late._navigator.direction == (1.0 if k < 2 else -1.0)


def test_a_robot_without_a_flock_turns_at_once() -> None:
    navigator = Navigator("formation_baseline", "a", ["a", "b"], 7, toy.SENSORS)
    one = Alone(navigator)
    one.on(told("b", STATE), 0)
    drive(one, Pose(7.8, 0.0, 0.0), 0)
    assert navigator.direction == -1.0


def test_hazards_that_the_camera_shows_twice_are_told_to_the_flock() -> None:
    one, pose = robot(), Pose(-7.0, 0.0, 0.0)
    box = toy.box("hazard", pose, -4.5, 0.3)
    other = toy.box("beacon", pose, -4.5, -0.9)
    assert box is not None
    assert other is not None
    heard: list[int] = []
    reports: list[Output] = []
    for k in range(4):
        _, said = drive(one, pose, k * 500_000_000, k)
        heard.append(len(notes.decode(said[0].data).hazards))
        reports += one.on(Perceived(stream="detect", outcome=Detections([box, other]), pose=pose, age_s=0.1),
                          k * 500_000_000 + TICK_NS)
    assert heard == [0, 0, 1, 1]
    assert [report.kind for report in reports if isinstance(report, Report)] == ["hazard"]
    (hazard,) = one._navigator.hazards
    assert math.dist(hazard, (-4.5, 0.3)) < 0.5
    assert TARGET_CLASSES[box.label] == "hazard"


def test_the_way_leads_round_a_hazard_and_through_it_if_there_is_no_other() -> None:
    states = np.full((CELLS, CELLS), UNKNOWN, np.uint8)
    costly = known_course.around([(0.0, 0.0)], 1.4)

    def nearest_m(states: np.ndarray) -> float:
        area = frontier.field(known_course.passable(states), -5.0, 0.0, costly=costly)
        path, left_m = known_course.way_to_end(area, 1.0, 0.0)
        assert 12.4 < left_m < 17.0
        return min(math.hypot(x, y) for x, y in path)

    assert nearest_m(states) > 1.2
    top, bottom = cell_of(0.0, 1.0)[0], cell_of(0.0, -1.0)[0]
    column = cell_of(0.0, 0.0)[1]
    states[top:, column] = states[:bottom + 1, column] = OCCUPIED
    assert nearest_m(states) < 0.5


def test_a_robot_with_no_way_drives_straight_on() -> None:
    states = np.full((CELLS, CELLS), UNKNOWN, np.uint8)
    states[:, cell_of(0.0, 0.0)[1]] = OCCUPIED
    area = frontier.field(known_course.passable(states), -5.0, 0.0)
    assert known_course.way_to_end(area, 1.0, 0.5) == ([(8.5, 0.5)], math.inf)


# --- the lanes of a wide field ---


def test_on_a_lane_of_a_wide_field_a_robot_does_what_it_would_on_a_field_of_its_own() -> None:
    team = [f"r{k}" for k in range(30)]                      # five lanes: r0, r5, ... on the one at y = -16
    far = on_lane("r0", team, lambda flock: Formation("r0", flock, 7, toy.SENSORS))
    own = Formation("r0", team[::5], 7, toy.SENSORS)
    for one in (far, own):
        one.on(told("r5", STATE), 0)
    field = [(x0, y0 - 16.0, x1, y1 - 16.0) for x0, y0, x1, y1 in FIELD]
    for k in range(12):
        there, here = Pose(-7.0 + 0.04 * k, -15.0, 0.0), Pose(-7.0 + 0.04 * k, 1.0, 0.0)
        moved = far.on(toy.observation(there, field, sequence=k), k * TICK_NS)
        assert [o for o in moved if isinstance(o, Act)] == [
            o for o in own.on(toy.observation(here, FIELD, sequence=k), k * TICK_NS) if isinstance(o, Act)]
        for note in (o for o in moved if isinstance(o, Note)):
            assert note.to == tuple(team[5::5])
            assert notes.decode(note.data).pose.y_m == pytest.approx(1.0)


def test_on_a_lane_of_a_wide_field_a_hazard_is_reported_where_it_is() -> None:
    team = [f"r{k}" for k in range(60)]                      # ten lanes: r5, r15, ... on the one at y = 4
    one, pose = on_lane("r5", team, lambda flock: Formation("r5", flock, 7, toy.SENSORS)), Pose(-7.0, 4.0, 0.0)
    field = [(x0, y0 + 4.0, x1, y1 + 4.0) for x0, y0, x1, y1 in FIELD]
    box = toy.box("hazard", Pose(-7.0, 0.0, 0.0), -4.5, 0.3)
    assert box is not None
    reports: list[Output] = []
    for k in range(4):
        one.on(toy.observation(pose, field, sequence=k), k * 5 * TICK_NS)
        reports += one.on(Perceived(stream="detect", outcome=Detections([box]), pose=pose, age_s=0.1),
                          (k * 5 + 1) * TICK_NS)
    (report,) = (output for output in reports if isinstance(output, Report))
    x_m, y_m = report.values["x_m"], report.values["y_m"]
    assert isinstance(x_m, float)
    assert isinstance(y_m, float)
    assert math.dist((x_m, y_m), (-4.5, 4.3)) < 0.5
