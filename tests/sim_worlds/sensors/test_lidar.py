from __future__ import annotations

import math

import numpy as np

from sim_worlds.occupancy import Grid
from sim_worlds.physics.solids import box, cylinder
from sim_worlds.sensors.fleet_lidar import FleetScanner
from sim_worlds.sensors.lidar import Coverage, Scanner
from sim_worlds.sensors.suite import LIDAR
from swarm.core.protocol.sensors import Lidar
from swarm.core.protocol.world import Pose
from tests.sim_worlds.rooms import room


def analytic(pose: Pose, half_m: float, lidar: Lidar) -> np.ndarray:
    angles = lidar.angles_rad().astype(float) + pose.heading_rad
    dx, dy = np.cos(angles), np.sin(angles)
    dx, dy = np.where(dx == 0.0, 1e-9, dx), np.where(dy == 0.0, 1e-9, dy)
    to_x = (np.sign(dx) * half_m - pose.x_m) / dx
    to_y = (np.sign(dy) * half_m - pose.y_m) / dy
    return np.minimum(np.minimum(to_x, to_y), lidar.range_m)


def test_a_scan_of_a_square_room_is_the_analytic_one() -> None:
    scanner = Scanner(room([]).walls)
    for pose in (Pose(0.0, 0.0, 0.0), Pose(1.3, -2.2, 0.7), Pose(-3.5, 3.5, -2.9)):
        scan = scanner.scan(pose)
        assert scan.dtype == np.float32
        assert scan.shape == (LIDAR.beams,)
        np.testing.assert_allclose(scan, analytic(pose, 4.0, LIDAR), atol=1e-5)


def test_cylinders_and_robots_are_seen_at_their_near_side() -> None:
    scanner = Scanner([cylinder(2.0, 0.0, 0.0, 0.25, 1.0, (1, 1, 1))])
    ahead, left = LIDAR.beams // 2, LIDAR.beams * 3 // 4
    scan = scanner.scan(Pose(0.0, 0.0, 0.0), np.array([[0.0, 3.0, 0.5]]))
    assert math.isclose(scan[ahead], 1.75, abs_tol=1e-5)
    assert math.isclose(scan[left], 2.5, abs_tol=1e-5)
    assert scan[0] == LIDAR.range_m


def test_nothing_in_reach_reads_the_range() -> None:
    assert (Scanner([]).scan(Pose(0.0, 0.0, 0.0)) == LIDAR.range_m).all()


def test_coverage_stops_at_walls_and_at_its_range() -> None:
    b = room([], half_m=2.0)
    grid = Grid(size_m=12.0, resolution_m=0.25)
    coverage = Coverage(grid.rasterise(b.walls), grid)
    coverage.add(Pose(0.0, 0.0, 1.0), Scanner(b.walls).scan(Pose(0.0, 0.0, 1.0)))
    inside = 16 * 16
    free = int((~grid.rasterise(b.walls)).sum())
    assert 0.8 * inside <= coverage.share * free <= inside


def test_a_beam_ends_at_the_nearest_of_many_things() -> None:
    """Each beam against each thing alone."""
    draw = np.random.default_rng(6)
    grey = (0.5, 0.5, 0.5)
    things = [box(*draw.uniform(-7.0, 7.0, 2).tolist(), 0.0, *draw.uniform(0.1, 2.0, 2).tolist(), 1.0, grey, yaw)
              for yaw in (*draw.uniform(-3.0, 3.0, 12).tolist(), 0.0, 0.0)]
    things += [cylinder(*draw.uniform(-7.0, 7.0, 2).tolist(), 0.0, 0.3, 1.0, grey) for _ in range(8)]
    circles = np.column_stack([draw.uniform(-5.0, 5.0, (6, 2)), np.full(6, 0.25)])
    together = Scanner([*things, *things])                   # equal footprints count once
    for _ in range(10):
        pose = Pose(*draw.uniform(-6.0, 6.0, 2).tolist(), 0.3)
        alone = [Scanner([thing]).scan(pose) for thing in things]
        alone += [Scanner([]).scan(pose, circles[k:k + 1]) for k in range(6)]
        np.testing.assert_array_equal(together.scan(pose, circles), np.min(alone, axis=0))


def test_all_robots_scan_at_once_what_each_scans_alone() -> None:
    draw = np.random.default_rng(2)
    solids = [box(*draw.uniform(-9.0, 9.0, 2).tolist(), 0.0, *draw.uniform(0.1, 3.0, 2).tolist(), 1.0, (1, 1, 1), yaw)
              for yaw in draw.uniform(-3.0, 3.0, 10).tolist()]
    lidar = Lidar(beams=36, range_m=5.0)
    scanner = Scanner(solids, lidar)
    at = np.column_stack([draw.uniform(-20.0, 20.0, (60, 2)), draw.uniform(-3.0, 3.0, 60)])
    radii_m = draw.uniform(0.1, 0.4, 60)
    others = ~np.eye(60, dtype=bool)
    alone = [scanner.scan(Pose(*place), np.column_stack([at[:, :2], radii_m])[others[k]])
             for k, place in enumerate(at.tolist())]
    together = FleetScanner(solids, lidar).scan(at, radii_m)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert 0.1 < (together < 5.0).mean() < 0.9


def test_a_lidar_in_a_solid_reads_nothing_else() -> None:
    solids = [box(0.0, 0.0, 0.0, 4.0, 1.0, 1.0, (1, 1, 1), 0.3), cylinder(9.0, 0.0, 0.0, 1.0, 1.0, (1, 1, 1))]
    at = np.array([(1.0, 0.3, 2.0), (9.5, 0.0, 1.0)])
    assert not FleetScanner(solids, LIDAR).scan(at, np.full(2, 0.2)).any()
    assert not Scanner(solids).scan(Pose(*at[0].tolist())).any()
