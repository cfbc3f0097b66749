"""What falls due on streams of all kinds, on a clock of the test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from agents.performer import Input
from agents.streams.submissions import NO_SOURCE, Submissions, cropped
from swarm.core.policy.plan import StreamSpec
from swarm.core.protocol.spans import Frame, RequestId, Span
from swarm.core.protocol.world import Capture, Classes, Detection, Detections, Mask, Observation, Outcome, Pose
from swarm.core.settings.boards import Board
from swarm.core.settings.process_files import AgentFile
from swarm.core.units import ns

BOARD = Board(speed={"fp32": 0.5, "int8": 0.5}, power_w=1, source="test")
FRAME = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
SCAN = np.full(64, 3.0, np.float32)
POSE = Pose(1.0, 2.0, 0.5)


class Robot:
    """The clock, the timers and the robot around the streams."""

    def __init__(self, *streams: tuple[str, str, float]) -> None:
        specs = [StreamSpec(name=name, model="m", rate_hz=rate_hz, deadline_s=0.5, source=source)
                 for name, source, rate_hz in streams]
        file = AgentFile(version=1, swarm="s", name="rover", board_name="b", board=BOARD, streams=specs, seed=1)
        self.now, self.waiting = 0, list[tuple[int, Callable[[], None]]]()
        self.submitted: list[tuple[str, Input, int]] = []
        self.ended: list[tuple[Span, Outcome | None]] = []
        self.streams = Submissions(file, self, self, submit=self.submit, announce=self.submit,    # type: ignore[arg-type]
                                   ended=lambda span, outcome, data: self.ended.append((span, outcome)))

    def now_ns(self) -> int:
        return self.now

    def at(self, when_ns: int, callback: Callable[[], None]) -> Any:
        self.waiting.append((when_ns, callback))

    def submit(self, stream: StreamSpec, data: Input, captured_ns: int) -> RequestId:
        self.submitted.append((stream.name, data, captured_ns))
        return RequestId("rover", 1, len(self.submitted))

    def until(self, seconds: float) -> None:
        """Fire all timers up to a time."""
        while due := sorted((one for one in self.waiting if one[0] <= ns(seconds)), key=lambda one: one[0])[:1]:
            self.waiting.remove(due[0])
            self.now = max(self.now, due[0][0])
            due[0][1]()
        self.now = ns(seconds)

    def observe(self, seconds: float, frame: np.ndarray | None) -> None:
        self.streams.observed(Observation(sequence=1, age_s=0.0, pose=POSE, v_mps=0.0, w_radps=0.0, scan=SCAN,
                                          frame=frame), ns(seconds), 10.0)


def test_frames_and_scans_are_due_each_on_the_streams_of_its_sensor() -> None:
    robot = Robot(("look", "camera", 10.0), ("walls", "scan", 10.0))
    robot.streams.start(0)
    robot.observe(0.1, FRAME)
    robot.observe(0.2, None)
    assert [(name, data.picture.ndim, data.pose) for name, data, _ in robot.submitted] == [
        ("look", 3, POSE), ("walls", 1, POSE), ("walls", 1, POSE)]


def test_a_frame_that_was_taken_before_its_scan_has_its_own_pose_and_counts_from_then() -> None:
    robot = Robot(("look", "camera", 10.0), ("walls", "scan", 10.0))
    robot.streams.start(0)
    there = Pose(0.5, 2.0, 0.2)
    robot.streams.observed(Observation(
        sequence=1, age_s=0.05, pose=POSE, v_mps=0.0, w_radps=0.0, scan=SCAN, frame=FRAME,
        capture=Capture(there, 0.3)), ns(1.0), 10.0)
    assert [(name, data.pose, captured) for name, data, captured in robot.submitted] == [
        ("look", there, ns(0.75)), ("walls", POSE, ns(1.0))]


def test_a_timer_is_due_at_its_rate_from_a_drawn_phase_to_the_end() -> None:
    robot = Robot(("tick", "timer", 4.0))
    robot.streams.start(0)
    robot.streams.end(ns(10.0))
    robot.until(20.0)
    assert [data.frame.number for _, data, _ in robot.submitted] == list(range(40))
    first = robot.submitted[0][2]
    assert 0 <= first < ns(0.25)
    assert {captured - first - k * ns(0.25) for k, (_, _, captured) in enumerate(robot.submitted)} == {0}


def test_moments_while_the_robot_was_held_up_are_missed_and_one_that_starts_late_goes_on_counting() -> None:
    robot = Robot(("tick", "timer", 4.0))
    robot.now = ns(2.0)
    robot.streams.start(0)
    robot.until(2.3)
    assert robot.submitted[0][1].frame.number in (7, 8)
    before = len(robot.submitted)
    robot.now = ns(5.0)
    robot.until(5.0)
    numbers = [data.frame.number for _, data, _ in robot.submitted][before:]
    assert len(numbers) == 2                                 # the one that waited, and the newest
    assert numbers[1] - numbers[0] > 5


def span(name: str = "look", captured: float = 0.1) -> Span:
    return Span(request=RequestId("rover", 1, 1), stream=name, model="m", priority=0, captured_ns=ns(captured),
                submitted_ns=0, deadline_ns=0)


LOOKED = Input(FRAME, Frame(1, "look", 7), POSE)


def test_the_best_box_is_looked_at_closer_with_the_deadline_of_the_frame() -> None:
    robot = Robot(("look", "camera", 10.0), ("closer", "look", 10.0))
    boxes = [Detection(2, 0.9, 1.2, 2.0, 3.1, 3.5), Detection(0, 0.5, 0.0, 0.0, 8.0, 6.0)]
    robot.streams.look_closer(span(), Detections(boxes), LOOKED, lambda outcome: outcome)
    (name, data, captured), = robot.submitted
    assert (name, captured, data.frame, data.pose) == ("closer", ns(0.1), Frame(1, "closer", 7), POSE)
    assert (data.picture == FRAME[2:4, 1:4]).all()
    assert (data.box, data.left_px, data.top_px) == (boxes[0], 1, 2)
    within = cropped(data, Detection(1, 0.5, 1.0, 0.0, 2.0, 1.0))        # a crop of the crop
    assert (within.picture == FRAME[2:3, 2:3]).all()
    assert within.box == Detection(1, 0.5, 2.0, 2.0, 3.0, 3.0)


@pytest.mark.parametrize("box", [(9.0, 9.0, 9.0, 9.0), (0.0, 0.0, 0.0, 0.0), (3.0, 3.0, 3.0, 2.0)])
def test_a_crop_has_a_pixel_at_least(box: tuple[float, float, float, float]) -> None:
    assert cropped(LOOKED, Detection(0, 0.5, *box)).picture.size >= 3


@pytest.mark.parametrize(("outcome", "late", "ending", "reason", "made"), [
    (Detections([]), False, "completed", "", Classes([])), (Detections([]), True, "late", "", Classes([])),
    (None, False, "failed", NO_SOURCE, None)])
def test_nothing_to_look_at_and_no_outcome_end_the_request_without_a_run(
    outcome: Outcome | None, late: bool, ending: str, reason: str, made: Outcome | None
) -> None:
    robot = Robot(("look", "camera", 10.0), ("closer", "look", 10.0))
    robot.now = ns(0.7 if late else 0.2)
    robot.streams.look_closer(span(), outcome, LOOKED, lambda outcome: outcome)
    (ended, got), = robot.ended
    assert (ended.ending, ended.reason, ended.stream, got) == (ending, reason, "closer", made)


def test_a_stream_that_nobody_looks_at_closer_and_an_outcome_without_boxes() -> None:
    robot = Robot(("look", "camera", 10.0), ("closer", "look", 10.0))
    robot.streams.look_closer(span("closer"), Detections([]), LOOKED, lambda outcome: outcome)
    robot.streams.look_closer(span(), Mask(1, 1, b"\0"), LOOKED, lambda outcome: outcome)
    (name, data, _), = robot.submitted
    assert (name, data.picture is FRAME) == ("closer", True)


@pytest.mark.parametrize(("found", "looked"), [(3, ["best", "second"]), (1, ["best"]), (0, [])])
def test_streams_of_one_source_look_at_a_box_each_as_far_as_there_are_so_many(found: int, looked: list[str]) -> None:
    robot = Robot(("look", "camera", 10.0), ("best", "look", 10.0), ("second", "look", 10.0))
    robot.now = ns(0.2)
    robot.streams._closer["look"][1] = msgspec.structs.replace(robot.streams._closer["look"][1], box=2)
    boxes = [Detection(0, 0.9 - 0.1 * n, float(n), 0.0, n + 2.0, 2.0) for n in range(found)]
    robot.streams.look_closer(span(), Detections(boxes), LOOKED, lambda outcome: outcome)
    ran = [(name, data.box) for name, data, _ in robot.submitted if data.box is not None]
    assert ran == list(zip(looked, boxes, strict=False))
    assert sorted([*looked, *(one.stream for one, _ in robot.ended)]) == ["best", "second"]      # each counts once
    assert all(one.ending == "completed" for one, _ in robot.ended)
    assert [data.frame.number for _, data, _ in robot.submitted] == [LOOKED.frame.number] * len(robot.submitted)
