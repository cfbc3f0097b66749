from __future__ import annotations

import dataclasses

import numpy as np

from agents.behaviours.search.goals import LEFT_NS, STROLL_NS, Goals
from agents.behaviours.search.gossip import FINDS_PER_NOTE, Find
from agents.behaviours.search.occupancy_map import CELLS, LOOKED, OCCUPIED
from agents.behaviours.search.targets import Targets
from agents.behaviours.search.team import IN_TURN, NEAREST, Audience, Finds, Mate
from agents.behaviours.search.track import Track
from swarm.core.protocol.world import Pose
from tests.agents.behaviours.toy import LOCATOR

HERE = Pose(0.0, 0.0, 0.0)


def mate(x_m: float) -> Mate:
    return Mate(sequence=1, heard_at=0, pose=Pose(x_m, 0.0, 0.0), goal=None, confirming=False)


def test_a_small_team_gets_every_note() -> None:
    team = [f"r{k}" for k in range(NEAREST + IN_TURN)]
    assert Audience(team).choose(HERE, {name: mate(1.0) for name in team}) == ()


def test_of_a_large_team_the_nearest_get_every_note_and_all_get_some() -> None:
    team = [f"r{k:02}" for k in range(40)]
    mates = {name: mate(abs(k - 20.3)) for k, name in enumerate(team)}
    audience, heard = Audience(team), set[str]()
    for _ in range(10):
        chosen = audience.choose(HERE, mates)
        assert len(set(chosen)) == NEAREST + IN_TURN
        assert {f"r{k}" for k in range(17, 25)} <= set(chosen)
        heard |= set(chosen)
    assert heard == set(team)


def test_who_has_heard_nobody_tells_all_in_turn() -> None:
    team = [f"r{k:02}" for k in range(30)]
    audience = Audience(team)
    assert {name for _ in range(3) for name in audience.choose(HERE, {})} == set(team)


def find(kind: str, x_m: float, label: str = "beacon") -> Find:
    return Find(kind=kind, label=label, x_m=x_m, y_m=0.0)


def test_a_find_is_believed_by_the_worlds_verdict_or_two_teammates() -> None:
    by_world, by_two = Finds(), Finds()
    assert by_world.add(find("found", 1.0))
    assert not by_two.add(find("confirmed", 1.0), "a")
    assert not by_two.add(find("found", 1.0), "a")           # one voice, however often
    assert not by_two.add(find("found", 1.0, "hazard"), "b")             # it says something else
    assert by_two.found() == []
    assert by_two.add(find("found", 1.9), "b")
    for finds in (by_world, by_two):
        assert [each.x_m for each in finds.found()] == [1.0]
    assert (len(by_world.judged()), by_two.judged()) == (1, [])          # own verdicts alone are passed on
    assert by_world.add(find("wrong", 5.0))
    assert by_world.is_wrong("beacon", (5.5, 0.0))
    assert not by_world.is_wrong("hazard", (5.5, 0.0))
    assert not by_world.is_wrong("beacon", (5.7, 0.0))


def test_a_teammate_takes_back_its_own_claim_alone() -> None:
    finds = Finds()
    for name in ("a", "b", "c"):
        finds.add(find("confirmed", 1.0), name)
    finds.add(find("wrong", 1.0), "a")
    assert len(finds.found()) == 1
    finds.add(find("wrong", 1.0), "b")
    assert finds.found() == []
    assert finds.is_wrong("beacon", (1.0, 0.0))
    assert finds.told_by_one() == [find("confirmed", 1.0)]   # c still says so


def test_what_one_teammate_may_tell_of_is_bounded_and_keeps_nobody_else_out() -> None:
    finds = Finds()
    for k in range(500):
        finds.add(find("found", 2.0 * k), "mallory")
    assert len(finds._told) == FINDS_PER_NOTE
    assert finds.add(find("found", -5.0))
    assert finds.add(find("found", 0.0), "b")


def test_a_track_is_left_to_a_nearer_teammate_for_a_while_and_not_for_ever() -> None:
    """It says that it confirms it, and may have been taken over."""
    states = np.full((CELLS, CELLS), OCCUPIED, np.uint8)
    states[1:-1, 1:-1] = LOOKED
    targets = Targets(LOCATOR)
    track = Track(number=1, xy=np.array([2.0, 0.0]), cov=np.eye(2), hits=2)
    targets.tracks = [track]
    goals, nearer = Goals("a", 1), mate(1.0)
    nearer = dataclasses.replace(nearer, goal=(2.0, 0.0), confirming=True)

    def kind(now: int) -> str:
        return goals.pick(HERE, states, targets, {"mallory": nearer}, None, now).kind

    assert kind(0) != "confirm"
    assert kind(LEFT_NS - 1) != "confirm"                    # and strolls, since it has not moved
    assert kind(LEFT_NS + STROLL_NS) == "confirm"
