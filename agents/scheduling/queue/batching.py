"""Which waiting runs join one that is to start: several inputs of one variant take less time at once. Deterministic.

Nothing waits for others to join it, and nothing pays for them: with its companions each run is still expected to be in
time, and what is passed over is no less urgent than they are and in time after them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import islice

from agents.scheduling.queue.queued_run import QueuedRun
from swarm.core.policy.cost import LONG_S, together_p50_s, together_p95_s
from swarm.core.units import NEVER_NS, ns

MOST_SEEN = 32                       # waiting runs that are looked at
LONG_NS = ns(LONG_S)


def together(
    first: QueuedRun, waiting: Iterable[QueuedRun], now: int, *, until_ns: int, in_steps: bool
) -> list[QueuedRun]:
    """The runs that start at once with `first`, which is one of them; most urgent first.

    waiting: all that waits, in the order in which it is due. until_ns: when a guard needs the executor. in_steps:
    whether something more urgent is known, so that no run may keep the executor for long.

    - A batch is of one variant, whole; what was set aside once runs by itself, so that no batch is cut again and again.
    - It is expected to take less than its runs one by one.
    - By p95 all of its runs are in time, and it ends before a guard's last safe moment.
    - Less urgent work passes nothing by; equally urgent work only what is in time after the batch, by p95. What cannot
      be in time anyway does not count.
    """
    joined = [first]
    if not first.may_join:
        return joined
    latest_ns = min(until_ns, first.deadline_ns, now + LONG_NS if in_steps else NEVER_NS)
    passed = _Passed(now)
    end_ns = _end_ns(first, 2, now)
    for work in islice(waiting, MOST_SEEN):
        if work is first:
            continue
        if end_ns > latest_ns:
            break
        if (
            work.model == first.model and work.variant == first.variant and work.may_join
            and end_ns <= work.deadline_ns and passed.bears(work, end_ns)
        ):
            joined.append(work)
            latest_ns = min(latest_ns, work.deadline_ns)
            end_ns = _end_ns(first, len(joined) + 1, now)
        else:
            passed.add(work)
    return joined


def _end_ns(first: QueuedRun, inputs: int, now: int) -> int:
    """When so many at once have ended, by p95; never, if they take no less time than one by one."""
    profile = first.profile
    if inputs > len(profile.batch_s) or together_p50_s(profile, inputs) >= inputs * profile.p50_s:
        return NEVER_NS + 1
    return now + ns(together_p95_s(profile, inputs))


class _Passed:
    """What is due before a run that may join a batch, and does not join it itself."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._level = -math.inf              # the most urgent of them
        self._latest_ns = NEVER_NS           # when the first of them is to start, by p95

    def add(self, work: QueuedRun) -> None:
        if work.guard:
            self._level = math.inf
        elif self._now + work.p50_ns <= work.deadline_ns:
            self._level = max(self._level, work.level)
        if self._now + work.p95_ns <= work.deadline_ns:
            self._latest_ns = min(self._latest_ns, work.deadline_ns - work.p95_ns)

    def bears(self, work: QueuedRun, end_ns: int) -> bool:
        """Whether this may run before them, in a batch that ends then."""
        return work.level >= self._level and end_ns <= self._latest_ns
