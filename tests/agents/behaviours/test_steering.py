"""Steering: safe on any path, and never stuck for ever."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.behaviours.search.driving.limits import ROVERS
from agents.behaviours.search.driving.steering import Steering
from swarm.core.protocol.world import Act, Pose
from tests.agents.behaviours.toy import BEAMS, Segment, gap_m, observation, ramped

WALL: list[Segment] = [(1.5, -5, 1.5, 5), (1.5, -5, -5, -5), (-5, -5, -5, 5), (-5, 5, 1.5, 5)]
TICK = 100_000_000


def drive(path: list[tuple[float, float]], ticks: int, walls: list[Segment] = WALL, *, glued: bool = False,
          face: tuple[float, float] | None = None, v_mps: float = 0.0, tick: int = TICK,
          ) -> tuple[list[Pose], list[Act], int]:
    """Poses, acts and recoveries of a robot that starts at a speed; a glued one does not move."""
    steering, pose, speeds = Steering("a", 3, BEAMS), Pose(0.0, 0.0, 0.0), (v_mps, 0.0)
    poses, acts, recoveries = [pose], [], 0
    for k in range(ticks):
        seen = observation(pose, walls, v_mps=speeds[0], w_radps=speeds[1])
        act, recovery = steering.act(seen, seen.scan, path, face, k * tick)
        recoveries += recovery is not None
        acts.append(act)
        for _ in range(0 if glued else 10):
            speeds = ramped(speeds, act, tick / 1e10)
            heading = pose.heading_rad + speeds[1] * tick / 1e10
            step_m = speeds[0] * tick / 1e10
            pose = Pose(pose.x_m + step_m * math.cos(heading), pose.y_m + step_m * math.sin(heading), heading)
        poses.append(pose)
    return poses, acts, recoveries


def test_it_follows_a_path_to_its_end() -> None:
    corner = [(0.0, 0.25 * k) for k in range(9)] + [(-0.25 * k, 2.0) for k in range(1, 9)]
    poses, _, recoveries = drive(corner, 120)
    assert math.dist((poses[-1].x_m, poses[-1].y_m), (-2.0, 2.0)) < 0.35
    assert recoveries == 0
    assert all(min(math.dist((p.x_m, p.y_m), c) for c in corner) < 0.5 for p in poses)


def test_a_path_through_a_wall_is_not_driven() -> None:
    poses, _, recoveries = drive([(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (3.0, 0.0)], 150)
    assert min(gap_m(p.x_m, p.y_m, WALL) for p in poses) > ROVERS.radius_m
    assert recoveries >= 1


def test_no_progress_is_answered_by_backing_off_and_turning() -> None:
    _, acts, recoveries = drive([(-3.0, 0.0)], 80, glued=True)
    assert recoveries >= 1
    assert any(a.v_mps < 0 for a in acts)
    assert {a.w_radps for a in acts if a.v_mps == 0} & {1.5, -1.5}


def test_a_touch_is_answered_at_once() -> None:
    steering = Steering("a", 3, BEAMS)
    seen = observation(Pose(0.0, 0.0, 0.0), WALL, bumped=True)
    act, recovery = steering.act(seen, seen.scan, [(1.0, 0.0)], None, TICK)
    assert recovery is not None
    assert recovery.bumped
    assert act.v_mps < 0


def test_backing_off_looks_behind() -> None:
    behind: list[Segment] = [(-0.33, -2, -0.33, 2)]
    steering = Steering("a", 3, BEAMS)
    seen = observation(Pose(0.0, 0.0, 0.0), behind, bumped=True)
    act, _ = steering.act(seen, seen.scan, [(1.0, 0.0)], None, TICK)
    assert act.v_mps == 0
    assert act.w_radps != 0


def test_robots_choose_their_way_out_by_name_and_seed() -> None:
    def turn(name: str, seed: int) -> list[float]:
        steering, out = Steering(name, seed, BEAMS), []
        for k in range(40):
            seen = observation(Pose(0.0, 0.0, 0.0), WALL, bumped=k == 0)
            out.append(steering.act(seen, seen.scan, [(-3.0, 0.0)], None, k * TICK)[0].w_radps)
        return out
    assert turn("a", 1) == turn("a", 1)
    assert len({tuple(turn(n, s)) for n in "abcd" for s in (1, 2)}) > 4


def test_at_the_end_of_the_path_it_turns_to_the_given_point() -> None:
    poses, acts, _ = drive([], 30, face=(0.0, 4.0))
    assert abs(poses[-1].heading_rad - math.pi / 2) < 0.1
    assert all(a.v_mps == 0 for a in acts)


@pytest.mark.parametrize("hz", [5, 10, 15])
@pytest.mark.parametrize("x_m", [0.55, 0.75, 1.5])
def test_a_fast_robot_before_a_wall_brakes_in_time(hz: int, x_m: float) -> None:
    walls: list[Segment] = [(x_m, -3, x_m, 3)]
    poses, acts, _ = drive([(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (3.0, 0.0)], 2 * hz, walls, v_mps=ROVERS.v_max_mps,
                           tick=1_000_000_000 // hz)
    assert min(gap_m(p.x_m, p.y_m, walls) for p in poses) > ROVERS.radius_m
    if x_m == 1.5:
        assert acts[0].v_mps == ROVERS.v_max_mps                 # far away there is no need to brake


@pytest.mark.parametrize("offset_m", [-0.6, 0.0, 0.6])
def test_a_narrow_door_is_passed(offset_m: float) -> None:
    """1.1 m is the narrowest door that a building may have; the robot starts beside its axis."""
    walls: list[Segment] = [(1.0, -5, 1.0, offset_m - 0.55), (1.0, offset_m + 0.55, 1.0, 5),
                            (1.14, -5, 1.14, offset_m - 0.55), (1.14, offset_m + 0.55, 1.14, 5)]
    path = [(0.0, 0.0), (0.25, offset_m / 2), (0.5, offset_m), *((0.5 + 0.25 * k, offset_m) for k in range(1, 9))]
    poses, acts, recoveries = drive(path, 90, walls)
    assert math.dist((poses[-1].x_m, poses[-1].y_m), path[-1]) < 0.35
    assert min(gap_m(p.x_m, p.y_m, walls) for p in poses) > ROVERS.radius_m
    assert recoveries == 0
    assert np.mean([a.v_mps for a in acts[10:40]]) > 0.8 * ROVERS.v_max_mps


def test_a_path_point_under_the_robot_is_not_taken_for_its_end() -> None:
    steering = Steering("a", 3, BEAMS)
    seen = observation(Pose(0.0, 0.0, 0.0), [])
    act, _ = steering.act(seen, seen.scan, [(-0.1, 0.0), (0.15, 0.05), (0.3, 0.3), (0.5, 0.5)], None, TICK)
    assert act.v_mps > 0.0
