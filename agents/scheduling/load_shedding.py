"""Load shedding: what a robot stops running under a lasting overload, and when it resumes it. Deterministic.

The steps, taken one at a time in this order and undone in the reverse order:

1. cheaper: streams run on the fastest variant of their agent (each has passed its card's gate), even if a plan names a
   more accurate one;
2. thin: on the less urgent streams only every second due frame runs, then every fourth;
3. drop: no frame of the least urgent priority runs, then none of the next one. The most urgent priority is never
   dropped; as the last step it is thinned.

A step is taken when a priority misses deadlines, and affects streams of that priority or of a lower one. A frame that
is shed is still submitted, and its request fails with THINNED or DROPPED. Replacing older frames and dropping expired
ones continues as usual: these handle short overloads. After an undo that did not last, the next undo waits twice as
long.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from swarm.core.policy.plan import StreamSpec
from swarm.core.protocol.spans import Span
from swarm.core.units import ns

THINNED, DROPPED = "thinned", "dropped"
MISSES = ("superseded", "expired", "no_answer", "overdue")   # failure reasons that mean that time was too short
WINDOW_NS = ns(2.0)                  # ended requests are counted over this time
MISS_SHARE = 0.2                     # a priority is overloaded if more than this share misses, and
MIN_MISSES = 3                       # at least this many
CALM_NS, MAX_CALM_NS = ns(6.0), ns(96.0)     # time without overload before a step is undone: initial, longest
PROBE_NS = 2 * WINDOW_NS             # an undo lasted if no step is needed within this time
THIN_FACTORS = (2, 4)


class Step(msgspec.Struct, frozen=True):
    """One step of load shedding."""

    what: Literal["cheaper", "thin", "drop"]
    priority: int = 0                # of the streams that it affects
    every: int = 1                   # one of this many frames runs

    def __str__(self) -> str:
        if self.what == "cheaper":
            return "cheaper variants"
        return f"{self.what} priority {self.priority}" + (f" to 1 in {self.every}" if self.what == "thin" else "")


class LoadShedding:
    """The steps in force on one robot."""

    def __init__(self) -> None:
        self.steps: list[Step] = []                          # in the order in which they were taken
        self._streams: dict[str, tuple[int, bool]] = {}      # priority; whether it would meet its deadline alone
        self._frames: dict[str, int] = {}                    # by stream: due frames since the first step
        self._ended: dict[int, list[int]] = {}               # by priority, in this window: all, and misses
        self._window_ns = 0                                  # start of the window
        self._changed_ns = self._undone_ns = 0               # times of the last change, and of an undo on trial
        self._calm_ns = CALM_NS

    def add_stream(self, stream: StreamSpec, p95_s: float) -> None:
        """Add a stream of this robot. p95_s: how long one of its runs takes here.

        The misses of a stream that could not meet its deadline even alone are ignored.
        """
        self._streams[stream.name] = stream.priority, p95_s <= stream.deadline_s

    def shed_reason(self, stream: StreamSpec, now: int) -> str:
        """The reason why a due frame is not run; empty: it runs."""
        self._close_window(now)
        frame = self._frames[stream.name] = self._frames.get(stream.name, -1) + 1
        every = 1
        for step in self.steps:
            if step.what != "cheaper" and step.priority == stream.priority:
                if step.what == "drop":
                    return DROPPED
                every = step.every
        return THINNED if frame % every else ""

    def observe_end(self, span: Span, now: int) -> None:
        """Count the end of a request of this robot."""
        if span.reason in (THINNED, DROPPED) or not self._streams.get(span.stream, (0, False))[1]:
            return
        counts = self._ended.setdefault(span.priority, [0, 0])
        counts[0] += 1
        counts[1] += span.ending == "late" or span.reason in MISSES
        if now - self._window_ns >= WINDOW_NS:
            self._close_window(now)

    def _close_window(self, now: int) -> None:
        """At the end of a window: take one step, undo one, or do nothing."""
        if now - self._window_ns < WINDOW_NS:
            return
        missing = [priority for priority, (ended, missed) in self._ended.items()
                   if missed >= MIN_MISSES and missed > MISS_SHARE * ended]
        self._window_ns = now                                # counts too small to judge go on into the next window
        self._ended = {} if missing else {level: ends for level, ends in self._ended.items() if ends[0] < MIN_MISSES}
        if missing:
            self._take_step(max(missing), now)
            return
        if self._undone_ns and now - self._undone_ns > PROBE_NS:
            self._undone_ns, self._calm_ns = 0, CALM_NS      # the undo lasted
        if self.steps and now - self._changed_ns >= self._calm_ns:
            self._undo_step(now)

    def _take_step(self, priority: int, now: int) -> None:
        """Take the next step that helps streams of this priority."""
        left = (step for step in self._ladder() if step not in self.steps)
        step = next((step for step in left if step.what == "cheaper" or step.priority <= priority), None)
        if step is not None:
            self.steps.append(step)
        if self._undone_ns:                                  # the undo did not last
            self._undone_ns, self._calm_ns = 0, min(2 * self._calm_ns, MAX_CALM_NS)
        self._changed_ns = now

    def _undo_step(self, now: int) -> None:
        self.steps.pop()
        self._changed_ns = self._undone_ns = now
        if not self.steps:
            self._frames.clear()

    def _ladder(self) -> Iterator[Step]:
        """All steps, in order."""
        *lower, top = sorted({priority for priority, _ in self._streams.values()})
        yield Step("cheaper")
        for every in THIN_FACTORS:
            yield from (Step("thin", priority, every) for priority in lower)
        yield from (Step("drop", priority) for priority in lower)
        yield from (Step("thin", top, every) for every in THIN_FACTORS)
