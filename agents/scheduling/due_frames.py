"""Which frames are due on which stream. Deterministic."""

from __future__ import annotations

from swarm.core.policy.draw import uniform
from swarm.core.policy.plan import StreamSpec
from swarm.core.units import ns


class DueFrames:
    """Subsamples a camera to every stream's rate. Every due frame becomes a request.

    Each stream of each robot starts at a drawn phase, as unsynchronised cameras do: otherwise all requests of the team
    would arrive at the same time.
    """

    def __init__(self, streams: list[StreamSpec], robot: str, seed: int) -> None:
        self._streams = streams
        self._phase_ns = {s.name: ns(uniform(seed, "phase", robot, s.name) / s.rate_hz) for s in streams}
        self._next_ns: dict[str, int] = {}

    def due(self, captured_ns: int) -> list[StreamSpec]:
        """Streams on which the frame taken at `captured_ns` is due; a tenth of a period early still counts."""
        due: list[StreamSpec] = []
        for stream in self._streams:
            period_ns = ns(1.0 / stream.rate_hz)
            at_ns = self._next_ns.setdefault(stream.name, captured_ns + self._phase_ns[stream.name])
            if captured_ns < at_ns - period_ns // 10:
                continue
            behind = captured_ns - at_ns > period_ns             # the camera has paused
            self._next_ns[stream.name] = (captured_ns if behind else at_ns) + period_ns
            due.append(stream)
        return due
