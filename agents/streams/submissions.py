"""What falls due on the streams of one robot: frames, scans, timers, and what its other streams have found.

A stream whose source is another stream looks closer: each outcome of its source is one request, of the crop of one box,
the best one unless the stream says another. It has the number of its source's frame, and its deadline counts from when
that frame was taken: one deadline for the whole chain. Where there is no such box there is nothing to look at: the
request is completed at once. Deterministic.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.performer import Input
from agents.scheduling.due_frames import DueFrames
from swarm.core.policy.draw import uniform
from swarm.core.policy.plan import StreamSpec
from swarm.core.ports import Clock, Timers
from swarm.core.protocol.spans import Frame, RequestId, Span
from swarm.core.protocol.world import Classes, Detection, Detections, Observation, Outcome, Pose
from swarm.core.settings.cards import SENSORS
from swarm.core.settings.process_files import AgentFile
from swarm.core.units import NEVER_NS, ns

NO_SOURCE = "no_source"              # the stream that it looks closer at had no outcome
NOTHING = np.empty(0, np.uint8)      # what a timer gives

Submit = Callable[[StreamSpec, Input, int], RequestId]
"""Makes a request of an input that was captured at this time, and runs it."""


class Submissions:
    """The sources of one robot's streams.

    submit: makes a request and runs it. announce: makes a request that is not run; `ended` follows with its span.
    """

    def __init__(
        self, settings: AgentFile, clock: Clock, timers: Timers, *, submit: Submit, announce: Submit,
        ended: Callable[[Span, Outcome | None, Input], None],
    ) -> None:
        self._settings, self._clock, self._timers = settings, clock, timers
        self._submit, self._announce, self._ended = submit, announce, ended
        streams, name, seed = settings.streams, settings.name, settings.seed
        self._frames, self._scans = (
            DueFrames([stream for stream in streams if stream.source == sensor], name, seed)
            for sensor in ("camera", "scan"))
        self._timed = [stream for stream in streams if stream.source == "timer"]
        self._closer: dict[str, list[StreamSpec]] = {}       # by the stream that they look closer at
        for stream in streams:
            if stream.source not in SENSORS:
                self._closer.setdefault(stream.source, []).append(stream)
        self._start_ns, self._end_ns, self._pose = 0, NEVER_NS, Pose(0.0, 0.0, 0.0)

    @property
    def running(self) -> bool:
        """Whether the streams have begun, at least."""
        return self._frames.running

    def start(self, at_ns: int) -> None:
        """The streams of the run began at this time on this robot's clock, perhaps long ago."""
        self._start_ns = at_ns
        self._frames.start(at_ns)
        self._scans.start(at_ns)
        for stream in self._timed:
            self._set_timer(stream, max(0, -(-(self._clock.now_ns() - self._due_ns(stream, 0)) // _period_ns(stream))))

    def end(self, at_ns: int) -> None:
        """The streams end at this time, or earlier."""
        self._end_ns = min(self._end_ns, at_ns)
        self._frames.end(at_ns)
        self._scans.end(at_ns)

    def observed(self, observation: Observation, captured_ns: int, sensor_hz: float) -> None:
        """Submit what is due of an observation. captured_ns: when its scan was taken.

        sensor_hz: observations with a frame per second; 0: not known.
        """
        self._pose, frame, scan = observation.pose, observation.frame, observation.scan
        if frame is not None:
            taken = observation.captured()
            taken_ns = captured_ns - ns(taken.age_s - observation.age_s)
            self._give(self._frames, frame, taken.pose, taken_ns, sensor_hz)
        if scan.size:
            self._give(self._scans, scan, observation.pose, captured_ns, sensor_hz)

    def _give(self, grid: DueFrames, reading: NDArray[Any], pose: Pose, captured_ns: int, sensor_hz: float) -> None:
        """Submit what is due of a frame or of a scan."""
        for stream, number in grid.due(captured_ns, sensor_hz):
            self._submit(stream, Input(reading, self._frame(stream, number), pose), captured_ns)

    def look_closer(
        self, span: Span, outcome: Outcome | None, data: Input, on_frame: Callable[[Outcome], Outcome],
    ) -> None:
        """A request has ended: submit those of streams that look closer. on_frame: as `Offer.on_frame`, of its picture.
        """
        for stream in self._closer.get(span.stream, ()):
            kept = msgspec.structs.replace(data, frame=self._frame(stream, data.frame.number))
            if outcome is None:
                self._end_unrun(stream, kept, span.captured_ns, NO_SOURCE)
            elif not isinstance(outcome, Detections) and stream.box == 1:
                self._submit(stream, kept, span.captured_ns)
            elif isinstance(outcome, Detections) and (its := outcome.boxes[stream.box - 1:stream.box]):
                seen = on_frame(Detections(its))
                assert isinstance(seen, Detections)
                self._submit(stream, cropped(kept, seen.boxes[0]), span.captured_ns)
            else:
                self._end_unrun(stream, kept, span.captured_ns, "")

    def _end_unrun(self, stream: StreamSpec, data: Input, captured_ns: int, reason: str) -> None:
        """A request without a run: it failed for this reason, or else there is nothing to look at."""
        request, now = self._announce(stream, data, captured_ns), self._clock.now_ns()
        deadline_ns = captured_ns + ns(stream.deadline_s)
        span = Span(
            request=request, stream=stream.name, model=stream.model, priority=stream.priority, captured_ns=captured_ns,
            submitted_ns=now, deadline_ns=deadline_ns, ended_ns=now, reason=reason,
            ending="failed" if reason else "completed" if now <= deadline_ns else "late")
        if not reason:
            span.ran_on, span.started_ns, span.finished_ns = self._settings.name, now, now
        self._ended(span, None if reason else Classes([]), data)

    def _set_timer(self, stream: StreamSpec, number: int) -> None:
        due_ns = self._due_ns(stream, number)
        self._timers.at(due_ns, partial(self._tick, stream, number, due_ns))

    def _tick(self, stream: StreamSpec, number: int, due_ns: int) -> None:
        """A due moment of a timer. Moments that passed meanwhile, while this robot was held up, are missed."""
        if due_ns >= self._end_ns:
            return
        newest = (self._clock.now_ns() - self._due_ns(stream, 0)) // _period_ns(stream)
        self._submit(stream, Input(NOTHING, self._frame(stream, number), self._pose), due_ns)
        self._set_timer(stream, max(number + 1, newest))

    def _due_ns(self, stream: StreamSpec, number: int) -> int:
        """The moment of this number, on a grid with a drawn phase: else all robots of a team would ask at once."""
        phase = uniform(self._settings.seed, "phase", self._settings.name, stream.name)
        return self._start_ns + round(phase * _period_ns(stream)) + number * _period_ns(stream)

    def _frame(self, stream: StreamSpec, number: int) -> Frame:
        return Frame(self._settings.incarnation, stream.name, number)


def cropped(data: Input, box: Detection) -> Input:
    """The part of a picture within a box, at least one pixel."""
    height, width = data.picture.shape[:2]
    left, top = (min(max(int(at), 0), size - 1) for at, size in ((box.x0_px, width), (box.y0_px, height)))
    right, bottom = (min(max(-int(-at // 1), low + 1), size)
                     for at, low, size in ((box.x1_px, left, width), (box.y1_px, top, height)))
    return msgspec.structs.replace(
        data, picture=np.ascontiguousarray(data.picture[top:bottom, left:right]), box=shifted(box, data),
        left_px=data.left_px + left, top_px=data.top_px + top)


def shifted(box: Detection, data: Input) -> Detection:
    """A box of a picture in pixels of the robot's frame."""
    if not (data.left_px or data.top_px):
        return box
    return Detection(box.label, box.score, box.x0_px + data.left_px, box.y0_px + data.top_px,
                     box.x1_px + data.left_px, box.y1_px + data.top_px)


def in_frame(seen: Outcome, data: Input) -> Outcome:
    """An outcome of a crop in pixels of the robot's frame; a mask is of the crop alone."""
    if not isinstance(seen, Detections) or not (data.left_px or data.top_px):
        return seen
    return Detections([shifted(box, data) for box in seen.boxes])


def _period_ns(stream: StreamSpec) -> int:
    return ns(1.0 / stream.rate_hz)
