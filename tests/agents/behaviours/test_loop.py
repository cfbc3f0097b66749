"""The closed loop: a team of three in a small building of three rooms."""

from __future__ import annotations

import math

import pytest

from agents.behaviours import Heard, load
from agents.behaviours.search import gossip
from agents.behaviours.search.gossip import Find
from swarm.core.protocol.world import Pose
from tests.agents.behaviours.toy import SENSORS, THREE_ROOMS, Toy

TARGETS = [("casualty", -4.2, -2.2), ("beacon", 3.9, 2.2), ("hazard", 4.2, -1.9)]
STARTS = {"a": Pose(-3.0, 1.0, 0.0), "b": Pose(-4.0, 1.0, 2.0), "c": Pose(-3.0, 2.2, 1.0)}


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_team_explores_the_map_finds_the_targets_and_touches_nothing(seed: int) -> None:
    toy = Toy(THREE_ROOMS, dict(STARTS), targets=TARGETS, seed=seed)
    toy.run(400)
    assert toy.coverage() >= 0.9
    assert len(toy.found) == 3
    assert toy.wrong <= 1
    assert toy.touches == 0
    for trail in toy.trail.values():
        late = trail[-100:]
        assert max(math.dist((p.x_m, p.y_m), (late[0].x_m, late[0].y_m)) for p in late) > 0.3


def test_a_robot_without_teammates_does_it_alone() -> None:
    toy = Toy(THREE_ROOMS, {"a": STARTS["a"]}, loss=1.0)
    toy.run(400)
    assert toy.coverage() >= 0.9
    assert toy.touches == 0


def test_the_same_seed_gives_the_same_run() -> None:
    ends = []
    for _ in range(2):
        toy = Toy(THREE_ROOMS, dict(STARTS), targets=TARGETS, seed=5)
        toy.run(30)
        ends.append(toy.poses)
    assert ends[0] == ends[1]


def test_peers_share_what_they_see() -> None:
    told, deaf = (Toy(THREE_ROOMS, dict(STARTS), loss=loss) for loss in (0.0, 1.0))
    for toy in (told, deaf):
        toy.run(100)
    known = [[int((r._map.states(t.now) > 0).sum()) for r in t.robots.values()] for t in (told, deaf)]
    assert min(known[0]) > max(known[1])


def test_a_robot_boxed_in_by_a_closed_ring_stays_safe() -> None:
    ring = [(math.cos(a) * 0.6, math.sin(a) * 0.6, math.cos(a + 0.5237) * 0.6, math.sin(a + 0.5237) * 0.6)
            for a in (k * math.pi / 6 for k in range(12))]
    toy = Toy(ring, {"a": Pose(0.0, 0.0, 0.0)})
    toy.run(120)
    assert toy.touches <= 2


def test_a_stranger_is_ignored() -> None:
    toy = Toy(THREE_ROOMS, dict(STARTS))
    robot = toy.robots["a"]
    assert robot.on(Heard("stranger", "search.map", b""), 1) == []
    assert robot.statistics().notes_ignored == 1                 # type: ignore[attr-defined]


def test_a_teammate_that_says_everything_is_found_hides_nothing() -> None:
    toy = Toy(THREE_ROOMS, {"a": STARTS["a"]}, targets=TARGETS, loss=1.0)
    robot = toy.robots["a"] = load("search_rescue")("a", ["a", "liar"], 1, SENSORS)
    lies = [Find(kind=kind, label=label, x_m=x, y_m=y) for label, x, y in TARGETS for kind in ("confirmed", "wrong")]
    for _ in range(75):
        assert robot.on(Heard("liar", gossip.FINDS_TOPIC, gossip.encode_finds(lies)), toy.now) == []
        toy.run(10)
    assert len(toy.found) == 3
