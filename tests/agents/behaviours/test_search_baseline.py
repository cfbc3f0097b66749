"""The baseline of search and rescue: it does the work, and tells nobody."""

from __future__ import annotations

from agents.behaviours import Heard, Note, load
from agents.behaviours.search import gossip
from agents.behaviours.search.gossip import Find
from swarm.core.protocol.world import Pose
from tests.agents.behaviours.test_loop import STARTS, TARGETS
from tests.agents.behaviours.toy import SENSORS, THREE_ROOMS, Toy, observation


def test_a_robot_explores_and_claims_by_itself() -> None:
    toy = Toy(THREE_ROOMS, {"a": STARTS["a"]}, targets=TARGETS, behaviour="search_baseline")
    toy.run(450)
    assert toy.coverage() >= 0.9
    assert len(toy.found) >= 2
    assert toy.touches == 0


def test_it_tells_nothing_and_listens_to_nobody() -> None:
    robots = [load("search_baseline")("a", team, 1, SENSORS) for team in (["a"], ["a", "b", "c"])]
    lie = gossip.encode_finds([Find(kind="confirmed", label="casualty", x_m=1.0, y_m=0.0)])
    assert robots[1].on(Heard("b", gossip.FINDS_TOPIC, lie), 0) == []
    assert robots[1].statistics().notes_ignored == 1             # type: ignore[attr-defined]
    for k in range(60):
        seen = observation(Pose(-3.0 + 0.02 * k, 1.0, 0.0), THREE_ROOMS, sequence=k)
        alone, in_team = (robot.on(seen, (k + 1) * 100_000_000) for robot in robots)
        assert alone == in_team
        assert not any(isinstance(out, Note) for out in in_team)
