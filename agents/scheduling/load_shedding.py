"""What a robot gives up when its streams' requests cannot all be met, and how it takes it up again. Deterministic.

In this order, a step at a time, and back in the reverse order:

1. cheaper: streams run on the fastest variant that their agent has (each has passed its card's gate), whatever a plan
   says of a more accurate one;
2. thin: of the frames that fall due on the less urgent streams only every second, then every fourth runs;
3. drop: none of the least urgent level's runs, then none of the next one's. The most urgent level is never dropped:
   last of all, it is thinned.

A step is taken for a level that misses, and from it or less urgent ones only. A frame that is not run is
submitted all the same, and ends as failed by THINNED or DROPPED. Newest wins and expiry go on as ever: this is for what
lasts. A step back that has to be taken again soon is tried again after twice as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from swarm.core.policy.plan import StreamSpec
from swarm.core.protocol.spans import Span
from swarm.core.units import ns

THINNED, DROPPED = "thinned", "dropped"
MISSES = ("superseded", "expired", "no_answer")      # reasons that say that time did not suffice
WINDOW_NS = ns(2.0)                  # over which ends are counted
MISSED = 0.2                         # share of a priority's that misses: then not all can be met
LEAST_MISSES = 3
CALM_NS, LONGEST_CALM_NS = ns(6.0), ns(96.0)     # without a miss before a step back is tried
PROBE_NS = 2 * WINDOW_NS             # a step back that is undone by then did not hold
EVERY = (2, 4)


class Step(msgspec.Struct, frozen=True):
    """One thing that is given up."""

    what: Literal["cheaper", "thin", "drop"]
    priority: int = 0                # of the streams that it is taken from
    every: int = 1                   # of so many frames one is run

    def __str__(self) -> str:
        if self.what == "cheaper":
            return "cheaper variants"
        return f"{self.what} priority {self.priority}" + (f" to 1 in {self.every}" if self.what == "thin" else "")


class LoadShedding:
    """The steps that hold on one robot."""

    def __init__(self) -> None:
        self.steps: list[Step] = []                          # that hold, in the order in which they were taken
        self._streams: dict[str, tuple[int, bool]] = {}      # priority; whether it could be met if it were alone
        self._frames: dict[str, int] = {}                    # of each stream, since something was first given up
        self._ended: dict[int, list[int]] = {}               # by priority, in this window: all, and misses
        self._window_ns = 0                                  # when it began
        self._changed_ns = self._back_ns = 0                 # when the last step was taken, and the last back
        self._calm_ns = CALM_NS

    def meets(self, stream: StreamSpec, p95_s: float) -> None:
        """A stream of this robot, and what one run of it takes here. One that has no hope costs the others nothing."""
        self._streams[stream.name] = stream.priority, p95_s <= stream.deadline_s

    def refuses(self, stream: StreamSpec, now: int) -> str:
        """Why a frame that falls due is not to be run; empty: it is."""
        self._look(now)
        frame = self._frames[stream.name] = self._frames.get(stream.name, -1) + 1
        every = 1
        for step in self.steps:
            if step.what != "cheaper" and step.priority == stream.priority:
                if step.what == "drop":
                    return DROPPED
                every = step.every
        return THINNED if frame % every else ""

    def ended(self, span: Span, now: int) -> None:
        """A request of this robot has ended."""
        if span.reason in (THINNED, DROPPED) or not self._streams.get(span.stream, (0, False))[1]:
            return
        counts = self._ended.setdefault(span.priority, [0, 0])
        counts[0] += 1
        counts[1] += span.ending == "late" or span.reason in MISSES
        if now - self._window_ns >= WINDOW_NS:
            self._look(now)

    def _look(self, now: int) -> None:
        """At the end of a window: one step, or one back, or none."""
        if now - self._window_ns < WINDOW_NS:
            return
        missing = [priority for priority, (ended, missed) in self._ended.items()
                   if missed >= LEAST_MISSES and missed > MISSED * ended]
        self._window_ns = now                                # a few ends of slow streams are kept for the next
        self._ended = {} if missing else {which: ends for which, ends in self._ended.items() if ends[0] < LEAST_MISSES}
        if missing:
            self._step(max(missing), now)
            return
        if self._back_ns and now - self._back_ns > PROBE_NS:
            self._back_ns, self._calm_ns = 0, CALM_NS        # it has held
        if self.steps and now - self._changed_ns >= self._calm_ns:
            self._step_back(now)

    def _step(self, priority: int, now: int) -> None:
        """For streams of this priority."""
        left = (step for step in self._ladder() if step not in self.steps)
        step = next((step for step in left if step.what == "cheaper" or step.priority <= priority), None)
        if step is not None:
            self.steps.append(step)
        if self._back_ns:                                    # a step back that did not hold
            self._back_ns, self._calm_ns = 0, min(2 * self._calm_ns, LONGEST_CALM_NS)
        self._changed_ns = now

    def _step_back(self, now: int) -> None:
        self.steps.pop()
        self._changed_ns = self._back_ns = now
        if not self.steps:
            self._frames.clear()

    def _ladder(self) -> Iterator[Step]:
        """All steps, in order."""
        *lower, top = sorted({priority for priority, _ in self._streams.values()})
        yield Step("cheaper")
        for every in EVERY:
            yield from (Step("thin", priority, every) for priority in lower)
        yield from (Step("drop", priority) for priority in lower)
        yield from (Step("thin", top, every) for every in EVERY)
