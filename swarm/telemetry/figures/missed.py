"""Frames that fell due and of which no request was made, and what missed each."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

from swarm.core.protocol.messages import Slip
from swarm.core.protocol.spans import Frame, RequestId, Span
from swarm.core.settings.launch_file import LaunchFile, StreamOn
from swarm.telemetry.figures.presence import Presence
from swarm.telemetry.figures.recovery.fault_records import FaultDone
from swarm.telemetry.ledger import Row

EARLY = 0.1                          # of a period: so much earlier a frame may fall due
SILENT, AWAY = ("dropout",), ("kill", "restart", "stop", "crash", "battery")     # faults of a body, of a process
SILENT_S = 1.0                       # a world reports twice a second: after this silence it was held up


def missed_rows(
    launch: LaunchFile, rows: Iterable[Row], slips: Iterable[Slip], ran_s: float, presence: Presence | None = None,
    faults: Iterable[FaultDone] = (),
) -> list[Row]:
    """A row for each frame that was due in [0, ran_s) and was not submitted, in order of robot, stream and time.

    A stream of a robot has rate_hz x time present due frames, in whole frames (one more if its first one comes early in
    its period), whatever became of the robot; a robot is there all the time, but for those that join or leave by the
    launch file. Those that lie in the gaps between its submitted ones are missed: by the `world` while it slipped, by
    the `body` while one of the robot's sensors dropped out and its process ran, else by the `agent` (which was dead,
    stopped or too busy).
    """
    faults = list(faults)
    presence = presence or Presence(launch)
    submitted: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.frame is not None:
            submitted.setdefault((row.span.request.agent, row.frame.stream), []).append(row)
    slipped = [(slip.from_s, slip.to_s) for slip in slips]
    missed, ids = list[Row](), Counter[str]()
    for robot, stream in streams_of(launch):
        own = sorted(submitted.get((robot, stream.name), []), key=lambda row: row.due_s)
        from_s, to_s = presence.span_s(robot, ran_s)
        wanted = max(_whole(to_s - from_s, 1.0 / stream.rate_hz) - len(own), 0)
        gaps = _gaps(own, 1.0 / stream.rate_hz, from_s, to_s)
        gaps += [(to_s, gaps[-1][1] if gaps else 0)] * (wanted - len(gaps))     # uneven frames have fewer gaps
        silent, away = (_spans(faults, kinds, robot, own, ran_s) for kinds in (SILENT, AWAY))
        for at_s, number in gaps[:wanted]:
            ids[robot] += 1
            by = "world" if _within(at_s, slipped, stream) else "agent" if _within(at_s, away, stream) else (
                "body" if _within(at_s, silent, stream) else "agent")
            missed.append(_row(robot, stream, at_s, number, ids[robot], by))
    return missed


def streams_of(launch: LaunchFile) -> list[tuple[str, StreamOn]]:
    """Every robot with each of its streams."""
    return [(robot, stream) for fleet in launch.fleet for stream in launch.streams if fleet.name in stream.on
            for robot in fleet.robots()]


def whole_slips(slips: Iterable[Slip], elapsed_s: float, ran_s: float) -> list[Slip]:
    """The slips of a world whose last report was of `elapsed_s`: after it, it may have been held up to the end."""
    silent_s = ran_s - elapsed_s
    return [*slips, *([Slip(elapsed_s, ran_s, silent_s)] if silent_s > SILENT_S else [])]


def _whole(time_s: float, period_s: float) -> int:
    """Frames that fall due in this time, whatever the phase of their grid."""
    return int(time_s / period_s + EARLY)


def _gaps(own: Sequence[Row], period_s: float, from_s: float, to_s: float) -> list[tuple[float, int]]:
    """The due moments of a stream without a submitted frame, in order, each with its number on the stream's grid."""
    if not own:
        before = round(from_s / period_s)
        return [(from_s + (n + 0.5) * period_s, before + n) for n in range(_whole(to_s - from_s, period_s))]
    first, last = own[0], own[-1]
    free = [(max(first.due_s - k * period_s, from_s), _number(first) - k)
            for k in range(int((first.due_s - from_s) / period_s + EARLY), 0, -1)]
    for row, following in itertools.pairwise(own):
        between = round((following.due_s - row.due_s) / period_s) - 1
        free += [(row.due_s + k * period_s, _number(row) + k) for k in range(1, between + 1)]
    after = int((to_s - last.due_s) / period_s + 1 - EARLY)
    return free + [(last.due_s + k * period_s, _number(last) + k) for k in range(1, after + 1)]


def _number(row: Row) -> int:
    return row.frame.number if row.frame else 0


def _spans(
    faults: Iterable[FaultDone], kinds: Sequence[str], robot: str, own: Sequence[Row], ran_s: float
) -> list[tuple[float, float]]:
    """When faults of these kinds hit a robot; one without an end lasts until the robot submits again."""
    begun = [(done.done_s, done.ended_s) for done in faults
             if done.fault.kind in kinds and done.fault.target == robot and done.done_s is not None]
    return [(from_s, next((row.due_s for row in own if row.due_s > from_s), ran_s) if to_s is None else to_s)
            for from_s, to_s in begun]


def _within(at_s: float, spans: Iterable[tuple[float, float]], stream: StreamOn) -> bool:
    """Whether a frame that fell due then, or half a period away, lies in one of the spans."""
    half_s = 0.5 / stream.rate_hz
    return any(from_s - half_s < at_s < to_s + half_s for from_s, to_s in spans)


def _row(robot: str, stream: StreamOn, at_s: float, number: int, sequence: int, missed_by: str) -> Row:
    """The row of a missed frame. Its id is of no start of the robot's process: boot 0."""
    span = Span(
        request=RequestId(robot, 0, sequence), stream=stream.name, model=stream.model, priority=stream.priority,
        captured_ns=0, submitted_ns=0, deadline_ns=0, ending="missed", reason=missed_by)
    return Row(span=span, at_s=at_s, due_s=at_s, frame=Frame(0, stream.name, max(number, 0)))
