"""The picture of a scene shows all of it, its title and its axes."""

from __future__ import annotations

import numpy as np
import pytest

from sim_worlds import scenarios
from swarm.telemetry.report.map import scene_pixels

DARK = 150


@pytest.mark.parametrize("name", ["convoy", "coverage", "warehouse"])      # square; with two rows of legend
def test_nothing_is_cut_off_at_the_edge(name: str) -> None:
    with scenarios.build(name, scenarios.fleet_for(name, 2), 7, render=False) as world:
        ink = scene_pixels(world.scene()).min(axis=2) < DARK
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    assert rows[0] >= 3
    assert columns[0] >= 3
    assert rows[-1] < len(ink) - 3
    assert columns[-1] < len(ink[0]) - 3
    assert ink[:30].any()                                    # the title is at the top
