"""Which frames fall due on which stream. Deterministic."""

from __future__ import annotations

from swarm.core.clock import ns
from swarm.core.plan import StreamSpec


class DueFrames:
    """Subsamples a camera to every stream's rate. Every frame that falls due becomes a request."""

    def __init__(self, streams: list[StreamSpec]) -> None:
        self._next_ns = {stream.name: 0 for stream in streams}
        self._streams = streams

    def due(self, captured_ns: int) -> list[StreamSpec]:
        """Streams on which the frame taken at `captured_ns` falls due; a tenth of a period early still counts."""
        due: list[StreamSpec] = []
        for stream in self._streams:
            period_ns = ns(1.0 / stream.rate_hz)
            at_ns = self._next_ns[stream.name]
            if captured_ns < at_ns - period_ns // 10:
                continue
            behind = captured_ns - at_ns > period_ns             # the first frame, or a camera that stood still
            self._next_ns[stream.name] = (captured_ns if behind else at_ns) + period_ns
            due.append(stream)
        return due
