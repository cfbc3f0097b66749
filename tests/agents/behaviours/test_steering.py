"""Steering: safe on any path, and never stuck for ever."""

from __future__ import annotations

import math

import numpy as np

from agents.behaviours.search.steering import RADIUS_M, Steering, clearances
from swarm.core.protocol.world import Act, Pose
from tests.agents.behaviours.toy import BEAMS, Segment, gap_m, observation

WALL: list[Segment] = [(1.5, -5, 1.5, 5), (1.5, -5, -5, -5), (-5, -5, -5, 5), (-5, 5, 1.5, 5)]
TICK = 100_000_000


def drive(path: list[tuple[float, float]], ticks: int, walls: list[Segment] = WALL, *, glued: bool = False,
          face: tuple[float, float] | None = None) -> tuple[list[Pose], list[Act], int]:
    """Poses, acts and recoveries of a unicycle; a glued one does not move."""
    steering, pose = Steering("a", 3, BEAMS), Pose(0.0, 0.0, 0.0)
    poses, acts, recoveries = [pose], [], 0
    for k in range(ticks):
        seen = observation(pose, walls, v_mps=acts[-1].v_mps if acts else 0.0)
        act, recovery = steering.act(seen, seen.scan, path, face, k * TICK)
        recoveries += recovery is not None
        acts.append(act)
        if not glued:
            heading = pose.heading_rad + act.w_radps * 0.1
            pose = Pose(pose.x_m + 0.1 * act.v_mps * math.cos(heading), pose.y_m + 0.1 * act.v_mps * math.sin(heading),
                        heading)
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
    assert min(gap_m(p.x_m, p.y_m, WALL) for p in poses) > RADIUS_M
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


def test_clearances_are_distances_along_the_arc() -> None:
    gap = clearances(np.array([[1.0, 0.0]]))
    assert np.isclose(gap[0], 1.0).all()                         # turning on the spot
    assert gap.min() < 0.45                                      # straight ahead at full speed
    assert np.isinf(clearances(np.zeros((0, 2)))).all()


def test_hits_that_no_arc_comes_near_change_no_command() -> None:
    draw = np.random.default_rng(4)
    for _ in range(50):
        turns, away = draw.uniform(-math.pi, math.pi, 40), draw.uniform(0.4, 2.6, 40)
        points = np.stack([away * np.cos(turns), away * np.sin(turns)], axis=1)
        path = [(0.25 * k, 0.1 * k * float(draw.uniform(-1, 1))) for k in range(8)]
        carrot = [Steering("a", 3, BEAMS)._follow(Pose(0.0, 0.0, 0.0), hits, path[-1:], None)
                  for hits in (points, points[away < 1.4])]
        assert carrot[0] == carrot[1]
        gap = clearances(points)
        arcs = clearances(np.zeros((1, 2)))                  # how far each point of an arc is from the start
        assert (np.abs(gap - away.min()) <= arcs + 1e-9).all()
