"""Robots move at once exactly as they would one after another, each compared with all others."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sim_worlds.environment import Environment
from sim_worlds.occupancy import Grid
from sim_worlds.physics import gliding, obstacles
from sim_worlds.physics.closeness import Closeness, Indices, pairs_within, ranges
from sim_worlds.physics.motion import HELD, UPDATE_EVERY, Motion
from sim_worlds.robots import ROVER
from swarm.core.protocol.world import Pose
from swarm.core.settings.process_files import RobotSpec
from tests.sim_worlds.rooms import room


class All(Closeness):
    """Every robot looks at all others, so that they move one after another."""

    def within(self, xy: NDArray[np.float64], margins_m: NDArray[np.float64]) -> tuple[Indices, Indices]:
        first, second = np.triu_indices(len(xy), 1)
        return first, second


class OneByOne:
    """The same motion, written plainly: a robot at a time, each by the rules alone."""

    def __init__(self, environment: Environment, radii_m: list[float], spawns: list[Pose]) -> None:
        self.grid = Grid(size_m=environment.size_m, resolution_m=obstacles.RESOLUTION_M)
        self.blocked = {r: self.grid.rasterise(environment.solids(), r - obstacles.SLACK_M) for r in set(radii_m)}
        self.radii_m, self.at = radii_m, [[p.x_m, p.y_m, p.heading_rad] for p in spawns]
        self.wheels, self.commands = [[0.0, 0.0] for _ in spawns], [[0.0, 0.0] for _ in spawns]
        self.bumped = [False] * len(spawns)

    def step(self, dt_s: float) -> None:
        for i, (wheel, command) in enumerate(zip(self.wheels, self.commands, strict=True)):
            for k, ramp in enumerate((ROVER.v_ramp_mps2, ROVER.w_ramp_radps2)):
                wheel[k] += min(max(command[k] - wheel[k], -ramp * dt_s), ramp * dt_s)
            (x, y, heading), (v, w) = self.at[i], wheel
            middle = heading + w * dt_s / 2
            dx, dy = v * dt_s * math.cos(middle), v * dt_s * math.sin(middle)
            ways = [way for way in ((dx, dy), (dx, 0.0), (0.0, dy)) if not self.hits(i, x + way[0], y + way[1])]
            ahead_m = 0.0
            if ways and v:
                self.at[i][:2] = x + ways[0][0], y + ways[0][1]
                ahead_m = ways[0][0] * math.cos(middle) + ways[0][1] * math.sin(middle)
            for j in self.hits(i, x + dx, y + dy) if v else []:
                self.bumped[i] = True
                if j >= 0:
                    self.bumped[j] = True
            self.at[i][2] = math.remainder(heading + w * dt_s, 2 * math.pi)
            if abs(ahead_m) < HELD * abs(v * dt_s):
                wheel[0] = 0.0

    def hits(self, i: int, x: float, y: float) -> list[int]:
        found = [-1] if self.blocked[self.radii_m[i]][self.grid.index(y), self.grid.index(x)] else []
        for j, (other_x, other_y, _) in enumerate(self.at):
            before_m = math.hypot(self.at[i][0] - other_x, self.at[i][1] - other_y)
            after_m = math.hypot(x - other_x, y - other_y)
            if i != j and after_m < min(before_m, self.radii_m[i] + self.radii_m[j]):
                found.append(j)
        return found


def test_a_crowd_moves_by_the_rules() -> None:
    draw = np.random.default_rng(7)
    spawns = [Pose(-3.3 + 0.75 * (k % 5), -3.3 + 0.75 * (k // 5), float(draw.uniform(-math.pi, math.pi)))
              for k in range(20)]
    fleet = [RobotSpec(name=f"r{k}", kind="rover" if k % 3 else "carrier", physics="kinematic") for k in range(20)]
    motion = Motion(room(spawns), fleet, render=False)
    plain = OneByOne(room(spawns), motion.radii_m.tolist(), spawns)
    for _ in range(20):
        commands = draw.uniform((-0.46, -1.0), (0.46, 1.0), (20, 2))
        motion.drive_all(commands, np.arange(20))
        plain.commands = commands.tolist()
        for _ in range(20):
            motion.step()
            plain.step(motion.dt_s)
        np.testing.assert_allclose(motion.at, plain.at, rtol=0.0, atol=1e-9)
        assert motion.contacts.bumped.tolist() == plain.bumped
    assert sum(plain.bumped) > 10


@pytest.mark.parametrize("seed", range(2))
def test_a_crowd_moves_as_if_one_after_another(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(seed)
    places = [(-3.3 + 0.75 * (k % 8), -3.3 + 0.75 * (k // 8)) for k in range(40)]
    spawns = [Pose(x, y, float(draw.uniform(-math.pi, math.pi))) for x, y in places]
    fleet = [RobotSpec(name=f"r{k}", kind="rover" if k % 3 else "carrier", physics="kinematic") for k in range(40)]
    fast = Motion(room(spawns), fleet, render=False)
    monkeypatch.setattr(gliding, "Closeness", All)
    plain = Motion(room(spawns), fleet, render=False)
    for _ in range(15):
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
    for _ in range(150):
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
