"""Notes: bad ones are ignored."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.behaviours import Heard, load
from agents.behaviours.search import gossip
from agents.behaviours.search.gossip import Find, MapNews
from agents.behaviours.search_rescue import SearchRescue
from swarm.core.protocol.world import Act, Pose
from tests.agents.behaviours.toy import SENSORS, THREE_ROOMS, observation


def news(**change: object) -> MapNews:
    fields: dict[str, object] = {"sequence": 3, "pose": Pose(1.0, 2.0, -0.5), "goal": (3.0, -4.0), "confirming": True,
                                 "ids": np.array([3, 77]), "states": np.full((2, 8, 8), 2, np.uint8)}
    return MapNews(**{**fields, **change})                       # type: ignore[arg-type]


ROBOT = SearchRescue("a", ["a", "b", "c"], 1, SENSORS)
GOOD = [gossip.encode_map(news()), gossip.encode_finds([Find(kind="found", label="beacon", x_m=1.0, y_m=2.0)])]


def test_notes_come_out_as_they_went_in() -> None:
    back = gossip.decode_map(GOOD[0])
    assert (back.sequence, back.pose, back.goal, back.confirming) == (3, Pose(1.0, 2.0, -0.5), (3.0, -4.0), True)
    assert back.ids.tolist() == [3, 77]
    assert (back.states == 2).all()
    finds = [Find(kind=k, label="hazard", x_m=-3.25, y_m=11.5) for k in gossip.FIND_KINDS]
    assert gossip.decode_finds(gossip.encode_finds(finds)) == finds


def test_golden_bytes() -> None:
    assert GOOD[1].hex() == "010101016400c800"
    assert GOOD[0][:20].hex() == "01030000006400c8000cfe2c0170fe010200034d"


@pytest.mark.parametrize("k", [0, 1])
def test_every_cut_and_every_longer_note_is_refused(k: int) -> None:
    decode = (gossip.decode_map, gossip.decode_finds)[k]
    for data in [GOOD[k][:n] for n in range(len(GOOD[k]))] + [GOOD[k] + b"\0"]:
        with pytest.raises(ValueError, match=r"."):
            decode(data)


@settings(max_examples=100)
@given(topic=st.sampled_from([gossip.MAP_TOPIC, gossip.FINDS_TOPIC, "", "other"]),
       data=st.one_of(st.binary(max_size=1200),
                      st.builds(lambda d, i, b: d[:i] + bytes([b]) + d[i + 1:], st.sampled_from(GOOD),
                                st.integers(0, 51), st.integers(0, 255))),
       sender=st.sampled_from(["a", "b", "c", "x", ""]))
def test_no_note_can_crash_it(topic: str, data: bytes, sender: str) -> None:
    before = ROBOT.statistics().notes_heard
    assert ROBOT.on(Heard(sender, topic, data), before) == []
    assert ROBOT.statistics().notes_heard == before + 1
    out = ROBOT.on(observation(Pose(-3.0, 1.0, 0.0), THREE_ROOMS), before + 1)
    assert sum(isinstance(o, Act) for o in out) == 1


def test_bad_notes_are_counted() -> None:
    robot = SearchRescue("a", ["a", "b"], 1, SENSORS)
    for sender, topic, data in (("b", gossip.MAP_TOPIC, b"junk"), ("x", gossip.MAP_TOPIC, GOOD[0]), ("b", "?", GOOD[0]),
                                ("a", gossip.FINDS_TOPIC, GOOD[1])):
        robot.on(Heard(sender, topic, data), 1)
    robot.on(Heard("b", gossip.MAP_TOPIC, GOOD[0]), 2)
    assert robot.statistics().notes_ignored == 4
    assert robot.statistics().notes_heard == 5


def test_an_old_pose_does_not_replace_a_newer_one_but_a_restart_does() -> None:
    robot = load("search_rescue")("a", ["a", "b"], 1, SENSORS)
    heard = []
    for sequence in (40, 38, 41, 2):
        data = gossip.encode_map(news(sequence=sequence, pose=Pose(sequence / 10, 0.0, 0.0)))
        robot.on(Heard("b", gossip.MAP_TOPIC, data), 1)
        heard.append(robot._mates["b"].sequence)                 # type: ignore[attr-defined]
    assert heard == [40, 40, 41, 2]


def test_too_many_finds_do_not_fit() -> None:
    with pytest.raises(ValueError, match="at most"):
        gossip.encode_finds([Find(kind="wrong", label="beacon", x_m=0.0, y_m=0.0)] * 41)
