"""The places of scenarios stay as they are for the fleets for which figures are published."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest

from sim_worlds.environment import Environment
from sim_worlds.physics.solids import Solid
from sim_worlds.scenarios.convoy.road import road
from sim_worlds.scenarios.coverage import field
from sim_worlds.scenarios.formation import lanes
from sim_worlds.scenarios.warehouse.floor import furnish, plans_for


def warehouse(seed: int, robots: int) -> Environment:
    return furnish(plans_for(robots), seed)[0]


def digest(place: Environment) -> str:
    """Of all numbers to 1e-6, so that machines agree, and of all labels, in their order."""
    def row(s: Solid) -> list[float]:
        return [s.x_m, s.y_m, s.z_m, s.hx_m, s.hy_m, s.hz_m, s.yaw_rad, *s.colour]

    numbers = [number for solid in place.solids() for number in row(solid)]
    numbers += [number for pose in place.spawns for number in (pose.x_m, pose.y_m, pose.heading_rad, pose.z_m)]
    numbers += [number for charger in place.chargers for number in (charger.x_m, charger.y_m)]
    numbers += [place.size_m, *place.floor_colour, *place.ceiling_colour, *place.light]
    labels = [thing.label for thing in (*place.clutter, *place.targets)]
    whole = np.rint(np.array(numbers) * 1e6).astype("<i8").tobytes() + " ".join(labels).encode()
    return hashlib.sha256(whole).hexdigest()[:16]


@pytest.mark.parametrize(("make", "seed", "robots", "expected"), [
    (warehouse, 7, 1, "13767dbeac1a9b4e"), (warehouse, 7, 4, "9adbddd5699843c8"),
    (warehouse, 21, 4, "f471409bcdd8dd0d"),
    (warehouse, 1, 60, "261675661331ee29"),
    (field.generate, 7, 1, "1d2e44b03af8c5c2"),
    (field.generate, 7, 6, "f337216a7cad19f7"), (field.generate, 41, 6, "7f05addceae10bc3"),
    (field.generate, 1, 60, "a0f46b01d25945dc"),
    (road, 1, 4, "07d87aa225aa2814"),
    (road, 7, 5, "1f02539f2feb5513"),
    (road, 3, 40, "3e73192df52df31e"),
    (road, 1, 100, "b1520097afd50f44"),
    (lanes.generate, 1, 1, "6498fbd55056f66b"),
    (lanes.generate, 7, 6, "9662e01eff9e1597"),
    (lanes.generate, 21, 6, "e4640185133cfe24"),
    (lanes.generate, 3, 24, "3863f7b385ba0fdc"),
])
def test_a_place_is_what_it_was(
    make: Callable[[int, int], Environment], seed: int, robots: int, expected: str,
) -> None:
    assert digest(make(seed, robots)) == expected
