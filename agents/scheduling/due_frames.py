"""Which frames are due on which stream. Deterministic."""

from __future__ import annotations

from dataclasses import dataclass

from swarm.core.policy.draw import uniform
from swarm.core.policy.plan import StreamSpec
from swarm.core.units import ns

EARLY = 10                           # a frame counts for a due moment up to 1/10 of a period before it


@dataclass(slots=True)
class _Grid:
    """The due moments of one stream: number n at anchor_ns + n * period_ns."""

    period_ns: int
    phase_ns: int                    # from the start of the streams to the first frame that is taken
    anchor_ns: int = 0
    last: int = -1                   # number of the last frame that was taken


class DueFrames:
    """Subsamples a camera to every stream's rate. Every due frame becomes a request.

    A stream's grid has one due moment per period, from the start of the streams on. Its first frame fixes where in the
    period these moments lie: where the camera takes its pictures. A frame serves the newest due moment; moments that
    were skipped, since no frame came, are missed, and their numbers are not used again. Each stream of each robot
    begins at a drawn phase, as unsynchronised cameras do: otherwise all requests would arrive at the same time.
    """

    def __init__(self, streams: list[StreamSpec], robot: str, seed: int, start_ns: int) -> None:
        """start_ns: when the streams of the run began, on this robot's clock."""
        self._start_ns = start_ns
        self._streams = [
            (stream, _Grid(ns(1.0 / stream.rate_hz), ns(uniform(seed, "phase", robot, stream.name) / stream.rate_hz)))
            for stream in streams]

    def due(self, captured_ns: int) -> list[tuple[StreamSpec, int]]:
        """Streams on which the frame taken at `captured_ns` is due, each with its number on the stream's grid."""
        due: list[tuple[StreamSpec, int]] = []
        for stream, grid in self._streams:
            number = self._number(grid, captured_ns)
            if number > grid.last:
                grid.last = number
                due.append((stream, number))
        return due

    def _number(self, grid: _Grid, captured_ns: int) -> int:
        """The newest due moment; one that was served already if the frame is not due. Sets the grid's anchor."""
        early_ns = grid.period_ns // EARLY
        if grid.last < 0:
            if captured_ns < self._start_ns + grid.phase_ns - early_ns:
                return -1
        else:
            number = (captured_ns - grid.anchor_ns + early_ns) // grid.period_ns
            if number <= grid.last + 1:
                return number
        # the first frame, or the first one after a pause: the camera may now take its pictures at another phase
        number = max(grid.last + 1, (captured_ns - self._start_ns) // grid.period_ns)
        grid.anchor_ns = captured_ns - number * grid.period_ns
        return number
