"""How long more urgent streams of this robot can keep its executor from a less urgent run. Deterministic.

Response-time analysis (Audsley et al., Software Engineering Journal 8(5), 1993): in a window w, a stream with period T
and release jitter J has at most ceil((w + J) / T) runs. The window grows by what they take, until it grows no more. A
request may come home at any time between its frame and its deadline: that is the jitter.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from agents.scheduling.due_frames import EARLY
from agents.scheduling.queue.margins import REDO_NS, TURN_NS
from swarm.core.policy.plan import StreamSpec
from swarm.core.units import NEVER_NS, ns

MOST_ROUNDS = 20                     # then the window is taken as endless


NONE: Mapping[str, int] = {}


class _Stream(msgspec.Struct, frozen=True):
    priority: int
    run_ns: int                      # the longest p95 of a run of it so far
    period_ns: int
    jitter_ns: int


class Interference:
    """The streams of one robot. `changed`: since its owner has last reset it."""

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}
        self._above: dict[int, list[tuple[str, _Stream]]] = {}       # priority -> the more urgent streams
        self.changed = False

    def add_stream(self, stream: StreamSpec, p95_ns: int) -> None:
        """Add a stream of this robot; p95_ns: of a run of it."""
        period_ns = ns(1.0 / stream.rate_hz)
        self._streams[stream.name] = _Stream(
            stream.priority, p95_ns, period_ns, max(0, ns(stream.deadline_s) - p95_ns) + period_ns // EARLY)
        self._above.clear()
        self.changed = True

    def observe_run(self, stream: str, p95_ns: int) -> None:
        """A run of a stream starts that takes this long by p95: on a slower variant, or in a batch, it takes longer."""
        known = self._streams.get(stream)
        if known is not None and p95_ns > known.run_ns:
            self._streams[stream] = msgspec.structs.replace(known, run_ns=p95_ns)
            self._above.clear()
            self.changed = True

    def longest_ns(self, priority: int, window_ns: int, counted: Mapping[str, int] = NONE, redo_ns: int = 0) -> int:
        """The longest time of more urgent runs while less urgent work of `window_ns` is done; NEVER_NS: no bound.

        counted: runs by stream that are part of the window already. redo_ns: the most that one of them makes lost.
        """
        if priority not in self._above:
            self._above[priority] = [each for each in self._streams.items() if each[1].priority > priority]
        above = self._above[priority]
        total_ns = 0
        for _ in range(MOST_ROUNDS if above else 0):
            busy_ns = window_ns + total_ns
            more_ns = sum(
                (stream.run_ns + TURN_NS + redo_ns + REDO_NS)
                * max(0, -(-(busy_ns + stream.jitter_ns) // stream.period_ns) - counted.get(name, 0))
                for name, stream in above)
            if more_ns <= total_ns:
                return total_ns
            total_ns = more_ns
        return NEVER_NS if above else 0
