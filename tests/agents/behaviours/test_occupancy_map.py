"""The map: scans, looks, marks, and teammates' maps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.behaviours.search import gossip
from agents.behaviours.search.occupancy_map import (
    CELLS,
    FREE,
    LOOKED,
    OCCUPIED,
    UNKNOWN,
    OccupancyMap,
    blocks,
    cell_of,
    line_free,
)
from swarm.core.protocol.world import Pose
from tests.agents.behaviours.toy import BEAMS, THREE_ROOMS, VIEW, Segment, scan

ROOM: list[Segment] = [(-3, -2, 3, -2), (3, -2, 3, 2), (3, 2, -3, 2), (-3, 2, -3, -2)]


def mapped(pose: Pose, walls: list[Segment], times: int = 6) -> OccupancyMap:
    known = OccupancyMap(VIEW, BEAMS)
    for _ in range(times):
        known.scan(pose, scan(pose, walls), [])
    return known


def test_a_scan_clears_the_room_marks_its_walls_and_leaves_the_rest_unknown() -> None:
    states = mapped(Pose(0.1, 0.1, 0.3), ROOM).states(0)
    inside = [states[cell_of(x, y)] for x in np.arange(-2.6, 2.7, 0.25) for y in np.arange(-1.6, 1.7, 0.25)]
    assert np.isin(inside, (FREE, LOOKED)).mean() > 0.97
    walls = [states[cell_of(x, 2.03)] for x in np.arange(-2.0, 2.0, 0.25)]
    assert np.mean(np.array(walls) == OCCUPIED) > 0.9
    assert states[cell_of(0.0, 4.0)] == UNKNOWN


def test_only_what_the_camera_faced_counts_as_looked_at() -> None:
    states = mapped(Pose(0.0, 0.0, 0.0), ROOM).states(0)
    assert states[cell_of(2.0, 0.0)] == LOOKED
    assert states[cell_of(-2.0, 0.0)] == FREE


def test_a_thing_that_has_gone_is_cleared() -> None:
    pose = Pose(0.0, 0.0, 0.0)
    known = OccupancyMap(VIEW, BEAMS)
    for _ in range(5):
        known.scan(pose, scan(pose, ROOM, [(1.5, 0.0, 0.25)]), [])
    assert known.states(0)[cell_of(1.3, 0.0)] == OCCUPIED
    for _ in range(20):
        known.scan(pose, scan(pose, ROOM), [])
    assert known.states(0)[cell_of(1.3, 0.0)] != OCCUPIED


def test_a_teammate_is_not_a_part_of_the_building() -> None:
    pose = Pose(0.0, 0.0, 0.0)
    known = OccupancyMap(VIEW, BEAMS)
    known.scan(pose, scan(pose, ROOM, [(1.5, 0.0, 0.25)]), [(1.5, 0.1)])
    assert known.states(0)[cell_of(1.3, 0.0)] != OCCUPIED


def test_marks_expire() -> None:
    known = mapped(Pose(0.0, 0.0, 0.0), ROOM)
    known.mark([(1.0, 0.0), (99.0, 0.0)], until=100)
    assert known.states(99)[cell_of(1.0, 0.0)] == OCCUPIED
    assert known.states(100)[cell_of(1.0, 0.0)] != OCCUPIED


def test_scans_at_the_rim_and_beyond_do_no_harm() -> None:
    known = OccupancyMap(VIEW, BEAMS)
    for pose in (Pose(11.9, -11.9, 2.0), Pose(40.0, 0.0, 0.0)):
        known.scan(pose, scan(pose, []), [])
    assert known.states(0).shape == (CELLS, CELLS)


def test_maps_travel_in_small_notes_and_come_out_the_same() -> None:
    here, there = mapped(Pose(-3.0, 1.0, 0.2), THREE_ROOMS), OccupancyMap(VIEW, BEAMS)
    teller = gossip.BlockSelector()
    for k in range(4):
        ids, states = teller.choose(here.own_states())
        data = gossip.encode_map(gossip.MapNews(sequence=k, pose=Pose(1.0, -2.0, 3.0), goal=None, confirming=False,
                                                ids=ids, states=states))
        assert len(data) <= 1000
        there_news = gossip.decode_map(data)
        there.merge(there_news.ids, there_news.states)
    assert (there.states(0) == here.states(0)).all()
    assert there_news.pose == Pose(1.0, -2.0, 3.0)
    assert (there.own_states() == UNKNOWN).all()                 # hearsay is not told on


def test_own_evidence_beats_a_teammates_word() -> None:
    known = mapped(Pose(0.0, 0.0, 0.0), ROOM)
    lie = blocks(np.full((CELLS, CELLS), OCCUPIED, np.uint8))
    known.merge(np.arange(144), lie)
    assert known.states(0)[cell_of(1.0, 0.0)] == LOOKED
    assert known.states(0)[cell_of(8.0, 8.0)] == OCCUPIED


def test_what_was_lost_is_told_again() -> None:
    here, there = mapped(Pose(-3.0, 1.0, 0.2), THREE_ROOMS), OccupancyMap(VIEW, BEAMS)
    teller = gossip.BlockSelector()
    teller.choose(here.own_states())                             # this note gets lost
    for _ in range(20):
        there.merge(*teller.choose(here.own_states()))
    assert (there.states(0) == here.states(0)).all()


@pytest.mark.parametrize(("x1", "free"), [(-2.0, True), (2.0, False)])
def test_a_wall_blocks_the_line(x1: float, free: bool) -> None:
    states = mapped(Pose(-3.0, -1.9, math.pi), THREE_ROOMS).states(0)
    assert line_free(states == OCCUPIED, -3.0, -2.2, x1, -2.2) == free
