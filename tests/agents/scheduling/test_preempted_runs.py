"""The scheduler with runs that are preempted and resume."""

from __future__ import annotations

import math

import pytest

from agents.scheduling import events as ev
from agents.scheduling.queue.margins import START_NS, TURN_NS
from agents.scheduling.queue.preemption import MAX_STAGE_ABORTS
from agents.scheduling.queue.run_queue import AGING_NS
from agents.scheduling.scheduler import Scheduler
from swarm.core.policy.plan import Leg
from swarm.core.units import ns
from tests.agents.builders import peer_table, profile, request, robot, scheduler, stream
from tests.agents.scheduler_events import arrived, asked, came, done, endings, of, preempted

AT = ns(10)                          # any time but 0, which stands for never
MS = ns(0.001)
STAGES = 10
BACKGROUND = stream("segment", "segmenter", deadline_s=2.0)
URGENT = stream("detect", "detector", deadline_s=0.1, priority=2)


def own(agent: Scheduler, sequence: int, now: int) -> list[ev.Command]:
    return agent.handle(arrived(sequence, BACKGROUND, now), now)


def peers(agent: Scheduler, sequence: int, now: int) -> list[ev.Command]:
    return agent.handle(asked(sequence, "segmenter", now + ns(2.0)), now)


@pytest.fixture(params=[own, peers])
def begun(request: pytest.FixtureRequest) -> tuple[Scheduler, ev.RunStage]:
    """A robot that has a background run of ten stages of 30 ms on its executor since AT, its own or a peer's."""
    agent = scheduler("local", stages=STAGES, detector=0.01, segmenter=0.3)
    (run,) = of(ev.RunStage, request.param(agent, 1, AT))
    assert (run.leg, run.resumed) == (Leg("me", 0, STAGES), False)
    return agent, run


def test_an_urgent_frame_preempts_a_run_once_and_it_resumes_at_its_stage(begun: tuple[Scheduler, ev.RunStage]) -> None:
    agent, background = begun
    commands = agent.handle(arrived(2, URGENT, AT + 70 * MS), AT + 70 * MS)
    assert of(ev.Preempt, commands) == [ev.Preempt(work=background.work, urgency=3.0)]
    assert of(ev.RunStage, commands) == []
    assert of(ev.Preempt, agent.handle(arrived(3, stream("detect_2", priority=2), AT + 71 * MS), AT + 71 * MS)) == []
    commands = agent.handle(preempted(background.work, AT, AT + 90 * MS, next_stage=3), AT + 90 * MS)
    (urgent,) = of(ev.RunStage, commands)
    assert urgent.request == request(2)
    (urgent,) = of(ev.RunStage, agent.handle(done(urgent.work, AT + 100 * MS), AT + 100 * MS))
    assert urgent.request == request(3)
    (again,) = of(ev.RunStage, agent.handle(done(urgent.work, AT + 110 * MS), AT + 110 * MS))
    assert (again.work, again.request, again.asker) == (background.work, background.request, background.asker)
    assert (again.leg, again.resumed) == (Leg("me", 3, STAGES), True)
    ended = agent.handle(
        ev.StageDone(work=again.work, started_ns=AT + 110 * MS, finished_ns=AT + 320 * MS), AT + 320 * MS
    )
    for answer in of(ev.Answer, ended):
        assert (answer.times.run_s, answer.times.waited_s) == pytest.approx((0.3, 0.02))
    for delivered in of(ev.Deliver, ended):
        span = delivered.span
        assert (span.ending, span.preempted) == ("completed", 1)
        assert (span.run_s, span.aside_s) == pytest.approx((0.3, 0.02))
        assert (span.started_ns, span.finished_ns) == (AT, AT + 320 * MS)
    assert len(of(ev.Answer, ended)) + len(of(ev.Deliver, ended)) == 1
    assert (agent.statistics().preempted, agent.statistics().preempted_mid_stage) == (1, 0)


def test_a_more_urgent_frame_preempts_it_again_with_a_higher_urgency(begun: tuple[Scheduler, ev.RunStage]) -> None:
    agent, background = begun
    told = [
        of(ev.Preempt, agent.handle(arrived(2 + i, stream(f"detect_{priority}", priority=priority), AT + i), AT + i))
        for i, priority in enumerate([1, 1, 3, 2])
    ]
    assert [[preempt.urgency for preempt in told] for told in told] == [[2.0], [], [4.0], []]
    assert {preempt.work for one in told for preempt in one} == {background.work}


def test_a_stage_that_was_aborted_often_is_left_to_its_boundary(begun: tuple[Scheduler, ev.RunStage]) -> None:
    agent, background = begun
    told: list[float] = []
    for i in range(MAX_STAGE_ABORTS + 2):
        now = AT + i * 20 * MS
        (preempt,) = of(ev.Preempt, agent.handle(arrived(2 + i, URGENT, now), now))
        told.append(preempt.urgency)
        next_stage, mid_stage = int(i >= MAX_STAGE_ABORTS), preempt.urgency > 0.0
        (urgent,) = of(ev.RunStage, agent.handle(preempted(background.work, now, now, next_stage, mid_stage), now))
        (again,) = of(ev.RunStage, agent.handle(done(urgent.work, now + 10 * MS), now + 10 * MS))
        assert (again.work, again.leg.first) == (background.work, next_stage)
    assert told == [3.0] * MAX_STAGE_ABORTS + [0.0, 3.0]        # the next stage may be aborted again
    assert agent.statistics().preempted_mid_stage == MAX_STAGE_ABORTS + 1


def test_a_preempted_run_that_is_no_longer_wanted_does_not_resume(begun: tuple[Scheduler, ev.RunStage]) -> None:
    agent, background = begun
    agent.handle(arrived(2, URGENT, AT), AT)
    (urgent,) = of(ev.RunStage, agent.handle(preempted(background.work, AT, AT + 30 * MS, 1), AT + 30 * MS))
    if background.asker:
        commands = agent.handle(ev.StageCancelled(request=background.request, peer=background.asker), AT + 31 * MS)
        assert of(ev.Forget, commands) == [ev.Forget(request=background.request, peer=background.asker)]
    else:
        commands = agent.handle(ev.BudgetSpent(request=background.request), AT + 31 * MS)
        assert endings(commands) == [("failed", "expired")]
    assert of(ev.AbortRun, commands) == []
    assert of(ev.RunStage, agent.handle(done(urgent.work, AT + 40 * MS), AT + 40 * MS)) == []
    assert agent.busy_s(AT + 40 * MS) == 0.0


def test_a_preempted_run_that_can_no_longer_be_in_time_is_dropped(begun: tuple[Scheduler, ev.RunStage]) -> None:
    agent, background = begun
    agent.handle(arrived(2, stream("detect", deadline_s=5.0, priority=2), AT), AT)
    (urgent,) = of(ev.RunStage, agent.handle(preempted(background.work, AT, AT + 30 * MS, 1), AT + 30 * MS))
    commands = agent.handle(done(urgent.work, AT + ns(1.8)), AT + ns(1.8))       # 270 ms to do, 200 ms left
    assert of(ev.RunStage, commands) == []
    if background.asker:
        assert [refusal.reason for refusal in of(ev.Refuse, commands)] == ["too_late"]
    else:
        assert ("failed", "expired") in endings(commands)


def test_an_aborted_run_that_comes_back_as_preempted_is_finished() -> None:
    agent = scheduler("local", stages=STAGES, detector=0.01, segmenter=0.3)
    (background,) = of(ev.RunStage, peers(agent, 1, AT))
    agent.handle(arrived(2, URGENT, AT + MS), AT + MS)
    commands = agent.handle(ev.PeerLost(peer="asker"), AT + 2 * MS)
    assert of(ev.AbortRun, commands) == [ev.AbortRun(work=background.work)]
    event = preempted(background.work, AT, AT + 3 * MS, 0, mid_stage=True)
    (urgent,) = of(ev.RunStage, agent.handle(event, AT + 3 * MS))
    assert urgent.request == request(2)
    assert of(ev.RunStage, agent.handle(done(urgent.work, AT + 13 * MS), AT + 13 * MS)) == []
    assert (agent.busy_s(AT + 13 * MS), agent.statistics().preempted) == (0.0, 0)


def test_a_newer_frame_does_not_end_a_run_that_has_begun() -> None:
    agent = scheduler("local", stages=STAGES, detector=0.01, segmenter=0.3)
    (background,) = of(ev.RunStage, own(agent, 1, AT))
    agent.handle(arrived(2, URGENT, AT), AT)
    (urgent,) = of(ev.RunStage, agent.handle(preempted(background.work, AT, AT + 30 * MS, 1), AT + 30 * MS))
    assert endings(own(agent, 3, AT + 31 * MS)) == []
    assert endings(own(agent, 4, AT + 32 * MS)) == [("failed", "superseded")]    # 3, which had not begun
    (again,) = of(ev.RunStage, agent.handle(done(urgent.work, AT + 40 * MS), AT + 40 * MS))
    assert (again.work, again.leg.first) == (background.work, 1)


def test_a_guards_fallback_takes_the_executor_at_once() -> None:
    """A peer refused the request; now it waits at home behind a run that had begun before."""
    known = peer_table(mule=[profile("detector", 0.005)])
    agent = scheduler("greedy", known, stages=STAGES, detector=0.01, segmenter=0.3)
    (background,) = of(ev.RunStage, agent.handle(asked(9, "segmenter", AT + ns(2.0), priority=7), AT))
    known.update("mule", 1, 0.0, AT)
    commands = agent.handle(arrived(2, stream("detect", deadline_s=0.1), AT), AT)
    (timer,) = [t for t in of(ev.SetTimer, commands) if isinstance(t.event, ev.LastSafeStart)]
    assert timer.at_ns == AT + ns(0.1) - ns(0.012) - TURN_NS - START_NS
    commands = agent.handle(timer.event, timer.at_ns)
    assert of(ev.Preempt, commands) == [ev.Preempt(work=background.work, urgency=math.inf)]
    at = timer.at_ns + MS
    (fallback,) = of(ev.RunStage, agent.handle(preempted(background.work, AT, at, 1, mid_stage=True), at))
    assert fallback.request == request(2)
    assert of(ev.Preempt, agent.handle(asked(10, "detector", at + ns(0.1), priority=7), at)) == []
    commands = agent.handle(came(2, "mule"), at + MS)
    assert of(ev.AbortRun, commands) == [ev.AbortRun(work=fallback.work)]


def test_an_aged_run_is_not_preempted_for_the_run_that_it_waited_behind() -> None:
    agent = scheduler("local", stages=STAGES, detector=0.01, segmenter=0.3)
    (urgent,) = of(ev.RunStage, agent.handle(arrived(1, stream("detect", priority=1, deadline_s=9.0), AT), AT))
    agent.handle(arrived(2, stream("segment", "segmenter", deadline_s=9.0), AT), AT)
    later = AT + 2 * AGING_NS
    (old,) = of(ev.RunStage, agent.handle(done(urgent.work, later), later))
    assert old.request == request(2)
    assert of(ev.Preempt, agent.handle(arrived(3, stream("detect", priority=1), later), later)) == []
    (preempt,) = of(ev.Preempt, agent.handle(arrived(4, stream("other", priority=3), later), later))
    assert preempt.urgency == 2.0                         # one above the level to which it rose


# --- two executors ---

def two(*, spent: bool) -> tuple[Scheduler, list[int]]:
    """A robot on whose two executors two background runs have begun at AT; the less urgent, which can only run whole,
    has been aborted as often as may be, if `spent`. Returns their works, this one first."""
    agent = robot([profile("mapper", 0.2), profile("detector", 0.01)], executors=2)
    (mapper,) = of(ev.RunStage, agent.handle(arrived(1, stream("map", "mapper", 9.0), AT), AT))
    (other,) = of(ev.RunStage, agent.handle(arrived(2, stream("chart", "mapper", 9.0, priority=1), AT), AT))
    for i in range(MAX_STAGE_ABORTS if spent else 0):
        agent.handle(arrived(10 + i, URGENT, AT), AT)
        (urgent,) = of(ev.RunStage, agent.handle(preempted(mapper.work, AT, AT, 0, mid_stage=True), AT))
        (mapper,) = of(ev.RunStage, agent.handle(done(urgent.work, AT), AT))
    return agent, [mapper.work, other.work]


def test_of_two_runs_the_less_urgent_leaves_first() -> None:
    agent, (first, second) = two(spent=False)
    assert [p.work for p in of(ev.Preempt, agent.handle(arrived(3, URGENT, AT), AT))] == [first]
    assert [p.work for p in of(ev.Preempt, agent.handle(arrived(4, stream("b", priority=2), AT), AT))] == [second]


def test_where_the_less_urgent_cannot_leave_the_other_does() -> None:
    agent, (_, second) = two(spent=True)
    assert [p.work for p in of(ev.Preempt, agent.handle(arrived(3, URGENT, AT), AT))] == [second]


def test_no_run_is_preempted_for_a_waiting_one_while_another_is_ending() -> None:
    agent = robot([profile("mapper", 0.2), profile("detector", 0.01)], executors=2)
    (ending,) = of(ev.RunStage, agent.handle(asked(1, "mapper", AT + ns(9)), AT))
    agent.handle(arrived(2, stream("chart", "mapper", 9.0, priority=1), AT), AT)
    agent.handle(ev.StageCancelled(request=ending.request, peer="asker"), AT)
    assert of(ev.Preempt, agent.handle(arrived(3, URGENT, AT), AT)) == []
    assert len(of(ev.RunStage, agent.handle(done(ending.work, AT + MS, ran=False), AT + MS))) == 1


def test_a_run_that_a_guard_held_back_starts_once_the_fallback_has_begun() -> None:
    known = peer_table(mule=[profile("mapper", 0.05)])
    agent = robot([profile("mapper", 0.2), profile("detector", 0.02)], "greedy", known, executors=2)
    known.update("mule", 1, 0.0, AT)
    agent.handle(arrived(1, stream("map", "mapper", 0.26), AT), AT)              # its last safe start is in 20 ms
    assert of(ev.RunStage, agent.handle(asked(2, priority=3, deadline_ns=AT + ns(0.2)), AT)) == []
    commands = agent.handle(ev.Refused(request=request(1), peer="mule", reason="full"), AT + MS)
    assert [run.request for run in of(ev.RunStage, commands)] == [request(1), request(2, "asker")]


def test_a_guarded_request_that_is_preempted_is_still_guarded() -> None:
    """A request returned from a peer, guard armed; its run is preempted, and goes first at its last safe start."""
    known = peer_table(mule=[profile("segmenter", 0.01)])
    agent = scheduler("greedy", known, stages=STAGES, detector=0.01, segmenter=0.3)
    known.update("mule", 1, 0.0, AT)
    assert of(ev.SendStage, agent.handle(arrived(1, BACKGROUND, AT), AT))
    (run,) = of(ev.RunStage, agent.handle(ev.Refused(request=request(1), peer="mule", reason="full"), AT))
    known.update("mule", 1, 9.0, AT)                          # too busy for any more
    assert of(ev.Preempt, agent.handle(arrived(2, URGENT, AT + 35 * MS), AT + 35 * MS))
    commands = agent.handle(preempted(run.work, AT, AT + 36 * MS, 1), AT + 36 * MS)
    (urgent,) = of(ev.RunStage, commands)
    assert urgent.request == request(2)
    (again,) = [c for c in of(ev.SetTimer, commands) if isinstance(c.event, ev.LastSafeStart)]
    assert AT + ns(1.5) < again.at_ns < AT + ns(2.0) - ns(0.27)
    assert of(ev.Preempt, agent.handle(again.event, again.at_ns)) == []           # what is more urgent was reserved
    (resumed,) = of(ev.RunStage, agent.handle(done(urgent.work, again.at_ns + 10 * MS), again.at_ns + 10 * MS))
    assert (resumed.work, resumed.leg.first) == (run.work, 1)
