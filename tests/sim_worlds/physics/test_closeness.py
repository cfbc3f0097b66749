"""Robots move at once exactly as they would one after another, each compared with all others."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim_worlds.physics.closeness import Closeness, pairs_within
from sim_worlds.physics.motion import UPDATE_EVERY, Motion
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec
from tests.sim_worlds.rooms import room


class OneByOne(Motion):
    """Every robot looks at all others."""

    def _glide(self, dt_s: float) -> None:
        count = len(self.poses)
        self._close.others = [[j for j in range(count) if j != i] for i in range(count)]
        for i in range(count):
            if self._commands[i].any():
                self._squeeze(i, dt_s)
            else:
                self.velocities[i] = (0.0, 0.0)


@pytest.mark.parametrize("seed", range(3))
def test_a_crowd_moves_as_if_one_after_another(seed: int) -> None:
    draw = np.random.default_rng(seed)
    places = [(-3.3 + 0.75 * (k % 8), -3.3 + 0.75 * (k // 8)) for k in range(40)]
    spawns = [Pose(x, y, float(draw.uniform(-math.pi, math.pi))) for x, y in places]
    fleet = [RobotSpec(name=f"r{k}", kind="rover" if k % 3 else "carrier", physics="kinematic") for k in range(40)]
    fast, plain = (kind(room(spawns), fleet, render=False) for kind in (Motion, OneByOne))
    for _ in range(60):
        for i in draw.integers(0, 40, 12).tolist():
            command = (0.0, 0.0) if draw.random() < 0.2 else draw.uniform(-1.0, 1.0, 2).tolist()
            fast.drive(i, *command)
            plain.drive(i, *command)
        for _ in range(5 * UPDATE_EVERY):
            fast.step()
            plain.step()
        assert (fast.poses, fast.velocities, fast.bumped) == (plain.poses, plain.velocities, plain.bumped)
    assert fast.episodes == plain.episodes > 10
    assert fast.at.tolist() == [[p.x_m, p.y_m, p.heading_rad] for p in fast.poses]


@pytest.mark.parametrize("count", [0, 1, 2, 50, 200])
def test_pairs_are_those_of_a_comparison_of_all(count: int) -> None:
    xy = np.random.default_rng(count).uniform(-4.0, 4.0, (count, 2)).round(1)        # with equal coordinates
    first, second = pairs_within(xy, 1.5)
    found = [tuple(sorted(pair)) for pair in zip(first.tolist(), second.tolist(), strict=True)]
    apart = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    assert sorted(found) == [(i, j) for i in range(count) for j in range(i + 1, count) if apart[i, j] <= 1.5]


def test_who_drives_up_to_another_is_near_in_time() -> None:
    xy = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 9.0]])
    close = Closeness(np.array([0.23, 0.28, 0.23]))
    assert not close.near(xy).any()
    while xy[1, 0] > 0.0 + 0.23 + 0.28 + 0.1:
        assert not close.near(xy).any()
        xy[1, 0] -= 0.013
    assert close.near(xy).tolist() == [True, True, False]
    assert close.others == [[1], [0], []]
