"""Robots move at once exactly as they would one after another, each compared with all others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sim_worlds.physics import gliding
from sim_worlds.physics.closeness import Closeness, Indices, pairs_within, ranges
from sim_worlds.physics.motion import UPDATE_EVERY, Motion
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec
from tests.sim_worlds.rooms import room


class All(Closeness):
    """Every robot looks at all others, so that they move one after another."""

    def within(self, xy: NDArray[np.float64], margins_m: NDArray[np.float64]) -> tuple[Indices, Indices]:
        first, second = np.triu_indices(len(xy), 1)
        return first, second


@pytest.mark.parametrize("seed", range(3))
def test_a_crowd_moves_as_if_one_after_another(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(seed)
    places = [(-3.3 + 0.75 * (k % 8), -3.3 + 0.75 * (k // 8)) for k in range(40)]
    spawns = [Pose(x, y, float(draw.uniform(-math.pi, math.pi))) for x, y in places]
    fleet = [RobotSpec(name=f"r{k}", kind="rover" if k % 3 else "carrier", physics="kinematic") for k in range(40)]
    fast = Motion(room(spawns), fleet, render=False)
    monkeypatch.setattr(gliding, "Closeness", All)
    plain = Motion(room(spawns), fleet, render=False)
    for _ in range(60):
        robots = draw.integers(0, 40, 12)
        commands = draw.uniform(-1.0, 1.0, (12, 2)) * (draw.random((12, 1)) > 0.2)
        for motion in fast, plain:
            motion.drive_all(commands, robots)
            for _ in range(5 * UPDATE_EVERY):
                motion.step()
        np.testing.assert_array_equal(fast.at, plain.at)
        np.testing.assert_array_equal(fast.speeds, plain.speeds)
        np.testing.assert_array_equal(fast.contacts.bumped, plain.contacts.bumped)
    assert fast.contacts.episodes == plain.contacts.episodes > 10


def test_nobody_enters_a_wall_or_another_robot() -> None:
    draw = np.random.default_rng(5)
    spawns = [Pose(-3.0 + k % 5 * 1.5, -3.0 + k // 5 * 1.5, 0.0) for k in range(25)]
    fleet = [RobotSpec(name=f"r{k}", kind="rover", physics="kinematic") for k in range(25)]
    motion = Motion(room(spawns), fleet, render=False)
    for _ in range(300):
        motion.drive_all(draw.uniform((0.2, -1.0), (0.8, 1.0), (25, 2)), np.arange(25))
        for _ in range(10):
            motion.step()
        assert np.abs(motion.at[:, :2]).max() < 4.0 - 0.23 + 0.06
        first, second = np.triu_indices(25, 1)
        apart = np.hypot(*(motion.at[first, :2] - motion.at[second, :2]).T)
        assert apart.min() > 2 * 0.23 - 1e-9


@pytest.mark.parametrize("count", [0, 1, 2, 50, 200])
def test_pairs_are_those_of_a_comparison_of_all(count: int) -> None:
    xy = np.random.default_rng(count).uniform(-4.0, 4.0, (count, 2)).round(1)        # with equal coordinates
    first, second = pairs_within(xy, 1.5)
    found = [tuple(sorted(pair)) for pair in zip(first.tolist(), second.tolist(), strict=True)]
    apart = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    assert sorted(found) == [(i, j) for i in range(count) for j in range(i + 1, count) if apart[i, j] <= 1.5]


def test_who_drives_up_to_another_is_near_in_time() -> None:
    xy, margins_m = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 9.0]]), np.array([0.05, 0.05, 0.0])
    close = Closeness(np.array([0.23, 0.28, 0.23]))
    while xy[1, 0] > 0.23 + 0.28 + 0.1:
        assert not close.within(xy, margins_m)[0].size
        xy[1, 0] -= 0.013
    assert [sorted(map(int, pair)) for pair in zip(*close.within(xy, margins_m), strict=True)] == [[0, 1]]


def test_ranges_are_counted_through() -> None:
    of, number = ranges(np.array([3, 7, 0]), np.array([5, 7, 1]))
    assert (of.tolist(), number.tolist()) == ([0, 0, 2], [3, 4, 0])
