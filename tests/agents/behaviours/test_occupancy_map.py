"""The map: scans, looks, marks, and teammates' maps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.behaviours.search import gossip
from agents.behaviours.search.occupancy_map import (
    CELL_M,
    CELLS,
    FREE,
    LOOK_RANGE_M,
    LOOKED,
    LOOKS,
    OCCUPIED,
    UNKNOWN,
    OccupancyMap,
    blocks,
    cell_of,
    centre_of,
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


def taken_in(known: OccupancyMap, pose: Pose, ranges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Evidence and looks after a scan, cell by cell, without hits."""
    evidence, looks = known._evidence.copy(), known._looks.copy()
    for iy in range(CELLS):
        for ix in range(CELLS):
            x, y = centre_of(iy, ix)
            dx, dy = x - pose.x_m, y - pose.y_m
            away, turn = math.sqrt(dx * dx + dy * dy), math.remainder(math.atan2(dy, dx) - pose.heading_rad, math.tau)
            low = math.floor(BEAMS.position(turn))
            share = BEAMS.position(turn) - low
            left, right = ranges[low % BEAMS.count], ranges[(low + 1) % BEAMS.count]
            nearest = left if share < 0.5 else right
            aside = min(share, 1 - share) * away * BEAMS.step_rad
            if evidence[iy, ix] > 0:
                evidence[iy, ix] -= aside < 0.08 and away < nearest - 0.3
            elif (aside < 0.12 and away < nearest - 0.15) or away < min(left, right) - 0.15:
                evidence[iy, ix] = max(evidence[iy, ix] - 1, -4)
            if abs(turn) < VIEW.half_fov_rad - 0.05 and away < min(LOOK_RANGE_M, max(left, right) + CELL_M):
                looks[iy, ix] = min(looks[iy, ix] + 1, LOOKS)
            if away < 0.5:
                looks[iy, ix] = LOOKS
    return evidence, looks


def test_a_scan_is_taken_in_as_if_cell_by_cell() -> None:
    draw = np.random.default_rng(2)
    known = OccupancyMap(VIEW, BEAMS)
    for _ in range(4):
        x, y, heading = draw.uniform((-11.0, -11.0, -7.0), (11.0, 11.0, 7.0)).tolist()     # also at the rim of the map
        ranges = draw.uniform(0.2, 6.0, BEAMS.count).astype(np.float32)
        evidence, looks = taken_in(known, Pose(x, y, heading), ranges)
        hits, between = (np.unravel_index(cells, (CELLS, CELLS))
                         for cells in known._hits(Pose(x, y, heading), ranges, []))
        before = known._evidence.copy()
        known.scan(Pose(x, y, heading), ranges, [])
        touched = np.zeros((CELLS, CELLS), bool)
        touched[hits] = touched[between] = True
        np.testing.assert_array_equal(known._evidence[~touched], evidence[~touched])
        np.testing.assert_array_equal(known._looks, looks)
        gained = np.minimum(before[hits] + 3, 9)
        assert ((known._evidence[hits] == gained) | (gained == 0)).all()     # 0: also between two ends
        known._evidence[:] = draw.integers(-4, 10, (CELLS, CELLS))


def test_a_hit_at_a_teammate_is_no_wall_wherever_the_others_are() -> None:
    far = [(9.0 * math.cos(k), 9.0 * math.sin(k)) for k in range(20)]
    known, alone = OccupancyMap(VIEW, BEAMS), OccupancyMap(VIEW, BEAMS)
    pose, ranges = Pose(0.1, 0.1, 0.0), np.full(BEAMS.count, 2.0, np.float32)
    known.scan(pose, ranges, [*far, (2.0, 0.1)])
    alone.scan(pose, ranges, far)
    differs = np.argwhere(known._evidence != alone._evidence)
    assert len(differs)
    assert all(math.dist(centre_of(iy, ix), (2.1, 0.1)) < 0.8 for iy, ix in differs.tolist())
    assert (alone._evidence > 0)[cell_of(2.13, 0.1)]


def test_many_blocks_are_merged_as_one_after_another() -> None:
    draw = np.random.default_rng(5)
    at_once, in_turn = OccupancyMap(VIEW, BEAMS), OccupancyMap(VIEW, BEAMS)
    for _ in range(6):
        ids = np.sort(draw.choice(144, 48, replace=False))
        states = draw.integers(0, 4, (48, 8, 8)).astype(np.uint8)
        at_once.merge(ids, states)
        for k in range(48):
            in_turn.merge(ids[k:k + 1], states[k:k + 1])
    np.testing.assert_array_equal(at_once._peers, in_turn._peers)
    theirs = blocks(at_once._peers)[ids]
    assert (theirs == states)[(states != UNKNOWN) & (states != FREE)].all()
    assert (theirs[states == FREE] != OCCUPIED).all()
