"""What travels of sensors, reports and perceptions: bounded where it enters."""

from __future__ import annotations

import math
from typing import Any

import msgpack
import msgspec
import numpy as np
import pytest

from swarm.core.protocol.sensors import Camera, Imu, Lidar, Localisation, SensorSuite
from swarm.core.protocol.world import Detection, Detections, Mask, Report, in_parts, of_parts

CAMERA = Camera(width_px=160, height_px=120, fov_y_deg=55.0, mount_x_m=0.2, mount_z_m=0.3, pitch_deg=-4.0)
SENSORS = {"camera": CAMERA, "lidar": Lidar(beams=64, range_m=6.0), "imu": Imu(), "place": Localisation()}
WHOLE = msgspec.to_builtins(SENSORS)
CLAIM = Report(kind="claim", values={"label": "beacon", "x_m": 1.0, "y_m": -2.5})


def test_suites_and_reports_come_back_as_they_went() -> None:
    for sent in (SensorSuite(), SensorSuite(SENSORS), CLAIM,
                 Report(kind="", values={})):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(sent), type=type(sent)) == sent


def test_a_whole_number_in_a_report_becomes_a_float() -> None:
    came = msgspec.msgpack.decode(msgpack.packb({"kind": "score", "values": {"points": 3}}), type=Report)
    assert isinstance(came.values["points"], float)


@pytest.mark.parametrize("changed", [
    {"values": {"x_m": math.nan}},
    {"values": {"x_m": math.inf}},
    {"values": {f"v{k}": 1.0 for k in range(17)}},
    {"values": {"x" * 65: 1.0}},
    {"values": {"label": "x" * 65}},
    {"values": {"label": None}},
    {"values": {"label": [1.0]}},
    {"kind": "x" * 65},
])
def test_a_report_out_of_bounds_is_refused(changed: dict[str, Any]) -> None:
    header = msgpack.packb(msgspec.to_builtins(CLAIM) | changed)
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(header, type=Report)


def test_a_report_at_its_bounds_is_taken() -> None:
    most = Report(kind="k" * 64, values={f"{k:064}": "v" * 64 for k in range(16)})
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(most), type=Report) == most


@pytest.mark.parametrize("changed", [
    {"camera": {"width_px": 0}}, {"camera": {"width_px": 8193}}, {"camera": {"height_px": 0}},
    {"camera": {"height_px": 8193}}, {"camera": {"fov_y_deg": math.nan}}, {"camera": {"fov_y_deg": 0.0}},
    {"camera": {"fov_y_deg": 180.0}}, {"camera": {"pitch_deg": math.nan}}, {"camera": {"pitch_deg": 91.0}},
    {"camera": {"mount_x_m": math.inf}}, {"camera": {"mount_z_m": math.nan}}, {"lidar": {"beams": 0}},
    {"lidar": {"beams": 4097}}, {"lidar": {"range_m": 0.0}}, {"lidar": {"range_m": math.nan}},
    {"lidar": {"range_m": math.inf}}, {"lidar": {"noise_m": -0.1}}, {"lidar": {"rate_hz": 0.0}},
    {"lidar": {"kind": "x"}},
    {"imu": {"noise_mps2_per_rthz": math.nan}}, {"imu": {"latency_s": -1.0}}, {"place": {"kind": "camera"}},
])
def test_a_sensor_out_of_bounds_is_refused(changed: dict[str, Any]) -> None:
    suite = {"sensors": {name: sensor | changed.get(name, {}) for name, sensor in WHOLE.items()}}
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgpack.packb(suite), type=SensorSuite)


def test_a_suite_is_bounded_and_has_one_of_each_kind_that_an_observation_has_one_of() -> None:
    most = {f"{k:064}": Imu() for k in range(16)}
    assert SensorSuite(most).all(Imu).keys() == most.keys()
    for wrong in ({**most, "one more": Imu()}, {"": Imu()}, {"x" * 65: Imu()}, {"left": CAMERA, "right": CAMERA},
                  {"a": Localisation(), "b": Localisation()}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"sensors": msgspec.to_builtins(wrong)}, SensorSuite)


@pytest.mark.parametrize(("label", "taken"), [(-1, False), (0, True), (65535, True), (65536, False)])
def test_a_label_is_a_class_index_of_any_model(label: int, taken: bool) -> None:
    header = msgpack.packb([label, 0.5, 1.0, 2.0, 3.0, 4.0])
    if taken:
        assert msgspec.msgpack.decode(header, type=Detection).label == label
        return
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(header, type=Detection)


def test_a_mask_has_any_class_and_its_own_size() -> None:
    assert Mask(height=1, width=2, cells=b"\0\xff").array().tolist() == [[0, 255]]
    with pytest.raises(ValueError, match="4 cells is not 1 x 2"):
        Mask(height=1, width=2, cells=bytes(4))


def test_outcomes_come_back_from_their_parts_and_other_parts_are_none() -> None:
    boxes, mask = Detections(boxes=[]), Mask(2, 3, bytes(range(6)))
    for outcome in (boxes, mask):
        assert of_parts(*in_parts(outcome)) == outcome
    array = np.zeros((2, 3), np.uint8)
    for wrong in ((boxes, [array]), (None, []), (None, [array, array]), (None, [array[0]]),
                  (None, [array.astype(np.int8)])):
        assert of_parts(*wrong) is None
