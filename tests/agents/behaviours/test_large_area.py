"""Searchers in an area beyond 24 m: their maps and notes reach as far as the body says."""

from __future__ import annotations

import numpy as np
import pytest

from agents.behaviours.search import frontier, gossip
from agents.behaviours.search.camera_view import CameraView
from agents.behaviours.search.gossip import BlockSelector, Find, MapNews
from agents.behaviours.search.lidar_beams import LidarBeams
from agents.behaviours.search.occupancy_map import CELLS, FREE, OccupancyMap, cell_of, cells_of, centre_of
from agents.behaviours.search_rescue import search_rescue
from sim_worlds.sensors.suite import CAMERA, LIDAR, SUITE
from swarm.core.protocol.sensors import SensorSuite
from swarm.core.protocol.world import Act, Observation, Pose

CELLS_64 = 256                       # 64 m of 0.25 m
NO_HIT = np.full(LIDAR.beams, LIDAR.range_m, np.float32)


def test_cells_of_an_area() -> None:
    assert [cells_of(area_m) for area_m in (20.0, 24.0, 24.1, 64.0)] == [80, 96, 104, 256]
    assert cells_of(SUITE.area_m) == CELLS
    assert cell_of(31.9, -31.9, CELLS_64) == (0, 255)
    assert centre_of(0, 255, CELLS_64) == (31.875, -31.875)


def test_what_a_robot_sees_far_out_is_in_its_map_and_it_plans_there() -> None:
    known = OccupancyMap(CameraView(CAMERA), LidarBeams(LIDAR), CELLS_64)
    for _ in range(4):
        known.scan(Pose(28.0, -20.0, 0.0), NO_HIT, [])
    states = known.states(0)
    assert states.shape == (CELLS_64, CELLS_64)
    assert states[cell_of(26.0, -20.0, CELLS_64)] >= FREE
    area = frontier.field(states, 28.0, -20.0)
    path = area.path(*cell_of(26.0, -20.0, CELLS_64))
    assert path[0] == centre_of(*cell_of(28.0, -20.0, CELLS_64), CELLS_64)
    assert path[-1] == pytest.approx((26.125, -19.875))


@pytest.mark.parametrize(("cells", "bytes_each"), [(CELLS, 17), (CELLS_64, 18)])
def test_a_note_about_a_map_is_understood_by_those_with_the_same_area(cells: int, bytes_each: int) -> None:
    states = np.random.default_rng(1).integers(0, 4, (cells, cells)).astype(np.uint8)
    ids, blocks = BlockSelector(cells).choose(states)
    edge = cells * 0.125
    news = MapNews(sequence=3, pose=Pose(edge, -edge, 0.5), goal=(-edge, 1.0), confirming=True, ids=ids, states=blocks)
    note = gossip.encode_map(news, cells)
    assert len(note) == 18 + bytes_each * len(ids)
    again = gossip.decode_map(note, cells)
    assert (again.pose.x_m, again.pose.y_m, again.goal) == (edge, -edge, (-edge, 1.0))
    assert (again.ids == ids).all()
    assert (again.states == blocks).all()
    with pytest.raises(ValueError, match="bad header"):
        gossip.decode_map(note, CELLS if cells == CELLS_64 else CELLS_64)
    with pytest.raises(ValueError, match="bad blocks"):
        gossip.decode_map(gossip.encode_map(MapNews(
            sequence=3, pose=news.pose, goal=None, confirming=False, ids=np.array([gossip.blocks_of(cells)]) % 65536,
            states=blocks[:1]), 1024 if cells == CELLS_64 else CELLS), cells)


def test_finds_far_out_are_taken_from_those_with_the_same_area() -> None:
    note = gossip.encode_finds([Find(kind="found", label="beacon", x_m=30.0, y_m=-30.0)], CELLS_64)
    assert gossip.decode_finds(note, CELLS_64)[0].x_m == 30.0
    with pytest.raises(ValueError, match="outside the map"):
        gossip.decode_finds(note)


def test_a_searcher_takes_the_area_of_its_body() -> None:
    one = search_rescue("a", ["a"], 1, SensorSuite(SUITE.sensors, area_m=64.0))
    out = one.on(Observation(sequence=1, age_s=0.0, pose=Pose(28.0, -20.0, 0.0), v_mps=0.0, w_radps=0.0, scan=NO_HIT,
                             frame=None, bumped=False), 0)
    assert isinstance(out[0], Act)
    assert one.goal is not None            # pyright: ignore[reportAttributeAccessIssue]
    assert max(abs(v) for v in one.goal.at) > 15.0       # pyright: ignore[reportAttributeAccessIssue]
