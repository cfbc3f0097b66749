"""A hall has room for its fleet, whatever its size."""

from __future__ import annotations

import math

import pytest

from sim_worlds.hall import hall


@pytest.mark.parametrize("robots", [1, 2, 50])
def test_a_hall_grows_with_its_fleet_and_everybody_can_stand(robots: int) -> None:
    place = hall(robots, 4)
    assert len(place.spawns) == robots
    for spawn in place.spawns:
        place.check_spawn(spawn.x_m, spawn.y_m)
    assert place.size_m == pytest.approx(3.0 * math.ceil(math.sqrt(1.15 * robots)), abs=4.0)
    assert hall(robots, 4) == place
    assert hall(robots, 5) != place
