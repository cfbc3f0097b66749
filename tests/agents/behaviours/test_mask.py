"""Effects of the segmentation mask: doubt about tracks, and obstacles below the scan's plane."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from agents.behaviours import load
from agents.behaviours.search import frontier
from agents.behaviours.search.classes import CLUTTER, FLOOR, TARGET, TARGET_CLASSES, WALL
from agents.behaviours.search.occupancy_map import cell_of
from agents.behaviours.search.targets import Targets
from swarm.core.protocol.world import Act, Detection, Mask, Perceived, Pose
from tests.agents.behaviours.test_targets import ROOM, look
from tests.agents.behaviours.toy import LOCATOR, SENSORS, box, observation, scan


def mask(kind: int | None, found: Detection | None, height: int = 72, width: int = 96) -> Mask:
    """Floor below the horizon, wall above, and the box filled with `kind`."""
    cells = np.full((72, 96), WALL, np.uint8)
    cells[34:] = FLOOR
    if kind is not None and found is not None:
        cells[round(found.y0_px):round(found.y1_px), round(found.x0_px):round(found.x1_px)] = kind
    small = cells[::72 // height, ::96 // width]
    return Mask(height=height, width=width, cells=small.tobytes())


HERE = Pose(0.0, 0.0, 0.0)


@pytest.mark.parametrize("size", [(72, 96), (36, 48), (18, 24)])
@pytest.mark.parametrize("label", TARGET_CLASSES)
def test_share_of_target_pixels_speaks_for_and_against(label: str, size: tuple[int, int]) -> None:
    found = box(label, HERE, 2.0, 0.3)
    assert LOCATOR.target_share(mask(TARGET, found, *size), HERE, label, 2.0, 0.3) > 0.5      # type: ignore[operator]
    assert LOCATOR.target_share(mask(CLUTTER, found, *size), HERE, label, 2.0, 0.3) == 0.0
    assert LOCATOR.target_share(mask(None, None, *size), HERE, label, -2.0, 0.3) is None


def test_masks_without_target_pixels_end_a_false_track() -> None:
    verdicts = {}
    for kind in (TARGET, CLUTTER):
        targets, luck = Targets(LOCATOR), random.Random(3)
        look(targets, "hazard", 2.0, 0.1, [HERE] * 4, luck)
        for _ in range(3):
            targets.mask(mask(kind, box("hazard", HERE, 2.0, 0.1)), HERE, scan(HERE, ROOM, [(2.0, 0.1, 0.15)]))
        verdicts[kind] = [c.label for c in targets.claims(0)], len(targets.to_visit(told_of=False))
    assert verdicts[TARGET][0] == ["hazard"]
    assert verdicts[CLUTTER] == ([], 0)


def test_a_low_thing_becomes_an_obstacle_where_it_stands() -> None:
    found = box("hazard", HERE, 1.5, 0.2)
    points = LOCATOR.obstacles(mask(CLUTTER, found), HERE, scan(HERE, ROOM))
    assert points
    assert all(math.dist(p, (1.5, 0.2)) < 0.45 for p in points)


def test_obstacles_in_the_scan_are_not_marked_again() -> None:
    found = box("hazard", HERE, 1.5, 0.2)
    assert LOCATOR.obstacles(mask(CLUTTER, found), HERE, scan(HERE, ROOM, [(1.5, 0.2, 0.2)])) == []
    assert LOCATOR.obstacles(mask(None, None), HERE, scan(HERE, ROOM)) == []


def test_a_path_avoids_obstacles_that_only_the_mask_shows() -> None:
    """Two robots with the same scans; the one that got a mask plans around the thing."""
    ways = []
    for given in (False, True):
        robot = load("search_rescue")("a", ["a"], 1, SENSORS)
        wide = box("hazard", HERE, 1.4, 0.0)
        assert wide is not None
        for k in range(25):
            now = (k + 1) * 100_000_000
            out = robot.on(observation(HERE, [(-1, -1.2, 9, -1.2), (-1, 1.2, 9, 1.2), (-1, -1.2, -1, 1.2)]), now)
            assert isinstance(out[0], Act)
            if given and k % 5 == 0:
                robot.on(Perceived(stream="segment", outcome=mask(CLUTTER, wide), pose=HERE, age_s=0.0), now)
        known = robot._map.states(now)                           # type: ignore[attr-defined]
        area = frontier.field(known, 0.0, 0.0)
        ways.append((bool(area.path(*cell_of(1.4, 0.0))), bool(area.path(*cell_of(3.0, 0.0)))))
    assert ways == [(True, True), (False, True)]
