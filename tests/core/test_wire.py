"""The wire codec: every message round trips, has golden bytes, and nothing malformed gets through."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgpack
import msgspec
import numpy as np
import pytest

from swarm.core.policy.plan import MOST_AT_ONCE, Leg, NotLoaded, Placement, Plan, Profile, StageProfile, StreamSpec
from swarm.core.protocol import messages as msg
from swarm.core.protocol import wire
from swarm.core.protocol.messages.presence import MOST_NOT_LOADED, PlanFollowed
from swarm.core.protocol.scene import Measure, Mission
from swarm.core.protocol.sensors import (
    Battery,
    Camera,
    Imu,
    Lidar,
    Localisation,
    Odometry,
    Range,
    Reading,
    SensorFault,
    SensorSuite,
)
from swarm.core.protocol.spans import Frame, LegTimes, RequestId, Span
from swarm.core.protocol.world import BatteryState, Capture, Detection, Detections, Drive, Fly, Pose, Report

GOLDEN = Path(__file__).with_name("golden.txt")
"""Bytes of every example as they travel; a change breaks swarms of mixed versions. `python -m tests.core.test_wire`
writes the file anew."""

REQUEST = RequestId("rover_1", 17, 3)
FRAME = Frame(1, "s", 5)
MEMBER = msg.Member(name="a", role="agent", urgent="tcp://127.0.0.1:1", bulk="tcp://127.0.0.1:2")
PROFILE = Profile(model="m", variant="int8", p50_s=0.01, p95_s=0.02, memory_bytes=9, accuracy=0.8, input_bytes=7,
                  stages=[StageProfile(0.01, 0.02, 7)], batch_s=[0.01, 0.015])
STREAM = StreamSpec(name="detect", model="m", rate_hz=5.0, deadline_s=0.1, priority=2)
PLAN = Plan(epoch=2, lease_s=3.0, why="b joined", placements=[
    Placement(agent="a", stream="s", variant="int8", where=["b"], predicted_on_time=0.75, low=0.5, high=0.9)])
SPAN = Span(request=REQUEST, stream="s", model="m", priority=1, captured_ns=1, submitted_ns=2, deadline_ns=3)
BOXES = Detections(boxes=[Detection(1, 0.5, 1.0, 2.0, 3.0, 4.0)])

FLY = Fly(vx_mps=0.5, vy_mps=-0.25, vz_mps=0.125, yaw_radps=0.1)
REPORT = Report(kind="claim", values={"label": "beacon", "x_m": 1.0})
EXAMPLES: list[msg.Body] = [
    msg.Credit(), msg.Chunk(transfer=3, tensor=1, offset=65536), msg.TransferEnded(transfer=3),
    msg.TransferRefused(transfer=3, reason="chunk"),
    msg.Ready(member=MEMBER, pid=7), msg.Roster(members=[MEMBER]), msg.Start(for_s=9.5), msg.Drain(), msg.Drained(),
    msg.Shutdown(), msg.Back(name="a", boot=3),
    msg.InjectedFaults(deaf_to=["b"], lose=0.5, corrupt=0.25, slow=2.0, clock_step_s=-1.0, seed=7,
                       sensors=[SensorFault(robot="a", sensor="lidar", freeze=True, by_m=0.5)]),
    msg.InReach(members=["b"]),
    msg.Heartbeat(sequence=1, busy_s=0.25, advert=1), msg.HeartbeatAck(sequence=1, held_s=0.5, busy_s=0.25, advert=2),
    msg.Introduction(members=[MEMBER]), msg.Gossip(about="b", boot=3, silent=True),
    msg.Gone(name="a", boot=3), msg.Advert(board="b", executors=1, profiles=[PROFILE], streams=[STREAM]),
    msg.Advert(number=3, battery=0.5, board="b", executors=2, own_share=0.25, profiles=[], streams=[], battery_wh=30.5,
               power_w=15.0, temperature_c=61.5, throttled=True, memory_free_bytes=9,
               not_loaded=[NotLoaded("m", "fp32", 0.5)], key=bytes(range(16))),
    msg.Feedback(links={"b": (0.5, 1e6)}, plan=PlanFollowed(planner="planner", boot=3, epoch=2, left_s=1.5)),
    msg.PlanNews(plan=PLAN),
    msg.StageAsk(request=REQUEST, frame=FRAME, model="m", variant="int8", priority=2),
    msg.StageAsk(request=REQUEST, frame=FRAME, model="m", variant="int8", priority=2, first=1, last=2,
                 route=[Leg("b", 2, 4)], done=[LegTimes(0.1, 0.2, 0.3, True)], seals=bytes(range(8))),
    msg.StageAnswer(request=REQUEST, outcome=BOXES, run_s=0.1, waited_s=0.2, held_s=0.3),
    msg.StageAnswer(request=REQUEST, outcome=BOXES, run_s=0.1, waited_s=0.2, held_s=0.3, done=[LegTimes(0.1)]),
    msg.StageAnswer(request=REQUEST, outcome=None, run_s=0.1, waited_s=0.2, held_s=1),
    msg.StageRefusal(request=REQUEST, reason="full"), msg.StageCancel(request=REQUEST),
    msg.Sensed(sequence=1, at_s=0.4, age_s=0.01, pose=Pose(1.0, 2.0, 3.0), v_mps=0.1, w_radps=0.2, bumped=False,
        frame=True, readings={"nose": Reading(0.02, (1.5,))}),
    msg.Sensed(sequence=2, at_s=0.5, age_s=0.01, pose=Pose(1.0, 2.0, 3.0, 1.5, 0.1, -0.2), v_mps=0.1, w_radps=0.2,
               bumped=False, frame=False, left_mps=0.3, up_mps=-0.4),
    msg.Sensed(sequence=3, at_s=0.6, age_s=0.01, pose=Pose(1.0, 2.0, 3.0), v_mps=0.1, w_radps=0.2, bumped=False,
               frame=True, capture=Capture(Pose(0.9, 2.0, 3.1), 0.3)),
    msg.Acted(act=Drive(v_mps=0.5, w_radps=0.1)),
    msg.EnergyUsed(compute_j=12.5, radio_j=0.25), msg.Acted(act=FLY), msg.Reported(report=REPORT),
    msg.Judged(report=REPORT, verdict="found"),
    msg.Embodied(sensors=SensorSuite({
        "eye": Camera(width_px=96, height_px=72, fov_y_deg=55.0, mount_x_m=0.1, mount_z_m=0.2, pitch_deg=-4.0),
        "lidar": Lidar(beams=64, range_m=6.0, noise_m=0.01), "nose": Range(range_m=2.0), "imu": Imu(rate_hz=50.0),
        "wheels": Odometry(error_m_per_m=0.02), "battery": Battery(), "place": Localisation(noise_m=0.05)})),
    msg.Shared(topic="map", data=b"\1\2"),
    msg.Submitted(request=REQUEST, frame=FRAME, due_s=0.2), msg.Ended(span=SPAN),
    msg.Happened(what="x", detail={"k": 1, "l": "m"}),
    msg.Kept(reports=[msg.KeptReport(4, 7, 60.5, b"\x80")]), msg.KeptReceived(boot=4, number=7),
    msg.AgentNews(rss_bytes=1, runs=2, overruns=3, busy_s=0.5, available_s=1.0, queue=2, links={"b": (0.5, 1e6)},
                  loop_late_ms_p99=1.5, refused_in=0, duplicates=0, control_bytes=9),
    msg.WorldNews(time_s=1.0, steps=240, real_time_factor=1.0, lag_ms_p99=2.0, poses={"a": Pose(1.0, 2.0, 3.0)},
                  batteries={"a": BatteryState(charge=0.5, compute_j=1.5, motion_j=2.5)},
                  mission=Mission(headline="found", measures=[
                      Measure(name="found", value=1.0, unit="0..1", text="t")])),
    msg.Scene(json=b"{}"), msg.PlannerNews(epoch=1, took_s=0.01, solver="greedy", refined=False, end="adopted"),
]


def envelope(body: msg.Body, **more: object) -> wire.Envelope:
    plain = msgspec.to_builtins(body, builtin_types=(bytes,))
    head = {"v": wire.PROTOCOL, "swarm": "s", "sender": "a", "boot": 4, "body": plain}
    return msgspec.convert(head | more, wire.Envelope)


def frames_of(body: msg.Body, *tensors: np.ndarray) -> list[wire.Buffer]:
    arrays = [wire.contiguous(t) for t in tensors]
    return wire.encode(envelope(body, tensors=[[t.dtype.name, list(t.shape)] for t in arrays]), arrays)


def golden_line(body: msg.Body) -> str:
    return f"{type(body).__name__} {bytes(wire.encode(envelope(body, budget_s=0.25))[0]).hex()}"


def test_every_message_has_an_example() -> None:
    assert {type(e) for e in EXAMPLES} == set(get_args(msg.Body))


@pytest.mark.parametrize("body", EXAMPLES, ids=lambda b: type(b).__name__)
def test_every_message_comes_back_as_it_went(body: msg.Body) -> None:
    assert wire.decode(wire.encode(envelope(body, budget_s=0.25)))[0] == envelope(body, budget_s=0.25)


def test_every_message_has_its_golden_bytes() -> None:
    assert GOLDEN.read_text().splitlines() == [golden_line(body) for body in EXAMPLES]


def test_every_message_has_its_speakers_and_strangers_may_say_nothing() -> None:
    for body in EXAMPLES:
        assert any(msg.may_say(role, body) for role in ("agent", "planner", "world", "launcher", "collector"))
        assert not msg.may_say("", body)
    assert not msg.may_say("agent", msg.Shutdown())
    assert not msg.may_say("agent", msg.PlanNews(plan=PLAN))


@pytest.mark.parametrize("dtype", wire.DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
def test_tensors_travel_as_they_are(dtype: str, shape: tuple[int, ...]) -> None:
    tensor = (np.arange(np.prod(shape, dtype=int)) % 100).astype(dtype).reshape(shape)
    _, (back,) = wire.decode(frames_of(msg.Start(), tensor))
    assert (back.dtype, back.shape) == (tensor.dtype, tensor.shape)
    assert np.array_equal(back, tensor)


def test_a_tensor_that_is_not_contiguous_is_copied_into_order() -> None:
    tensor = np.arange(12, dtype=np.float32).reshape(3, 4).T
    _, (back,) = wire.decode(frames_of(msg.Start(), tensor))
    assert np.array_equal(back, tensor)


def test_unknown_fields_are_tolerated_so_that_versions_can_meet() -> None:
    head = msgpack.unpackb(bytes(wire.encode(envelope(msg.Drain()))[0]))
    head["added_later"] = head["body"]["added_later"] = 1
    assert wire.decode([msgpack.packb(head)])[0].body == msg.Drain()


@pytest.mark.parametrize("at", range(0, 60, 7))
def test_a_bit_that_flips_in_a_header_is_noticed(at: int) -> None:
    frame = bytearray(wire.with_crc(wire.header(envelope(msg.Drain()))))
    assert wire.decode([wire.without_crc(frame)])[0].body == msg.Drain()
    frame[at % len(frame)] ^= 4
    with pytest.raises(wire.WireError, match="checksum"):
        wire.without_crc(frame)


@pytest.mark.parametrize("frame", [b"", b"abc", bytes(3)])
def test_a_frame_too_short_for_a_checksum_has_none(frame: bytes) -> None:
    with pytest.raises(wire.WireError, match="checksum"):
        wire.without_crc(frame)


def with_tensors(*headers: object) -> bytes:
    head = msgpack.unpackb(bytes(wire.encode(envelope(msg.Start()))[0]))
    head["tensors"] = list(headers)
    return msgpack.packb(head)


@pytest.mark.parametrize(("frames", "cause"), [
    ([], "header"),
    ([b""], "header"),
    ([b"\xc1"], "header"),
    ([b"\x81" * 5000], "header"),
    ([b"\xdd\xff\xff\xff\xff"], "header"),
    ([b"\0" * (wire.MAX_HEADER_BYTES + 1)], "header"),
    ([msgpack.packb([1, 2])], "header"),
    ([msgpack.packb({"v": 1})], "version"),     # its adverts tell no accuracy of networks
    ([msgpack.packb({"v": wire.PROTOCOL + 1})], "version"),
    ([msgpack.packb({"v": wire.PROTOCOL, "swarm": "s"})], "header"),
    ([msgpack.packb({"v": wire.PROTOCOL, "swarm": "s", "sender": "a", "boot": 1, "body": {"kind": "none"}})], "header"),
    ([with_tensors(["float32", [2]])], "tensor"),
    ([with_tensors(["float32", [2]]), b"1234"], "tensor"),
    ([with_tensors(["float32", [-1]]), b""], "tensor"),
    ([with_tensors(["float32", [2**40, 2**40]]), b"1234"], "tensor"),
    ([with_tensors(["object", [1]]), b"12345678"], "tensor"),
    ([with_tensors(["uint8", [0, 2**63]]), b""], "tensor"),
    ([with_tensors(["uint8", [0, 2**40, 2**40]]), b""], "tensor"),
    ([with_tensors(["int64", [0, 2**26, 2**26, 2**26]]), b""], "tensor"),
    ([with_tensors(["uint8", [1] * 9]), b"1"], "tensor"),
    ([with_tensors(), b"1"], "tensor"),
])
def test_what_is_malformed_is_refused_by_cause(frames: list[bytes], cause: str) -> None:
    with pytest.raises(wire.WireError) as refused:
        wire.decode(frames)
    assert refused.value.cause == cause


def changed(body: msg.Body, **fields: object) -> bytes:
    head = msgpack.unpackb(bytes(wire.encode(envelope(body))[0]))
    head["body"] |= fields
    return msgpack.packb(head)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("header", [
    changed(msg.HeartbeatAck(sequence=1, held_s=0.5), held_s=NAN),
    changed(msg.Heartbeat(sequence=1), busy_s=-1.0),
    changed(msg.Feedback(links={}), links={"b": [0.1, 0.0]}),
    changed(msg.PlanNews(plan=PLAN), plan=msgspec.to_builtins(PLAN) | {"lease_s": INF}),
    changed(msg.PlanNews(plan=PLAN), plan={"epoch": 1, "lease_s": 1.0, "placements": [
        {"agent": "a", "stream": "s", "variant": "int8", "where": []}]}),
    changed(msg.StageAsk(request=REQUEST, frame=FRAME, model="m", variant="int8", priority=2), priority=10**6),
    changed(msg.StageAsk(request=REQUEST, frame=FRAME, model="m", variant="int8", priority=2), first=-1),
    changed(msg.StageAsk(request=REQUEST, frame=FRAME, model="m", variant="int8", priority=2),
            route=[["b", 0, 1]] * 17),
    changed(msg.StageAsk(request=REQUEST, frame=FRAME, model="m", variant="int8", priority=2), done=[[NAN]]),
    changed(msg.StageAnswer(request=REQUEST, outcome=BOXES, run_s=0.1, waited_s=0.2, held_s=0.3), run_s=NAN),
    changed(msg.StageAnswer(request=REQUEST, outcome=BOXES, run_s=0.1, waited_s=0.2, held_s=0.3),
            outcome={"type": "mask", "height": 2, "width": 2, "cells": b"\0"}),
    changed(msg.StageAnswer(request=REQUEST, outcome=BOXES, run_s=0.1, waited_s=0.2, held_s=0.3),
            outcome={"type": "detections", "boxes": [[65536, 0.5, 1.0, 2.0, 3.0, 4.0]]}),
    changed(msg.Acted(act=Drive(v_mps=0.5, w_radps=0.1)), act={"type": "drive", "v_mps": NAN, "w_radps": 0.0}),
    changed(msg.Acted(act=FLY), act=msgspec.to_builtins(FLY) | {"vz_mps": INF}),
    changed(msg.Acted(act=FLY), act=msgspec.to_builtins(FLY) | {"type": "swim"}),
    changed(msg.Acted(act=FLY), act=msgspec.to_builtins(FLY) | {"type": "drive"}),
    changed(msg.Sensed(sequence=1, at_s=0.4, age_s=0.01, pose=Pose(1.0, 2.0, 3.0), v_mps=0.1, w_radps=0.2, bumped=False,
                       frame=True), pose=[NAN, 0.0, 0.0]),
    changed(msg.Sensed(sequence=1, at_s=0.4, age_s=0.01, pose=Pose(1.0, 2.0, 3.0), v_mps=0.1, w_radps=0.2, bumped=False,
                       frame=True), capture=[[1.0, 2.0, 3.0], NAN]),
    changed(msg.Advert(board="b", executors=1, profiles=[PROFILE], streams=[]),
            profiles=[msgspec.to_builtins(PROFILE) | {"p50_s": INF}]),
    changed(msg.Advert(board="b", executors=1, profiles=[PROFILE], streams=[]),
            profiles=[msgspec.to_builtins(PROFILE) | {"batch_s": [0.01, NAN]}]),
    changed(msg.Advert(board="b", executors=1, profiles=[PROFILE], streams=[]),
            profiles=[msgspec.to_builtins(PROFILE) | {"batch_s": [0.01] * (MOST_AT_ONCE + 1)}]),
    changed(msg.Advert(board="b", executors=1, profiles=[], streams=[]), executors=10**9),
    *(changed(msg.Advert(board="b", executors=1, profiles=[], streams=[]), not_loaded=odd)
      for odd in ([["m", "int8", NAN]], [["m" * 65, "int8", 0.1]], [["m", "int8", 0.1]] * (MOST_NOT_LOADED + 1))),
    *(changed(msg.Advert(board="b", executors=1, profiles=[], streams=[]),
              streams=[{"name": "s", "model": "m", "rate_hz": 5.0, "deadline_s": 0.1} | odd])
      for odd in ({"rate_hz": NAN}, {"rate_hz": 1e300}, {"deadline_s": 0.0}, {"deadline_s": INF}, {"name": ""})),
    changed(msg.StageAnswer(request=REQUEST, outcome=BOXES, run_s=0.1, waited_s=0.2, held_s=0.3), batch=0),
    changed(msg.StageAnswer(request=REQUEST, outcome=BOXES, run_s=0.1, waited_s=0.2, held_s=0.3),
            batch=MOST_AT_ONCE + 1),
])
def test_numbers_that_mean_nothing_are_refused_where_they_enter(header: bytes) -> None:
    with pytest.raises(wire.WireError) as refused:
        wire.decode([header])
    assert refused.value.cause == "header"


def test_what_an_advert_does_not_know_takes_no_bytes() -> None:
    head = msgpack.unpackb(bytes(wire.encode(envelope(msg.Advert(board="b", executors=1, profiles=[], streams=[])))[0]))
    assert head["body"].keys() == {"kind", "board", "executors", "profiles", "streams"}


if __name__ == "__main__":
    GOLDEN.write_text("".join(golden_line(body) + "\n" for body in EXAMPLES))
