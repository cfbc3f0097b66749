"""Frames that fell due and of which no request was made, and what missed each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from swarm.core.protocol.messages import Slip
from swarm.core.protocol.spans import Frame, RequestId, Span
from swarm.core.settings.launch_file import LaunchFile, StreamOn
from swarm.telemetry.ledger import Row

SILENT_S = 1.0                       # a world reports twice a second: after this silence it was held up


def missed_rows(launch: LaunchFile, rows: Iterable[Row], slips: Iterable[Slip], ran_s: float) -> list[Row]:
    """A row for each frame that was due in [0, ran_s) and was not submitted, in order of robot, stream and number.

    A stream of a robot has round(rate_hz * ran_s) due frames, whatever became of the robot. Those whose number was not
    submitted are missed: by the `world` while it slipped, else by the `agent` (which was dead, stopped or too busy).
    """
    submitted: dict[tuple[str, str], dict[int, float]] = {}
    for row in rows:
        if row.frame is not None:
            submitted.setdefault((row.span.request.agent, row.frame.stream), {})[row.frame.number] = row.due_s
    slips = list(slips)
    missed: list[Row] = []
    for robot, stream in streams_of(launch):
        missed += _missed_of(robot, stream, submitted.get((robot, stream.name), {}), slips, ran_s)
    return missed


def streams_of(launch: LaunchFile) -> list[tuple[str, StreamOn]]:
    """Every robot with each of its streams."""
    return [(robot, stream) for fleet in launch.fleet for stream in launch.streams if fleet.name in stream.on
            for robot in fleet.robots()]


def due_count(stream: StreamOn, ran_s: float) -> int:
    """How many frames of one robot's stream fall due while the streams run for `ran_s`."""
    return round(stream.rate_hz * ran_s)


def whole_slips(slips: Iterable[Slip], elapsed_s: float, ran_s: float) -> list[Slip]:
    """The slips of a world whose last report was of `elapsed_s`: after it, it may have been held up to the end."""
    silent_s = ran_s - elapsed_s
    return [*slips, *([Slip(elapsed_s, ran_s, silent_s)] if silent_s > SILENT_S else [])]


def _missed_of(
    robot: str, stream: StreamOn, submitted: dict[int, float], slips: Sequence[Slip], ran_s: float
) -> list[Row]:
    period_s, due = 1.0 / stream.rate_hz, due_count(stream, ran_s)
    number, due_s = next(iter(submitted.items()), (0, period_s / 2))
    phase_s = due_s - number * period_s              # of the stream's first due frame
    absent = [n for n in range(due) if n not in submitted][:max(due - len(submitted), 0)]
    made = []
    for n in absent:
        at_s = phase_s + n * period_s
        by_world = any(slip.from_s - period_s / 2 < at_s < slip.to_s + period_s / 2 for slip in slips)
        span = Span(
            request=RequestId(robot, 0, n), stream=stream.name, model=stream.model, priority=stream.priority,
            captured_ns=0, submitted_ns=0, deadline_ns=0, ending="missed", reason="world" if by_world else "agent")
        made.append(Row(span=span, at_s=at_s, due_s=at_s, frame=Frame(0, stream.name, n)))
    return made
