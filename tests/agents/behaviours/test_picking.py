"""The parts of the behaviours of the warehouse."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.behaviours import Heard, Note, Verdict, load
from agents.behaviours.picking import notes
from agents.behaviours.picking.aisle_rights import PATIENCE_NS, SETTLES_NS, AisleRights
from agents.behaviours.picking.bay_beliefs import EMPTY, STATES, BayBeliefs
from agents.behaviours.picking.floor_plan import FloorPlan, told
from agents.behaviours.picking.hall_mates import HallMates
from agents.behaviours.picking.mates import Mate
from agents.behaviours.picking.notes import Look, News
from agents.behaviours.picking.picker import HANDLE_NS
from agents.behaviours.search.classes import TARGET_CLASSES
from agents.behaviours.warehouse import SHARE_NS
from sim_worlds.scenarios.warehouse.floor import plans_for
from sim_worlds.scenarios.warehouse.scenario import HANDLE_S
from swarm.core.protocol.world import Act, Detection, Detections, Observation, Perceived, Pose, Report
from tests.agents.behaviours.toy import LOCATOR, SENSORS, THREE_ROOMS, VIEW, observation

WORDS = plans_for(4)[0].words()
OUTSIDE = Pose(0.0, -3.0, 0.0)
BEACON = TARGET_CLASSES.index("beacon")


def plan() -> FloorPlan:
    made = told(WORDS)
    assert made is not None
    return made


def mate(pose: Pose = OUTSIDE, aisle: int | None = None, ticket: int = 0) -> Mate:
    return Mate(sequence=1, heard_at=0, pose=pose, bay=None, aisle=aisle, ticket=ticket)


@pytest.mark.parametrize("robots", [1, 4, 9])
def test_behaviour_and_world_mean_the_same_places(robots: int) -> None:
    (theirs,) = plans_for(robots)
    mine = told(theirs.words())
    assert mine is not None
    assert mine.count == theirs.count
    for bay in range(theirs.count):
        assert mine.access(bay) == pytest.approx(theirs.access(bay))
        assert mine.middle(bay) == pytest.approx(theirs.middle(bay))
    assert np.allclose(mine.docks(), theirs.docks())
    assert pytest.approx(HANDLE_S * 1e9) == HANDLE_NS


@pytest.mark.parametrize("words", [
    "", "plan", "refused", "plan 4 3 2.6", WORDS.replace("plan", "map"), WORDS + " -1", WORDS + " x",
    WORDS + " 1 1", WORDS.replace("4", "0", 1),
    WORDS.replace("4", "9999", 1), WORDS.replace("2.60", "nan"), WORDS.replace("2.60", "-2.6"),
    WORDS.replace("2.60", "inf"), WORDS.replace("-3.55", "3.6"), WORDS.replace("3.45", "0.0"),
    WORDS.replace("4", "x", 1),
])
def test_a_plan_that_makes_no_sense_is_none(words: str) -> None:
    assert told(words) is None


def test_ways_go_through_aisles_and_on_the_right_of_lanes() -> None:
    p = plan()                                               # aisles at x = -3.9, -1.3, 1.3, 3.9; lanes at -2.55, 3.45
    assert p.aisle_at((-1.2, 0.0)) == 1
    assert p.aisle_at((-1.2, -2.2)) is None
    along = p.way((-3.9, -0.5), (-3.9, 2.1))
    assert (len(along), along[-1]) == (13, (-3.9, 2.1))      # straight, once over the middle of the aisle
    east = p.way(p.access(0), p.access(6))                   # the next aisle, by the south: 2 * (2.0 + 0.25) + 2.6
    assert p.way_m(p.access(0), p.access(6)) == pytest.approx(7.1)
    assert min(y for _, y in east) == pytest.approx(-2.8)
    west = p.way(p.access(6), p.access(0))
    assert min(y for _, y in west) == pytest.approx(-2.3)
    assert all(math.dist(a, b) <= 0.2501 for a, b in itertools.pairwise(east))
    through = p.way((0.0, 3.4), (-1.3, -3.4))                # from the north to a dock: through an aisle
    assert {p.aisle_at(point) for point in through} == {None, 1}


def test_a_robot_joins_the_lane_soon_and_does_not_go_back_to_it_from_beside_an_aisle() -> None:
    p = plan()
    far = p.way((0.3, -1.5), p.access(20))                   # to the last aisle: 1.3 m down to -2.8, while 1.3 m ahead
    assert min(far, key=lambda point: math.dist(point, (1.6, -2.8))) == pytest.approx((1.6, -2.8), abs=0.1)
    assert min(y for _, y in p.way((0.3, -1.7), p.access(12))) == pytest.approx(-1.7)
    assert max(y for x, y in p.way((0.3, -1.3), p.access(12)) if x < 1.2) == pytest.approx(-1.3)     # where it is
    assert min(y for _, y in p.way((1.3, -1.4), p.access(12))) > -1.7


def test_waiting_places_are_at_the_ends_of_racks_each_for_one_robot() -> None:
    p = plan()
    assert p.waiting_place((0.0, -3.0), 1, []) == pytest.approx((0.0, -1.5))
    assert p.waiting_place((0.0, -3.0), 1, [(0.4, -1.6)]) == pytest.approx((-2.6, -1.5))
    assert p.waiting_place((0.0, -3.0), 1, [(0.4, -1.6), (-2.6, -1.5)])[0] == pytest.approx(-4.85)
    assert p.waiting_place((-2.0, 3.4), 1, []) == pytest.approx((-2.6, 3.0))
    assert p.waiting_place((-5.0, -3.0), 0, [])[0] == pytest.approx(-5.2 + 0.35)         # not in the wall
    assert p.waiting_place((5.0, -3.0), 3, [])[0] == pytest.approx(5.2 - 0.35)
    assert p.waiting_place((0.0, -3.0), 1, [(x, -1.5) for x in (-5.2, -2.6, 0.0, 2.6, 5.2)])[0] == 0.0
    assert (p.is_at_mouth((-1.0, -1.8), 1), p.is_at_mouth((0.0, -1.5), 1), p.is_at_mouth((-1.3, -2.8), 1)) == (
        True, False, False)


def boxed(bay: int, pose: Pose, height_m: float = 0.81) -> Detection:
    """The box of a thing of this height in a bay, as a camera at `pose` sees it, a beacon."""
    x, y = plan().middle(bay)
    c, s = math.cos(pose.heading_rad), math.sin(pose.heading_rad)
    dx, dy = x - pose.x_m, y - pose.y_m
    foot, top = (VIEW.project(c * dx + s * dy, c * dy - s * dx, up) for up in (0.0, height_m))
    assert foot is not None
    assert top is not None
    return Detection(BEACON, 0.9, foot[0] - 5, max(top[1], 0.0), foot[0] + 5, foot[1])


def test_a_look_tells_of_the_bay_in_the_box_and_of_empty_ones() -> None:
    beliefs, pose = BayBeliefs(plan(), VIEW, LOCATOR), Pose(-3.9, -2.05, math.pi / 2)
    assert beliefs.probabilities(0.0)[3].tolist() == pytest.approx([1 / 12] * 3 + [0.75])
    beliefs.look(Detections([boxed(3, pose)]), pose, 1.0)
    chances = beliefs.probabilities(1.0)
    weight = math.exp(2.2) / 12                              # of a beacon: prior times evidence
    assert chances[3, BEACON] == pytest.approx(weight / (weight + 2 / 12 + 0.75))
    assert chances[2, EMPTY] == pytest.approx(0.75 * math.e / (0.75 * math.e + 0.25))       # due, and not seen
    assert chances[9].tolist() == pytest.approx([1 / 12] * 3 + [0.75])                     # of another aisle
    again = beliefs.probabilities(1.0)[3, BEACON]
    beliefs.look(Detections([boxed(3, pose)]), pose, 1.2)    # from the same place: little news
    assert again < beliefs.probabilities(1.2)[3, BEACON] < again + 0.06
    assert beliefs.probabilities(600.0)[3].tolist() == pytest.approx([1 / 12] * 3 + [0.75], abs=1e-3)


def test_what_a_teammate_says_is_bounded_and_a_pick_ends_what_was_seen() -> None:
    beliefs, pose = BayBeliefs(plan(), VIEW, LOCATOR), Pose(-3.9, -2.05, math.pi / 2)
    lie = np.zeros(STATES)
    lie[BEACON] = 7.9
    beliefs.hear("b", 3, lie, 1.0)
    weight = math.exp(3.0) / 12
    assert beliefs.probabilities(1.0)[3, BEACON] == pytest.approx(weight / (weight + 2 / 12 + 0.75))
    beliefs.hear("b", 3, np.zeros(STATES), 0.5)              # an older note changes nothing
    assert beliefs.probabilities(1.0)[3, BEACON] == pytest.approx(weight / (weight + 2 / 12 + 0.75))
    beliefs.look(Detections([boxed(3, pose)]), pose, 2.0)
    beliefs.emptied(3, 3.0, "b")
    assert beliefs.probabilities(3.0)[3, EMPTY] > 0.85
    beliefs.look(Detections([boxed(3, pose)]), Pose(-3.9, -1.8, math.pi / 2), 4.0)
    beliefs.emptied(3, 3.0, "b")                             # told again: it does not end what was seen since
    seen = {bay: at for bay, _, at in beliefs.tell(99)}
    assert seen[3] == 4.0
    assert seen.keys() <= set(range(6))
    assert len(beliefs.tell(2)) == 2
    beliefs.refuted(3, "beacon", 5.0)
    assert beliefs.probabilities(5.0)[3, BEACON] < 0.1


NEWS = News(sequence=7, pose=Pose(1.25, -2.5, 3.1), bay=5, aisle=None, ticket=9, picked=(4, 2.5), looks=(
    Look(bay=23, evidence=np.array([2.25, -4.0, 0.0, 1.0]), age_s=0.3),))


def test_a_note_is_read_as_it_was_written() -> None:
    data = notes.encode(NEWS)
    assert len(data) == 23 + 7
    back = notes.decode(data, plan())
    assert back is not None
    assert (back.sequence, back.pose, back.bay, back.aisle, back.ticket, back.picked) == (
        7, NEWS.pose, 5, None, 9, (4, 2.5))
    assert back.looks[0].evidence.tolist() == [2.25, -4.0, 0.0, 1.0]
    assert (back.looks[0].bay, back.looks[0].age_s) == (23, 0.3)


@pytest.mark.parametrize("data", [
    b"", b"\x02" + notes.encode(NEWS)[1:], notes.encode(NEWS)[:-1], notes.encode(NEWS) + b"x",
    notes.encode(News(**{**{f: getattr(NEWS, f) for f in NEWS.__slots__}, "bay": 24})),
    notes.encode(News(**{**{f: getattr(NEWS, f) for f in NEWS.__slots__}, "aisle": 4})),
    notes.encode(News(**{**{f: getattr(NEWS, f) for f in NEWS.__slots__}, "picked": (24, 0.0)})),
    notes.encode(NEWS)[:-7] + b"\x18\x00" + notes.encode(NEWS)[-5:],     # a look at bay 24
    notes.encode(NEWS)[:-1] + b"\xff",                                   # a look of 25.5 s ago
])
def test_a_bad_note_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"bad|short|no such"):
        notes.decode(data, plan())


@settings(max_examples=50)
@given(st.binary(max_size=80))
def test_any_bytes_are_a_note_or_refused(data: bytes) -> None:
    robot = load("warehouse")("a", ["a", "b"], 1, SENSORS)
    robot.on(Verdict(Report(kind="plan", values={}), WORDS), 0)
    for note in (data, notes.encode(NEWS)[:23 + 7 * (len(data) % 2)] + data):
        assert robot.on(Heard("b", notes.TOPIC, note), 1) == []


def test_of_two_that_want_an_aisle_the_lower_ticket_goes_first() -> None:
    a, b = AisleRights("a", plan()), AisleRights("b", plan())
    a.want(1, 0)
    b.want(1, 0)
    assert (a.ticket, b.ticket) == (1, 1)
    assert not a.granted({}, SETTLES_NS - 1)                 # the team may not know of it yet
    assert a.granted({"b": mate(aisle=1, ticket=1)}, SETTLES_NS)
    assert not b.granted({"a": mate(aisle=1, ticket=1)}, SETTLES_NS)
    assert b.granted({"a": mate(aisle=2, ticket=1)}, SETTLES_NS)
    a.heard(40)
    a.want(2, 1)
    assert a.ticket == 41
    a.want(None, 2)
    assert (a.ticket, a.granted({}, 10 * SETTLES_NS)) == (0, False)


def test_a_teammate_in_the_aisle_is_waited_for_and_one_that_only_says_it_wants_it_not_for_ever() -> None:
    a = AisleRights("a", plan())
    a.want(1, 0)
    inside, liar = mate(Pose(-1.3, 0.0, 0.0)), mate(aisle=1, ticket=0)
    assert not a.granted({"z": inside}, 100 * PATIENCE_NS)
    assert not a.granted({"z": mate(Pose(-1.2, -1.6, 0.0))}, SETTLES_NS)         # it has just left
    assert a.granted({"z": mate(Pose(-1.2, -1.6, 0.0), aisle=1, ticket=2)}, SETTLES_NS)          # it wants to enter
    assert not a.granted({"z": liar}, SETTLES_NS)
    assert a.granted({"z": liar}, SETTLES_NS + PATIENCE_NS)


def started(name: str, order: str) -> tuple[object, list[object]]:
    """A robot of a warehouse that has the plan and an order, and its outputs at a first observation."""
    robot = load(name)("a", ["a", "b"], 1, SENSORS)
    seen = observation(Pose(-3.9, -3.4, math.pi / 2), THREE_ROOMS)
    assert [out.kind for out in robot.on(seen, 0) if isinstance(out, Report)] == ["plan"]
    robot.on(Verdict(Report(kind="plan", values={}), WORDS), 1)
    assert [out.kind for out in robot.on(seen, 2) if isinstance(out, Report)] == ["order"]
    robot.on(Verdict(Report(kind="order", values={}), order), 3)
    return robot, list(robot.on(seen, 4))


@pytest.mark.parametrize("name", ["warehouse", "warehouse_baseline"])
def test_a_robot_asks_for_plan_and_order_and_picks_what_it_sees(name: str) -> None:
    robot, outputs = started(name, "beacon")
    assert any(isinstance(out, Act) for out in outputs)
    beliefs = robot._beliefs                                 # type: ignore[attr-defined]
    told_of = np.zeros(STATES)
    told_of[BEACON] = 5.0
    beliefs._add(3, told_of, 1.0)

    def at(x: float, y: float, now: int) -> list[object]:
        seen: Observation = observation(Pose(x, y, math.pi / 2), [])
        return [out for out in robot.on(seen, now) if isinstance(out, Report)]   # type: ignore[attr-defined]

    assert at(-3.9, -2.0, 10**9) == []
    pick = Report(kind="pick", values={"bay": 3.0, "label": "beacon"})
    assert at(-3.9, 0.55, 2 * 10**9) == [pick]
    assert at(-3.9, 0.55, 2 * 10**9 + 1) == []               # it does not repeat itself at once
    robot.on(Verdict(pick, "picked"), 3 * 10**9)             # type: ignore[attr-defined]
    assert at(-3.9, -3.4, 4 * 10**9) == []                   # it lifts
    assert at(-3.9, -3.4, 6 * 10**9) == [Report(kind="deliver", values={})]
    robot.on(Verdict(Report(kind="deliver", values={}), "delivered"), 6 * 10**9)         # type: ignore[attr-defined]
    assert at(-3.9, -3.4, 7 * 10**9) == [Report(kind="order", values={})]


@pytest.mark.parametrize("label", [3, 65535])
def test_a_box_of_a_class_that_there_is_not_is_left_out(label: int) -> None:
    robot, _ = started("warehouse", "beacon")
    pose = Pose(-3.9, -1.0, 0.0)
    nonsense = Detections([Detection(label, 0.9, 30.0, 20.0, 60.0, 60.0)])
    robot.on(Perceived(stream="detect", outcome=nonsense, pose=pose, age_s=0.0), 10)     # type: ignore[attr-defined]


def test_of_two_that_go_to_the_same_bay_the_later_one_takes_another() -> None:
    robot, _ = started("warehouse", "beacon")
    told_of = np.zeros(STATES)
    told_of[BEACON] = 5.0
    for bay in (3, 4):
        robot._beliefs._add(bay, told_of, 0.0)               # type: ignore[attr-defined]
    here = Pose(-3.9, -3.4, math.pi / 2)

    def choose(now: int) -> int:
        return robot.choose(plan(), here, "beacon", now)     # type: ignore[attr-defined]

    assert choose(10) == 3
    mine = News(sequence=1, pose=Pose(0.0, -3.0, 0.0), bay=3, aisle=0, ticket=1, picked=None, looks=())
    robot.on(Heard("b", notes.TOPIC, notes.encode(mine)), 11)            # type: ignore[attr-defined]
    assert choose(12) == 4
    assert choose(3 * 10**9) == 3                            # the other one has fallen silent


def test_a_robot_tells_those_of_its_hall_and_looks_for_others_until_it_knows_where_all_are() -> None:
    mates = HallMates("r20", [f"r{k}" for k in range(40)])
    first = {f"r{k}" for k in range(14, 27)} - {"r20"}       # next to it in the fleet
    assert set(mates.choose()) == first
    assert not first & set(mates.choose())                   # then others, in turn
    for k in range(40):
        if k != 20:
            mates.heard(f"r{k}", here=k >= 30 or k == 5)
    while len(chosen := mates.choose()) > 11:                # those elsewhere who did not know yet get a note
        pass
    assert chosen == tuple(sorted([*(f"r{k}" for k in range(30, 40)), "r5"]))
    mates.heard("r5", here=False)                            # it has changed its mind
    assert "r5" not in mates.choose()
    many = HallMates("a", [f"r{k}" for k in range(40)])      # it is not of the team itself
    for k in range(20):
        many.heard(f"r{k}", here=True)
    assert len(many.choose()) == 24                          # a few of those that it does not know yet are among them


@pytest.mark.parametrize(("loses", "rounds"), [(0, 60), (3, 120)])
def test_in_the_end_no_note_leaves_a_hall(loses: int, rounds: int) -> None:
    """60 robots in three halls; the second time each third note is lost."""
    team = [f"r{k}" for k in range(60)]
    hall, sent = {name: k // 20 for k, name in enumerate(team)}, 0
    mates = {name: HallMates(name, team) for name in team}
    for _ in range(rounds):
        for name in team:
            for to in mates[name].choose():
                sent += 1
                if not loses or sent % loses:
                    mates[to].heard(name, here=hall[to] == hall[name])
    for name in team:
        assert set(mates[name].choose()) == {mate for mate in team if hall[mate] == hall[name] and mate != name}


def test_a_note_from_another_hall_is_of_no_account() -> None:
    robot: Any = load("warehouse")("a", ["a", "b", "c"], 1, SENSORS)
    robot.on(Verdict(Report(kind="plan", values={}), WORDS + " 2"), 0)
    for name, hall in (("b", 2), ("c", 3)):
        robot.on(Heard(name, notes.TOPIC, notes.encode(NEWS, hall)), 1)
    robot.on(Heard("c", notes.TOPIC, notes.encode(NEWS)), 2)             # as where there is one hall only
    assert (set(robot._mates), robot.notes_heard, robot.notes_ignored) == ({"b"}, 3, 1)
    seen = observation(Pose(-3.9, -3.4, math.pi / 2), THREE_ROOMS)
    told = [out for k in range(3) for out in robot.on(seen, 3 + k * SHARE_NS) if isinstance(out, Note)]
    assert [note.to for note in told] == [("b", "c"), ("b",), ("b",)]       # once to the one that may not know
    assert notes.decode(told[0].data, replace(plan(), hall=2)) is not None
    assert notes.decode(told[0].data, replace(plan(), hall=1)) is None
    with pytest.raises(ValueError, match="bad header"):
        notes.decode(told[0].data, plan())
