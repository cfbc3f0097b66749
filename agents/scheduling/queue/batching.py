"""Forms batches: which waiting runs start together with a run that starts now. Deterministic.

Several inputs of one variant take less time in a batch. No run is delayed to fill a batch, and no run may miss its
deadline because of a batch: each run in it is expected to be in time, and so is each run that the batch overtakes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import islice

from agents.scheduling.queue.queued_run import QueuedRun
from swarm.core.policy.cost import LONG_S, together_p50_s, together_p95_s
from swarm.core.units import NEVER_NS, ns

MAX_SCANNED = 32                     # waiting runs that are considered
LONG_NS = ns(LONG_S)


def batch_with(
    first: QueuedRun, waiting: Iterable[QueuedRun], now: int, *, until_ns: int, in_steps: bool
) -> list[QueuedRun]:
    """The batch that starts with `first`, itself included; most urgent first.

    waiting: all waiting runs, in the order of the queue. until_ns: when promised runs need the executor. in_steps:
    whether more urgent work is expected, so that no run may keep the executor for long.

    - All runs are whole runs of one variant. A run that was preempted starts alone, so that no batch is aborted
      repeatedly.
    - The batch is expected to take less time than its runs one by one.
    - By p95 all of its runs are in time, and it ends before a guard's last safe start.
    - A run does not overtake more urgent runs. It overtakes equally urgent ones only if these are in time after the
      batch, by p95. Runs that cannot be in time anyway do not count.
    """
    joined = [first]
    if not first.can_batch:
        return joined
    latest_ns = min(until_ns, first.deadline_ns, now + LONG_NS if in_steps else NEVER_NS)
    overtaken = _Overtaken(now)
    end_ns = _end_ns(first, 2, now)
    for work in islice(waiting, MAX_SCANNED):
        if work is first:
            continue
        if end_ns > latest_ns:
            break
        if (
            work.model == first.model and work.variant == first.variant and work.can_batch
            and end_ns <= work.deadline_ns and overtaken.allows(work, end_ns)
        ):
            joined.append(work)
            latest_ns = min(latest_ns, work.deadline_ns)
            end_ns = _end_ns(first, len(joined) + 1, now)
        else:
            overtaken.add(work)
    return joined


def _end_ns(first: QueuedRun, inputs: int, now: int) -> int:
    """When a batch of so many inputs ends, by p95; later than NEVER_NS if it takes no less time than one by one."""
    profile = first.profile
    if inputs > len(profile.batch_s) or together_p50_s(profile, inputs) >= inputs * profile.p50_s:
        return NEVER_NS + 1
    return now + ns(together_p95_s(profile, inputs))


class _Overtaken:
    """The runs that a batch overtakes: they are before one of its runs in the queue, and not in the batch."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._level = -math.inf              # the highest level of them
        self._latest_ns = NEVER_NS           # the earliest of their latest starts, by p95

    def add(self, work: QueuedRun) -> None:
        if self._now + work.p50_ns <= work.deadline_ns:
            self._level = max(self._level, work.level)
        if self._now + work.p95_ns <= work.deadline_ns:
            self._latest_ns = min(self._latest_ns, work.deadline_ns - work.p95_ns)

    def allows(self, work: QueuedRun, end_ns: int) -> bool:
        """Whether a run may overtake them, in a batch that ends at `end_ns`."""
        return work.level >= self._level and end_ns <= self._latest_ns
