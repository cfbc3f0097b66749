"""Waiting and running runs: order, aging, what is left of a run, and expected waits."""

from __future__ import annotations

import msgspec
import pytest

from agents.scheduling.queue.queued_run import QueuedRun
from agents.scheduling.queue.run_queue import AGING_NS, RunQueue
from swarm.core.policy.cost import LONG_S
from swarm.core.policy.plan import Leg
from swarm.core.units import ns
from tests.agents.builders import profile, request

MS = ns(0.001)
NOW = ns(10)
WHOLE = Leg("me")


class Queue(RunQueue):
    """A queue with short helpers. Waiting runs are named by the sequence of their request."""

    def put(
        self, sequence: int, *, priority: int = 0, deadline_s: float = 10.0, run_s: float = 0.01, stages: int = 0,
        leg: Leg = WHOLE, stream: str = "", asker: str = "", guard: bool = False, now: int = NOW,
    ) -> int:
        return self.add(
            request=request(sequence), asker=asker, stream=stream or ("" if asker else f"stream_{sequence}"),
            profile=profile("model", run_s, stages=stages), leg=leg, priority=priority,
            deadline_ns=NOW + ns(deadline_s), guard=guard, now=now,
        )

    def order(self, now: int = NOW) -> list[int]:
        return [work.request.sequence for work in self.in_order(now)]

    def level(self, key: int, now: int) -> int:
        return next(work.level for work in self.in_order(now) if work.key == key)

    def begin(self, key: int, now: int = NOW) -> QueuedRun:
        work = next(work for work in self.in_order(now) if work.key == key)
        self.start([work], now)
        return work


@pytest.fixture
def queue() -> Queue:
    return Queue(1)


# --- order ---

def test_by_level_then_guards_then_deadlines_then_first_come(queue: Queue) -> None:
    queue.put(1, priority=1, deadline_s=1)
    queue.put(2, priority=1, deadline_s=1)
    queue.put(3, priority=1, deadline_s=0.5)
    queue.put(4, priority=2, deadline_s=9)
    queue.put(5, guard=True, deadline_s=3)
    queue.put(6, guard=True, priority=5, deadline_s=4)
    queue.put(7, asker="mule", priority=2, deadline_s=8)
    queue.put(8, guard=True, priority=1, deadline_s=3)
    queue.put(9, guard=True, priority=1, deadline_s=2)
    assert queue.order() == [6, 7, 4, 9, 8, 3, 1, 2, 5]


def test_promoted_runs_go_before_equals_and_removed_runs_are_gone(queue: Queue) -> None:
    keys = {i: queue.put(i, priority=2 if i == 3 else 1, deadline_s=i) for i in range(1, 5)}
    queue.promote(keys[2], NOW)
    removed = queue.remove(keys[4], NOW)
    assert removed is not None
    assert removed.request == request(4)
    assert queue.order() == [3, 2, 1]
    assert (queue.waiting(), queue.is_waiting(keys[4]), queue.is_waiting(keys[2])) == (3, False, True)


def test_runs_may_be_removed_while_the_order_is_iterated(queue: Queue) -> None:
    for i in range(4):
        queue.put(i)
    met = []
    for work in queue.in_order(NOW):
        met.append(work.request.sequence)
        queue.remove(work.key, NOW)
    assert (met, queue.order()) == ([0, 1, 2, 3], [])


def test_an_own_streams_waiting_runs_are_known_and_so_is_all_work_for_a_peer(queue: Queue) -> None:
    queue.put(1, stream="detect")
    queue.put(2, stream="detect")
    queue.put(3, stream="segment")
    asked = [queue.put(i, asker="mule") for i in (4, 5, 6)]
    queue.put(7, asker="ox")
    assert [work.request.sequence for work in queue.waiting_of("detect")] == [1, 2]
    assert queue.waiting_of("unheard_of") == []
    queue.begin(asked[0])
    assert {work.key for work in queue.of_asker("mule")} == set(asked)
    assert queue.remove(asked[0], NOW) is None                    # it runs, and is aborted: no longer the peer's
    assert {work.key for work in queue.of_asker("mule")} == set(asked[1:])


# --- aging ---

def test_a_waiting_run_rises_by_one_level_each_time(queue: Queue) -> None:
    key = queue.put(1, priority=2)
    ages = [0, AGING_NS - 1, AGING_NS, 2 * AGING_NS - 1, 2 * AGING_NS, 7 * AGING_NS]
    assert [queue.level(key, NOW + age) for age in ages] == [2, 2, 3, 3, 4, 9]


def test_age_brings_a_peers_run_up_to_the_most_urgent_own_stream_and_no_further(queue: Queue) -> None:
    queue.top_own = 2
    key = queue.put(1, asker="mule")
    assert [queue.level(key, NOW + n * AGING_NS) for n in (0, 1, 2, 3, 9)] == [0, 1, 2, 2, 2]


def test_an_aged_run_overtakes_a_newer_one(queue: Queue) -> None:
    queue.put(1, deadline_s=9)
    queue.put(2, priority=1, deadline_s=5, now=NOW + AGING_NS - 1)
    queue.put(3, priority=2, now=NOW + AGING_NS - 1)
    assert queue.order(NOW + AGING_NS - 1) == [3, 2, 1]
    assert queue.order(NOW + AGING_NS) == [3, 2, 1]          # level with 2, whose deadline is earlier
    assert queue.order(NOW + 2 * AGING_NS - 2) == [3, 2, 1]
    assert queue.order(NOW + 2 * AGING_NS - 1) == [3, 2, 1]  # they rise, too
    queue.put(4, priority=1, deadline_s=6, now=NOW + 2 * AGING_NS)
    assert queue.order(NOW + 2 * AGING_NS) == [3, 2, 1, 4]


def test_an_age_is_handed_on_to_the_streams_next_until_it_has_run(queue: Queue) -> None:
    first = queue.put(1, stream="detect")
    queue.remove(first, NOW + AGING_NS)
    second = queue.put(2, stream="detect", now=NOW + AGING_NS)
    assert queue.level(second, NOW + AGING_NS) == 1
    queue.begin(second, NOW + AGING_NS)
    third = queue.put(3, stream="detect", now=NOW + AGING_NS)
    assert queue.level(third, NOW + AGING_NS) == 0


def test_an_age_is_not_handed_on_over_a_time_in_which_nothing_waited(queue: Queue) -> None:
    """A stream that once expired without a run, then was served by peers for a minute, is not 30 levels more urgent."""
    queue.remove(queue.put(1, stream="detect"), NOW)
    later = NOW + 30 * AGING_NS
    key = queue.put(2, stream="detect", now=later)
    assert queue.level(key, later) <= 1


@pytest.mark.parametrize(("asker", "stream"), [("", "segment"), ("mule", ""), ("mule", "detect")])
def test_a_run_of_another_stream_does_not_make_it_younger(queue: Queue, asker: str, stream: str) -> None:
    key = queue.put(1, stream="detect")
    queue.begin(queue.put(2, asker=asker, stream=stream))
    assert queue.level(key, NOW + AGING_NS) == 1


def test_a_running_run_does_not_age_and_ages_again_when_it_is_preempted(queue: Queue) -> None:
    key = queue.put(1, run_s=0.3, stages=10)
    queue.order(NOW + 2 * AGING_NS)
    work = queue.begin(key, NOW + 2 * AGING_NS)
    queue.order(NOW + 5 * AGING_NS)
    assert work.level == 2
    queue.requeue(key, 1, MS, False, 0.0, False, NOW + 5 * AGING_NS)
    assert [queue.level(key, NOW + n * AGING_NS) for n in (5, 6)] == [0, 1]


# --- what is left ---

@pytest.mark.parametrize(("run_s", "stages", "leg", "left"), [
    (LONG_S, 4, WHOLE, Leg("me", 0, 4)),           # long enough to go by stages
    (LONG_S - 1e-9, 4, WHOLE, WHOLE),                 # not worth it
    (0.3, 0, WHOLE, WHOLE),                                  # none are loaded
    (0.3, 4, Leg("me", 1, 3), Leg("me", 1, 3)),
    (0.004, 4, Leg("me", 1, 3), Leg("me", 1, 3)),
])
def test_long_runs_go_by_stages_where_they_are_loaded(
    queue: Queue, run_s: float, stages: int, leg: Leg, left: Leg
) -> None:
    work = queue.begin(queue.put(1, run_s=run_s, stages=stages, leg=leg))
    assert (work.left, work.leg) == (left, leg)


def test_a_preempted_run_keeps_its_finished_stages(queue: Queue) -> None:
    key = queue.put(1, run_s=0.4, stages=4)
    work = queue.begin(key)
    assert (work.p50_ns, work.p95_ns, work.step_ns) == (ns(0.4), ns(0.48), ns(0.12))
    assert queue.requeue(key, 1, ns(0.11), False, 0.0, False, NOW + ns(0.11)) is work
    assert (queue.running(), queue.order()) == ([], [1])
    assert (work.left, work.p50_ns, work.p95_ns, work.step_ns) == (Leg("me", 1, 4), ns(0.3), ns(0.36), ns(0.12))
    queue.begin(key, NOW + ns(0.5))
    queue.requeue(key, 3, ns(0.22), False, 0.0, True, NOW + ns(0.72))
    queue.begin(key, NOW + ns(0.9))
    assert (work.left, work.p50_ns) == (Leg("me", 3, 4), ns(0.1))
    assert (work.began_ns, work.started_ns) == (NOW, NOW + ns(0.9))
    assert (work.preempted, work.ran_ns, work.aside_ns) == (2, ns(0.33), ns(0.39 + 0.18))
    assert work.overrun                                      # of any part


def test_cuts_are_counted_stage_by_stage(queue: Queue) -> None:
    key = queue.put(1, run_s=0.4, stages=4)
    counts = []
    for reached, cut in [(0, True), (0, True), (1, True), (1, False), (1, True), (2, False), (3, True)]:
        queue.begin(key)
        work = queue.requeue(key, reached, MS, cut, 0.0, False, NOW)
        assert work is not None
        counts.append(work.stage_aborts)
    assert counts == [1, 2, 1, 1, 2, 0, 1]


def test_a_new_start_is_not_being_preempted(queue: Queue) -> None:
    key = queue.put(1, run_s=0.4, stages=4)
    work = queue.begin(key)
    work.urgency = 2.0
    queue.requeue(key, 1, MS, False, 0.0, False, NOW)
    assert work.urgency is None


def test_an_aborted_run_is_not_preempted(queue: Queue) -> None:
    key = queue.put(1, run_s=0.4, stages=4)
    queue.begin(key)
    assert queue.remove(key, NOW) is None
    assert queue.requeue(key, 1, MS, True, 0.0, False, NOW) is None
    assert queue.waiting() == 0
    assert queue.finish(key).aborted
    assert queue.running() == []


# --- executors, and how long one waits for them ---

def test_executors_are_free_while_there_are_more_than_runs() -> None:
    queue = Queue(2)
    keys = [queue.put(i, priority=i) for i in range(3)]
    assert queue.free()
    queue.begin(keys[2])
    assert queue.free()
    queue.begin(keys[0])
    assert not queue.free()
    assert [work.key for work in queue.running()] == [keys[0], keys[2]]      # the least urgent first
    queue.finish(keys[2])
    assert queue.free()


def test_the_wait_behind_all_others_is_the_rest_of_the_running_runs_and_all_waiting_ones(queue: Queue) -> None:
    queue.begin(queue.put(1, run_s=0.1))
    queue.put(2, run_s=0.05)
    queue.put(3, run_s=0.02, asker="mule", priority=9)
    assert queue.wait_s(NOW) == pytest.approx(0.17)
    assert queue.wait_s(NOW + ns(0.04)) == pytest.approx(0.13)
    assert queue.wait_s(NOW + ns(5)) == pytest.approx(0.07)  # it takes longer than its median: not less than nothing


@pytest.mark.parametrize(("priority", "deadline_s", "wait_s"), [
    (0, 9.0, 0.1 + 0.05 + 0.02 + 0.01), (1, 9.0, 0.1 + 0.05 + 0.02), (1, 1.0, 0.1 + 0.05), (2, 9.0, 0.1 + 0.05),
    (2, 0.1, 0.1), (5, 9.0, 0.1),
])
def test_the_wait_of_a_run_with_a_priority_counts_the_runs_before_it(
    queue: Queue, priority: int, deadline_s: float, wait_s: float
) -> None:
    queue.begin(queue.put(1, run_s=0.1, priority=9))
    queue.put(2, run_s=0.05, priority=2, deadline_s=0.5)
    queue.put(3, run_s=0.02, priority=1, deadline_s=2.0)
    queue.put(4, run_s=0.01, priority=0, deadline_s=1.0)
    assert queue.wait_s(NOW, priority, NOW + ns(deadline_s)) == pytest.approx(wait_s)


def test_the_wait_behind_runs_that_can_batch_is_that_of_the_batch(queue: Queue) -> None:
    at_once = msgspec.structs.replace(profile("detector", 0.010), batch_s=[0.010, 0.015, 0.018])
    other = profile("segmenter", 0.1)
    for sequence, variant in enumerate([at_once, at_once, other, at_once, at_once]):
        queue.add(request=request(sequence), asker="mule", stream="", profile=variant, leg=WHOLE, priority=0,
                  deadline_ns=NOW + ns(1 + sequence), guard=False, now=NOW)
    assert queue.wait_s(NOW) == pytest.approx(0.1 + 0.018 + 0.010)           # three at once, and one
    assert queue.wait_s(NOW, 0, NOW + ns(2.5)) == pytest.approx(0.015)
    assert queue.wait_s(NOW, 0, NOW + ns(1.5)) == pytest.approx(0.010)
    queue.remove(1, NOW)
    queue.remove(2, NOW)
    assert queue.wait_s(NOW) == pytest.approx(0.1 + 0.015)


def test_a_guards_fallback_is_before_equals(queue: Queue) -> None:
    queue.put(1, run_s=0.05, guard=True)
    assert queue.wait_s(NOW, 0, NOW) == pytest.approx(0.05)
    assert queue.wait_s(NOW, 9, NOW) == 0.0


def test_a_fallback_does_not_age(queue: Queue) -> None:
    queue.put(1, guard=True)
    queue.put(2, priority=1)
    assert [work.request.sequence for work in queue.in_order(NOW + 9 * AGING_NS)] == [2, 1]


def test_a_less_urgent_run_leaves_its_executor_after_a_step(queue: Queue) -> None:
    work = queue.begin(queue.put(1, run_s=0.4, stages=4, priority=1))
    assert queue.wait_s(NOW, 1, 0) == pytest.approx(0.4)
    assert queue.wait_s(NOW, 2, 0) == pytest.approx(0.12)    # the longest stage, by p95
    assert queue.wait_s(NOW + ns(0.35), 2, 0) == pytest.approx(0.05)
    work.guard = True
    assert queue.wait_s(NOW, 2, 0) == pytest.approx(0.4)


def test_executors_share_the_waiting_runs() -> None:
    queue = Queue(2)
    for i in range(3):
        queue.put(i, run_s=0.1)
    queue.begin(queue.put(3, run_s=0.1))
    assert queue.wait_s(NOW) == pytest.approx(0.2)


def test_own_runs_that_would_be_late_behind_a_peers_are_told_most_urgent_first() -> None:
    for executors, late in ((1, [3, 2]), (2, [])):
        queue = Queue(executors)
        queue.put(1, asker="peer", priority=5, run_s=0.1)
        queue.put(2, deadline_s=0.1, run_s=0.05)
        queue.put(3, deadline_s=0.1, run_s=0.05, priority=1)
        queue.put(4, deadline_s=1.0, run_s=0.05)             # in time behind it
        peers = next(work for work in queue.in_order(NOW) if work.asker)
        assert [own.request.sequence for own in queue.late_behind(peers, NOW)] == late
