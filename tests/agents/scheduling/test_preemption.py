"""The rules of preemption, one by one."""

from __future__ import annotations

import math

import pytest

from agents.scheduling import events as ev
from agents.scheduling.queue.margins import ABORT_S
from agents.scheduling.queue.preemption import MAX_STAGE_ABORTS, abort_stage_now, leaves_too_late, preempt_urgency
from agents.scheduling.queue.queued_run import QueuedRun
from swarm.core.policy.plan import Leg
from swarm.core.units import ns
from tests.agents.builders import profile, request, robot, stream
from tests.agents.scheduler_events import arrived, of

START = ns(10)


def run(
    *, level: int = 0, whole_s: float = 0.3, stages: int = 10, deadline_s: float = 10.0, began_s: float = 0.0,
    stage_aborts: int = 0, guard: bool = False, asker: str = "",
) -> QueuedRun:
    """A run that has been on its executor since `began_s` before START; its deadline counts from START."""
    return QueuedRun(
        key=1, request=request(1), asker=asker, stream="background", model="segmenter", variant="int8", leg=Leg("me"),
        priority=level, deadline_ns=START + ns(deadline_s), guard=guard,
        profile=profile("segmenter", whole_s, stages=stages), since_ns=0, queued_ns=0, first=0, last=stages,
        level=level, started_ns=START - ns(began_s), stage_aborts=stage_aborts,
    )


def waiting(
    *, level: int = 1, run_s: float = 0.01, deadline_s: float = 0.05, guard: bool = False, asker: str = "",
    priority: int | None = None,
) -> QueuedRun:
    return QueuedRun(
        key=2, request=request(2), asker=asker, stream="urgent", model="detector", variant="int8", leg=Leg("me"),
        priority=level if priority is None else priority, deadline_ns=START + ns(deadline_s), guard=guard,
        profile=profile(p50_s=run_s), since_ns=0,
        queued_ns=0, first=0, last=0, level=level,
    )


@pytest.mark.parametrize(("case", "running", "urgent", "expected"), [
    ("what is more urgent stays", run(level=2), waiting(level=1), None),
    ("what is as urgent and due earlier stays", run(level=1, deadline_s=0.04), waiting(level=1), None),
    ("what is as urgent and due later leaves after its stage", run(level=1), waiting(level=1), 0.0),
    ("unless it can only run whole", run(level=1, stages=0), waiting(level=1), None),
    ("one level counts twice the work that is lost", run(level=0), waiting(level=1), 2.0),
    ("each further one as much again", run(level=0), waiting(level=3), 4.0),
    ("what can only run whole is aborted for a higher level, too", run(stages=0), waiting(level=1), 2.0),
    ("a guard's fallback is not kept waiting by equals", run(level=1), waiting(guard=True), math.inf),
    ("nor by the less urgent", run(), waiting(guard=True), math.inf),
    ("nor by a peer's run of any level", run(level=5, asker="ox"), waiting(level=0, guard=True), math.inf),
    ("it waits for more urgent own work", run(level=5), waiting(level=0, guard=True), None),
    ("not even by what was aborted often", run(stage_aborts=MAX_STAGE_ABORTS), waiting(guard=True), math.inf),
    ("but by another's with an earlier deadline", run(guard=True, deadline_s=0.04), waiting(level=0, guard=True), None),
    ("one with a later deadline leaves after its stage", run(guard=True), waiting(level=0, guard=True), 0.0),
    ("and stays if it can only run whole", run(guard=True, stages=0), waiting(level=0, guard=True), None),
    ("no peer's level outranks a guard's fallback", run(guard=True), waiting(level=9, asker="ox"), None),
    ("nor does age", run(guard=True), waiting(level=9, priority=0), None),
    ("more urgent own work that can wait waits for the stage", run(guard=True), waiting(level=9, deadline_s=0.1), 0.0),
    ("and for the whole run", run(guard=True, stages=0), waiting(level=9, deadline_s=1.0), None),
    ("but not longer than it can", run(guard=True, stages=0), waiting(level=9), math.inf),
    ("not even if it was aborted often", run(guard=True, stage_aborts=9), waiting(level=9, deadline_s=0.03), math.inf),
    ("a stage that was aborted often is finished", run(stage_aborts=MAX_STAGE_ABORTS), waiting(level=3), 0.0),
    ("and so is a whole run", run(stage_aborts=MAX_STAGE_ABORTS, stages=0), waiting(level=3), None),
    ("one cut less is not often", run(stage_aborts=MAX_STAGE_ABORTS - 1), waiting(level=3), 4.0),
], ids=lambda value: value.replace(" ", "_") if isinstance(value, str) else "")
def test_how_a_run_gives_way(case: str, running: QueuedRun, urgent: QueuedRun, expected: float | None) -> None:
    assert preempt_urgency(running, urgent, START + ns(0.001)) == expected


@pytest.mark.parametrize(("case", "urgent_s", "background_s", "expected"), [
    ("both have time: no use in waiting", 0.1, 1.0, 2.0),
    ("the urgent one has none: it does not wait", 0.04, 0.305, 2.0),
    ("the urgent one has time, and the run none to lose: it waits for the stage", 0.1, 0.305, 0.0),
    ("the run is late in any case: it waits, too", 0.1, 0.1, 0.0),
], ids=lambda value: value.replace(" ", "_").replace(":", "") if isinstance(value, str) else "")
def test_a_run_that_can_wait_waits_for_a_run_that_cannot(
    case: str, urgent_s: float, background_s: float, expected: float
) -> None:
    """The stage takes up to 36 ms, the urgent one up to 12; the run has 300 ms before it, and would lose 20."""
    running = run(deadline_s=background_s, began_s=0.02)
    assert preempt_urgency(running, waiting(deadline_s=urgent_s), START) == expected


def test_a_whole_run_that_cannot_lose_time_is_not_preempted_for_a_run_that_can_wait() -> None:
    running = run(whole_s=0.03, stages=0, deadline_s=0.02, began_s=0.015)
    assert preempt_urgency(running, waiting(deadline_s=0.1), START) is None
    assert preempt_urgency(running, waiting(deadline_s=0.02), START) == 2.0


@pytest.mark.parametrize(("slack_s", "ahead_s", "expected"), [
    (0.05, 0.0, math.inf),                                   # 20 ms are lost, 12 the urgent one takes
    (0.03, 0.0, 0.0),                                        # it can go between, and nothing may be lost
    (0.01, 0.0, None),
    (0.05, 0.03, 0.0),                                       # another goes before it
    (0.05, 0.04, None),
])
def test_a_promised_run_gives_way_as_far_as_the_promises_bear_it(
    slack_s: float, ahead_s: float, expected: float | None
) -> None:
    running, urgent = run(guard=True, began_s=0.02), waiting(deadline_s=0.025)
    assert preempt_urgency(running, urgent, START, slack_ns=ns(slack_s), ahead_ns=ns(ahead_s)) == expected


def test_more_urgent_work_that_waits_behind_other_work_may_not_be_able_to_wait_for_a_promised_run() -> None:
    running, urgent = run(guard=True, stages=0, whole_s=0.02), waiting(deadline_s=0.05)
    assert preempt_urgency(running, urgent, START) is None
    assert preempt_urgency(running, urgent, START, ahead_ns=ns(0.02)) == math.inf


@pytest.mark.parametrize(("spent_s", "left_s", "weight", "cut"), [
    (0.0, ABORT_S * 1.01, 2.0, True),                          # nothing is lost
    (0.0, ABORT_S * 0.99, 2.0, False),                         # it ends as soon as a cut takes effect
    (0.02, ABORT_S + 0.0101, 2.0, True),
    (0.02, ABORT_S + 0.0099, 2.0, False),                      # 20 ms of work for less than 10 ms of waiting
    (0.02, ABORT_S + 0.0099, 4.0, True),                       # the more urgent, the sooner
    (0.3, ABORT_S + 0.0001, math.inf, True),
    (0.0, 10.0, 0.0, False),                                 # no work may be lost
])
def test_a_stage_is_aborted_where_that_is_cheaper(spent_s: float, left_s: float, weight: float, cut: bool) -> None:
    assert abort_stage_now(spent_s, left_s, weight) is cut


@pytest.mark.parametrize("above", [1, 2, 5])
@pytest.mark.parametrize("stage_s", [0.005, 0.03, 0.3])
def test_the_longest_that_is_waited_for_a_stage(stage_s: float, above: int) -> None:
    """The bound of a priority inversion, for a stage and an urgency, if all runs take their expected times."""
    weight = 1.0 + above
    lefts_s = [stage_s * i / 1000 for i in range(1001)]
    longest_s = max(left_s for left_s in lefts_s if not abort_stage_now(stage_s - left_s, left_s, weight))
    assert longest_s == pytest.approx((stage_s + weight * ABORT_S) / (1.0 + weight), abs=stage_s / 1000)


@pytest.mark.parametrize(("case", "running", "urgent", "urgency", "expected"), [
    ("what has just begun is aborted", run(stages=0, began_s=0.01), waiting(), 2.0, False),
    ("what has lost too much by that ends late", run(stages=0, began_s=0.25), waiting(), 2.0, True),
    ("late does not count if the urgent run can wait for it", run(stages=0, began_s=0.25), waiting(deadline_s=1.0), 2.0,
     False),
    ("a guard aborts whatever has run for however long", run(stages=0, began_s=0.25), waiting(guard=True), math.inf,
     False),
    ("what goes stage by stage leaves after this one", run(began_s=0.25), waiting(), 2.0, False),
])
def test_what_would_leave_too_late_is_known(
    case: str, running: QueuedRun, urgent: QueuedRun, urgency: float, expected: bool
) -> None:
    assert leaves_too_late(running, urgent, START, urgency) == expected


def test_of_two_runs_the_one_that_leaves_in_time_is_preempted() -> None:
    """The least urgent one has run for too long to be aborted, and would end too late."""
    agent = robot([profile("segmenter", 0.36), profile("mapper", 0.3, stages=10), profile("detector", 0.01)],
                  executors=2, loaded=["mapper"])
    agent.handle(arrived(1, stream("a", "segmenter", 2.0), START), START)
    now = START + ns(0.2)
    (staged,) = of(ev.RunStage, agent.handle(arrived(2, stream("b", "mapper", 1.0), now), now))
    now = START + ns(0.25)
    (preempt,) = of(ev.Preempt, agent.handle(arrived(3, stream("c", "detector", 0.06, priority=1), now), now))
    assert preempt.work == staged.work
