"""Which frames are due on which stream. Deterministic."""

from __future__ import annotations

from dataclasses import dataclass

from swarm.core.policy.draw import uniform
from swarm.core.policy.plan import StreamSpec
from swarm.core.units import NEVER_NS, ns

EARLY = 10                           # a frame counts for a due moment up to 1/10 of a period before it


@dataclass(slots=True)
class _Grid:
    """The due moments of one stream: number n at anchor_ns + n * period_ns."""

    period_ns: int
    phase: float                     # where the stream begins, 0..1 of what is left of the period beside a camera's
    anchor_ns: int = 0
    last: int = -1                   # number of the last frame that was taken


class DueFrames:
    """Subsamples a camera to every stream's rate, while the streams run. Every due frame becomes a request.

    A stream's grid has one due moment per period, from the start of the streams on. Its first frame fixes where in the
    period these moments lie: where the camera takes its pictures. A frame serves the newest due moment; moments that
    were skipped, since no frame came, are missed, and their numbers are not used again. Where a stream takes only some
    of the frames, it begins at a drawn one: otherwise all requests of a team would arrive at the same time.
    """

    def __init__(self, streams: list[StreamSpec], robot: str, seed: int) -> None:
        self._start_ns: int | None = None
        self._end_ns = NEVER_NS
        self._streams = [(stream, _Grid(ns(1.0 / stream.rate_hz), uniform(seed, "phase", robot, stream.name)))
                         for stream in streams]

    @property
    def running(self) -> bool:
        """Whether the streams have begun, at least."""
        return self._start_ns is not None

    def start(self, at_ns: int) -> None:
        """The streams of the run began at this time on this robot's clock."""
        self._start_ns = at_ns

    def end(self, at_ns: int) -> None:
        """The streams end at this time, or earlier. Frames of earlier moments that are on their way still count."""
        self._end_ns = min(self._end_ns, at_ns)

    def due(self, captured_ns: int, camera_hz: float) -> list[tuple[StreamSpec, int]]:
        """Streams on which the frame taken at `captured_ns` is due, each with its number on the stream's grid.

        camera_hz: frames per second of the camera; 0: not known.
        """
        if self._start_ns is None or captured_ns >= self._end_ns:
            return []
        due: list[tuple[StreamSpec, int]] = []
        camera_ns = ns(1.0 / camera_hz) if camera_hz else NEVER_NS
        for stream, grid in self._streams:
            number = self._number(grid, captured_ns, self._start_ns, camera_ns)
            if number > grid.last:
                grid.last = number
                due.append((stream, number))
        return due

    def _number(self, grid: _Grid, captured_ns: int, start_ns: int, camera_ns: int) -> int:
        """The newest due moment; one that was served already if the frame is not due. Sets the grid's anchor."""
        early_ns = grid.period_ns // EARLY
        if grid.last < 0:
            phase_ns = round(grid.phase * max(grid.period_ns - camera_ns, 0))
            if captured_ns < start_ns + max(phase_ns - early_ns, 0):     # no frame falls due before the streams begin
                return -1
        else:
            number = (captured_ns - grid.anchor_ns + early_ns) // grid.period_ns
            if number <= grid.last + 1:
                return number
        # the first frame, or the first one after a pause: the camera may now take its pictures at another phase
        number = max(grid.last + 1, (captured_ns - start_ns) // grid.period_ns)
        grid.anchor_ns = captured_ns - number * grid.period_ns
        return number
