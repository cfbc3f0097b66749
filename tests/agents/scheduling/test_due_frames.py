"""Which frames are due on which stream, and their numbers: one due moment per period, whatever the camera does."""

from __future__ import annotations

import math

import pytest

from agents.scheduling.due_frames import DueFrames
from swarm.core.policy.plan import StreamSpec
from swarm.core.units import ns

START_NS = ns(100.0)


def spec(name: str, rate_hz: float) -> StreamSpec:
    return StreamSpec(name=name, model="m", rate_hz=rate_hz, deadline_s=1.0)


class Camera:
    """A robot with one stream; `sees` gives the number of the due frame at a time since the start, if one is due."""

    def __init__(self, rate_hz: float, robot: str = "rover_0", camera_hz: float = 5.0) -> None:
        self._due, self._camera_hz = DueFrames([spec("only", rate_hz)], robot, 1), camera_hz
        self._due.start(START_NS)
        self.end = self._due.end
        self.taken: list[int] = []

    def sees(self, at_s: float) -> int | None:
        due = self._due.due(START_NS + ns(at_s), self._camera_hz)
        self.taken += [number for _, number in due]
        return due[0][1] if due else None

    def looks(self, from_s: float, to_s: float) -> None:
        for k in range(math.ceil((to_s - from_s) * self._camera_hz - 1e-6)):
            self.sees(from_s + k / self._camera_hz)


def test_streams_take_the_share_of_frames_that_their_rate_asks_for() -> None:
    due = DueFrames([spec("all", 5), spec("some", 2), spec("few", 1)], "rover_0", 1)
    due.start(START_NS)
    count = {"all": 0, "some": 0, "few": 0}
    for frame in range(100):                                 # 20 s at 5 Hz, with jitter
        for stream, _ in due.due(START_NS + ns(0.2 * frame) + (frame * 7919 % 5) * 1_000_000, 5.0):
            count[stream.name] += 1
    assert count["all"] == pytest.approx(100, abs=1)
    assert count["some"] == pytest.approx(40, abs=1)
    assert count["few"] == pytest.approx(20, abs=1)


@pytest.mark.parametrize("robot", ["rover_0", "rover_1", "rover_2", "rover_3"])
@pytest.mark.parametrize(("rate_hz", "camera_hz"), [
    (5.0, 5.0), (1.0, 5.0), (2.5, 5.0), (0.5, 5.0), (5.0, 15.0), (3.0, 15.0), (10.0, 10.0)])
@pytest.mark.parametrize("first", [0.0, 0.15, 0.95])
def test_an_even_camera_serves_every_number_once(rate_hz: float, camera_hz: float, first: float, robot: str) -> None:
    """Wherever in its period the camera takes its pictures, and at whichever frame the stream begins."""
    camera = Camera(rate_hz, robot, camera_hz)
    camera.looks(first / camera_hz, 20.0)
    assert camera.taken == list(range(round(20.0 * rate_hz)))


def test_a_rate_that_does_not_divide_the_cameras_misses_one_frame_at_most() -> None:
    camera = Camera(3.0)
    camera.looks(0.0, 20.0)
    assert camera.taken in (list(range(59)), list(range(60)))


def test_nothing_is_due_before_the_start_nor_from_the_end_on_but_what_is_on_its_way_is() -> None:
    due = DueFrames([spec("only", 5.0)], "rover_0", 1)
    assert due.due(START_NS, 5.0) == []
    assert not due.running
    camera = Camera(5.0)
    camera.looks(0.05, 3.0)
    camera.end(START_NS + ns(4.0))
    camera.end(START_NS + ns(9.0))                           # a later end changes nothing
    assert camera.sees(3.85) == 19
    assert camera.sees(4.05) is None


def test_a_picture_taken_just_before_the_start_is_not_due_and_the_next_one_is_number_0() -> None:
    camera = Camera(rate_hz=5.0, camera_hz=5.0)
    assert camera.sees(-0.006) is None
    assert camera.sees(0.194) == 0
    assert camera.sees(0.394) == 1


def test_a_camera_of_unknown_rate_begins_at_once() -> None:
    assert Camera(1.0, camera_hz=0.0).sees(0.03) == 0


def test_the_numbers_of_a_pause_are_missed_and_no_burst_follows() -> None:
    camera = Camera(5.0)
    camera.looks(0.0, 4.0)
    before = camera.taken[-1]
    assert camera.sees(8.07) == pytest.approx(before + 21, abs=1)        # 4.27 s after the last frame
    camera.looks(8.27, 20.07)                                # the camera goes on at another phase
    assert len(camera.taken) == pytest.approx(100 - 20, abs=1)
    assert camera.taken[-1] <= 99
    after = [number for number in camera.taken if number > before]
    assert after == list(range(after[0], after[0] + len(after)))


def test_one_dropped_frame_shifts_no_number() -> None:
    whole, holed = Camera(5.0), Camera(5.0)
    numbers = {at: whole.sees(0.2 * at) for at in range(50)}
    for at in range(50):
        if at != 20:
            assert holed.sees(0.2 * at) == numbers[at]
    assert set(numbers.values()) - set(holed.taken) - {None} == {numbers[20]}


def test_a_robot_that_was_restarted_goes_on_counting_where_the_run_is() -> None:
    """Its new process is told when the streams began."""
    first, second = Camera(5.0), Camera(5.0)
    first.looks(0.05, 6.05)
    second.looks(9.05, 20.05)
    assert set(first.taken).isdisjoint(second.taken)
    assert second.taken[0] == pytest.approx(45, abs=1)
    assert second.taken[-1] <= 99


def test_robots_begin_at_phases_of_their_own() -> None:
    first = []
    for robot in ("rover_0", "rover_1", "rover_2", "rover_3"):
        camera = Camera(0.5, robot)
        first.append(next(frame for frame in range(20) if camera.sees(0.2 * frame) is not None))
    assert len(set(first)) > 1
