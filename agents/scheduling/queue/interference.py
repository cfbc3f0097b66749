"""How long more urgent streams of this robot can keep its executor from a less urgent run. Deterministic.

Response-time analysis (Audsley et al., Software Engineering Journal 8(5), 1993): in a window w, a stream with period T
and release jitter J has at most ceil((w + J) / T) runs. The window grows by what they take, until it grows no more. A
request may come home at any time between its frame and its deadline: that is the jitter. A run that cannot wait for the
end of a stage aborts it, and the stage runs again.
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


class _Stream(msgspec.Struct):
    name: str
    priority: int
    deadline_ns: int
    period_ns: int
    run_ns: int                      # the longest p95 of a run of it so far
    patience_ns: int = 0             # how long each of its runs can wait, whatever else comes

    def most(self, window_ns: int) -> int:
        """The most runs of it that take time of a window."""
        jitter_ns = max(0, self.deadline_ns - self.run_ns) + self.period_ns // EARLY
        return -(-(window_ns + jitter_ns) // self.period_ns)


class Interference:
    """The streams of one robot. `changed`: since its owner has last reset it."""

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}
        self._above: dict[int, list[_Stream]] = {}           # priority -> the more urgent streams
        self.changed = False

    def add_stream(self, spec: StreamSpec, p95_ns: int) -> None:
        """Add a stream of this robot; p95_ns: of a run of it."""
        self._change(_Stream(spec.name, spec.priority, ns(spec.deadline_s), ns(1.0 / spec.rate_hz), p95_ns))

    def observe_run(self, stream: str, p95_ns: int) -> None:
        """A run of a stream starts that takes this long by p95: on a slower variant, or in a batch, it takes longer."""
        known = self._streams.get(stream)
        if known is not None and p95_ns > known.run_ns:
            self._change(msgspec.structs.replace(known, run_ns=p95_ns))

    def patience_ns(self, priority: int) -> int:
        """How long streams of this priority can wait for another run of it, as far as they can be in time at all."""
        return min((each.patience_ns for each in self._streams.values() if each.priority == priority and
                    each.patience_ns > 0), default=NEVER_NS)

    def longest_ns(
        self, priority: int, window_ns: int, counted: Mapping[str, int] = NONE, redo_ns: int = 0
    ) -> int:
        """The longest time of more urgent runs while less urgent work of `window_ns` is done; NEVER_NS: no bound.

        counted: runs by stream that are part of the window already. redo_ns: the longest stage that may run again.
        """
        above = self._above.get(priority)
        if above is None:
            above = self._above[priority] = [each for each in self._streams.values() if each.priority > priority]
        if not above:
            return 0
        total_ns = 0
        for _ in range(MOST_ROUNDS):
            more_ns = sum(
                (stream.run_ns + TURN_NS + (redo_ns + REDO_NS if redo_ns > max(0, stream.patience_ns) else 0))
                * max(0, stream.most(window_ns + total_ns) - counted.get(stream.name, 0))
                for stream in above)
            if more_ns <= total_ns:
                return total_ns
            total_ns = more_ns
        return NEVER_NS

    def _change(self, stream: _Stream) -> None:
        self._streams[stream.name] = stream
        self._above.clear()
        self.changed = True
        for each in self._streams.values():
            waits_ns = each.run_ns + 2 * TURN_NS + self.longest_ns(each.priority, each.deadline_ns)
            each.patience_ns = each.deadline_ns - each.period_ns // EARLY - waits_ns
