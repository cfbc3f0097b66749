"""The behaviour takes the sizes of its sensors from the suite: another camera and another lidar work as well."""

from __future__ import annotations

import math
import re

import msgspec
import numpy as np
import pytest

from agents.behaviours import load
from agents.behaviours.search.camera_view import CameraView
from agents.behaviours.search.driving.limits import ROVERS
from agents.behaviours.search.driving.steering import Steering
from agents.behaviours.search.lidar_beams import LidarBeams, Scans
from agents.behaviours.search.locator import Locator
from agents.behaviours.search.occupancy_map import FREE, LOOKED, OCCUPIED, OccupancyMap, cell_of
from swarm.core.protocol.sensors import Camera, Lidar, SensorSuite
from swarm.core.protocol.world import Act, Detection, Detections, Perceived, Pose, Report
from swarm.core.settings.errors import BadInput
from tests.agents.behaviours.toy import Segment, observation, scan

CAMERA = Camera(width_px=160, height_px=120, fov_y_deg=90.0, mount_x_m=0.2, mount_z_m=0.5, pitch_deg=0.0)
LIDAR = Lidar(beams=128, range_m=8.0)
SUITE = SensorSuite({"camera": CAMERA, "lidar": LIDAR})
HERE = Pose(0.0, 0.0, 0.0)
ROOM: list[Segment] = [(-3, -2, 7, -2), (7, -2, 7, 2), (7, 2, -3, 2), (-3, 2, -3, -2)]


def test_a_known_point_lands_where_the_pinhole_formula_says() -> None:
    # focal length: 60 px / tan(45 deg) = 60 px; 2 m before the lens, 0.5 m to the left, 0.5 m below the lens:
    # u = 80 - 60 * 0.5 / 2 = 65, v = 60 + 60 * 0.5 / 2 = 75
    view = CameraView(CAMERA)
    assert view.project(2.2, 0.5, 0.0) == pytest.approx((65.0, 75.0))
    assert view.ray(65.0, 75.0) == pytest.approx((60.0, 15.0, -15.0))
    assert view.half_fov_rad == pytest.approx(math.atan(80 / 60))
    assert view.project(0.2, 0.0, 0.5) is None


def test_a_camera_that_looks_down_sees_the_floor_in_the_middle_of_its_frame() -> None:
    # pitched 45 deg down, 0.5 m above the floor: the optical axis meets the floor 0.5 m ahead of the lens
    view = CameraView(msgspec.structs.replace(CAMERA, pitch_deg=-45.0))
    assert view.project(0.7, 0.0, 0.0) == pytest.approx((80.0, 60.0))


def test_beams_point_where_the_lidar_says() -> None:
    beams = LidarBeams(LIDAR)
    assert [beams.nearest(turn) for turn in (-math.pi, 0.0, math.pi / 2, math.pi)] == [0, 64, 96, 0]
    assert beams.position(beams.step_rad / 4) == pytest.approx(64.25)
    assert beams.hit_below_m == pytest.approx(7.95)
    assert tuple(beams.directions[:, 96]) == pytest.approx((0.0, 1.0), abs=1e-6)


def test_a_box_in_a_large_frame_is_put_in_its_place() -> None:
    # a beacon 3 m ahead of the lens: its foot at v = 60 + 60 * 0.5 / 3 = 70, its top (0.81 m) at 60 - 60 * 0.31 / 3
    box = Detection(1, 0.9, 77.0, 53.8, 83.0, 70.0)
    for ranges in (None, scan(HERE, ROOM, [(3.2, 0.0, 0.15)], LIDAR)):
        fix = Locator(CameraView(CAMERA), LidarBeams(LIDAR)).locate(box, HERE, ranges)
        assert fix is not None
        assert math.dist((fix.x_m, fix.y_m), (3.2, 0.0)) < 0.2


def test_the_map_takes_in_a_scan_of_more_beams_and_a_longer_range() -> None:
    known = OccupancyMap(CameraView(CAMERA), LidarBeams(LIDAR))
    for _ in range(6):
        known.scan(HERE, scan(HERE, ROOM, lidar=LIDAR), [])
    states = known.states(0)
    assert states[cell_of(7.03, 0.0)] == OCCUPIED                # beyond the 6 m of another lidar
    assert states[cell_of(6.0, 0.0)] == FREE
    assert states[cell_of(2.0, 1.6)] == LOOKED                   # 39 deg to the left, within the 53 deg of this camera
    assert states[cell_of(-2.0, 0.0)] == FREE


def test_driving_keeps_off_a_wall_that_the_beams_show() -> None:
    steering = Steering("a", 3, LidarBeams(LIDAR))
    wall: list[Segment] = [(ROVERS.radius_m + 0.2, -5, ROVERS.radius_m + 0.2, 5)]
    seen = observation(HERE, wall, lidar=LIDAR)
    act, recovery = steering.act(seen, seen.scan, [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0)], None, 100_000_000)
    assert recovery is None
    assert act.v_mps <= 0.14                                     # 0.13 m are free, and 0.037 m the way to standstill
    clear, _ = Steering("a", 3, LidarBeams(LIDAR)).act(
        observation(HERE, [], lidar=LIDAR), scan(HERE, [], lidar=LIDAR), [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0)], None, 0)
    assert clear.v_mps == pytest.approx(0.18)                               # from rest, in one control period


def test_the_whole_behaviour_claims_the_target_that_a_larger_camera_shows() -> None:
    robot, reports = load("search_rescue")("a", ["a"], 1, SUITE), []
    for k in range(20):
        now, pose = (k + 1) * 100_000_000, Pose(0.05 * k, 0.0, 0.0)
        out = robot.on(observation(pose, ROOM, [(3.2, 0.0, 0.12)], lidar=LIDAR), now)
        assert sum(isinstance(o, Act) for o in out) == 1
        away = 3.0 - pose.x_m                                    # from the lens
        box = Detection(1, 0.9, 80 - 7 / away, 60 - 60 * 0.31 / away, 80 + 7 / away, 60 + 60 * 0.5 / away)
        out += robot.on(Perceived(stream="detect", outcome=Detections([box]), pose=pose, age_s=0.0), now)
        reports += [o for o in out if isinstance(o, Report)]
    assert [(r.kind, r.values["label"]) for r in reports] == [("claim", "beacon")]
    assert set(reports[0].values) == {"label", "x_m", "y_m"}
    assert math.dist((float(reports[0].values["x_m"]), float(reports[0].values["y_m"])), (3.2, 0.0)) < 0.3


def test_classes_that_the_behaviour_does_not_know_count_for_nothing() -> None:
    robot = load("search_rescue")("a", ["a"], 1, SUITE)
    for k in range(20):
        now = (k + 1) * 100_000_000
        robot.on(observation(HERE, ROOM, lidar=LIDAR), now)
        boxes = [Detection(label, 0.9, 77.0, 53.8, 83.0, 70.0) for label in (3, 65535)]
        assert robot.on(Perceived(stream="detect", outcome=Detections(boxes), pose=HERE, age_s=0.0), now) == []
    assert robot._targets.tracks == []                           # type: ignore[attr-defined]


@pytest.mark.parametrize(("suite", "kind"), [
    (SensorSuite({"camera": CAMERA}), "lidar"), (SensorSuite({"lidar": LIDAR}), "camera"), (SensorSuite(), "camera"),
])
def test_a_robot_without_a_sensor_that_the_behaviour_needs_is_refused_in_one_line(
    suite: SensorSuite, kind: str
) -> None:
    with pytest.raises(BadInput) as refused:
        load("search_rescue")("a", ["a"], 1, suite)
    assert re.fullmatch(rf"behaviour 'search_rescue': needs a {kind}, .*", str(refused.value))


def test_a_scan_with_odd_values_is_taken_with_the_range_of_its_lidar() -> None:
    seen = observation(HERE, ROOM, lidar=LIDAR)
    seen.scan[:] = np.inf
    seen.scan[3:5] = np.nan, -np.inf
    assert LidarBeams(LIDAR).ranges_m(seen).tolist() == [8.0] * 3 + [0.0] * 2 + [8.0] * 123


def test_a_frame_gets_the_scan_that_is_nearest_in_time_or_none() -> None:
    scans = Scans(LidarBeams(LIDAR))
    assert scans.at(0) is None
    for k in range(3):
        seen = observation(HERE, ROOM, lidar=LIDAR)
        seen.scan[:] = float(k)
        scans.keep(seen, k * 1_000_000_000)
    nearest = [scans.at(int(s * 1e9)) for s in (0.9, 1.2, 1.5, 2.3)]
    assert [None if one is None else float(one[0]) for one in nearest] == [1.0, 1.0, None, None]
