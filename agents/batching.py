"""Which waiting runs join one that is to start: several inputs of one variant take less time at once. Deterministic.

Nothing waits for others to join it, and nothing pays for them: with its companions each run is still expected to be in
time, and what is passed over is no less urgent than they are and in time after them.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from agents.queue import Work
from swarm.core.clock import ns
from swarm.core.cost import LONG_S, together_p50_s, together_p95_s

MOST_SEEN = 32                       # waiting runs that are looked at


def together(first: Work, waiting: Iterable[Work], now: int, *, until_ns: int, in_steps: bool) -> list[Work]:
    """The runs that start at once with `first`, which is one of them; most urgent first.

    waiting: all that waits, in the order in which it is due. until_ns: when a guard needs the executor. in_steps:
    whether something more urgent is known, so that no run may keep the executor for long.

    - A batch is of one variant, whole; what was set aside once runs by itself, so that no batch is cut again and again.
    - It is expected to take less than its runs one by one.
    - By p95 all of its runs are in time, and it ends before a guard's last safe moment.
    - Less urgent work passes nothing by; equally urgent work only what is in time after the batch, by p95.
    """
    joined, passed = [first], list[Work]()
    if not _may_join(first):
        return joined
    for work in islice((w for w in waiting if w is not first), MOST_SEEN):
        inputs = len(joined) + 1
        took_ns = ns(together_p95_s(first.profile, inputs))
        end_ns = now + took_ns
        if inputs > len(first.profile.batch_s) or together_p50_s(first.profile, inputs) >= inputs * first.profile.p50_s:
            break
        if end_ns > min(until_ns, *(member.deadline_ns for member in joined)) or (in_steps and took_ns > ns(LONG_S)):
            break
        if (
            _may_join(work) and (work.model, work.variant) == (first.model, first.variant)
            and end_ns <= work.deadline_ns and not any(_wronged(other, work, end_ns, now) for other in passed)
        ):
            joined.append(work)
        else:
            passed.append(work)
    return joined


def _may_join(work: Work) -> bool:
    return work.left.whole and not work.began_ns and len(work.profile.batch_s) > 1


def _wronged(passed: Work, work: Work, end_ns: int, now: int) -> bool:
    """Whether a run that is due before another would suffer if that joined a batch; what is lost anyway does not."""
    if passed.guard or passed.level > work.level:
        return passed.guard or now + passed.p50_ns <= passed.deadline_ns
    return now + passed.p95_ns <= passed.deadline_ns < end_ns + passed.p95_ns
