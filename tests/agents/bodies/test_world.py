"""The client of a body: the observations that it accepts, and the messages that it sends."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from agents.bodies.world import WorldBody
from swarm.core.protocol.messages import Acted, Reported, Sensed
from swarm.core.protocol.sensors import Camera, Lidar, SensorSuite
from swarm.core.protocol.world import Capture, Drive, Pose, Report
from swarm.core.units import ns

CAMERA = Camera(width_px=4, height_px=2, fov_y_deg=50.0, mount_x_m=0.0, mount_z_m=0.2, pitch_deg=0.0)
SENSORS = SensorSuite({"camera": CAMERA, "lidar": Lidar(beams=8, range_m=5.0)})
SENSED = Sensed(
    sequence=1, at_s=0.5, age_s=0.01, pose=Pose(1.0, 2.0, 0.0), v_mps=0.1, w_radps=0.2, bumped=True, frame=True)
RECEIVED_NS = ns(7.25)
SCAN, FRAME = np.ones(8, np.float32), np.zeros((2, 4, 3), np.uint8)


class Net:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, object]] = []

    def send(self, peer: str, body: object) -> None:
        self.sent.append((peer, body))


def body(sensors: SensorSuite | None = SENSORS) -> WorldBody:
    made = WorldBody(Net(), "world")                             # type: ignore[arg-type]
    made.sensors = sensors
    return made


def test_acts_and_reports_go_to_the_body() -> None:
    net = Net()
    client = WorldBody(net, "world")                             # type: ignore[arg-type]
    report = Report(kind="claim", values={"label": "beacon", "x_m": 1.0})
    client.act(Drive(v_mps=0.5, w_radps=0.0))
    client.report(report)
    assert net.sent == [("world", Acted(act=Drive(v_mps=0.5, w_radps=0.0))), ("world", Reported(report=report))]


def test_an_observation_holds_the_sensed_values() -> None:
    taken = body().observe(SENSED, 7, [SCAN, FRAME], RECEIVED_NS)
    assert taken is not None
    assert (taken.pose, taken.age_s, taken.bumped) == (SENSED.pose, pytest.approx(0.01), True)
    assert taken.scan is SCAN
    assert taken.frame is FRAME
    bare = body().observe(replace(SENSED, frame=False), 7, [SCAN], RECEIVED_NS)
    assert bare is not None
    assert bare.frame is None


def test_a_frame_of_another_moment_ages_with_its_observation() -> None:
    capture, client = Capture(Pose(1.5, 2.0, 0.1), 0.31), body()
    seen = client.observe(replace(SENSED, capture=capture), 7, [SCAN, FRAME], RECEIVED_NS)
    later = client.observe(replace(SENSED, sequence=2, at_s=0.6, capture=capture), 7, [SCAN, FRAME],
                           RECEIVED_NS + ns(0.15))           # held up for 0.05 s
    assert seen is not None
    assert later is not None
    assert [(one.age_s, one.capture) for one in (seen, later)] == [
        (pytest.approx(0.01), Capture(capture.pose, pytest.approx(0.31))),       # type: ignore[arg-type]
        (pytest.approx(0.06), Capture(capture.pose, pytest.approx(0.36)))]       # type: ignore[arg-type]
    assert seen.captured() is seen.capture
    bare = client.observe(replace(SENSED, sequence=3, at_s=0.7), 7, [SCAN, FRAME], RECEIVED_NS + ns(0.2))
    assert bare is not None
    assert (bare.capture, bare.captured()) == (None, Capture(SENSED.pose, bare.age_s))


def test_nothing_is_taken_before_the_body_announced_its_sensors_nor_older_observations() -> None:
    early = body(None)
    assert early.observe(SENSED, 7, [SCAN, FRAME], RECEIVED_NS) is None
    client = body()
    assert client.observe(replace(SENSED, sequence=2), 7, [SCAN, FRAME], RECEIVED_NS) is not None
    for boot, sequence in ((7, 2), (7, 1), (6, 9)):
        assert client.observe(replace(SENSED, sequence=sequence), boot, [SCAN, FRAME], RECEIVED_NS) is None
    assert client.observe(SENSED, 8, [SCAN, FRAME], RECEIVED_NS) is not None              # the body was started anew
    assert (early.stale, client.stale, client.malformed) == (1, 3, 0)


@pytest.mark.parametrize("tensors", [
    [], [SCAN], [FRAME, SCAN], [SCAN[:7], FRAME], [SCAN.astype(np.float64), FRAME], [SCAN, FRAME[:1]],
    [SCAN, FRAME.astype(np.float32)], [SCAN, FRAME, FRAME],
])
def test_tensors_of_other_sensors_are_counted_and_not_taken(tensors: list[NDArray]) -> None:
    client = body()
    assert client.observe(SENSED, 7, tensors, RECEIVED_NS) is None
    assert client.malformed == 1


def test_a_body_without_a_camera_sends_no_frames_and_one_without_a_lidar_an_empty_scan() -> None:
    blind = body(SensorSuite({"lidar": Lidar(beams=8, range_m=5.0)}))
    assert blind.observe(SENSED, 7, [SCAN, FRAME], RECEIVED_NS) is None
    eye = body(SensorSuite({"camera": CAMERA}))
    assert eye.observe(SENSED, 7, [np.empty(0, np.float32), FRAME], RECEIVED_NS) is not None
    assert (blind.malformed, eye.malformed) == (1, 0)


def test_a_world_whose_clock_was_set_back_is_heard_once_the_former_one_is_silent() -> None:
    client = body()
    assert client.observe(SENSED, 7, [SCAN, FRAME], RECEIVED_NS)
    again = replace(SENSED, sequence=2)
    assert client.observe(again, 3, [SCAN, FRAME], RECEIVED_NS + ns(0.5)) is None
    assert client.observe(again, 3, [SCAN, FRAME], RECEIVED_NS + ns(1.5)) is not None
    assert client.observe(replace(SENSED, sequence=3), 3, [SCAN, FRAME], RECEIVED_NS + ns(1.6)) is not None
    assert client.stale == 1
